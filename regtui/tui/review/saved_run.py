"""The screen of a saved run: its log is read in a thread, and followed while another process writes it."""

from __future__ import annotations

import time
from pathlib import Path

from textual import on
from textual.message import Message
from textual.worker import get_current_worker

from regtui.errors import RegtuiError
from regtui.settings import Charts
from regtui.tui.review.replay import FOLLOW, Replay
from regtui.tui.run.keys import HERE, WHILE_RUNNING
from regtui.tui.run.screen import RunScreen
from regtui.tui.widgets.thread import in_thread


class OpenRun(Message):
    """The user opens the saved run in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder


class SavedRunScreen(RunScreen):
    """The screen of a run that is not trained by this program."""

    AUTO_FOCUS = ""  # there are no controls
    KEYS = tuple(key for key in HERE if key.action.partition("(")[0] not in {*WHILE_RUNNING, "review"})

    class EventsWait(Message):
        """Events of the log wait to be taken in."""

    class Over(Message):
        """The whole log was read, and no process writes it any more."""

    def __init__(self, folder: Path, charts: Charts | None = None) -> None:
        """Open the run in `folder`; its charts at first as `charts` says.

        Raises:
            InputError: Its preset can't be read, so that nothing of it can be shown.
        """
        self._replay = Replay(folder, lambda: self.post_message(self.EventsWait()))
        super().__init__(self._replay.session, charts)

    def on_mount(self) -> None:
        """Begin to read."""
        self._read()

    @in_thread("reading")
    def _read(self) -> None:
        """Read the log; while another process writes it, read on twice a second."""
        worker = get_current_worker()
        while not worker.is_cancelled:
            try:
                over = self._replay.catch_up()
            except RegtuiError as error:
                self.session.error, self.session.ended, over = error, True, True
            if over:
                self.post_message(self.Over())
                return
            time.sleep(FOLLOW)

    @on(EventsWait)
    def _take_in(self) -> None:
        self.catch_up()

    @on(Over)
    def _read_to_the_end(self) -> None:
        self.catch_up()
        self.ended()
