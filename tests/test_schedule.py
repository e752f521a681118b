"""The learning rate of each step and clipped gradients: torch's own numbers, in both arms, told in the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from regtui.arm import optimizer
from regtui.engine.crew import LocalCrew
from regtui.engine.run import RunResult, run
from regtui.evidence.diagnosis import describe
from regtui.preset.faults import PresetError
from regtui.preset.schedule import Schedule, words
from regtui.preset.train import TrainTable
from regtui.preset.validation import validate
from regtui.protocol.applied import Applied, present_rate, same_experiment
from regtui.protocol.control import Control, SetLearningRate
from regtui.protocol.events import ControlApplied, EpochDone, Event
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.techniques.l1 import L1
from tests.conftest import small_preset
from tests.test_models import arm

STEPS = 7
"""In an epoch."""


def rates(epochs: int = 5, **train: Any) -> list[float]:
    schedule = Schedule(TrainTable(epochs=epochs, learning_rate=0.5, **train), STEPS)
    return [schedule.rate(step) for step in range(epochs * STEPS)]


def torchs(epochs: int, build: Any) -> list[float]:
    sgd = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule, found = build(sgd), []
    for _ in range(epochs * STEPS):
        found.append(sgd.param_groups[0]["lr"])
        sgd.step()
        schedule.step()
    return found


def test_the_rate_stays_where_nothing_is_said() -> None:
    assert set(rates()) == {0.5}


def test_cosine_and_steps_are_torch_s() -> None:
    schedulers = torch.optim.lr_scheduler
    assert rates(schedule="cosine") == pytest.approx(
        torchs(5, lambda sgd: schedulers.CosineAnnealingLR(sgd, T_max=5 * STEPS))
    )
    steps = rates(schedule="step", step_epochs=2, step_factor=0.3)
    assert steps == pytest.approx(torchs(5, lambda sgd: schedulers.StepLR(sgd, 2 * STEPS, gamma=0.3)))
    assert rates(schedule="step", step_epochs=2)[2 * STEPS] == pytest.approx(0.05)


@pytest.mark.parametrize("warm_up", [{"warmup_epochs": 2}, {"warmup_steps": 14}])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_warm_up_rises_to_the_whole_rate_and_then_the_schedule_begins(warm_up: Any, schedule: Any) -> None:
    found = rates(schedule=schedule, **warm_up)
    assert found[:14] == pytest.approx([0.5 * (step + 1) / 14 for step in range(14)])
    assert found[14:] == pytest.approx(rates(epochs=3, schedule=schedule))


def test_a_warm_up_may_be_longer_than_the_run() -> None:
    assert rates(epochs=1, schedule="cosine", warmup_epochs=3)[-1] == pytest.approx(0.5 / 3)


@pytest.mark.parametrize(
    ("train", "fault"),
    [
        ({"schedule": "step"}, "train.step_epochs: the schedule 'step' needs it"),
        ({"step_epochs": 3}, "train.step_epochs: belongs to the schedule 'step', and train.schedule is 'constant'"),
        ({"schedule": "cosine", "step_factor": 0.5}, "train.step_factor: belongs to the schedule 'step'"),
        ({"warmup_steps": 3, "warmup_epochs": 1}, "train.warmup_steps: train.warmup_epochs is set too"),
        ({"schedule": "cosin"}, "train.schedule: must be 'constant', 'cosine' or 'step', not 'cosin'; did you mean"),
        ({"step_factor": 1.0}, "train.step_factor: must be less than 1, not 1.0"),
        ({"clip_norm": 0.0}, "train.clip_norm: must be greater than 0, not 0.0"),
        ({"clip_norm": float("inf")}, "train.clip_norm: must be a finite number, not inf"),
        ({"warmup_epochs": -1}, "train.warmup_epochs: must be at least 0, not -1"),
    ],
)
def test_a_plan_that_contradicts_itself_is_one_sentence(train: dict[str, Any], fault: str) -> None:
    with pytest.raises(PresetError) as caught:
        validate({"train": train}, "here")
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"here: {fault}")


def test_the_plan_in_words() -> None:
    assert words(TrainTable()) == "0.001"
    plan = TrainTable(schedule="cosine", warmup_epochs=1, clip_norm=1.5)
    assert words(plan) == "0.001 cosine, warm-up 1 epoch, gradients up to norm 1.5"
    assert words(TrainTable(schedule="step", step_epochs=3, warmup_steps=500)) == (
        "0.001 times 0.1 every 3 epochs, warm-up 500 steps"
    )


# In a run


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_a_rate_that_changes_and_clipped_gradients_give_torch_s_weights(kind: Any) -> None:
    train = {
        "optimizer": kind, "learning_rate": 0.01, "weight_decay": 0.1, "schedule": "cosine", "warmup_steps": 3,
        "clip_norm": 0.5,
    }  # fmt: skip
    one, other = arm(small_preset(train=train)), arm(small_preset(train={**train, "clip_norm": None}))
    reference = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[kind](
        other.model.parameters(), lr=1.0, weight_decay=0.1, fused=True
    )
    schedule = Schedule(one.preset.train, one.preset.steps_per_epoch)

    class Torchs:
        squares = ()

        def __init__(self) -> None:
            self.steps = 0

        def zero_grad(self) -> None:
            reference.zero_grad()

        def step(self, _rate: float) -> None:
            nn.utils.clip_grad_norm_(other.model.parameters(), 0.5)
            reference.param_groups[0]["lr"] = schedule.rate(self.steps)
            reference.step()
            self.steps += 1

    other.optimizer = Torchs()  # type: ignore[assignment]
    for each in (one, other):
        each.start_epoch()
    assert one.train_steps(10) == other.train_steps(10)
    theirs = other.model.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in one.model.state_dict().items())


def test_all_gradients_together_are_no_longer_than_the_norm_with_those_of_penalties() -> None:
    one = arm(small_preset(train={"clip_norm": 0.01}, regularized={"l2": {"strength": 10.0}, "batch_norm": {}}))
    one.start_epoch()
    one.train_steps(1)
    norms = [p.grad.norm() for p in one.model.parameters() if p.grad is not None]
    assert len(norms) == 10, "those of the norms too"
    assert float(torch.stack(norms).norm()) == pytest.approx(0.01, rel=1e-3)


def test_l1_s_threshold_is_that_of_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    monkeypatch.setattr(L1, "after_step", lambda _self, _weights, rate: seen.append(rate))
    train = {"learning_rate": 0.1, "schedule": "cosine", "warmup_steps": 4}
    one = arm(small_preset(train=train, regularized={"l1": {"strength": 0.01}}))
    one.start_epoch()
    one.train_steps(10)
    schedule = Schedule(one.preset.train, one.preset.steps_per_epoch)
    assert seen == [schedule.rate(step) for step in range(10)]


@pytest.mark.parametrize("chunks", [[10], [3, 3, 4]])
def test_the_plan_goes_on_from_step_to_step_and_epoch_to_epoch(chunks: list[int]) -> None:
    one = arm(small_preset(train={"schedule": "cosine"}))
    schedule = Schedule(one.preset.train, 10)
    for epoch in range(3):
        one.start_epoch()
        for count in chunks:
            one.train_steps(count)
        assert one.measure().learning_rate == schedule.rate(10 * epoch + 9)


def test_both_arms_follow_the_plan_and_the_log_tells_each_epoch_s_rate(tmp_path: Path) -> None:
    preset = small_preset(train={"schedule": "step", "step_epochs": 1, "step_factor": 0.5, "clip_norm": 1.0})
    result = run(preset, tmp_path, Control(), lambda _: None, LocalCrew())
    told = [event for event in read_events(result.folder) if isinstance(event, EpochDone)]
    for name in ("baseline", "regularized"):
        assert [e.learning_rate for e in told if e.arm == name] == pytest.approx([1e-3, 5e-4, 2.5e-4])


def test_the_optimizers_have_no_rate_of_their_own() -> None:
    for kind in ("adam", "adamw", "sgd"):
        parameters = [nn.Parameter(torch.ones(3))]
        made = optimizer.build(TrainTable(optimizer=kind, learning_rate=5.0), parameters)
        parameters[0].grad = torch.ones(3)
        made.step(0.0)
        assert torch.equal(parameters[0], torch.ones(3))


def test_a_saved_state_goes_on_with_the_plan_where_it_stood() -> None:
    preset = small_preset(train={"schedule": "cosine", "warmup_steps": 3}, regularized={"label_smoothing": {}})
    one, other = arm(preset), arm(preset)
    one.start_epoch()
    one.train_steps(6)
    other.load_state(one.state())
    assert other.train_steps(4) == one.train_steps(4)
    for each in (one, other):
        each.start_epoch()
    assert other.train_steps(10) == one.train_steps(10)
    assert other.measure().learning_rate == one.measure().learning_rate == Schedule(preset.train, 10).rate(19)


PLANS: dict[str, dict[str, Any]] = {
    "constant": {},
    "cosine": {"schedule": "cosine", "warmup_steps": 3},
    "step, by SGD": {"schedule": "step", "step_epochs": 1, "optimizer": "sgd"},
}


@pytest.mark.parametrize("name", PLANS)
def test_a_rate_set_before_the_first_step_is_to_the_last_bit_that_of_a_preset(name: str, tmp_path: Path) -> None:
    asked, other = small_preset(train=PLANS[name]), small_preset(train={**PLANS[name], "learning_rate": 0.02})
    control = Control()
    control.send(SetLearningRate(learning_rate=0.02))
    steered = run(asked, tmp_path, control, lambda _: None, LocalCrew())
    planned = run(other, tmp_path, Control(), lambda _: None, LocalCrew())
    assert told(steered) == told(planned)
    assert (steered.summary.interventions, planned.summary.interventions) == (1, 0)


def test_a_rate_set_in_between_is_that_of_both_arms_from_the_next_step_on(tmp_path: Path) -> None:
    control = Control()

    def emit(event: Event) -> None:
        if isinstance(event, EpochDone) and (event.arm, event.epoch) == ("regularized", 1):
            control.send(SetLearningRate(learning_rate=5e-4))

    preset = small_preset(train={"epochs": 3})
    before = told(run(preset, tmp_path, Control(), lambda _: None, LocalCrew()))
    steered = run(preset, tmp_path, control, emit, LocalCrew())
    after = told(steered)
    for each in ("baseline", "regularized"):
        assert [rate for name, _, rate, _ in after if name == each] == [1e-3, 5e-4, 5e-4], "the pair stays matched"
    assert after[:2] == before[:2], "what was trained before is as it was"
    assert after[2:] != before[2:]
    (answer,) = [event for event in read_events(steered.folder) if isinstance(event, ControlApplied)]
    facts = (answer.command, answer.arm, answer.key, answer.value, answer.accepted, answer.epoch)
    assert facts == ("set_learning_rate", None, "learning_rate", 5e-4, True, 1)
    history = History.of(read_events(steered.folder))
    assert Applied.of(preset, history).base_rate == present_rate(preset, history) == 5e-4
    assert present_rate(preset, history.at(1)) == 1e-3
    assert same_experiment(small_preset(train={"epochs": 3}, regularized={}), history, "regularized"), (
        "both arms had it"
    )
    assert "Learning rate of both arms was set to 0.0005 in epoch 1" in describe(history, 3)


def told(result: RunResult) -> list[tuple[str, Any, float | None, str]]:
    epochs = [event for event in read_events(result.folder) if isinstance(event, EpochDone)]
    return [(e.arm, (e.train_loss, e.val_loss, e.val_metric), e.learning_rate, e.order) for e in epochs]


def test_a_changed_rate_goes_on_from_a_saved_state_and_states_without_one_are_read() -> None:
    preset = small_preset(train={"schedule": "cosine", "warmup_steps": 3})
    one, other, old = arm(preset), arm(preset), arm(preset)
    one.start_epoch()
    state = one.state()
    state.facts.pop("base_rate")
    old.load_state(state)
    one.train_steps(4)
    one.set_learning_rate(0.03)
    other.load_state(one.state())
    assert other.train_steps(6) == one.train_steps(6)
    plan = Schedule(preset.train, 10, 0.03)
    assert other.measure().learning_rate == one.measure().learning_rate == plan.rate(9)
    old.train_steps(1)
    assert old.measure().learning_rate == Schedule(preset.train, 10).rate(0)
