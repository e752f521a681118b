"""Since when a part of a run is not on disk, and why, in words that are told once for each change."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from regtui.errors import unwritable
from regtui.protocol.events import Saving


class Unsaved:
    """Keeps watch over one part of a run. Call it after each attempt to save the part.

    Attributes:
        fault: Why it could not be saved the last time; empty if it was.
    """

    def __init__(self, what: Literal["log", "weights"], begins: str, ends: str) -> None:
        """Begin with a part that is saved.

        Args:
            what: The part.
            begins: What is said when it can't be saved: 'the weights are not saved'.
            ends: What is said when it is saved again.
        """
        self._what: Literal["log", "weights"] = what
        self._begins, self._ends = begins, ends
        self._since = ""
        self.fault = ""

    def __call__(self, t: float, epoch: int, fault: str) -> list[Saving]:
        """What is to be told now.

        Args:
            t: Seconds since the run began.
            epoch: The epoch that the run is in.
            fault: Why the part could not be saved just now; empty if it was.
        """
        if fault == self.fault:
            return []
        if not self.fault:
            self._since = f"epoch {epoch}, {time.strftime('%H:%M')}"
        self.fault = fault
        words = f"{self._begins} since {self._since}: {fault}" if fault else self._ends
        return [Saving(t=t, what=self._what, saved=not fault, words=words)]


def fault_at(path: Path, error: OSError) -> str:
    """Why `path` can't be written: 'No space left on device; make room there (logs/…)'; the path may be long."""
    return f"{unwritable(error)} ({path})"
