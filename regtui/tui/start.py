"""Opens the screen from the command line, and prints the outcome when it has closed."""

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
from regtui.engine.child import kill_all
from regtui.errors import InputError, RegtuiError
from regtui.preset.model import Preset
from regtui.settings import Known, remember
from regtui.signals import Received, deadly
from regtui.study.folder import StudyFolder
from regtui.tui.app import BY_SIGNAL, RegtuiApp
from regtui.tui.background import Question
from regtui.tui.escapes import copied, notification
from regtui.tui.look import plain
from regtui.tui.run.training import ProcessTraining
from regtui.tui.study.desk import StudyRunner
from regtui.tui.terminal import TerminalDriver

RARELY = 100
"""Garbage collections of younger objects before a full one; with Python's default of 10 keys would lag."""
AT_ONCE = 1.0
"""Seconds within which a second signal ends the program."""
LAST_MOMENT = 2.0
"""Seconds after which the program ends even if the terminal accepts no more output."""


class _Program(RegtuiApp):
    """The app together with the process it runs in."""

    def __init__(self, *args: Any, bell: bool, **more: Any) -> None:
        super().__init__(*args, **more)
        self._bell = bell
        self._received = Received()
        self._loop: asyncio.AbstractEventLoop | None = None

    def get_driver_class(self) -> type[Driver]:
        """Draw on stdout."""
        return TerminalDriver

    def watch_state(self, state: str) -> None:
        """Let the terminal's title say it."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.entitle(self._shown(f"regtui {state}".rstrip()))

    def ring(self, words: str) -> None:
        """Ring the terminal's bell, and notify the desktop."""
        if self._bell and isinstance(self._driver, TerminalDriver):
            self._driver.tell(notification(self._shown(words)))

    def copy_to_clipboard(self, text: str) -> None:
        """Copy through tmux or screen too."""
        self._clipboard = text
        if isinstance(self._driver, TerminalDriver):
            self._driver.tell(copied(text))

    def _shown(self, words: str) -> str:
        return plain(words) if self._plain else words

    def on_load(self) -> None:
        """Handle the signals that would kill the program, before the terminal is changed."""
        self._loop = asyncio.get_running_loop()
        for number in deadly():
            signal.signal(number, self._on_signal)
        threading.Thread(target=self._await_hang_up, name="hang-up", daemon=True).start()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End in order at the first signal and at once at a second; this also works while the screen is busy."""
        if self._received.again(number):
            self._end_at_once(BY_SIGNAL + number)
        elif self._loop is not None and not self._loop.is_closed() and not self.signal:
            self._loop.call_soon_threadsafe(self.end_by_signal, number)

    def _end_at_once(self, code: int) -> None:
        watchdog = threading.Timer(AT_ONCE, os._exit, (code,))  # a terminal that accepts no output would block it
        watchdog.daemon = True
        watchdog.start()
        if isinstance(self._driver, TerminalDriver):
            self._driver.restore_at_once()
        kill_all()
        os._exit(code)

    def _await_hang_up(self) -> None:
        """Notice that the terminal was closed even without a SIGHUP, for example after `disown` in a shell."""
        poll = select.poll()
        poll.register(sys.stdin.fileno(), 0)  # errors and hang-ups are always reported
        if any(event & select.POLLHUP for _, event in poll.poll()) and not self.signal and self._loop is not None:
            self._loop.call_soon_threadsafe(self.end_by_signal, signal.SIGHUP)

    def leave(self) -> None:
        """End the app, and in any case the process: writing to a closed terminal can block for ever."""
        super().leave()
        if self.signal and _has_gone(sys.stdin.fileno()):
            os._exit(self.exit_code)
        watchdog = threading.Timer(LAST_MOMENT, os._exit, (self.exit_code,))
        watchdog.daemon = True
        watchdog.start()


def _has_gone(terminal: int) -> bool:
    """Whether a terminal was closed."""
    poll = select.poll()
    poll.register(terminal, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def show(
    preset: Preset | None,
    logs: Path,
    *,
    theme: Question | str,
    known: Known,
    start: bool = False,
    quit_when_done: bool = False,
    ascii_only: bool = False,
    bell: bool = True,
    threads: int | None = None,
    debug: bool = False,
    review: Sequence[Path] | None = None,
    study: StudyFolder | None = None,
    runner: StudyRunner | None = None,
) -> int:
    """Open the screen; when it has closed, print the verdict and where the log is. Returns the exit code.

    The arguments are those of `RegtuiApp`, and `theme` (its name, or the question to the terminal that decides),
    `threads` (threads of each process) and `debug` (show tracebacks).

    Raises:
        InputError: There is no terminal to type into.
        RegtuiError: The screen itself failed.
    """
    if not sys.stdin.isatty():
        without = "add --headless to do without" if review is None else "'regtui runs' lists saved runs without one"
        raise InputError(f"the screen needs a terminal to read keys from; {without}")
    ascii_only = ascii_only or not has_glyphs(sys.stdout)
    if isinstance(theme, Question):
        background = theme.answer()
        theme.close()
        TerminalDriver.question, theme = theme, background
    app = _Program(
        logs,
        preset,
        theme=theme,
        settings=known.settings,
        faults=known.faults,
        bell=bell,
        start=start,
        quit_when_done=quit_when_done,
        ascii_only=ascii_only,
        training=ProcessTraining(threads),
        review=review,
        study=study,
        runner=runner,
    )
    # Imported modules stay for good, so they are excluded from garbage collection, which would delay keys by 30 ms.
    # With ten thousand saved runs it takes longer; closed screens are collected when nobody types (app.py).
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, RARELY)
    code = app.run()
    for number in deadly():  # nothing is left to keep
        signal.signal(number, signal.SIG_DFL)
    remember(app.chosen())
    session = app.session
    if app.failure:
        if debug:
            complain(app.failure)
        kept = f"; what was trained is in {session.folder}" if session is not None and session.folder else ""
        raise RegtuiError(f"the screen failed: {app.failure.strip().splitlines()[-1]}{kept}; --debug shows where")
    _print_outcome(app, ascii_only=ascii_only, debug=debug)
    return app.exit_code if code is None else code


def _print_outcome(app: RegtuiApp, *, ascii_only: bool, debug: bool) -> None:
    """Say what the last run and the last study came to, and with `debug` what was wrong in the program."""
    lines = [*(app.session.outcome() if app.session is not None else ())]
    lines += app.study.lines() if app.study is not None else []
    for line in lines:
        say(plain(line) if ascii_only else line)
    for one in (app.session, app.study):
        if debug and one is not None and one.traceback:
            complain(one.traceback)
