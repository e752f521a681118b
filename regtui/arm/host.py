"""The host of arms: it builds them on one copy of the data, and calls their methods for whoever asks."""

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
from regtui.arm.streams import stream
from regtui.preset.model import Preset


class Host(HostCalls):
    """The arms that live in this process."""

    def __init__(self) -> None:
        self._arms: dict[str, Arm] = {}

    def torch_version(self) -> str:
        """The version of torch here; whoever asks knows that it is imported."""
        return torch.__version__

    def resolve_device(self, wanted: str) -> str:
        """The device that `wanted` means here.

        Raises:
            InputError: It isn't there.
        """
        return device.resolve(wanted)

    def devices(self) -> list[tuple[Literal["ok", "note"], str]]:
        """What there is to train on, see `regtui.arm.device.found`."""
        return list(device.found())

    def build(self, names: tuple[str, ...], preset: Preset, where: str, data_file: Path, threads: int) -> None:
        """Load the data once and build the arms `names` on it; torch computes with so many threads from then on."""
        torch.set_num_threads(threads)
        place = torch.device(where)
        data = load(data_file, preset.data, stream(preset.train.seed, "split"), place)
        self._arms = {name: Arm(name, preset, data, place) for name in names}

    def call(self, call: Call) -> dict[str, Any]:
        """The results of `call`, by arm."""
        return {name: getattr(self._arms[name], call.method)(*call.args) for name in call.arms}

    @contextmanager
    def as_in_its_own_process(self, threads: int) -> Iterator[None]:
        """Torch's global state as a process of its own has it at its start; afterwards it is again what it was.

        Whoever trains in a process that does other things too is neither disturbed nor disturbs: number of threads,
        global random stream, gradient mode, autocast, default type and default device.
        """
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
