"""What the trainer decides and tells, with arms that never compute."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regtui.arm.reports import Measured
from regtui.engine.trainer import Trainer
from regtui.protocol.applied import Applied, same_experiment
from regtui.protocol.control import (
    Command,
    Control,
    Pause,
    Resume,
    SetLearningRate,
    SetMinDelta,
    SetPatience,
    SetStrength,
    Stop,
)
from regtui.protocol.events import ControlApplied, EpochDone, Event, Paused, Resumed, Scored, Status, StepsDone
from regtui.protocol.history import History
from regtui.protocol.who import Who
from regtui.tasks.comparison import RightWrong
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew
from tests.telling import paired

FALLING = [1.0 / epoch for epoch in range(1, 30)]
RISING_FROM_3 = [3.0, 2.0, 1.0, *[1.5] * 30]
STEPS = 10  # of the small preset, in an epoch


class Outcome:
    def __init__(self, status: Status, events: list[Event], crew: ScriptedCrew) -> None:
        self.status, self.events, self.crew = status, events, crew
        self.history = History.of(events)

    def stop(self, arm: str) -> tuple[str, int]:
        stopped = self.history.arms[arm].stopped
        assert stopped is not None
        return stopped.reason, stopped.epoch


def train(
    crew: ScriptedCrew,
    commands: Callable[[Event], list[Command]] = lambda _event: [],
    **tables: dict[str, Any],
) -> Outcome:
    """Run the script; `commands` says what a user sends after each event."""
    control, events = Control(), []

    def emit(event: Event) -> None:
        events.append(event)
        for command in commands(event):
            control.send(command)

    with tempfile.TemporaryDirectory() as checkpoint:
        trainer = Trainer(small_preset(**tables), crew, control, emit, lambda: Path(checkpoint))
        status = trainer.run()
        assert status is not None
        return Outcome(status, events, crew)


def both(losses: list[float]) -> ScriptedCrew:
    return ScriptedCrew({"baseline": losses, "regularized": losses})


def after(arm: str, epoch: int, *commands: Command) -> Callable[[Event], list[Command]]:
    """Send once, when `arm` has finished `epoch`."""
    return lambda e: list(commands) if isinstance(e, EpochDone) and (e.arm, e.epoch) == (arm, epoch) else []


# Ends


def test_a_run_trains_all_epochs_of_both_arms() -> None:
    outcome = train(both(FALLING), train={"epochs": 4})
    assert outcome.status == "finished"
    for arm in outcome.history.arms.values():
        assert [epoch.epoch for epoch in arm.epochs] == [1, 2, 3, 4]
        assert len(arm.step_losses) == 4 * STEPS
    assert outcome.stop("baseline") == outcome.stop("regularized") == ("max_epochs", 4)


def test_steps_are_numbered_without_gaps() -> None:
    outcome = train(both(FALLING), train={"epochs": 3})
    told = [e for e in outcome.events if isinstance(e, StepsDone) and e.arm == "baseline"]
    ends = [e.first_step + len(e.losses) for e in told]
    assert [e.first_step for e in told] == [1, *ends[:-1]]
    assert ends[-1] == 3 * STEPS + 1


def test_each_arm_stops_on_its_own_and_the_other_goes_on() -> None:
    outcome = train(both(RISING_FROM_3), train={"epochs": 9}, regularized={"early_stopping": {"patience": 2}})
    assert outcome.stop("regularized") == ("early_stopping", 5)
    assert outcome.stop("baseline") == ("max_epochs", 9)
    assert outcome.status == "finished"
    assert len(outcome.history.arms["regularized"].epochs) == 5
    assert outcome.crew.called("start_epoch")[-1] == ("baseline",)


@pytest.mark.parametrize(("restore", "kept"), [(True, ("best", 3)), (False, ("last", 5))])
def test_the_kept_weights_are_the_best_where_they_are_restored(restore: bool, kept: tuple[str, int]) -> None:
    table = {"early_stopping": {"patience": 2, "restore_best": restore}}
    outcome = train(both(RISING_FROM_3), train={"epochs": 9}, regularized=table)
    tested = outcome.history.scored
    assert tested is not None
    assert (tested.arms["regularized"].kept, tested.arms["regularized"].epoch) == kept
    assert (tested.arms["baseline"].kept, tested.arms["baseline"].epoch) == ("last", 9)


def test_the_best_epoch_is_restored_whatever_ended_the_arm() -> None:
    outcome = train(both(RISING_FROM_3), train={"epochs": 4}, regularized={"early_stopping": {"patience": 9}})
    assert outcome.stop("regularized") == ("max_epochs", 4)
    assert outcome.history.scored is not None
    assert outcome.history.scored.arms["regularized"].epoch == 3


def test_the_best_weights_are_remembered_in_the_epochs_that_improve() -> None:
    outcome = train(both([3.0, 2.0, 2.5, 1.0, 1.5]), train={"epochs": 5})
    pair = ("baseline", "regularized")
    assert outcome.crew.called("remember") == [pair, pair, (), pair, ()]
    assert [e.best for e in outcome.history.arms["baseline"].epochs] == [True, True, False, True, False]


def test_an_improvement_too_small_to_count_is_best_and_is_kept() -> None:
    losses = [2.0, 1.8, 1.7, 1.75, 1.9]
    table = {"early_stopping": {"patience": 9, "min_delta": 0.5}}
    outcome = train(both(losses), train={"epochs": 5}, regularized=table)
    arm = outcome.history.arms["regularized"]
    assert [e.best for e in arm.epochs] == [True, True, True, False, False]
    assert [e.counted for e in arm.epochs] == [True, False, False, False, False]
    assert [e.wait for e in arm.epochs] == [0, 1, 2, 3, 4]
    assert arm.stopped is not None
    assert (arm.stopped.best_epoch, arm.stopped.best_val_loss) == (3, 1.7)
    assert outcome.history.scored is not None
    assert outcome.history.scored.arms["regularized"].epoch == 3


def test_a_loss_that_is_not_finite_ends_its_arm_at_that_step() -> None:
    crew = ScriptedCrew(
        {"baseline": FALLING, "regularized": FALLING},
        lambda arm, step: math.nan if arm == "regularized" and step >= 13 else 1.0,
    )
    outcome = train(crew, train={"epochs": 4})
    assert outcome.status == "diverged"
    regularized = outcome.history.arms["regularized"]
    assert regularized.stopped is not None
    assert (regularized.stopped.reason, regularized.stopped.epoch, regularized.stopped.step) == ("non_finite", 2, 13)
    baseline = outcome.history.arms["baseline"]
    assert baseline.stopped is not None
    assert (regularized.stopped.not_finite, baseline.stopped.not_finite) == ("loss", None)
    assert len(regularized.step_losses) == 13, "what came after the first broken step is not told"
    assert len(regularized.epochs) == 1
    assert outcome.stop("baseline") == ("max_epochs", 4)
    assert outcome.history.scored is None, "nothing is left to compare"


@pytest.mark.parametrize(
    ("diverging", "tested"),
    [
        (["b"], ["baseline", "a", "c"]),
        (["a", "c"], ["baseline", "b"]),
        (["a", "b", "c"], []),
        (["baseline"], []),
    ],
)
def test_of_several_arms_those_that_did_not_diverge_are_tested_if_the_baseline_did_not(
    diverging: list[str], tested: list[str]
) -> None:
    arms: dict[str, dict[str, Any]] = {"a": {"dropout": {}}, "b": {"l1": {}}, "c": {"l2": {}}}
    crew = ScriptedCrew(
        dict.fromkeys(["baseline", *arms], FALLING), lambda arm, _step: math.nan if arm in diverging else 1.0
    )
    outcome = train(crew, train={"epochs": 2}, arms=arms)
    assert outcome.status == "diverged"
    scored = outcome.history.scored
    assert list(scored.arms if scored else []) == tested
    assert list(scored.comparisons if scored else []) == tested[1:]


GUESS = math.log(10)


@pytest.mark.parametrize(
    ("first", "trained", "reason"),
    [
        (0.004, 0.5, "max_epochs"),  # it came with weights, or knew the answer by chance
        (0.0, 0.5, "max_epochs"),
        (0.004, 99 * GUESS, "max_epochs"),
        (0.004, 101 * GUESS, "exploded"),
        (2.3, 2.3, "max_epochs"),
        (2.3, 4.6e4, "exploded"),  # Adam with a learning rate of 1e6
        (500.0, 49_000.0, "max_epochs"),  # a bad start is not held against it
        (500.0, 51_000.0, "exploded"),
        (2.3, math.nan, "non_finite"),
        (2.3, math.inf, "non_finite"),
        (math.inf, 0.5, "non_finite"),
        (math.nan, 0.5, "non_finite"),
    ],
)
def test_divergence_is_measured_against_knowing_nothing(first: float, trained: float, reason: str) -> None:
    crew = ScriptedCrew(both(FALLING).val_losses, lambda arm, step: first if arm == "regularized" else 1.0)  # noqa: ARG005

    def measure(arm: str) -> Measured:
        return ScriptedCrew._measure(crew, arm)._replace(train_loss=trained if arm == "regularized" else 0.5)

    crew._measure = measure  # type: ignore[method-assign]
    outcome = train(crew, train={"epochs": 3})
    assert outcome.stop("regularized")[0] == reason
    assert outcome.stop("baseline") == ("max_epochs", 3)
    assert outcome.status == ("finished" if reason == "max_epochs" else "diverged")
    if reason == "exploded":
        assert len(outcome.history.arms["regularized"].epochs) == 1, "the epoch that shows it is told"


def test_both_arms_diverging_ends_the_run() -> None:
    outcome = train(ScriptedCrew({"baseline": [], "regularized": []}, lambda _arm, step: 1.0 if step < 3 else math.inf))
    assert outcome.status == "diverged"
    assert outcome.crew.called("measure") == []


def test_rights_and_wrongs_are_counted_together() -> None:
    tested = train(both(FALLING), regularized={"early_stopping": {}}).history.scored
    assert isinstance(tested, Scored)
    # Images by the script: both right; only baseline; only regularized (it keeps its best); both wrong.
    assert paired(tested) == RightWrong(1, 1, 1, 1)


# Controls


def test_stop_ends_both_arms_after_the_same_step_validated_and_tested() -> None:
    def commands(event: Event) -> list[Command]:
        return [Stop()] if isinstance(event, StepsDone) and event.arm == "baseline" else []

    outcome = train(both(FALLING), commands, train={"epochs": 9})
    assert outcome.status == "stopped"
    assert outcome.stop("baseline") == outcome.stop("regularized") == ("stopped", 1)
    steps = {len(arm.step_losses) for arm in outcome.history.arms.values()}
    assert len(steps) == 1
    assert 0 < steps.pop() < STEPS
    assert all(arm.epochs[-1].partial for arm in outcome.history.arms.values())
    assert outcome.history.scored is not None


def test_an_epoch_that_a_stop_cut_short_can_be_the_best_and_is_kept_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regtui.engine.steps.READ_OUT", 0.0)  # step by step

    def commands(event: Event) -> list[Command]:
        return [Stop()] if isinstance(event, StepsDone) and event.epoch == 2 else []

    outcome = train(both([1.0, 0.9]), commands, train={"epochs": 9}, regularized={"early_stopping": {}})
    arm = outcome.history.arms["regularized"]
    assert [(e.epoch, e.partial) for e in arm.epochs] == [(1, False), (2, True)]
    assert arm.best is arm.kept is arm.epochs[-1]
    assert arm.test is not None
    assert (arm.test.kept, arm.test.epoch) == ("best", 2)


def test_stop_between_two_epochs_adds_no_epoch() -> None:
    outcome = train(both(FALLING), after("regularized", 2, Stop()), train={"epochs": 9})
    assert outcome.status == "stopped"
    assert [e.partial for e in outcome.history.arms["baseline"].epochs] == [False, False]


def test_stop_in_the_last_epoch_s_validation_finds_the_run_finished() -> None:
    outcome = train(both(FALLING), after("baseline", 3, Stop()), train={"epochs": 3})
    assert outcome.status == "finished"


def test_stop_before_the_first_step_trains_nothing() -> None:
    outcome = train(both(FALLING), lambda e: [Stop()] if e.kind == "run_started" else [])
    assert outcome.status == "stopped"
    assert len(outcome.history.arms["baseline"].step_losses) == 0
    assert outcome.stop("baseline") == ("stopped", 0)
    assert outcome.history.scored is None


def test_pause_and_resume_are_told_and_change_nothing() -> None:
    outcome = train(both(FALLING), after("baseline", 1, Pause(), Pause(), Resume(), Resume()))
    kinds = [e.kind for e in outcome.events if e.kind in {"paused", "resumed"}]
    assert kinds == ["paused", "resumed"]
    assert outcome.history.interventions == 0
    assert outcome.status == "finished"


def test_stop_while_paused_stops() -> None:
    outcome = train(both(FALLING), after("regularized", 1, Pause(), Stop()), train={"epochs": 9})
    assert outcome.stop("baseline") == ("stopped", 1)


def test_one_epoch_at_a_time_pauses_again_after_each_until_the_last() -> None:
    def commands(event: Event) -> list[Command]:
        if isinstance(event, EpochDone) and (event.arm, event.epoch) == ("baseline", 1):
            return [Pause()]
        return [Resume(one_epoch=True)] if isinstance(event, Paused) else []

    outcome = train(both(FALLING), commands)
    epochs = small_preset().train.epochs
    assert epochs > 2
    assert [e.epoch for e in outcome.events if isinstance(e, Paused)] == list(range(1, epochs))
    assert outcome.status == "finished"


def test_who_paused_it_and_who_let_it_go_on_is_in_the_log() -> None:
    alice, bob, carol = (Who(pid=pid, user=user) for pid, user in ((7, "alice"), (8, "bob"), (9, "carol")))

    def commands(event: Event) -> list[Command]:
        if isinstance(event, EpochDone) and (event.arm, event.epoch) == ("baseline", 1):
            return [Pause(by=alice), Resume(by=bob, one_epoch=True), SetPatience(patience=9, by=carol)]
        return [Resume()] if isinstance(event, Paused) and event.epoch == 2 else []

    told = [e for e in train(both(FALLING), commands).events if isinstance(e, Paused | Resumed)]
    assert [(type(e), e.by) for e in told] == [
        (Paused, alice),
        (Resumed, bob),
        (Paused, bob),  # after the epoch that he asked for
        (Resumed, Who.here()),
    ]


def test_a_stop_at_once_measures_nothing_more() -> None:
    def commands(event: Event) -> list[Command]:
        return [Stop(at_once=True)] if isinstance(event, StepsDone) and event.epoch == 2 else []

    outcome = train(both(FALLING), commands)
    assert outcome.status == "stopped"
    assert len(outcome.history.arms["baseline"].epochs) == 1
    assert outcome.history.scored is None
    assert outcome.stop("baseline")[1] == 2


def test_patience_turned_on_while_training_counts_what_was_waited() -> None:
    # Best in epoch 3; after epoch 6 three epochs have been waited; patience 4 runs out one epoch later.
    commands = after("regularized", 6, SetPatience(patience=4))
    outcome = train(both(RISING_FROM_3), commands, train={"epochs": 20})
    assert outcome.stop("baseline") == outcome.stop("regularized") == ("early_stopping", 7)
    assert outcome.history.interventions == 1
    assert outcome.history.scored is not None
    assert outcome.history.scored.arms["baseline"].kept == "best"


def test_patience_below_the_present_wait_stops_at_the_next_epoch_s_end() -> None:
    outcome = train(both(RISING_FROM_3), after("regularized", 8, SetPatience(patience=1)), train={"epochs": 20})
    assert outcome.stop("baseline") == ("early_stopping", 9)


def test_patience_turned_off_lets_an_arm_go_on() -> None:
    outcome = train(
        both(RISING_FROM_3),
        after("regularized", 4, SetPatience(arm="regularized", patience=None)),
        train={"epochs": 12},
        regularized={"early_stopping": {"patience": 2}},
    )
    assert outcome.stop("regularized") == ("max_epochs", 12)


def test_min_delta_changes_and_leaves_patience_as_it_is() -> None:
    falling_slowly = [1.0 - 0.01 * epoch for epoch in range(30)]
    commands = after(
        "regularized", 2, SetPatience(arm="baseline", patience=2), SetMinDelta(arm="baseline", min_delta=0.5)
    )
    outcome = train(both(falling_slowly), commands, train={"epochs": 9})
    assert outcome.stop("baseline") == ("early_stopping", 4)
    assert outcome.stop("regularized") == ("max_epochs", 9)


def test_no_change_undoes_another_that_is_on_its_way() -> None:
    """Whatever was asked for before the first answer came, each knob ends at what was asked of it last."""
    commands = after(
        "regularized",
        1,
        SetPatience(patience=9),
        SetMinDelta(min_delta=0.1),
        SetPatience(arm="baseline", patience=8),
        SetStrength(arm="regularized", key="dropout.rate", value=0.2),
        SetMinDelta(arm="regularized", min_delta=0.2),
        SetStrength(arm="baseline", key="dropout.rate", value=0.3),
    )
    preset: dict[str, dict[str, Any]] = {"baseline": {"dropout": {}}, "regularized": {"dropout": {}}}
    outcome = train(both(FALLING), commands, **preset)
    arms = Applied.of(small_preset(**preset), outcome.history).arms
    assert {name: (arm.patience, arm.min_delta) for name, arm in arms.items()} == {
        "baseline": (8, 0.1),
        "regularized": (9, 0.2),
    }
    assert {name: arm.strengths["dropout.rate"] for name, arm in arms.items()} == {"baseline": 0.3, "regularized": 0.2}


def test_a_change_of_min_delta_alone_is_one_intervention() -> None:
    outcome = train(both(FALLING), after("baseline", 1, SetMinDelta(arm="baseline", min_delta=0.1)))
    assert [(e.command, e.key, e.value) for e in outcome.history.controls] == [("set_min_delta", "min_delta", 0.1)]
    assert outcome.history.interventions == 1


def test_one_command_for_both_arms_is_one_intervention() -> None:
    presses = [SetPatience(patience=9), SetPatience(patience=8), SetPatience(patience=7)]
    assert train(both(FALLING), after("regularized", 1, *presses)).history.interventions == 3
    outcome = train(both(FALLING), after("regularized", 1, SetPatience(patience=9), SetMinDelta(min_delta=0.1)))
    assert len(outcome.history.controls) == 4
    assert outcome.history.interventions == 2
    strengths = [SetStrength(arm="regularized", key="dropout.rate", value=value) for value in (0.2, 0.3)]
    assert train(both(FALLING), after("regularized", 1, *strengths)).history.interventions == 2


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (SetStrength(arm="regularized", key="dropout.rate", value=0.2), ""),
        (SetStrength(arm="regularized", key="l2.strength", value=0.2), "does not run here"),
        (SetStrength(arm="regularized", key="early_stopping.patience", value=2), "set_patience"),
        (SetStrength(arm="nobody", key="dropout.rate", value=0.2), "does not train"),
        (SetPatience(arm="nobody", patience=2), "does not train"),
        (SetMinDelta(arm="nobody", min_delta=2), "does not train"),
        (SetLearningRate(learning_rate=2e-3), ""),
    ],
)
def test_what_is_asked_is_answered_and_only_what_is_applied_counts(command: Command, why: str) -> None:
    outcome = train(both(FALLING), after("regularized", 1, command))
    (answer,) = [e for e in outcome.events if isinstance(e, ControlApplied)]
    assert answer.accepted == (not why)
    assert why in answer.why
    assert (answer.epoch, answer.step) in {(1, STEPS), (2, STEPS)}
    assert outcome.history.interventions == (0 if why else 1)


def test_a_learning_rate_is_that_of_all_arms_that_still_train_in_one_change() -> None:
    rising = [0.1, 0.2, 0.3]
    stopping = {"early_stopping": {"patience": 1}}
    crew = ScriptedCrew({"baseline": FALLING, "first": FALLING, "second": FALLING, "third": rising})
    tables: dict[str, dict[str, Any]] = {
        "arms": {"first": {}, "second": {}, "third": stopping},
        "train": {"epochs": 4},
    }
    outcome = train(crew, after("first", 3, SetLearningRate(learning_rate=2e-3)), **tables)
    assert outcome.stop("third") == ("early_stopping", 2)
    assert crew.called("set_learning_rate") == [("baseline", "first", "second")]
    assert outcome.history.interventions == 1
    preset = small_preset(**tables)
    assert same_experiment(preset, outcome.history, "first")
    reached = small_preset(**{**tables, "arms": {name: {} for name in ("first", "second", "third")}})
    assert not same_experiment(reached, outcome.history, "third"), "it had stopped before"
