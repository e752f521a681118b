"""The screen's program with a trainer that computes nothing, and ends an epoch only when a test lets it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from regtui.arm.interface import Args, ArmCalls, Result
from regtui.engine.resume import Changes, resume
from regtui.engine.run import RunResult, run
from regtui.preset.model import Preset
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import Event
from regtui.tui.app import RegtuiApp
from regtui.tui.widgets.key_bar import KeyBar
from tests.scripted import ScriptedCrew
from tests.settled import settled

FALLING = [1.0 / epoch for epoch in range(1, 60)]


class GatedCrew(ScriptedCrew):
    """Measures an epoch only when the gate has been opened for it."""

    def __init__(self, val_losses: Mapping[str, list[float]], failing: Exception | None = None) -> None:
        super().__init__(val_losses)
        self.gate = threading.Semaphore(0)
        self.waits = False
        """Whether it stands at the gate, and all before it has been told."""
        self.failing = failing

    def each(
        self, method: Callable[[ArmCalls, *Args], Result], arms: Iterable[str], *args: *Args
    ) -> Mapping[str, Result]:
        if method.__name__ == "measure":
            self.waits = True
            if not self.gate.acquire(timeout=300):
                raise TimeoutError("no test opened the gate")
            self.waits = False
            if self.failing is not None:
                raise self.failing
        return super().each(method, arms, *args)


class ScriptedTraining:
    """Trains what a script says; `open` lets epochs pass."""

    def __init__(
        self,
        baseline: list[float] = FALLING,
        regularized: list[float] = FALLING,
        failing: Exception | None = None,
        **others: list[float],
    ) -> None:
        """Train by these validation losses; an arm that has none in the script falls like the others."""
        self.script = {"baseline": baseline, "regularized": regularized, **others}
        self.crew = GatedCrew(self.script, failing)
        self.runs: list[Preset] = []
        self.result: RunResult | None = None
        self.closed = False
        self.control = Control()

    def open(self, epochs: int = 1) -> None:
        self.crew.gate.release(epochs)

    def warm_up(self) -> str:
        return "PyTorch 2.13 ready"

    def run(
        self, preset: Preset, logs: Path, control: Control, emit: Callable[[Event], None], begun: Callable[[Path], None]
    ) -> RunResult:
        self.runs.append(preset)
        self.control = control
        self.crew.val_losses = {arm: self.script.get(arm, FALLING) for arm in preset.arms()}
        self.crew.reset()
        self.result = run(preset, logs, control, emit, self.crew, begun)
        return self.result

    def resume(
        self,
        folder: Path,
        changes: Changes,
        control: Control,
        emit: Callable[[Event], None],
        begun: Callable[[Path], None],
    ) -> RunResult:
        self.control = control
        self.crew.reset()
        self.result = resume(folder, changes, control, emit, self.crew, begun)
        return self.result

    def pids(self) -> list[int]:
        return []

    def close(self) -> None:
        self.closed = True
        self.control.send(Stop())
        self.crew.gate.release(1000)


async def until(pilot: Pilot[Any], condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Let the program go on until something is true of it, and it has settled."""
    deadline = time.monotonic() + seconds
    await settled(pilot.app)
    while not condition() or await settled(pilot.app):  # a thread may have told more meanwhile
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)
        await settled(pilot.app)


def said(app: App[Any]) -> str:
    """What the status line says."""
    message = app.screen.query_one(KeyBar).message
    return message.words if message else ""


def text_of(app: RegtuiApp) -> str:
    """What the screen shows, row by row."""
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())
