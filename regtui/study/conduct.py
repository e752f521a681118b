"""Conducts a study: hands its runs out to an engine, judges what they come to, and says when it is decided."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from threading import Event as Flag
from typing import NamedTuple

from regtui.study.engine import Began, Ended, Engine, News
from regtui.study.folder import StudyFolder
from regtui.study.outcome import State
from regtui.study.plan import Job

TICK = 0.2
"""Seconds until a wish to stop is noticed at the latest."""


class Opened(NamedTuple):
    """A study begins, or goes on: what of it was there.

    Attributes:
        jobs: All its runs, those of added seeds included.
        done: The folders of those that are done, by `Job.key`.
        strangers: Folders among its runs that are of no job, and do not count.
    """

    jobs: list[Job]
    done: dict[tuple[str, int, int], Path]
    strangers: list[Path]


def conduct(study: StudyFolder, engine: Engine, stop: Flag, tell: Callable[[News | Opened], object]) -> State:
    """Make the runs of a study that are not done yet; returns how it ended.

    May be called from any thread: everything happens in it, `tell` included. Runs that were interrupted, failed or
    stopped are begun anew; runs that are done are never made again.

    Args:
        study: What to run; nobody else may run it meanwhile.
        engine: Makes the runs; it is entered and left here.
        stop: As soon as it is set, what still runs is dropped, since it would come out the same another time; what is
            done is kept. Within a second this function returns "stopped".
        tell: Receives first a `Opened`, then all that the runs tell.

    Raises:
        InputError: Another program runs the study, or two of its runs are of the same settings and seed.
        RegtuiError: The engine can't begin, or can't go on.
    """
    with study.held():
        found = study.find_runs()
        for folder in (*found.unfinished, *found.failed.values()):
            shutil.rmtree(folder, ignore_errors=True)
        tell(Opened(study.jobs, dict(found.done), list(found.strangers)))
        to_come = deque(job for job in study.jobs if job.key not in found.done)
        running = 0
        if to_come:
            with engine:
                while (to_come or running) and not stop.is_set():
                    while to_come and engine.room > 0:
                        engine.begin(to_come.popleft(), study.runs)
                        running += 1
                    for news in engine.news(TICK):
                        running -= isinstance(news, Ended)
                        tell(news)
    return "stopped" if to_come or running else "finished"


class Pace:
    """How long runs take, and when the study will probably be done: from the runs that were measured."""

    def __init__(self, jobs: list[Job], done: set[tuple[str, int, int]], at_once: int) -> None:
        """Nothing is measured yet.

        Args:
            jobs: All runs.
            done: The keys of those that are done already.
            at_once: How many are made at the same time.
        """
        self._left = {job.key for job in jobs} - done
        self._at_once = max(1, at_once)
        self._began: dict[tuple[str, int, int], float] = {}
        self._seconds: dict[tuple[str, int], list[float]] = {}

    def __call__(self, news: News) -> None:
        """Take in what an engine tells."""
        key, now = news.job.key, time.monotonic()
        if isinstance(news, Began):
            self._began[key] = now
        elif isinstance(news, Ended):
            self._left.discard(key)
            if (began := self._began.pop(key, None)) is not None and news.folder is not None:
                self._seconds.setdefault((news.job.cell, news.job.trial), []).append(now - began)

    @property
    def seconds_left(self) -> float | None:
        """How long it will take; None before the first run has ended.

        A run takes as long as those of its cell and trial did on average, or as all did, where none of these has ended.
        """
        measured = [seconds for of in self._seconds.values() for seconds in of]
        if not measured:
            return None
        usual, now, total = sum(measured) / len(measured), time.monotonic(), 0.0
        for cell, seed, trial in self._left:
            of = self._seconds.get((cell, trial))
            expected = sum(of) / len(of) if of else usual
            began = self._began.get((cell, seed, trial))
            total += expected if began is None else max(0.0, expected - (now - began))
        return total / min(self._at_once, max(1, len(self._left)))
