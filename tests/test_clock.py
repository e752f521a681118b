"""A run's clock, read from a script: what is suspended is no time of training."""

from __future__ import annotations

from regtui.engine.clock import TICK, Clock
from regtui.engine.trainer import Trainer
from regtui.protocol.control import Control
from regtui.protocol.events import EpochDone, Event, Suspended
from regtui.protocol.history import History
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew


class Time:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_gap_between_two_looks_was_a_suspension_and_a_slow_tick_was_none() -> None:
    time = Time()
    clock = Clock(time)
    for step in (TICK, TICK, 1.5, TICK, 60 + TICK, TICK):
        time.now += step
        clock.look()
    assert (clock.seconds, clock.awake) == (62.5 + TICK, 2.5 + TICK)
    assert (clock.newly_suspended(), clock.newly_suspended()) == (60, 0)
    clock.go_on_from(10)
    assert clock.seconds == 10


def test_a_suspension_is_told_and_counts_for_no_time_of_training(tmp_path: object) -> None:
    preset = small_preset(train={"epochs": 3})
    time = Time()
    events: list[Event] = []
    crew = ScriptedCrew({"baseline": [0.3, 0.2, 0.1], "regularized": [0.3, 0.2, 0.1]})

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, EpochDone) and (event.arm, event.epoch) == ("regularized", 2):
            time.now += TICK
            trainer.progress.clock.look()
            time.now += 100  # Ctrl-Z, and fg some time later
            trainer.progress.clock.look()

    trainer = Trainer(preset, crew, Control(), emit, lambda: tmp_path)  # type: ignore[arg-type, return-value]
    trainer.progress.clock = Clock(time)
    trainer.run()
    (told,) = [event for event in events if isinstance(event, Suspended)]
    assert told.seconds == 100 - TICK
    history = History.of(events)
    assert (history.seconds, history.going_seconds) == (100 + TICK, 2 * TICK)
    assert trainer.progress.train_seconds < 1
