"""A run that was interrupted, stopped, handed over or has finished goes on in its folder as if nothing had been."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from regtui.engine.crew import LocalCrew
from regtui.engine.resume import Changes, resume
from regtui.engine.run import HandedOver, RunResult, run
from regtui.preset.model import Preset
from regtui.protocol.control import Command, Control
from regtui.protocol.events import Event, Interrupted, StepsDone
from regtui.runs.resumable import resumable
from tests.conftest import small_preset
from tests.same_run import assert_same, seams

EVERYTHING: dict[str, Any] = {
    "regularized": {
        "l1": {"mode": "loss"},
        "l2": {},
        "dropout": {"rate": 0.3, "input_rate": 0.1},
        "batch_norm": {},
        "early_stopping": {"patience": 4},
    },
}


class Killed(BaseException):
    """Nothing catches this, and nothing is written after it."""


Commands = Callable[[Event], list[Command]]


def nothing(_event: Event) -> list[Command]:
    return []


def kill_at(index: int) -> Commands:
    """Kills at the event of this number."""
    left = [index]

    def act(_event: Event) -> list[Command]:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return []

    return act


def in_epoch(number: int) -> Commands:
    """Kills when the first steps of an epoch are told."""

    def act(event: Event) -> list[Command]:
        if isinstance(event, StepsDone) and event.epoch == number:
            raise Killed
        return []

    return act


def emitter(control: Control, act: Commands, events: list[Event]) -> Callable[[Event], None]:
    def emit(event: Event) -> None:
        if dead:
            return
        try:
            commands = act(event)
        except Killed:
            dead.append(True)
            raise
        events.append(event)
        for command in commands:
            control.send(command)

    dead: list[bool] = []
    return emit


class Runs:
    """Makes runs in a folder; one that is killed leaves what a killed process leaves."""

    def __init__(self, logs: Path, patch: pytest.MonkeyPatch) -> None:
        self.logs, self.patch = logs, patch
        self.events: list[Event] = []

    def whole(self, preset: Preset, act: Commands = nothing) -> Path:
        return self._made(lambda begun, control, emit: run(preset, self.logs, control, emit, LocalCrew(), begun), act)

    def resumed(self, folder: Path, act: Commands = nothing, changes: Changes = Changes()) -> Path:  # noqa: B008
        return self._made(lambda begun, control, emit: resume(folder, changes, control, emit, LocalCrew(), begun), act)

    def _made(
        self,
        make: Callable[[Callable[[Path], None], Control, Callable[[Event], None]], RunResult],
        act: Commands,
    ) -> Path:
        control, folders = Control(), list[Path]()
        self.events = []
        with self.patch.context() as patch:
            # A process that is killed tells no end.
            patch.setattr("regtui.engine.run._end", self._unless_killed(act_killed := list[bool]()))
            with suppress(Killed, HandedOver):
                make(folders.append, control, emitter(control, _noting(act, act_killed), self.events))
        return folders[0]

    def _unless_killed(self, killed: list[bool]) -> Callable[..., Any]:
        from regtui.engine.run import _end

        def end(*args: Any) -> Any:
            return None if killed else _end(*args)

        return end


def _noting(act: Commands, killed: list[bool]) -> Commands:
    def noting(event: Event) -> list[Command]:
        try:
            return act(event)
        except Killed:
            killed.append(True)
            raise

    return noting


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(tmp_path, monkeypatch)


@pytest.mark.parametrize("tables", [{}, EVERYTHING], ids=["plain", "everything"])
def test_killed_in_the_third_epoch_it_ends_as_if_nothing_had_been(runs: Runs, tables: dict[str, Any]) -> None:
    preset = small_preset(train={"epochs": 5}, **tables)
    whole, cut = runs.whole(preset), runs.whole(preset, in_epoch(3))
    assert resumable(cut).words == "goes on after epoch 2 of 5"
    assert runs.resumed(cut) == cut
    assert isinstance(runs.events[0], Interrupted)
    assert (runs.events[0].epoch, runs.events[0].step, runs.events[0].differs) == (2, 20, "")
    assert_same(cut, whole)
    assert seams(cut) == 1
