"""How far an arm has come, as the trainer keeps it; and steps that were ordered and are not told yet."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from regtui.preset.model import Preset
from regtui.protocol.events import HUGE, StopReason
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
    """How far an arm has come.

    Attributes:
        rule: Decides when it stops and which weights are worth keeping.
        restore_best: Whether it keeps those, or the last.
        epochs: The last that was measured.
        best_epoch: The one with the lowest validation loss, whatever the rule follows; None before a finite one.
        best_val_loss: That loss.
    """

    rule: StoppingRule
    restore_best: bool
    epochs: int = 0
    order: str = ""
    first_loss: float = math.inf
    best_epoch: int | None = None
    best_val_loss: float = math.inf
    stopped: StopReason | None = None

    def measured(self, epoch: int, val_loss: float) -> bool:
        """Take in an epoch's validation loss; returns whether it is the lowest so far."""
        self.epochs = epoch
        if not val_loss < min(self.best_val_loss, HUGE):
            return False
        self.best_epoch, self.best_val_loss = epoch, val_loss
        return True

    @property
    def kept_epoch(self) -> int:
        """The epoch whose weights it keeps."""
        return self.rule.kept_epoch(self.epochs, restore_best=self.restore_best)

    @property
    def keeps_best(self) -> bool:
        """Whether those are the best that it has remembered, though it may have trained on."""
        return self.restore_best and self.rule.best_epoch is not None


def start(preset: Preset, arm: str) -> Progress:
    """An arm before its first epoch."""
    techniques = preset.arms()[arm]
    return Progress(techniques.stopping_rule(), techniques.restores_best())


def largest_loss(first: float, guess: float) -> float:
    """The training loss above which an arm has diverged.

    A network that comes with weights may begin near 0, and a bad start far above a guess; neither is held against it.

    Args:
        first: The loss of its first step.
        guess: The loss of a constant prediction; for classes, at most the logarithm of their number.
    """
    return EXPLODED * max(first, guess)


def to_json(progress: Progress) -> dict[str, Any]:
    """An arm's progress as JSON has it: null where there is nothing yet, which is a number that is not finite here."""
    return _without_infinity(asdict(progress))


def from_json(state: Mapping[str, Any]) -> Progress:
    """What `to_json` was made from.

    Raises:
        ValueError: It is damaged.
    """
    return TypeAdapter(Progress).validate_python(_without_null(state))


def _without_infinity(table: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_infinity(value)
        if isinstance(value, dict)
        else None
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for key, value in table.items()
    }


def _without_null(table: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing yet is the default of each field."""
    return {
        key: _without_null(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }
