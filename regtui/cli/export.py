"""`regtui export`: saved runs and studies as CSV, TensorBoard event files, a report or a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from regtui.console import complain
from regtui.export.write import write_saved
from regtui.text import one_line


def export_runs(runs: Sequence[Path], to: str, out: Path | None) -> int:
    """Write runs and studies in another format and say what was written; returns the exit code.

    Raises:
        InputError: The format is not known, one of them can't be read, or the output exists or can't be written.
    """
    for target in write_saved(runs, to, out):
        complain(f"written  {one_line(target)}")
    return 0
