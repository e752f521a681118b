"""Early stopping: end an arm when its validation has not improved for a while, and keep its best epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field

from regtui.tasks import METRICS, Metric
from regtui.techniques.base import LARGEST_KNOB, Explanation, Knob, Setting, Technique

if TYPE_CHECKING:
    from regtui.models.base import Site

Monitor = Literal["val_loss", "val_accuracy", "val_r2"]


def followed_metric(monitor: Monitor) -> Metric | None:
    """The metric that is followed; None where that is the loss."""
    return METRICS.get(monitor.removeprefix("val_"))


@dataclass
class StoppingRule:
    """Follows one monitored value, epoch by epoch: when to stop, and which epoch's weights are worth keeping.

    Every arm has one. Without a patience it only knows the best epoch and never stops. The two are not the same: an
    epoch that is better by no more than `min_delta` does not count for patience, yet its weights are the best.

    Attributes:
        patience: Epochs without improvement after which to stop; None never stops. It may change at any time and
            counts from the next update, keeping `wait` and `reference`.
        min_delta: An epoch counts as an improvement if its value is below reference − min_delta, strictly.
        warmup: Epochs up to this one count for nothing.
        monitor: What is followed. A metric is followed as its negative, so that lower is better.
        reference: The value of the last epoch that counted; infinity before the first.
        wait: Epochs since then, without those that are not finite.
        best: The lowest value measured after the warm-up; infinity before the first.
        best_epoch: Its epoch, counted from 1, the earlier of equal ones.
    """

    patience: int | None = None
    min_delta: float = 0.0
    warmup: int = 0
    monitor: Monitor = "val_loss"
    reference: float = math.inf
    wait: int = 0
    best: float = math.inf
    best_epoch: int | None = None

    def update(self, epoch: int, *, val_loss: float | None, val_metric: float | None) -> bool:
        """Take in an epoch's validation; returns whether it counts as an improvement.

        A value that is not finite, for which None may stand, is passed over: it is neither the best nor an epoch
        without improvement.
        """
        value = val_loss if self.monitor == "val_loss" else val_metric
        if epoch <= self.warmup or value is None or not math.isfinite(value):
            return False
        value = value if self.monitor == "val_loss" else -value
        if value < self.best:
            self.best, self.best_epoch = value, epoch
        if value < self.reference - self.min_delta:
            self.reference, self.wait = value, 0
            return True
        self.wait += 1
        return False

    @property
    def should_stop(self) -> bool:
        """Whether patience has run out: wait ≥ patience."""
        return self.patience is not None and self.wait >= self.patience

    def kept_epoch(self, last: int, *, restore_best: bool) -> int:
        """The epoch whose weights an arm keeps that ends with `last`: the best, if it goes back to one, or the last."""
        return self.best_epoch if restore_best and self.best_epoch is not None else last


class EarlyStopping(Technique):
    """Stops an arm whose validation has stopped improving."""

    patience: int = Field(5, ge=1, lt=LARGEST_KNOB, description="Epochs without improvement after which the arm stops.")
    min_delta: float = Field(
        0.0, ge=0, lt=LARGEST_KNOB, allow_inf_nan=False, description="Only an improvement larger than this counts."
    )
    warmup: int = Field(0, ge=0, description="Epochs at the start that count for nothing.")
    restore_best: bool = Field(
        True, description="Keep the weights of the best epoch after the warm-up, whatever ended the arm."
    )
    monitor: Monitor = Field("val_loss", description="What must improve.")

    live: ClassVar[Mapping[str, Knob]] = {
        "patience": Knob("count", "patience"),
        "min_delta": Knob("magnitude", "min Δ"),
    }
    why_not_live: ClassVar[str] = "what is followed and what is kept is settled before the first epoch"
    explanation: ClassVar[Explanation] = Explanation(
        title="Early stopping",
        idea="Training ends when validation has not improved for a while; restore_best keeps the best epoch's weights.",
        formula="an epoch counts if v < r − δ, and r becomes v;   stop when epochs since then ≥ patience;   "
        "kept: the epoch of the lowest v",
        training="None until it ends; then no more time is spent. The fewer steps, the less far the weights get from "
        "where they started; for a quadratic loss and plain gradient descent that comes near an L2 penalty, elsewhere "
        "it is a likeness.",
        inference="With restore_best the weights are those of the best epoch, else those of the last one.",
        look_for="The baseline's validation loss rises after its minimum while training loss goes on falling; the "
        "stopped arm ends there, and spends no time on the rest. Too little patience: it stops at the first wobble.",
        source="Prechelt: Early Stopping - But When? In: Neural Networks: Tricks of the Trade (1998) 55-69.",
    )

    def label(self) -> str:
        """'early stopping 5', the number being the patience."""
        return f"early stopping {self.patience}"

    def acting(self, sites: Sequence[Site], epochs: int) -> Self | None:  # noqa: ARG002
        """Without a best epoch to go back to, and with a patience that can't run out, it does nothing.

        The first epoch after the warm-up counts, and a stop after the last one is none: of the epochs after the warm-up
        patience has two less to run out in.
        """
        counting = epochs - self.warmup
        stops = self.patience <= counting - 2
        if counting < 1 or not (stops or self.restore_best):
            return None
        return self if stops else self.model_copy(update={"patience": counting, "min_delta": 0.0})

    def faults(self, setting: Setting) -> Iterator[tuple[str, str]]:
        """What is followed must be measured: the validation loss, or the task's metric."""
        known = f"val_{setting.task.metric.name}"
        if self.monitor not in ("val_loss", known):
            yield "monitor", f"{self.monitor} is not measured in {setting.task.name}; it can be val_loss or {known}"

    def stopping_rule(self) -> StoppingRule:
        """A rule with these knobs that has seen no epoch yet."""
        return StoppingRule(self.patience, self.min_delta, self.warmup, self.monitor)


def restores_best(stopping: EarlyStopping | None, patience: int | None) -> bool:
    """Whether an arm goes back to its best epoch at the end.

    Early stopping says so itself. Whoever turns it on while training, with a `patience` where the preset has none,
    wants the best epoch and not the one where patience ran out.
    """
    return patience is not None if stopping is None else stopping.restore_best
