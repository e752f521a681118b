"""What somebody decides before runs are judged: the smallest difference that matters, and the share of false calls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from regtui.errors import InputError
from regtui.evidence.looks import level_at_looks

MATTERS: Mapping[str, float] = {"accuracy": 0.5}
"""The smallest difference that matters where nobody said, in the metric's shown unit."""
HIGHEST_ALPHA = 0.2
"""No larger share of false calls can be asked for."""


@dataclass(frozen=True)
class Decided:
    """What was decided on before the first run.

    Attributes:
        better: Whether higher or lower values of the quantity are better.
        seeds: How many were planned.
        smallest: The smallest difference that matters, positive; None where nobody said.
        alpha: The share of studies without any difference that may call one.
        looks: Numbers of seeds at which a call may be made, the last being all; empty for one look at the end.
    """

    better: Literal["higher", "lower"]
    seeds: int
    smallest: float | None = None
    alpha: float = 0.05
    looks: tuple[int, ...] = ()

    @property
    def level(self) -> float:
        """The p-value that a call needs, adjusted for the family: alpha, or less where there are looks."""
        return level_at_looks(self.alpha, self.looks) if len(self.looks) > 1 else self.alpha


def check_smallest_effect(value: float) -> None:
    """Raise `InputError` unless a smallest difference that matters, as --smallest-effect names it, is possible."""
    if not (math.isfinite(value) and value > 0):
        raise InputError(
            f"--smallest-effect {value:g}: the smallest difference that matters is above 0, such as 0.5 points"
        )


def check_alpha(value: float) -> None:
    """Raise `InputError` unless a share of false calls, as --alpha names it, is possible."""
    if not 0 < value <= HIGHEST_ALPHA:  # NaN too
        raise InputError(
            f"--alpha {value:g}: the share of false calls is above 0 and at most {HIGHEST_ALPHA}; 0.05 is usual"
        )
