from __future__ import annotations

import math
import random

import pytest

from regtui.protocol.curves import BUCKETS, RECENT, StepCurve


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
        assert curve.sums[bucket] == pytest.approx(math.fsum(own), rel=1e-12)


def test_one_spike_among_a_million_steps_stays() -> None:
    curve = StepCurve()
    for step in range(0, 1_000_000, 1000):
        curve.extend([0.5] * 1000 if step != 700_000 else [0.5] * 500 + [9.0] + [0.5] * 499)
    assert max(curve.highs) == 9.0
    spike = max(range(len(curve.highs)), key=lambda bucket: curve.highs[bucket])
    assert spike * curve.width <= 700_500 < (spike + 1) * curve.width


def one_by_one(losses: list[float | None]) -> StepCurve:
    """The curve when each loss is taken in alone."""
    curve = StepCurve()
    for loss in losses:
        curve.extend([loss])
    return curve


def patchy(count: int) -> list[float | None]:
    """Losses of very different size, of which some are not finite."""
    broken = {7: None, 300: math.inf, 5 * BUCKETS // 2: None, 5 * BUCKETS // 2 + 1: -math.inf, 3 * BUCKETS: math.nan}
    return [broken.get(i, loss * 10 ** (i % 13)) for i, loss in enumerate(noise(count))]


@pytest.mark.parametrize(
    "losses", [noise(5 * BUCKETS + 3), patchy(5 * BUCKETS + 3), [None, 1.0], [None] * 3, [1e308] * 9]
)
@pytest.mark.parametrize("size", [2, 7, BUCKETS - 1, BUCKETS, 3 * BUCKETS + 1, 10**6])
def test_a_curve_does_not_depend_on_how_its_steps_come_in(losses: list[float | None], size: int) -> None:
    curve = StepCurve()
    for begin in range(0, len(losses), size):
        curve.extend(losses[begin : begin + size])
    assert curve == one_by_one(losses)


def test_nothing_changes_nothing() -> None:
    curve = StepCurve()
    curve.extend([])
    assert curve == StepCurve()


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
