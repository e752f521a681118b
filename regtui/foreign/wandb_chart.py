"""The CSV that W&B exports of a chart: a column of steps, and of each run and metric its value, least and largest.

The columns are "Step", "RUN - METRIC", "RUN - METRIC__MIN" and "RUN - METRIC__MAX", seen in exported files and in
https://github.com/wandb/wandb/issues/5349; a run's name may have ' - ' in it too. The first column is called after the
chart's axis: "Step", "epoch", "trainer/global_step", "Relative Time (Process)". The table that W&B's programming
interface gives (`run.history()`) has a row a step and is read as any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from regtui.errors import InputError
from regtui.foreign.series import EPOCHS, NO_METRICS, RUN_OF, STEPS, LoggedRows, LoggedRun, Point, number

BETWEEN = " - "
AXES = EPOCHS | STEPS | NO_METRICS
"""What a chart's first column may be called, in small letters."""
LEAST, LARGEST, STEP = "__MIN", "__MAX", " - _step"


def is_chart(header: Sequence[str]) -> bool:
    """Whether a table's names are those of a chart."""
    values = [name for name in header[1:] if name and not name.endswith((LEAST, LARGEST, STEP))]
    return bool(values) and header[0].strip().lower() in AXES and all(BETWEEN in name for name in values)


def read(header: Sequence[str], table: Sequence[Sequence[str]], name: str, path: Path) -> list[LoggedRun]:
    """Each run of a chart, named FILE::RUN.

    Raises:
        InputError: No run has a value.
    """
    axis = header[0].strip().lower()
    runs: dict[str, LoggedRows] = {}
    for column, title in enumerate(header):
        if BETWEEN not in title or title.endswith((LEAST, LARGEST, STEP)):
            continue
        run, _, metric = title.rpartition(BETWEEN)
        for cells in table:
            value = number(cells[column]) if column < len(cells) else None
            if value is None:
                continue
            at = number(cells[0])
            epoch, step = at if axis in EPOCHS else None, at if axis in STEPS else None
            runs.setdefault(run, LoggedRows()).put(metric, Point(epoch, step, value))
    if not runs:
        raise InputError(f"{name} is a chart of W&B's without a value")
    return [LoggedRun(f"{name}{RUN_OF}{run}", path, rows.series) for run, rows in runs.items()]
