"""The screen of a run: charts, numbers, a sentence, controls, and the verdict at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.events import Resize
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from regtui.protocol import answers
from regtui.protocol.control import Pause, Resume, Stop
from regtui.protocol.events import (
    ControlApplied,
    EpochDone,
    Event,
    Paused,
    Resumed,
    RunFinished,
    RunStarted,
    Saving,
    Unattachable,
)
from regtui.settings import Charts
from regtui.text import one_line
from regtui.tui.charts.chart import Chart
from regtui.tui.charts.curves import CHART, TWO_CHARTS, Curves
from regtui.tui.charts.pacer import Pacer
from regtui.tui.charts.view import QUANTITIES, RECENT, SMOOTHING, View
from regtui.tui.pages.preset import PresetPage
from regtui.tui.pages.what_if_screen import WhatIfScreen
from regtui.tui.run.arms_table import ArmsTable
from regtui.tui.run.gauges import SECONDS
from regtui.tui.run.header import Header
from regtui.tui.run.is_it_real import study_offer, why_no_study
from regtui.tui.run.keys import HERE, TO_CONTROLS, label, usable
from regtui.tui.run.not_saved import NotSaved
from regtui.tui.run.sentence import Sentence
from regtui.tui.run.session import Session
from regtui.tui.run.steering import SteeringPanel
from regtui.tui.run.train_on import TrainOn, offer
from regtui.tui.run.verdict_panel import VerdictPanel
from regtui.tui.widgets.clipboard import copy
from regtui.tui.widgets.dialogs import AskWhileItTrains, Choice
from regtui.tui.widgets.key_bar import KeyBar, tell
from regtui.tui.widgets.keys import EVERYWHERE, bindings
from regtui.tui.widgets.stepper import Stepper

AT_ONCE = (RunStarted, ControlApplied, Paused, Resumed, RunFinished, Saving)
"""Events shown at once, without waiting for the next drawing: answers to the user, and changes of state."""
FRAME = 3
"""Columns taken by the verdict's padding and scroll bar."""
FEWEST_ROWS = 11
"""Rows that the charts keep where the table has many arms."""
ROOMY = 28
"""Rows from which the sentence may take two, controls that do not fit too, and an empty one stands above them."""
LOW = 16
"""Below so many rows the controls, which have keys, give their row to the charts."""
STOP_CHOICES = (
    Choice("g", "go on", "Go on training"),
    Choice("k", "keep", "Stop and keep: validate, test, save"),
    Choice("x", "at once", "Stop at once: no validation, no test"),
)


class RunScreen(Screen[None]):
    """The screen of one run."""

    class Asked(Message):
        """The user asks for something outside of this screen."""

        def __init__(self, session: Session) -> None:
            super().__init__()
            self.session = session

    class Again(Asked):
        """Run the preset again with another seed."""

    class Change(Asked):
        """Go back and change the preset."""

    class Explain(Asked):
        """Open the explanations of the techniques."""

    class Weights(Asked):
        """Open the weights."""

        def __init__(self, session: Session, view: View) -> None:
            super().__init__(session)
            self.view = view

    class Study(Asked):
        """Run the preset over more seeds."""

    class Review(Asked):
        """Open the saved runs."""

    AUTO_FOCUS = ""  # keys act on the run, and arrows on its charts, until tab leads to a control
    KEYS = (*HERE, TO_CONTROLS, *Stepper.KEYS)
    BINDINGS = bindings((*HERE, TO_CONTROLS, *EVERYWHERE))

    def __init__(self, session: Session, charts: Charts | None = None) -> None:
        """Show a run; its charts at first as `charts` says."""
        super().__init__()
        self.session = session
        self.view = View(arm=list(session.preset.arms())[1], **(charts or Charts()).model_dump())
        self._pacer = Pacer()
        self._drawn_at = 0.0
        self._timer: Timer | None = None
        self._details = self._narrow = False
        self._cursor: int | None = None
        self._asked_to_pause: bool | None = None
        self._offer = ""
        """What the key says that trains the run on after its end; empty where that can't be."""
        preset, history = session.preset, session.history
        self._header = Header(session)
        self._curves = Curves(preset, history, self.view)
        self._table = ArmsTable()
        self._not_saved = NotSaved()
        self._sentence = Sentence(preset.train.epochs, preset.warning)
        self._steering = SteeringPanel()
        self._verdict = VerdictPanel()
        self._key_bar = KeyBar()

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self._header
        yield self._curves
        yield self._table
        yield self._not_saved
        yield self._sentence
        yield self._steering
        yield self._verdict
        yield self._key_bar

    def on_mount(self) -> None:
        """Show the run's current state."""
        self._narrow = self.size.width < TWO_CHARTS
        self.view.overlay = self.view.overlay or self._narrow
        if self.session.live:
            self.set_interval(SECONDS, self._header.redraw)  # what the gauges show, also while the run is paused
        self._arrange()
        self._draw()

    def charts(self, before: Charts) -> Charts:
        """How the user has the charts drawn; where only one has room, its being alone is no choice."""
        view = {name: getattr(self.view, name) for name in Charts.model_fields}
        return Charts(**view | ({"overlay": before.overlay} if self._narrow else {}))

    def on_resize(self, event: Resize) -> None:
        """Arrange the parts for a terminal of this size; if two charts don't fit, one shows all arms."""
        narrow = event.size.width < TWO_CHARTS
        if narrow != self._narrow:
            self._narrow = self.view.overlay = narrow
        self._arrange()
        self._draw()

    def on_screen_resume(self) -> None:
        """Show what happened while another screen was on top."""
        self._draw()

    # Events of the run

    def catch_up(self) -> None:
        """Show the events since the last call, also on a screen above this one."""
        events = self.session.take_in()
        self.told(events)
        in_front = self.app.screen
        epoch_done = any(isinstance(event, EpochDone) for event in events)
        if in_front is not self and epoch_done and in_front.is_mounted and hasattr(in_front, "reload"):
            in_front.reload()

    def told(self, events: Sequence[Event]) -> None:
        """Show these events, at once or with the next drawing."""
        others = any(isinstance(event, Paused | Resumed) and answers.of_another(event) for event in events)
        if others or self._asked_to_pause == self.session.history.paused:
            self._asked_to_pause = None
        for event in events:
            if isinstance(event, Unattachable):
                tell(self, event.words, error=True)
        if any(isinstance(event, AT_ONCE) for event in events):
            self._key_bar.redraw()
            if self.session.live or self.session.link is not None:
                self._answer([event for event in events if isinstance(event, answers.Answer)])
            self._draw()
        elif self._timer is None:
            wait = self._drawn_at + self._pacer.interval - time.monotonic()
            if wait > 0:
                self._timer = self.set_timer(wait, self._draw)
            else:
                self._draw()

    def _answer(self, told: Sequence[answers.Answer]) -> None:
        """Say what became of the user's commands, and what others did; why one was refused goes before the rest.

        What others were refused is theirs to read.
        """
        refusals = [one for one in told if isinstance(one, ControlApplied) and not one.accepted]
        own = [one for one in refusals if not answers.of_another(one)]
        accepted = [one for one in told if one not in refusals]
        last = accepted[-1] if accepted else None
        if own and (why := answers.refused(own[-1])):
            tell(self, why, error=True)
        elif isinstance(last, ControlApplied) and last.key is not None:
            controls = [one for one in accepted if isinstance(one, ControlApplied)]
            tell(self, answers.changed(self.session.preset, self.session.history, controls))
        elif last is not None and (words := answers.steered(last)):
            tell(self, words)

    def ended(self) -> None:
        """Show the outcome of the run."""
        self._offer = offer(self.session.folder, self.session.status)
        self._key_bar.redraw()
        self._arrange()
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if not self.is_current or not self.children:  # this screen is hidden, or the program ends
            return
        self._drawn_at, began = time.monotonic(), time.thread_time()
        preset, history, cursor = self.session.preset, self.session.history, self._cursor
        read = history if cursor is None else history.at(cursor)
        if self._not_saved.update_from(history, over=self.session.ended):
            self._arrange()
        self._header.redraw()
        self._curves.draw(cursor)
        self._table.update_from(preset, read, cursor, self.view.arm)
        self._sentence.update_from(read, cursor, over=self.session.ended and cursor is None)
        self._steering.update_from(preset, history, self.view.arm)
        self.call_after_refresh(lambda: self._pacer.drew(time.thread_time() - began))

    def _arrange(self) -> None:
        """Give each part its rows; the charts have the rest."""
        width, height = self.size
        verdict = self.session.ended and self._cursor is None
        steered = self.session.steerable and height >= LOW
        roomy = height >= ROOMY
        controls = self._steering.fit(width, two_rows=roomy) if steered else 0
        sentence = 2 if roomy or (width < TWO_CHARTS and height >= LOW) else 1
        not_saved = 0 if verdict else self._not_saved.fit(width)
        below_header = height - 1 - self._key_bar.height_in(height)
        room = below_header - controls - not_saved - sentence - roomy - 1  # the table's head
        arms = min(len(self.session.preset.arms()), max(2, room - FEWEST_ROWS))
        most = below_header - (CHART if self._details else (height + 1) // 2)
        self.set_class(roomy, "-roomy")
        self._table.fit(arms)
        self._sentence.styles.height = sentence
        self._curves.fit(width, below_header - most if verdict else room - arms, strip=not verdict)
        self._table.display = self._sentence.display = not verdict
        if verdict:
            self._not_saved.display = False
        self._steering.display = steered
        self._verdict.display = verdict
        if verdict:
            self._verdict.styles.max_height = most if self._curves.display else height
            self._verdict.set_class(not self._curves.display, "alone")
            offer = study_offer(self.session, getattr(self.app, "jobs", 1))
            self._verdict.show(self.session, width - FRAME, details=self._details, offer=offer)

    # What the user does

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Allow only actions that are possible now."""
        if action == "to_controls":
            return bool(self.focus_chain)
        if action == "train_on":
            return bool(self._offer)
        return usable(action, self.session) or (action == "back" and self._cursor is not None)

    def key_label(self, action: str) -> str:
        """What a key does in the present state."""
        if action == "toggle_patience":
            return f"patience {'on' if self._steering.is_off else 'off'}"
        if action == "train_on":
            return self._offer
        reading = self._cursor is not None
        return label(action, self.session, self.view, details=self._details, reading=reading)

    def action_to_controls(self) -> None:
        """Go to the first control."""
        self.focus_next()

    def action_pause(self) -> None:
        """Pause or go on: the opposite of the last request, which the engine may not have applied yet."""
        paused = self.session.history.paused if self._asked_to_pause is None else self._asked_to_pause
        self._asked_to_pause = not paused
        self.session.send(Resume() if paused else Pause())

    def action_one_epoch(self) -> None:
        """Train one epoch, then pause again."""
        self.session.send(Resume(one_epoch=True))

    def action_train_on(self) -> None:
        """Train the run on, in a screen of its own."""
        if self.session.folder is not None:
            self.post_message(TrainOn(self.session.folder, self.session.status))

    def action_again(self) -> None:
        """Run again with another seed."""
        self.post_message(self.Again(self.session))

    def action_study(self) -> None:
        """Begin a study of the preset as it was run, or say why not."""
        if reason := why_no_study(self.session):
            tell(self, reason, error=True)
        else:
            self.post_message(self.Study(self.session))

    def action_patience(self, change: int) -> None:
        """Raise or lower the patience."""
        self._steering.nudge_patience(change)

    def action_rate(self, direction: int) -> None:
        """Raise or lower the learning rate of all arms."""
        self._steering.nudge_rate(direction)

    def action_toggle_patience(self) -> None:
        """Turn early stopping on or off."""
        self._steering.toggle_patience()

    def action_quantity(self) -> None:
        """Show the next quantity."""
        following = (QUANTITIES.index(self.view.quantity) + 1) % len(QUANTITIES)
        self.view.quantity = QUANTITIES[following]
        self._draw()

    def action_arm(self, by: int) -> None:
        """Choose the next arm beside the baseline, or the one before."""
        self.view.walk(list(self.session.preset.arms()), by)
        self._draw()

    def action_overlay(self) -> None:
        """Switch between one chart for all arms and two charts."""
        self._curves.next_overlay(self.size.width)
        self._arrange()
        self.call_after_refresh(self._draw)

    def action_log(self) -> None:
        """Switch between a logarithmic and a linear axis."""
        self.view.log = not self.view.log
        self._draw()

    def action_recent(self) -> None:
        """Switch between recent epochs and all."""
        self.view.part = RECENT if self.view.part == 1 else 1.0
        self._draw()

    @on(Chart.Wheeled)
    def _zoom(self, event: Chart.Wheeled) -> None:
        self.view.zoom(self.session.history.epochs, event.by)
        self._draw()

    @on(Chart.Pointed)
    def _point(self, event: Chart.Pointed) -> None:
        self._read_at(self._curves.epoch_at(event.x))

    def action_log_x(self) -> None:
        """Switch between a logarithmic and a linear axis of epochs."""
        self.view.log_x = not self.view.log_x
        self._draw()

    def action_smooth(self) -> None:
        """Smooth the curve of the steps over the next number of them."""
        following = (SMOOTHING.index(self.view.smooth) + 1) % len(SMOOTHING)
        self.view.smooth = SMOOTHING[following]
        self._draw()

    def action_axes(self) -> None:
        """Switch between shared and separate axes."""
        self.view.shared = not self.view.shared
        tell(self, "Both charts have the same axes." if self.view.shared else "Each chart has its own axes.")
        self._draw()

    def action_weights(self) -> None:
        """Open the weights."""
        self.post_message(self.Weights(self.session, self.view))

    def action_explain(self) -> None:
        """Open the explanations of the techniques."""
        self.post_message(self.Explain(self.session))

    def action_what_if(self) -> None:
        """Open what another patience would have done."""
        if self.session.history.epochs:
            self.app.push_screen(WhatIfScreen(self.session, self.view))
        else:
            when = "without an epoch in the log" if self.session.ended else "before the first epoch"
            tell(self, f"There is nothing to tell {when}.")

    def action_preset(self) -> None:
        """Open the preset and its differences from its file."""
        self.app.push_screen(PresetPage(self.session.preset))

    def action_copy_verdict(self) -> None:
        """Copy the outcome, as it is printed when the program ends."""
        copy(self, "\n".join(self.session.outcome()), "the verdict")

    def action_copy_path(self) -> None:
        """Copy the path of the log."""
        if self.session.folder is None:
            tell(self, "There is no log before the run has begun.")
        else:
            copy(self, one_line(self.session.folder.absolute()), "the path of the log")

    def action_change(self) -> None:
        """Go back to the presets."""
        self.post_message(self.Change(self.session))

    def action_review(self) -> None:
        """Open the saved runs."""
        self.post_message(self.Review(self.session))

    def action_walk(self, by: int) -> None:
        """Move the cursor to an earlier or later epoch; without a cursor, put it on the newest."""
        if self._cursor is None:
            self.action_newest_epoch()
        else:
            self._read_at(self._cursor + by)

    def action_first_epoch(self) -> None:
        """Put the cursor on the first epoch."""
        self._read_at(1)

    def action_newest_epoch(self) -> None:
        """Put the cursor on the newest epoch."""
        self._read_at(self.session.history.epochs)

    def _read_at(self, epoch: int | None) -> None:
        """Put the cursor on an epoch, if there are any; None removes it."""
        newest = self.session.history.epochs
        self._cursor = self._header.cursor = None if epoch is None or not newest else min(max(1, epoch), newest)
        self._key_bar.redraw()
        self._arrange()
        self.call_after_refresh(self._draw)

    def action_back(self) -> None:
        """One step back: remove the cursor, else the details, else leave a run that has ended."""
        if self._cursor is not None:
            self._read_at(None)
        elif self._details:
            self.action_details()
        elif self.session.live:
            self.action_change()
        else:
            self.dismiss()

    def action_details(self) -> None:
        """Show what the verdict rests on as well, or no more."""
        self._details = not self._details and self._verdict.display
        self._read_at(None)

    def action_scroll(self, rows: int) -> None:
        """Scroll the verdict by so many rows."""
        self._verdict.scroll_relative(y=rows, animate=False)

    def action_scroll_page(self, by: int) -> None:
        """Scroll the verdict by its height."""
        self.action_scroll(by * max(1, self._verdict.size.height - 1))

    def action_stop(self) -> None:
        """Ask how to stop."""
        words = "What was trained up to now is in the log either way."
        self.app.push_screen(AskWhileItTrains("Stop the run?", words, STOP_CHOICES), self._stop_answered)

    def _stop_answered(self, answer: str | None) -> None:
        if answer in {"keep", "at once"}:
            self.session.send(Stop(at_once=answer == "at once"))

    @on(SteeringPanel.Steer)
    def _steer(self, event: SteeringPanel.Steer) -> None:
        self.session.send(event.command)

    @on(SteeringPanel.PauseAsked)
    def _pause_asked(self) -> None:
        self.action_pause()

    @on(SteeringPanel.StopAsked)
    def _stop_asked(self) -> None:
        self.action_stop()
