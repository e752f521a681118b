"""The terminal that the screen is drawn on: stdout, wherever stderr leads to."""

from __future__ import annotations

import os
import sys
import termios
from contextlib import suppress
from typing import Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

_NORMAL = b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l\x1b[?2004l\x1b[?2048l\x1b[?1004l\x1b[?7h"
_NORMAL += b"\x1b[<u\x1b[?1049l\x1b[?25h\x1b[0m"
"""No mouse, pasting and focus told; lines wrapped; keys and the normal screen as before; the cursor shown."""


class TerminalDriver(LinuxDriver):
    """Textual's, which would draw on stderr: with that in a file the file got the screen, and the terminal nothing."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        assert sys.__stdout__ is not None
        self._file = self._terminal = sys.__stdout__

    def restore_at_once(self) -> None:
        """Give the terminal back as it was, whatever waits to be drawn; the process must end with that."""
        with suppress(OSError, termios.error):
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            os.write(self._terminal.fileno(), _NORMAL)
