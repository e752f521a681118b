"""The screen of a saved run, which is read in a thread; while another process trains it, it is followed and steered."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from textual import on
from textual.message import Message
from textual.worker import get_current_worker

from regtui.errors import InputError, RegtuiError
from regtui.runs.read import read_run
from regtui.settings import Charts
from regtui.tui.review.attached import Attachment, stands_still, trainer, unreachable
from regtui.tui.review.replay import FOLLOW, Replay
from regtui.tui.run.keys import HERE, WHILE_RUNNING
from regtui.tui.run.screen import RunScreen
from regtui.tui.run.session import Session
from regtui.tui.widgets.key_bar import tell
from regtui.tui.widgets.stepper import Stepper
from regtui.tui.widgets.thread import in_thread

AGAIN = 30.0
"""Seconds until a process that did not answer is asked again."""
STILL = 1.0
"""Seconds between two looks whether that process was made to stand still."""
LOOK = 0.1
"""Seconds between two looks whether the run has ended, or its screen was closed."""


class OpenRun(Message):
    """The user opens the saved run in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder


class SavedRunScreen(RunScreen):
    """The screen of a run that is not trained by this program."""

    KEYS = tuple(key for key in HERE if key.action.partition("(")[0] not in {*WHILE_RUNNING, "review"})
    STEERED = (*(key for key in HERE if key.action != "review"), *Stepper.KEYS)
    """The keys while it is steered."""

    class EventsWait(Message):
        """Events of the run wait to be taken in."""

    class Attached(Message):
        """The process that trains the run answers, or does so no more; the session's `link` tells which."""

        def __init__(self, session: Session) -> None:
            super().__init__()
            self.session = session

    class Heard(Message):
        """A sentence from the thread that listens to the run's process, and whether something went wrong."""

        def __init__(self, words: str, error: bool) -> None:
            super().__init__()
            self.words, self.error = words, error

    class Over(Message):
        """The whole log was read, and no process writes it any more."""

        def __init__(self, session: Session) -> None:
            super().__init__()
            self.session = session

    def __init__(self, folder: Path, charts: Charts | None = None) -> None:
        """Open the run in `folder`; its charts at first as `charts` says.

        Raises:
            InputError: Its preset can't be read, so that nothing of it can be shown.
        """
        self._replay = Replay(folder, lambda: self.post_message(self.EventsWait()))
        self._ask_at = 0.0
        """When the process that trains the run may be asked again, which did not answer."""
        self._look_at = 0.0
        """When it is to be seen next whether that process stands still."""
        self._unreachable = ""
        """Why that process can't be asked at all, as was said."""
        super().__init__(self._replay.session, charts)

    def on_mount(self) -> None:
        """Begin to read."""
        self._read()

    @in_thread("reading")
    def _read(self) -> None:
        """Read the log; while another process trains the run, listen to it, or else read on twice a second."""
        closed = get_current_worker().cancelled_event
        while not closed.is_set():
            try:
                over = self._replay.catch_up()
            except RegtuiError as error:
                self.session.error, self.session.ended, over = error, True, True
            if over or self._listen(closed):
                self.post_message(self.Over(self.session))
                return
            closed.wait(FOLLOW)

    def _listen(self, closed: threading.Event) -> bool:
        """Be told the run by the process that trains it, if one answers; returns whether the run has ended then."""
        folder = self._replay.folder
        if why := unreachable(folder):
            # A run that gets ready does not listen yet; the rest of the log of one that has ended may be unread.
            if why != self._unreachable and self.session.history.started is not None and read_run(folder).may_go_on:
                self._unreachable = why
                self.post_message(self.Heard(why, False))
            return False
        if time.monotonic() < self._ask_at:
            return False
        attached = Attachment(self.session, folder, lambda words, error: self.post_message(self.Heard(words, error)))
        try:
            attached.connect()
        except InputError as error:
            self._ask_at = time.monotonic() + AGAIN
            self.post_message(self.Heard(str(error), True))
            return False
        try:
            self.session.link = attached
            self.post_message(self.Attached(self.session))
            while not closed.is_set() and not attached.over.wait(LOOK):
                self._tell_if_stopped()
        finally:
            attached.close()
        if closed.is_set() or self.session.ended:
            return self.session.ended
        self.session.link = None
        self.post_message(self.Heard(f"{trainer(folder).capitalize()} does not answer any more.", True))
        self.post_message(self.Attached(self.session))
        self._replay.start_over()
        return False

    def _tell_if_stopped(self) -> None:
        """Say that the process that trains the run stands still, and when it does so no more."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + STILL
        words, before = stands_still(self._replay.folder), self.session.silence
        self.session.silence = "stands still" if words else ""
        if words and not before:
            self.post_message(self.Heard(words, True))
        elif before and not words:
            self.post_message(self.Heard(f"{trainer(self._replay.folder).capitalize()} goes on.", False))

    @on(EventsWait)
    def _take_in(self) -> None:
        self.catch_up()

    @on(Attached)
    def _attached(self, event: Attached) -> None:
        if event.session.link is None:
            self.set_focus(None)  # the controls go away
        else:
            tell(self, f"{trainer(self._replay.folder).capitalize()} trains this run, and goes on when you leave.")
        self.KEYS = SavedRunScreen.KEYS if event.session.link is None else self.STEERED
        self.catch_up()
        self._key_bar.redraw()
        self._arrange()
        self.call_after_refresh(self._draw)

    @on(Heard)
    def _heard(self, event: Heard) -> None:
        tell(self, event.words, error=event.error)
        self._header.redraw()

    @on(Over)
    def _read_to_the_end(self) -> None:
        self.catch_up()
        self.ended()

    def action_back(self) -> None:
        """One step back; a run that goes on does so when its screen is left."""
        leaves = self._cursor is None and not self._details
        if leaves and self.session.link is not None and not self.session.ended:
            tell(self, f"{self.session.left_as}.")
        super().action_back()
