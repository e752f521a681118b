"""The host of arms: builds them on one copy of the data, and calls their methods on request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import torch

from regtui.arm import device
from regtui.arm.arm import Arm
from regtui.arm.interface import Call, HostCalls
from regtui.arm.split import load
from regtui.disk import Disk
from regtui.errors import RegtuiError
from regtui.preset.memory import check
from regtui.preset.model import Preset
from regtui.text import counted


class Host(HostCalls):
    """Holds the arms of this process."""

    def __init__(self) -> None:
        self._arms: dict[str, Arm] = {}
        self._place, self._batch = torch.device("cpu"), 0
        self._disk = Disk()

    def torch_version(self) -> str:
        """The version of torch; an answer means that torch has been imported."""
        return torch.__version__

    def resolve_device(self, wanted: str) -> str:
        """The device that `wanted` means here.

        Raises:
            InputError: It isn't there.
        """
        return device.resolve(wanted)

    def devices(self) -> list[tuple[Literal["ok", "note"], str]]:
        """The available devices, see `regtui.arm.device.found`."""
        return list(device.found())

    def build(self, names: tuple[str, ...], preset: Preset, where: str, data_file: Path, threads: int) -> None:
        """Load the data once and build the arms `names` on it; from then on torch uses this number of threads.

        Raises:
            InputError: They take more memory than the GPU has free, or the data can't be used.

        Numbers below 1e-38 count as 0 from then on: they differ from it in nothing that matters, and processors of
        Intel take 150 cycles for each. Weights that decay and gradients of what is certain become as small; an epoch of
        the dropout preset then took 3.4 s instead of 0.9.
        """
        torch.set_flush_denormal(True)  # before torch starts threads of its own, which inherit it
        torch.set_num_threads(threads)
        place = self._place = torch.device(where)
        self._batch = min(preset.train.batch_size, preset.sizes.train)
        self._arms = {}  # the memory of earlier ones is free first
        if place.type == "cuda":
            check(preset, device.memory_of(place), 1, on_gpu=True)
        with self._too_little_memory_explained("to build the networks"):
            data = load(data_file, preset.data, preset.train.seed, place)
            self._arms = {name: Arm(name, preset, data, place, self._disk) for name in names}

    def call(self, call: Call) -> dict[str, Any]:
        """Carry out `call`; returns the results by arm.

        Raises:
            RegtuiError: There is too little memory.
        """
        results = {}
        for name in call.arms:
            with self._too_little_memory_explained(f"for {name} in batches of {counted(self._batch, 'example')}"):
                results[name] = getattr(self._arms[name], call.method)(*call.args)
        return results

    @contextmanager
    def _too_little_memory_explained(self, what_for: str) -> Iterator[None]:
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not device.is_too_little_memory(error):
                raise
            remedy = "take a smaller train.batch_size or a smaller network"
            words = f"there is too little memory {what_for}: {device.memory_words(self._place)}; {remedy}"
            raise RegtuiError(words) from error

    @contextmanager
    def as_in_its_own_process(self, threads: int) -> Iterator[None]:
        """Within this context torch's global state is that of a new process; afterwards it is restored.

        So training does not affect other uses of torch in this process, and is not affected by them. The state covers
        the number of threads, the global random stream, gradient mode, autocast, default type and default device, and
        whether numbers below 1e-38 count as 0.
        """
        threads_before, dtype_before, flushed_before = torch.get_num_threads(), torch.get_default_dtype(), _flushes()
        with ExitStack() as stack:
            stack.callback(torch.set_default_dtype, dtype_before)
            stack.callback(torch.set_num_threads, threads_before)
            stack.callback(torch.set_flush_denormal, flushed_before)
            gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
            stack.enter_context(torch.random.fork_rng(gpus))
            stack.enter_context(torch.inference_mode(mode=False))
            stack.enter_context(torch.enable_grad())
            stack.enter_context(torch.autocast("cpu", enabled=False))
            if torch.get_default_device().type != "cpu":
                stack.enter_context(torch.device("cpu"))
            torch.set_default_dtype(torch.float32)
            torch.set_num_threads(threads)
            torch.set_flush_denormal(True)
            yield


def _flushes() -> bool:
    """Whether numbers below 1e-38 count as 0 in this thread, which torch can't be asked."""
    return not torch.full((), 2e-38, dtype=torch.float32, device="cpu").mul(0.1)
