"""Waits for a disk that does not answer, and says so."""

from __future__ import annotations

from collections.abc import Callable

from regtui.disk import HangsError
from regtui.protocol.control import Control
from regtui.protocol.events import Event, Saving


class WaitForDisk:
    """Waits for a disk that does not answer when a run ends here, until a stop at once, and says so once."""

    def __init__(self, t: float, control: Control, emit: Callable[[Event], object], words: str) -> None:
        """Wait from time `t` of the run on; `words` say so, and are emitted."""
        self._t, self._control, self._emit, self._words = t, control, emit, words
        self._told = False

    def __call__(self) -> None:
        """Go on waiting, or raise a `HangsError`."""
        if self._control.stop_at_once:
            raise HangsError
        if not self._told:
            self._told = True
            self._emit(Saving(t=self._t, what="disk", saved=False, words=self._words))

    def end(self) -> None:
        """Nothing is waited for any more."""
        if self._told:
            words = "the disk is no longer waited for"
            self._emit(Saving(t=self._t, what="disk", saved=True, words=words))
