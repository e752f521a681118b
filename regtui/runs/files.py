"""Reads the small files of a run and their fields, so that nothing in them can do harm."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from regtui.errors import InputError
from regtui.files import (
    MAX_PRESET,
    NotPlainError,
    NotTextError,
    TooLargeError,
    clean_table_of_toml,
    read_plain,
    table_of_json,
)
from regtui.text import one_line

MAX_BYTES = 16_000_000
"""The largest run.json or summary.json in bytes; real ones are far smaller."""
MAX_TEXT = 100
"""Longest text of a field, and of a list written as text."""
LONGEST: Mapping[str, int] = {"note": 500, "tags": 700}
"""Fields that may be longer: what a user wrote of a run."""
MAX_FIELDS = 2_000
"""The most fields of a run; a hundred are usual."""
MAX_NUMBER = 1e300
"""Larger whole numbers could not be shown or compared like others."""
MAX_DEPTH = 6
"""Levels of nested tables that become dotted keys; a preset and a summary have three."""

TABLES = ("data.", "model.", "train.", "baseline.", "regularized.", "arms.")
"""The tables of a preset's settings, in its order."""

Field = str | int | float


def read_json(path: Path) -> dict[str, Any]:
    """Read a table from a JSON file; its texts are made safe, and numbers that are not finite become None.

    Raises:
        InputError: It is no regular file, empty, too large, or damaged.
        OSError: It can't be read.
    """
    return _table(path, MAX_BYTES, table_of_json)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a preset's table, its texts made safe; unchecked, so that presets of later versions are listed too.

    Raises:
        InputError: It is no regular file, empty, too large, or damaged.
        OSError: It can't be read.
    """
    return _table(path, MAX_PRESET, clean_table_of_toml)


def leaves(table: dict[str, Any], prefix: str = "", depth: int = MAX_DEPTH) -> Iterator[tuple[str, Any]]:
    """The values of nested tables with their dotted keys; deeper ones than `MAX_DEPTH` are left out."""
    for key, value in table.items():
        if type(value) is not dict:
            yield prefix + key, value
        elif depth > 1:
            yield from leaves(value, f"{prefix}{key}.", depth - 1)


def flat_fields(table: dict[str, Any]) -> dict[str, Field]:
    """The values of nested tables by dotted key, within the limits; lists of whole numbers become text."""
    fields: dict[str, Field] = {}
    _flatten(table, "", MAX_DEPTH, fields)
    return fields


def _flatten(table: dict[str, Any], prefix: str, depth: int, fields: dict[str, Field]) -> None:
    """Add a table's fields; ten thousand runs have a million, for which `leaves` or a match statement is too slow."""
    for key, value in table.items():
        kind = type(value)
        if kind is dict:
            if depth > 1:
                _flatten(value, f"{prefix}{key}.", depth - 1, fields)
        elif len(fields) >= MAX_FIELDS:
            return
        elif kind is str:
            fields[prefix + key] = value[:MAX_TEXT]
        elif kind is bool:
            fields[prefix + key] = str(value).lower()
        elif kind is float or kind is int:
            if abs(value) < MAX_NUMBER:
                fields[prefix + key] = value
        elif kind is list and all(type(item) is int and abs(item) < MAX_NUMBER for item in value[:MAX_TEXT]):
            fields[prefix + key] = json.dumps(value[:MAX_TEXT], separators=(",", ":"))[:MAX_TEXT]


def cleaned_fields(fields: Mapping[str, Field]) -> dict[str, Field]:
    """Fields from elsewhere than `flat_fields`, with their texts made safe."""
    return {
        one_line(key): one_line(value, LONGEST.get(key, MAX_TEXT)) if isinstance(value, str) else value
        for key, value in fields.items()
    }


def _table(path: Path, at_most: int, parse: Callable[[bytes], dict[str, Any]]) -> dict[str, Any]:
    try:
        content = read_plain(path, at_most)
    except (NotPlainError, IsADirectoryError):
        raise InputError(f"{path.name} is no file") from None
    except TooLargeError:
        raise InputError(f"{path.name} is too large") from None
    if not content:
        raise InputError(f"{path.name} is empty")
    try:
        return parse(content)
    except NotTextError as error:
        raise InputError(f"{path.name} is damaged: {error}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path.name} is damaged") from None
