"""An engine that computes nothing: its runs are ordinary ones on disk, whose numbers are given."""

from __future__ import annotations

import queue
import random
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from regtui.arm.reports import ScoreReport
from regtui.engine.run import run
from regtui.preset.arms import BASELINE
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import Event, StepsDone
from regtui.study.engine import Began, Ended, News, Told
from regtui.study.found_runs import drop_run
from regtui.study.plan import Job
from regtui.tui.study.runner import StudyRunner
from tests.screen_double import FALLING, GatedCrew

EXAMPLES = 2_000
EFFECTS = (1.5, 0.4, -1.2, 0.9)
"""What the arms beside the baseline add to its accuracy, in points."""


class SeededCrew(GatedCrew):
    """Scores by seed: each arm has the seed's share of right answers, and its own effect."""

    def __init__(self, job: Job, gate: threading.Semaphore) -> None:
        arms = list(job.preset.arms())
        self.chance = random.Random(f"{job.cell} {job.seed} {job.trial}")
        losses = {arm: [loss + self.chance.uniform(0, 0.05) for loss in FALLING] for arm in arms}
        super().__init__(losses)
        self.gate = gate
        self.accuracy = {arm: 0.9 + self.chance.gauss(0, 0.003) for arm in arms}
        for arm, effect in zip(arms[1:], EFFECTS, strict=False):
            self.accuracy[arm] = self.accuracy[BASELINE] + effect / 100 + self.chance.gauss(0, 0.004)

    def _test(self, arm: str, keep_best: Mapping[str, bool]) -> ScoreReport:  # noqa: ARG002
        right = np.arange(EXAMPLES) < round(self.accuracy[arm] * EXAMPLES)
        targets = np.zeros(EXAMPLES, dtype=np.uint8)
        classes = np.where(right, 0, 1).astype(np.uint8)
        probabilities = np.eye(2, dtype=np.float16)[classes]
        told: dict[str, Any] = {"probabilities": probabilities, "classes": classes}
        accuracy = float(right.mean())
        return ScoreReport(2 * (1 - accuracy), accuracy, right.tolist(), told, targets)


class GatedEngine:
    """Makes runs in threads; `gate` lets their epochs pass, each of all arms of a run together."""

    def __init__(self, jobs: int = 2, epochs: int = 10_000) -> None:
        """Let so many epochs pass at once; more when a test says so."""
        self.jobs = jobs
        self.gate = threading.Semaphore(epochs)
        self.begun: list[Job] = []
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._threads: list[tuple[threading.Thread, Control]] = []
        self._closed = False

    @property
    def room(self) -> int:
        return self.jobs - sum(thread.is_alive() for thread, _ in self._threads)

    def begin(self, job: Job, runs: Path) -> None:
        control = Control()
        thread = threading.Thread(target=self._run, args=(job, runs, control), daemon=True)
        self.begun.append(job)
        self._threads.append((thread, control))
        thread.start()

    def go_on(self, job: Job, run: Path) -> None:
        drop_run(run)
        self.begin(job, run.parent)

    def _run(self, job: Job, runs: Path, control: Control) -> None:
        where = f"worker {len(self.begun) % self.jobs + 1}"
        folder: list[Path] = []

        def begun(path: Path) -> None:
            folder.append(path)
            self._news.put(Began(job, path, where))

        def emit(event: Event) -> None:
            if not isinstance(event, StepsDone):
                self._news.put(Told(job, event))

        result = run(
            job.preset, runs, control, emit, SeededCrew(job, self.gate), begun, checkpoints=False, attachable=False
        )
        if self._closed:
            shutil.rmtree(folder[0])
        else:
            self._news.put(Ended(job, result.folder, result.summary.status))

    def news(self, timeout: float) -> list[News]:
        found: list[News] = []
        try:
            found.append(self._news.get(timeout=timeout))
            while True:
                found.append(self._news.get_nowait())
        except queue.Empty:
            return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        for _, control in self._threads:
            control.send(Stop(at_once=True))
        self.gate.release(10_000)
        for thread, _ in self._threads:
            thread.join()


def gated_runner(engine: GatedEngine) -> StudyRunner:
    """A runner that makes this engine."""
    return StudyRunner("local", engine.jobs, lambda _jobs, _threads: engine)
