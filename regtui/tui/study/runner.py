"""What makes the runs of the studies that are conducted under the screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from regtui.processors import grant, has_gpu
from regtui.study.engine import Engine
from regtui.study.folder import StudyFolder


@dataclass(frozen=True)
class StudyRunner:
    """What makes a study's runs.

    Attributes:
        engine: Its name: 'local'.
        jobs: Runs at the same time.
        make: Makes the engine for so many runs of a study; called in the worker thread, once for each study.
        verdict_exit: Whether the program's exit code tells the verdict.
        options: What `regtui study --resume` is told, so that another process makes the runs as this one does.
    """

    engine: str
    jobs: int
    make: Callable[[int, StudyFolder], Engine]
    verdict_exit: bool = False
    options: tuple[str, ...] = ()


def local_runner() -> StudyRunner:
    """Processes of this machine, as many as its processors have room for."""

    def make(jobs: int, of: StudyFolder) -> Engine:
        from regtui.study.local import LocalEngine  # the processes' machinery, which most sessions do not need

        return LocalEngine(jobs, of.plan.threads, checkpoints=of.checkpoints)

    return StudyRunner("local", 1 if has_gpu() else grant().processors, make)
