"""The slope, and what a trend claims, against the losses it was made of."""

from __future__ import annotations

import itertools
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtui.evidence.trend import FLAT, NEAR, RECENT, slope, trend
from regtui.preset.model import Preset
from tests.conftest import small_preset
from tests.telling import Telling

PRESET: Preset = small_preset(train={"epochs": 40})


def test_the_slope_is_the_median_of_all_pairs_and_its_interval_that_of_scipy() -> None:
    from scipy.stats import theilslopes  # an independent implementation

    rng = random.Random(3)
    for n in (2, 3, 5, 8, 13, 30):
        points = [(float(x), 0.1 * x + rng.gauss(0, 1)) for x in range(n)]
        low, middle, high = slope(points)
        slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in itertools.combinations(points, 2)]
        assert middle == pytest.approx(statistics.median(slopes))
        assert low <= middle <= high
        if n > 4:  # scipy rounds the rank, and we take the narrower of the two that it lies between
            theirs = theilslopes([y for _, y in points], [x for x, _ in points], 0.90)
            ranks = sorted(slopes)
            assert abs(ranks.index(low) - min(range(len(ranks)), key=lambda i: abs(ranks[i] - theirs[2]))) <= 1
            assert abs(ranks.index(high) - min(range(len(ranks)), key=lambda i: abs(ranks[i] - theirs[3]))) <= 1


def test_one_outlier_does_not_turn_a_slope() -> None:
    points = [(float(x), 1.0 - 0.1 * x) for x in range(8)]
    points[5] = (5.0, 50.0)
    assert slope(points)[2] < 0


def test_noise_without_a_trend_has_none_in_nine_of_ten_cases() -> None:
    rng = random.Random(0)
    told = 0
    for _ in range(2000):
        low, _, high = slope([(float(x), rng.random()) for x in range(10)])
        told += low > 0 or high < 0
    assert 100 < told < 280, "about 10 % of 2,000, a little more as the rank is discrete"


LOSSES = st.one_of(st.none(), st.floats(0, 5), st.sampled_from([0.2, 0.20004, 0.201, 0.21, 0.3]))


@given(st.lists(st.tuples(LOSSES, LOSSES), min_size=1, max_size=30))
def test_whatever_a_trend_claims_is_so(epochs: list[tuple[float | None, float | None]]) -> None:
    telling = Telling(PRESET).start()
    for loss, train in epochs:
        telling.epoch("baseline", loss, train=train)
    found = trend(telling.history.arms["baseline"])
    measured = [(number, loss) for number, (loss, _) in enumerate(epochs, start=1) if loss is not None]
    if found is None:
        assert not measured
        return
    losses = [loss for _, loss in measured]
    recent = losses[-RECENT:]
    low = min(losses)
    assert found.lowest.epoch == next(number for number, loss in measured if loss == low)
    assert found.last.epoch == measured[-1][0]
    calm = losses[-found.calm :]
    assert max(calm) <= min(calm) * (1 + FLAT) * (1 + 1e-12)
    match found.kind:
        case "first":
            assert len(losses) == 1
        case "falls" | "slows" | "lowest":
            assert losses[-1] < min(losses[:-1])
        case "overfits":
            assert all(loss > low * (1 + NEAR) for loss in losses[-3:])
            train, then = epochs[found.last.epoch - 1][1], epochs[found.lowest.epoch - 1][1]
            assert train is not None
            assert then is not None
            assert train < then
        case "rises":
            assert found.risen >= 2
        case "flat":
            assert found.calm >= 3
        case "recovers":
            assert losses[-2] > losses[-1] > low * (1 + NEAR)
        case "wavers":
            assert all(loss <= low * (1 + NEAR) for loss in recent)
    assert round(losses[-1], 4) >= round(losses[-1 - found.risen], 4)
