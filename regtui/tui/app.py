"""The app: opens the screens, trains in a worker thread, and passes the events of the run to the screen."""

from __future__ import annotations

import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

from rich.console import RenderableType
from textual import on
from textual.await_complete import AwaitComplete
from textual.binding import Binding
from textual.events import Event, InputEvent, Key
from textual.filter import LineFilter
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from regtui.disk import Disk, HangsError, slow
from regtui.engine.resume import Changes
from regtui.errors import BY_SIGNAL, EXIT_CODES, InputError, RegtuiError
from regtui.preset.faults import Fault
from regtui.preset.file import to_table
from regtui.preset.model import Preset
from regtui.preset.train import SEEDS
from regtui.preset.validation import validate
from regtui.protocol.control import HandOver, Resume, Stop
from regtui.runs.find import is_study_folder
from regtui.runs.resumable import resumable
from regtui.settings import Settings
from regtui.study.design import Wishes
from regtui.study.folder import StudyFolder
from regtui.text import one_line
from regtui.tui.choose.screen import ChooseScreen
from regtui.tui.closed_screens import ClosedScreens
from regtui.tui.look import PlainText
from regtui.tui.pages.commands import CommandScreen
from regtui.tui.pages.explain import ExplainScreen
from regtui.tui.pages.help import HelpScreen
from regtui.tui.review.chores import Deleted
from regtui.tui.review.compare_screen import CompareScreen
from regtui.tui.review.desk import RunDesk
from regtui.tui.review.saved_run import OpenRun, SavedRunScreen
from regtui.tui.review.screen import ReviewScreen
from regtui.tui.run.gauges import Gauges, machine_words
from regtui.tui.run.is_it_real import new_seeds
from regtui.tui.run.leaving import RUNNING, LeaveQuestion
from regtui.tui.run.screen import RunScreen
from regtui.tui.run.session import Session
from regtui.tui.run.train_here import train_here
from regtui.tui.run.training import ProcessTraining, Training
from regtui.tui.study.desk import StudyDesk
from regtui.tui.study.leaving import LeaveStudyQuestion
from regtui.tui.study.runner import StudyRunner, local_runner
from regtui.tui.study.screen import StudyScreen
from regtui.tui.themes import THEMES
from regtui.tui.widgets.clipboard import copy
from regtui.tui.widgets.dialogs import Ask, AskWhileItTrains, Choice
from regtui.tui.widgets.key_bar import KeyBar, tell
from regtui.tui.widgets.keys import EVERYWHERE
from regtui.tui.widgets.thread import ThreadFailed, in_thread


class RegtuiApp(StudyDesk, RunDesk, inherit_bindings=False):
    """The whole program with a screen; `return_value` is the exit code."""

    # Takes precedence over Textual's own, which copies whenever something is selected, so that nobody could quit.
    BINDINGS: ClassVar = [Binding("ctrl+c", "copy_or_quit", show=False, priority=True)]
    CSS_PATH = "app.tcss"
    TITLE = "regtui"
    ENABLE_COMMAND_PALETTE = False

    class EventsWait(Message):
        """Events of the run wait to be taken in."""

    class Ready(Message):
        """Torch has been imported."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    class HandOverTold(Message):
        """How it goes with handing the run over."""

        def __init__(self, words: str, *, error: bool = False) -> None:
            super().__init__()
            self.words, self.error = words, error

    class RunEnded(Message):
        """The worker thread is done with a run."""

        def __init__(self, session: Session) -> None:
            super().__init__()
            self.session = session

    def __init__(
        self,
        logs: Path,
        preset: Preset | None = None,
        *,
        start: bool = False,
        quit_when_done: bool = False,
        ascii_only: bool = False,
        training: Training | None = None,
        review: Sequence[Path] | None = None,
        theme: str = "dark",
        settings: Settings | None = None,
        faults: Sequence[Fault] = (),
        study: StudyFolder | None = None,
        runner: StudyRunner | None = None,
        resume: tuple[Path, Changes] | None = None,
    ) -> None:
        """Set up.

        Args:
            logs: Where runs are kept.
            preset: Chosen at the start.
            start: Start the run at once.
            quit_when_done: Leave when the run has ended, with its exit code.
            ascii_only: Show nothing but ASCII.
            training: What trains; processes of its own if left out.
            review: Open the saved runs instead of the presets: these, or all in `logs` if the list is empty.
            theme: Its name, one of `themes.THEMES`.
            settings: The user's own; the defaults if left out.
            faults: What is wrong with the file of the settings.
            study: Conducted and shown at once, in place of the presets.
            runner: What makes the runs of studies; processes of this machine if left out.
            resume: The folder of a saved run to train on at once, and what is changed of it.
        """
        super().__init__()
        self.logs = logs
        self.session: Session | None = None
        self._chosen = preset
        self._start = start
        self._quit_when_done = quit_when_done
        self.ascii_only = ascii_only
        self._plain = [PlainText()] if ascii_only else []
        self._training = training or ProcessTraining()
        self.runner = runner or local_runner()
        self._to_conduct = study
        self._to_resume = resume
        self._review = review
        self._deleted: Deleted = []
        self._leaving = self._left = False
        self._closed_screens = ClosedScreens(self.set_timer)
        self._started_at = 0.0
        self._begun: Session | None = None  # whose training a thread has taken up
        self.signal = 0
        self.failure = ""
        """The traceback of an error of the screen's own."""
        self.failure_words = ""
        """What failed, in one line."""
        self.failed_threads: list[str] = []
        """The tracebacks of work in the background that failed, while the screen stayed."""
        self.outlived = False
        """Whether the screen has gone before the run or the study that it showed."""
        self.animation_level = "none"  # over SSH each frame of an animation would be sent
        for known in THEMES.values():
            self.register_theme(known)
        self.theme = self._first_theme = THEMES[theme].name
        self._settings, self._faults = settings or Settings(), faults
        self._charts = self._settings.charts

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The filters that each line passes on its way to the terminal."""
        return [*super().get_line_filters(), *self._plain]

    def on_mount(self) -> None:
        """Open the first screen, then import torch in the background."""
        if self._left:
            return
        if self._to_conduct is not None:
            self.conduct_study(self._to_conduct)
        elif self._to_resume is not None:
            self.resume_run(*self._to_resume)
        elif self._review is not None:
            self._open_review(self._review)
        elif self._start and self._chosen is not None:
            self.start_run(self._chosen)
        else:
            self.push_screen(ChooseScreen(self._chosen))
            self.call_after_refresh(self._warm_up)
        if self._faults:
            more = f" (and {len(self._faults) - 1} more: 'regtui doctor' lists them)" if self._faults[1:] else ""
            words = f"A fault in your settings: {self._faults[0]}{more}"
            self.call_after_refresh(tell, self, words, error=True)

    # Settings

    def chosen(self) -> dict[str, object]:
        """What the user has chosen on screen and the settings do not say yet, by the settings' keys."""
        of = {theme.name: name for name, theme in THEMES.items()}
        theme = {"theme": of[self.theme]} if self.theme != self._first_theme else {}
        before, now = (charts.model_dump() for charts in (self._settings.charts, self._charts))
        return {**theme, **{f"charts.{key}": value for key, value in now.items() if value != before[key]}}

    def _note_view(self, screen: Screen[Any]) -> None:
        """Keep how the user left a run's charts, for the next run."""
        if isinstance(screen, RunScreen):
            self._charts = screen.charts(self._charts)

    # Training

    def start_run(self, preset: Preset) -> None:
        """Train `preset` and show the run."""
        if not self._left:
            self._begin(Session(self._settings.applied(preset), lambda: self.post_message(self.EventsWait())))

    def resume_run(self, folder: Path, changes: Changes) -> None:
        """Train a saved run on and show it, in place of its screen if that is open."""
        try:
            preset = Disk()(lambda: resumable(folder, changes.epochs, changes.device)).preset
        except (InputError, HangsError) as error:
            tell(self, slow(folder) if isinstance(error, HangsError) else error, error=True)
            return
        session = Session(preset, lambda: self.post_message(self.EventsWait()))
        session.folder, session.resumes = folder, changes
        if isinstance(self.screen, RunScreen):
            self.pop_screen()
        self._begin(session)

    def _begin(self, session: Session) -> None:
        """Train in the worker thread, and show it."""
        session.gauges = Gauges(self._training.pids)
        self.session, self._started_at = session, time.monotonic()
        self._train(session)  # before there is a screen, which may fail
        self.state = session.state
        self.push_screen(RunScreen(session, self._charts))

    @in_thread("training", exclusive=False)
    def _warm_up(self) -> None:
        if self._left:
            return
        try:
            words = self._training.warm_up()
        except RegtuiError as error:
            words = str(error)
        self.post_message(self.Ready(words))

    def begin_late(self) -> None:
        """Begin to train what should have been begun when the screen failed: no thread of a screen begins then."""
        self.begin_study_late()
        if self.session is not None and self._begun is not self.session:
            Thread(target=self._train_begun, args=[self.session], name="training").start()

    @in_thread("training", exclusive=False)
    def _train(self, session: Session) -> None:
        self._train_begun(session)

    def _train_begun(self, session: Session) -> None:
        self._begun = session

        def say(words: str, error: bool) -> None:
            self.post_message(self.HandOverTold(words, error=error))

        try:
            train_here(self._training, session, self.logs, say)
        finally:
            self.post_message(self.RunEnded(session))

    @on(HandOverTold)
    def _tell_of_hand_over(self, event: HandOverTold) -> None:
        tell(self, event.words, error=event.error)

    @on(EventsWait)
    def _pass_on(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, RunScreen):
                screen.catch_up()
        if self.session is not None:
            self.state = self.session.state

    @on(RunEnded)
    def _run_ended(self, event: RunEnded) -> None:
        session = event.session
        self._pass_on()
        if session.trained_by is None:
            self.ring_at_end(session.state, self._started_at, stopped=session.status == "stopped")
        if self._leaving or session.is_left_running or session.trained_by is not None or self._quit_when_done:
            self.leave()
        elif session.error is not None and session.history.started is None:
            if session.resumes is None:
                self._back_to_presets(session.preset)
            elif isinstance(self.screen, RunScreen):
                self.pop_screen()
                if len(self.screen_stack) == 1:  # Textual's own
                    self.push_screen(ChooseScreen(session.preset))
            how = "begin" if session.resumes is None else "be trained on"
            self.push_screen(Ask(f"The run could not {how}", str(session.error), (Choice("o", "ok", "OK"),)))
        else:
            for screen in self.screen_stack[:]:
                if isinstance(screen, AskWhileItTrains) and screen.is_current:
                    screen.dismiss(None)
                    tell(self, "The run has ended before the question was answered.")
                if isinstance(screen, RunScreen) and screen.session is session:
                    screen.ended()

    @property
    def exit_code(self) -> int:
        """The last run's exit code; 0 if there was none; 128 plus the number of a signal that ended the program."""
        is_stopped = self.session is None or self.session.summary is not None
        if self.signal and not (self.outlived and self.signal == signal.SIGINT and is_stopped):  # as without a screen
            return BY_SIGNAL + self.signal
        if self.session is None:
            return self.watched_exit_code if self.watched is not None else self.study_exit_code
        if self.session.error is not None:
            return self.session.error.exit_code
        summary = self.session.summary
        if summary is not None and summary.unsaved:
            return RegtuiError.exit_code
        return EXIT_CODES[summary.status] if summary else 0

    # How the screen goes

    def post_message(self, message: Message) -> bool:
        """Post a message; a thread that outlives the screen may do so too, without effect."""
        try:
            return super().post_message(message)
        except (AttributeError, RuntimeError):  # the loop has gone in the middle of it
            if self._loop is not None and not self._loop.is_closed():
                raise
            return False

    @property
    def goes_on(self) -> bool:
        """Whether a run or a study goes on here, and is not being left."""
        return not self._left and (self.conducts_study or (self.session is not None and not self.session.ended))

    def stop_work(self, *, at_once: bool = False) -> bool:
        """Stop what goes on, and leave when it has ended; called in any thread.

        Args:
            at_once: Without validation and test.

        Returns:
            False if there is nothing of which anything could be kept.
        """
        self._leaving = True
        if self.conducts_study and self.study is not None:
            self.study.is_left_running = False
            self.study.stop.set()
        elif self.session is None or self.session.ended or self.session.folder is None:
            return False
        else:
            self.session.control.send(Stop(at_once=at_once))
        return True

    def lose_screen(self) -> None:
        """The terminal was closed: what goes on does so without a screen, and else the program ends."""
        if self.goes_on:
            self.outlived = True
            self.exit()
        elif not (self._left or self.outlived):  # it may be told several times, and the run have ended meanwhile
            self.signal = signal.SIGHUP
            self.leave()

    def panic(self, *renderables: RenderableType) -> None:  # noqa: ARG002
        """Remember an error instead of printing it."""
        self._fatal_error()

    def _fatal_error(self) -> None:
        """Remember an error of the screen instead of printing it; what goes on does so without a screen."""
        self.note_failure()
        self._close_messages_no_wait()

    @on(ThreadFailed)
    def _thread_failed(self, event: ThreadFailed) -> None:
        """Say it: what is shown may be old, or lack something; the screen and what goes on stay."""
        self.failed_threads.append(event.traceback)
        tell(
            self,
            f"Work in the background failed, so that this may be old: {event.words}; --debug shows where",
            error=True,
        )

    def note_failure(self) -> None:
        """Remember the first error of the screen, while it is handled."""
        if self._left or self.failure:  # errors while the screen is being closed are of no interest
            return
        error = sys.exc_info()[1]
        self.failure = traceback.format_exc() if error else "what was typed can't be read"
        self.failure_words = one_line(
            "".join(traceback.format_exception_only(error)).strip() if error else self.failure
        )

    def pop_screen(self) -> AwaitComplete:
        """Close the top screen; what its status line says goes along to the screen below."""
        said = [message for bar in self.screen.query(KeyBar) if (message := bar.take_message()) is not None]
        self._note_view(self.screen)
        self._closed_screens.add()
        closed = super().pop_screen()
        for message in said:
            tell(self, message.words, error=message.error)
        return closed

    def leave(self) -> None:
        """End the program."""
        if self._left:
            return
        self._left = True
        for screen in self.screen_stack:
            self._note_view(screen)
        if self.study is not None:
            self.study.stop.set()
        self._training.close()
        self.exit(self.exit_code)

    # Saved runs

    def _open_review(self, runs: Sequence[Path]) -> None:
        """Open the list of these runs, or of all; above it the run itself if it is one, or a comparison if several."""
        if len(runs) > 1:  # need not wait for the list
            self.push_screen(CompareScreen(runs), lambda _: self._list_saved(runs))
            return
        self._list_saved(runs)
        for run in runs:
            self._open_saved(run)

    def _list_saved(self, runs: Sequence[Path]) -> None:
        self.push_screen(ReviewScreen(self.logs, runs, self._deleted))

    @on(RunScreen.Review)
    @on(ChooseScreen.Review)
    @on(StudyScreen.Review)
    def _review_all(self) -> None:
        self._list_saved(())

    @on(OpenRun)
    def _open_asked(self, event: OpenRun) -> None:
        if not isinstance(self.screen, SavedRunScreen):  # the key was pressed again before the page opened
            self._open_saved(event.folder)

    @on(ReviewScreen.Compare)
    def _compare(self, event: ReviewScreen.Compare) -> None:
        self.push_screen(CompareScreen([run.folder for run in event.runs]))

    def _open_saved(self, folder: Path) -> None:
        if is_study_folder(folder):
            self.open_study(folder)
            return
        try:
            self.push_screen(SavedRunScreen(folder, self._charts))
        except InputError as error:
            self.push_screen(Ask("This run can't be shown", str(error), (Choice("o", "ok", "OK"),)))

    # Requests of the screens

    @on(ChooseScreen.Start)
    def _chosen_to_start(self, event: ChooseScreen.Start) -> None:
        self.start_run(event.preset)

    @on(ChooseScreen.Study)
    def _study_of_preset(self, event: ChooseScreen.Study) -> None:
        self.ask_for_study(self._settings.applied(event.preset))

    @on(RunScreen.Study)
    def _study_of_run(self, event: RunScreen.Study) -> None:
        preset = event.session.preset
        self.begin_study(preset, Wishes(new_seeds(preset.train.seed)))

    @on(ChooseScreen.Explain)
    def _explain_chosen(self, event: ChooseScreen.Explain) -> None:
        self.push_screen(ExplainScreen(event.preset))

    @on(Ready)
    def _say_ready(self, event: Ready) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, ChooseScreen):
                screen.engine_status = event.words

    @on(RunScreen.Again)
    def _again(self, event: RunScreen.Again) -> None:
        table = to_table(event.session.preset)
        table["train"]["seed"] = (table["train"]["seed"] + 1) % SEEDS
        self.pop_screen()
        self.start_run(validate(table, event.session.preset.name))

    @on(RunScreen.Change)
    def _change(self, event: RunScreen.Change) -> None:
        self._back_to_presets(event.session.preset, anew=not event.session.live)

    @on(ReviewScreen.Rerun)
    def _rerun(self, event: ReviewScreen.Rerun) -> None:
        self._back_to_presets(event.preset, anew=True)

    @on(ReviewScreen.Presets)
    def _to_presets(self) -> None:
        self._back_to_presets()

    def _back_to_presets(self, chosen: Preset | None = None, *, anew: bool = False) -> None:
        """Go back to the screen of presets and its edits; open a new one if `chosen` was not started from there."""
        while len(self.screen_stack) > 1 and not isinstance(self.screen, ChooseScreen):
            self.pop_screen()
        if anew or not isinstance(self.screen, ChooseScreen):
            self.push_screen(ChooseScreen(chosen))

    @on(RunScreen.Explain)
    def _explain_running(self, event: RunScreen.Explain) -> None:
        if isinstance(self.screen, RunScreen):
            machine = machine_words(event.session.history, event.session.gauges.words)
            self.push_screen(ExplainScreen(event.session.preset, event.session.history, machine))

    @on(RunScreen.Weights)
    def _show_weights(self, event: RunScreen.Weights) -> None:
        from regtui.tui.pages.weights_screen import WeightsScreen

        if event.session.folder is None:
            tell(self, "There are no weights before the first epoch.")
        elif isinstance(self.screen, RunScreen):
            self.push_screen(WeightsScreen(event.session.folder, event.session.preset, event.view))

    def action_help(self) -> None:
        """List the keys of this screen."""
        keys = getattr(self.screen, "KEYS", ())
        self.push_screen(HelpScreen([("Here", keys), ("Everywhere", EVERYWHERE)]))

    def action_command_palette(self) -> None:
        """List what can be done now, found by its words."""
        self.push_screen(CommandScreen())

    def action_change_theme(self) -> None:
        """Switch to the next theme: dark, light, high contrast."""
        names = [theme.name for theme in THEMES.values()]
        self.theme = names[(names.index(self.theme) + 1) % len(names)]

    async def on_event(self, event: Event) -> None:
        """Note when the user types; whoever does has read an error."""
        if isinstance(event, InputEvent):
            self._closed_screens.user_typed()
        if isinstance(event, Key):
            for bar in self.screen.query(KeyBar) if self.screen_stack else ():
                bar.key_pressed()
        await super().on_event(event)

    async def action_copy_or_quit(self) -> None:
        """Copy the selection and clear it, so that the next press quits; quit if nothing is selected."""
        text = self.screen.get_selected_text()
        if isinstance(self.focused, Input) and self.focused.selected_text:
            text = self.focused.selected_text
            self.focused.cursor_position = self.focused.cursor_position
        self.screen.clear_selection()
        if text and text.strip():
            copy(self, text, "the selection")
        else:
            await self.action_quit()

    async def action_quit(self) -> None:
        """Quit; ask first while a run or a study goes on. While it is stopping, a second press quits at once."""
        if self.conducts_study and not self._leaving:
            if not any(isinstance(screen, LeaveStudyQuestion) for screen in self.screen_stack):
                left = self.study is not None and self.study.is_left_running
                self.push_screen(LeaveStudyQuestion(is_left_running=left), self._leave_study_answered)
        elif self._leaving or self.session is None or self.session.ended:
            self.stop_work(at_once=True)
            self.leave()
        elif not any(isinstance(screen, LeaveQuestion) for screen in self.screen_stack):
            self.push_screen(LeaveQuestion(self.session), self._quit_answered)

    def _leave_study_answered(self, answer: str | None) -> None:
        study = self.study
        if answer is None or study is None:
            return
        if answer == "go on":
            if study.is_left_running:
                study.stop.clear()
                study.is_left_running = False
                tell(self, "The study goes on here.")
            return
        self._leaving = answer == "keep"
        study.is_left_running = answer == "running"
        study.stop.set()
        if study.ended:
            self.leave()
        else:
            tell(self, "Leaving when another process goes on …" if answer == "running" else "Stopping …")

    @on(StudyDesk.StudyStays)
    def _stay_with_study(self, event: StudyDesk.StudyStays) -> None:
        tell(self, event.words, error=True)

    @on(StudyDesk.StudyEnded)
    def _leave_after_study(self, event: StudyDesk.StudyEnded) -> None:
        if self._leaving or event.session.is_left_running or self._quit_when_done:
            self.leave()

    def _quit_answered(self, answer: str | None) -> None:
        if answer is None or self.session is None:
            return
        if answer == RUNNING:
            self._leave_running(self.session)
        elif answer == "go on":
            if self.session.is_left_running:
                self.session.is_left_running = False
                self.session.control.send(Resume())
                tell(self, "The run goes on here.")  # in place of the word that it is left
        else:
            self.stop_work(at_once=answer == "at once")
            if self.session.ended or self.session.folder is None:
                self.leave()
            else:
                tell(self, "Stopping and saving…")

    def _leave_running(self, session: Session) -> None:
        if session.ended:
            self.leave()
        elif not session.is_left_running:
            session.is_left_running = True
            session.control.send(HandOver())
            if session.epoch < session.preset.train.epochs:
                tell(self, f"Leaving at the end of epoch {session.epoch}, when another process takes the run over.")
            else:
                tell(self, "This is its last epoch: leaving when the run has ended.")
