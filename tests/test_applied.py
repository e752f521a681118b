"""What is shown as applied is what the trainer has: each figure is checked against the rule that decides."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from regtui.engine.trainer import Trainer
from regtui.preset.model import Preset
from regtui.protocol.applied import (
    Applied,
    kept_epoch,
    label_with_changes,
    reference,
    steered_arms,
    stop_epoch_if_nothing_improves,
    stops_now,
    value_to_beat,
    wait,
)
from regtui.protocol.control import Control, SetMinDelta, SetPatience, SetStrength
from regtui.protocol.history import History
from regtui.techniques.dropout import Dropout
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew
from tests.telling import Telling


def stopping(epochs: int = 20, **knobs: Any) -> Preset:
    return small_preset(train={"epochs": epochs}, regularized={"early_stopping": knobs})


def test_before_any_command_the_preset_is_applied() -> None:
    preset = small_preset(
        regularized={"dropout": {"rate": 0.3}, "l2": {}, "early_stopping": {"patience": 4, "monitor": "val_accuracy"}}
    )
    applied = Applied.of(preset, History())
    baseline, regularized = applied.arms["baseline"], applied.arms["regularized"]
    assert (baseline.patience, baseline.restore_best, dict(baseline.strengths)) == (None, False, {})
    assert (regularized.patience, regularized.monitor, regularized.restore_best) == (4, "val_accuracy", True)
    assert dict(regularized.strengths) == {"l2.strength": 1e-4, "dropout.rate": 0.3}


def test_accepted_commands_change_it_and_refused_ones_do_not() -> None:
    told = Telling(small_preset()).start()
    told.control("baseline", "patience", 3).control("baseline", "min_delta", 0.01)
    told.control("regularized", "dropout.rate", 0.2).control("regularized", "dropout.rate", 7.0, why="too large")
    told.control("regularized", "patience", 9, why="it does not train").control(None, None, None)
    applied = Applied.of(told.preset, told.history)
    assert applied.arms["baseline"].patience == 3
    assert applied.arms["baseline"].min_delta == 0.01
    assert applied.arms["regularized"].patience is None
    assert dict(applied.arms["regularized"].strengths) == {"dropout.rate": 0.2}


def test_the_label_of_an_arm_tells_what_was_changed_and_when() -> None:
    preset = small_preset(
        train={"epochs": 12},
        regularized={"l2": {}, "dropout": {"rate": 0.5, "input_rate": 0.2}, "early_stopping": {"patience": 4}},
    )
    told = Telling(preset).start()

    def label(arm: str = "regularized") -> str:
        return label_with_changes(preset, told.history, arm)

    assert label() == "L2 0.0001 + dropout 0.5 (input 0.2) + early stopping 4"
    assert label("baseline") == ""
    told.control("regularized", "dropout.rate", 0.9, why="it has stopped", epoch=2)
    told.control("regularized", "dropout.rate", 0.6, epoch=7)
    assert label() == "L2 0.0001 + dropout 0.5 → 0.6 (input 0.2) at epoch 7 + early stopping 4"
    told.control("regularized", "dropout.rate", 0.5, epoch=8).control("baseline", "patience", 3, epoch=8)
    assert "dropout 0.5 → 0.6 → 0.5 (input 0.2) at epoch 8" in label()
    told.control("regularized", "dropout.rate", 0.1, epoch=9).control("regularized", "patience", None, epoch=9)
    assert "dropout 0.5 → … → 0.1 (input 0.2) at epoch 9 + early stopping 4 → off at epoch 9" in label()
    assert label("baseline") == "early stopping off → 3 at epoch 8"
    assert preset.regularized.dropout is not None
    assert preset.regularized.dropout.rate == 0.5


def test_turning_patience_off_and_on_decides_what_is_kept_as_the_trainer_does() -> None:
    for preset in (small_preset(), stopping(restore_best=False), stopping(restore_best=True)):
        told = Telling(preset).start()
        for patience in (2, None, 3):
            told.control("regularized", "patience", patience)
            applied = Applied.of(preset, told.history).arms["regularized"]
            assert applied.patience == patience
            own = preset.regularized.early_stopping
            assert applied.restore_best == (patience is not None if own is None else own.restore_best)


def test_the_trainer_s_own_answers_fold_to_its_own_rules(tmp_path: Any) -> None:
    preset = small_preset(train={"epochs": 4})
    control, history = Control(), History()
    for command in (
        SetPatience(patience=3),
        SetMinDelta(min_delta=0.5),
        SetPatience(arm="baseline", patience=None),
        SetStrength(arm="regularized", key="dropout.rate", value=0.1),
        SetStrength(arm="regularized", key="l2.strength", value=0.1),
    ):
        control.send(command)
    crew = ScriptedCrew({"baseline": [4, 3, 2, 1], "regularized": [1, 0.9, 2, 2]})
    trainer = Trainer(preset, crew, control, history.add, lambda: tmp_path)
    trainer.run()
    applied = Applied.of(preset, history)
    for name, settings in applied.arms.items():
        progress = trainer.progress.arms[name]
        assert (settings.patience, settings.min_delta) == (progress.rule.patience, progress.rule.min_delta)
        assert settings.restore_best == progress.restore_best
        assert wait(history.arms[name]) == progress.rule.wait
        assert reference(history.arms[name], settings) == progress.rule.reference
        assert kept_epoch(history.arms[name], settings) == progress.kept_epoch
    assert dict(applied.arms["regularized"].strengths) == {"dropout.rate": 0.1}


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
@pytest.mark.parametrize("seed", range(20))
def test_the_value_to_beat_and_the_epoch_it_would_stop_at_are_the_rule_s(monitor: str, seed: int) -> None:
    """Random runs with patience and min_delta changed on the way: what is foretold is what the rule then does."""
    rng = random.Random(seed)
    preset = stopping(
        epochs=40, patience=rng.randint(1, 6), min_delta=rng.choice([0.0, 0.1]), warmup=rng.choice([0, 2]),
        monitor=monitor,
    )  # fmt: skip
    told = Telling(preset).start()
    arm, rule = told.history.arms["regularized"], told.rules["regularized"]
    for _ in range(12):
        value = round(rng.uniform(0, 1), 1)
        told.epoch("regularized", rng.choice([value, value, None]) if monitor == "val_loss" else 1, accuracy=value)
        if rng.random() < 0.3:
            told.control("regularized", "patience", rng.randint(1, 6))
        if rng.random() < 0.3:
            told.control("regularized", "min_delta", rng.choice([0.0, 0.05, 0.2]))
        settings = Applied.of(preset, told.history).arms["regularized"]
        assert wait(arm) == rule.wait
        assert kept_epoch(arm, settings) == rule.best_epoch or rule.best_epoch is None
        to_beat = value_to_beat(arm, settings)
        if to_beat is not None:
            sign = 1 if monitor == "val_loss" else -1
            for by, improves in ((-1e-6, True), (1e-6, False)):
                then = replace(rule)
                new = to_beat + sign * by
                assert then.update(99, val_loss=new, val_metric=new) is improves
        foretold = stop_epoch_if_nothing_improves(arm, settings, preset.train.epochs)
        assert foretold == stop_when_nothing_improves(rule, len(arm.epochs), preset.train.epochs)
        assert (stops_now(preset, told.history, settings.patience or 1, None) == ["regularized"]) == rule.should_stop


def stop_when_nothing_improves(rule: Any, epoch: int, planned: int) -> int | None:
    """Where the rule itself stops; without a best yet, the first epoch that counts is one whatever it is."""
    then = replace(rule)
    while epoch < planned:
        epoch += 1
        then.update(epoch, val_loss=1e9, val_metric=-1e9)
        if then.should_stop:
            return epoch
    return None


def test_no_epoch_is_foretold_without_patience_after_the_end_or_beyond_the_plan() -> None:
    preset = stopping(epochs=5, patience=3)
    told = Telling(preset).start()
    told.epochs([], [0.5, 0.6])
    arm = told.history.arms["regularized"]
    settings = Applied.of(preset, told.history).arms["regularized"]
    assert stop_epoch_if_nothing_improves(arm, settings, 5) == 4
    assert stop_epoch_if_nothing_improves(arm, settings, 3) is None
    assert stop_epoch_if_nothing_improves(arm, replace(settings, patience=None), 5) is None
    told.stop("regularized", "stopped")
    assert stop_epoch_if_nothing_improves(arm, settings, 5) is None


def test_a_patience_at_or_below_the_wait_stops_now_and_only_arms_that_still_train() -> None:
    told = Telling(small_preset(train={"epochs": 9})).start()
    told.epochs([0.5, 0.6, 0.7, 0.8], [0.5, 0.6, 0.4, 0.5])  # waited 3 and 1
    assert stops_now(told.preset, told.history, 4, None) == []
    assert stops_now(told.preset, told.history, 3, None) == ["baseline"]
    assert stops_now(told.preset, told.history, 1, None) == ["baseline", "regularized"]
    assert stops_now(told.preset, told.history, 1, "regularized") == ["regularized"]
    told.stop("baseline", "early_stopping")
    assert stops_now(told.preset, told.history, 1, None) == ["regularized"]
    told.epoch("regularized", 0.1)
    assert stops_now(told.preset, told.history, 1, None) == []


def test_patience_is_that_of_the_arms_that_have_it_or_of_all() -> None:
    both: dict[str, Any] = {"early_stopping": {}}
    assert steered_arms(small_preset()) == ["baseline", "regularized"]
    assert steered_arms(stopping()) == ["regularized"]
    assert steered_arms(small_preset(baseline=both)) == ["baseline"]
    assert steered_arms(small_preset(baseline=both, regularized=both)) == ["baseline", "regularized"]
    assert stops_now(stopping(), Telling(stopping()).start().epochs([1, 2, 3], [3, 2, 1]).history, 1, None) == []


def test_dropout_has_only_the_knobs_that_act_on_something() -> None:
    sites = small_preset().sites
    assert Dropout(rate=0.5).steered(sites) == ["rate"]
    assert Dropout(rate=0.0, input_rate=0.2).steered(sites) == ["rate", "input_rate"]
    assert Dropout(after=[], input_rate=0.2).steered(sites) == ["input_rate"]
    assert Dropout(input_rate=0.2).steered(small_preset(model={"hidden": []}, regularized={}).sites) == ["input_rate"]
