"""JSON with a table a row: one a line (JSONL), or a list of them; names may be nested.

As it is written by loops of one's own, by W&B's history and Hugging Face's all_results.json, and by this program. A
null was not measured there; NaN, as Python's json writes it, was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from regtui.errors import InputError
from regtui.foreign import own_events
from regtui.foreign.series import LoggedRun, flat, runs_of
from regtui.text import counted


def read(text: str, name: str, path: Path) -> list[LoggedRun]:
    """The runs of a file of JSON: one, but of this program's own events one an arm.

    Raises:
        InputError: No line is a table, none has a number, or one training follows another.
    """
    notes: list[str] = []
    tables = list(_tables(text, notes))
    if not tables:
        raise InputError(f"{name} is damaged JSON, or cut short: it has no whole table")
    if own_events.is_own(tables[0]):
        return own_events.read(text, name, path)
    return runs_of(map(dict, map(flat, tables)), name, path, notes)


def _tables(text: str, notes: list[str]) -> Iterator[Mapping[Any, Any]]:
    whole = _parsed(text)
    if whole is not None:
        yield from (row for row in (whole if isinstance(whole, list) else [whole]) if isinstance(row, dict))
        return
    lines = [line for line in text.split("\n") if line.strip()]
    tables = [_parsed(line) for line in lines]
    if tables and tables[-1] is None:  # it is being written, or was cut short
        tables.pop()
        notes.append("its last line is cut short and left out")
    if passed := sum(not isinstance(table, dict) for table in tables):
        notes.append(f"{counted(passed, 'line')} of it {'is' if passed == 1 else 'are'} no table and left out")
    yield from (table for table in tables if isinstance(table, dict))


def _parsed(text: str) -> Any:
    """What a text is in JSON; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
