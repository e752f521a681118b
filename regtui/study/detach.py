"""Has another process, without a screen, go on with a study; of a single run that is engine/detach.py."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from regtui.engine.detach import start
from regtui.study.folder import StudyFolder

UNSEEN = 30.0
"""Seconds after which another process counts as begun where no file can be locked, so that nobody sees that."""


def leave_running(folder: Path, options: Sequence[str], wanted: Callable[[], bool]) -> int | None:
    """Have another process go on with a study that is conducted here no more.

    Args:
        folder: The study's.
        options: What it is told beside.
        wanted: Whether it is still to go on; asked again and again.

    Returns:
        The number of the process; None if it was not wanted any more.

    Raises:
        RegtuiError: It does not.
    """
    study, until = StudyFolder.open(folder), time.monotonic() + UNSEEN

    def begun(_pid: int) -> bool:
        return study.is_held or time.monotonic() > until

    return start(("study", "--resume", str(folder.absolute()), "--headless", *options), folder, begun, wanted)
