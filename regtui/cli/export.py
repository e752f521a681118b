"""`regtui export`: saved runs as CSV, TensorBoard event files, a report or a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from regtui.console import complain
from regtui.export.write import write_runs
from regtui.text import one_line


def export_runs(runs: Sequence[Path], to: str, out: Path | None) -> int:
    """Write runs in another format and say what was written; returns the exit code.

    Raises:
        InputError: The format is not known, a run can't be read, or the output exists or can't be written.
    """
    for target in write_runs(runs, to, out):
        complain(f"written  {one_line(target)}")
    return 0
