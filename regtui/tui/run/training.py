"""Training for the screen: processes that import torch while the user chooses, and serve several runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from regtui.disk import Disk
from regtui.engine.crew import ProcessCrew
from regtui.engine.process import CrewClosedError
from regtui.engine.resume import Changes, resume
from regtui.engine.run import RunResult, run
from regtui.engine.waiting import awaited
from regtui.engine.watch import PATIENCE, Watch, stalled
from regtui.errors import RegtuiError
from regtui.preset.model import Preset
from regtui.protocol.control import Control
from regtui.protocol.events import Event
from regtui.runs.resumable import Resumable, resumable


class Training(Protocol):
    """What trains for the screen; each method is called in a thread of its own and may take long."""

    def warm_up(self) -> str:
        """Get ready; returns a word on what is ready."""

    def run(
        self, preset: Preset, logs: Path, control: Control, emit: Callable[[Event], None], begun: Callable[[Path], None]
    ) -> RunResult:
        """Train a preset."""

    def resume(
        self,
        folder: Path,
        changes: Changes,
        control: Control,
        emit: Callable[[Event], None],
        begun: Callable[[Path], None],
    ) -> RunResult:
        """Train a saved run on."""

    def pids(self) -> list[int]:
        """The numbers of the processes that train now; called at any time."""

    def close(self) -> None:
        """End all its processes at once."""


class ProcessTraining:
    """Trains in processes of its own, which keep torch imported from run to run."""

    def __init__(self, threads: int | None = None) -> None:
        """Start no process yet; `threads` is that of `ProcessCrew`."""
        self._threads = threads
        self._crew: ProcessCrew | None = None
        self._closed = False
        self._changing = threading.Lock()
        self._one_at_a_time = threading.Lock()

    def warm_up(self) -> str:
        """Start the processes and wait until they have imported torch."""
        with self._one_at_a_time:
            try:
                return f"PyTorch {self._ready().warm_up()} ready"
            except RegtuiError:
                self._discard()  # processes that do not answer are not used again
                raise

    def run(
        self, preset: Preset, logs: Path, control: Control, emit: Callable[[Event], None], begun: Callable[[Path], None]
    ) -> RunResult:
        """Train; waits for a running warm-up first, unless `control` says to stop."""
        return self._with_crew(control, emit, lambda crew: run(preset, logs, control, emit, crew, begun))

    def resume(
        self,
        folder: Path,
        changes: Changes,
        control: Control,
        emit: Callable[[Event], None],
        begun: Callable[[Path], None],
    ) -> RunResult:
        """Train a saved run on; waits as `run` does."""
        disk = Disk()
        with awaited(disk, folder, control, emit):
            place = disk(lambda: resumable(folder, changes.epochs, changes.device))
        return self._with_crew(control, emit, lambda crew: resume(folder, changes, control, emit, crew, begun), place)

    def _with_crew(
        self,
        control: Control,
        emit: Callable[[Event], None],
        train: Callable[[ProcessCrew], RunResult],
        place: Resumable | None = None,
    ) -> RunResult:
        """Have processes train, a run that goes on in as many threads as it had, so that its numbers stay the same."""
        self._ready().watch = Watch(control, lambda wait: emit(stalled(wait, 0.0)), PATIENCE)  # of the warm-up
        with self._one_at_a_time:
            crew = self._ready()
            others = False
            if place is not None:
                crew.prepare(len(place.preset.arms()))
                threads = self._threads or place.threads
                others = threads not in (None, crew.threads)
                if others:
                    self._discard()
                    crew = self._ready(threads)
            try:
                result = train(crew)
            except BaseException:
                self._discard()
                raise
            if others or result.summary.status == "failed" or result.summary.device != "cpu" or not crew.idle:
                self._discard()  # processes that failed are not used again; this also frees memory of a GPU
            return result

    def pids(self) -> list[int]:
        """The numbers of the processes that there are now."""
        crew = self._crew
        return [] if crew is None else [process.pid for process in list(crew.processes)]

    def close(self) -> None:
        """End the processes, also while they get ready; a running run is saved as stopped."""
        self._closed = True
        self._discard()

    def _ready(self, threads: int | None = None) -> ProcessCrew:
        with self._changing:
            if self._closed:
                raise CrewClosedError("the processes that train were ended")
            if self._crew is None:
                self._crew = ProcessCrew(threads or self._threads)
            return self._crew

    def _discard(self) -> None:
        with self._changing:
            crew, self._crew = self._crew, None
        if crew is not None:
            crew.close()
