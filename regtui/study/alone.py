"""Makes one run in this process, or goes on with it, all its arms in turn: what tasks of Ray and jobs of Slurm do."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from regtui.engine.crew import LocalCrew
from regtui.engine.resume import Changes, resume
from regtui.engine.run import RunResult, run
from regtui.heap import keep_freed_memory
from regtui.preset.model import Preset
from regtui.preset.train import Device
from regtui.protocol.control import Control
from regtui.protocol.events import Event


def run_alone(
    preset: Preset,
    runs: Path,
    threads: int,
    *,
    checkpoints: bool,
    control: Control,
    emit: Callable[[Event], object] = lambda _event: None,
    begun: Callable[[Path], None] = lambda _folder: None,
) -> RunResult:
    """Make a run in a new folder below `runs`; see `regtui.engine.run.run`."""
    return run(preset, runs, control, emit, _crew(threads), begun, checkpoints=checkpoints, attachable=False)


def go_on_alone(
    folder: Path, threads: int, *, control: Control, emit: Callable[[Event], object] = lambda _event: None
) -> RunResult:
    """Go on with a run that nobody trains any more, in its folder; see `regtui.engine.resume.resume`."""
    return resume(folder, Changes(), control, emit, _crew(threads), attachable=False, abandoned=True)


def wants_gpu(preset: Preset) -> bool:
    """Whether a scheduler is asked for a GPU."""
    return preset.train.device.startswith("cuda")


def on_what_was_asked_for(preset: Preset) -> Preset:
    """The preset for a run that has only what a scheduler was asked for: a GPU by whatever number, or none."""
    device: Device = "cuda" if wants_gpu(preset) else "cpu" if preset.train.device == "auto" else preset.train.device
    return preset.model_copy(update={"train": preset.train.model_copy(update={"device": device})})


@cache
def _crew(threads: int) -> LocalCrew:
    """What trains here; kept, so that torch is imported once a process."""
    keep_freed_memory()
    return LocalCrew(threads)
