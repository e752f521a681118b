"""Before a study runs: what its seeds can find, and what they can call too small to matter.

Both are in units of the spread, the standard deviation of the paired differences over seeds: it is known beforehand
only where there were earlier runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from regtui.evidence.decided import Decided
from regtui.evidence.family import DRAWS, SEED, sign_vectors
from regtui.evidence.t_power import (
    MOST_SEEDS,
    POWER,
    power_to_exclude,
    power_to_find,
    seeds_for_flips,
    seeds_to_exclude,
    seeds_to_find,
)
from regtui.text import number

Array = Any
"""An array of numbers; numpy is not imported before it is needed."""

LARGEST = 50.0
"""The largest difference that is tried, in spreads."""
STUDIES = 400
"""Simulated studies whose calls are counted: the power they show is right within 0.04."""
ENUMERATED_HERE = 10
"""Up to so many seeds all sign vectors are tried in each of these studies; of more, so many as these have."""


@dataclass(frozen=True)
class Reach:
    """What a study can find.

    Attributes:
        seeds: How many are planned.
        comparisons: How many are judged together.
        effect: The smallest true difference, in spreads, that a comparison calls with a probability of `POWER`; None
            where these seeds can show none, however large it is.
        rope: The smallest limit, in spreads, for which a comparison whose true difference is 0 is called no difference
            that matters, with the same probability; None where that is more than `LARGEST`.
        least: The fewest seeds with which there can be a call, where these are too few; else None.
        spread: The standard deviation of the differences over earlier seeds, in the unit of the metric; None where
            there are none.
        smallest: The smallest difference that matters, in the same unit; None where nobody said.
        needed: How many seeds would call a true difference of 0 smaller than that, with the same probability; None
            where it or the spread is not known, or more than `MOST_SEEDS` are needed.
    """

    seeds: int
    comparisons: int
    effect: float | None
    rope: float | None
    least: int | None
    spread: float | None
    smallest: float | None
    needed: int | None

    def sentence(self, unit: str = "", digits: int = 2) -> str:
        """What it comes to, in a plain sentence or two.

        Args:
            unit: What stands behind a difference in the metric: " points".
            digits: Decimals of one.
        """
        seeds = f"{self.seeds} seeds"
        many = self.comparisons > 1
        if self.effect is None:
            among = f" in any of {self.comparisons} comparisons" if many else ""
            return f"{seeds} can't show a difference{among}, however large it is; {self.least} or more can."

        form = f".{digits}f"

        def amount(spreads: float) -> str:
            return number(spreads, ".1f") if self.spread is None else f"{number(spreads * self.spread, form)}{unit}"

        each = f" in each of {self.comparisons} comparisons" if many else ""
        words = f"With {100 * POWER:.0f} % power {seeds} find a difference of {amount(self.effect)} or more{each}"
        if self.rope is not None:
            words += f", and call a true difference of 0 too small to matter where {amount(self.rope)} or more matters"
        if self.spread is None:
            return f"{words}, in standard deviations of the differences over seeds, which no earlier run tells."
        spread = f"{number(self.spread, form)}{unit}"
        words += f", if differences vary over seeds as in earlier runs (standard deviation {spread})."
        if self.smallest is not None and self.rope is not None and self.smallest < self.rope * self.spread:
            needed = f"about {self.needed:,}" if self.needed is not None else f"more than {MOST_SEEDS:,}"
            words += f" Where {number(self.smallest, form)}{unit} matters, that takes {needed} seeds."
        return words


def reach(decided: Decided, comparisons: int = 1, spread: float | None = None) -> Reach:
    """Find out what a planned study can find.

    Differences are taken as normal. One comparison without looks has the power of the t test
    (`t_power.power_to_find`). Otherwise `STUDIES` studies are simulated with the rule they are judged by, the max-T
    sign-flip p-value and the joint interval, in which arms of equal spread share a baseline, so that their differences
    have a correlation of 1/2, and one of them has an effect; with looks, a call at any of them counts. That no
    difference matters is judged at the end, by the joint interval (`t_power.power_to_exclude`).

    Args:
        decided: What was decided on before.
        comparisons: How many are judged together.
        spread: The standard deviation of the differences over earlier seeds, in the unit of `decided.smallest`.
    """
    together = joint_level(decided.level, decided.seeds, comparisons)
    by_t = comparisons == 1 and len(decided.looks) < 2
    least = None if by_t or seeds_for_flips(decided.level) <= decided.seeds else seeds_for_flips(decided.level)

    def excludes(rope: float) -> float:
        return power_to_exclude(0.0, rope, decided.seeds, together)

    finds = _by_t(decided) if by_t else _by_simulation(decided, comparisons)
    effect = None if least is not None else _least(finds)
    if effect is None and least is None:
        least = seeds_to_find(LARGEST, together)
    smallest = decided.smallest / spread if decided.smallest is not None and spread else None
    return Reach(
        decided.seeds,
        comparisons,
        effect=effect,
        rope=_least(excludes),
        least=least,
        spread=spread or None,
        smallest=decided.smallest,
        needed=None if smallest is None else seeds_to_exclude(0.0, smallest, together),
    )


def joint_level(level: float, seeds: int, comparisons: int) -> float:
    """The level of each of several comparisons that share a baseline, with which all of them hold at `level` together.

    As `family.simultaneous_level`, with the correlation of 1/2 that is expected in place of the measured one.
    """
    if comparisons == 1:
        return level
    import numpy as np
    from scipy.special import stdtr  # 0.3 to 0.5 s

    random = np.random.default_rng(SEED)
    largest = np.zeros(DRAWS)
    baseline = random.standard_normal((DRAWS, seeds))
    for _ in range(comparisons):
        np.maximum(largest, _t(random.standard_normal((DRAWS, seeds)) - baseline), out=largest)
    return float(np.quantile(2 * stdtr(seeds - 1, -largest), level))


def _by_t(decided: Decided) -> Callable[[float], float]:
    return lambda effect: power_to_find(effect, decided.seeds, decided.alpha)


def _by_simulation(decided: Decided, comparisons: int) -> Callable[[float], float]:
    """A function of an effect in spreads, which gives the share of simulated studies that call it."""
    import numpy as np
    from scipy.special import stdtrit  # 0.3 to 0.5 s

    random = np.random.default_rng(SEED)
    shape = STUDIES, decided.seeds
    baseline = random.standard_normal(shape)
    arm = (random.standard_normal(shape) - baseline) / math.sqrt(2)
    looks = [look for look in decided.looks or (decided.seeds,) if look >= seeds_for_flips(decided.level)]
    signs = {look: sign_vectors(look, ENUMERATED_HERE) for look in looks}
    others = {look: np.zeros((STUDIES, len(signs[look]))) for look in looks}
    for _ in range(comparisons - 1):
        other = random.standard_normal(shape) - baseline
        for look in looks:
            np.maximum(others[look], _flipped(other[:, :look], signs[look]), out=others[look])
    limits = {look: float(stdtrit(look - 1, 1 - joint_level(decided.level, look, comparisons) / 2)) for look in looks}

    def share(effect: float) -> float:
        is_called = np.zeros(STUDIES, dtype=bool)
        for look in looks:
            seen = arm[:, :look] + effect
            flipped = _flipped(seen, signs[look])
            observed = np.abs(seen.sum(axis=1)) / np.sqrt((seen**2).sum(axis=1))
            p_values = np.mean(np.maximum(flipped, others[look]) >= observed[:, None] - 1e-9, axis=1)
            is_called |= (p_values <= decided.level) & (_t(seen) > limits[look])
        return float(is_called.mean())

    return share


def _t(values: Array) -> Array:
    """|t| of each row."""
    import numpy as np

    count = values.shape[1]
    return np.abs(values.mean(axis=1)) * math.sqrt(count) / values.std(axis=1, ddof=1)


def _flipped(differences: Array, signs: Array) -> Array:
    """The sign-flip statistic of each row of differences under each sign vector."""
    import numpy as np

    return np.abs(differences @ signs.T) / np.sqrt((differences**2).sum(axis=1))[:, None]


def _least(probability: Callable[[float], float]) -> float | None:
    """The least value, to a hundredth of itself, at which a rising probability reaches `POWER`."""
    few, many = 0.0, LARGEST
    if probability(many) < POWER:
        return None
    while many - few > 0.005 * many:
        middle = (few + many) / 2
        few, many = (few, middle) if probability(middle) >= POWER else (middle, many)
    return many
