"""The signals that would end the program without a word, and are taken for a wish to stop and keep instead."""

from __future__ import annotations

import signal
import time

_OF_FAULTS = ("SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS", "SIGEMT", "SIGSTKFLT")
_OF_JOBS = ("SIGSTOP", "SIGTSTP", "SIGCONT", "SIGTTIN", "SIGTTOU")
_PASSED_OVER = ("SIGKILL", "SIGCHLD", "SIGURG", "SIGWINCH", "SIGINFO", "SIGPIPE", "SIGXFSZ")
"""What can't be caught, what ends nothing by itself, and what Python makes errors of."""


def ending() -> list[int]:
    """All signals that end a process which does not catch them, but those that tell of its own faults.

    Among them are SIGINT, SIGTERM, SIGHUP, SIGQUIT, and SIGUSR1 and SIGUSR2, which Slurm sends before its limit.
    Whoever started the program with one of them ignored, as a script does with a job in the background, meant it.
    """
    others = {getattr(signal, name, None) for name in (*_OF_FAULTS, *_OF_JOBS, *_PASSED_OVER)}
    return sorted(n for n in signal.valid_signals() if n not in others and signal.getsignal(n) is not signal.SIG_IGN)


class Received:
    """The signals that have come.

    Attributes:
        first: The first of them; 0 before there is one.
    """

    _TOGETHER = 0.25
    """Seconds within which signals are one wish: to the process and to its group, say."""
    _HANG_UPS = 1.0
    """The same for SIGHUP, which the terminal sends, and its shell too, once that comes to it."""

    def __init__(self) -> None:
        self.first = 0
        self._came = 0.0

    def again(self, number: int) -> bool:
        """Take in a signal; whether somebody sends it because the first is not enough, and wants the end at once."""
        now = time.monotonic()
        if not self.first:
            self.first, self._came = number, now
            return False
        return now > self._came + (self._HANG_UPS if number == getattr(signal, "SIGHUP", 0) else self._TOGETHER)
