"""Draws the screen on stdout, even if stderr is redirected."""

from __future__ import annotations

import asyncio
import os
import re
import select
import signal
import sys
import termios
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, cast

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from regtui.signals import TOGETHER
from regtui.tui.background import Question
from regtui.tui.escapes import BRING_TITLE_BACK, KEEP_TITLE, entitled, obeys
from regtui.tui.output import Output

_NORMAL = b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l\x1b[?2004l\x1b[?2048l\x1b[?1004l\x1b[?7h"
_NORMAL += b"\x1b[<u\x1b[?1049l\x1b[?25h\x1b[0m"
"""No mouse, pasting and focus told; lines wrapped; keys and the normal screen as before; the cursor shown."""


class _Patient(XTermParser):
    """Passes over what the terminal says about itself after nobody waits for that any more.

    Textual would take it for some thirty keys.
    """

    _LATE = re.compile(r"\x1b\]11;[^\x07\x1b]{0,64}(?:\x07|\x1b\\)|\x1b\[\?[\d;]{0,64}c")
    _BEGUN = re.compile(r"\x1b(?:\](?:1(?:1(?:;[^\x07\x1b]{0,64}\x1b?)?)?)?|\[\?[\d;]{0,64})\Z")

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._held = ""

    def feed(self, data: str) -> Iterable[Message]:
        """What was typed; the beginning of such an answer waits for its end."""
        if not data:
            return super().feed(data)
        data, self._held = self._LATE.sub("", self._held + data), ""
        if begun := self._BEGUN.search(data):
            data, self._held = data[: begun.start()], begun[0]
        return super().feed(data) if data else ()


vars(linux_driver)["WriterThread"] = Output  # the driver makes its own by this name, and would wait for the terminal


class TerminalDriver(LinuxDriver):
    """Textual's driver, which would draw on stderr; if that is redirected to a file, the terminal would stay empty.

    It never waits for the terminal: one that reads late misses frames, and is drawn anew when it has caught up.
    """

    question: ClassVar[Question | None] = None
    """What was asked of the terminal before the screen was opened."""

    class Gone(Message):
        """The terminal can't be read from any more."""

    class DrawAnew(Message):
        """The terminal shows something else than it should: it missed a frame, or another program has drawn on it."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        assert sys.__stdout__ is not None
        self._file = self._terminal = sys.__stdout__
        self._title = "regtui"
        self._loop = asyncio.get_running_loop()
        self._changes_mode = False
        self.has_read_all = True
        """Whether the terminal has read all that was written until `close`."""
        self.given_up = False
        """Whether the terminal is not taken again after the process was stopped."""

    def run_input_thread(self) -> None:
        """Take in what was typed while the terminal was asked, then what is typed."""
        if self.question is not None:
            if self.question.open:
                vars(linux_driver)["XTermParser"] = _Patient  # the driver makes its parser by this name
            typed, self.question.typed = self.question.typed.decode(errors="replace"), b""
            for message in _Patient().feed(typed) if typed else ():
                self.process_message(message)
        try:
            super().run_input_thread()
        except OSError:
            self._app.post_message(self.Gone())

    def write(self, data: str) -> None:
        """Write; what an old terminal would print instead of obeying it, as the mouse pointer's shape, is left out.

        A frame is dropped if the terminal lags behind or is not ours; how it is taken and given back never is.
        """
        if self._output is not None and (not data.startswith("\x1b]") or obeys()):
            self._output.write(data, always=self._changes_mode)

    def tell(self, sequence: str) -> None:
        """Pass on a sequence that draws nothing, if the terminal is one that does not print it."""
        if obeys():
            self.write(sequence)

    def entitle(self, title: str) -> None:
        """Set the terminal's title, also again after the program was suspended."""
        self._title = title
        self.tell(entitled(title))

    def start_application_mode(self) -> None:
        """Take the terminal, and put its title aside."""
        with self._mode_changed():
            super().start_application_mode()  # type: ignore[no-untyped-call]
            if self._output is not None:  # a process in the background has been stopped instead, and has no terminal
                self._output.draw_anew = lambda: self._app.post_message(self.DrawAnew())
            self.tell(KEEP_TITLE + entitled(self._title))

    def stop_application_mode(self) -> None:
        """Give the terminal back, with its title."""
        if self._output is None:
            return
        with self._mode_changed(), _not_stopped():
            self.tell(BRING_TITLE_BACK)
            super().stop_application_mode()

    def disable_input(self) -> None:
        """Read no more; a process in the background must not touch a terminal that it has given back."""
        if self._output is not None:
            with _not_stopped():
                super().disable_input()

    def close(self) -> None:
        """Stop writing."""
        if self._output is not None:
            self.has_read_all = self._output.stop()
            self._writer_thread = None

    @property
    def _output(self) -> Output | None:
        return cast("Output | None", self._writer_thread)

    @contextmanager
    def _mode_changed(self) -> Iterator[None]:
        self._changes_mode = True
        try:
            yield
        finally:
            self._changes_mode = False

    # Textual would do what follows in the signal handlers themselves, in the middle of whatever the screen does.

    def _sigtstp_application(self, *_args: object) -> None:
        self._soon(self._stand_still)

    def _sigcont_application(self, *_args: object) -> None:
        self._soon(self._take_again)

    def _soon(self, action: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the screen has been closed
            self._loop.call_soon_threadsafe(action)

    def _stand_still(self) -> None:
        """Give the terminal back and stop the process, as Ctrl-Z does with others."""
        self.suspend_application_mode()
        os.kill(os.getpid(), signal.SIGSTOP)

    def _take_again(self) -> None:
        """Take the terminal after the process was stopped; also if whoever stopped it gave no time to give it back."""
        if _has_terminal(self.fileno):
            self._take()
        else:  # in the background it is stopped for that, unless another signal comes with this one and ends it
            self._loop.call_later(TOGETHER, self._take)

    def _take(self) -> None:
        if self.given_up:
            return
        if self._output is not None:
            self.suspend_application_mode()
        self.start_application_mode()
        self._app.post_message(self.DrawAnew())

    def restore_at_once(self) -> None:
        """Restore the terminal at once, discarding pending output; the process must end afterwards."""
        if self._output is None:
            return
        with suppress(OSError, termios.error):
            if self.attrs_before is not None and _has_terminal(self.fileno):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            if select.select([], [self._terminal], [], 0)[1]:  # otherwise writing would block
                os.write(self._terminal.fileno(), _NORMAL + BRING_TITLE_BACK.encode() * obeys())


def _has_terminal(fileno: int) -> bool:
    """Whether the process is in the foreground of its terminal."""
    try:
        return os.tcgetpgrp(fileno) == os.getpgrp()
    except OSError:  # it has gone, or is of another session
        return True


@contextmanager
def _not_stopped() -> Iterator[None]:
    """Within this context, in the main thread, the process may change the terminal from the background, too."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTTOU, before)
