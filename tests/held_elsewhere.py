"""Runs that jobs of Slurm and tasks of Ray make, and that wait for a test at gates: see `tests.held.Gate`.

This module is the program that speaks with Ray as well: `regtui.study.ray_driver`, whose tasks wait.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from regtui.engine.child import Spawned
from regtui.engine.trainer import Trainer
from regtui.study import ray_driver, ray_engine, slurm
from regtui.study.ray_task import RunPart, make
from regtui.study.slurm_job import Made, SlurmRun
from tests.held import Gate

GATES = "REGTUI_TEST_GATES"
"""What tells the program that speaks with Ray where its tasks wait: FOLDER:EPOCH, a line each."""


@contextmanager
def held(gates: Sequence[Gate]) -> Iterator[None]:
    """Runs of this process wait at these gates."""
    with pytest.MonkeyPatch.context() as patch:
        for gate in gates:
            patch.setattr(Trainer, "_decide", gate.before(Trainer._decide))
        yield


class HeldRun(SlurmRun):
    """A run as a job of Slurm that waits."""

    def __init__(self, gates: Sequence[Gate], *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._gates = gates

    def __call__(self) -> Made:
        with held(self._gates):
            return super().__call__()


def hold_jobs(patch: pytest.MonkeyPatch, *gates: Gate) -> None:
    """Have the jobs of Slurm wait that this process submits."""
    patch.setattr(slurm, "SlurmRun", partial(HeldRun, gates))


def hold_tasks(patch: pytest.MonkeyPatch, *gates: Gate) -> None:
    """Have the tasks of Ray wait that this process starts."""
    patch.setenv(GATES, "\n".join(f"{gate.folder}:{gate.epoch}" for gate in gates))
    patch.setattr(ray_engine, "Spawned", lambda threads, streams, **_: Spawned(threads, streams, module=__name__))


def begin(channel: str) -> None:
    """Serve as `regtui.study.ray_driver` does."""
    known = [line.rpartition(":") for line in os.environ[GATES].splitlines()]
    gates = [Gate(Path(folder), int(epoch)) for folder, _, epoch in known]

    def wait_and_make(*args: Any) -> Iterator[RunPart]:
        with held(gates):
            yield from make(*args)

    setattr(ray_driver, "make", wait_and_make)  # noqa: B010
    ray_driver.begin(channel)
