"""An engine whose runs are ordinary ones on disk, but train nothing: a study of many runs takes a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from regtui.arm.reports import ScoreReport
from regtui.engine.run import run
from regtui.protocol.control import Control
from regtui.study.engine import Began, Ended, News, Told
from regtui.study.found_runs import drop_run
from regtui.study.plan import Job
from tests.scripted import ScriptedCrew

IMAGES = 1_000
"""Of the test set."""


class FakeEngine:
    """Makes each run when it is asked for news of it.

    Attributes:
        begun: The keys of the jobs that were begun, in order.
        gone_on: The folders of runs that were gone on with, by key; here that means to make them anew.
        fails: Whether a job fails; it leaves a folder behind that tells of no end.
    """

    def __init__(
        self,
        gain: Callable[[int], float] = lambda seed: 1.0 + 0.1 * (seed % 3),
        fails: Callable[[Job], bool] = lambda _job: False,
    ) -> None:
        """Make runs in which each arm is `gain` points better than the baseline at a seed."""
        self.begun: list[tuple[str, int, int]] = []
        self.gone_on: dict[tuple[str, int, int], Path] = {}
        self.fails = fails
        self._gain = gain
        self._waiting: list[tuple[Job, Path]] = []

    @property
    def room(self) -> int:
        return 2 - len(self._waiting)

    def begin(self, job: Job, runs: Path) -> None:
        assert self.room > 0
        self.begun.append(job.key)
        self._waiting.append((job, runs))

    def go_on(self, job: Job, run: Path) -> None:
        self.gone_on[job.key] = run
        drop_run(run)
        self.begin(job, run.parent)

    def news(self, timeout: float) -> list[News]:  # noqa: ARG002
        if not self._waiting:
            return []
        job, runs = self._waiting.pop()  # the last first: nobody may rely on their order
        if self.fails(job):
            return [Ended(job, None, "failed", "its worker died 3 times")]
        news: list[News] = []
        crew = _Crew(job, self._gain(job.seed))
        result = run(
            job.preset,
            runs,
            Control(),
            lambda event: news.append(Told(job, event)),
            crew,
            lambda folder: news.append(Began(job, folder, "here")),
            checkpoints=False,
            attachable=False,
        )
        return [*news, Ended(job, result.folder, result.summary.status)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.clear()


class _Crew(ScriptedCrew):
    def __init__(self, job: Job, gain: float) -> None:
        epochs = job.preset.train.epochs
        super().__init__({arm: [0.5 - 0.01 * epoch for epoch in range(epochs)] for arm in job.preset.arms()})
        self._seed, self._gain = job.seed, gain

    def _test(self, arm: str, keep_best: object) -> ScoreReport:  # noqa: ARG002
        right = 800 + self._seed % 7 + (0 if arm == "baseline" else round(IMAGES * self._gain / 100))
        rights = [place < right for place in range(IMAGES)]
        targets = np.zeros(IMAGES, dtype=np.uint8)
        classes = np.where(rights, 0, 1).astype(np.uint8)
        probabilities = np.eye(10, dtype=np.float16)[classes]
        return ScoreReport(0.3, right / IMAGES, rights, {"probabilities": probabilities, "classes": classes}, targets)
