"""Arms against a baseline over several seeds, paired by seed: the numbers a study's verdict is made of.

All differences are the arm's value minus the baseline's, in the unit in which people read the quantity: accuracies in
percentage points, losses as they are.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeVar

from regtui.evidence.t_power import seeds_for_flips, seeds_to_exclude, seeds_to_find

Call = Literal["helps", "hurts", "no difference", "inconclusive", "open", "none"]
"""What a comparison comes to; "no difference" means none that matters, "open" that the study is between two looks,
"none" that there are fewer than two seeds."""
AfterLook = Literal["go on", "decided", "futile"]
"""Whether a study goes on after a look: "decided" where everything is called, "futile" where the rest hardly can be."""
Interval = tuple[float, float]
Key = TypeVar("Key", bound=Hashable)
Array = Any
"""An array of numbers; numpy is not imported before it is needed."""

LOOKS = (7, 9, 12)
"""Numbers of seeds at which a study with looks may end."""
LOOKS_LEVEL = 0.0227
"""The p-value that is needed at each of `LOOKS` for an alpha of 0.05. Looks at 6, 9 and 12 seeds need it exactly; the
first of these is a seed later, where 0.0245 would do."""
ENUMERATED = 16
"""Up to so many seeds all sign vectors are tried; of more, so many as these have."""
DRAWS = 8_000
"""Samples from which simultaneous intervals get their level."""
PATHS = 200_000
"""Simulated studies from which the level at looks is found."""
FUTURES = 2_000
"""Simulated continuations of a study from which its chance of a call is found."""
HOPELESS = 0.05
"""A study whose chance to call anything more is below this goes on in vain."""
AT_ONCE = 2_000_000
"""Numbers that are drawn or summed at once."""
ROUNDING = 1e-10
"""Differences below this share of the values are rounding errors of equal values."""
TIED = 1e-9
"""Sign-flip statistics, which are at most √n, are equal where they differ by less than this."""
SEED = 20261126
"""Of all simulations here, so that the same results give the same numbers."""


@dataclass(frozen=True)
class Decided:
    """What was decided on before the first run.

    Attributes:
        better: Whether higher or lower values of the quantity are better.
        seeds: How many were planned.
        smallest: The smallest difference that matters, positive; None where nobody said.
        alpha: The share of studies without any difference that may call one.
        looks: Numbers of seeds at which a call may be made, the last being all; empty for one look at the end.
    """

    better: Literal["higher", "lower"]
    seeds: int
    smallest: float | None = None
    alpha: float = 0.05
    looks: tuple[int, ...] = ()

    @property
    def level(self) -> float:
        """The p-value that a call needs, adjusted for the family: alpha, or less where there are looks."""
        return level_at_looks(self.alpha, self.looks) if len(self.looks) > 1 else self.alpha


@dataclass(frozen=True)
class Pairs:
    """One arm and the baseline in one quantity: the value of each seed.

    A seed that only one of them has does not count, nor one with a value that is not finite.
    """

    baseline: Mapping[int, float]
    arm: Mapping[int, float]


@dataclass(frozen=True)
class Compared:
    """One arm against the baseline over seeds, in one quantity.

    Attributes:
        differences: By seed, in the order of the seeds.
        mean: Of the differences; None without any seed.
        deviation: Their standard deviation, with n − 1 in the denominator; 0 where they are equal, None for one seed.
        interval: Student's t interval at 1 − alpha for the mean of this comparison alone; None with fewer than two
            seeds, and where all differences are equal.
        joint: The interval that holds for all comparisons of the family together and at each planned look; equal to
            `interval` where there is one comparison and no look.
        p_t: Student's two-sided p-value; None where there is no interval.
        p_flip: The exact sign-flip p-value of this comparison alone; None with fewer than two seeds.
        p_joint: The sign-flip p-value adjusted for the family by step-down max-T; None with fewer than two seeds.
        p: That of the decision: `p_joint` where there are several arms or looks, otherwise `p_t`, or where all
            differences are equal `p_flip`.
        level: What `p` may be at most for a call: alpha, or less where there are looks.
        together: The level of `joint` taken alone: with it the intervals of all comparisons hold together at 1 − level.
        shown: Whether it is shown that the mean over seeds is not zero: `p` is within `level`, and `joint`, if there is
            one, lies on one side of zero. A difference that is shown may still be too small to matter.
        wins: Seeds for which the arm is better.
        ties: Seeds for which both are equal.
        correlation: Of the arm's values with the baseline's, over seeds; None where one does not vary, and with fewer
            than three seeds.
        gain: How many times larger the variance of the difference would be without pairing; None where that is 0.
        call: What it comes to.
        needed: Where it is inconclusive, how many seeds would probably be needed, at 80 % power for a difference as
            large as the mean, or to call it no difference that matters, whichever is fewer; None where not known.
        disagree: Whether t and sign-flip, each of this comparison alone, fall on different sides of `level`.
    """

    differences: Mapping[int, float]
    mean: float | None
    deviation: float | None
    interval: Interval | None
    joint: Interval | None
    p_t: float | None
    p_flip: float | None
    p_joint: float | None
    p: float | None
    level: float
    together: float
    shown: bool
    wins: int
    ties: int
    correlation: float | None
    gain: float | None
    call: Call
    needed: int | None
    disagree: bool


def compare(family: Mapping[Key, Pairs], decided: Decided, seeds: Sequence[int] | None = None) -> dict[Key, Compared]:
    """Judge arms against their baselines over seeds, as one family of comparisons.

    Differences are joined by the seed. Of one comparison, m and s are mean and standard deviation of its n differences,
    and t = m·√n/s. The interval reaches from m − q·s/√n to m + q·s/√n with q the 1 − alpha/2 quantile of Student's
    distribution with n − 1 degrees of freedom (Student, Biometrika 6 (1908) 1-25). `flips` has the sign-flip p-values,
    and `simultaneous_level` the intervals that hold together. With fewer than two differences a comparison is no
    member of the family.

    An arm that changes nothing has the baseline's distribution, so that each difference is as likely to have either
    sign, however skewed the values are. Differences of mean 0 that are skewed themselves are called more often than
    alpha says: at 0.05, of simulated studies of 8 seeds some 5 % with a skewness of 1, and 10 to 13 % with 2.

    Where all differences are equal, t has no value: then the sign-flip p-value decides whether the difference is shown,
    and with as many seeds as that needs, equal differences smaller than what matters are no difference that matters.

    Args:
        family: What is judged together.
        decided: What was decided on before.
        seeds: Those that are done, including ones that were left out since: how many they are tells whether a call may
            be made now, or whether the study is open. Others do not count. None for all there are, judged as at the
            end.
    """
    found = {key: _joined(pairs, seeds) for key, pairs in family.items()}
    members = {key: joined.differences for key, joined in found.items() if len(joined.differences) > 1}
    single, adjusted = flips(members)
    is_last = seeds is None or len(seeds) >= decided.seeds
    rule = _Rule(
        decided,
        together=simultaneous_level(members, decided.level),
        by_t=len(family) == 1 and len(decided.looks) < 2,
        now=is_last or len(seeds or ()) in decided.looks,
    )
    return {key: rule.judge(joined, single.get(key), adjusted.get(key)) for key, joined in found.items()}


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


@lru_cache
def level_at_looks(alpha: float, looks: tuple[int, ...]) -> float:
    """The p-value that is needed at every look, so that a true null is called at any of them with probability alpha.

    The alpha quantile of the smallest p-value of the paired t test over all looks, in simulated studies with normal
    differences and no effect: t does not depend on their spread. Looks at 6, 9 and 12 seeds for alpha 0.05 give
    0.0229, at 7, 9 and 12 seeds 0.0245.

    Source: S. J. Pocock, Biometrika 64 (1977) 191-199, with the nominal significance level of C. Jennison and B. W.
    Turnbull, Group Sequential Methods (2000), sections 2.4 and 4.4.
    """
    if (alpha, looks) == (0.05, LOOKS):
        return LOOKS_LEVEL
    import numpy as np
    from scipy.special import stdtr  # 0.3 to 0.5 s

    random = np.random.default_rng(SEED)
    values = random.standard_normal((PATHS, looks[-1]))
    p_values = []
    for look in looks:
        seen = values[:, :look]
        mean = seen.mean(axis=1)
        variance = (np.einsum("ps,ps->p", seen, seen) - look * mean**2) / (look - 1)
        p_values.append(2 * stdtr(look - 1, -np.abs(mean) * np.sqrt(look / variance)))
    return float(np.quantile(np.min(p_values, axis=0), alpha))


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


class _Joined(NamedTuple):
    """One comparison's differences by seed, and the values of baseline and arm that made them, in the same order."""

    differences: dict[int, float]
    baseline: list[float]
    arm: list[float]


def _joined(pairs: Pairs, seeds: Sequence[int] | None) -> _Joined:
    """Join by the seed what both have and is finite, of these seeds or of all."""
    both = pairs.baseline.keys() & pairs.arm.keys()
    counted = [
        seed
        for seed in sorted(both if seeds is None else both & set(seeds))
        if math.isfinite(pairs.baseline[seed]) and math.isfinite(pairs.arm[seed])
    ]
    baseline, arm = [pairs.baseline[seed] for seed in counted], [pairs.arm[seed] for seed in counted]
    differences = [
        0.0 if abs(ours - theirs) <= ROUNDING * max(abs(ours), abs(theirs)) else ours - theirs
        for theirs, ours in zip(baseline, arm, strict=True)
    ]
    return _Joined(dict(zip(counted, differences, strict=True)), baseline, arm)


class _Rule(NamedTuple):
    """How each comparison of a family is judged.

    Attributes:
        decided: What was decided on before.
        together: The level of each comparison's own interval with which all of the family hold.
        by_t: Whether t decides, and not max-T.
        now: Whether a call may be made.
    """

    decided: Decided
    together: float
    by_t: bool
    now: bool

    def judge(self, joined: _Joined, p_flip: float | None, p_joint: float | None) -> Compared:
        """Judge one comparison by its sign-flip p-values, alone and of the family."""
        values, level = list(joined.differences.values()), self.decided.level
        count = len(values)
        mean = statistics.fmean(values) if count else None
        deviation = interval = joint = p_t = None
        if mean is not None and count > 1:
            deviation = statistics.stdev(values)
            if deviation <= ROUNDING * max(map(abs, (*joined.baseline, *joined.arm))):  # equal, up to rounding
                deviation = 0.0
            else:
                interval = t_interval(mean, deviation, count, self.decided.alpha)
                joint = t_interval(mean, deviation, count, self.together)
                p_t = t_p_value(mean, deviation, count)
        p = (p_flip if p_t is None else p_t) if self.by_t else p_joint
        one_side = joint is None or joint[0] > 0 or joint[1] < 0
        shown = p is not None and p <= level and one_side and mean != 0
        call = self._call(mean, deviation, joint, shown, count)
        better = 1 if self.decided.better == "higher" else -1
        correlation, gain = _pairing(joined, deviation)
        return Compared(
            differences=joined.differences,
            mean=mean,
            deviation=deviation,
            interval=interval,
            joint=joint,
            p_t=p_t,
            p_flip=p_flip,
            p_joint=p_joint,
            p=p,
            level=level,
            together=self.together,
            shown=shown,
            wins=sum(better * value > 0 for value in values),
            ties=sum(value == 0 for value in values),
            correlation=correlation,
            gain=gain,
            call=call,
            needed=self._needed(mean, deviation, count) if call == "inconclusive" else None,
            disagree=p_t is not None and p_flip is not None and (p_t <= level) != (p_flip <= level),
        )

    def _call(
        self, mean: float | None, deviation: float | None, joint: Interval | None, shown: bool, count: int
    ) -> Call:
        if mean is None or deviation is None:
            return "none"
        if not self.now:
            return "open"
        smallest = self.decided.smallest
        if smallest is not None:
            low, high = joint or (mean, mean)
            if -smallest < low and high < smallest and (joint or count >= seeds_for_flips(self.decided.level)):
                return "no difference"
        if shown:
            return "helps" if (mean > 0) == (self.decided.better == "higher") else "hurts"
        return "inconclusive"

    def _needed(self, mean: float | None, deviation: float | None, count: int) -> int | None:
        """How many seeds would probably settle a difference with this mean and deviation; None where not known."""
        if not mean and not deviation:
            return None if self.decided.smallest is None else seeds_for_flips(self.decided.level)
        if mean is None or not deviation:
            return seeds_for_flips(self.decided.level)
        effect = mean / deviation
        ways = [seeds_to_find(effect, self.together)]
        if self.decided.smallest is not None:
            ways.append(seeds_to_exclude(effect, self.decided.smallest / deviation, self.together))
        known = [way for way in ways if way is not None]
        least = count + 1 if self.by_t else max(count + 1, seeds_for_flips(self.decided.level))
        return max(least, min(known)) if known else None


def t_interval(mean: float, deviation: float, count: int, level: float) -> Interval:
    """Student's t interval at 1 − level for the mean of normal values."""
    from scipy.special import stdtrit  # 0.3 to 0.5 s

    reach = float(stdtrit(count - 1, 1 - level / 2)) * deviation / math.sqrt(count)
    return mean - reach, mean + reach


def t_p_value(mean: float, deviation: float, count: int) -> float:
    """Student's two-sided p-value of "the mean is 0"."""
    from scipy.special import stdtr  # 0.3 to 0.5 s

    return 2 * float(stdtr(count - 1, -abs(mean) * math.sqrt(count) / deviation))


def _pairing(joined: _Joined, deviation: float | None) -> tuple[float | None, float | None]:
    """The correlation of arm and baseline over seeds, and how much larger their difference's variance were unpaired."""
    if deviation is None:
        return None, None
    of_baseline, of_arm = statistics.stdev(joined.baseline), statistics.stdev(joined.arm)
    gain = (of_baseline**2 + of_arm**2) / deviation**2 if deviation else None
    noise = ROUNDING * max(map(abs, (*joined.baseline, *joined.arm)))
    varies = min(of_baseline, of_arm) > noise and len(joined.arm) > 2
    return statistics.correlation(joined.baseline, joined.arm) if varies else None, gain


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
