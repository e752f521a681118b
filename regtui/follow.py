"""A run's events as they are written: read from where the last reading ended, whole lines only."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from regtui.events import Event, parse


class Follower:
    """Reads a run that may still be written by another process. It never writes."""

    def __init__(self, folder: Path) -> None:
        """Begin before the first event of the run in `folder`."""
        self._path = folder / "events.jsonl"
        self._offset = 0
        self.skipped = 0
        """Lines that are no event that this version knows."""

    def new_events(self, at_most: int = 2**24) -> list[Event]:
        """The events since the last call, in order; a torn last line waits for its rest.

        Args:
            at_most: Bytes to read; call again until nothing comes.

        Raises:
            OSError: The file can't be read.
        """
        with self._path.open("rb") as file:
            if file.seek(0, 2) < self._offset:  # another file has taken its place
                self._offset = 0
            file.seek(self._offset)
            block = file.read(at_most)
            if block and b"\n" not in block:  # a line longer than that
                block += file.readline()
        whole = block.rfind(b"\n") + 1
        self._offset += whole
        events = []
        for line in block[:whole].split(b"\n")[:-1]:
            try:
                events.append(parse(line))
            except ValidationError:
                self.skipped += 1
        return events
