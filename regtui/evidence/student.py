"""Student's t for the mean of normal values: its interval and its p-value."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

Interval = tuple[float, float]
"""The lower and the upper end."""


def t_interval(mean: float, deviation: float, count: int, level: float) -> Interval:
    """Student's t interval at 1 − level for the mean of normal values."""
    from scipy.special import stdtrit  # 0.3 to 0.5 s

    reach = float(stdtrit(count - 1, 1 - level / 2)) * deviation / math.sqrt(count)
    return mean - reach, mean + reach


def t_p_value(mean: float, deviation: float, count: int) -> float:
    """Student's two-sided p-value of "the mean is 0"."""
    from scipy.special import stdtr  # 0.3 to 0.5 s

    return 2 * float(stdtr(count - 1, -abs(mean) * math.sqrt(count) / deviation))


def mean_interval(values: Sequence[float], level: float) -> Interval | None:
    """Student's t interval at 1 − level for the mean; None for fewer than two values and for equal ones."""
    if len(values) < 2 or not all(map(math.isfinite, values)) or not (deviation := statistics.stdev(values)):
        return None
    return t_interval(statistics.fmean(values), deviation, len(values), level)
