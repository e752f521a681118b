"""Text of unknown origin, from a preset, a log or another program's error, made fit to be shown; and numbers."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

UNKNOWN = "–"
"""Stands where nothing is known."""
DEPTH = 20
"""Tables and lists within each other, of which nothing here has more than five."""
MOST = 2000
"""So many characters are shown of a text that has no smaller limit."""
_INVISIBLE = re.compile(r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]")
"""What Unicode counts as letters or marks, yet draws as nothing; variation selectors of emoji are not among them."""

_ESCAPED_PERHAPS = re.compile(r"[^ -~]")


def is_shown(character: str) -> bool:
    """Whether it is drawn where it stands: no control, format, private or unassigned character, and no half of one."""
    return (character.isprintable() and not _INVISIBLE.match(character)) or unicodedata.category(character) == "Zs"


def one_line(text: object, limit: int = MOST) -> str:
    """The text in one line that does nothing but be read; at most `limit` characters.

    What a terminal obeys, what turns the direction of writing, what ends a line and what is not seen is written as an
    escape. Text of unknown origin goes through here where it is read, so that nobody who shows it has to think of it.
    Once is enough, and twice does no harm.
    """
    line = _ESCAPED_PERHAPS.sub(_escape, str(text)[: limit + 1])
    return line if len(line) <= limit else line[: limit - 1] + "…"


def quoted(text: object, limit: int = 200) -> str:
    """The text in one line between quotes."""
    return f"'{one_line(text, limit)}'"


def lines(text: str, limit: int = MOST) -> str:
    """The same for a text of several lines, which stay lines."""
    return "\n".join(one_line(line, limit) for line in text.split("\n"))


def _escape(match: re.Match[str]) -> str:
    return match[0] if is_shown(match[0]) else match[0].encode("unicode_escape").decode()


def cleaned(value: Any, depth: int = DEPTH) -> Any:
    """Tables, lists and texts as JSON and TOML have them, with each text in one line: values and keys.

    Raises:
        ValueError: It is nested deeper than `depth`.
    """
    if isinstance(value, str):
        return one_line(value)
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        raise ValueError("it is nested too deeply")
    if isinstance(value, list):
        return [cleaned(item, depth - 1) for item in value]
    return {one_line(key): cleaned(item, depth - 1) for key, item in value.items()}


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
