"""Text of unknown origin does no harm where it is shown."""

from __future__ import annotations

from regtui.text import one_line


def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    assert one_line("a\nb\x1b[2J\u202e Δ loss") == "a\\nb\\x1b[2J\\u202e Δ loss"


def test_the_limit_counts_what_is_shown() -> None:
    assert one_line("\n\n\n", 6) == "\\n\\n\\n"
    assert one_line("\n\n\n", 5) == "\\n\\n…"
