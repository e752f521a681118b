"""A study as the screen sees it: its plan, what it has come to, what runs where, and the courses of its runs."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from regtui.errors import RegtuiError
from regtui.preset.arms import BASELINE
from regtui.protocol.events import EpochDone, Stalled
from regtui.runs.follow import Follower
from regtui.study.details import verdict_lines
from regtui.study.engine import Began, Ended, News, Told
from regtui.study.outcome import StudyOutcome
from regtui.study.plan import Job
from regtui.text import one_line
from regtui.tui.study.subject import Subject


class EpochMeasured(NamedTuple):
    """What a course keeps of an epoch: the loss and the task's metric on the validation set."""

    loss: float | None
    metric: float | None


Course = dict[str, dict[int, EpochMeasured]]
"""Of a run, by arm, what was measured at each epoch."""


@dataclass
class Running:
    """A run that goes on.

    Attributes:
        job: Which run of the study it is.
        where: Which worker makes it.
        folder: Where its log is.
        since: When it began, by the monotonic clock.
        epoch: The epoch that its slowest arm has ended; 0 before the first.
    """

    job: Job
    where: str
    folder: Path
    since: float
    epoch: int = 0


class Spread(NamedTuple):
    """Of one arm at an epoch, over the runs that have reached it."""

    epoch: int
    mean: float
    deviation: float
    runs: int


@dataclass
class StudySession:
    """One study. The conductor's thread tells news and outcomes; the screen's thread takes them in.

    Attributes:
        outcome: What it has come to.
        subject: Its arms and its unit.
        folder: Where it is saved.
        live: Whether it is conducted here and can be stopped.
        machine: Where it runs, in a few words: 'local, 2 jobs'; empty for a saved one.
        running: What runs now, by its folder.
        courses: The epochs of its runs, by their folders.
        ended: Whether nothing more will come.
        error: Why it could not go on.
        traceback: Of a defect, where it happened.
        forecast: What it can find, in a sentence; empty until that is known.
        failed: How many of its runs could not be made.
        left: Seconds until all runs are done, by those that were; None while that is not known.
        is_left_running: Whether another process is to go on with it.
        conducted_by: The number of the process that does.
    """

    outcome: StudyOutcome
    subject: Subject
    folder: Path
    live: bool = False
    machine: str = ""
    running: dict[Path, Running] = field(default_factory=dict)
    courses: dict[Path, Course] = field(default_factory=dict)
    ended: bool = False
    error: RegtuiError | None = None
    traceback: str = ""
    forecast: str = ""
    failed: int = 0
    left: float | None = None
    is_left_running: bool = False
    conducted_by: int | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _waiting: list[News | StudyOutcome] = field(default_factory=list)
    on_news: Callable[[], object] = lambda: None

    def tell(self, news: News | StudyOutcome) -> None:
        """Accept what has happened, or what the study has come to; called in the conductor's thread."""
        with self._lock:
            self._waiting.append(news)
            first = len(self._waiting) == 1
        if first:
            self.on_news()

    def take_in(self) -> str:
        """Bring up to date what is shown, by all that was told; returns what failed, in a sentence; or nothing."""
        words = ""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for news in waiting:
            match news:
                case StudyOutcome():
                    self.outcome = news
                case Began():
                    self._began(news)
                case Told():
                    words = self._told(news) or words
                case Ended():
                    words = self._ended(news) or words
        return words

    def _began(self, news: Began) -> None:
        for before in [run.folder for run in self.running.values() if run.job.key == news.job.key]:
            del self.running[before]  # its worker died, and another has begun it anew
            self.courses.pop(before, None)
        age = 0.0 if self.live else _age(news.folder)
        self.running[news.folder] = Running(news.job, news.where, news.folder, time.monotonic() - age)

    def _told(self, news: Told) -> str:
        """Take in what a run has told; returns in a sentence that it stands still, or nothing."""
        job, event = news
        run = next((run for run in self.running.values() if run.job.key == job.key), None)
        if run is not None and isinstance(event, EpochDone):
            course = self.courses.setdefault(run.folder, {})
            course.setdefault(event.arm, {})[event.epoch] = EpochMeasured(event.val_loss, event.val_metric)
            run.epoch = max(run.epoch, event.epoch)
        return f"The run of {self._name(job)}: {event.words()}" if isinstance(event, Stalled) else ""

    def _ended(self, news: Ended) -> str:
        """Take in that a run has ended; returns what failed, or nothing."""
        for folder in [run.folder for run in self.running.values() if run.job.key == news.job.key]:
            del self.running[folder]
        if news.status == "failed":
            self.failed += 1
            return f"The run of {self._name(news.job)} failed: {news.error or 'its log says why'}"
        return f"Not all of the run of {self._name(news.job)} is saved: {news.unsaved}" if news.unsaved else ""

    def _name(self, job: Job) -> str:
        """Which run a job is: 'seed 3 · 20 epochs'."""
        cell = f" · {where}" if (where := self.subject.cells[job.cell]) else ""
        return f"seed {job.seed}{cell}"

    @property
    def state(self) -> str:
        """Name and state in a few words, for the terminal's title: 'small-data study · 3/8 runs'."""
        done, planned = self.outcome.runs
        return f"{self.subject.preset.name} study · {done}/{planned} runs"

    def lines(self) -> list[str]:
        """What it came to, in lines, as it is printed when the program ends."""
        if self.conducted_by is not None:
            pid = self.conducted_by
            on = f"The study goes on without a screen, in process {pid}; 'kill {pid}' stops it in order. To see it:"
            return [on, "", f"regtui review {quote(one_line(self.folder))}"]
        fault = [str(self.error)] if self.error is not None else []
        return [*fault, *verdict_lines(self.outcome), f"study  {one_line(self.folder)}"]

    def runs_of(self, cell: str, arm: str) -> list[Path]:
        """The folders of the runs in which an arm counts, and of those that go on, unless they are trials."""
        of_cell = self.outcome.cells[cell]
        seeds = of_cell.baseline if arm == BASELINE else of_cell.arms[arm].values
        folders = [folder for seed in seeds if (folder := of_cell.run_of(arm, seed)) is not None]
        if self.outcome.plan.tune:
            return folders
        return folders + [run.folder for run in self.running.values() if run.job.cell == cell]

    def spread(self, cell: str, arm: str, value: Callable[[EpochMeasured], float | None]) -> list[Spread]:
        """An arm's mean and standard deviation over its runs in a cell, at each epoch that at least one has reached."""
        by_epoch: dict[int, list[float]] = {}
        for folder in self.runs_of(cell, arm):
            for epoch, done in self.courses.get(folder, {}).get(arm, {}).items():
                if (found := value(done)) is not None:
                    by_epoch.setdefault(epoch, []).append(found)
        return [
            Spread(epoch, statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values))
            for epoch, values in sorted(by_epoch.items())
        ]


def _age(run: Path) -> float:
    """Seconds since a run that another program makes has begun, or was resumed."""
    try:
        return max(0.0, time.time() - (run / "run.json").stat().st_mtime)
    except OSError:
        return 0.0


def read_courses(folders: Iterable[Path]) -> Mapping[Path, Course]:
    """The epochs of saved runs, without the losses of their steps; of one that can't be read, none."""
    found: dict[Path, Course] = {}
    for folder in folders:
        course = found.setdefault(folder, {})
        follower = Follower(folder, without_steps=True)
        try:
            while events := follower.new_events():
                for event in events:
                    if isinstance(event, EpochDone):
                        course.setdefault(event.arm, {})[event.epoch] = EpochMeasured(event.val_loss, event.val_metric)
        except OSError:
            continue
    return found
