"""The engine as the screen uses it: processes that import torch while the user chooses, and serve run after run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from regtui.engine.crew import ProcessCrew, nobody_watches
from regtui.engine.process import CrewClosedError
from regtui.engine.run import RunResult, run
from regtui.engine.watch import PATIENCE, Watch
from regtui.errors import RegtuiError
from regtui.preset.model import Preset
from regtui.protocol.control import Control
from regtui.protocol.events import Event


class Training(Protocol):
    """Whoever trains; each method is called in a thread of its own and may take long."""

    def warm_up(self) -> str:
        """Get ready; returns a word on what is ready."""

    def run(
        self, preset: Preset, logs: Path, control: Control, emit: Callable[[Event], None], begun: Callable[[Path], None]
    ) -> RunResult:
        """Train a preset."""

    def close(self) -> None:
        """End all that works for it, at once."""


class ProcessTraining:
    """Trains in processes of its own, which are kept from run to run, torch and all."""

    def __init__(self, threads: int | None = None) -> None:
        """Start nothing yet; `threads` are those of `ProcessCrew`."""
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
                self._discard()  # one that stands still is not used again
                raise

    def run(
        self, preset: Preset, logs: Path, control: Control, emit: Callable[[Event], None], begun: Callable[[Path], None]
    ) -> RunResult:
        """Train; waits for a warm-up that goes on, unless `control` says that nobody waits any more."""
        self._ready().watch = Watch(control, nobody_watches, PATIENCE)
        with self._one_at_a_time:
            crew = self._ready()
            try:
                result = run(preset, logs, control, emit, crew, begun)
            except BaseException:
                self._discard()
                raise
            if result.summary.status == "failed" or result.summary.device != "cpu" or not crew.idle:
                self._discard()  # what failed is not used again; on a GPU the memory goes back to whoever needs it
            return result

    def close(self) -> None:
        """End the processes, also while they get ready; a run that goes on is kept as stopped."""
        self._closed = True
        self._discard()

    def _ready(self) -> ProcessCrew:
        with self._changing:
            if self._closed:
                raise CrewClosedError("the processes that train were ended")
            if self._crew is None:
                self._crew = ProcessCrew(self._threads)
            return self._crew

    def _discard(self) -> None:
        with self._changing:
            crew, self._crew = self._crew, None
        if crew is not None:
            crew.close()
