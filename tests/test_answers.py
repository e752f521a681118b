"""The status line tells what a command has changed, from when on, or why it did not."""

from __future__ import annotations

import pytest

from regtui.protocol.answers import TAKEN_BACK, changed, of_another, refused, steered, without_screen
from regtui.protocol.events import ControlApplied, Event, Paused, Resumed
from regtui.protocol.who import Who
from tests.conftest import small_preset
from tests.telling import Telling

RATE, PATIENCE, DELTA, STRENGTH = "learning_rate", "patience", "min_delta", "dropout.rate"


@pytest.mark.parametrize(
    ("controls", "words"),
    [
        ([(None, RATE, 5e-4)], "learning rate 0.001 → 0.0005 from step 2 on"),
        ([("regularized", STRENGTH, 0.55)], "dropout rate of regularized 0.5 → 0.55 from step 2 on"),
        ([(arm, PATIENCE, 7) for arm in ("baseline", "regularized")], "patience off → 7 with the end of epoch 1"),
        ([("regularized", PATIENCE, 7)], "patience of regularized off → 7 with the end of epoch 1"),
        ([("baseline", DELTA, 0.01)], "min Δ of baseline 0 → 0.01 with the end of epoch 1"),
        ([(None, RATE, 5e-4), ("regularized", STRENGTH, 0.4)], "dropout rate of regularized 0.5 → 0.4 from step 2 on"),
    ],
)
def test_what_was_changed_and_from_when_on(controls: list[tuple[str | None, str, float]], words: str) -> None:
    telling = Telling(small_preset()).start()
    for control in controls:
        telling.control(*control)
    assert changed(telling.preset, telling.history, telling.history.controls) == words
    (arm, key, value) = controls[-1]
    telling.control(arm, key, 2 * value)
    again = changed(telling.preset, telling.history, telling.history.controls[-1:])
    assert f" {value:g} → {2 * value:g} " in again, "from what it was last"


def test_a_change_of_all_arms_is_one_also_where_its_answers_come_one_by_one() -> None:
    telling = Telling(small_preset()).start()
    for arm, words in (("baseline", "patience of baseline off → 7"), ("regularized", "patience off → 7")):
        telling.control(arm, PATIENCE, 7)
        controls = telling.history.controls
        assert changed(telling.preset, telling.history, controls[-1:]) == f"{words} with the end of epoch 1"


def test_why_a_command_was_refused() -> None:
    facts = {"t": 1, "accepted": False, "epoch": 1, "step": 5}
    why = "the regularized arm does not train"
    told = ControlApplied(command="set_patience", arm="regularized", key="patience", value=3, why=why, **facts)
    assert refused(told) == f"patience stays as it is: {why}"
    assert refused(ControlApplied(command="someday", why="unknown", **facts)) == "unknown"
    assert refused(ControlApplied(command="hand_over", why="no room", **facts)) == "The run goes on here: no room"
    assert refused(ControlApplied(command="hand_over", why=TAKEN_BACK, **facts)) == "", "who asked for it knows"


def test_who_did_it_is_told_where_it_was_somebody_else() -> None:
    alice, here = Who(pid=1, user="alice"), Who.here()
    facts = {"t": 1, "accepted": True, "epoch": 1, "step": 5}
    telling = Telling(small_preset()).start()
    for who in (None, here, alice):
        one = ControlApplied(command="set_learning_rate", key="learning_rate", value=5e-4, by=who, **facts)
        telling.history.controls = [one]
        words = "learning rate 0.001 → 0.0005 from step 6 on"
        other = who is alice
        assert changed(telling.preset, telling.history, [one]) == words + " by alice, pid 1" * other
        assert of_another(one) == other
        paused = Paused(t=1, epoch=1, step=5, by=who)
        assert steered(paused) == "paused by alice, pid 1" * other
        assert steered(Resumed(t=1, epoch=1, step=5, by=who)) == "going on by alice, pid 1" * other
        assert steered(ControlApplied(command="stop", by=who, **facts)) == "stopping by alice, pid 1" * other


def test_without_a_screen_a_stop_is_told_and_what_others_do() -> None:
    alice = Who(pid=1, user="alice")
    facts = {"t": 1, "accepted": True, "epoch": 1, "step": 5}
    telling = Telling(small_preset()).start()

    def told(event: Event, *, at_once: bool = False) -> str:
        telling.history.add(event)
        return without_screen(telling.preset, telling.history, event, at_once=at_once)

    stop = ControlApplied(command="stop", **facts)
    assert told(stop) == "stopping after step 5: validating, testing, saving"
    assert told(stop, at_once=True) == "stopping after step 5: at once"
    first = stop.model_copy(update={"step": 0, "by": alice})
    assert told(first) == "stopping before the first step by alice, pid 1"
    rate = ControlApplied(command="set_learning_rate", key="learning_rate", value=5e-4, by=alice, **facts)
    assert told(rate) == "learning rate 0.001 → 0.0005 from step 6 on by alice, pid 1"
    assert told(rate.model_copy(update={"accepted": False, "why": "no"})) == ""
    assert told(rate.model_copy(update={"by": Who.here()})) == ""
    assert told(Paused(t=1, epoch=1, step=5, by=alice)) == "paused by alice, pid 1"
    assert told(Paused(t=1, epoch=1, step=5, by=Who.here())) == ""
