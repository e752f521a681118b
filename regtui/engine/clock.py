"""The clock of a run, which also notices when the whole program stood still: after Ctrl-Z, or by a scheduler."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TICK = 0.25
"""Seconds between two looks at the time."""
STOOD_STILL = 2.0
"""Whoever sleeps for a tick and wakes so many seconds later was suspended; on a busy machine it is late by less."""


class Clock:
    """Seconds since the start of a run, and how many of them the program was suspended.

    No signal tells it: a program that is stopped is not asked before, and the screen has handlers of its own.
    """

    def __init__(self, read: Callable[[], float] = time.perf_counter) -> None:
        """Start now; `read` tells the time in seconds."""
        self._read = read
        self._began = self._looked = read()
        self._suspended = self._told = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the start, all of them."""
        return self._read() - self._began

    @property
    def awake(self) -> float:
        """Seconds since the start without those in which the program was suspended."""
        return self.seconds - self._suspended

    def go_on_from(self, seconds: float) -> None:
        """Continue as if the start had been so many seconds ago."""
        self._began = self._read() - seconds

    def look(self) -> None:
        """Look at the time, a tick after the last look: a far longer gap was a suspension."""
        now = self._read()
        if (gap := now - self._looked) >= STOOD_STILL:
            self._suspended += gap - TICK
        self._looked = now

    def newly_suspended(self) -> float:
        """Seconds of suspension that were noticed since the last call."""
        noticed, self._told = self._suspended - self._told, self._suspended
        return noticed

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within this context a thread looks at the time, tick by tick."""
        over = threading.Event()
        self._looked = self._read()

        def watch() -> None:
            while not over.wait(TICK):
                self.look()

        thread = threading.Thread(target=watch, name="clock", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
