"""events.jsonl of this program: each arm as a run of its own, FILE::baseline and FILE::ARM."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regtui.errors import InputError
from regtui.foreign.series import RUN_OF, LoggedRows, LoggedRun, Point


def is_own(table: Mapping[str, Any]) -> bool:
    """Whether a file's first table is the first event of a run."""
    return table.get("kind") == "run_started" and isinstance(table.get("arms"), dict)


def read(text: str, name: str, path: Path) -> list[LoggedRun]:
    """The arms of a run, with the losses and metrics of each epoch, and those of the test: 'val_loss', 'test_accuracy'.

    Raises:
        InputError: No arm has finished an epoch.
    """
    from pydantic import ValidationError  # 0.1 s

    from regtui.protocol.events import EpochDone, RunStarted, Scored, parse

    arms: dict[str, LoggedRows] = {}
    seed = None
    for line in text.splitlines():
        try:
            event = parse(line.encode())
        except ValidationError:  # of a later version, or cut short
            continue
        if isinstance(event, RunStarted):
            seed = event.seed
        elif isinstance(event, EpochDone):
            rows = arms.setdefault(event.arm, LoggedRows())
            _put(rows, "train", event.epoch, {"loss": event.train_loss, **event.train_metrics})
            _put(rows, "val", event.epoch, {"loss": event.val_loss, **event.val_metrics})
        elif isinstance(event, Scored):
            for arm, scores in event.arms.items():
                _put(arms.setdefault(arm, LoggedRows()), "test", scores.epoch, {"loss": scores.loss, **scores.metrics})
    if not arms:
        raise InputError(f"{name}: no epoch of this run has ended")
    return [LoggedRun(f"{name}{RUN_OF}{arm}", path, rows.series, seed) for arm, rows in arms.items()]


def _put(rows: LoggedRows, part: str, epoch: int, values: Mapping[str, float | None]) -> None:
    for key, value in values.items():  # what is not finite is logged as null
        rows.put(f"{part}_{key}", Point(epoch, None, math.nan if value is None else value))
