"""CSV: a folder for each arm, with a row for each epoch in metrics.csv and a row for each step in steps.csv.

pandas reads both. lightning-metrics-tui looks for files named metrics.csv below the folder it is given, takes `step`
as the axis and draws `train_X` and `val_X` in one chart.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from regtui.export.saved_run import SavedRun

COLUMNS = (
    "epoch", "step", "train_loss", "val_loss", "train_{metric}", "val_{metric}", "gap", "seconds", "zero_weights",
    "weight_norm", "best", "counted", "kept", "partial",
)  # fmt: skip
"""The columns of metrics.csv, with the name of the task's metric; one for each penalty follows.

`step` is the epoch's last. 0 or 1 are `best`: the one epoch with the lowest validation loss; `counted`: early stopping
counted it as an improvement; `kept`: its weights were tested; `partial`: it was cut short.
"""


def write(run: SavedRun, folder: Path) -> None:
    """Write a run's numbers below `folder`, in full precision; a cell is empty where a number is not finite."""
    for name, arm in run.history.arms.items():
        (folder / name).mkdir(parents=True)
        penalties = sorted({penalty for epoch in arm.epochs for penalty in epoch.penalties})
        last_steps = run.last_steps(name)
        epochs = (
            [
                epoch.epoch, last_steps[epoch.epoch], epoch.train_loss, epoch.val_loss, epoch.train_metric,
                epoch.val_metric, epoch.gap, epoch.seconds, epoch.zero_weights, epoch.weight_norm,
                int(epoch is arm.best), int(epoch.counts), int(arm.test is not None and epoch is arm.kept),
                int(epoch.partial), *(epoch.penalties.get(penalty) for penalty in penalties),
            ]
            for epoch in arm.epochs
        )  # fmt: skip
        columns = [column.format(metric=run.history.task.metric.name) for column in COLUMNS]
        header = [*columns, *(f"penalty_{penalty}" for penalty in penalties)]
        _write(folder / name / "metrics.csv", header, epochs)
        losses = (
            [step, steps.epoch, loss]
            for steps in run.steps[name]
            for step, loss in enumerate(steps.losses, start=steps.first_step)
        )
        _write(folder / name / "steps.csv", ["step", "epoch", "loss"], losses)


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
