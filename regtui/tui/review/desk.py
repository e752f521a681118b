"""The part of the app for runs that other processes train: finds them, keeps what became of them, trains runs on."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from shlex import quote

from textual import on
from textual.message import Message

from regtui.engine.resume import Changes
from regtui.errors import EXIT_CODES, InputError, RegtuiError
from regtui.remote.address import clean_runtime_folder
from regtui.runs.going_on import going_on, trains_still
from regtui.study.folder import find_studies, is_conducted
from regtui.text import one_line
from regtui.tui.choose.screen import ChooseScreen
from regtui.tui.desk import Desk
from regtui.tui.review.saved_run import OpenRun, SavedRunScreen
from regtui.tui.run.session import Session
from regtui.tui.run.train_on import AskForEpochs, TrainOn, offer
from regtui.tui.widgets.dialogs import AskWhileItTrains
from regtui.tui.widgets.key_bar import tell


class RunDesk(Desk, inherit_bindings=False):
    """Says on the first screen which runs go on, and trains saved runs on; one run at a time is trained here."""

    session: Session | None
    """The run that is trained here, or was last."""
    watched: Session | None = None
    """The last run that was steered here while another process trained it."""
    _watched_since = 0.0

    class GoingOn(Message):
        """Runs were found that other processes train now, and studies whose runs they make; the newest first."""

        def __init__(self, runs: Sequence[Path]) -> None:
            super().__init__()
            self.runs = runs

    @on(ChooseScreen.Shown)
    def _look_for_going_on(self) -> None:
        """Look for them, in a thread that the end of the program does not wait for: a disk may not answer."""
        threading.Thread(target=self._find_going_on, name="going on", daemon=True).start()

    @on(ChooseScreen.LooksAgain)
    def _look_again_at_them(self, event: ChooseScreen.LooksAgain) -> None:
        threading.Thread(target=self._drop_ended, args=(event.runs,), name="going on", daemon=True).start()

    def _find_going_on(self) -> None:
        found: list[Path] = []
        for folder in chain(going_on(self.logs), filter(is_conducted, find_studies(self.logs))):
            found.append(folder)
            self.post_message(self.GoingOn(sorted(found, key=lambda path: path.name, reverse=True)))
        if not found:
            self.post_message(self.GoingOn(()))
        clean_runtime_folder()

    def _drop_ended(self, runs: Sequence[Path]) -> None:
        """Say again which of these go on."""
        self.post_message(self.GoingOn([run for run in runs if trains_still(run) or is_conducted(run)]))

    @on(ChooseScreen.Attach)
    def _attach_to(self, event: ChooseScreen.Attach) -> None:
        self.post_message(OpenRun(event.folder))

    @on(GoingOn)
    def _say_going_on(self, event: GoingOn) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, ChooseScreen):
                screen.going_on = event.runs

    @on(SavedRunScreen.Attached)
    def _watch(self, event: SavedRunScreen.Attached) -> None:
        if self.watched is not event.session:
            self.watched, self._watched_since = event.session, time.monotonic()

    @on(SavedRunScreen.Over)
    def _has_ended(self, event: SavedRunScreen.Over) -> None:
        if self.watched is not event.session:
            return
        self.ring_at_end(event.session.state, self._watched_since, stopped=event.session.status == "stopped")
        below, in_front = self.screen_stack[-2:]
        if isinstance(in_front, AskWhileItTrains) and isinstance(below, SavedRunScreen):
            in_front.dismiss(None)
            tell(self, "The run has ended before the question was answered.")

    @property
    def watched_exit_code(self) -> int:
        """That of the run; 0 while it goes on, or if it was interrupted."""
        if self.watched is None or not self.watched.ended or self.watched.summary is None:
            return 0
        return RegtuiError.exit_code if self.watched.summary.unsaved else EXIT_CODES[self.watched.status]

    def watched_lines(self) -> list[str]:
        """What to print of it when the program ends: what it came to, or that it goes on."""
        if self.watched is None or self.watched.folder is None:
            return []
        if self.watched.ended:
            return self.watched.outcome()
        return [
            f"{self.watched.left_as}. To see, steer or stop it:",
            "",
            f"regtui attach {quote(one_line(self.watched.folder))}",
        ]

    def resume_run(self, folder: Path, changes: Changes) -> None:
        """Train a saved run on and show it."""
        raise NotImplementedError

    @on(TrainOn)
    def _train_on(self, event: TrainOn) -> None:
        if self.session is not None and not self.session.ended:
            tell(self, "Another run is trained here: wait for its end, or stop it first.", error=True)
            return
        if offer(event.folder, event.status) != "more epochs":
            self.resume_run(event.folder, Changes())
            return
        try:
            question = AskForEpochs(event.folder)
        except InputError as error:
            tell(self, error, error=True)
            return

        def answered(epochs: str | None) -> None:
            if epochs is not None:
                self.resume_run(event.folder, Changes(epochs=int(epochs)))

        self.push_screen(question, answered)
