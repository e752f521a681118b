"""What somebody decides before runs are judged: the smallest difference that matters, and the share of false calls."""

from __future__ import annotations

import math
from collections.abc import Mapping

from regtui.errors import InputError

MATTERS: Mapping[str, float] = {"accuracy": 0.5}
"""The smallest difference that matters where nobody said, in the metric's shown unit."""
HIGHEST_ALPHA = 0.2
"""No larger share of false calls can be asked for."""


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
