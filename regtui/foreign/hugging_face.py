"""trainer_state.json of Hugging Face's transformers: its `log_history` is a list of rows, each with `epoch` and `step`.

Training rows have `loss` and `learning_rate`, those of an evaluation `eval_loss` and `eval_...`, the last one
`train_loss` and times (TrainerState in transformers/trainer_callback.py). It tells no seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regtui.errors import InputError
from regtui.foreign.series import LoggedRun, runs_of

HISTORY = "log_history"


def is_state(table: object) -> bool:
    """Whether a table is the state of a trainer."""
    return isinstance(table, dict) and isinstance(table.get(HISTORY), list)


def read(table: Mapping[str, Any], name: str, path: Path) -> list[LoggedRun]:
    """The run of a trainer's state.

    Raises:
        InputError: Its history is empty, or has no numbers.
    """
    rows = [row for row in table[HISTORY] if isinstance(row, dict)]
    if not rows:
        raise InputError(f"{name} has an empty log_history: its run has logged nothing yet")
    return runs_of(rows, name, path, [])
