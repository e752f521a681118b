"""What the user has chosen to see in the charts of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from regtui.preset.arms import BASELINE, REGULARIZED

Quantity = Literal["loss", "metric", "gap"]
QUANTITIES: tuple[Quantity, ...] = ("loss", "metric", "gap")
RECENT = 0.25
"""The view of recent epochs shows this share of the epochs so far."""
FEWEST = 3.0
"""No view shows fewer epochs, once there are so many."""
ZOOM = 1.5
"""Each turn of the wheel shows so many times fewer or more epochs."""
SMOOTHING = (0, 10, 100, 1000)
"""Over how many steps the curve of their losses may be the mean."""


@dataclass
class View:
    """What the user has chosen to see.

    Attributes:
        quantity: What the charts show.
        overlay: All arms in one chart, instead of one for the baseline and one for the chosen arm.
        log: A logarithmic axis, for losses only.
        part: The share of the epochs so far that is shown, the newest; all of them with 1.
        shared: Use the same axes in both charts.
        arm: The chosen one of the arms beside the baseline.
        log_x: A logarithmic axis of epochs.
        smooth: The curve of the steps is the mean of so many.
    """

    quantity: Quantity = "loss"
    overlay: bool = False
    log: bool = False
    part: float = 1.0
    shared: bool = True
    arm: str = REGULARIZED
    log_x: bool = False
    smooth: int = 0

    @property
    def has_steps(self) -> bool:
        """Whether the losses of steps are drawn."""
        return self.quantity == "loss" and not self.overlay

    def zoom(self, epochs: int, by: int) -> None:
        """Show fewer of the epochs so far, the newest, with `by` above 0, or more of them."""
        shown = max(FEWEST, self.part * epochs) / ZOOM**by
        self.part = min(1.0, max(FEWEST, shown) / max(1, epochs))

    def walk(self, arms: Sequence[str], by: int) -> None:
        """Choose the next of a run's arms beside the baseline, or the one before; after the last comes the first."""
        others = [arm for arm in arms if arm != BASELINE]
        self.arm = others[(others.index(self.arm) + by) % len(others)]

    def pair(self, arms: Iterable[str]) -> list[str]:
        """The baseline and the chosen arm, as far as they are among these."""
        return [arm for arm in arms if arm in (BASELINE, self.arm)]
