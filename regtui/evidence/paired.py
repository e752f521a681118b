"""The statistics of one run: two arms' rights and wrongs on the same test images.

The images both arms get right, and those both get wrong, say nothing about which arm is better; the evidence is in the
images on which they differ. The distributions are scipy.special's: scipy.stats has the same ones, and takes a second
longer to import.
"""

from __future__ import annotations

import math
from typing import NamedTuple

INTERVAL_METHOD = "Tango's score interval"
"""What `difference_interval` computes, in the words shown beside it."""


class PairedTable(NamedTuple):
    """How many test images each arm classified correctly, counted together; at least one image."""

    both_right: int
    only_baseline: int
    only_regularized: int
    both_wrong: int

    @property
    def total(self) -> int:
        """The number of test images."""
        return sum(self)

    @property
    def difference(self) -> float:
        """Accuracy of the regularized arm minus accuracy of the baseline, as a fraction."""
        return (self.only_regularized - self.only_baseline) / self.total


def mcnemar_exact(table: PairedTable) -> float:
    """Return the exact two-sided p-value of McNemar's test.

    If the arms were equally good, each of the m images on which they differ would go to either arm with probability
    1/2, so p = min(1, 2·P(X ≤ k)) with X ~ Binomial(m, 1/2) and k the smaller of the two counts.

    Source: Q. McNemar, Psychometrika 12 (1947) 153-157, with the binomial distribution in place of its chi-squared
    approximation. It errs on the safe side: a true null is rejected at 5 % in at most 5 % of cases.
    """
    fewer = min(table.only_baseline, table.only_regularized)
    discordant = table.only_baseline + table.only_regularized
    if discordant == 0:
        return 1.0
    from scipy.special import bdtr  # 0.3 to 0.5 s

    return min(1.0, 2 * float(bdtr(fewer, discordant, 0.5)))


def difference_interval(table: PairedTable, confidence: float = 0.95) -> tuple[float, float]:
    """Return Tango's score interval for accuracy(regularized) − accuracy(baseline), as fractions.

    With n images, b of them right in the regularized arm alone and c in the baseline alone, it holds every difference
    Δ that the score test does not reject:

        (b − c − nΔ)² ≤ z²·n·(2q + Δ(1 − Δ))

    where q, the probability of "baseline alone" most likely under Δ, is the larger root of
    2n·q² + ((2n − b + c)Δ − b − c)·q − cΔ(1 − Δ) = 0. At Δ = 0 the test is McNemar's without continuity correction,
    so interval and p-value ask the same question. Unlike the Wald interval it stays within −1 to 1 and has a width
    even when no image tells the arms apart.

    Source: T. Tango, Statistics in Medicine 17 (1998) 891-908; recommended for paired proportions by M. W. Fagerland,
    S. Lydersen and P. Laake, Statistics in Medicine 33 (2014) 2850-2875.
    """
    from scipy.special import ndtri  # 0.3 to 0.5 s

    n, b, c = table.total, table.only_regularized, table.only_baseline
    z = float(ndtri((1 + confidence) / 2))

    def fits(delta: float) -> bool:
        linear = (2 * n - b + c) * delta - b - c
        constant = -c * delta * (1 - delta)
        q = (math.sqrt(linear * linear - 8 * n * constant) - linear) / (4 * n)
        # Without the usual division the test is defined where the variance is 0, as at Δ = 0 when b = c = 0.
        return (b - c - n * delta) ** 2 <= z * z * n * (2 * q + delta * (1 - delta))

    def limit(outside: float) -> float:
        inside = table.difference
        for _ in range(50):  # bisection: after 50 halvings of at most 2, the error is below 1e-14
            middle = (inside + outside) / 2
            if fits(middle):
                inside = middle
            else:
                outside = middle
        return inside

    return limit(-1.0), limit(1.0)
