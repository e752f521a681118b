"""What viewers are still to be told: the events of a run, as they come, and those that its file does not have yet.

The thread that trains tells the events, and never waits for a viewer: it appends to a list for each of them, and a
viewer whose list becomes too long is let go.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

from regtui.protocol.events import Event, RunFinished, StepsDone
from regtui.runs.event_file import KEPT, OVERHEAD
from regtui.runs.log import RunLog

BLOCK = 2**16
"""Bytes that are taken for a viewer at a time, or more to complete an event."""


class Feed:
    """The events of one run for its viewers.

    Attributes:
        folder: The run's folder, where it was when the log was last written.
        goes_on: Whether the run began and has not ended.
        wake: Called by the thread that trains when there is something new for a viewer.
    """

    def __init__(self, log: RunLog) -> None:
        """Begin with the events that the log has."""
        self.folder = log.folder
        self.goes_on = False
        self.wake: Callable[[], object] = lambda: None
        self._size, self._behind = log.written
        self._inboxes: set[Inbox] = set()
        self._lock = threading.Lock()  # held only to append and to copy a list

    def tell(self, event: Event, log: RunLog) -> None:
        """Take an event, in the thread that trains, after the log has got it.

        When the run ends, the log gets what is to be told of that before it is told here; viewers that come then are
        told it as well, whatever is in the file.
        """
        self.goes_on = not isinstance(event, RunFinished)
        entry = _Entry(event)
        written = None
        if not isinstance(event, StepsDone) and not log.is_closed:  # steps are written later
            self.folder = log.folder
            written = log.written
        with self._lock:
            if written is None:
                self._behind.append(event)
            else:
                self._size, self._behind = written
            for inbox in self._inboxes:
                inbox.add(entry)
            watched = bool(self._inboxes)
        if watched:
            self.wake()

    def watch(self) -> Inbox:
        """An inbox that gets all events that the file doesn't have, and all that come."""
        with self._lock:
            inbox = Inbox(self.folder, self._size, self._behind, self._lock)
            self._inboxes.add(inbox)
        return inbox

    def leave(self, inbox: Inbox) -> None:
        """Add no more to this inbox."""
        with self._lock:
            self._inboxes.discard(inbox)


class Inbox:
    """What a viewer is still to be told.

    Attributes:
        folder: The run's folder.
        size: Bytes of its events.jsonl that hold the events before those in this inbox.
        lost: Whether it took in too little, so that it lacks events now.
    """

    def __init__(self, folder: Path, size: int, behind: Iterable[Event], lock: threading.Lock) -> None:
        """Begin with the events that the file lacks; the feed's `lock` guards the others."""
        self.folder, self.size = folder, size
        self.lost = False
        self._first = deque(behind)
        self._lock = lock
        self._entries: deque[_Entry] = deque()
        self._weight = 0

    def add(self, entry: _Entry) -> None:
        """Add an event; called with the lock."""
        if self.lost:
            return
        self._entries.append(entry)
        self._weight += entry.weight
        if self._weight > KEPT:
            self.lost = True
            self._entries.clear()

    def take(self) -> bytes:
        """The next lines for the viewer; empty when there is nothing new."""
        lines: list[bytes] = []
        size = 0
        while size < BLOCK and (line := self._next()):
            lines.append(line)
            size += len(line)
        return b"".join(lines)

    def _next(self) -> bytes:
        if self._first:
            return _Entry(self._first.popleft()).line
        with self._lock:
            if not self._entries:
                return b""
            entry = self._entries.popleft()
            self._weight -= entry.weight
        return entry.line


class _Entry:
    """An event, with its line, which is made once for all viewers, and not by the thread that trains."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self.weight = OVERHEAD + (len(event.losses) if isinstance(event, StepsDone) else 0)

    @cached_property
    def line(self) -> bytes:
        from regtui.remote.wire import event_line  # 9 ms, for which the first screen need not wait

        return event_line(self._event)
