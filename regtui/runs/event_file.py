"""Writes events.jsonl, and notices and repairs damage to the file, so that no event is lost silently.

A file that training writes for hours can be removed, truncated or replaced, or its disk can become full or fail. Each
save first checks whether the file is the one written last. If not, it is written again: from the events in memory, or,
if there were too many to keep them all, from what is left of the old file if that is complete.

After a write or a sync that failed, nobody knows what of the file is on the disk: the system may have dropped what it
could not write, and tells of it only once. Such a file is written again, too. Only a full disk says how much it took.

A disk may take long, so events are added in one thread while another saves those that were there before.
"""

from __future__ import annotations

import errno
import hashlib
import math
import os
import stat
import threading
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from regtui.files import sync_folder
from regtui.protocol.events import Event, StepsDone

KEPT = 500_000
"""Step losses kept in memory in case the file must be written again: 4 MB. All other events are kept."""
OVERHEAD = 40
"""Memory of an event of steps without its losses, counted in losses."""
BLOCK = 2**20
"""Bytes copied at a time."""
_FULL = {errno.ENOSPC, errno.EDQUOT}


class _Packed(NamedTuple):
    """An event of steps without its losses, and these in a quarter of the memory, NaN for None."""

    event: StepsDone
    losses: array[float]

    def unpacked(self) -> StepsDone:
        """The event."""
        losses = [None if math.isnan(loss) else loss for loss in self.losses]
        return self.event.model_copy(update={"losses": losses})


_Kept = Event | _Packed | bytes | None
"""What is kept of an event: bytes are the line of an unknown one; None is steps that were dropped."""


class EventFile:
    """The events of a run, in memory, and the file that holds them.

    Attributes:
        lost: Step losses that are neither in a file nor in memory any more.
    """

    def __init__(self, path: Path, kept: Iterable[tuple[bytes, Event | None]] | None = None) -> None:
        """Begin an empty file, or one with the lines that are kept of a run that is resumed.

        Args:
            path: The file; if lines are kept, it is replaced at once, and synced.
            kept: Each line, and its event if it is one.

        Raises:
            OSError: It can't be written; what was there is as before.
        """
        self.lost = 0
        self._size = self._lines = 0
        self._in_doubt, self._synced = False, False
        self._written = hashlib.blake2b()
        self._events: list[_Kept] = []
        self._lock = threading.Lock()  # held for what is in memory, never for the disk
        self._saved = self._taken = 0  # of the events, those taken are in the file or being written
        self._dropped_when_taken = 0
        self._kept = 0
        self._looked_at = 0
        self._dropped = 0
        if kept is None:
            self._file = path.open("a+b", buffering=0)  # appending never leaves a gap, even if others write too
        else:
            self._file = self._begun_with(kept, path)

    def add(self, event: Event | bytes) -> None:
        """Add an event, or the line of an unknown one, which the next `save` writes."""
        with self._lock:
            if not isinstance(event, StepsDone):
                self._events.append(event)
                return
            losses = array("d", (math.nan if loss is None else loss for loss in event.losses))
            self._events.append(_Packed(event.model_copy(update={"losses": []}), losses))
            self._kept += OVERHEAD + len(losses)
            self._drop_old_steps()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can be written."""
        return self._file.closed

    @property
    def written(self) -> tuple[int, list[Event]]:
        """Bytes of the file that hold the saved events, and those that are only in memory, in order."""
        with self._lock:
            size, unsaved = self._size, self._events[self._saved :]
        events = (event.unpacked() if isinstance(event, _Packed) else event for event in unsaved)
        return size, [event for event in events if isinstance(event, Event)]

    def save(self, path: Path) -> str:
        """Write all events to the file at `path`.

        Returns:
            What had happened to the file if it had to be written again; else an empty text.

        Raises:
            OSError: Not all events could be written; the rest stays in memory.
        """
        happened = self._what_happened(path)
        if happened:
            self._write_anew(path)
        with self._lock:
            events = self._events[self._saved :]
            self._taken, self._dropped_when_taken = len(self._events), 0
        new = b"".join(map(_line, events))
        try:
            _write(self._file.fileno(), new)
        except OSError as error:
            self._in_doubt = error.errno not in _FULL
            with suppress(OSError):  # the next save notices, and writes the file again
                self._file.truncate(self._size)
            with self._lock:
                self._taken = self._saved
                self.lost += self._dropped_when_taken
            raise
        self._synced = self._synced and not new
        self._lines += new.count(b"\n")
        self._written.update(new)
        with self._lock:
            self._size += len(new)
            self._saved = self._taken
        return happened

    def sync(self) -> int:
        """Sync to disk what was saved; returns how many lines the file has.

        Raises:
            OSError: It failed; some file systems report a full disk only then. The next `save` writes the file anew.
        """
        try:
            if not self._synced:
                os.fsync(self._file.fileno())
        except OSError:
            self._in_doubt = True
            raise
        self._synced = True
        return self._lines

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        with suppress(OSError):  # what had been written was synced before, or it was said that it could not be
            self._file.close()

    def _begun_with(self, kept: Iterable[tuple[bytes, Event | None]], path: Path) -> FileIO:
        """The file at `path`, replaced by one with these lines."""
        temporary = path.with_suffix(".tmp")
        temporary.unlink(missing_ok=True)
        file = temporary.open("a+b", buffering=0)
        try:
            for line, event in kept:
                _write(file.fileno(), line)
                self._written.update(line)
                self._size, self._lines = self._size + len(line), self._lines + line.count(b"\n")
                self._saved = self._taken = self._saved + 1
                self.add(line if event is None else event)
            os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        except BaseException:
            file.close()
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        self._synced = True
        return file

    def _what_happened(self, path: Path) -> str:
        """What happened to the file at `path` since the last save; empty if nothing did."""
        try:
            there = path.lstat()
        except FileNotFoundError:
            return "was removed"
        try:
            own = os.fstat(self._file.fileno())
        except OSError:  # a network share has come back with other handles
            return "could no longer be reached"
        if not stat.S_ISREG(there.st_mode) or not os.path.samestat(there, own):
            return "was replaced"
        if own.st_size != self._size:
            return "was cut short" if own.st_size < self._size else "was changed"
        return "could not be written or synced" if self._in_doubt else ""

    def _write_anew(self, path: Path) -> None:
        """Replace the file at `path` by a complete new one, atomically, and sync it to disk."""
        temporary = path.with_suffix(".tmp")
        try:
            temporary.unlink(missing_ok=True)
            file = temporary.open("a+b", buffering=0)
            try:
                size, lines, written = 0, 0, hashlib.blake2b()
                with self._lock:
                    lost, dropped, events = self.lost, self._dropped, self._events[: self._saved]
                from_memory = not dropped or not self._is_whole()
                for block in map(_line, events) if from_memory else self._from_file():
                    _write(file.fileno(), block)
                    size += len(block)
                    lines += block.count(b"\n")
                    written.update(block)
                os.fsync(file.fileno())
                temporary.replace(path)
                sync_folder(path.parent)
            except BaseException:
                file.close()
                raise
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        with suppress(OSError):
            self._file.close()
        with self._lock:
            self._file, self._size, self._lines, self._written = file, size, lines, written
            if from_memory:
                self.lost += dropped - lost
        self._in_doubt, self._synced = False, True

    def _is_whole(self) -> bool:
        """Whether the open file is still complete, even if it was renamed or removed."""
        found = hashlib.blake2b()
        try:
            for block in self._from_file():
                found.update(block)
        except OSError:
            return False
        return found.digest() == self._written.digest()

    def _from_file(self) -> Iterator[bytes]:
        self._file.seek(0)
        left = self._size
        while left > 0 and (block := self._file.read(min(BLOCK, left))):
            yield block
            left -= len(block)

    def _drop_old_steps(self) -> None:
        """Drop the oldest losses if there are too many; those not in a file are lost."""
        while self._kept > KEPT and self._looked_at < len(self._events):
            event = self._events[self._looked_at]
            if isinstance(event, _Packed):
                self._kept -= OVERHEAD + len(event.losses)
                self._dropped += len(event.losses)
                if self._looked_at >= self._taken:
                    self.lost += len(event.losses)
                elif self._looked_at >= self._saved:
                    self._dropped_when_taken += len(event.losses)
                self._events[self._looked_at] = None
            self._looked_at += 1


def _line(event: _Kept) -> bytes:
    if event is None or isinstance(event, bytes):
        return event or b""
    return (event.unpacked() if isinstance(event, _Packed) else event).model_dump_json().encode() + b"\n"


def _write(descriptor: int, data: bytes) -> None:
    """Write everything; a single write may be partial when the disk becomes full."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
