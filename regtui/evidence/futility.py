"""Whether a study that is looked at before its last seed is worth going on with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from regtui.evidence.decided import Decided
from regtui.evidence.family import SEED, Key
from regtui.evidence.over_seeds import Compared

AfterLook = Literal["go on", "decided", "futile"]
"""Whether a study goes on after a look: "decided" where everything is called, "futile" where the rest hardly can be."""
FUTURES = 2_000
"""Simulated continuations of a study from which its chance of a call is found."""
HOPELESS = 0.05
"""A study whose chance to call anything more is below this goes on in vain."""


def after_look(compared: Mapping[Key, Compared], decided: Decided, done: int) -> AfterLook:
    """Whether a study goes on after a look: always, unless this is one of its planned looks before the last.

    It is futile where the chance that any comparison that is not called yet is called at a later look, added up over
    these comparisons, is below `HOPELESS`. The chance is the predictive power of D. J. Spiegelhalter, L. S. Freedman
    and P. R. Blackburn, Controlled Clinical Trials 7 (1986) 8-17: the seeds to come are drawn from what those that are
    there say of their mean and spread. It only ever ends a study without a call, so it adds no false ones.

    Args:
        compared: What `compare` found with the seeds that are done.
        decided: What was decided on before.
        done: How many seeds are done.
    """
    left = [found for found in compared.values() if found.call in ("inconclusive", "open", "none")]
    if done not in decided.looks[:-1]:
        return "go on"
    if not left:
        return "decided"
    later = [look - done for look in decided.looks if look > done]
    return "futile" if sum(_chance(found, decided, later) for found in left) < HOPELESS else "go on"


def _chance(found: Compared, decided: Decided, later: Sequence[int]) -> float:
    """The predictive chance that a comparison is called at any of the looks after so many more seeds.

    With n differences of mean m and deviation s, the variance is drawn as (n − 1)·s²/χ² with n − 1 degrees of freedom,
    the true mean from a normal distribution around m with variance/n, and the differences to come around that.
    """
    import numpy as np
    from scipy.special import stdtrit  # 0.3 to 0.5 s

    count = len(found.differences)
    if not later or found.mean is None or found.deviation is None:
        return 0.0
    if not found.deviation:  # the seeds to come are as equal
        return float(found.mean != 0 or decided.smallest is not None)
    random = np.random.default_rng(SEED)
    spread = found.deviation * np.sqrt((count - 1) / random.chisquare(count - 1, FUTURES))
    center = found.mean + spread * random.standard_normal(FUTURES) / math.sqrt(count)
    drawn = center[:, None] + spread[:, None] * random.standard_normal((FUTURES, later[-1]))
    known = np.broadcast_to(list(found.differences.values()), (FUTURES, count))
    is_called = np.zeros(FUTURES, dtype=bool)
    for more in later:
        values = np.hstack((known, drawn[:, :more]))
        reach = stdtrit(count + more - 1, 1 - found.together / 2) * values.std(axis=1, ddof=1) / math.sqrt(count + more)
        mean = np.abs(values.mean(axis=1))
        is_called |= mean > reach
        if decided.smallest is not None:
            is_called |= mean + reach < decided.smallest
    return float(is_called.mean())
