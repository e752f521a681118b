"""Signals that would kill the program; we take them as a wish to stop the run and keep what was trained."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_OF_FAULTS = ("SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS", "SIGEMT", "SIGSTKFLT")
_OF_JOBS = ("SIGSTOP", "SIGTSTP", "SIGCONT", "SIGTTIN", "SIGTTOU")
_PASSED_OVER = ("SIGKILL", "SIGCHLD", "SIGURG", "SIGWINCH", "SIGINFO", "SIGPIPE", "SIGXFSZ")
"""Signals that can't be caught, do not end a process, or are turned into errors by Python."""


def ending() -> list[int]:
    """All signals that end a process which does not catch them, except those that report its own crashes.

    Among them are SIGINT, SIGTERM, SIGHUP, SIGQUIT, and SIGUSR1 and SIGUSR2, which Slurm sends before its time limit.
    A signal that was ignored when the program started, as `nohup` or a background job does, stays ignored.
    """
    others = {getattr(signal, name, None) for name in (*_OF_FAULTS, *_OF_JOBS, *_PASSED_OVER)}
    return sorted(n for n in signal.valid_signals() if n not in others and signal.getsignal(n) is not signal.SIG_IGN)


class Received:
    """The signals received so far.

    Attributes:
        first: The number of the first; 0 if there was none yet.
    """

    _TOGETHER = 0.25
    """Signals within so many seconds count as one: the same one may go to a process and to its group."""
    _HANG_UPS = 1.0
    """The same for SIGHUP, which the terminal sends, and a little later its shell."""

    def __init__(self) -> None:
        self.first = 0
        self._came = 0.0

    def again(self, number: int) -> bool:
        """Note a signal; returns whether it is a second one, so that the program should end at once."""
        now = time.monotonic()
        if not self.first:
            self.first, self._came = number, now
            return False
        return now > self._came + (self._HANG_UPS if number == getattr(signal, "SIGHUP", 0) else self._TOGETHER)


@contextmanager
def handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within this context `handler` takes the signals that ask a program to end; then whoever took them before does."""
    before = {number: signal.signal(number, handler) for number in ending()}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
