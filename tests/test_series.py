"""Numbers made ready for a chart: nothing that matters is lost."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from regtui.protocol.curves import BUCKETS, StepCurve
from regtui.tui.charts.series import decimate, smoothed

# Decimation


def test_a_single_spike_among_a_million_points_survives() -> None:
    heights = [1.0] * 1_000_000
    heights[567_891] = 9.0
    x, y = decimate(range(1_000_000), heights, 100)
    assert (567_891, 9.0) in zip(x, y, strict=True)
    assert len(x) <= 200


def test_each_bucket_keeps_its_extremes_in_their_order() -> None:
    heights = random.Random(1).sample(range(10_000), 1000)
    x, y = decimate(range(1000), heights, 10)
    assert all(a < b for a, b in pairwise(x))
    for bucket in range(10):
        part = heights[100 * bucket : 100 * (bucket + 1)]
        kept = [b for a, b in zip(x, y, strict=True) if 100 * bucket <= a < 100 * (bucket + 1)]
        assert sorted(kept) == [min(part), max(part)]


def test_a_flat_bucket_is_one_point() -> None:
    x, y = decimate(range(100), [2.0] * 100, 10)
    assert len(x) == 10
    assert set(y) == {2.0}


def test_short_series_stay_as_they_are_but_for_what_is_not_finite() -> None:
    assert decimate([1, 2, 3], [5, 4, 6], 2) == ([1, 2, 3], [5, 4, 6])
    assert decimate([1, 2, 3, 4], [5.0, math.nan, math.inf, 6.0], 10) == ([1, 4], [5.0, 6.0])
    assert decimate([1, 2], [math.nan, -math.inf], 10) == ([], [])
    assert decimate([], [], 10) == ([], [])


@pytest.mark.parametrize("buckets", [0, -3, 1])
def test_even_without_room_the_two_extremes_are_left(buckets: int) -> None:
    _, y = decimate(range(50), [abs(20.0 - i) for i in range(50)], buckets)
    assert y == [0.0, 29.0]


def test_points_that_are_not_finite_hide_no_extreme() -> None:
    heights = [math.nan if i % 2 else float(i) for i in range(1000)]
    _, y = decimate(range(1000), heights, 7)
    assert (min(y), max(y)) == (0.0, 998.0)
    assert all(map(math.isfinite, y))


# Step losses


def curve_of(losses: list[float | None]) -> StepCurve:
    curve = StepCurve()
    curve.extend(losses)
    return curve


def test_the_line_is_the_mean_of_the_steps_in_the_middle_of_them() -> None:
    losses: list[float | None] = [float(i % 7) for i in range(100)]
    line, spikes = smoothed(curve_of(losses), 10, 0.0, 10.0, 20)
    assert line == [(0.5 * i + 0.25, sum((i * 5 + j) % 7 for j in range(5)) / 5) for i in range(20)]
    assert spikes == []


def test_a_spike_stands_beside_the_mean() -> None:
    losses: list[float | None] = [1.0] * 1000
    losses[437] = 50.0
    line, spikes = smoothed(curve_of(losses), 100, 0.0, 10.0, 50)
    assert [height for _, height in spikes] == [50.0]
    assert abs(spikes[0][0] - 4.37) < 0.2
    assert max(mean for _, mean in line) < 5


def test_only_the_window_is_drawn() -> None:
    losses: list[float | None] = [float(i // 10) for i in range(100)]
    line, _ = smoothed(curve_of(losses), 10, 4.0, 6.0, 100)
    assert [mean for _, mean in line] == [4.0] * 10 + [5.0] * 10
    assert all(4 <= x <= 6 for x, _ in line)


def test_older_points_stay_while_the_curve_grows() -> None:
    losses: list[float | None] = [random.Random(i).random() for i in range(900)]
    seen: dict[float, float] = {}
    for length in range(100, 901, 50):
        line, _ = smoothed(curve_of(losses[:length]), 100, 0.0, 10.0, 40)
        for x, mean in line[:-1]:  # the last bucket is not full yet
            assert seen.setdefault(x, mean) == mean
    assert len(seen) <= 40


@pytest.mark.parametrize("points", [0, 1, 7, 40, 116])
def test_there_are_no_more_points_than_asked_for(points: int) -> None:
    line, _ = smoothed(curve_of([1.0] * 1234), 100, 0.0, 12.34, points)
    assert 1 <= len(line) <= points + 1


def test_a_curve_that_has_halved_still_tells_means_and_spikes() -> None:
    steps = 5 * BUCKETS
    losses: list[float | None] = [2.0] * steps
    losses[3000] = 80.0
    curve = curve_of(losses)
    assert curve.width == 8
    line, spikes = smoothed(curve, 100, 0.0, steps / 100, 64)
    assert len(line) <= 65
    assert [height for _, height in spikes] == [80.0]
    assert abs(spikes[0][0] - 30.0) < 2
    weighted = sum(mean for _, mean in line) / len(line)
    assert weighted == pytest.approx(2.0, abs=0.1)
    assert line[-1][0] <= steps / 100


def test_steps_that_are_not_finite_leave_a_gap() -> None:
    losses: list[float | None] = [*[1.0] * 10, *[None] * 10, *[3.0] * 10]
    line, spikes = smoothed(curve_of(losses), 10, 0.0, 3.0, 3)
    assert line == [(0.5, 1.0), (2.5, 3.0)]
    assert spikes == []


def test_nothing_comes_of_nothing() -> None:
    assert smoothed(StepCurve(), 10, 0.0, 3.0, 50) == ([], [])
