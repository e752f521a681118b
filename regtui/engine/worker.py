"""The process that hosts arms: it receives a method's name and arguments, calls it, sends what it returns.

It imports its host, and with it torch, only when it has put its house in order.
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
    """What went wrong instead of a result: a fault that a person can mend, or a traceback."""

    error: RegtuiError | None
    traceback: str


def _keep_freed_memory() -> None:
    """Let the C library keep what is freed instead of giving it back to the system.

    Every step frees gradients of about a megabyte and takes as much again; given back in between, each page of it is
    faulted in and zeroed anew. That was measured as 110 page faults a step, and a quarter of the time.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library than GNU's
        return
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD in <malloc.h>
    mallopt(trim_threshold, 256 * 2**20)
    mallopt(mmap_threshold, 32 * 2**20)  # as large as it may be


def _too_large(error: Exception) -> RegtuiError | None:
    """A sentence if there was too little memory; torch says so in a plain RuntimeError."""
    words = str(error)  # torch's allocators: of the CPU in alloc_cpu.cpp, of GPUs "CUDA out of memory"
    if isinstance(error, MemoryError) or "alloc_cpu" in words or "out of memory" in words:
        return RegtuiError(
            "there is too little memory for this network; take a smaller one, or a smaller train.batch_size"
        )
    return None


def serve() -> None:
    """Answer what comes through stdin by stdout, until stdin is closed: then nobody is left to work for."""
    for number in ending():  # meant for the run, which decides
        signal.signal(number, signal.SIG_IGN)
    calls, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # whatever a library may print
        os.dup2(null, stream)
    _keep_freed_memory()
    waiting: queue.SimpleQueue[tuple[str, tuple[Any, ...]]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(calls, waiting), name="calls", daemon=True).start()
    host = _attempt(_host)  # which imports torch, before anything is asked for
    while True:
        method, args = waiting.get()
        reply = host if isinstance(host, Failure) else _attempt(getattr(host, method), *args)
        replies.write(pickle.dumps(reply))
        replies.flush()


def _host() -> Host:
    """The host of this process; torch takes 2 to 4 s to import."""
    from regtui.arm.host import Host

    return Host()


def _attempt(do: Callable[..., Any], *args: Any) -> Any:
    """What `do` returns, or what went wrong instead."""
    try:
        return do(*args)
    except RegtuiError as error:
        return Failure(error, traceback.format_exc())
    except Exception as error:
        return Failure(_too_large(error), traceback.format_exc())


def _read(calls: BinaryIO, waiting: queue.SimpleQueue[Any]) -> None:
    """Take in calls while others are carried out; end the process, in the middle of its work too, with its caller."""
    try:
        while True:
            waiting.put(pickle.load(calls))
    finally:
        os._exit(0)  # nothing is left to save, and taking torch down in order takes half a second
