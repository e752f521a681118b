"""Text of unknown origin does no harm where it is shown, and numbers say what they can."""

from __future__ import annotations

import math

import pytest

from regtui.text import (
    NBSP,
    clock,
    counted,
    duration,
    fitting,
    loss,
    number,
    one_line,
    p_value,
    percent,
    seconds,
    share,
    short,
)  # fmt: skip


def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    assert one_line("a\nb\x1b[2J\u202e Δ loss") == "a\\nb\\x1b[2J\\u202e Δ loss"


def test_the_limit_counts_what_is_shown() -> None:
    assert one_line("\n\n\n", 6) == "\\n\\n\\n"
    assert one_line("\n\n\n", 5) == "\\n\\n…"


# Numbers


@pytest.mark.parametrize(
    ("value", "form", "written"),
    [
        (None, ".4f", "–"), (math.nan, ".4f", "–"), (math.inf, "+.2f", "–"), (0.25, ".4f", "0.2500"),
        (-0.00004, ".4f", "−0.0000"), (-12_345.0, ".4f", "−12,345"), (0.5, "+.2f", "+0.50"), (-0.5, "+.2f", "−0.50"),
        (1234.5, "+.2f", "+1,234"), (123_456.0, "+.2f", "+1.2e+05"), (1e-9, ".1f", "0.0"), (-1e30, ".4f", "−1.0e+30"),
    ],
)  # fmt: skip
def test_a_number_keeps_to_its_column(value: float | None, form: str, written: str) -> None:
    assert number(value, form) == written
    assert len(written) <= 9


@pytest.mark.parametrize(
    ("value", "narrow", "wide"),
    [
        (None, "NaN", "–"), (0.0, "0.0000", "0.0000"), (0.31006, "0.3101", "0.3101"), (23.101, "23.10", "23.1010"),
        (12_345.0, "1e+04", "12,345"), (-0.5, "−0.5000", "−0.5000"), (0.00234, "0.00234", "0.00234"),
        (0.000234, "2.34e−4", "2.34e−4"), (0.0000234, "2.34e−5", "2.34e−5"),
    ],
)  # fmt: skip
def test_a_loss_is_narrow_and_never_told_with_less_than_three_digits(
    value: float | None, narrow: str, wide: str
) -> None:
    assert short(value) == narrow
    assert len(narrow) <= 7
    assert loss(value) == wide
    if value is not None and value > 0:
        assert loss(value, "+.4f") == f"+{wide}"


def test_a_p_value_is_as_precise_as_it_means_something() -> None:
    assert [p_value(p).replace(NBSP, " ") for p in (1.0, 0.858, 0.04996, 0.001, 0.00099, 0.0)] == [
        "p = 1", "p = 0.858", "p = 0.05", "p = 0.001", "p < 0.001", "p < 0.001"
    ]  # fmt: skip


def test_one_is_singular() -> None:
    assert [counted(count, "epoch") for count in (0, 1, 2, 12_345)] == [
        "0 epochs",
        "1 epoch",
        "2 epochs",
        "12,345 epochs",
    ]


def test_times_are_as_precise_as_anybody_asks_for() -> None:
    assert [seconds(value) for value in (0.0386, 0.5, 99.0, 100.4, 12_345.6)] == [
        "0.04",
        "0.50",
        "99.00",
        "100",
        "12,346",
    ]
    assert [seconds(0.0386, 4), seconds(12.345, 1)] == ["0.0386", "12.3"]
    told = [duration(value) for value in (0.4, 40.2, 119, 720, 7199, 3 * 3600, 47 * 3600, 5 * 24 * 3600)]
    assert told == ["less than 1 s", "40 s", "119 s", "12 min", "119 min", "3 h", "47 h", "5 days"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0:00"), (0.4, "0:00"), (21, "0:21"), (59.6, "1:00"), (723, "12:03"), (3599.7, "1:00:00"), (3723, "1:02:03")],
)
def test_a_clock_as_people_write_it(value: float, shown: str) -> None:
    assert clock(value) == shown


def test_a_share_takes_the_room_there_is() -> None:
    assert [fitting(part, 2, 6) for part in (0.98124, 1.0, 0.99999, None)] == ["98.12%", "100.0%", ">99.9%", "–%"]
    assert [fitting(part, 1, 5) for part in (0.98124, 1.0, 0.99999)] == ["98.1%", "100%", ">99%"]
    assert [share(part, gap="") for part in (0, 1e-6, 0.25, 1, None)] == ["0%", "<0.1%", "25.0%", "100%", "–"]


def test_only_none_is_0_percent_and_only_all_is_100() -> None:
    assert [share(part) for part in (0, 1e-6, 0.25, 0.99999, 1)] == ["0 %", "< 0.1 %", "25.0 %", "> 99.9 %", "100 %"]


@pytest.mark.parametrize("digits", [0, 1, 2, 4])
def test_what_is_not_none_never_looks_like_none_nor_what_is_not_all_like_all(digits: int) -> None:
    parts = [sign * 10.0**-power + offset for power in range(1, 12) for sign, offset in ((1, 0), (-1, 1))]
    for part in parts:
        for text in (percent(part, digits), share(part, digits)):
            value = float(text.strip("<> %"))
            if "<" in text:
                assert 100 * part < value
            elif ">" in text:
                assert 100 * part > value
            else:
                assert 0 < value < 100
                assert abs(value - 100 * part) <= 0.5 * 10**-digits + 1e-9
    assert [percent(end, 1) for end in (0, 1, math.nan, None)] == ["0.0", "100.0", "–", "–"]
