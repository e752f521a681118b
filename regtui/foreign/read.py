"""Reads a log of any known program; what it is, its content says, and its name only where that says nothing."""

from __future__ import annotations

import json
from pathlib import Path

from regtui.errors import InputError
from regtui.files import NotTextError, TooLargeError, open_plain, read_plain, text_of
from regtui.foreign import csv_table, hugging_face, json_lines, tensorboard_events
from regtui.foreign.series import LoggedRun

MOST_BYTES = 100_000_000
"""The largest log that is read as text, in bytes."""


def read_log(path: Path, name: str) -> list[LoggedRun]:
    """The run of a file, or the runs of a file that has several.

    Args:
        path: The file.
        name: What it is called in sentences; safe to show.

    Raises:
        InputError: It can't be read, is empty, too large, no text, damaged, or no log that is known.
    """
    try:
        with open_plain(path) as file:
            beginning = file.read(64)
        if tensorboard_events.is_events(beginning):
            return tensorboard_events.read([("", path)], name, path)
        text = text_of(read_plain(path, MOST_BYTES))
    except TooLargeError:
        raise InputError(f"{name} has more than {MOST_BYTES:,} bytes; export the metric alone") from None
    except NotTextError as error:
        raise InputError(f"{name} is no log that is known here: {error}") from None
    except OSError as error:
        raise InputError(f"{name} can't be read: {error.strerror or error}") from None
    if not text.strip():
        raise InputError(f"{name} is empty: its run has logged nothing yet, or it was cut short")
    if "\0" in text:
        raise InputError(f"{name} is no log that is known here: it is no text")
    return _of_text(text, name, path)


def _of_text(text: str, name: str, path: Path) -> list[LoggedRun]:
    if text.lstrip()[0] not in "{[":
        return csv_table.read(text, name, path)
    if f'"{hugging_face.HISTORY}"' in text:
        try:
            table = json.loads(text)
        except (ValueError, RecursionError):
            raise InputError(f"{name} is a trainer's state that is damaged or cut short") from None
        if hugging_face.is_state(table):
            return hugging_face.read(table, name, path)
    return json_lines.read(text, name, path)
