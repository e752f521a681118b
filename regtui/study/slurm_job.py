"""A run as a job of Slurm, on whatever node it is: trains, and writes the run's folder into the shared file system."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from regtui.engine.run import RunResult
from regtui.errors import InputError, RegtuiError
from regtui.preset.model import Preset
from regtui.protocol.control import Control
from regtui.protocol.events import Status
from regtui.runs.find import is_run
from regtui.study.alone import go_on_alone, run_alone
from regtui.study.cut_off import keep
from regtui.study.found_runs import drop_run, reached

MOST = 0.8
"""The share of its time limit after which a job has had its time; Slurm and submitit end it some minutes early."""


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

    def __init__(
        self,
        preset: Preset,
        place: Path,
        threads: int,
        minutes: int,
        *,
        checkpoints: bool,
        cut_off: Path | None = None,
    ) -> None:
        """Plan a run in a folder in `place`, which has nothing else.

        Args:
            preset: What to train.
            place: Where the run's folder is.
            threads: Threads with which it computes.
            minutes: The time limit of its job.
            checkpoints: Whether it saves its weights after each epoch.
            cut_off: The folder of a run that was cut off, to go on with; it is moved to `place` first.
        """
        self._preset, self._place, self._threads, self._minutes = preset, place, threads, minutes
        self._checkpoints, self._cut_off = checkpoints, cut_off
        self._began, self._from_epoch = 0.0, 0

    def __call__(self) -> Made:
        """Make the run, or go on with what is left of an earlier attempt, if that has a checkpoint."""
        try:
            result = self._run()
        except RegtuiError as error:
            return Made("", "failed", str(error), fault=error)
        except Exception as error:
            return Made("", "failed", f"unforeseen {error!r}")
        summary = result.summary
        return Made(result.folder.name, summary.status, summary.error, summary.unsaved)

    def _run(self) -> RunResult:
        self._began, self._from_epoch = time.monotonic(), 0
        if (left := self._left()) is not None:
            self._from_epoch = reached(left)
            with suppress(InputError):  # it is damaged, or asks for what is not there, as will be told below
                return go_on_alone(left, self._threads, control=Control())
        shutil.rmtree(self._place, ignore_errors=True)
        return run_alone(self._preset, self._place, self._threads, checkpoints=self._checkpoints, control=Control())

    def _left(self) -> Path | None:
        """What is left of an earlier attempt and can be gone on with."""
        if self._cut_off is not None and self._cut_off.is_dir():
            self._place.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):
                self._cut_off.rename(self._place / self._cut_off.name)
        kept = [run for folder in runs_in(self._place) if (run := keep(folder)) is not None]
        furthest = max(kept, key=reached, default=None)
        for run in kept:
            if run != furthest:
                drop_run(run)
        return furthest

    def checkpoint(self) -> Any:
        """What to submit when the job is preempted or its time is over, which submitit asks a moment before.

        The same once more, but nothing if it had nearly all of its time and came no further: it never would.
        """
        from submitit.helpers import DelayedSubmission

        had_its_time = time.monotonic() > self._began + MOST * 60 * self._minutes
        if had_its_time and all(reached(run) <= self._from_epoch for run in runs_in(self._place)):
            return None
        return DelayedSubmission(self)


def runs_in(place: Path) -> list[Path]:
    """The folders of runs in a folder, which may not be there."""
    try:
        return [folder for folder in place.iterdir() if is_run(folder) and not folder.name.startswith(".")]
    except OSError:
        return []
