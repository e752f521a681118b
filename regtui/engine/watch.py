"""Watches how long training processes take to answer, to report one that hangs and to stop waiting for it."""

from __future__ import annotations

from collections.abc import Callable

from regtui.engine.process import CrewClosedError, Wait
from regtui.errors import RegtuiError
from regtui.protocol.control import Control
from regtui.protocol.events import Stalled, process_of

FAR = 5
"""A wait is far too long if it is so many times the longest one for the same work."""
PATIENCE = 60.0
"""Seconds of waiting for an answer that are never reported."""
SOON = 5.0
"""Seconds after which a process is reported that a signal has stopped."""
AFTER_STOP = 5.0
"""Seconds that a stop waits at least for a process that has done the same work before, or was stopped itself."""


def stalled(wait: Wait, t: float) -> Stalled:
    """The event that tells of a wait, at time `t` of the run."""
    return Stalled(t=t, arms=list(wait.arms), pid=wait.pid, seconds=round(wait.seconds, 1), stopped=wait.stopped)


class StalledError(RegtuiError):
    """A process hangs, and the requested stop does not wait for it any longer."""


class Watch:
    """Called by a crew several times a second while it waits for an answer."""

    def __init__(self, control: Control, tell: Callable[[Wait], object], patience: float) -> None:
        """Watch for one run.

        Args:
            control: Says whether a stop was requested.
            tell: Receives a wait that is far longer than usual, and again whenever it has doubled.
            patience: Seconds of waiting that are never reported.
        """
        self._control = control
        self._tell = tell
        self._patience = patience
        self._told = 0.0

    def __call__(self, wait: Wait) -> None:
        """Check a wait.

        Raises:
            CrewClosedError: A stop at once was requested.
            StalledError: A stop was requested, and the process takes far longer than ever before.
        """
        if self._control.stop_at_once:
            raise CrewClosedError("the processes that train were ended")
        if wait.seconds < self._told:  # another wait than the one last reported
            self._told = 0.0
        far = 0.0 if wait.stopped else FAR * (wait.usual or 0.0)
        if self._control.stop_requested:
            # Work done for the first time, like validating a large data set, may well take longer.
            patience = self._patience if wait.usual is None and not wait.stopped else AFTER_STOP
            if wait.seconds >= max(patience, far):
                raise StalledError(f"{process_of(wait.arms, wait.pid)} did not answer for {wait.seconds:.0f} s")
        elif wait.seconds >= max(SOON if wait.stopped else self._patience, far, 2 * self._told):
            self._told = wait.seconds
            self._tell(wait)
