"""The terminal's cursor, hidden by a progress bar: it is shown while the program is stopped or cut off."""

from __future__ import annotations

import os
import select
from contextlib import AbstractContextManager, suppress

from regtui.errors import BY_SIGNAL
from regtui.signals import stopping_shows

_SHOW_CURSOR, _HIDE_CURSOR = b"\r\x1b[K\x1b[?25h", b"\x1b[?25l"


def cursor_shown_while_stopped() -> AbstractContextManager[None]:
    """Within this context, in which a progress bar hides the cursor, the shell has it after Ctrl-Z."""
    return stopping_shows(lambda: _write_at_once(_SHOW_CURSOR), lambda: _write_at_once(_HIDE_CURSOR))


def cut_off(number: int) -> None:
    """End the program and its processes in the middle of their work, by a signal of this number."""
    from regtui.engine.child import kill_all

    kill_all()
    _write_at_once(_SHOW_CURSOR)
    os._exit(BY_SIGNAL + number)


def _write_at_once(sequence: bytes) -> None:
    """Write to the terminal on stderr, if there is one that takes it now."""
    with suppress(OSError, ValueError):
        if os.isatty(2) and select.select([], [2], [], 0)[1]:
            os.write(2, sequence)
