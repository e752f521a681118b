"""How far an arm has come, as the trainer keeps it; and steps that were ordered and are not told yet."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from regtui.preset.model import Preset
from regtui.protocol.events import StopReason
from regtui.techniques.early_stopping import StoppingRule

EXPLODED = 100
"""An arm whose training loss ends an epoch above so many times what knowing nothing costs has diverged.

Adam divides each gradient by its own size, so that even an absurd learning rate ends in losses of tens of thousands
instead of infinity; such an arm is no more a result than one at NaN.
"""


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


def largest_loss(first: float, guess: float) -> float:
    """The training loss above which an arm has diverged.

    A network that comes with weights may begin near 0, and a bad start far above a guess; neither is held against it.

    Args:
        first: The loss of its first step.
        guess: The loss of a constant prediction; for classes, at most the logarithm of their number.
    """
    return EXPLODED * max(first, guess)


def restores_best(preset: Preset, arm: str, *, default: bool) -> bool:
    """Whether an arm goes back to its best epoch; `default` is for one without early stopping."""
    early_stopping = preset.arms()[arm].early_stopping
    return default if early_stopping is None else early_stopping.restore_best
