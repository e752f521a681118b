"""The stopping rule against a truth table; each row is a sequence of validation losses."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from regtui.errors import InputError
from regtui.techniques.early_stopping import EarlyStopping, StoppingRule

NAN, INF = math.nan, math.inf


def stops_at(rule: StoppingRule, losses: Sequence[float]) -> int | None:
    for epoch, loss in enumerate(losses, start=1):
        rule.update(epoch, val_loss=loss, val_metric=0.5)
        if rule.should_stop:
            return epoch
    return None


@pytest.mark.parametrize(
    ("knobs", "losses", "stop", "best_epoch"),
    [
        pytest.param({"patience": 2}, [5, 4, 3, 2, 1], None, 5, id="always improving"),
        pytest.param({"patience": 2}, [5, 4, 4.5, 4.2, 3], 4, 2, id="patience runs out"),
        pytest.param({"patience": 1}, [5, 6], 2, 1, id="patience of one"),
        pytest.param({"patience": 2}, [3, 3, 3], 3, 1, id="equal is no improvement"),
        pytest.param({"patience": 2, "min_delta": 0.5}, [5, 4.6, 4.4, 4.1, 4.0], 5, 5, id="smaller than min_delta"),
        pytest.param({"patience": 1, "min_delta": 0.5}, [5, 4.5], 2, 2, id="exactly min_delta is no improvement"),
        pytest.param({"patience": 9, "min_delta": 0.5}, [5, 4.8, 4.8, 4.9], None, 2, id="the earlier of equal ones"),
        pytest.param({"patience": 2, "warmup": 3}, [1, 1, 1, 5, 4, 4.5, 4.5], 7, 5, id="warm-up counts for nothing"),
        pytest.param({"patience": 2, "warmup": 3}, [3, 3, 3, 3, 3, 3], 6, 4, id="flat with warm-up"),
        pytest.param({"patience": 2}, [NAN, 5, 4, 3], None, 4, id="NaN first is never the best"),
        pytest.param({"patience": 2}, [5, NAN, NAN, NAN, 4], None, 5, id="NaN is not counted"),
        pytest.param({"patience": 2}, [5, 6, NAN, 6], 4, 1, id="NaN neither waits nor resets"),
        pytest.param({"patience": 2}, [INF, INF, INF, INF], None, None, id="infinity throughout"),
        pytest.param({"patience": 2}, [5, -INF, 4, 4.5, 4.5], 5, 3, id="minus infinity is never the best"),
    ],
)
def test_truth_table(
    knobs: dict[str, float], losses: Sequence[float], stop: int | None, best_epoch: int | None
) -> None:
    rule = EarlyStopping.model_validate(knobs).stopping_rule()
    assert stops_at(rule, losses) == stop
    assert rule.best_epoch == best_epoch


def test_without_patience_it_remembers_the_best_and_never_stops() -> None:
    rule = StoppingRule()
    assert stops_at(rule, [3, 2] + [5] * 100) is None
    assert (rule.reference, rule.best, rule.best_epoch, rule.wait) == (2, 2, 2, 100)


@pytest.mark.parametrize(("patience", "stop"), [(5, 6), (2, 4), (1, 4)])
def test_patience_changed_on_the_way_keeps_wait_and_best(patience: int, stop: int) -> None:
    rule = StoppingRule(patience=10)
    assert stops_at(rule, [1, 2, 3]) is None
    assert rule.wait == 2
    rule.patience = patience
    for epoch in range(4, 20):
        rule.update(epoch, val_loss=3, val_metric=0.5)
        if rule.should_stop:
            break
    assert epoch == stop
    assert (rule.best, rule.best_epoch) == (1, 1)


def test_why_a_knob_stays_is_said_of_early_stopping_and_not_of_the_network() -> None:
    for knob in EarlyStopping.model_fields.keys() - EarlyStopping.live.keys():
        with pytest.raises(InputError) as refused:
            EarlyStopping().retune(knob, 1)
        assert f"{knob} can't change while training: " in str(refused.value)
        assert "network" not in str(refused.value)


def test_an_accuracy_is_better_when_it_is_higher() -> None:
    rule = EarlyStopping(patience=2, monitor="val_accuracy").stopping_rule()
    for epoch, accuracy in enumerate([0.5, 0.7, 0.6, 0.65], start=1):
        rule.update(epoch, val_loss=1.0, val_metric=accuracy)
    assert rule.best_epoch == 2
    assert rule.should_stop
