"""The preview of the study under the list's cursor: its headline, and each arm's interval and dots."""

from __future__ import annotations

from pathlib import Path

from rich.style import Style
from rich.text import Text
from textual import on
from textual.message import Message
from textual.timer import Timer
from textual.worker import get_current_worker

from regtui.errors import RegtuiError
from regtui.study.folder import StudyFolder
from regtui.study.list import StudyInfo
from regtui.study.outcome import outcome_of
from regtui.study.record import state_of
from regtui.text import capital
from regtui.tui.study.answer import answer_rows
from regtui.tui.study.forest import forest
from regtui.tui.study.session import StudySession
from regtui.tui.study.subject import Subject
from regtui.tui.widgets.lines import Lines
from regtui.tui.widgets.thread import in_thread

REST = 0.12
"""Seconds after which the cursor rests on a study."""


class OpenStudy(Message):
    """The user opens a saved study."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder


class StudyPreview(Lines):
    """Shows one saved study, or nothing."""

    DEFAULT_CSS = "StudyPreview { padding: 0 1; display: none; }"

    class Previewed(Message):
        """The study was read; without a session it can't be."""

        def __init__(self, info: StudyInfo, session: StudySession | None) -> None:
            super().__init__()
            self.info, self.session = info, session

    def __init__(self) -> None:
        super().__init__()
        self._wanted: StudyInfo | None = None
        self._shown: StudyInfo | None = None
        self._session: StudySession | None = None
        self._timer: Timer | None = None

    def show(self, info: StudyInfo | None) -> None:
        """Show this study once the cursor rests on it."""
        if info == self._wanted:
            return
        self._wanted = info
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(REST, self._rest)

    def _rest(self) -> None:
        if self._wanted is None:
            self.workers.cancel_node(self)
        elif self._wanted != self._shown:
            if self._shown is None or self._shown.folder != self._wanted.folder:
                self._session = None
            self._shown = self._wanted
            self._read(self._wanted)
        self.redraw()

    @in_thread("preview")
    def _read(self, info: StudyInfo) -> None:
        worker = get_current_worker()
        try:
            study = StudyFolder.open(info.folder)
            outcome = outcome_of(study, state_of(study))
            session: StudySession | None = StudySession(outcome, Subject.of(outcome.plan), info.folder, ended=True)
        except RegtuiError:
            session = None  # what is wrong is the fault in the list
        if not worker.is_cancelled:
            self.post_message(self.Previewed(info, session))

    @on(Previewed)
    def _was_read(self, event: Previewed) -> None:
        if event.info == self._shown:
            self._session = event.session
            self.redraw()

    def rows(self, width: int, height: int) -> list[Text]:
        """The folder's name, the note, the headline, and the arms."""
        info, colours = self._shown, self.app.theme_variables
        if info is None:
            return []
        rows = [Text(info.name, Style(color=colours["secondary"]), end="", no_wrap=True)]
        if info.note.line:
            rows.append(Text(info.note.line, Style(color=colours["accent"]), end="", no_wrap=True))
        told = [info.state, info.done] if info.state != "finished" else [info.done]
        rows.append(Text(f"study · {' · '.join(filter(None, told))}", Style(color=colours["faint"]), end=""))
        if self._session is not None:
            rows += answer_rows(self._session, width, max(2, height // 3), colours)
            left = height - len(rows) - 1
            if left >= 3:
                session = self._session
                rows += [Text(""), *forest(session.outcome, session.subject, None, None, (width, left), colours)]
        elif info.headline:
            rows.append(Text(info.headline, Style(color=colours["foreground"], bold=True), end="", no_wrap=True))
        elif info.fault:
            rows.append(Text(capital(info.fault), Style(color=colours["warning"]), end=""))
        for row in rows:
            row.truncate(width)
        return rows[: height or None]
