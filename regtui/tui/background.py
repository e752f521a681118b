"""Asks the terminal whether its background is light or dark. Imports no textual, so that it can be asked early.

The terminal answers while the program imports what it needs (0.4 s), so that hardly anybody waits. Right after the
background we ask what kind of terminal it is, which every one answers: one that is silent on the first question is not
waited for. What comes later than `PATIENCE` is passed over (terminal.py), and never taken for keys.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType
from typing import Any, Literal

from regtui.signals import deadly
from regtui.tui.escapes import obeys

PATIENCE = 0.2
"""Seconds after the question within which an answer counts."""
_QUESTION = b"\x1b]11;?\x1b\\\x1b[c"
_COLOUR = re.compile(
    rb"\x1b\]11;rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})[^\x07\x1b]*(?:\x07|\x1b\\)"
)
_KIND = re.compile(rb"\x1b\[\?[\d;]*c")
_LIGHT = {"7", *(str(number) for number in range(9, 16))}
"""Numbers of the light ones among a terminal's 16 colours."""

Background = Literal["dark", "light"]


class Question:
    """A question to the terminal, asked when this is made; `close` must be called, whatever happens meanwhile.

    Attributes:
        typed: What the user typed meanwhile.
        open: Whether an answer may still come.
    """

    def __init__(self) -> None:
        self.typed = b""
        self.open = False
        self._before: list[Any] | None = None
        self._handlers: dict[int, Any] = {}
        self._asked = time.monotonic()
        if not (obeys() and sys.stdin.isatty() and sys.stdout.isatty()):
            return
        with suppress(OSError, termios.error):
            before = termios.tcgetattr(sys.stdin.fileno())
            for number in deadly():  # whoever ends the program now gets the terminal back as it was
                self._handlers[number] = signal.signal(number, self._end)
            silent = [*before]
            silent[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG)  # Ctrl-C is a key, for the screen
            self._before = before
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, silent)
            os.write(sys.stdout.fileno(), _QUESTION)
            self.open = True

    def answer(self) -> Background:
        """Light or dark; what the environment hints at if the terminal did not say in time, and else dark."""
        while self.open and not _KIND.search(self.typed):
            left = self._asked + PATIENCE - time.monotonic()
            if not select.select([sys.stdin], [], [], max(0.0, left))[0]:
                break
            with suppress(OSError):
                self.typed += os.read(sys.stdin.fileno(), 4096)
        told = _COLOUR.search(self.typed)
        if _KIND.search(self.typed):  # the last of our questions
            self.open = False
        self.typed = _KIND.sub(b"", _COLOUR.sub(b"", self.typed), count=1)
        if told is None:
            return hinted(os.environ)
        red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in told.groups())
        return "light" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.5 else "dark"

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._before is not None:
            with suppress(OSError, termios.error):
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._before)
            self._before = None
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _end(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.close()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def hinted(environment: Mapping[str, str]) -> Background:
    """What COLORFGBG says, which some terminals set: '0;15' is black on white."""
    return "light" if environment.get("COLORFGBG", "").rpartition(";")[2] in _LIGHT else "dark"
