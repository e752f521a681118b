"""Text of unknown origin does no harm where it is shown."""

from __future__ import annotations

import math

import pytest

from regtui.text import number, one_line, percent, share


def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    assert one_line("a\nb\x1b[2J\u202e Δ loss") == "a\\nb\\x1b[2J\\u202e Δ loss"


def test_the_limit_counts_what_is_shown() -> None:
    assert one_line("\n\n\n", 6) == "\\n\\n\\n"
    assert one_line("\n\n\n", 5) == "\\n\\n…"


def test_numbers_keep_to_their_column() -> None:
    values = (None, 0.25, -0.00004, 999.99996, -12345.0)
    assert [number(value, ".4f") for value in values] == ["–", "0.2500", "−0.0000", "1000.0000", "−1.2e+04"]
    assert [number(value, "+.2f") for value in (0.5, -0.5, 12345.0)] == ["+0.50", "−0.50", "+1.2e+04"]
    assert [percent(fraction) for fraction in (None, 0.9812)] == ["–", "98.12"]


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
