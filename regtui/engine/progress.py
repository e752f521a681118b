"""How far an arm has come, as the trainer keeps it; and steps that were ordered and are not told yet."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from regtui.preset.model import Preset
from regtui.protocol.events import StopReason
from regtui.techniques.early_stopping import StoppingRule


@dataclass
class Steps:
    """Training steps that the arms were told to make."""

    count: int
    ordered_at: float
    fetch: Callable[[], Mapping[str, list[float]]]
    read: bool = False


@dataclass
class Progress:
    """How far an arm has come."""

    rule: StoppingRule
    restore_best: bool
    epochs: int = 0
    order: str = ""
    first_loss: float = math.inf
    best_val_loss: float = math.nan
    stopped: StopReason | None = None


def start(preset: Preset, arm: str) -> Progress:
    """An arm before its first epoch."""
    return Progress(preset.arms()[arm].stopping_rule(), restores_best(preset, arm, default=False))


def restores_best(preset: Preset, arm: str, *, default: bool) -> bool:
    """Whether an arm goes back to its best epoch; `default` is for one without early stopping."""
    early_stopping = preset.arms()[arm].early_stopping
    return default if early_stopping is None else early_stopping.restore_best
