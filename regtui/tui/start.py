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

from regtui.console import complain, say
from regtui.errors import InputError, RegtuiError
from regtui.preset.model import Preset
from regtui.tui.app import RegtuiApp
from regtui.tui.look import plain
from regtui.tui.run.training import ProcessTraining

RARELY = 100
"""Looks for garbage among younger objects before one among all; Python's own 10 would hold up keys."""
LAST_MOMENT = 2.0
"""Seconds after which the program ends even if the terminal takes nothing any more."""


class _Program(RegtuiApp):
    """The program with a process to end."""

    def on_load(self) -> None:
        """Take what ends a program as a wish to keep the run."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.end_by_signal, number)
        threading.Thread(target=self._await_hang_up, args=(loop,), name="hang-up", daemon=True).start()

    def _await_hang_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """See that the terminal has gone, also where no SIGHUP says so, as below a shell that has disowned this."""
        poll = select.poll()
        poll.register(sys.stdin.fileno(), 0)  # errors and a hang-up are told in any case
        if any(event & select.POLLHUP for _, event in poll.poll()) and not self.signal:
            loop.call_soon_threadsafe(self.end_by_signal, signal.SIGHUP)

    def leave(self) -> None:
        """End the program, and the process in any case: writing to a terminal that has gone can wait for ever."""
        super().leave()
        if self.signal == signal.SIGHUP:
            os._exit(self.exit_code)
        watchdog = threading.Timer(LAST_MOMENT, os._exit, (self.exit_code,))
        watchdog.daemon = True
        watchdog.start()


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
        raise InputError("the screen needs a terminal to read keys from; add --headless to do without")
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
