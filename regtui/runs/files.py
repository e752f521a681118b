"""The small files of a run, and the fields in them, read so that nothing in them can do harm."""

from __future__ import annotations

import json
import math
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from regtui.errors import InputError

MAX_BYTES = 16_000_000
"""No preset, run.json or summary.json comes near this."""
MAX_TEXT = 100
"""So much of a text is kept as a field, and of a list written as one."""
MAX_NUMBER = 1e300
"""Larger whole numbers could not be shown or compared as numbers are."""
MAX_DEPTH = 6
"""Tables within tables that become dotted keys; a preset and a summary have three."""

Field = str | int | float


def read_json(path: Path) -> dict[str, Any]:
    """A table from a file of JSON; numbers that are not finite become None.

    Raises:
        InputError: It is no regular file, empty, too large, or damaged.
        OSError: It can't be read.
    """
    try:
        table = json.loads(_content(path), parse_constant=lambda _name: None, parse_float=_finite)
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict):
        raise InputError(f"{path.name} is damaged")
    return table


def read_toml(path: Path) -> dict[str, Any]:
    """A preset's table, unchecked, so that one of a later version is listed too."""
    try:
        return tomllib.loads(_content(path).decode())
    except (ValueError, RecursionError):
        raise InputError(f"{path.name} is damaged") from None


def leaves(table: dict[str, Any], prefix: str = "", depth: int = MAX_DEPTH) -> Iterator[tuple[str, Any]]:
    """The values of nested tables with their dotted keys; what is nested deeper is left out."""
    for key, value in table.items():
        if type(value) is not dict:
            yield prefix + key, value
        elif depth > 1:
            yield from leaves(value, f"{prefix}{key}.", depth - 1)


def flat(table: dict[str, Any]) -> dict[str, Field]:
    """The values of nested tables by dotted key, bounded; lists of whole numbers as a text without blanks."""
    fields: dict[str, Field] = {}
    for key, value in leaves(table):
        kind = type(value)  # a match statement would take three times as long, and ten thousand runs have a million
        if kind is str:
            fields[key] = value[:MAX_TEXT]
        elif kind is bool:
            fields[key] = str(value).lower()
        elif kind is float or kind is int:
            if abs(value) < MAX_NUMBER:
                fields[key] = value
        elif kind is list and all(type(item) is int and abs(item) < MAX_NUMBER for item in value[:MAX_TEXT]):
            fields[key] = json.dumps(value[:MAX_TEXT], separators=(",", ":"))[:MAX_TEXT]
    return fields


def _content(path: Path) -> bytes:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path.name} is no file")  # a pipe would be waited for, for ever
    if status.st_size == 0:
        raise InputError(f"{path.name} is empty")
    if status.st_size > MAX_BYTES:
        raise InputError(f"{path.name} is too large")
    return path.read_bytes()


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None
