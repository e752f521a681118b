"""The process that hosts arms: it receives a method's name and arguments, calls it on each arm, sends the results.

Nothing here imports torch at the top: the process first puts its house in order.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import queue
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from regtui.errors import RegtuiError
from regtui.preset.model import Preset
from regtui.signals import ending


class Call(NamedTuple):
    """A method to call on each of `arms`."""

    method: str
    arms: tuple[str, ...]
    args: tuple[Any, ...]


class Failure(NamedTuple):
    """What went wrong instead of a result: a fault that a person can mend, or a traceback."""

    error: RegtuiError | None
    traceback: str


class Host:
    """The arms that live in this process."""

    def __init__(self, threads: int | None) -> None:
        """Import torch, which takes 2 to 4 s; it computes with so many `threads` from then on, unless None."""
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        self._arms: dict[str, Any] = {}

    def torch_version(self) -> str:
        """The version of torch here; whoever asks knows that it is imported."""
        import torch

        return torch.__version__

    def resolve_device(self, wanted: str) -> str:
        """The device that `wanted` means here.

        Raises:
            InputError: It isn't there.
        """
        from regtui.arm.device import resolve

        return resolve(wanted)

    def devices(self) -> list[tuple[str, str]]:
        """What there is to train on, see `regtui.arm.device.found`."""
        from regtui.arm.device import found

        return list(found())

    def build(self, names: tuple[str, ...], preset: Preset, device: str, data_file: Path) -> None:
        """Load the data once and build the arms `names` on it."""
        import torch

        from regtui.arm.arm import Arm
        from regtui.arm.split import load
        from regtui.arm.streams import stream

        place = torch.device(device)
        data = load(data_file, preset.data, stream(preset.train.seed, "split"), place)
        self._arms = {name: Arm(name, preset, data, place) for name in names}

    def call(self, call: Call) -> dict[str, Any]:
        """The results of `call`, by arm."""
        return {name: getattr(self._arms[name], call.method)(*call.args) for name in call.arms}


@contextmanager
def as_in_its_own_process(threads: int) -> Iterator[None]:
    """Torch's global state as a process of its own has it at its start; afterwards it is again what it was.

    Whoever trains in a process that does other things too is neither disturbed nor disturbs: number of threads, global
    random stream, gradient mode, autocast, default type and default device.
    """
    import torch

    threads_before, dtype_before = torch.get_num_threads(), torch.get_default_dtype()
    with ExitStack() as stack:
        stack.callback(torch.set_default_dtype, dtype_before)
        stack.callback(torch.set_num_threads, threads_before)
        gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
        stack.enter_context(torch.random.fork_rng(gpus))
        stack.enter_context(torch.inference_mode(mode=False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.autocast("cpu", enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        torch.set_default_dtype(torch.float32)
        torch.set_num_threads(threads)
        yield


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


def serve(threads: int) -> None:
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
    host = _attempt(Host, threads)  # which imports torch, before anything is asked for
    while True:
        method, args = waiting.get()
        reply = host if isinstance(host, Failure) else _attempt(getattr(host, method), *args)
        replies.write(pickle.dumps(reply))
        replies.flush()


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
