"""History is the one fold of events: what is read back from a log is what was lived."""

from __future__ import annotations

import copy
import math
from itertools import combinations
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from regtui.engine.crew import LocalCrew
from regtui.engine.run import run
from regtui.evidence.diagnosis import describe
from regtui.evidence.from_history import judge_run
from regtui.evidence.lines import verdict_lines
from regtui.protocol.control import Control, SetMinDelta, SetPatience, SetStrength
from regtui.protocol.events import (
    HUGE,
    ArmInfo,
    ArmStopped,
    ControlApplied,
    EpochDone,
    Event,
    LayerWeights,
    Paused,
    Resumed,
    RunFinished,
    RunStarted,
    Scored,
    StepsDone,
    Suspended,
    parse,
)
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.tasks.comparison import ErrorDifference, RightWrong
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew
from tests.telling import CLASSIFICATION, Telling


def started() -> RunStarted:
    info = ArmInfo(techniques="no technique", is_plain=True, parameters=1, initial_weights="a", tensors=2)
    return RunStarted(
        t=0, preset="p", title="", dataset="MNIST", sizes={}, layers=[784, 10], task=CLASSIFICATION,
        epochs=4, steps_per_epoch=3,
        batch_size=1, seed=0, device="cpu", arms={"baseline": info, "regularized": info}, shared_tensors=2,
    )  # fmt: skip


def test_a_history_read_back_from_the_log_equals_the_live_one(tmp_path: Path) -> None:
    live = History()
    control = Control()

    def emit(event: Event) -> None:
        live.add(event)
        if event.kind == "epoch_done" and event.arm == "regularized" and event.epoch == 1:
            control.send(SetStrength(arm="regularized", key="dropout.rate", value=0.25))
            control.send(SetPatience(arm="baseline", patience=1))
            control.send(SetMinDelta(arm="baseline", min_delta=10.0))

    preset = small_preset(train={"epochs": 4}, regularized={"dropout": {}, "l1": {}})
    result = run(preset, tmp_path, control, emit, LocalCrew())
    assert History.of(read_events(result.folder)) == live
    assert result.history == live
    assert live.interventions == 3
    assert live.arms["baseline"].stopped is not None
    assert live.arms["baseline"].stopped.reason == "early_stopping"


def test_a_diverged_history_reads_back_equal_too(tmp_path: Path) -> None:
    live = History()
    preset = small_preset(train={"optimizer": "sgd", "learning_rate": 1e6})
    result = run(preset, tmp_path, Control(), live.add, LocalCrew())
    assert History.of(read_events(result.folder)) == live
    assert result.summary.status == "diverged"
    assert live.arms["baseline"].step_losses.broken is not None


def epoch_done(
    arm: str = "baseline", epoch: int = 1, train: float = 0.25, val: float = 0.75, norms: tuple[float, ...] = (3.0, 4.0)
) -> EpochDone:
    weights = {f"{i}": LayerWeights(norm=norm, zeros=i, size=2) for i, norm in enumerate(norms)}
    return EpochDone(
        t=1, arm=arm, epoch=epoch, train_loss=train, val_loss=val, train_metrics={"accuracy": 1},
        val_metrics={"accuracy": 1}, penalties={},
        weights=weights, order="o", seconds=1, best=True, wait=0,
    )  # fmt: skip


def test_a_stop_ends_a_pause() -> None:
    telling = Telling(small_preset()).start().pause()
    assert telling.history.paused
    telling.history.add(
        ControlApplied(t=1, command="stop", arm=None, key=None, value=None, accepted=True, why="", epoch=1, step=1)
    )
    assert not telling.history.paused


def test_a_run_stopped_at_once_is_judged_by_the_epochs_that_were_measured() -> None:
    telling = Telling(small_preset(baseline={"l2": {"strength": 0.5}})).start().epochs([0.5, 0.4], [0.5, 0.4])
    for arm in ("baseline", "regularized"):
        telling.history.add(
            ArmStopped(t=1, arm=arm, reason="stopped", epoch=3, step=25, best_epoch=2, best_val_loss=0.4)
        )
    verdicts = judge_run(telling.finish("stopped").history, telling.preset)
    verdict = verdicts["regularized"]
    assert (verdict.baseline.epochs, verdict.baseline.kept_epoch) == (2, None)
    assert "Stopped by hand after 2 of 3 epochs." in " ".join(" ".join(verdict_lines(verdicts)).split())


def test_an_arm_that_was_steered_is_named_with_what_was_changed() -> None:
    telling = Telling(small_preset(train={"epochs": 9})).start().epochs([0.5], [0.5])
    telling.control("regularized", "dropout.rate", 0.6, epoch=7)
    verdict = judge_run(telling.finish().history, telling.preset)["regularized"]
    assert verdict.arm.label.startswith("dropout 0.5 → 0.6 at epoch 7")
    assert verdict.changes == (
        "dropout\N{NO-BREAK SPACE}0.5\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}0.6 at epoch\N{NO-BREAK SPACE}7",
    )


@pytest.mark.parametrize(("techniques", "label"), [("no technique", "baseline"), ("L2 0.5", "L2 0.5")])
def test_a_baseline_with_techniques_is_named_by_them(techniques: str, label: str) -> None:
    telling = Telling(small_preset()).start().epochs([0.5], [0.5]).finish()
    arm = telling.history.arms["baseline"]
    arm.info = arm.info.model_copy(update={"techniques": techniques, "is_plain": techniques == "no technique"})
    assert judge_run(telling.history, telling.preset)["regularized"].baseline.label == label


@pytest.mark.parametrize(("techniques", "plain"), [("no technique", True), ("L2 0.5", False)])
def test_a_log_of_before_says_in_words_alone_whether_an_arm_has_techniques(techniques: str, plain: bool) -> None:
    told = {"techniques": techniques, "parameters": 1, "initial_weights": "a", "tensors": 2}
    assert ArmInfo.model_validate(told).is_plain == plain
    assert not ArmInfo.model_validate(told | {"is_plain": False}).is_plain


def test_what_an_epochs_numbers_come_to() -> None:
    assert epoch_done().gap == 0.5
    assert epoch_done().weight_norm == 5.0
    assert epoch_done().zero_weights == 0.25
    assert epoch_done(norms=()).zero_weights == 0.0
    assert epoch_done(train=math.nan).gap is None
    assert epoch_done(val=math.inf).gap is None
    assert epoch_done(norms=(3.0, math.nan)).weight_norm is None


def test_the_arms_differ_in_the_epochs_in_which_both_have_a_finite_loss() -> None:
    history = History.of([started()])
    for arm, losses in {"baseline": [0.5, math.nan, 0.5, 0.5], "regularized": [0.25, 0.25, 0.75]}.items():
        for epoch, loss in enumerate(losses, start=1):
            history.add(epoch_done(arm, epoch, val=loss))
    assert history.differences("regularized") == {1: -0.25, 3: 0.25}
    assert History().differences("regularized") == {}


def test_numbers_that_are_not_finite_are_null_in_json() -> None:
    event = StepsDone(t=0, arm="baseline", epoch=1, first_step=1, losses=[1.0, math.nan, -math.inf], finite=False)
    line = event.model_dump_json()
    assert '"losses":[1.0,null,null]' in line
    assert '"finite":false' in line
    assert parse(line) == event


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", "null", '"nan"', '"inf"'])
def test_numbers_that_are_not_finite_are_none_however_a_log_writes_them(text: str) -> None:
    line = (
        f'{{"t":0,"kind":"steps_done","arm":"baseline","epoch":1,"first_step":1,"losses":[0.5,{text}],"finite":false}}'
    )
    event = parse(line)
    assert isinstance(event, StepsDone)
    assert event.losses == [0.5, None]
    layer = TypeAdapter(LayerWeights).validate_json(f'{{"norm":{text},"zeros":0,"size":1}}')
    assert layer.norm is None


@pytest.mark.parametrize("loss", ['"low"', "[1]", "{}", "true0", '"\\u0000"'])
def test_a_loss_that_is_no_number_makes_its_line_no_event(loss: str) -> None:
    with pytest.raises(ValidationError):
        parse(f'{{"t":0,"kind":"steps_done","arm":"baseline","epoch":1,"first_step":1,"losses":[0.5,{loss}]}}')


def test_a_loss_too_large_to_reckon_with_counts_as_infinite() -> None:
    losses: list[float | None] = [HUGE, -HUGE, 2 * HUGE, -1e308]
    event = StepsDone(t=0, arm="baseline", epoch=1, first_step=1, losses=losses)
    assert event.losses == [HUGE, -HUGE, None, None]


def test_losses_survive_the_log_to_the_last_bit() -> None:
    losses: list[float | None] = [0.1 + 0.2, 1e-300, 2 / 3, 5e-324]
    event = StepsDone(t=0, arm="baseline", epoch=1, first_step=1, losses=losses)
    again = parse(event.model_dump_json())
    assert isinstance(again, StepsDone)
    assert again.losses == losses


def test_unknown_fields_of_a_later_version_are_passed_over() -> None:
    assert parse('{"kind": "paused", "t": 1, "epoch": 1, "step": 2, "mood": "fine"}').t == 1


# A damaged log


NEXT: dict[str, Event] = {
    "steps": StepsDone(t=2, arm="baseline", epoch=3, first_step=21, losses=[0.5]),
    "epoch": epoch_done("baseline", 3),
    "stopped": ArmStopped(t=2, arm="baseline", reason="stopped", epoch=2, step=20, best_epoch=1, best_val_loss=0.5),
    "control": ControlApplied(
        t=2, command="set_strength", arm="regularized", key="dropout.rate", value=0.1, accepted=True, epoch=2, step=20
    ),
    "scored": Scored(t=2, arms={}, comparisons={"regularized": RightWrong(1, 0, 0, 0)}),
    "finished": RunFinished(t=2, status="finished"),
}
"""What may follow two epochs of three."""


@pytest.fixture
def two_epochs() -> History:
    return Telling(small_preset()).start().epochs([0.5, 0.4], [0.6, 0.3]).history


@pytest.mark.parametrize("kind", NEXT)
def test_what_comes_next_is_taken_in(two_epochs: History, kind: str) -> None:
    assert two_epochs.add(NEXT[kind])
    assert two_epochs.seconds == NEXT[kind].t


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("steps", "arm", "../../evil"),
        ("steps", "first_step", 20),
        ("steps", "first_step", 31),
        ("epoch", "arm", "../../evil"),
        ("epoch", "epoch", 2),
        ("epoch", "epoch", 10**400),
        ("epoch", "seconds", math.nan),
        ("epoch", "val_metrics", {"accuracy": 1.5}),
        ("epoch", "wait", -1),
        ("epoch", "weights", {"output": LayerWeights(norm=1.0, zeros=10**400, size=2)}),
        ("stopped", "arm", "../../evil"),
        ("stopped", "epoch", 4),
        ("control", "arm", "../../evil"),
        ("control", "epoch", 4),
        ("control", "value", None),
        ("control", "value", 10**400),
        ("scored", "comparisons", {"regularized": RightWrong(1, -1, 0, 0)}),
        ("scored", "comparisons", {"regularized": RightWrong(0, 0, 0, 0)}),
        ("scored", "comparisons", {"regularized": RightWrong(10**400, 0, 0, 0)}),
        ("scored", "comparisons", {"regularized": ErrorDifference(10, 0.5, 0.1, 1.0)}),
        ("scored", "comparisons", {"baseline": RightWrong(1, 0, 0, 0)}),
        ("scored", "comparisons", {"evil": RightWrong(1, 0, 0, 0)}),
        ("finished", "t", math.inf),
    ],
)
def test_what_can_t_be_true_is_passed_over(two_epochs: History, kind: str, field: str, value: object) -> None:
    before = copy.deepcopy(two_epochs)
    assert not two_epochs.add(NEXT[kind].model_copy(update={field: value}))
    assert two_epochs == before


INFO = ArmInfo(techniques="", parameters=1, initial_weights="a", tensors=2)
OTHERS = [
    {"arms": dict.fromkeys(names, INFO)}
    for names in (
        ["baseline"], ["regularized", "baseline"], ["a", "b"], ["baseline", "../evil"], ["baseline", "A b"],
        ["baseline", "a", "A"], ["baseline", "x\n"],
        ["baseline", *(f"a{number}" for number in range(17))],
    )
]  # fmt: skip


@pytest.mark.parametrize("changes", [{"epochs": 0}, {"steps_per_epoch": 10**400}, {"arms": {}}, *OTHERS])
def test_a_start_that_can_t_be_true_is_passed_over(changes: dict[str, object]) -> None:
    history = History()
    assert not history.add(started().model_copy(update=changes))
    assert not any(history.add(event) for event in NEXT.values() if not isinstance(event, RunFinished))
    assert history == History()


def test_lines_that_are_lost_or_in_the_wrong_order_crash_nothing(tmp_path: Path) -> None:
    crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.4]})
    events = list(read_events(run(small_preset(), tmp_path, Control(), lambda _: None, crew).folder))
    for i, j in combinations(range(len(events)), 2):
        swapped = list(events)
        swapped[i], swapped[j] = swapped[j], swapped[i]
        for told in (swapped, [*events[:i], *events[j:]], [*events[:j], *events[i:]]):
            history = History.of(told)
            for arm in history.arms.values():
                numbers = [epoch.epoch for epoch in arm.epochs]
                assert numbers == sorted(set(numbers))
            describe(history, 3)
            if history.started is not None and history.finished is not None:
                verdict_lines(judge_run(history, small_preset()))


def test_the_pair_is_judged_by_the_epochs_that_both_arms_tell() -> None:
    def told(**orders: dict[int, str]) -> History:
        events: list[Event] = [started()]
        for arm, of_arm in orders.items():
            events += [epoch_done(arm, epoch).model_copy(update={"order": order}) for epoch, order in of_arm.items()]
        return History.of(events)

    whole = told(baseline={1: "a", 2: "b"}, regularized={1: "a", 2: "b"})
    assert (whole.order_hashes, whole.unpaired_because) == (["a", "b"], "")
    lost = told(baseline={2: "b"}, regularized={1: "a", 2: "b"})
    assert (lost.order_hashes, lost.unpaired_because) == (["a", "b"], "")
    other = told(baseline={1: "a", 2: "b"}, regularized={1: "a", 2: "c"})
    assert (other.order_hashes, other.unpaired_because) == (["a"], "the arms saw different batches in epoch 2")


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"initial_weights": "b"}, "the arms started from different weights"),
        ({"data": "b"}, "the arms have different data"),
        ({"split": {"training": "b", "validation": "v", "test": "t"}}, "the arms have different training images"),
        ({"split": {"training": "a", "validation": "b", "test": "t"}}, "the arms have different validation images"),
        ({"split": {"training": "a", "validation": "v"}}, "the arms have different test images"),
    ],
)
def test_what_sets_the_arms_apart_is_named(changes: dict[str, object], because: str) -> None:
    start = started()
    split = {"training": "a", "validation": "v", "test": "t"}
    arm = start.arms["baseline"].model_copy(update={"data": "a", "split": split})
    paired = start.model_copy(update={"arms": {"baseline": arm, "regularized": arm}})
    assert History.of([paired]).unpaired_because == ""
    arms = {"baseline": arm, "regularized": arm.model_copy(update=changes)}
    assert History.of([start.model_copy(update={"arms": arms})]).unpaired_because == because


# Clocks


def test_pauses_and_suspensions_are_no_time_of_the_run() -> None:
    history = Telling(small_preset()).start().history
    info = {"epoch": 1, "step": 5}

    def at(event: Event) -> tuple[float, float]:
        assert history.add(event)
        return history.going_seconds, history.stood_still

    assert at(Paused(t=10, **info)) == (10, 0)
    answer = ControlApplied(
        t=70, command="set_patience", arm="baseline", key="patience", value=3, accepted=True, **info
    )
    assert at(answer) == (10, 60), "a change during the pause does not move the clock"
    assert at(Suspended(t=80, seconds=5)) == (10, 70), "a suspension within a pause is part of it"
    assert at(Resumed(t=100, **info)) == (10, 90)
    assert at(Suspended(t=150, seconds=30)) == (30, 120)
    assert at(Paused(t=160, **info)) == (40, 120)
    stop = ControlApplied(t=170, command="stop", accepted=True, **info)
    assert at(stop) == (40, 130), "a stop ends the pause"
    assert at(RunFinished(t=175, status="stopped", train_seconds=38)) == (45, 130)
    assert history.seconds == 175, "what a run took in all is kept as well"
