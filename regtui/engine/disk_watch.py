"""Tells that the disk keeps a run waiting, as a network share that has gone away does.

A call to such a disk does not fail, it does not return. The thread that trains saves, so it waits, and nothing is lost;
but it can't tell anybody. That is done here, from a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

PATIENCE = 10.0
"""Seconds of waiting that are never told."""


class DiskWatch:
    """Watches over what one thread saves, within its own context."""

    def __init__(self, waits: Callable[[float], object], answers: Callable[[float], object], patience: float) -> None:
        """Set up; the thread begins with the context.

        Args:
            waits: Told in the thread of the watch for how many seconds nothing has come back, and again each time that
                has doubled.
            answers: Told in the thread that saves, after such a wait, how many seconds it took.
            patience: Seconds of waiting that are never told.
        """
        self._waits, self._answers = waits, answers
        self._patience, self._tick = patience, patience / 10
        self._lock = threading.Lock()
        self._saving = False
        self._waited = self._next = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="disk watch", daemon=True)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Something is saved within this context."""
        if self._saving:  # within another save
            yield
            return
        with self._lock:
            self._saving, self._waited, self._next = True, 0.0, self._patience
        try:
            yield
        finally:
            with self._lock:
                self._saving = False
                told = self._next > self._patience
        if told:
            self._answers(self._waited)

    def _look(self) -> None:
        while not self._over.wait(self._tick):
            with self._lock:  # within it, so that nothing is told after the answer has come
                self._waited += self._tick  # and not by the clock: the whole program may have stood still
                if self._saving and self._waited >= self._next:
                    self._next *= 2
                    self._waits(self._waited)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
