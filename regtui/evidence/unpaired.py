"""Two sets of runs that nothing joins: a baseline's values and an arm's, compared after Welch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from regtui.evidence.student import Interval


@dataclass(frozen=True)
class Unpaired:
    """An arm's values minus the baseline's, where no run of one belongs to a run of the other.

    Attributes:
        difference: Mean of the arm minus mean of the baseline.
        interval: The t interval at 1 − alpha; None where a side has fewer than two values, or neither side varies.
        p: The two-sided p-value of equal means; None where there is no interval.
        freedom: Degrees of freedom after Welch and Satterthwaite; None where there is no interval.
    """

    difference: float
    interval: Interval | None
    p: float | None
    freedom: float | None


def welch(baseline: Sequence[float], arm: Sequence[float], alpha: float = 0.05) -> Unpaired:
    """Compare the means of two independent samples whose variances may differ.

    With v = s²/n of each side, t is the difference of the means over √(v₁ + v₂), in Student's distribution with
    (v₁ + v₂)²/(v₁²/(n₁ − 1) + v₂²/(n₂ − 1)) degrees of freedom. It assumes normal values.

    Source: B. L. Welch, Biometrika 34 (1947) 28-35; F. E. Satterthwaite, Biometrics Bulletin 2 (1946) 110-114.

    Args:
        baseline: At least one value; all are finite.
        arm: As the baseline.
        alpha: One minus the interval's confidence.
    """
    difference = statistics.fmean(arm) - statistics.fmean(baseline)
    if min(len(baseline), len(arm)) < 2:
        return Unpaired(difference, None, None, None)
    theirs, ours = (statistics.variance(values) / len(values) for values in (baseline, arm))
    error = math.sqrt(theirs + ours)
    if error <= 1e-10 * max(map(abs, (*baseline, *arm))):  # equal values, up to rounding
        return Unpaired(difference, None, None, None)
    from scipy.special import stdtr, stdtrit  # 0.3 to 0.5 s

    freedom = (theirs + ours) ** 2 / (theirs**2 / (len(baseline) - 1) + ours**2 / (len(arm) - 1))
    reach = float(stdtrit(freedom, 1 - alpha / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(difference) / error))
    return Unpaired(difference, (difference - reach, difference + reach), p, freedom)
