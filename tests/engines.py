"""Has an engine of studies make runs, as a study does, and compares what it made."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from regtui.protocol.events import EpochDone, Event, Saving, Stalled, Suspended
from regtui.runs.events import read_events
from regtui.runs.predictions import read_predictions
from regtui.runs.summary import read_summary
from regtui.study.engine import Ended, Engine, News
from regtui.study.plan import Job
from tests.conftest import small_preset

PATIENCE = 600.0
"""Seconds for all runs; a machine may be busy."""


def jobs(seeds: int, **tables: dict[str, Any]) -> list[Job]:
    """Small runs, a job a seed."""
    return [
        Job("", seed, 0, small_preset(**tables | {"train": {**tables.get("train", {}), "seed": seed}}))
        for seed in range(seeds)
    ]


def make_all(
    engine: Engine, wanted: Sequence[Job], runs: Path, at: Callable[[News], object] = lambda _news: None
) -> list[News]:
    """Make the runs with an engine that was entered, and pass all news to `at`; returns the news."""
    to_come, running, told = list(wanted), 0, list[News]()
    until = time.monotonic() + PATIENCE
    while (to_come or running) and time.monotonic() < until:
        while to_come and engine.room > 0:
            engine.begin(to_come.pop(0), runs)
            running += 1
        for news in engine.news(0.2):
            told.append(news)
            running -= isinstance(news, Ended)
            at(news)
    assert not to_come
    assert not running
    return told


def by_seed(told: Sequence[News]) -> dict[int, Path]:
    """The folder of each finished run; fails where one was made twice."""
    ended = [news for news in told if isinstance(news, Ended)]
    assert all(news.status == "finished" for news in ended), ended
    folders = {news.job.seed: news.folder for news in ended}
    assert len(folders) == len(ended)
    return {seed: folder for seed, folder in folders.items() if folder is not None}


def measured(folder: Path) -> tuple[list[Any], dict[str, Any], Any]:
    """All numbers that a run has logged, but times and its process: events, summary, predictions."""
    log = read_events(folder)
    events = [
        event.model_dump(exclude={"t", "seconds", "train_seconds"})
        for event in log
        if not isinstance(event, (Saving, Stalled, Suspended))
    ]
    summary = read_summary(folder)
    assert summary is not None
    outcome = summary.model_dump(exclude={"wall_seconds", "train_seconds"})
    for arm in outcome["arms"].values():
        del arm["seconds"]
    predictions = read_predictions(folder)
    assert predictions is not None
    arrays = {(arm, name): array.tobytes() for arm, of in predictions.arms.items() for name, array in of.items()}
    return events, outcome, (np.asarray(predictions.targets).tobytes(), arrays)


def epochs(events: Sequence[Event], arm: str = "baseline") -> list[int]:
    """The numbers of an arm's epochs in the order in which they came."""
    return [event.epoch for event in events if isinstance(event, EpochDone) and event.arm == arm]


def open_below(folder: Path) -> list[Path]:
    """Files and folders in `folder`, itself included, that this process has open, where the system tells."""
    found = []
    for number in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):  # the one with which this folder is read
            found.append(number.readlink())
    return [path for path in found if path.is_relative_to(folder)]
