"""Statistics over several seeds of one preset: the arms' differences on the test set form one sample.

One run only speaks of its own trained networks. The spread over seeds says how far the next seed may differ. All seeds
are scored on the same test examples, so nothing is said about others.
"""

from __future__ import annotations

import math
import statistics
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace

from regtui.evidence.verdict import ALPHA
from regtui.tasks import Metric
from regtui.tasks.comparison import holm
from regtui.text import NBSP, number, p_value

POWER = 0.8
"""The probability with which a planned set of seeds settles a difference as large as the observed one."""
MOST_SEEDS = 1_000
"""The largest set of seeds that is proposed."""


@dataclass(frozen=True)
class SeedStatistics:
    """Differences between the other arm and the baseline, in percentage points or units of the loss.

    Attributes:
        differences: The difference of each seed.
        mean: Their mean.
        deviation: Their standard deviation, with n − 1 in the denominator; 0 if they are equal.
        interval: 95 % interval for the mean over seeds; None if the differences are equal.
        p_value: Two-sided p-value of "the mean over seeds is 0"; None if the differences are equal.
    """

    differences: Mapping[int, float]
    mean: float
    deviation: float
    interval: tuple[float, float] | None
    p_value: float | None

    @property
    def sign(self) -> int:
        """The mean's, +1 or −1, if the interval excludes 0 and p, which may be adjusted, is below `ALPHA`; else 0."""
        if self.interval is None or self.p_value is None or self.p_value >= ALPHA:
            return 0
        low, high = self.interval
        return (low > 0) - (high < 0)


def seed_statistics(differences: Mapping[int, float]) -> SeedStatistics:
    """Judge the differences of two or more seeds.

    With n differences of mean m and standard deviation s, the interval reaches from m − t·s/√n to m + t·s/√n, where t
    is the 97.5 % quantile of Student's distribution with n − 1 degrees of freedom. The p-value is that of |m|·√n/s in
    the same distribution.

    Source: Student, Biometrika 6 (1908) 1-25. It assumes normally distributed differences, and that
    their number was fixed in advance.

    Raises:
        ValueError: There are fewer than two.
    """
    if len(differences) < 2:
        raise ValueError("one seed has no spread")
    values = list(differences.values())
    count, mean, deviation = len(values), statistics.fmean(values), statistics.stdev(values)
    error = deviation / math.sqrt(count)
    if error < 1e-9:  # equal differences, up to rounding
        return SeedStatistics(differences, mean, 0.0, None, None)
    from scipy.special import stdtr, stdtrit  # 0.3 to 0.5 s

    reach = float(stdtrit(count - 1, 1 - ALPHA / 2)) * error
    p_value = 2 * float(stdtr(count - 1, -abs(mean) / error))
    return SeedStatistics(differences, mean, deviation, (mean - reach, mean + reach), p_value)


def adjusted(of_arms: Mapping[str, SeedStatistics]) -> dict[str, SeedStatistics]:
    """Adjust the p-values of several arms for each other after Holm; the intervals stay those of each alone."""
    known = {arm: of.p_value for arm, of in of_arms.items() if of.p_value is not None}
    p_values = dict(zip(known, holm(list(known.values())), strict=True))
    return {arm: replace(of, p_value=p_values.get(arm)) for arm, of in of_arms.items()}


def seeds_to_plan(mean: float, deviation: float) -> int | None:
    """How many seeds a new set needs, so that it settles a difference as large as `mean` with probability `POWER`.

    The least n for which P(T > t) ≥ POWER, with t the 97.5 % quantile of Student's distribution with n − 1 degrees of
    freedom, and T of the noncentral one with the same and noncentrality mean·√n/deviation. None where more than
    `MOST_SEEDS` are needed.

    Source: J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd edition (1988), chapter 2.
    """
    from scipy.special import nctdtr, stdtrit  # 0.3 to 0.5 s

    effect = abs(mean) / deviation

    def enough(count: int) -> bool:
        limit = float(stdtrit(count - 1, 1 - ALPHA / 2))
        return float(nctdtr(count - 1, effect * math.sqrt(count), limit)) <= 1 - POWER

    few, many = 2, MOST_SEEDS
    if not enough(many):
        return None
    while few < many:  # power grows with the number
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle + 1, many)
    return few


def describe_seeds(
    name: str, arm: str, metric: Metric, score: SeedStatistics, loss: SeedStatistics | None, width: int
) -> list[str]:
    """The statistics over seeds as a paragraph for people.

    Args:
        name: What was run with these seeds.
        arm: The arm beside the baseline.
        metric: What they are judged by, beside the loss.
        score: The differences in it on the test set, as it is shown: of accuracy in percentage points.
        loss: Those in test loss of the same seeds; None where it is not known of all.
        width: Columns at most.
    """
    values = [value if metric.better == "higher" else -value for value in score.differences.values()]
    ahead, behind = sum(v > 0 for v in values), sum(v < 0 for v in values)
    spread = _spread(score, metric.digits, metric.points)
    words = f"{name}, {len(values)} seeds: test {metric.title} ◆{NBSP}−{NBSP}● {spread}"
    words += f", ◆{NBSP}ahead with {ahead}, ●{NBSP}with {behind}"
    words += f"; test loss {_spread(loss, 4)}" if loss is not None else ""
    words += f". {_meaning(arm, metric, score, loss)}"
    return [line.replace(NBSP, " ") for line in textwrap.wrap(words, width, break_on_hyphens=False)]


def describe_several(
    name: str,
    metric: Metric,
    scores: Mapping[str, SeedStatistics],
    losses: Mapping[str, SeedStatistics],
    width: int,
) -> list[str]:
    """Describe what the seeds say of several arms, each against the baseline, as a paragraph for people.

    Args:
        name: The preset's name.
        metric: The metric of `scores`.
        scores: For each arm, its differences in the metric on the test set, as they are shown.
        losses: For each arm, its differences in test loss; without the arms of which it is not known for all seeds.
        width: The largest width in columns.
    """
    counts = sorted({len(of.differences) for of in scores.values()})
    seeds = f"{counts[0]} seeds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    words = (
        f"{name}, {seeds}, {len(scores)} arms, each against the baseline on this test set (paired t over seeds; p is "
        f"adjusted for {len(scores)} comparisons after Holm, and holds if the number of seeds was decided on "
        f"beforehand; each 95{NBSP}% interval is of its own comparison). Difference in test {metric.title}"
        f"{f' in{metric.points}' if metric.points else ''}: {_found(adjusted(scores), metric.digits)}."
    )
    words += f" In test loss: {_found(adjusted(losses), 4)}." if losses else ""
    return [line.replace(NBSP, " ") for line in textwrap.wrap(words, width, break_on_hyphens=False)]


def _found(of_arms: Mapping[str, SeedStatistics], digits: int) -> str:
    """Each arm's mean with its interval and p-value: what is settled first, the largest difference first."""
    form = f"+.{digits}f"
    ordered = sorted(of_arms.items(), key=lambda arm: -abs(arm[1].mean))
    parts = []
    for title, is_settled in (("settled", True), ("not settled", False)):
        arms = []
        for arm, of in ordered:
            if bool(of.sign) is is_settled:
                spread = "the same for every seed"
                if of.interval is not None and of.p_value is not None:
                    low, high = (number(limit, form) for limit in of.interval)
                    spread = f"{low}{NBSP}to{NBSP}{high}, {p_value(of.p_value)}"
                arms.append(f"{arm}{NBSP}{number(of.mean, form)} ({spread})")
        parts += [f"{title} {', '.join(arms)}"] if arms else []
    return "; ".join(parts)


def _spread(of: SeedStatistics, digits: int, unit: str = "") -> str:
    """The mean with its interval and p-value."""
    form = f"+.{digits}f"
    mean = f"{number(of.mean, form)}{unit} on average"
    if of.interval is None or of.p_value is None:
        return f"{mean}, the same for every seed, which gives no interval"
    low, high = of.interval
    interval = f"95{NBSP}% interval {number(low, form)} to {number(high, form)}"
    return f"{mean}, {interval} (paired t over seeds, {p_value(of.p_value)})"


def _meaning(arm: str, metric: Metric, score: SeedStatistics, loss: SeedStatistics | None) -> str:
    """Which arm is better by which measure, and what to do if that is not settled."""
    by = f"by {metric.title}"
    by_score = score.sign if metric.better == "higher" else -score.sign
    by_loss = 0 if loss is None else -loss.sign  # a lower loss is better
    if by_score and by_score == by_loss:
        found = f"the {_better(arm, by_score)} is better, {by} and by loss"
    elif by_score and by_loss:
        found = f"the {_better(arm, by_score)} is better {by}, but the {_better(arm, by_loss)} by loss"
    elif by_score:
        unsettled = "" if loss is None else "; by loss that is not settled"
        found = f"the {_better(arm, by_score)} is better {by}{unsettled}"
    elif by_loss:
        found = f"the {_better(arm, by_loss)} is better by loss; {by} that is not settled"
    else:
        found = f"neither arm is shown to be better, {by}" + ("" if loss is None else " or by loss")
    proviso = " That holds if their number was decided on beforehand." if by_score or by_loss else ""
    plan = "" if by_score else _plan(metric, score)
    return f"Over these seeds and on this test set {found}.{proviso}{plan}"


def _plan(metric: Metric, score: SeedStatistics) -> str:
    """How many seeds to run next time, beginning with a blank; empty if that is not known.

    Adding seeds until the interval excludes 0 finds a difference that does not exist in a fifth to a quarter of cases.
    With a number fixed in advance that happens in a twentieth.
    """
    if score.interval is None:
        return ""
    count = seeds_to_plan(score.mean, score.deviation)
    number = f"more than {MOST_SEEDS:,}" if count is None else f"{count:,}"
    return (
        f" To settle a difference in {metric.title} of this size with {100 * POWER:.0f}{NBSP}% power, decide on "
        f"{number} new seeds beforehand and judge those alone: adding seeds until one shows finds some where there is "
        "none."
    )


def _better(arm: str, sign: int) -> str:
    return f"{arm} arm" if sign > 0 else "baseline"
