"""Waits on the command line for a disk that does not answer, and says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from regtui.console import complain
from regtui.disk import Disk, slow

Result = TypeVar("Result")


def waited(where: Path, job: Callable[[], Result]) -> Result:
    """The result of what is asked of a disk; if it keeps us waiting for some seconds, that is said once on stderr.

    Args:
        where: A folder on that disk.
        job: What is asked; carried out in another thread, so that Ctrl-C ends the wait.
    """
    told: list[Path] = []

    def silent() -> None:
        if not told:
            told.append(where)
            complain(f"regtui: waiting, and Ctrl-C ends that: {slow(where)}")

    disk = Disk()
    disk.silent = silent
    return disk(job)
