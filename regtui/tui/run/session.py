"""A run as the screen sees it: its preset, its control, and its history so far."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import quote
from typing import Protocol

from regtui.engine.resume import Changes
from regtui.errors import RegtuiError
from regtui.evidence.advice import Advice
from regtui.evidence.diagnosis import describe, end
from regtui.evidence.glance import Part, Row, glance, text_of
from regtui.evidence.lines import advice_lines, detail_lines
from regtui.evidence.rules import advice_on_run
from regtui.evidence.verdict import Verdict
from regtui.preset.model import Preset
from regtui.protocol.control import Command, Control
from regtui.protocol.events import Event
from regtui.protocol.history import History
from regtui.runs.summary import Summary
from regtui.tasks import METRICS
from regtui.text import one_line
from regtui.tui.run.gauges import Gauges

UNSAVED = 3
"""Rows at a glance on what is not saved; all of it is in the details."""


class Sender(Protocol):
    """What takes the user's commands to a run that another process trains."""

    def send(self, command: Command) -> object:
        """Send a command; never blocks."""


class Session:
    """One run. The trainer's thread passes events to it; the screen's thread takes them in, many at a time."""

    def __init__(self, preset: Preset, notify: Callable[[], object], *, live: bool = True) -> None:
        """Begin without events.

        Args:
            preset: What is trained.
            notify: Called in the trainer's thread when events wait; not again until they were taken in.
            live: Whether the run is trained here; else it is read from its log, and steered while there is a `link`.
        """
        self.preset = preset
        self.live = live
        self.control = Control()
        self.link: Sender | None = None
        """What takes commands to the process that trains the run, where that is another one and answers."""
        self.resumes: Changes | None = None
        """What is changed of a saved run that is trained on here; None for a new one."""
        self.history = History()
        self.folder: Path | None = None
        self.summary: Summary | None = None
        self.verdicts: Mapping[str, Verdict] = {}
        """What the run supports, for each arm beside the baseline; empty where there is no verdict."""
        self.error: RegtuiError | None = None
        self.traceback = ""
        self.ended = False
        self.is_left_running = False
        """Whether the user wants to leave it running, so that another process has to take it over."""
        self.trained_by: int | None = None
        """The number of the process that has taken it over; None if none has."""
        self.note = ""
        """What the user wrote of a saved run: its tags and note in one line."""
        self.gauges = Gauges(list)
        """What the processes that train use of the machine; replaced by whoever trains."""
        self.silence = ""
        """How long a run that is trained elsewhere has been silent, in words; empty if that is usual."""
        self._advice: list[Advice] | None = None
        self._notify = notify
        self._lock = threading.Lock()
        self._waiting: list[Event] = []
        self._anew: History | None = None
        self._all_taken = threading.Event()
        self._all_taken.set()

    @property
    def steerable(self) -> bool:
        """Whether the run goes on and takes commands."""
        return (self.live or self.link is not None) and not self.ended

    def send(self, command: Command) -> None:
        """Send a command to whoever trains the run; it is answered by an event."""
        (self.link or self.control).send(command)

    @property
    def status(self) -> str:
        """How the run ended, from its summary or else its events; empty while it goes on.

        A saved run without an end in its log was interrupted, and so was one without summary and start.
        """
        if not self.ended:
            return ""
        if self.trained_by is not None:
            return "handed over"
        if self.summary is not None:
            return self.summary.status
        history = self.history
        if history.finished is not None and (self.live or history.started is not None):
            return history.finished.status
        return "failed" if self.live else "interrupted"

    @property
    def left_as(self) -> str:
        """What a run does that its viewer leaves, and that has not ended."""
        return "The run stays paused" if self.history.paused else "The run goes on"

    @property
    def state(self) -> str:
        """Name and state in a few words: 'dropout · epoch 7/10'."""
        history, started = self.history, self.history.started
        if self.status or started is None:
            return f"{self.preset.name} · {self.status or 'starting'}"
        return f"{self.preset.name} · {'paused at ' * history.paused}epoch {self.epoch}/{self.preset.train.epochs}"

    @property
    def epoch(self) -> int:
        """The epoch that is being trained, or that was last; 1 before the first."""
        started = self.history.started
        steps = max((len(arm.step_losses) for arm in self.history.arms.values()), default=0)
        return max(1, -(-steps // started.steps_per_epoch)) if started is not None else 1

    def tell(self, event: Event) -> None:
        """Accept an event; called in the trainer's thread."""
        with self._lock:
            self._waiting.append(event)
            self._all_taken.clear()
            first = len(self._waiting) == 1
        if first:
            self._notify()

    def begin_anew(self, history: History) -> None:
        """Show this history in place of everything told before; called in the thread that reads the run.

        It is the session's from then on. After a connection was lost, the log alone tells what is true.
        """
        with self._lock:
            self._anew, self._waiting = history, []
            self._all_taken.clear()
        self._notify()

    def all_taken(self, seconds: float) -> bool:
        """Wait, in the trainer's thread, until the screen has taken in all events; False if that takes longer."""
        return self._all_taken.wait(seconds)

    def outcome(self, width: int = 80) -> list[str]:
        """The outcome in lines: errors, the verdict or else what the summary says, and where the log is.

        Of a run that was handed over: where it goes on.
        """
        if self.trained_by is not None and self.folder is not None:
            on = f"The run goes on without a screen, in process {self.trained_by}. To see, steer or stop it:"
            return [*textwrap.wrap(on, width), "", f"regtui attach {quote(one_line(self.folder))}"]
        blocks = [[text_of(row) for row in self.glance(width)]]
        blocks += [self.details(width)] if self.verdicts else []
        blocks.append(self.place(width))
        return [line for block in blocks if block for line in ("", *block)][1:]

    def glance(self, width: int) -> list[Row]:
        """The outcome at a glance: errors, and the verdict or else what the summary says."""
        fault = str(self.error) if self.error else self.summary.error if self.summary else ""
        most = UNSAVED if self.verdicts else None  # without a verdict there are no details
        lines = [*textwrap.wrap(fault, width), *textwrap.wrap(self._unsaved, width, max_lines=most, placeholder=" …")]
        rows = [[Part(line, "warning")] for line in lines]
        if self.verdicts:
            return rows + glance(self.verdicts, width)
        known = _tests(self.summary) if self.summary is not None else ""
        return rows + [[Part(line)] for line in textwrap.wrap(known, width)]

    @property
    def _unsaved(self) -> str:
        """What of the run is not on disk at its end, as a sentence; empty if all is."""
        unsaved = self.summary.unsaved if self.summary is not None else ""
        return f"Not all of this run is saved: {unsaved}" if unsaved else ""

    def details(self, width: int) -> list[str]:
        """How the arms' losses went, what the verdict rests on, and what to try next."""
        if not self.verdicts:
            told = "The log has no usable events, so there is nothing to tell."
            if self.history.started is not None:
                told = describe(self.history, self.preset.train.epochs, over=True)
            return textwrap.wrap(told, width)
        if self._advice is None:
            self._advice = advice_on_run(self.history, self.verdicts, self.preset, self.folder or Path())
        unsaved = textwrap.wrap(self._unsaved, width)
        cut = unsaved if len(unsaved) > UNSAVED else []
        blocks = cut, textwrap.wrap(end(self.history), width), detail_lines(self.verdicts, width)
        found = advice_lines(self._advice, width)
        return [line for block in (*blocks, found) if block for line in ("", *block)][1:]

    def place(self, width: int) -> list[str]:
        """The user's note, and where the log is; nothing while there is none."""
        if self.folder is None:
            return []
        return [*(textwrap.wrap(f"note {self.note}", width) if self.note else ()), f"log  {one_line(self.folder)}"]

    def take_in(self) -> list[Event]:
        """Add the waiting events to the history; returns those that it accepted."""
        with self._lock:
            anew, self._anew = self._anew, None
            events, self._waiting = self._waiting, []
        if anew is not None:
            vars(self.history).update(vars(anew))  # what shows the history holds this object
        told = [event for event in events if self.history.add(event)]
        with self._lock:
            if not self._waiting and self._anew is None:
                self._all_taken.set()
        return told


def _tests(summary: Summary) -> str:
    """What the arms scored: 'Test accuracy by its summary: baseline 82.33 %, regularized 82.38 %.'; or nothing."""
    metric = METRICS.get(summary.task.metric)
    tests = {name: arm.test for name, arm in summary.arms.items() if arm.test is not None}
    if metric is None or not tests:
        return ""
    values = ", ".join(f"{name} {metric.show(test.get(metric.name))}" for name, test in tests.items())
    return f"Test {metric.title} by its summary: {values}."
