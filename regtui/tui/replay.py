"""A saved run as the screen of a run shows it: its log is read, and followed while another process writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from regtui.errors import InputError
from regtui.evidence.from_history import judge_run
from regtui.follow import Follower
from regtui.history import History
from regtui.preset_file import load
from regtui.runlog import read_summary
from regtui.runs import read_run
from regtui.tui.session import Session

FOLLOW = 0.5
"""Seconds between two looks at a run that goes on."""


class Replay:
    """Reads one run's folder into a session."""

    def __init__(self, folder: Path, notify: Callable[[], object]) -> None:
        """Open the run in `folder`; `notify` is the session's.

        Raises:
            InputError: Its preset can't be read, so that nothing of it can be shown.
        """
        self.session = Session(load(str(folder / "preset.toml")), notify, live=False)
        self.session.folder = folder
        self._folder = folder
        self._follower = Follower(folder)
        self._history = History()  # the session's own belongs to the screen's thread

    def catch_up(self) -> bool:
        """Take in what was written since the last time; returns whether the run is over.

        Raises:
            InputError: The events can't be read.
        """
        told = False
        try:
            while events := self._follower.new_events():
                told = True
                for event in events:
                    self._history.add(event)
                    self.session.tell(event)
        except OSError as error:
            raise InputError(f"{self._folder}: its events can't be read ({error.strerror})") from None
        if self._history.finished is None and (told or read_run(self._folder).status == "running"):
            return False
        self._conclude()
        return True

    def _conclude(self) -> None:
        session, history = self.session, self._history
        session.summary = read_summary(self._folder)
        if history.started is not None and history.finished is not None:
            session.verdict = judge_run(history)
        elif session.summary is None:
            session.error = InputError("The run was interrupted: its log has no end, so there is no verdict.")
        elif not session.summary.error:
            session.error = InputError(
                "The log is damaged: the run's start or end is not in it, so there is no verdict."
            )
        session.ended = True
