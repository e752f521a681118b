"""Ends a run at once that nobody trains: it was handed over, and is to stop before another process has taken it.

No process that trains is needed for that: a run is handed over at an epoch's end, when everything that was measured is
in its log and the weights are saved. Only the test is missing, as in every run that is stopped at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from regtui.disk import Disk, HangsError, slow
from regtui.engine.crew import nobody_watches
from regtui.engine.process import CrewClosedError, Wait
from regtui.engine.run import RunResult, conduct, teller
from regtui.engine.trainer import Trainer
from regtui.engine.waiting import opened
from regtui.errors import InputError
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import Event
from regtui.runs.log import RunLog
from regtui.runs.resumable import resumable
from regtui.runs.seam import find_seam, kept_lines
from regtui.text import quoted


def end_at_once(folder: Path, control: Control, emit: Callable[[Event], object]) -> RunResult:
    """Give the run in `folder` the end of one that was stopped at once after its last saved epoch.

    Args:
        folder: The run's folder.
        control: Has the stops that are answered.
        emit: Receives the events of the end.

    Raises:
        InputError: Another process trains it, or it can't be read or written.
    """
    if not control.stop_at_once:
        control.send(Stop(at_once=True))
    disk = Disk()
    try:
        taken = opened(disk, lambda: RunLog.resumed(folder, checkpoints=True, disk=disk), RunLog.release)
    except HangsError:
        raise InputError(slow(folder)) from None
    with taken as log:
        place = resumable(folder, held=True)
        if place.commit is None:
            raise InputError(f"{quoted(folder)} has saved no epoch")
        seam = find_seam(folder, place.commit, place.training)
        tell, crew = teller(seam.history, log, emit), _Nobody(place.threads or 1)
        trainer = Trainer(place.preset, crew, control, tell, None, log.sync, log.disk)
        trainer.load_state(place.commit.trainer)
        kept = kept_lines(folder, seam.lines, place.training)
        log.go_on(place.preset, crew.threads, place.epoch, kept, seam.kept, place.reached)
        return conduct(trainer, seam.history, log, emit)


class _Nobody:
    """A crew without processes; a run that is stopped at once at an epoch's end calls none."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.watch: Callable[[Wait], object] = nobody_watches

    def prepare(self, arms: int) -> None:
        """Nothing to do."""

    def build(self, *_arguments: Any) -> NoReturn:
        raise CrewClosedError("nobody trains this run")

    def each(self, _method: object, _arms: Iterable[str], *_arguments: object) -> NoReturn:
        raise CrewClosedError("nobody trains this run")

    begin = each
