"""Writes to the terminal in a thread, so that nobody ever waits for a terminal that is slow, stalled, or gone."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

MOST_WAITING = 30
"""So many pieces wait at most; a terminal that lags behind further gets the whole screen later instead."""
LAST_MOMENT = 1.0
"""Seconds that a terminal has at the end to read what it has not read yet."""


class Output(threading.Thread):
    """What is to be written to a terminal, and the thread that writes it.

    A terminal that does not read, as over an SSH connection that stands still, blocks whoever writes to
    it; here that is only this thread. What does not fit meanwhile is dropped, and when the terminal has read all the
    rest, it has to be drawn anew.

    Attributes:
        draw_anew: Called in this thread when a terminal that has missed something has read all the rest.
    """

    def __init__(self, file: TextIO) -> None:
        """Set up; `start` begins to write to `file`, a terminal."""
        super().__init__(name="textual-output", daemon=True)
        self.draw_anew: Callable[[], object] = lambda: None
        file.flush()
        # Ours, so that what waits reaches the terminal even if stdout is sent somewhere else meanwhile.
        self._fileno = os.dup(file.fileno())
        self._encoding, self._errors = file.encoding, file.errors or "strict"
        self._waiting: deque[str] = deque()
        self._changed = threading.Condition()
        self._over = self._missed = self._gone = False

    def write(self, data: str, *, always: bool = False) -> None:
        """Write `data` after what waits; unless it is to be written `always`, it is dropped if too much waits."""
        with self._changed:
            if self._over or self._gone:
                return
            if not always and (self._missed or len(self._waiting) >= MOST_WAITING):
                self._missed = True
                return
            self._waiting.append(data)
            self._changed.notify_all()

    def stop(self) -> bool:
        """Take no more; returns whether the terminal has read in time what waited, or has gone.

        If it has not, what waits is written when it reads again.
        """
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self.join(LAST_MOMENT)
        return not self.is_alive()

    def run(self) -> None:
        """Write until `stop` was called and nothing waits."""
        while (data := self._next()) is not None:
            try:
                self._put(data.encode(self._encoding, self._errors))
            except OSError:  # the terminal was closed
                with self._changed:
                    self._gone = True
                    self._waiting.clear()
        with suppress(OSError):
            os.close(self._fileno)

    def _next(self) -> str | None:
        """Wait for what is next; None if nothing more will come."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._missed or self._over)
                if self._waiting:
                    return self._waiting.popleft()
                if self._over:
                    return None
                self._missed = False
            self.draw_anew()

    def _put(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._fileno, data) :]
            except BlockingIOError:  # another program that has this terminal does not want to wait for it
                select.select([], [self._fileno], [])
