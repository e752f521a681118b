"""The axes of charts end at round numbers, and their ticks say what they stand for."""

from __future__ import annotations

import math
import sys
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from regtui.axes import limits, log_ticks, ticks

RANGES = [(0.0, 1.0), (0.213, 0.987), (0.4521, 0.4523), (-0.03, 0.05), (-7.0, -2.5), (1e-7, 3e-7), (12.0, 99.0)]
RANGES += [(0.0, 2.3), (120_000.0, 131_000.0), (0.0, 100_000.0), (2.0, 3e38), (-1e30, 1e30), (1e-300, 2e-300)]


def read(label: str) -> float:
    return float(label.replace("−", "-"))


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


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4), st.integers(1, 12))
@example([-sys.float_info.max, sys.float_info.max], 5)
@example([-sys.float_info.max, sys.float_info.max], 1)
@example([1.4000000002000002e308, -2e298], 1)
@example([sys.float_info.max], 5)
@example([0.0, 5e-324], 5)
@example([0.0, 4e-323], 5)
@example([1.0, 1.0 + 2e-16], 5)
@example([1e300, 1e-300], 5)
def test_any_finite_numbers_get_an_axis_that_holds_them(values: list[float], count: int) -> None:
    low, high = limits(values)
    assert -math.inf < low < high < math.inf
    slack = 1e-8 * (high / 2 - low / 2)
    assert low / 2 <= min(values) / 2 + slack
    assert high / 2 >= max(values) / 2 - slack
    found = ticks(low, high, count)
    assert 1 <= len(found) <= 5 * count + 1
    assert all(math.isfinite(place) for place, _ in found)
    assert len({label for _, label in found}) == len(found)


@pytest.mark.parametrize(("first", "last"), [(1, 1), (1, 2), (1, 5), (1, 60), (3, 100_000)])
def test_between_whole_numbers_there_are_no_ticks(first: int, last: int) -> None:
    found = ticks(first, last, 8, whole=True)
    assert found
    for place, label in found:
        assert first <= place <= last
        assert place == int(place) == read(label)
    assert len({label for _, label in found}) == len(found)


@pytest.mark.parametrize("base", [1.0, 0.31, 1e6])
def test_what_only_rounding_tells_apart_is_flat(base: float) -> None:
    low, high = limits([base, base * (1 + 1e-15)])
    assert high - low > 0.1 * base
