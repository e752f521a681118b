"""The small files of a run, and the fields in them, read so that nothing in them can do harm."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
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
"""No run.json or summary.json comes near this."""
MAX_TEXT = 100
"""So much of a text is kept as a field, and of a list written as one."""
MAX_FIELDS = 2_000
"""So many fields a run has at most; a hundred are usual."""
MAX_NUMBER = 1e300
"""Larger whole numbers could not be shown or compared as numbers are."""
MAX_DEPTH = 6
"""Tables within tables that become dotted keys; a preset and a summary have three."""

Field = str | int | float


def read_json(path: Path) -> dict[str, Any]:
    """A table from a file of JSON; its texts are cleaned, and numbers that are not finite become None.

    Raises:
        InputError: It is no regular file, empty, too large, or damaged.
        OSError: It can't be read.
    """
    content = _content(path, MAX_BYTES)
    try:
        return table_of_json(content)
    except NotTextError as error:
        raise InputError(f"{path.name} is damaged: {error}") from None
    except ValueError:
        raise InputError(f"{path.name} is damaged") from None


def read_toml(path: Path) -> dict[str, Any]:
    """A preset's table, its texts cleaned; unchecked, so that one of a later version is listed too.

    Raises:
        InputError: It is no regular file, empty, too large, or damaged.
        OSError: It can't be read.
    """
    content = _content(path, MAX_PRESET)
    try:
        return clean_table_of_toml(content)
    except NotTextError as error:
        raise InputError(f"{path.name} is damaged: {error}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path.name} is damaged") from None


def leaves(table: dict[str, Any], prefix: str = "", depth: int = MAX_DEPTH) -> Iterator[tuple[str, Any]]:
    """The values of nested tables with their dotted keys; what is nested deeper is left out."""
    for key, value in table.items():
        if type(value) is not dict:
            yield prefix + key, value
        elif depth > 1:
            yield from leaves(value, f"{prefix}{key}.", depth - 1)


def flat_fields(table: dict[str, Any]) -> dict[str, Field]:
    """The values of nested tables by dotted key, bounded; lists of whole numbers as a text without blanks."""
    fields: dict[str, Field] = {}
    for key, value in islice(leaves(table), MAX_FIELDS):
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


def cleaned_fields(fields: Mapping[str, Field]) -> dict[str, Field]:
    """Fields that have not been read by `flat_fields`, with their texts in one line."""
    return {
        one_line(key): one_line(value, MAX_TEXT) if isinstance(value, str) else value for key, value in fields.items()
    }


def _content(path: Path, at_most: int) -> bytes:
    try:
        content = read_plain(path, at_most)
    except (NotPlainError, IsADirectoryError):
        raise InputError(f"{path.name} is no file") from None
    except TooLargeError:
        raise InputError(f"{path.name} is too large") from None
    if not content:
        raise InputError(f"{path.name} is empty")
    return content
