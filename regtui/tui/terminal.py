"""Draws the screen on stdout, even if stderr is redirected."""

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
    """Textual's driver, which would draw on stderr; if that is redirected to a file, the terminal would stay empty."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        assert sys.__stdout__ is not None
        self._file = self._terminal = sys.__stdout__

    def restore_at_once(self) -> None:
        """Restore the terminal at once, discarding pending output; the process must end afterwards."""
        with suppress(OSError, termios.error):
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            os.write(self._terminal.fileno(), _NORMAL)
