from __future__ import annotations

import math
import random

import pytest

from regtui.curve import BUCKETS, RECENT, StepCurve


def noise(count: int) -> list[float]:
    generator = random.Random(0)
    return [generator.random() for _ in range(count)]


@pytest.mark.parametrize("count", [0, 1, BUCKETS, BUCKETS + 1, 5 * BUCKETS + 3])
def test_a_curve_keeps_every_extreme_and_the_sum_in_bounded_memory(count: int) -> None:
    losses = noise(count)
    curve = StepCurve()
    curve.extend(losses)
    assert len(curve) == count == sum(curve.counts)
    assert len(curve.lows) == len(curve.highs) == len(curve.sums) == len(curve.counts) <= BUCKETS
    for bucket, (low, high) in enumerate(zip(curve.lows, curve.highs, strict=True)):
        own = losses[bucket * curve.width : (bucket + 1) * curve.width]
        assert (low, high) == (min(own), max(own))
    assert math.isclose(sum(curve.sums), sum(losses), abs_tol=1e-9)


def test_one_spike_among_a_million_steps_stays() -> None:
    curve = StepCurve()
    for step in range(0, 1_000_000, 1000):
        curve.extend([0.5] * 1000 if step != 700_000 else [0.5] * 500 + [9.0] + [0.5] * 499)
    assert max(curve.highs) == 9.0
    spike = max(range(len(curve.highs)), key=lambda bucket: curve.highs[bucket])
    assert spike * curve.width <= 700_500 < (spike + 1) * curve.width


def test_a_curve_does_not_depend_on_how_its_steps_come_in() -> None:
    losses = noise(3 * BUCKETS)
    whole, parts = StepCurve(), StepCurve()
    whole.extend(losses)
    for begin in range(0, len(losses), 7):
        parts.extend(losses[begin : begin + 7])
    assert whole == parts


def test_what_is_not_finite_is_marked_and_left_out() -> None:
    curve = StepCurve()
    curve.extend([2.0, 1.0, None, math.inf])
    assert curve.broken == 3
    assert curve.first == 2.0
    assert sum(curve.counts) == 2
    assert curve.recent == 1.5
    assert math.isnan(StepCurve().recent)


def test_the_recent_mean_is_of_the_last_steps() -> None:
    curve = StepCurve()
    curve.extend([9.0] * 10 + [1.0] * RECENT)
    assert curve.recent == 1.0


@pytest.mark.parametrize("count", [10, 5 * BUCKETS])
def test_a_curve_cut_at_a_step_has_its_whole_buckets_until_then_and_nothing_later(count: int) -> None:
    losses: list[float | None] = [*noise(count)]
    losses[count // 2] = None
    whole = StepCurve()
    whole.extend(losses)
    for steps in (0, 1, count // 2, count // 2 + 1, count - 1):
        cut, then = whole.until(steps), StepCurve()
        then.extend(losses[:steps])
        assert (len(cut), cut.first, cut.broken) == (steps, then.first, then.broken)
        buckets = steps // whole.width
        assert len(cut.sums) == len(cut.lows) == len(cut.highs) == len(cut.counts) == buckets
        known = [loss for loss in losses[: buckets * whole.width] if loss is not None]
        assert math.isclose(sum(cut.sums), sum(known), abs_tol=1e-9)
        assert max(cut.highs, default=0.0) == max(known, default=0.0)
    assert whole.until(count) == whole == whole.until(count + 7)
