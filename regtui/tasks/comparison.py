"""The paired statistics of two arms on the same test examples, one class a task. They need no torch.

The distributions are scipy.special's: scipy.stats has the same ones, and takes a second longer to import.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

MOST_EXAMPLES = 10**12
"""No test set is as large."""


@dataclass(frozen=True, slots=True)
class RightWrong:
    """How many test examples each arm classified correctly, counted together; at least one example.

    Those that both arms get right, and those that both get wrong, say nothing about which arm is better; the evidence
    is in the examples on which they differ.
    """

    both_right: int
    only_baseline: int
    only_arm: int
    both_wrong: int

    better: ClassVar[Literal["higher", "lower"]] = "higher"
    test: ClassVar[str] = "exact McNemar"
    method: ClassVar[str] = "Tango's score interval"

    @classmethod
    def of(cls, baseline: Sequence[float], arm: Sequence[float]) -> Self:
        """From whether each example was classified correctly, in the same order."""
        pairs = Counter(zip(map(bool, baseline), map(bool, arm), strict=True))
        return cls(pairs[True, True], pairs[True, False], pairs[False, True], pairs[False, False])

    @property
    def is_possible(self) -> bool:
        """Whether there can be such counts; a damaged log may have others."""
        counts = (self.both_right, self.only_baseline, self.only_arm, self.both_wrong)
        return min(counts) >= 0 and 0 < sum(counts) < MOST_EXAMPLES

    @property
    def total(self) -> int:
        """The number of test examples."""
        return self.both_right + self.only_baseline + self.only_arm + self.both_wrong

    @property
    def difference(self) -> float:
        """Accuracy of the arm minus accuracy of the baseline, as a fraction."""
        return (self.only_arm - self.only_baseline) / self.total

    def p_value(self) -> float:
        """Return the exact two-sided p-value of McNemar's test.

        If the arms were equally good, each of the m examples on which they differ would go to either arm with
        probability 1/2, so p = min(1, 2·P(X ≤ k)) with X ~ Binomial(m, 1/2) and k the smaller of the two counts.

        Source: Q. McNemar, Psychometrika 12 (1947) 153-157, with the binomial distribution in place of its chi-squared
        approximation. It errs on the safe side: a true null is rejected at 5 % in at most 5 % of cases.
        """
        fewer, discordant = min(self.only_baseline, self.only_arm), self.only_baseline + self.only_arm
        if discordant == 0:
            return 1.0
        from scipy.special import bdtr  # 0.3 to 0.5 s

        return min(1.0, 2 * float(bdtr(fewer, discordant, 0.5)))

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return Tango's score interval for accuracy(arm) − accuracy(baseline), as fractions.

        With n examples, b of them right in the arm alone and c in the baseline alone, it holds every difference Δ that
        the score test does not reject:

            (b − c − nΔ)² ≤ z²·n·(2q + Δ(1 − Δ))

        where q, the probability of "baseline alone" most likely under Δ, is the larger root of
        2n·q² + ((2n − b + c)Δ − b − c)·q − cΔ(1 − Δ) = 0. At Δ = 0 the test is McNemar's without continuity correction,
        so interval and p-value ask the same question. Unlike the Wald interval it stays within −1 to 1 and has a width
        even when no example tells the arms apart.

        Source: T. Tango, Statistics in Medicine 17 (1998) 891-908; recommended for paired proportions by M. W.
        Fagerland, S. Lydersen and P. Laake, Statistics in Medicine 33 (2014) 2850-2875.
        """
        from scipy.special import ndtri  # 0.3 to 0.5 s

        n, b, c = self.total, self.only_arm, self.only_baseline
        z = float(ndtri((1 + confidence) / 2))

        def fits(delta: float) -> bool:
            linear = (2 * n - b + c) * delta - b - c
            constant = -c * delta * (1 - delta)
            q = (math.sqrt(linear * linear - 8 * n * constant) - linear) / (4 * n)
            # Without the usual division the test is defined where the variance is 0, as at Δ = 0 when b = c = 0.
            return (b - c - n * delta) ** 2 <= z * z * n * (2 * q + delta * (1 - delta))

        def limit(outside: float) -> float:
            inside = self.difference
            for _ in range(50):  # bisection: after 50 halvings of at most 2, the error is below 1e-14
                middle = (inside + outside) / 2
                if fits(middle):
                    inside = middle
                else:
                    outside = middle
            return inside

        return limit(-1.0), limit(1.0)


@dataclass(frozen=True, slots=True)
class ErrorDifference:
    """Each test example's squared error in an arm minus that in the baseline: how many examples, their mean and spread.

    Attributes:
        examples: At least one.
        mean: Negative where the arm's error is lower.
        deviation: Standard deviation of the differences, with examples − 1 in the denominator; 0 for one example.
        baseline: The baseline's mean squared error.
    """

    examples: int
    mean: float
    deviation: float
    baseline: float

    better: ClassVar[Literal["higher", "lower"]] = "lower"
    test: ClassVar[str] = "paired t test"
    method: ClassVar[str] = "Student's t"

    @classmethod
    def of(cls, baseline: Sequence[float], arm: Sequence[float]) -> Self | None:
        """From each example's squared error, in the same order; None where one is not finite."""
        differences = [ours - theirs for theirs, ours in zip(baseline, arm, strict=True)]
        if not all(map(math.isfinite, differences)):
            return None
        count = len(differences)
        mean = math.fsum(differences) / count
        squares = math.fsum((difference - mean) ** 2 for difference in differences)
        deviation = math.sqrt(squares / (count - 1)) if count > 1 else 0.0
        return cls(count, mean, deviation, math.fsum(baseline) / count)

    @property
    def is_possible(self) -> bool:
        """Whether there can be such figures; a damaged log may have others."""
        numbers = (self.mean, self.deviation, self.baseline)
        return (
            0 < self.examples < MOST_EXAMPLES
            and all(abs(number) < MOST_EXAMPLES for number in numbers)  # False for what is not finite
            and min(self.deviation, self.baseline, self.baseline + self.mean) >= 0
        )

    @property
    def total(self) -> int:
        """The number of test examples."""
        return self.examples

    @property
    def difference(self) -> float:
        """Mean squared error of the arm minus that of the baseline."""
        return self.mean

    def p_value(self) -> float:
        """Return the two-sided p-value of the paired t test that the mean difference is 0.

        t = d̄ / (s / √n) with n − 1 degrees of freedom, for the n differences with mean d̄ and standard deviation s.

        Source: Student (W. S. Gosset), The probable error of a mean, Biometrika 6 (1908) 1-25.
        """
        if self.examples < 2 or self.deviation == 0:
            return 1.0 if self.examples < 2 or self.mean == 0 else 0.0
        from scipy.special import stdtr  # 0.3 to 0.5 s

        t = self.mean / (self.deviation / math.sqrt(self.examples))
        return 2 * float(stdtr(self.examples - 1, -abs(t)))

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return Student's t interval for the mean difference, d̄ ± t·s/√n; boundless for one example."""
        if self.examples < 2:
            return -math.inf, math.inf
        from scipy.special import stdtrit  # 0.3 to 0.5 s

        t = float(stdtrit(self.examples - 1, (1 + confidence) / 2))
        half = t * self.deviation / math.sqrt(self.examples)
        return self.mean - half, self.mean + half


Comparison = RightWrong | ErrorDifference


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of several comparisons for each other, in their order: step-down Bonferroni.

    Of the m values in rising order the i-th becomes the largest of (m − j + 1)·p(j) for j ≤ i, at most 1. Calling those
    below α calls a true null in at most a share α of all runs, whatever the comparisons have in common.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statistics 6 (1979) 65-70.
    """
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = least
    return adjusted
