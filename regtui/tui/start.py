"""Opens the screen from the command line, and prints the outcome when it has closed."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from textual import on
from textual.driver import Driver

from regtui.console import complain, has_glyphs, say
from regtui.engine.child import kill_all
from regtui.engine.resume import Changes
from regtui.errors import BY_SIGNAL, InputError, RegtuiError
from regtui.heap import share_one_heap
from regtui.preset.model import Preset
from regtui.settings import Known, remember
from regtui.signals import Ending, deadly
from regtui.study.folder import StudyFolder
from regtui.tui.app import RegtuiApp
from regtui.tui.background import Question
from regtui.tui.escapes import copied, notification
from regtui.tui.look import plain
from regtui.tui.run.training import ProcessTraining
from regtui.tui.study.runner import StudyRunner
from regtui.tui.terminal import TerminalDriver
from regtui.tui.without_screen import go_on_without_screen

RARELY = 100
"""Garbage collections of younger objects before a full one; with Python's default of 10 keys would lag."""
LAST_MOMENT = 2.0
"""Seconds after which the program ends even if the terminal accepts no more output."""


class _Program(RegtuiApp):
    """The app together with the process it runs in."""

    def __init__(self, *args: Any, bell: bool, debug: bool, **more: Any) -> None:
        super().__init__(*args, **more)
        self._bell = bell
        self._debug = debug
        self._screen_loop: asyncio.AbstractEventLoop | None = None
        self._hurries = False
        self._watchdog: threading.Timer | None = None
        self._terminal = os.fstat(sys.stdin.fileno()).st_rdev

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
        """Notice when the terminal is closed, before it is changed."""
        self._screen_loop = asyncio.get_running_loop()
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._on_hang_up)
        threading.Thread(target=self._await_hang_up, name="hang-up", daemon=True).start()
        if self.signal:  # it came before
            self._soon(self.leave)

    def _on_hang_up(self, _number: int, _frame: FrameType | None) -> None:
        if not self._hurries:  # then it only wakes this thread, see `Ending`
            self._soon(self.lose_screen)

    def _await_hang_up(self) -> None:
        """Notice that the terminal was closed even without a SIGHUP, for example after `disown` in a shell."""
        poll = select.poll()
        poll.register(sys.stdin.fileno(), 0)  # errors and hang-ups are always reported
        if any(event & select.POLLHUP for _, event in poll.poll()):
            self._soon(self.lose_screen)

    def _soon(self, action: Callable[[], object]) -> None:
        """Call a function in the screen's thread, from any other; nothing happens when that has ended."""
        with suppress(RuntimeError):
            if self._screen_loop is not None:
                self._screen_loop.call_soon_threadsafe(action)

    # What signals ask for, in a thread of their own: it works whatever the screen does

    def end_in_order(self, number: int) -> None:
        """End, and keep what was trained."""
        self.signal = number
        self._give_up_terminal()
        if not self.stop_work():
            self._soon(self.leave)

    def end_now(self) -> None:
        """End without another measurement."""
        self._hurries = True
        if not self.stop_work(at_once=True):
            self._soon(self.leave)

    def cut_off(self, number: int) -> None:
        """End in the middle of whatever goes on."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.restore_at_once()
        kill_all()
        os._exit(BY_SIGNAL + number)

    # How the screen goes

    def _give_up_terminal(self) -> None:
        """Do not take the terminal again after the process was stopped."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.given_up = True

    @on(TerminalDriver.Gone)
    def _terminal_gone(self) -> None:
        self.lose_screen()

    @on(TerminalDriver.DrawAnew)
    def _draw_anew(self) -> None:
        self.watch_state(self.state)
        self.screen.refresh()

    def lose_screen(self) -> None:
        """Do without the terminal, which was closed."""
        self._give_up_terminal()
        super().lose_screen()

    def leave(self) -> None:
        """End the app, and in any case the process: writing to a closed terminal can block for ever."""
        super().leave()
        self._give_up_terminal()
        if self.signal and _has_gone(sys.stdin.fileno()):
            os._exit(self.exit_code)
        self._watchdog = threading.Timer(LAST_MOMENT, os._exit, (self.exit_code,))
        self._watchdog.daemon = True
        self._watchdog.start()

    async def run_async(self, **options: Any) -> Any:
        """Show the screen; when it has gone before what it showed, take that to its end without it."""
        try:
            await super().run_async(**options)
        except Exception:  # as it was taken down
            self.note_failure()
            if isinstance(self._driver, TerminalDriver):
                self._driver.suspend_application_mode()
        if self.goes_on or (self.outlived and not self._left):
            for number in (signal.SIGTSTP, signal.SIGCONT):
                signal.signal(number, signal.SIG_DFL)
            if _has_gone(sys.stdin.fileno()) or not self._has_read_all:
                _let_go_of(self._terminal)
            await go_on_without_screen(self, debug=self._debug)

    def take_time(self) -> None:
        """Let the process take its time to end, unless the terminal keeps it waiting."""
        if self._watchdog is not None and self._has_read_all:
            self._watchdog.cancel()

    @property
    def _has_read_all(self) -> bool:
        return not isinstance(self._driver, TerminalDriver) or self._driver.has_read_all


def _has_gone(terminal: int) -> bool:
    """Whether a terminal was closed."""
    poll = select.poll()
    poll.register(terminal, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def _let_go_of(terminal: int) -> None:
    """Drop what would be written to a terminal, given as the number of its device."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            if os.fstat(stream.fileno()).st_rdev == terminal:
                os.dup2(null, stream.fileno())
    os.close(null)


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
    resume: tuple[Path, Changes] | None = None,
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
        debug=debug,
        start=start,
        quit_when_done=quit_when_done,
        ascii_only=ascii_only,
        training=ProcessTraining(threads),
        review=review,
        study=study,
        runner=runner,
        resume=resume,
    )
    # Imported modules stay for good, so they are excluded from garbage collection, which would delay keys by 30 ms.
    # With ten thousand saved runs it takes longer; closed screens are collected when nobody types (closed_screens.py).
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, RARELY)
    share_one_heap()
    with Ending(lambda: app.end_in_order(ending.first), app.end_now, app.cut_off) as ending:
        app.run()
    app.take_time()
    for number in deadly():  # nothing is left to keep
        signal.signal(number, signal.SIG_IGN if app.outlived and number == signal.SIGHUP else signal.SIG_DFL)
    remember(app.chosen())
    with suppress(BrokenPipeError, RegtuiError) if app.outlived else nullcontext():
        _print_outcome(app, ascii_only=ascii_only, debug=debug)
    if app.failure and not app.outlived:
        if debug:
            complain(app.failure)
        raise RegtuiError(f"the screen failed: {app.failure_words}; --debug shows where")
    return app.exit_code


def _print_outcome(app: RegtuiApp, *, ascii_only: bool, debug: bool) -> None:
    """Say what the last run and the last study came to, and with `debug` what was wrong in the program."""
    lines = [*(app.session.outcome() if app.session is not None else ())]
    lines += app.watched_lines()
    lines += app.study.lines() if app.study is not None else []
    for line in ("", *lines) if app.outlived and lines else lines:  # below what was told meanwhile
        say(plain(line) if ascii_only else line)
    of_work = [one.traceback for one in (app.session, app.study) if one is not None and one.traceback]
    for fault in (*of_work, *app.failed_threads) if debug else ():
        complain(fault)
