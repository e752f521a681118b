"""Text of unknown origin does no harm where it is shown."""

from __future__ import annotations

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
    assert [share(part) for part in (0, 1e-6, 0.25, 0.99999, 1)] == ["0 %", "0.1 %", "25.0 %", "99.9 %", "100 %"]
