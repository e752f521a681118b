"""Does what a disk may keep waiting, in a thread of its own, so that nobody need wait for a disk that does not answer.

A call to such a disk, as to a network share that has gone away, does not fail: it does not return. Nothing can end it
but the disk, so whoever has asked goes on without it, and asks again later.
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from regtui.text import one_line

Result = TypeVar("Result")

PATIENCE = 4.0
"""Seconds of waiting for an answer; less than a stop waits for a process."""
SLOWEST = 5e6
"""Bytes a second that a disk writes at least if it answers at all."""
TICKS = 10
"""Looks in the time of patience."""


def slow(where: Path) -> str:
    """That a disk keeps somebody waiting, who does not know whether it answers at all; `where` is a folder on it."""
    return f"the disk does not answer, or takes long ({one_line(where)})"


class HangsError(OSError):
    """The disk does not answer; what was asked of it may still be done when it does."""

    def __init__(self) -> None:
        super().__init__(None, "the disk does not answer")  # with no number of the system's, which has said nothing


class Disk:
    """Carries out one job at a time; call it with each, always in the same thread.

    Attributes:
        silent: Called some times a second by a call that waits for longer than its patience; an error that it raises
            ends the waiting. By default that is a `HangsError`.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        """Set up; its thread begins with the first job.

        Args:
            patience: Seconds that a call waits, and more for many bytes.
        """
        self.silent: Callable[[], object] = give_up
        self._patience, self._tick = patience, patience / TICKS
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._done = threading.Event()  # of the newest job that was waited for
        self._done.set()
        self._hangs = self._has_begun = False

    def __call__(self, job: Callable[[], Result], size: int = 0) -> Result:
        """The result of a job, in which any error is raised as if it had been carried out here.

        A job that was given up may still be carried out, while its caller goes on: it must not matter to it what has
        changed meanwhile. As long as it is not over, each later call gives up at once.

        Args:
            job: What is asked of the disk.
            size: Bytes that it writes.

        Raises:
            HangsError: The disk does not answer.
        """
        self._wait(0)
        outcome: list[Result] = []
        errors: list[BaseException] = []
        done = self._done = threading.Event()

        def carry_out() -> None:
            try:
                outcome.append(job())
            except BaseException as error:
                errors.append(error)
            done.set()

        self.later(carry_out)
        self._wait(size)
        if errors:
            raise errors[0]
        return outcome[0]

    def later(self, job: Callable[[], object]) -> None:
        """Have a job that raises nothing carried out when the disk answers; it is not waited for."""
        if not self._has_begun:
            threading.Thread(target=_work, args=(self._jobs,), name="disk", daemon=True).start()
            weakref.finalize(self, self._jobs.put, None)  # the thread ends with this object
            self._has_begun = True
        self._jobs.put(job)

    def _wait(self, size: int) -> None:
        """Wait until the newest job is over."""
        patience, waited = self._patience + size / SLOWEST, 0.0
        while not self._done.is_set():
            if self._hangs or waited >= patience:
                self._hangs = True
                self.silent()
            self._done.wait(self._tick)
            waited += self._tick  # and not by the clock: the whole program may have stood still
        self._hangs = False


def _work(jobs: queue.SimpleQueue[Callable[[], object] | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
        job = None  # it may hold what is to be freed


def give_up() -> None:
    """Wait no longer."""
    raise HangsError
