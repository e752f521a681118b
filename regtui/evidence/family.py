"""Several comparisons over the same seeds, judged together.

Their sign-flip p-values, and the level with which the intervals of all of them hold.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

Key = TypeVar("Key", bound=Hashable)
Array = Any
"""An array of numbers; numpy is not imported before it is needed."""

ENUMERATED = 16
"""Up to so many seeds all sign vectors are tried; of more, so many as these have."""
DRAWS = 8_000
"""Samples from which simultaneous intervals get their level."""
AT_ONCE = 2_000_000
"""Numbers that are drawn or summed at once."""
ROUNDING = 1e-10
"""Differences below this share of the values are rounding errors of equal values."""
TIED = 1e-9
"""Sign-flip statistics, which are at most √n, are equal where they differ by less than this."""
SEED = 20261126
"""Of all simulations here, so that the same results give the same numbers."""


def flips(family: Mapping[Key, Mapping[int, float]]) -> tuple[dict[Key, float], dict[Key, float]]:
    """Sign-flip p-values of each comparison: of it alone, and adjusted for the family by step-down max-T.

    If an arm makes no difference, each seed's difference is as likely to have either sign. The statistic is
    |Σ ±d|/√(Σ d²), which for n differences grows with |t| and is at most √n, so that a comparison with few seeds cannot
    outdo the others. The p-value is the share of the 2ⁿ⁻¹ sign vectors that make it as large as it is, ties included;
    the other half gives the same. With more than `ENUMERATED` seeds b of B random sign vectors do, and p is
    (b + 1)/(B + 1).

    Several comparisons share the signs: a vector flips whole seeds, which keeps the correlation that a shared baseline
    makes. A seed that a comparison does not have contributes nothing to it. In the order of their statistics, largest
    first, each is compared with the largest among itself and all that follow, and no p-value is smaller than the one
    before. The smallest possible one is 2/2ⁿ whatever the number of comparisons.

    Sources: R. A. Fisher, The Design of Experiments (1935), section 21; P. H. Westfall and S. S. Young,
    Resampling-Based Multiple Testing (1993), section 2.6; B. Phipson and G. K. Smyth, Statistical Applications in
    Genetics and Molecular Biology 9 (2010) article 39, for B random vectors.

    Args:
        family: The differences of each comparison by seed.
    """
    import numpy as np

    if not family:
        return {}, {}
    differences = _table(family)
    norms = np.sqrt((differences**2).sum(axis=0))
    scaled = differences / np.where(norms > 0, norms, 1.0)
    reached = np.abs(scaled.sum(axis=0)) - TIED
    order = np.argsort(-reached, kind="stable")
    scaled, reached = scaled[:, order], reached[order]
    signs = sign_vectors(len(differences))
    alone, among = np.zeros(len(order)), np.zeros(len(order))
    for some in np.array_split(signs, 1 + signs.shape[0] * len(order) // AT_ONCE):
        found = np.abs(some @ scaled)
        alone += (found >= reached).sum(axis=0)
        largest = np.maximum.accumulate(found[:, ::-1], axis=1)[:, ::-1]  # of each and all that follow
        among += (largest >= reached).sum(axis=0)
    drawn = int(len(differences) > ENUMERATED)
    single, adjusted = ((counts + drawn) / (len(signs) + drawn) for counts in (alone, among))
    known = list(family)
    keys = [known[place] for place in order]
    adjusted = np.maximum.accumulate(adjusted)
    return dict(zip(keys, single.tolist(), strict=True)), dict(zip(keys, adjusted.tolist(), strict=True))


def simultaneous_level(family: Mapping[Key, Mapping[int, float]], level: float) -> float:
    """The level of each comparison's t interval with which all of them hold together with probability 1 − level.

    The quantile of the smallest p-value among comparisons without any difference, in `DRAWS` simulated sets of seeds
    with normal differences that are correlated as the measured ones are. Each comparison has its own standard deviation
    there as here: the multivariate t distribution, in which all share one, gives intervals that are too narrow (of 15
    arms over 8 seeds they held together in 90.5 % where these do in 95 %). Never stricter than Bonferroni's level / m.

    Source: the single-step max-T of P. H. Westfall and S. S. Young, Resampling-Based Multiple Testing (1993), section
    2.5, with normal samples; compare C. W. Dunnett, Journal of the American Statistical Association 50 (1955)
    1096-1121.

    Args:
        family: The differences of each comparison by seed, two or more of each.
        level: Of all together.
    """
    import numpy as np
    from scipy.special import stdtr  # 0.3 to 0.5 s

    has = ~np.isnan(_table(family, missing=math.nan))
    counts = has.sum(axis=0)
    differences = _table(family)
    centred = np.where(has, differences - differences.sum(axis=0) / counts, 0.0)
    norms = np.sqrt((centred**2).sum(axis=0))
    varies = norms > ROUNDING * np.abs(differences).max(axis=0, initial=0.0)
    centred, has, counts = centred[:, varies] / norms[varies], has[:, varies], counts[varies]
    if centred.shape[1] < 2:
        return level
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    root = (sizes[:, None] * axes).astype(np.float32)  # root.T @ root is the matrix of correlations
    random = np.random.default_rng(SEED)
    smallest = []
    at_once = max(1, min(DRAWS, AT_ONCE // has.size))
    for begin in range(0, DRAWS, at_once):
        drawn = random.standard_normal((min(at_once, DRAWS - begin), len(has), len(root)), dtype=np.float32) @ root
        drawn *= has
        mean = drawn.sum(axis=1) / counts
        drawn -= mean[:, None] * has  # first, so that nothing is lost where a spread is small beside its mean
        variance = np.maximum(np.einsum("dsc,dsc->dc", drawn, drawn) / (counts - 1), np.finfo(np.float32).tiny)
        t = np.abs(mean) * np.sqrt(counts / variance)
        p_values = [2 * stdtr(count - 1, -t[:, counts == count].max(axis=1)) for count in np.unique(counts)]
        smallest.append(np.min(p_values, axis=0))
    return min(level, max(level / len(family), float(np.quantile(np.concatenate(smallest), level))))


def _table(family: Mapping[Key, Mapping[int, float]], missing: float = 0.0) -> Array:
    """The differences of all comparisons: a row for each seed that any of them has, a column for each of them."""
    import numpy as np

    seeds = sorted({seed for differences in family.values() for seed in differences})
    rows = [[differences.get(seed, missing) for differences in family.values()] for seed in seeds]
    return np.array(rows, dtype=float).reshape(len(seeds), len(family))


def sign_vectors(count: int, enumerated: int = ENUMERATED) -> Array:
    """Sign vectors, one a row: all whose first sign is plus, or as many random ones as `enumerated` seeds have.

    Args:
        count: How many signs each has.
        enumerated: Up to so many signs all vectors are given.
    """
    import numpy as np

    if count <= enumerated:
        numbers = np.arange(2 ** (count - 1))
        return 1.0 - 2.0 * (numbers[:, None] >> np.arange(count - 1, -1, -1) & 1)
    random = np.random.default_rng(SEED)
    return random.choice((-1.0, 1.0), (2 ** (enumerated - 1) - 1, count))
