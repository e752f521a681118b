"""Follows the events of a run while they are written, reading whole lines from where the last call ended."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pydantic import ValidationError

from regtui.files import open_events
from regtui.protocol.events import Event, StepsDone, parse
from regtui.runs.events import whole_lines

BLOCK = 2**20
"""Bytes read at a time: few, so that other work is not delayed and the first events appear at once."""
_STEPS = re.compile(rb'\{"t":[^,]{1,30},"kind":"steps_done"')
"""The beginning of a line with an event of steps."""


class Follower:
    """Reads a run that another process may still write. It never writes itself."""

    def __init__(self, folder: Path, *, without_steps: bool = False) -> None:
        """Start at the first event of the run in `folder`.

        Args:
            folder: The run's.
            without_steps: Skip the events of steps, which are most of a log, without parsing them.
        """
        self._folder = folder
        self._without_steps = without_steps
        self._offset = 0

    def new_events(self, at_most: int = BLOCK) -> list[Event]:
        """The events since the last call, in order; an incomplete last line is left for the next call.

        Args:
            at_most: Bytes to read, or more to complete the first event; call again until nothing is returned.

        Raises:
            OSError: The file can't be read.
        """
        events: list[Event] = []
        with open_events(self._folder) as file:
            if file.seek(0, os.SEEK_END) < self._offset:  # the file was replaced
                self._offset = 0
            file.seek(self._offset)
            for line in whole_lines(file):
                self._offset += len(line)
                if self._without_steps and _STEPS.match(line):
                    continue
                self._parse(line, events)
                at_most -= len(line)
                if events and at_most <= 0:
                    break
        return events

    def _parse(self, line: bytes, events: list[Event]) -> None:
        try:
            event = parse(line)
        except ValidationError:  # not an event known to this version
            return
        if not (self._without_steps and isinstance(event, StepsDone)):
            events.append(event)
