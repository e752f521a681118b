"""Refuses runs that take more memory than there is, before anything is taken."""

from __future__ import annotations

import os

from regtui.engine.child import LIVING
from regtui.memory import free_memory, resident
from regtui.preset import memory
from regtui.preset.model import Preset
from regtui.processors import grant, has_gpu


def check_early(preset: Preset, at_once: int | None = None, runs: int = 1) -> None:
    """Refuse a run that takes more than this machine has, before it has processes, if it is surely trained here.

    Args:
        preset: The run.
        at_once: How many arms compute at the same time; as many as there are processors if left out.
        runs: How many such runs there are at the same time.

    Raises:
        InputError: It does.
    """
    if preset.train.device == "cpu" or (preset.train.device == "auto" and not has_gpu()):
        check_here(preset, "cpu", at_once or grant().processors, runs)


def check_here(preset: Preset, device: str, at_once: int, runs: int = 1) -> None:
    """Refuse a run that takes more than this machine has; of a GPU's own memory its host knows.

    What this program and its processes hold counts as free, since they will use it again.

    Args:
        preset: The run.
        device: The device, as it was resolved.
        at_once: How many arms compute at the same time, each in a process of its own.
        runs: How many such runs there are at the same time.

    Raises:
        InputError: It does.
    """
    if not device.startswith("cuda"):
        own = sum(map(resident, [os.getpid(), *(child.pid for child in list(LIVING))]))
        memory.check(preset, free_memory(own=own, processes=at_once * runs), at_once, runs=runs)
