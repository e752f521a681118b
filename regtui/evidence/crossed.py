"""Would it hold for new seeds and new examples? Both the runs and the test examples are taken as samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from regtui.evidence.student import Interval

Array = Any
"""An array of numbers; numpy is not imported before it is needed."""


@dataclass(frozen=True)
class Crossed:
    """The mean difference of an arm and a baseline over seeds and test examples, both of which vary.

    Attributes:
        seeds: How many.
        examples: How many.
        mean: Of all differences.
        interval: For the mean over all seeds and all examples of the same kind.
        error: Its standard error.
        freedom: Degrees of freedom of the error after Satterthwaite.
        of_seeds: Mean square between seeds.
        of_examples: Mean square between examples.
        of_rest: Mean square of what neither explains.
    """

    seeds: int
    examples: int
    mean: float
    interval: Interval
    error: float
    freedom: float
    of_seeds: float
    of_examples: float
    of_rest: float


def crossed(differences: Iterable[Sequence[float] | Array], level: float = 0.05) -> Crossed | None:
    """The interval at 1 − level for new seeds and new examples.

    Each difference d[s, e] = mean + seed[s] + example[e] + rest[s, e], all random. In the two-way layout without
    replication over S seeds and n examples the mean squares MS_rest, MS_seed and MS_example have the expectations
    σ²_rest, σ²_rest + n·σ²_seed and σ²_rest + S·σ²_example, so that

        variance of the mean = (MS_seed + MS_example − MS_rest)/(S·n)

    where a mean square below MS_rest is taken as MS_rest: no variance is negative. Its degrees of freedom are
    (variance·S·n)² / (MS_seed²/(S − 1) + MS_example²/(n − 1) + MS_rest²/((S − 1)(n − 1))). The interval is no narrower
    than Student's for new seeds on these examples, which claims less.

    Sources: F. E. Satterthwaite, Biometrics Bulletin 2 (1946) 110-114; S. R. Searle, G. Casella and C. E. McCulloch,
    Variance Components (1992), section 4.3.

    Args:
        differences: For each seed, the arm's result minus the baseline's for each test example, in the same order of
            examples: 1, 0 or −1 for right and wrong, or a difference of losses. Read one seed at a time; never kept.
        level: One minus the interval's confidence.

    Returns:
        None for fewer than two seeds or examples, where a difference is not finite, and where all are equal.

    Raises:
        ValueError: Seeds have different numbers of examples.
    """
    import numpy as np
    from scipy.special import stdtrit  # 0.3 to 0.5 s

    means: list[float] = []
    squares, by_example = 0.0, np.zeros(0)
    for row in differences:
        values = np.asarray(row, dtype=float)
        if not means:
            by_example = np.zeros(len(values))
        if len(values) != len(by_example):
            raise ValueError("the seeds were scored on different numbers of examples")
        by_example += values
        means.append(float(values.mean()) if len(values) else math.nan)
        squares += float(values @ values)
    seeds, examples = len(means), len(by_example)
    if seeds < 2 or examples < 2 or not math.isfinite(squares):
        return None
    by_example /= seeds
    mean = math.fsum(means) / seeds
    between_seeds = examples * math.fsum((value - mean) ** 2 for value in means)
    between_examples = seeds * float(((by_example - mean) ** 2).sum())
    rest = squares - seeds * examples * mean**2 - between_seeds - between_examples
    of_seeds, of_examples = between_seeds / (seeds - 1), between_examples / (examples - 1)
    of_rest = max(0.0, rest) / ((seeds - 1) * (examples - 1))
    total = max(of_seeds, of_rest) + max(of_examples, of_rest) - of_rest
    if total <= 1e-12 * squares / (seeds * examples):  # all differences are equal, up to rounding
        return None
    freedom = total**2 / (
        of_seeds**2 / (seeds - 1) + of_examples**2 / (examples - 1) + of_rest**2 / ((seeds - 1) * (examples - 1))
    )
    error = math.sqrt(total / (seeds * examples))
    these = float(stdtrit(seeds - 1, 1 - level / 2)) * math.sqrt(of_seeds / (seeds * examples))
    reach = max(float(stdtrit(freedom, 1 - level / 2)) * error, these)
    return Crossed(seeds, examples, mean, (mean - reach, mean + reach), error, freedom, of_seeds, of_examples, of_rest)
