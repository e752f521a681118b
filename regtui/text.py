"""Text of unknown origin, from a preset, a log or another program's error, made fit to be shown; and numbers."""

from __future__ import annotations

UNKNOWN = "–"
"""Stands where nothing is known."""


def one_line(text: object, limit: int | None = None) -> str:
    """The text in one line: control characters are written as escapes; at most `limit` characters, if given."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


def number(value: float | None, form: str) -> str:
    """A number in a form such as '+.4f', or in powers of ten from 1000 on, so that a column stays narrow."""
    if value is None:
        return UNKNOWN
    sign = "+" if form.startswith("+") else ""
    return (f"{value:{form}}" if abs(value) < 1000 else f"{value:{sign}.1e}").replace("-", "−")


def percent(fraction: float | None) -> str:
    """'98.12' of 0.9812."""
    return UNKNOWN if fraction is None else number(100 * fraction, ".2f")


def share(fraction: float) -> str:
    """'25.0 %' of 0.25, in which only none is '0 %' and only all is '100 %'."""
    return f"{100 * fraction:.0f} %" if fraction in (0, 1) else f"{min(max(100 * fraction, 0.1), 99.9):.1f} %"
