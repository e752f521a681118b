"""Reads the events of a run from its log; events.jsonl may be large, and may hold anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from regtui.files import open_events
from regtui.protocol.events import Event, parse

LONGEST_LINE = 2**23
"""Longest line read as an event, in bytes: an epoch of 400,000 steps, which takes about 100 MB of memory."""


def read_events(folder: Path) -> Iterator[Event]:
    """The events of a run, in order; an incomplete last line and events unknown to this version are skipped.

    Raises:
        OSError: They can't be read.
    """
    with open_events(folder) as file:
        for line in whole_lines(file):
            try:
                yield parse(line)
            except ValidationError:
                continue


def whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """The complete lines from the current position of `file`.

    A line longer than `LONGEST_LINE` is returned in pieces, none of which is an event.
    """
    while (line := file.readline(LONGEST_LINE)).endswith(b"\n") or len(line) == LONGEST_LINE:
        yield line
