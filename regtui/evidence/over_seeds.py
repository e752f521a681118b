"""Arms against a baseline over several seeds, paired by seed: the numbers a study's verdict is made of.

All differences are the arm's value minus the baseline's, in the unit in which people read the quantity: accuracies in
percentage points, losses as they are.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from regtui.evidence.decided import Decided
from regtui.evidence.family import ROUNDING, Key, flips, simultaneous_level
from regtui.evidence.student import Interval, t_interval, t_p_value
from regtui.evidence.t_power import seeds_for_flips, seeds_to_exclude, seeds_to_find

Call = Literal["helps", "hurts", "no difference", "inconclusive", "open", "none"]
"""What a comparison comes to; "no difference" means none that matters, "open" that the study is between two looks,
"none" that there are fewer than two seeds."""


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


def _pairing(joined: _Joined, deviation: float | None) -> tuple[float | None, float | None]:
    """The correlation of arm and baseline over seeds, and how much larger their difference's variance were unpaired."""
    if deviation is None:
        return None, None
    of_baseline, of_arm = statistics.stdev(joined.baseline), statistics.stdev(joined.arm)
    gain = (of_baseline**2 + of_arm**2) / deviation**2 if deviation else None
    noise = ROUNDING * max(map(abs, (*joined.baseline, *joined.arm)))
    varies = min(of_baseline, of_arm) > noise and len(joined.arm) > 2
    return statistics.correlation(joined.baseline, joined.arm) if varies else None, gain
