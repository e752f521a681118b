"""What a number of seeds can find: the differences a study settles, and those it can call too small to matter.

Everything is in units of the spread, the standard deviation of the paired differences over seeds. The differences are
taken as normal, and the level is that of one comparison: with several comparisons or looks it is smaller than alpha.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

Array = Any
"""An array of numbers; numpy is not imported before it is needed."""

POWER = 0.8
"""The probability with which a planned set of seeds settles a difference."""
MOST_SEEDS = 1_000
"""The largest set of seeds that is proposed."""
GRID = 256
"""Points at which the distribution of the measured spread is taken."""


def power_to_find(effect: float, seeds: int, level: float) -> float:
    """The probability that the paired t test over seeds calls a true difference, with the right sign.

    P(T > t), with t the 1 − level/2 quantile of Student's distribution with n − 1 degrees of freedom and T of the
    noncentral one with the same and noncentrality effect·√n: the mean of Φ(effect·√n − t·s) over the quantiles of the
    measured standard deviation s. (scipy.special.nctdtr gives no number where the noncentrality is large.)

    Source: J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd edition (1988), chapter 2.

    Args:
        effect: The true mean of the differences in units of their standard deviation; its sign does not matter.
        seeds: n, 2 or more.
        level: The p-value that is needed.
    """
    from scipy.special import ndtr, stdtrit  # 0.3 to 0.5 s

    limit = float(stdtrit(seeds - 1, 1 - level / 2))
    return float(ndtr(abs(effect) * math.sqrt(seeds) - limit * _deviations(seeds)).mean())


def power_to_exclude(effect: float, smallest: float, seeds: int, level: float) -> float:
    """The probability that the t interval at 1 − level lies inside ±smallest.

    With n seeds, mean m and standard deviation s it does where |m| + t·s/√n < smallest. m is normal around the effect
    with variance 1/n, and independently (n − 1)·s² is chi-squared with n − 1 degrees of freedom, over whose quantiles
    the mean is taken.

    Source: D. J. Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987) 657-680: two one-sided tests,
    here each at level/2.

    Args:
        effect: The true mean of the differences in units of their standard deviation.
        smallest: The smallest difference that matters, in the same units, positive.
        seeds: n, 2 or more.
        level: One minus the interval's confidence.
    """
    import numpy as np
    from scipy.special import ndtr, stdtrit  # 0.3 to 0.5 s

    root = math.sqrt(seeds)
    room = smallest - float(stdtrit(seeds - 1, 1 - level / 2)) * _deviations(seeds) / root
    inside = ndtr((room - effect) * root) - ndtr((-room - effect) * root)
    return float(np.mean(np.where(room > 0, inside, 0.0)))


def seeds_to_find(effect: float, level: float) -> int | None:
    """The fewest seeds that find a difference of `effect` spreads with probability `POWER`; None above `MOST_SEEDS`."""
    return _fewest(lambda seeds: power_to_find(effect, seeds, level) >= POWER)


def seeds_to_exclude(effect: float, smallest: float, level: float) -> int | None:
    """The fewest seeds with which "no difference that matters" is called with probability `POWER`.

    None where more than `MOST_SEEDS` are needed, as where the effect is no smaller than what matters.
    """
    if abs(effect) >= smallest:
        return None
    return _fewest(lambda seeds: power_to_exclude(effect, smallest, seeds, level) >= POWER)


def seeds_for_flips(level: float) -> int:
    """The fewest seeds whose smallest sign-flip p-value, 2/2ⁿ, is within the level."""
    return math.ceil(1 - math.log2(level) - 1e-9)


@cache  # of at most MOST_SEEDS numbers, 2 kB each
def _deviations(seeds: int) -> Array:
    """Evenly spaced quantiles of the standard deviation that so many seeds measure, whose true value is 1."""
    import numpy as np
    from scipy.special import chdtri

    return np.sqrt(chdtri(seeds - 1, (np.arange(GRID) + 0.5) / GRID) / (seeds - 1))


def _fewest(enough: Callable[[int], bool]) -> int | None:
    """The least number from 2 to `MOST_SEEDS` that is enough; larger ones are as well."""
    few, many = 2, MOST_SEEDS
    if not enough(many):
        return None
    while few < many:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle + 1, many)
    return few
