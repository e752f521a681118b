"""Text of unknown origin, from a preset, a log or another program's error, made fit to be shown."""

from __future__ import annotations


def one_line(text: object, limit: int | None = None) -> str:
    """The text in one line: control characters are written as escapes; at most `limit` characters, if given."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"
