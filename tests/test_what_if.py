from __future__ import annotations

import math
import random
from typing import Any

import pytest

from regtui.evidence.what_if import MAX_PATIENCE, WhatIf, what_if
from regtui.preset.model import Preset
from regtui.protocol.history import ArmHistory
from regtui.techniques.early_stopping import EarlyStopping
from tests.conftest import small_preset
from tests.telling import Telling


def told(losses: list[float | None], preset: Preset | None = None, **last: Any) -> ArmHistory:
    """A baseline with these validation losses; `last` describes its last epoch."""
    telling = Telling(preset or small_preset(train={"epochs": max(1, len(losses))})).start()
    for loss in losses[:-1]:
        telling.epoch("baseline", loss)
    for loss in losses[-1:]:
        telling.epoch("baseline", loss, **last)
    return telling.history.arms["baseline"]


def stops(table: WhatIf) -> dict[int, tuple[int | None, int | None]]:
    return {outcome.patience: (outcome.stops_at, outcome.keeps) for outcome in table.outcomes}


def test_each_patience_stops_where_its_own_rule_would() -> None:
    values = random.Random(0)
    for _ in range(30):
        losses = [values.choice([None, *([round(values.random(), 2)] * 9)]) for _ in range(values.randrange(1, 80))]
        stopping = EarlyStopping(min_delta=values.choice([0.0, 0.05]), warmup=values.choice([0, 3]))
        arm = told(losses)
        for outcome in what_if(arm, stopping, 80).outcomes:
            rule = stopping.model_copy(update={"patience": outcome.patience}).stopping_rule()
            ended = None
            for epoch in arm.epochs:
                loss = math.nan if epoch.val_loss is None else epoch.val_loss
                rule.update(epoch.epoch, val_loss=loss, val_metric=epoch.val_metric or 0.0)
                if rule.should_stop:
                    ended = epoch.epoch
                    break
            assert (outcome.stops_at, outcome.keeps) == (ended, rule.best_epoch)
            assert outcome.saved == (0 if ended is None else len(losses) - ended)
            assert outcome.cost is None or outcome.cost >= 0


def test_cost_is_measured_against_the_best_epoch_that_was_run() -> None:
    table = what_if(told([0.5, 0.4, 0.45, 0.46, 0.3, 0.35]), None, 6)
    first, second, third = table.outcomes[:3]
    assert (first.stops_at, first.keeps, first.val_loss, first.saved) == (3, 2, 0.4, 3)
    assert first.cost == pytest.approx(0.1)
    assert (second.stops_at, second.keeps) == (4, 2)
    assert (third.stops_at, third.keeps, third.cost) == (None, 5, 0)
    assert len(table.outcomes) == MAX_PATIENCE
    assert table.best_epoch == 5


def test_a_lead_below_min_delta_does_not_count_for_patience_and_is_kept_all_the_same() -> None:
    table = what_if(told([0.5, 0.48, 0.46, 0.47]), EarlyStopping(min_delta=0.1), 4)
    assert [stops(table)[patience] for patience in (1, 2, 3, 4)] == [(2, 2), (3, 3), (4, 3), (None, 3)]
    assert table.outcomes[0].cost == pytest.approx(0.02)
    assert table.outcomes[1].cost == 0


def test_without_going_back_the_last_epoch_is_what_a_patience_keeps() -> None:
    table = what_if(told([0.5, 0.4, 0.45, 0.46, None]), EarlyStopping(restore_best=False), 5)
    assert [stops(table)[patience] for patience in (1, 2, 3)] == [(3, 3), (4, 4), (None, 5)]
    assert table.outcomes[0].cost == pytest.approx(0.05)
    assert (table.outcomes[2].val_loss, table.outcomes[2].cost) == (None, None)


def test_an_arm_that_ran_to_its_end_is_told_apart_from_one_that_did_not() -> None:
    arm = told([0.5, 0.4, 0.45])
    whole, cut = what_if(arm, None, 3), what_if(arm, None, 10)
    assert stops(whole) == stops(cut)
    assert (whole.complete, cut.complete) == (True, False)
    assert list(whole.remarks()) == []
    assert list(cut.remarks()) == [
        "* would not have stopped within the 3 epochs that were run;",
        "  what the others of the 10 planned would have brought is not known.",
    ]


def test_an_epoch_cut_short_does_not_count() -> None:
    table = what_if(told([0.5, 0.4, 0.1], partial=True), None, 10)
    assert (table.epochs, table.left_out, table.best_epoch) == (2, 3, 2)
    assert (
        list(table.remarks())[-1] == "Epoch 3 was cut short or is missing in the log; it and later ones do not count."
    )


def test_epochs_after_a_missing_one_do_not_count() -> None:
    arm = told([0.5, 0.4, 0.3, 0.2])
    del arm.epochs[1]
    table = what_if(arm, None, 4)
    assert (table.epochs, table.left_out, stops(table)[1]) == (1, 2, (None, 1))


def test_accuracy_as_the_monitor() -> None:
    early_stopping = {"monitor": "val_accuracy"}
    telling = Telling(small_preset(train={"epochs": 4}, baseline={"early_stopping": early_stopping})).start()
    for accuracy in (0.8, 0.9, 0.85, 0.95):
        telling.epoch("baseline", None, accuracy=accuracy)
    table = what_if(telling.history.arms["baseline"], telling.preset.baseline.early_stopping, 4)
    assert stops(table)[1] == (3, 2)
    assert [table.cost(outcome) for outcome in table.outcomes[:2]] == ["−5.00 points", "best"]
    assert stops(table)[2] == (None, 4)


@pytest.mark.parametrize(
    ("losses", "stopping", "words"),
    [
        ([], None, "No whole epoch was run"),
        ([None, None], None, "None of the 2 epochs counts"),
        ([0.5, 0.4], EarlyStopping(warmup=5), "None of the 2 epochs counts"),
    ],
)
def test_nothing_to_judge_is_said(losses: list[float | None], stopping: EarlyStopping | None, words: str) -> None:
    table = what_if(told(losses), stopping, 10)
    assert table.takeaway().startswith(words)
    assert set(stops(table).values()) == {(None, None)}


@pytest.mark.parametrize(
    ("losses", "planned", "words"),
    [
        (
            [0.5, 0.4, 0.45, 0.3, 0.35, 0.36, 0.37],
            7,
            "Patience 2 would have kept epoch 4, the best, and saved 1 epoch.",
        ),
        ([0.3, 0.4, 0.5, 0.6], 4, "Patience 1 would have kept epoch 1, the best, and saved 2 epochs."),
        ([0.5, 0.4, 0.41], 3, "Patience 1 would have kept epoch 2, the best, and stopped with the last epoch."),
        (
            [0.5, 0.4, 0.45, 0.46],
            9,
            "Patience 1 would have kept epoch 2, the best of the 4 epochs that were run, and saved 1 epoch.",
        ),
        ([0.5, 0.4, 0.3], 3, "Not even patience 1 would have stopped it within the 3 epochs that were run."),
        (
            [0.5, 0.6, 0.7, 0.4],
            4,
            "Only patience 3 or more would have reached epoch 4, the best; 2 would have stopped at epoch 3.",
        ),
        ([], 4, "No whole epoch was run, so no patience can be judged."),
        ([None, None], 4, "None of the 2 epochs counts: not finite, or within the warmup."),
    ],
)
def test_the_takeaway_says_what_the_shortest_patience_would_have_kept(
    losses: list[float | None], planned: int, words: str
) -> None:
    assert what_if(told(losses), None, planned).takeaway() == words


def test_a_stop_too_early_is_told_as_a_cost_and_a_lead_below_min_delta_is_none() -> None:
    table = what_if(told([0.5, 0.4, 0.399, 0.45, 0.46]), EarlyStopping(min_delta=0.01), 5)
    assert table.takeaway() == "Patience 1 would have kept epoch 3, the best, and saved 2 epochs."
    last = what_if(told([0.5, 0.4, 0.401, 0.45, 0.46]), EarlyStopping(restore_best=False), 5)
    assert last.takeaway() == "Patience 1 would have kept epoch 3, +0.00100 off the best, epoch 2, and saved 2 epochs."
