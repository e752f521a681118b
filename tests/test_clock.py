"""A run's clock, read from a script: what is suspended is no time of training."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from regtui.engine.clock import TICK, Clock
from regtui.engine.crew import LocalCrew
from regtui.engine.run import RunResult, run
from regtui.engine.trainer import Trainer
from regtui.protocol.control import Control
from regtui.protocol.events import EpochDone, Event, Suspended
from regtui.protocol.history import History
from tests.conftest import small_preset
from tests.same_run import assert_same
from tests.scripted import ScriptedCrew


class Time:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_gap_between_two_looks_was_a_suspension_and_a_slow_tick_was_none() -> None:
    at = Time()
    clock = Clock(at)
    for step in (TICK, TICK, 1.5, TICK, 60 + TICK, TICK):
        at.now += step
        clock.look()
    assert (clock.seconds, clock.awake) == (62.5 + TICK, 2.5 + TICK)
    assert (clock.newly_suspended(), clock.newly_suspended()) == (60, 0)
    clock.go_on_from(10)
    assert clock.seconds == 10


def test_a_suspension_is_told_and_counts_for_no_time_of_training(tmp_path: object) -> None:
    preset = small_preset(train={"epochs": 3})
    at = Time()
    events: list[Event] = []
    crew = ScriptedCrew({"baseline": [0.3, 0.2, 0.1], "regularized": [0.3, 0.2, 0.1]})

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, EpochDone) and (event.arm, event.epoch) == ("regularized", 2):
            at.now += TICK
            trainer.progress.clock.look()
            at.now += 100  # Ctrl-Z, and fg some time later
            trainer.progress.clock.look()

    trainer = Trainer(preset, crew, Control(), emit, lambda: tmp_path)  # type: ignore[arg-type, return-value]
    trainer.progress.clock = Clock(at)
    trainer.run()
    (told,) = [event for event in events if isinstance(event, Suspended)]
    assert told.seconds == 100 - TICK
    history = History.of(events)
    assert (history.seconds, history.going_seconds) == (100 + TICK, 2 * TICK)
    assert trainer.progress.train_seconds < 1


def test_a_clock_that_jumps_changes_nothing_but_when_a_run_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(logs: Path) -> tuple[RunResult, list[Event]]:
        events: list[Event] = []
        preset = small_preset(regularized={"dropout": {}, "early_stopping": {"patience": 1}})
        return run(preset, logs, Control(), events.append, LocalCrew()), events

    whole, _ = made(tmp_path / "whole")
    jumps = itertools.cycle([0.0, 1e9, -1e9, 3600.0, -7200.0])
    own = time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: own() + next(jumps))
        jumping, events = made(tmp_path / "jumping")
    assert_same(jumping.folder, whole.folder)
    times = [event.t for event in events]
    assert times == sorted(times)
    assert 0 < jumping.summary.train_seconds <= jumping.summary.wall_seconds < 600
