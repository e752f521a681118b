"""A run as a job of Slurm, on whatever node it is: trains, and writes the run's folder into the shared file system."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

from regtui.errors import RegtuiError
from regtui.preset.model import Preset
from regtui.protocol.control import Control
from regtui.protocol.events import Status
from regtui.study.alone import run_alone


class Made(NamedTuple):
    """What came of a run.

    Attributes:
        folder: The name of its folder; empty if it could not begin.
        status: How it ended.
        error: Why it failed, if it did.
        unsaved: What of it is not on disk.
        fault: Why it could not begin, if that has a sentence.
    """

    folder: str
    status: Status
    error: str = ""
    unsaved: str = ""
    fault: RegtuiError | None = None


class SlurmRun:
    """What submitit calls on the node, and calls again when Slurm has put the job back into its queue."""

    def __init__(self, preset: Preset, place: Path, threads: int, checkpoints: bool) -> None:
        """Plan a run in a folder in `place`, which has nothing else."""
        self._preset, self._place, self._threads, self._checkpoints = preset, place, threads, checkpoints

    def __call__(self) -> Made:
        """Make the run. What is left of an earlier attempt goes: a run is whole, or is not."""
        try:
            shutil.rmtree(self._place, ignore_errors=True)
            result = run_alone(
                self._preset, self._place, self._threads, checkpoints=self._checkpoints, control=Control()
            )
        except RegtuiError as error:
            return Made("", "failed", str(error), fault=error)
        except Exception as error:
            return Made("", "failed", f"unforeseen {error!r}")
        summary = result.summary
        return Made(result.folder.name, summary.status, summary.error, summary.unsaved)

    def checkpoint(self) -> Any:
        """What to submit when the job is preempted, which submitit asks a moment before: the same once more."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)
