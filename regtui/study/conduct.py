"""Conducts a study: hands its runs out to an engine, judges what they come to, and says when it is decided."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event as Flag
from typing import NamedTuple

from regtui.errors import InputError, RegtuiError
from regtui.runs.lock import is_locked
from regtui.study.cut_off import gather
from regtui.study.engine import Began, Ended, Engine, News
from regtui.study.folder import StudyFolder
from regtui.study.found_runs import drop_run
from regtui.study.outcome import JobKey, State, StudyOutcome, end_at_look, outcome_of
from regtui.study.plan import Job
from regtui.study.record import write_outcome
from regtui.text import quoted

TICK = 0.2
"""Seconds until a wish to stop is noticed at the latest."""
SELDOM = 4
"""Between two judgements passes at least so many times the time that the last one took."""


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


def conduct(
    study: StudyFolder,
    engine: Engine,
    stop: Flag,
    tell: Callable[[News | Opened], object],
    judged: Callable[[StudyOutcome], object] = lambda _outcome: None,
) -> State:
    """Make the runs of a study that are not done yet; returns how it ended.

    May be called from any thread: everything happens in it, `tell` and `judged` included. Runs that were interrupted,
    failed or stopped go on from their checkpoints, where they have any, else they are begun anew; those that are done
    are never made again. A study with looks makes the runs of one look after the other, and ends at the first that
    decides it; seeds that were added are run after that.

    Args:
        study: What to run; nobody else may run it meanwhile.
        engine: Makes the runs; it is entered and left here.
        stop: As soon as it is set, what still runs ends; it would come out the same another time. What is done, and
            what has a checkpoint, is kept. Within a second this function returns "stopped".
        tell: Receives first an `Opened`, then all that the runs tell.
        judged: Receives what the study has come to: at the beginning, after each run unless judging takes far longer
            than the runs, and at the end.

    Raises:
        InputError: Another program runs the study or one of its runs, or two of its runs are of the same settings and
            seed.
        RegtuiError: The engine can't begin or go on, or the first run that ends could not begin, since it asks for what
            is not there. A new study in which no run has begun leaves nothing behind.
    """
    with study.held():
        study.sweep()
        gather(study)
        found = study.find_runs()
        again = {*found.unfinished, *found.failed.values()}
        if (trained := next(filter(is_locked, again), None)) is not None:
            raise InputError(
                f"{quoted(trained.name)} is a run of this study and is being trained by another program; wait for it"
            )
        cut_off = found.cut_off
        for folder in again - {*cut_off.values()}:
            drop_run(folder)
        missing = {job.key for job in study.jobs} - found.done.keys()
        conductor = _Conductor(study, engine, cut_off, stop, tell, judged)
        try:
            with ExitStack() as stack:
                if missing:
                    stack.enter_context(engine)
                tell(Opened(study.jobs, dict(found.done), list(found.strangers)))
                state = conductor.run(missing)
        except RegtuiError:
            study.discard_unbegun()
            raise
        conductor.judge(state)
    return state


class _Conductor:
    """Hands runs out, look after look."""

    def __init__(
        self,
        study: StudyFolder,
        engine: Engine,
        cut_off: dict[JobKey, Path],
        stop: Flag,
        tell: Callable[[News | Opened], object],
        judged: Callable[[StudyOutcome], object],
    ) -> None:
        self._study, self._engine, self._cut_off, self._stop = study, engine, cut_off, stop
        self._tell, self._judged = tell, judged
        self._judged_at = -math.inf
        self._judging = 0.0
        self._is_stale = False
        self._has_made_one = False

    def run(self, missing: set[tuple[str, int, int]]) -> State:
        """Make the runs that are missing, and return how the study ended."""
        plan = self._study.plan
        state: State = "finished"
        self.judge()
        done = 0
        for look in plan.looks or [len(plan.seeds)]:
            if not self._make(missing, plan.seeds[done:look]):
                return "stopped"
            done = look
            later = {*plan.seeds[done:]}
            went_on = any(job.seed in later and job.key not in missing for job in self._study.jobs)
            if later and not went_on and (end := end_at_look(self.judge())) is not None:
                state = end
                break
        return state if self._make(missing, self._study.added) else "stopped"

    def judge(self, state: State = "running") -> StudyOutcome:
        """Judge what there is, keep it in study.json and tell it.

        Raises:
            RegtuiError: It can't be kept, at the end; until then it is tried again after each run.
        """
        began = time.monotonic()
        outcome = outcome_of(self._study, state)
        self._judged(outcome)
        with suppress(*([RegtuiError] if state == "running" else [])):
            write_outcome(self._study, outcome)
        self._judged_at = time.monotonic()
        self._judging = self._judged_at - began
        self._is_stale = False
        return outcome

    def _make(self, missing: set[tuple[str, int, int]], seeds: Sequence[int]) -> bool:
        """Make the runs of these seeds that are missing; returns whether all were made, not stopped."""
        wanted = {*seeds}
        to_come = deque(job for job in self._study.jobs if job.seed in wanted and job.key in missing)
        running = 0
        while (to_come or running) and not self._stop.is_set():
            while to_come and self._engine.room > 0:
                self._begin(to_come.popleft())
                running += 1
            told = self._engine.news(TICK)
            for news in told:
                if isinstance(news, Ended):
                    running -= 1
                    if news.hopeless is not None and not self._has_made_one:
                        raise news.hopeless
                    self._has_made_one = True
                self._tell(news)
            self._is_stale |= any(isinstance(news, Ended) for news in told)
            if self._is_stale and time.monotonic() > self._judged_at + SELDOM * self._judging:
                self.judge()
        return not (to_come or running)

    def _begin(self, job: Job) -> None:
        run = self._cut_off.pop(job.key, None)
        if run is not None:
            self._engine.go_on(job, run)
        else:
            self._engine.begin(job, self._study.runs)


class Pace:
    """How long runs take, and when the study will probably be done: from the runs that were measured."""

    def __init__(self, jobs: list[Job], done: set[tuple[str, int, int]], at_once: int) -> None:
        """Nothing is measured yet.

        Args:
            jobs: All runs.
            done: The keys of those that are done already.
            at_once: How many are made at the same time at most; on a cluster fewer may be, as those that began tell.
        """
        self._left = {job.key for job in jobs} - done
        self._at_most, self._at_once = at_once, 1
        self._began: dict[tuple[str, int, int], float] = {}
        self._seconds: dict[tuple[str, int], list[float]] = {}

    def __call__(self, news: News) -> None:
        """Take in what an engine tells."""
        key, now = news.job.key, time.monotonic()
        if isinstance(news, Began):
            self._began[key] = now
            self._at_once = max(self._at_once, min(self._at_most, len(self._began)))
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
