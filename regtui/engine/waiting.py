"""Waits for a disk that does not answer, and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from regtui.disk import Disk, HangsError, give_up, slow
from regtui.engine.process import CrewClosedError
from regtui.protocol.control import Control
from regtui.protocol.events import Event, Saving
from regtui.runs.log import RunLog


class WaitForDisk:
    """Waits for a disk that does not answer, and says so once."""

    def __init__(self, t: float, is_given_up: Callable[[], bool], emit: Callable[[Event], object], words: str) -> None:
        """Wait from time `t` of the run on until that is given up; `words` say so, and are emitted."""
        self._t, self._is_given_up, self._emit, self._words = t, is_given_up, emit, words
        self._told = False

    def __call__(self) -> None:
        """Go on waiting, or raise a `HangsError`."""
        if self._is_given_up():
            raise HangsError
        if not self._told:
            self._told = True
            self._emit(Saving(t=self._t, what="disk", saved=False, words=self._words))

    def end(self) -> None:
        """Nothing is waited for any more."""
        if self._told:
            words = "the disk is no longer waited for"
            self._emit(Saving(t=self._t, what="disk", saved=True, words=words))


@contextmanager
def awaited(disk: Disk, where: Path, control: Control, emit: Callable[[Event], object]) -> Iterator[None]:
    """Within this context, before a run trains, a disk that does not answer is waited for until a stop.

    Args:
        disk: Carries out what is asked.
        where: The folder that it has.
        control: Says whether a stop was requested.
        emit: Receives that it is waited for.

    Raises:
        CrewClosedError: A stop was requested meanwhile.
    """
    before = disk.silent
    disk.silent = waits = WaitForDisk(0.0, lambda: control.stop_requested, emit, f"waiting: {slow(where)}")
    try:
        yield
    except HangsError:
        raise CrewClosedError(slow(where)) from None
    finally:
        disk.silent = before
        waits.end()


def opened(disk: Disk, make: Callable[[], RunLog], undo: Callable[[RunLog], object]) -> RunLog:
    """The log that `make` opens on a disk; if it is not waited for any longer, it is undone.

    That is waited for a while, because the program may end; a disk that does not answer does it when it does.
    """
    made: list[RunLog] = []
    try:
        disk(lambda: made.append(make()))
    except BaseException:
        disk.later(lambda: [undo(log) for log in made])
        disk.silent = give_up
        with suppress(HangsError):
            disk(lambda: None)
        raise
    return made[0]
