"""Watches how long the processes that train take to answer, so that one that stands still is told and can be left."""

from __future__ import annotations

from collections.abc import Callable

from regtui.engine.process import CrewClosedError, Wait
from regtui.errors import RegtuiError
from regtui.protocol.control import Control
from regtui.protocol.events import process_of

FAR = 5
"""So many times what a process has taken at most for the same work is far longer."""
PATIENCE = 60.0
"""Seconds for which nobody need be told that a process does not answer."""
AFTER_STOP = 5.0
"""Seconds that a stop waits at least for a process that has done such work before."""


class StalledError(RegtuiError):
    """A process stands still, and whoever asked for a stop waits for it no longer."""


class Watch:
    """What a run has to say while it waits for an answer; a crew calls it several times a second."""

    def __init__(self, control: Control, tell: Callable[[Wait], object], patience: float) -> None:
        """Watch for one run.

        Args:
            control: Where a stop is asked for.
            tell: Gets the wait once it is far longer than usual, and again whenever it has doubled.
            patience: Seconds of waiting that are never worth a word.
        """
        self._control = control
        self._tell = tell
        self._patience = patience
        self._told = 0.0

    def __call__(self, wait: Wait) -> None:
        """Look at a wait.

        Raises:
            CrewClosedError: A stop at once was asked for.
            StalledError: A stop was asked for, and the process takes far longer than it ever did.
        """
        if self._control.stop_at_once:
            raise CrewClosedError("the processes that train were ended")
        far = FAR * (wait.usual or 0.0)
        if wait.seconds < self._told:  # another wait than the one that was told
            self._told = 0.0
        if self._control.stop_requested:
            # Work that it has never done, like the first validation of a large data set, may well take longer.
            patience = self._patience if wait.usual is None else AFTER_STOP
            if wait.seconds >= max(patience, far):
                raise StalledError(f"{process_of(wait.arms, wait.pid)} did not answer for {wait.seconds:.0f} s")
        elif wait.seconds >= max(self._patience, far, 2 * self._told):
            self._told = wait.seconds
            self._tell(wait)
