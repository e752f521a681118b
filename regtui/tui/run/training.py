"""The engine as the screen uses it: processes that import torch while the user chooses, and serve run after run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from regtui.engine.crew import ProcessCrew
from regtui.engine.run import RunResult, run
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

    def __init__(self) -> None:
        self._crew: ProcessCrew | None = None
        self._one_at_a_time = threading.Lock()

    def warm_up(self) -> str:
        """Start the processes and wait until they have imported torch."""
        with self._one_at_a_time:
            return f"PyTorch {self._ready().warm_up()} ready"

    def run(
        self, preset: Preset, logs: Path, control: Control, emit: Callable[[Event], None], begun: Callable[[Path], None]
    ) -> RunResult:
        """Train; waits for a warm-up that goes on."""
        with self._one_at_a_time:
            try:
                result = run(preset, logs, control, emit, self._ready(), begun)
            except BaseException:
                self._discard()
                raise
            if result.summary.status == "failed" or result.summary.device != "cpu":
                self._discard()  # what failed is not used again; on a GPU the memory goes back to whoever needs it
            return result

    def close(self) -> None:
        """End the processes; a run that goes on is kept as stopped."""
        self._discard()

    def _ready(self) -> ProcessCrew:
        if self._crew is None:
            self._crew = ProcessCrew()
        return self._crew

    def _discard(self) -> None:
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.close()
