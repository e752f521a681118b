"""From the command line to the screen and back: what is said on the normal screen when the program has left its own."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from textual.driver import Driver

from regtui.console import complain, has_glyphs, say
from regtui.engine.process import kill_all
from regtui.errors import InputError, RegtuiError
from regtui.preset.model import Preset
from regtui.signals import Received, ending
from regtui.tui.app import BY_SIGNAL, RegtuiApp
from regtui.tui.look import plain
from regtui.tui.run.training import ProcessTraining
from regtui.tui.terminal import TerminalDriver

RARELY = 100
"""Looks for garbage among younger objects before one among all; Python's own 10 would hold up keys."""
AT_ONCE = 1.0
"""Seconds after which a second signal has ended the program."""
LAST_MOMENT = 2.0
"""Seconds after which the program ends even if the terminal takes nothing any more."""


class _Program(RegtuiApp):
    """The program with a process to end."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._received = Received()
        self._loop: asyncio.AbstractEventLoop | None = None

    def get_driver_class(self) -> type[Driver]:
        """Draw on stdout."""
        return TerminalDriver

    def on_load(self) -> None:
        """Take what ends a program as a wish to keep the run, from before the terminal is changed."""
        self._loop = asyncio.get_running_loop()
        for number in ending():
            signal.signal(number, self._on_signal)
        threading.Thread(target=self._await_hang_up, name="hang-up", daemon=True).start()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """In order at the first signal, at once at a second: it comes here also while the screen is busy."""
        if self._received.again(number):
            self._end_at_once(BY_SIGNAL + number)
        elif self._loop is not None and not self._loop.is_closed() and not self.signal:
            self._loop.call_soon_threadsafe(self.end_by_signal, number)

    def _end_at_once(self, code: int) -> None:
        watchdog = threading.Timer(AT_ONCE, os._exit, (code,))  # a terminal that takes nothing would hold it up
        watchdog.daemon = True
        watchdog.start()
        if isinstance(self._driver, TerminalDriver):
            self._driver.restore_at_once()
        kill_all()
        os._exit(code)

    def _await_hang_up(self) -> None:
        """See that the terminal has gone, also where no SIGHUP says so, as below a shell that has disowned this."""
        poll = select.poll()
        poll.register(sys.stdin.fileno(), 0)  # errors and a hang-up are told in any case
        if any(event & select.POLLHUP for _, event in poll.poll()) and not self.signal and self._loop is not None:
            self._loop.call_soon_threadsafe(self.end_by_signal, signal.SIGHUP)

    def leave(self) -> None:
        """End the program, and the process in any case: writing to a terminal that has gone can wait for ever."""
        super().leave()
        if self.signal and _has_gone(sys.stdin.fileno()):
            os._exit(self.exit_code)
        watchdog = threading.Timer(LAST_MOMENT, os._exit, (self.exit_code,))
        watchdog.daemon = True
        watchdog.start()


def _has_gone(terminal: int) -> bool:
    """Whether a terminal is there no more."""
    poll = select.poll()
    poll.register(terminal, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def show(
    preset: Preset | None,
    logs: Path,
    *,
    start: bool = False,
    quit_when_done: bool = False,
    ascii_only: bool = False,
    threads: int | None = None,
    debug: bool = False,
    review: Sequence[Path] | None = None,
) -> int:
    """Open the screen; when it has closed, print the verdict and the log's place. Returns the exit code.

    The arguments are those of `RegtuiApp`, `threads`, with how many a process computes, and `debug`: show tracebacks.

    Raises:
        InputError: There is no terminal to type into.
        RegtuiError: The screen itself failed.
    """
    if not sys.stdin.isatty():
        without = "add --headless to do without" if review is None else "'regtui runs' lists saved runs without one"
        raise InputError(f"the screen needs a terminal to read keys from; {without}")
    ascii_only = ascii_only or not has_glyphs(sys.stdout)
    app = _Program(
        logs,
        preset,
        start=start,
        quit_when_done=quit_when_done,
        ascii_only=ascii_only,
        training=ProcessTraining(threads),
        review=review,
    )
    # What has been imported stays: each look for garbage in it would hold up a key by 30 ms. One through ten thousand
    # saved runs takes longer; closed screens, which need it, are looked for when nobody types (app.py).
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, RARELY)
    code = app.run()
    for number in ending():  # nothing is left to keep
        signal.signal(number, signal.SIG_DFL)
    session = app.session
    if app.failure:
        if debug:
            complain(app.failure)
        kept = f"; what was trained is in {session.folder}" if session is not None and session.folder else ""
        raise RegtuiError(f"the screen failed: {app.failure.strip().splitlines()[-1]}{kept}; --debug shows where")
    if session is not None:
        for line in session.outcome():
            say(plain(line) if ascii_only else line)
        if debug and session.traceback:
            complain(session.traceback)
    return app.exit_code if code is None else code
