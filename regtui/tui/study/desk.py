"""The part of the app that opens saved studies, and conducts one in its worker thread."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread

from textual import on
from textual.message import Message
from textual.reactive import reactive

from regtui.engine.detach import StoppedError
from regtui.errors import EXIT_CODES, InputError, RegtuiError, unforeseen
from regtui.preset.model import Preset
from regtui.study.conduct import Opened, Pace, conduct
from regtui.study.design import Wishes, make_plan
from regtui.study.detach import leave_running
from regtui.study.engine import News
from regtui.study.folder import StudyFolder
from regtui.study.forecast import forecast
from regtui.study.outcome import ENDED, judge, outcome_of
from regtui.study.plan import Job
from regtui.study.record import state_of
from regtui.study.words import verdict_exit
from regtui.text import counted, one_line
from regtui.tui.desk import Desk
from regtui.tui.study.form import StudyForm, StudyWish
from regtui.tui.study.preview import OpenStudy
from regtui.tui.study.runner import StudyRunner
from regtui.tui.study.screen import StudyScreen
from regtui.tui.study.session import StudySession
from regtui.tui.study.subject import Subject
from regtui.tui.widgets.dialogs import Ask, AskWhileItTrains, Choice
from regtui.tui.widgets.key_bar import tell
from regtui.tui.widgets.thread import in_thread


class StudyDesk(Desk, inherit_bindings=False):
    """Opens studies; at most one is conducted at a time."""

    runner: StudyRunner
    study: StudySession | None = None
    """The one that is conducted here, or was last."""
    _study_began = 0.0
    _due: Callable[[], object] | None = None
    """Conducts the study that no thread has taken up yet."""
    state: reactive[str] = reactive("", repaint=False)
    """What runs and how far it is, in a few words; empty while nothing does."""

    class StudyRead(Message):
        """A saved study was read."""

        def __init__(self, session: StudySession) -> None:
            super().__init__()
            self.session = session

    class StudyUnread(Message):
        """A saved study can't be read."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    class StudyTold(Message):
        """News of the study wait to be taken in."""

    class StudyStays(Message):
        """Another process was to go on with a study, and could not; so this one does."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    class StudyEnded(Message):
        """The worker thread is done with a study."""

        def __init__(self, session: StudySession) -> None:
            super().__init__()
            self.session = session

    @property
    def jobs(self) -> int:
        """How many runs of a study are made at the same time, where nobody says."""
        return self.runner.jobs

    @property
    def conducts_study(self) -> bool:
        """Whether a study is being conducted."""
        return self.study is not None and not self.study.ended

    # Saved studies

    @on(OpenStudy)
    def _open_asked_study(self, event: OpenStudy) -> None:
        if not isinstance(self.screen, StudyScreen):  # the key was pressed again before the page opened
            self.open_study(event.folder)

    def open_study(self, folder: Path) -> None:
        """Show a saved study; the one that is conducted here as it goes on."""
        if self.study is not None and self.conducts_study and folder.absolute() == self.study.folder.absolute():
            self.push_screen(StudyScreen(self.study))
            return
        tell(self, f"Reading {one_line(folder.name)} …")
        self._read_study(folder)

    @in_thread("study")
    def _read_study(self, folder: Path) -> None:
        try:
            study = StudyFolder.open(folder)
            outcome = outcome_of(study, state_of(study))
            session = StudySession(outcome, Subject.of(outcome.plan), folder, ended=outcome.state != "running")
        except RegtuiError as error:
            self.post_message(self.StudyUnread(str(error)))
        else:
            self.post_message(self.StudyRead(session))

    @on(StudyRead)
    def _show_study(self, event: StudyRead) -> None:
        tell(self, "")
        self.push_screen(StudyScreen(event.session))

    @on(StudyUnread)
    def _tell_unread(self, event: StudyUnread) -> None:
        self.push_screen(Ask("This study can't be shown", event.words, (Choice("o", "ok", "OK"),)))

    # A study that is asked for

    def ask_for_study(self, preset: Preset) -> None:
        """Ask how a study of a preset is to be run, then begin it."""

        def foretold(wish: StudyWish) -> str:
            return forecast(make_plan(preset, wish.wishes), self.logs)

        arms = len(preset.arms()) - 1
        text = f"{counted(arms, 'arm')} against the baseline, over many seeds: does what one run shows hold?"
        form = StudyForm(f"Study of {preset.name}", text, self.runner.jobs, foretold)

        def answered(answer: str | None) -> None:
            if answer == "begin":
                self.begin_study(preset, form.wish.wishes, form.wish.jobs)

        self.push_screen(form, answered)

    def begin_study(self, preset: Preset, wishes: Wishes, jobs: int | None = None) -> None:
        """Plan a study, make its folder, and conduct it; one at a time."""
        if self._is_busy():
            return
        try:
            plan = make_plan(preset, wishes)
            self._check_memory(plan.jobs(), jobs)
            study = StudyFolder.create(plan, self.logs)
        except RegtuiError as error:
            tell(self, error, error=True)
        else:
            self.conduct_study(study, jobs)

    # A study that goes on

    def conduct_study(self, study: StudyFolder, jobs: int | None = None) -> None:
        """Make the runs that a study lacks, `jobs` at a time or as many as there is room for, and show it meanwhile."""
        jobs = jobs or self.runner.jobs
        outcome = judge(study.plan, {}, "running")
        session = StudySession(
            outcome,
            Subject.of(study.plan),
            study.path,
            live=True,
            machine=f"{self.runner.engine}, {counted(jobs, 'job')}",
            on_news=lambda: self.post_message(self.StudyTold()),
        )
        self.study, self._study_began = session, time.monotonic()
        self._due = lambda: self._conduct_begun(study, session, jobs)
        self.push_screen(StudyScreen(session))
        self._conduct(study, session, jobs)
        self._foretell(study, session)

    @in_thread("foretelling", exclusive=False)
    def _foretell(self, study: StudyFolder, session: StudySession) -> None:
        session.forecast = forecast(study.plan, self.logs)
        self.post_message(self.StudyTold())

    def begin_study_late(self) -> None:
        """Begin to conduct what should have been begun when the screen failed: no thread of a screen begins then."""
        if self._due is not None:
            Thread(target=self._due, name="training").start()

    @in_thread("training", exclusive=False)
    def _conduct(self, study: StudyFolder, session: StudySession, jobs: int) -> None:
        self._conduct_begun(study, session, jobs)

    def _conduct_begun(self, study: StudyFolder, session: StudySession, jobs: int) -> None:
        self._due = None
        pace = Pace([], set(), 1)

        def told(news: News | Opened) -> None:
            nonlocal pace
            if isinstance(news, Opened):
                pace = Pace(news.jobs, set(news.done), jobs)
            else:
                pace(news)
                session.left = pace.seconds_left
                session.tell(news)

        try:
            while conduct(study, self.runner.make(jobs, study), session.stop, told, session.tell) == "stopped":
                if session.is_left_running:
                    self._hand_over(session, jobs)
                if session.conducted_by is not None or session.stop.is_set():
                    break
        except RegtuiError as error:
            session.error = error
        except Exception as error:
            session.traceback = traceback.format_exc()
            session.error = unforeseen(error)
        session.ended = True
        self.post_message(self.StudyEnded(session))

    def _hand_over(self, session: StudySession, jobs: int) -> None:
        """Have another process go on with a study that was stopped for that, or else go on here.

        Called in the worker thread.
        """
        options = ("--jobs", str(jobs), *self.runner.options)
        try:
            session.conducted_by = leave_running(session.folder, options, lambda: session.is_left_running)
        except StoppedError:  # whoever told the other process to end wants no study here either
            pass
        except RegtuiError as error:
            if session.is_left_running:  # else it was to be stopped meanwhile
                session.is_left_running = False
                session.stop.clear()
                self.post_message(self.StudyStays(f"The study goes on here: {error}"))

    @on(StudyTold)
    def _pass_on_news(self) -> None:
        if self.study is not None and (words := self.study.take_in()):
            tell(self, words, error=True)
        if self.study is not None:
            self.state = self.study.state
        for screen in self.screen_stack:
            if isinstance(screen, StudyScreen) and screen.session is self.study:
                screen.catch_up()

    @on(StudyEnded)
    def _study_ended(self, event: StudyEnded) -> None:
        event.session.running.clear()
        event.session.take_in()
        self.state = event.session.state
        self.ring_at_end(self.state, self._study_began, stopped=event.session.outcome.state == "stopped")
        for screen in self.screen_stack[:]:
            if isinstance(screen, AskWhileItTrains) and screen.is_current:
                screen.dismiss(None)
                tell(self, "The study has ended before the question was answered.")
            if isinstance(screen, StudyScreen) and screen.session is event.session:
                screen.catch_up()

    def _check_memory(self, runs: Sequence[Job], jobs: int | None = None) -> None:
        """See that so many runs at a time fit into this machine, if they are made here; else an InputError says so."""
        if self.runner.engine == "local":
            from regtui.study.local import check_memory  # the processes' machinery

            check_memory(runs, jobs or self.runner.jobs)

    def _is_busy(self) -> bool:
        """Whether a study goes on, which is said."""
        if self.conducts_study:
            tell(self, "A study goes on already: wait for it, or stop it first.", error=True)
        return self.conducts_study

    @on(StudyScreen.GoOn)
    def _go_on(self, event: StudyScreen.GoOn) -> None:
        if self._is_busy():
            return
        try:
            study = StudyFolder.open(event.session.folder)
            self._check_memory(study.left())
        except InputError as error:
            tell(self, error, error=True)
            return
        self.pop_screen()
        self.conduct_study(study)

    @property
    def study_exit_code(self) -> int:
        """As that of `regtui study` without a screen."""
        if self.study is None or self.study.conducted_by is not None:
            return 0
        if self.study.error is not None:
            return self.study.error.exit_code
        if self.study.outcome.state not in ENDED:
            return EXIT_CODES["stopped"]
        if self.study.failed:
            return EXIT_CODES["failed"]
        return verdict_exit(self.study.outcome) if self.runner.verdict_exit else EXIT_CODES["finished"]
