"""Signals: which ask the program to end, and how it ends: in order at the first, at once at a second or after 5 s."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

_OF_FAULTS = ("SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS", "SIGEMT", "SIGSTKFLT")
_OF_JOBS = ("SIGSTOP", "SIGTSTP", "SIGCONT", "SIGTTIN", "SIGTTOU")
_PASSED_OVER = ("SIGKILL", "SIGCHLD", "SIGURG", "SIGWINCH", "SIGINFO", "SIGPIPE", "SIGXFSZ")
"""Signals that can't be caught, do not end a process, or are turned into errors by Python."""
_HANG_UP: int | None = getattr(signal, "SIGHUP", None)
_REPEATED: int | None = getattr(signal, "SIGXCPU", None)
"""The system sends it each second, once a process has used the processor for as long as it may."""

IN_ORDER = 5.0
"""Seconds that a program has to end in order, from the first signal on."""
AT_ONCE = 1.0
"""Seconds that it has to end at once, from then or from a second signal on; whatever it does then, it is cut off."""
TOGETHER = 0.25
"""Signals within so many seconds count as one: the same one may go to a process and to its group."""


def deadly() -> list[int]:
    """All signals that end a process which does not catch them, except those that report its own crashes.

    Among them are SIGINT, SIGTERM, SIGHUP, SIGQUIT, and SIGUSR1 and SIGUSR2, which Slurm sends before its time limit.
    A signal that was ignored when the program started, as `nohup` or a background job does, stays ignored.
    """
    others = {getattr(signal, name, None) for name in (*_OF_FAULTS, *_OF_JOBS, *_PASSED_OVER)}
    return sorted(n for n in signal.valid_signals() if n not in others and signal.getsignal(n) is not signal.SIG_IGN)


def ending() -> list[int]:
    """Those that ask the program to end. SIGHUP does not: it says that the terminal has gone, and the work goes on."""
    return [number for number in deadly() if number != _HANG_UP]


def survive_hang_ups() -> None:
    """Let no SIGHUP end this program any more, also before a run takes signals and after it has ended."""
    if _HANG_UP in deadly():
        signal.signal(_HANG_UP, lambda *_: None)


class Ending:
    """Ends the program when signals ask for it. Use it as a context manager, in the main thread.

    In order at the first signal; at once at a second one, or when the order takes more than 5 s; after another second,
    or at a third signal, the program is cut off. SIGHUP ends nothing.

    All of that happens in a thread of its own, which the system tells directly: the main thread takes note of a signal
    only between two steps of Python, and a disk or a terminal that hangs may keep it from that for ever.

    Attributes:
        first: The number of the first signal; 0 as long as there was none.
        second: That of a second one, which did not come together with the first.
    """

    def __init__(
        self,
        in_order: Callable[[], object],
        at_once: Callable[[], object],
        cut_off: Callable[[int], object],
        in_main: Callable[[int], object] = lambda _number: None,
    ) -> None:
        """Take what is to be done.

        Args:
            in_order: Has the program end in order; called, as the next two, in the thread.
            at_once: Has it end at once.
            cut_off: Ends it in the middle of whatever it does; receives the number of the last signal.
            in_main: Called with each signal, in the main thread, when that comes to it.
        """
        self.first = self.second = 0
        self._in_order, self._at_once, self._cut_off, self._in_main = in_order, at_once, cut_off, in_main
        self._counted_at = 0.0

    def __enter__(self) -> Self:
        self._told, self._tell = socket.socketpair()
        self._tell.setblocking(False)
        self._fd_before = signal.set_wakeup_fd(self._tell.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._pass_on) for number in deadly()}
        self._thread = threading.Thread(target=self._watch, name="signals", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        for number, earlier in self._before.items():
            signal.signal(number, earlier)
        signal.set_wakeup_fd(self._fd_before)
        self._tell.close()  # the thread takes in what came before, and ends
        self._thread.join()
        self._told.close()

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        if number != _HANG_UP:
            self._in_main(number)

    def _watch(self) -> None:
        """Take signals as they come."""
        first = self._next(None)
        if not first:
            return
        self.first = first
        self._in_order()
        second = self._next(IN_ORDER)
        if second is None:
            return
        self.second = second
        self._at_once()
        self._wake_main()
        third = self._next(AT_ONCE)
        if third is not None:
            self._cut_off(third or second or first)

    def _wake_main(self) -> None:
        """Have the main thread return from a call that waits, such as writing to what nobody reads."""
        if _HANG_UP in self._before and (main := threading.main_thread().ident) is not None:
            signal.pthread_kill(main, _HANG_UP)

    def _next(self, seconds: float | None) -> int | None:
        """The next signal that counts; 0 if there is none within so many seconds, None if none will come any more."""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            self._told.settimeout(None if until is None else max(1e-3, until - time.monotonic()))
            try:
                told = self._told.recv(1)
            except TimeoutError:
                return 0
            if not told:
                return None
            number = told[0]
            if number == _HANG_UP or number not in self._before:
                continue
            now = time.monotonic()
            if self.first and (number == _REPEATED or now < self._counted_at + TOGETHER):
                continue
            self._counted_at = now
            return number


@contextmanager
def stopping_shows(show: Callable[[], object], hide: Callable[[], object]) -> Iterator[None]:
    """Within this context Ctrl-Z calls `show` before the program stands still, and `hide` when it goes on.

    Where SIGTSTP is ignored, or is not known, nothing of it happens.
    """
    number: int | None = getattr(signal, "SIGTSTP", None)
    if number is None or signal.getsignal(number) is not signal.SIG_DFL:
        yield
        return

    def stand_still(number: int, _frame: FrameType | None) -> None:
        show()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # it goes on below when somebody sends SIGCONT
        signal.signal(number, stand_still)
        hide()

    signal.signal(number, stand_still)
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_DFL)
