"""A run's events as they are written: read from where the last reading ended, whole lines only."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pydantic import ValidationError

from regtui.files import open_events
from regtui.protocol.events import Event, StepsDone, parse
from regtui.runs.log import whole_lines

BLOCK = 2**20
"""Bytes read at a time: few enough that others have their turn soon, and that the first events are there at once."""
_STEPS = re.compile(rb'\{"t":[^,]{1,30},"kind":"steps_done"')
"""How a line of steps begins."""


class Follower:
    """Reads a run that may still be written by another process. It never writes."""

    def __init__(self, folder: Path, *, without_steps: bool = False) -> None:
        """Begin before the first event of the run in `folder`.

        Args:
            folder: The run's.
            without_steps: Leave out the losses of steps, nearly all of a log, without looking into them.
        """
        self._folder = folder
        self._without_steps = without_steps
        self._offset = 0

    def new_events(self, at_most: int = BLOCK) -> list[Event]:
        """The events since the last call, in order; a torn last line waits for its rest.

        Args:
            at_most: Bytes to look into, and more up to the first event's end; call again until nothing comes.

        Raises:
            OSError: The file can't be read.
        """
        events: list[Event] = []
        with open_events(self._folder) as file:
            if file.seek(0, os.SEEK_END) < self._offset:  # another file has taken its place
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
        except ValidationError:  # no event that this version knows
            return
        if not (self._without_steps and isinstance(event, StepsDone)):
            events.append(event)
