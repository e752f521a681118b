"""Reads a saved run into a session for the run's screen, and follows it while another process writes it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from regtui.errors import InputError
from regtui.evidence.from_history import judge_run
from regtui.preset.file import load
from regtui.protocol.events import Event, RunFinished, RunStarted, StepsDone
from regtui.protocol.history import History
from regtui.runs.follow import Follower
from regtui.runs.note import read_note
from regtui.runs.read import read_run
from regtui.runs.summary import read_summary
from regtui.tui.run.session import Session
from regtui.tui.run.train_on import further

FOLLOW = 0.5
"""Seconds between two readings of a run that goes on."""
CLOSED = 1.0
"""A screen that takes in no events for so many seconds counts as closed."""


class Replay:
    """Reads one run's folder into a session."""

    def __init__(self, folder: Path, notify: Callable[[], object]) -> None:
        """Open the run in `folder`; `notify` is passed to the session.

        Raises:
            InputError: Its preset can't be read, so that nothing of it can be shown.
        """
        self.session = Session(load(str(folder / "preset.toml")), notify, live=False)
        self.session.folder = folder
        with suppress(InputError, OSError):  # the list says what is wrong with it
            self.session.note = read_note(folder).line
        self.folder = folder
        self._notify = notify
        self._follower = Follower(folder)
        self._history = History()  # a second history, because the session's belongs to the screen's thread
        self._ahead: list[Event] = []

    def catch_up(self) -> bool:
        """Read what was written since the last call; returns whether the run is over.

        The log is passed on no faster than the session takes it in, at most two blocks ahead. If the session stops
        taking it in, its screen was closed and the rest is not read. Events that can't be read become the session's
        error; what the summary says is shown nevertheless.
        """
        told = False
        try:
            while events := self._ahead or self._follower.new_events():
                self._ahead = events
                if not self.session.all_taken(CLOSED):
                    return False
                if any(isinstance(event, RunStarted) and not self._are_those_of_the_preset(event) for event in events):
                    self._conclude(f"{self.folder}: its log has other arms than its preset.toml.")
                    return True
                self._ahead = []
                for event in events:
                    self._history.add(without_losses(event))
                    self.session.tell(event)
                told = True
            if self._history.finished is None:
                run = read_run(self.folder)
                silence = "" if told else run.silence
                if silence != self.session.silence:
                    self.session.silence = silence
                    self._notify()
                if told or run.may_go_on:
                    return False
        except OSError as error:
            self._conclude(f"{self.folder}: its events can't be read ({error.strerror})")
        else:
            self._conclude()
        return True

    def _are_those_of_the_preset(self, started: RunStarted) -> bool:
        """Whether the arms of the log are those that the screen has charts and rows for."""
        return list(started.arms) == list(self.session.preset.arms())

    def _conclude(self, unread: str = "") -> None:
        conclude(self.session, self.folder, self._history, unread)

    def start_over(self) -> None:
        """Read the log from its first line again, and show what it tells in place of what was shown before.

        What the process that trained the run has told of an epoch that it did not complete is in no log.
        """
        shown, self._history = History(), History()
        self._follower, self._ahead = Follower(self.folder), []
        with suppress(OSError):  # the next look at it tells
            while events := self._follower.new_events():
                for event in events:
                    shown.add(event)
                    self._history.add(without_losses(event))
        self.session.begin_anew(shown)


def conclude(session: Session, folder: Path, history: History, unread: str = "") -> None:
    """Tell a session how its run has ended.

    Args:
        session: Shows the run.
        folder: The run's.
        history: What was read of it, without the losses of its steps.
        unread: Why the rest of its events can't be read; empty if all were.
    """
    session.summary = summary = read_summary(folder)
    empty = history.started is None and history.finished is None
    if empty:
        # No start event will follow, so the screen must not wait for one.
        session.tell(RunFinished(t=0, status=summary.status if summary else "failed"))
    if unread:
        session.error = InputError(unread)
    elif history.started is not None and history.finished is not None:
        session.verdicts = judge_run(history, session.preset)
    elif session.summary is None:
        silence = f" ({session.silence})" if session.silence else ""
        words = f"The run was interrupted{silence}: its log has no end, so there is no verdict."
        session.error = InputError(f"{words} {further(folder)}".rstrip())
    elif not session.summary.error:
        lost = "it has no usable events" if empty else "the run's start or end is not in it"
        session.error = InputError(f"The log is damaged: {lost}, so there is no verdict.")
    session.ended = True


def without_losses(event: Event) -> Event:
    """The event without step losses, which are most of a log and which the verdict does not need."""
    return event.model_copy(update={"losses": []}) if isinstance(event, StepsDone) else event
