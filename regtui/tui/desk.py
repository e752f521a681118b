"""What the parts of the app that look after runs and studies have in common: the end of one is told to its user."""

from __future__ import annotations

import time
from pathlib import Path

from regtui.tui.inputs import OneByOne

SHORT = 5.0
"""Seconds of a run or a study whose end nobody needs to be told of."""


class Desk(OneByOne, inherit_bindings=False):
    """Looks after what goes on and ends."""

    logs: Path
    """Where runs and studies are kept."""

    def ring(self, words: str) -> None:
        """Call back whoever does not look; the program does that with its terminal."""

    def ring_at_end(self, state: str, began: float, *, stopped: bool) -> None:
        """Call back whoever does not look at something that has ended, unless it was short or was stopped.

        Args:
            state: What has ended, and how.
            began: When it began, by the clock that only goes forward.
            stopped: Whether its user has stopped it, and hence knows.
        """
        if not stopped and time.monotonic() > began + SHORT:
            self.ring(f"regtui {state}")
