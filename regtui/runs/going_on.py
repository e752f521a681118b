"""The runs that go on now, those that somebody has left running, among ten thousand that have ended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from regtui.errors import InputError
from regtui.runs.alive import standing
from regtui.runs.files import read_json
from regtui.runs.find import find_runs


def going_on(logs: Path) -> Iterator[Path]:
    """The folders of the runs in and below `logs` that other processes train now, the newest first.

    Of most runs only the summary is looked for. Those of studies are passed over: their study stands for them.
    """
    for folder in sorted(find_runs(logs), key=lambda run: run.name, reverse=True):
        if trains_still(folder):
            yield folder


def trains_still(folder: Path) -> bool:
    """Whether another process trains the run in `folder`, as far as its files tell."""
    return not os.path.exists(folder / "summary.json") and goes_on(folder)  # noqa: PTH110, it never raises


def goes_on(folder: Path) -> bool:
    """Whether a run without a summary is trained by another process, as far as its files tell."""
    try:
        circumstances = read_json(folder / "run.json")
    except (OSError, InputError):
        return False
    return circumstances.get("pid") != os.getpid() and standing(folder, circumstances).status == "running"
