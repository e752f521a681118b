"""The process that hosts arms: receives a method's name and arguments, calls it, and sends back the result.

It imports its host, and with it torch, only after it has set up its streams and signals.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import queue
import signal
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from regtui.errors import RegtuiError
from regtui.signals import ending

if TYPE_CHECKING:
    from regtui.arm.host import Host


class Failure(NamedTuple):
    """Sent in place of a result: an error that a person can fix, or a traceback."""

    error: RegtuiError | None
    traceback: str


def _keep_freed_memory() -> None:
    """Let the C library keep freed memory instead of returning it to the system.

    Every step frees gradients of about a megabyte and allocates as much again. If the memory was returned in between,
    each page would be faulted in and zeroed again: 110 page faults a step and a quarter of the time, as measured.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not the GNU C library
        return
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD in <malloc.h>
    mallopt(trim_threshold, 256 * 2**20)
    mallopt(mmap_threshold, 32 * 2**20)  # the largest allowed value


def _too_large(error: Exception) -> RegtuiError | None:
    """A sentence if an error means too little memory, for which torch raises a plain RuntimeError."""
    words = str(error)  # messages of torch's allocators: alloc_cpu.cpp for CPUs, "CUDA out of memory" for GPUs
    if isinstance(error, MemoryError) or "alloc_cpu" in words or "out of memory" in words:
        return RegtuiError(
            "there is too little memory for this network; take a smaller one, or a smaller train.batch_size"
        )
    return None


def serve() -> None:
    """Answer calls from stdin on stdout until stdin is closed, which means that the caller has ended."""
    for number in ending():  # signals are meant for the run, which decides what to do
        signal.signal(number, signal.SIG_IGN)
    calls, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # what libraries print must not get between the answers
        os.dup2(null, stream)
    _keep_freed_memory()
    waiting: queue.SimpleQueue[tuple[str, tuple[Any, ...]]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(calls, waiting), name="calls", daemon=True).start()
    host = _attempt(_host)  # imports torch, before the first call
    while True:
        method, args = waiting.get()
        reply = host if isinstance(host, Failure) else _attempt(getattr(host, method), *args)
        replies.write(pickle.dumps(reply))
        replies.flush()


def _host() -> Host:
    """The host of this process; importing torch takes 2 to 4 s."""
    from regtui.arm.host import Host

    return Host()


def _attempt(do: Callable[..., Any], *args: Any) -> Any:
    """The result of `do`, or the failure."""
    try:
        return do(*args)
    except RegtuiError as error:
        return Failure(error, traceback.format_exc())
    except Exception as error:
        return Failure(_too_large(error), traceback.format_exc())


def _read(calls: BinaryIO, waiting: queue.SimpleQueue[Any]) -> None:
    """Receive calls while others are carried out; end the process, even in the middle of its work, with its caller."""
    try:
        while True:
            waiting.put(pickle.load(calls))
    finally:
        os._exit(0)  # nothing is left to save, and shutting torch down in order takes half a second
