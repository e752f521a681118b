"""Draws the screen on stdout, even if stderr is redirected."""

from __future__ import annotations

import os
import re
import sys
import termios
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from regtui.tui.background import Question
from regtui.tui.escapes import BRING_TITLE_BACK, KEEP_TITLE, entitled, obeys

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


class TerminalDriver(LinuxDriver):
    """Textual's driver, which would draw on stderr; if that is redirected to a file, the terminal would stay empty."""

    question: ClassVar[Question | None] = None
    """What was asked of the terminal before the screen was opened."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        assert sys.__stdout__ is not None
        self._file = self._terminal = sys.__stdout__
        self._title = "regtui"

    def run_input_thread(self) -> None:
        """Take in what was typed while the terminal was asked, then what is typed."""
        if self.question is not None:
            if self.question.open:
                vars(linux_driver)["XTermParser"] = _Patient  # the driver makes its parser by this name
            typed, self.question.typed = self.question.typed.decode(errors="replace"), b""
            for message in _Patient().feed(typed) if typed else ():
                self.process_message(message)
        super().run_input_thread()

    def write(self, data: str) -> None:
        """Write; what an old terminal would print instead of obeying it, as the mouse pointer's shape, is left out."""
        if not data.startswith("\x1b]") or obeys():
            super().write(data)

    def tell(self, sequence: str) -> None:
        """Pass on a sequence that draws nothing, if the terminal is one that does not print it."""
        if obeys() and self._writer_thread is not None:
            self.write(sequence)

    def entitle(self, title: str) -> None:
        """Set the terminal's title, also again after the program was suspended."""
        self._title = title
        self.tell(entitled(title))

    def start_application_mode(self) -> None:
        """Take the terminal, and put its title aside."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.tell(KEEP_TITLE + entitled(self._title))

    def stop_application_mode(self) -> None:
        """Give the terminal back, with its title."""
        self.tell(BRING_TITLE_BACK)
        super().stop_application_mode()

    def restore_at_once(self) -> None:
        """Restore the terminal at once, discarding pending output; the process must end afterwards."""
        with suppress(OSError, termios.error):
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            os.write(self._terminal.fileno(), _NORMAL + BRING_TITLE_BACK.encode() * obeys())
