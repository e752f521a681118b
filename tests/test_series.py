"""Numbers made ready for a chart: nothing that matters is lost, and axes are round."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from regtui.protocol.curves import BUCKETS, StepCurve
from regtui.tui.charts.series import decimate, limits, log_ticks, smoothed, ticks

RANGES = [(0.0, 1.0), (0.213, 0.987), (0.4521, 0.4523), (-0.03, 0.05), (-7.0, -2.5), (1e-7, 3e-7), (12.0, 99.0)]
RANGES += [(0.0, 2.3), (120_000.0, 131_000.0), (0.0, 100_000.0), (2.0, 3e38), (-1e30, 1e30), (1e-300, 2e-300)]


def read(label: str) -> float:
    return float(label.replace("−", "-"))


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


# Axes


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_limits_contain_all_and_end_at_round_numbers(low: float, high: float) -> None:
    left, right = limits([high, low, (low + high) / 2])
    slack = 1e-6 * (high - low)
    assert left <= low + slack
    assert right >= high - slack
    assert right - left < 2 * (high - low)
    unit = 10.0 ** math.floor(math.log10((high - low) / 8))
    for end in (left, right):
        assert end / unit == pytest.approx(round(end / unit), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.3, -4.0, 1e-12, 1e30, 100.0])
def test_a_flat_series_has_air_on_both_sides(value: float) -> None:
    low, high = limits([value] * 3)
    assert low < value < high
    assert math.isfinite(low)
    assert math.isfinite(high)


def test_an_axis_stays_while_values_come_within_it() -> None:
    before = limits([0.21, 2.3])
    assert limits([0.21, 2.3, 0.5, 1.9]) == before
    assert limits([0.23, 2.29]) == before


def test_an_axis_goes_no_lower_than_its_floor() -> None:
    assert limits([0.0, 0.0], floor=0.0)[0] == 0.0
    assert limits([-3.0, 4.0], floor=0.0)[0] == 0.0
    assert limits([5.0, 6.0], floor=0.0)[0] >= 5.0
    low, high = limits([-3.0, -2.0], floor=0.0)  # all below it: there is nothing left to cut
    assert low < high


def test_without_values_there_is_an_axis_too() -> None:
    assert limits([]) == (0.0, 1.0)


@pytest.mark.parametrize(("low", "high"), RANGES)
@pytest.mark.parametrize("count", [2, 5, 11])
def test_ticks_are_round_within_the_ends_and_say_their_values(low: float, high: float, count: int) -> None:
    low, high = limits([low, high])
    found = ticks(low, high, count)
    slack = 1e-6 * (high - low)
    assert 1 <= len(found) <= count + 1
    assert len(found) >= count // 3
    assert all(low - slack <= place <= high + slack for place, _ in found)
    for place, label in found:
        assert read(label) == pytest.approx(place, rel=1e-9, abs=slack)
        assert len(label) <= 12
    assert len({label for _, label in found}) == len(found)
    steps = [b - a for (a, _), (b, _) in pairwise(found)]
    for step in steps:
        assert step == pytest.approx(steps[0], rel=1e-6)
        mantissa = step / 10.0 ** math.floor(math.log10(step) + 1e-9)
        assert mantissa == pytest.approx(round(mantissa), rel=1e-6)
        assert round(mantissa) in {1, 2, 5, 10}


def test_zero_has_no_sign() -> None:
    assert [label for _, label in ticks(-0.2, 0.2, 4)] == ["−0.2", "−0.1", "0.0", "0.1", "0.2"]


def test_more_room_means_more_ticks() -> None:
    counts = [len(ticks(0.0, 1.0, count)) for count in (1, 2, 5, 10, 20)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


@pytest.mark.parametrize(("low", "high"), [(0.02, 2.5), (1e-8, 1e3), (0.21, 0.29), (1.0, 10.0), (1e-30, 1e30), (3, 4)])
@pytest.mark.parametrize("count", [2, 6, 12])
def test_logarithmic_ticks_are_labelled_with_the_values(low: float, high: float, count: int) -> None:
    bottom, top = limits([math.log10(low), math.log10(high)])
    found = log_ticks(bottom, top, count)
    assert 1 <= len(found) <= count + 1
    if count > 2:
        assert len(found) >= 2
    for place, label in found:
        assert bottom - 1e-9 <= place <= top + 1e-9
        assert read(label) == pytest.approx(10**place, rel=1e-6)
    assert [place for place, _ in found] == sorted(place for place, _ in found)


def test_logarithmic_ticks_of_a_usual_loss() -> None:
    assert [label for _, label in log_ticks(-1.0, 0.0, 5)] == ["0.1", "0.2", "0.3", "0.5", "1"]
    assert [label for _, label in log_ticks(-3.0, 0.0, 5)] == ["0.001", "0.01", "0.1", "1"]
