"""Makes the runs of a study on this machine: long-lived workers, each a process that holds all arms of one run.

One run in one process wastes nothing: its arms would wait for each other in several. All workers are forked from one
process that has imported torch, where the system can do that, so that its import is paid once and its memory shared.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from regtui.engine.crew import ProcessCrew
from regtui.engine.fits import check_early
from regtui.engine.forkserver import ForkServer
from regtui.engine.resume import Changes, resume
from regtui.engine.run import RunResult, run
from regtui.errors import InputError, RegtuiError
from regtui.protocol.control import Control
from regtui.protocol.events import Event, StepsDone
from regtui.runs.events import read_events
from regtui.study.cut_off import keep
from regtui.study.engine import Began, Ended, News, Told
from regtui.study.found_runs import KEPT, drop_run
from regtui.study.plan import Job
from regtui.text import counted

ATTEMPTS = 3
"""So often a run is begun whose worker dies; then it is told as failed."""


def check_memory(jobs: Sequence[Job], at_once: int) -> None:
    """Refuse runs that take more memory than this machine has, before any is made.

    Args:
        jobs: What is to be run.
        at_once: How many runs are made at the same time.

    Raises:
        InputError: There are such.
    """
    alike = Counter((job.cell, job.trial) for job in jobs)
    for job in {(job.cell, job.trial): job for job in reversed(jobs)}.values():  # of each network the first
        for runs in sorted({1, min(at_once, alike[job.cell, job.trial])}):  # those of one network follow on each other
            check_early(job.preset, at_once=1, runs=runs)  # a worker computes with one arm after the other


class LocalEngine:
    """Makes runs in processes of this machine; see `regtui.study.engine.Engine`. The losses of steps are not told."""

    def __init__(self, jobs: int, threads: int = 1, *, checkpoints: bool = False) -> None:
        """Plan the workers, each of which is started with its first run.

        Args:
            jobs: Runs at the same time.
            threads: Threads with which each computes.
            checkpoints: Whether runs save their weights after each epoch.
        """
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._server = _Server(threads)
        self._workers = [
            _Worker(f"worker {i + 1}", self._server, self._news, checkpoints=checkpoints) for i in range(jobs)
        ]

    @property
    def room(self) -> int:
        """How many more runs would begin at once."""
        return sum(not worker.is_busy for worker in self._workers)

    def begin(self, job: Job, runs: Path) -> None:
        """Begin a run in a new folder below `runs`; returns at once."""
        next(worker for worker in self._workers if not worker.is_busy).begin(job, runs)

    def go_on(self, job: Job, run: Path) -> None:
        """Go on with a run that was cut off from its checkpoint; returns at once. If that can't be, it begins anew."""
        next(worker for worker in self._workers if not worker.is_busy).begin(job, run.parent, run)

    def news(self, timeout: float) -> list[News]:
        """What has happened since the last call, in order; waits up to `timeout` seconds for the first."""
        found: list[News] = []
        try:
            found.append(self._news.get(timeout=timeout))
            while True:
                found.append(self._news.get_nowait())
        except queue.Empty:
            return found

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.hang_up()
        self._server.close()
        for worker in self._workers:
            worker.close()


class _Server:
    """The process from which workers are forked; a new one if it has died."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._server: ForkServer | None = None

    def start(self) -> None:
        """Have it import torch."""
        with self._lock:
            self._renew()

    def crew(self) -> ProcessCrew:
        """A process for one run at a time."""
        with self._lock:
            return ProcessCrew(self._threads, processes=1, server=self._renew())

    def _renew(self) -> ForkServer | None:
        if ForkServer.is_possible() and (self._server is None or self._server.is_gone):
            self._server = ForkServer(self._threads)
        return self._server

    def close(self) -> None:
        """End it, and all that was forked from it."""
        with self._lock:
            if self._server is not None:
                self._server.close()


class _Worker:
    """A process, and the thread that conducts the run in it."""

    def __init__(self, name: str, server: _Server, news: queue.SimpleQueue[News], *, checkpoints: bool) -> None:
        self._name, self._server, self._news, self._checkpoints = name, server, news, checkpoints
        self._deaths = 0
        self._lock = threading.Lock()
        self._closed = False
        self._crew: ProcessCrew | None = None
        self._thread: threading.Thread | None = None
        self.is_busy = False

    def begin(self, job: Job, runs: Path, cut_off: Path | None = None) -> None:
        """Begin a run, or go on with one that was cut off; returns at once."""
        self.is_busy = True
        if self._crew is None:
            self._crew = self._server.crew()
        self._thread = threading.Thread(target=self._run, args=(job, runs, cut_off), name=self._name, daemon=True)
        self._thread.start()

    def hang_up(self) -> None:
        """Drop what runs."""
        with self._lock:
            self._closed = True
            if self._crew is not None:
                self._crew.close()

    def close(self) -> None:
        """Wait until nothing of it is left, after `hang_up`."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, job: Job, runs: Path, cut_off: Path | None) -> None:
        ended = Ended(job, None, "failed", "")
        try:
            for _ in range(ATTEMPTS):
                ended = self._attempt(job, runs, cut_off)
                died = self._crew is not None and self._crew.has_lost_one
                if died or self._crew is None or not self._crew.idle:  # or it owes what a failed run has asked for
                    self._replace()
                if not died or ended.status != "failed" or self._closed:
                    break
                cut_off = keep(ended.folder) if ended.folder is not None else cut_off
                ended = Ended(job, None, "failed", f"its worker died {ATTEMPTS} times: {ended.error}")
                self._deaths += 1
        finally:
            if self._closed and ended.status not in KEPT and ended.folder is not None:
                keep(ended.folder)
            self.is_busy = False
            self._news.put(ended)

    def _attempt(self, job: Job, runs: Path, cut_off: Path | None) -> Ended:
        begun: list[Path] = []

        def begin(folder: Path) -> None:
            begun.append(folder)
            self._news.put(Began(job, folder, self._where if cut_off is None else f"{self._name}, resumed"))
            if cut_off is not None:
                for event in read_events(folder):
                    emit(event)

        def emit(event: Event) -> None:
            if not isinstance(event, StepsDone):
                self._news.put(Told(job, event))

        try:
            if cut_off is not None:
                try:
                    result = resume(
                        cut_off, Changes(), Control(), emit, self._crew, begin, attachable=False, abandoned=True
                    )
                    return _ended(job, result)
                except InputError:  # its checkpoint is damaged, or what it asks for is not there, as will be told below
                    drop_run(cut_off)
                    cut_off = None
            result = run(
                job.preset, runs, Control(), emit, self._crew, begin, checkpoints=self._checkpoints, attachable=False
            )
        except RegtuiError as error:
            return Ended(job, None, "failed", str(error), None if self._has_died else error)
        except Exception as error:
            return Ended(job, begun[0] if begun else None, "failed", f"unforeseen {error!r}")
        return _ended(job, result)

    @property
    def _has_died(self) -> bool:
        return self._crew is not None and self._crew.has_lost_one

    @property
    def _where(self) -> str:
        return self._name + (f", begun anew {counted(self._deaths, 'time')}" if self._deaths else "")

    def _replace(self) -> None:
        with self._lock:
            if self._closed:
                return
            if self._crew is not None:
                self._crew.close()
            self._crew = self._server.crew()


def _ended(job: Job, result: RunResult) -> Ended:
    return Ended(job, result.folder, result.summary.status, result.summary.error, unsaved=result.summary.unsaved)
