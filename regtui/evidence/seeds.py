"""What several seeds of one preset say together: the arms' difference in test accuracy, seed by seed, as one sample.

Where one run can only speak of its two trained networks, here the spread over seeds says how far the next seed may lie
from these. All seeds are scored on the same test images, so nothing is said about other images.
"""

from __future__ import annotations

import math
import statistics
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

NBSP = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class SeedStatistics:
    """Differences in test accuracy, regularized − baseline, in percentage points.

    Attributes:
        differences: One for each seed.
        mean: Their mean.
        deviation: Their standard deviation, with n − 1 in the denominator; 0 of one seed.
        interval: 95 % interval for the mean over seeds; None where it can't be told.
        p_value: Of "the mean over seeds is 0", two-sided; None where it can't be told.
    """

    differences: Mapping[int, float]
    mean: float
    deviation: float
    interval: tuple[float, float] | None
    p_value: float | None

    def lines(self, name: str, width: int) -> list[str]:
        """A paragraph for people.

        Args:
            name: What was run with these seeds.
            width: Columns at most.
        """
        count, values = len(self.differences), self.differences.values()
        ahead, behind = sum(v > 0 for v in values), sum(v < 0 for v in values)
        words = f"{name}, {count} seeds: test accuracy ◆{NBSP}−{NBSP}● {_points(self.mean)} on average"
        if self.interval is None or self.p_value is None:
            words += ", the same for every seed"
        else:
            low, high = self.interval
            p = f"p{NBSP}<{NBSP}0.001" if self.p_value < 0.001 else f"p{NBSP}={NBSP}{self.p_value:.2g}"
            words += f", 95{NBSP}% interval {_number(low)} to {_points(high)} (paired t over seeds, {p})"
        words += f"; ◆{NBSP}ahead with {ahead}, ●{NBSP}with {behind}. {self._meaning()}"
        return [line.replace(NBSP, " ") for line in textwrap.wrap(words, width, break_on_hyphens=False)]

    def _meaning(self) -> str:
        if self.interval is None:
            return "A spread of 0 gives no interval."
        low, high = self.interval
        if low > 0 or high < 0:
            arm = "regularized arm" if low > 0 else "baseline"
            return f"Over seeds, and on these test images, the {arm} is better."
        return "These seeds do not settle which arm is better; more of them narrow the interval."


def seed_statistics(differences: Mapping[int, float]) -> SeedStatistics:
    """Judge the differences of two or more seeds.

    With n differences of mean m and standard deviation s, the interval reaches from m − t·s/√n to m + t·s/√n, where t
    is the 97.5 % quantile of Student's distribution with n − 1 degrees of freedom. The p-value is that of |m|·√n/s in
    the same distribution.

    Source: Student, Biometrika 6 (1908) 1-25. It takes the differences as drawn from a normal distribution.

    Raises:
        ValueError: There are fewer than two.
    """
    if len(differences) < 2:
        raise ValueError("one seed has no spread")
    values = list(differences.values())
    count, mean, deviation = len(values), statistics.fmean(values), statistics.stdev(values)
    error = deviation / math.sqrt(count)
    if error < 1e-9:  # points; what is left of equal differences
        return SeedStatistics(differences, mean, 0.0, None, None)
    from scipy.special import stdtr, stdtrit  # 0.3 to 0.5 s

    reach = float(stdtrit(count - 1, 0.975)) * error
    p_value = 2 * float(stdtr(count - 1, -abs(mean) / error))
    return SeedStatistics(differences, mean, deviation, (mean - reach, mean + reach), p_value)


def _number(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _points(value: float) -> str:
    return f"{_number(value)}{NBSP}points"
