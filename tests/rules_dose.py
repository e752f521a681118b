"""What each sentence on dose and response claims, recomputed from the values of each seed; see `tests.rules`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from regtui.evidence.dose import KeptLosses, OverSeeds
from regtui.evidence.over_seeds import Compared
from regtui.tasks import Metric
from regtui.tasks.comparison import holm
from tests.rules import Rules, hold
from tests.rules_verdict import tells

N, D = r"([\d.,]+(?:e[+−]?\d+)?)", r"([+−]?[\d.,]+(?:e[+−]?\d+)?)"
INTERVAL = rf"{N} % interval {D} to {D}"


@dataclass(frozen=True)
class Doses:
    """A strength that was studied: the baseline, each value's measurements, and how each was judged."""

    metric: Metric
    baseline: OverSeeds
    arms: Mapping[float, OverSeeds]
    judged: Mapping[float, Compared]

    @property
    def sign(self) -> int:
        """Turns values so that more is better."""
        return 1 if self.metric.better == "higher" else -1

    @property
    def compared(self) -> list[float]:
        """Values with two seeds or more."""
        return [value for value, judged in self.judged.items() if len(judged.differences) > 1]

    def difference(self, value: float) -> float:
        return statistics.fmean(self.judged[value].differences.values())

    def on_validation(self, value: float) -> float:
        return statistics.fmean(self.arms[value].validation[seed] for seed in self.common)

    @property
    def common(self) -> list[int]:
        """The seeds for which every value was validated."""
        return sorted(set.intersection(*(set(self.arms[value].validation) for value in self.compared)))

    @property
    def best(self) -> float:
        return max(sorted(self.compared), key=lambda value: self.sign * self.on_validation(value))


DOSE = Rules[Doses]()


def read(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def numbers(text: str) -> list[float]:
    return [read(part) for part in text.replace(" and ", ", ").split(", ")]


def is_near(text: str, value: float) -> None:
    """The text tells the value to the digits it has."""
    tells(text.lstrip("+−"), abs(value))
    hold(not text.startswith("−") or value < 0, f"{text} is not {value}")


def is_interval(percent: str, low: str, high: str, values: Sequence[float], level: float, told: float) -> None:
    """The interval is Student's t at 1 − level for the mean of these values; `told` is the level that is named."""
    tells(percent, 100 * (1 - told))
    expected = stats.t.interval(1 - level, len(values) - 1, np.mean(values), stats.sem(values))
    is_near(low, expected[0])
    is_near(high, expected[1])


def share_tells(text: str, value: float) -> None:
    tells(text.replace("> ", ">").replace("< ", "<"), 100 * value)


@DOSE.rule(rf"[\w.-]+, {N} values over (?:(\d+) seeds?|(\d+) to (\d+) seeds): (.*)\.")
def _standing(doses: Doses, groups: Sequence[Any]) -> None:
    count, seeds, fewest, most, told = groups
    counts = [len(judged.differences) for judged in doses.judged.values() if len(judged.differences) > 1]
    hold(int(count) == len(doses.arms), "so many values")
    hold({min(counts), max(counts)} == {int(n) for n in (seeds, fewest, most) if n}, "so many seeds")
    words = {
        "helps at ": "helps",
        "hurts at ": "hurts",
        "no difference that matters at ": "no difference",
        "not settled at ": "inconclusive",
        "not compared at ": "none",
    }
    found = {}
    for part in told.split("; "):
        (begin,) = [begin for begin in words if part.startswith(begin)]
        for value in numbers(part.removeprefix(begin)):
            found[value] = words[begin]
    hold(found == {value: judged.call for value, judged in doses.judged.items()}, "each value as it is called")


@DOSE.rule(
    rf"Of the {N} values {N} has the best validation [\w²]+ on average over {N} seeds?; its test [\w²]+ is {D}(?: %)? "
    rf"against the baseline's {D}(?: %)?, {D}(?: points)?(?: \({INTERVAL}, which holds for all comparisons of this "
    r"study together\))?\."
)
def _best(doses: Doses, groups: Sequence[Any]) -> None:
    count, best, seeds, ours, theirs, difference, percent, low, high = groups
    value = read(best)
    judged = doses.judged[value]
    hold((int(count), int(seeds)) == (len(doses.compared), len(doses.common)), "so many values and seeds")
    hold(value == doses.best, f"the best by validation is {doses.best}")
    is_near(ours, statistics.fmean(doses.arms[value].test[seed] for seed in judged.differences))
    is_near(theirs, statistics.fmean(doses.baseline.test[seed] for seed in judged.differences))
    is_near(difference, doses.difference(value))
    if percent:
        is_interval(percent, low, high, list(judged.differences.values()), judged.together, judged.level)


@DOSE.rule(
    rf"On validation the baseline is better on average than each of these values, {D}(?: %)? against {D}(?: %)? of the "
    r"best\."
)
def _none_of_them(doses: Doses, groups: Sequence[Any]) -> None:
    base = statistics.fmean(doses.baseline.validation[seed] for seed in doses.common)
    is_near(groups[0], base)
    is_near(groups[1], doses.on_validation(doses.best))
    hold(all(doses.sign * (base - doses.on_validation(value)) > 0 for value in doses.compared), "it is better")


@DOSE.rule(rf"Validation does not tell it from the second, {N}, which is {N}(?: points)? behind \({INTERVAL}\)\.")
def _second(doses: Doses, groups: Sequence[Any]) -> None:
    second, behind, percent, low, high = groups
    value = read(second)
    others = [doses.sign * doses.on_validation(v) for v in doses.compared if v != doses.best]
    hold(doses.sign * doses.on_validation(value) == max(others), "it is the second")
    first, then = doses.arms[doses.best].validation, doses.arms[value].validation
    values = [doses.sign * (first[seed] - then[seed]) for seed in doses.common]
    is_near(behind, statistics.fmean(values))
    is_interval(percent, low, high, values, 0.05, 0.05)
    hold(stats.ttest_1samp(values, 0).pvalue >= 0.05, "they can't be told apart")


@DOSE.rule(
    rf"On the test set the mean of {N} is better, {D}(?: points)? from the baseline; the test set was not asked for "
    r"the choice\."
)
def _ahead(doses: Doses, groups: Sequence[Any]) -> None:
    value = read(groups[0])
    hold(value != doses.best, "it is another one than validation chose")
    hold(value == max(doses.compared, key=lambda v: doses.sign * doses.difference(v)), "it is the best on test")
    is_near(groups[1], doses.difference(value))


def _above(of: Mapping[int, KeptLosses], base: Mapping[int, KeptLosses], what: Callable[[KeptLosses], float]) -> float:
    """The one-sided p-value, doubled, that the arm's is not higher."""
    values = [what(of[seed]) - what(base[seed]) for seed in of]
    found = stats.ttest_1samp(values, 0)
    return float(found.pvalue) if found.statistic > 0 else 1.0


@DOSE.rule(
    r"It underfits at ([\d.e, and−-]+): training loss \((.+)\) and validation loss \((.+)\) are higher than "
    rf"(the baseline's|those at {N}) \({N} and {N}\), while the gap is smaller\."
)
def _underfits(doses: Doses, groups: Sequence[Any]) -> None:
    at, trains, vals, _, best, train, val = groups
    base = doses.baseline.losses
    if best is not None:
        hold(read(best) == doses.best, "it is the best")
        base = doses.arms[doses.best].losses
    is_near(train, statistics.fmean(of.train for of in base.values()))
    is_near(val, statistics.fmean(of.val for of in base.values()))
    for value, train, val in zip(numbers(at), texts(trains), texts(vals), strict=True):
        of = doses.arms[value].losses
        level = doses.judged[value].together if best is None else 0.05 / math.comb(len(doses.arms), 2)
        is_near(train, statistics.fmean(loss.train for loss in of.values()))
        is_near(val, statistics.fmean(loss.val for loss in of.values()))
        hold(_above(of, base, lambda loss: loss.train) < level, "its training loss is higher")
        hold(_above(of, base, lambda loss: loss.val) < level, "its validation loss is higher")
        hold(_above(base, of, lambda loss: loss.val - loss.train) < level, "its gap is smaller")


@DOSE.rule(
    r"It overfits at ([\d.e, and−-]+): the validation loss of the kept weights lies (.+) above the lowest of their run "
    r"on average(?:, the baseline's (.+) %)?\."
)
def _overfits(doses: Doses, groups: Sequence[Any]) -> None:
    at, rises, base = groups
    if base:
        share_tells(base, statistics.fmean(of.val / of.lowest - 1 for of in doses.baseline.losses.values()))
    for value, rise in zip(numbers(at), texts(rises), strict=True):
        values = [of.val / of.lowest - 1 for of in doses.arms[value].losses.values()]
        share_tells(rise.removesuffix(" %"), statistics.fmean(values))
        hold(stats.ttest_1samp(values, 0.05, alternative="greater").pvalue < 0.025, "more than near the lowest")


def texts(listed: str) -> list[str]:
    return listed.replace(" and ", ", ").split(", ")


@dataclass(frozen=True)
class Trends:
    """Differences over a setting: for each arm, by value and seed."""

    metric: Metric
    key: str
    arms: Mapping[str, Mapping[float, Mapping[int, float]]]

    def slopes(self, arm: str) -> list[float]:
        values = self.arms[arm]
        seeds = sorted(set.intersection(*(set(of) for of in values.values())))
        places = [math.log2(value) for value in values]
        return [float(np.polyfit(places, [of[seed] for of in values.values()], 1)[0]) for seed in seeds]


GAIN = Rules[Trends]()


@GAIN.rule(
    rf"The (gain of|difference of) (\S+)( from the baseline|) (grows|shrinks|rises|falls) with ([\w.]+(?: \w+){{0,2}}?)"
    rf"(?:, from {D}(?: points)? at {N} to {D}(?: points)? at {N})?: on average {D}(?: points)? for each doubling "
    rf"\({INTERVAL}; t test on the slopes of (\d+) seeds, p (=|<) {N}(?: by Holm for (\d+) arms)?\)\."
)
def _trend(trends: Trends, groups: Sequence[Any]) -> None:
    (what, arm, _, verb, with_what, here, at, there, then, slope, percent, low, high, seeds, sign, p, arms) = groups
    slopes, values = trends.slopes(arm), trends.arms[arm]
    better = 1 if trends.metric.better == "higher" else -1
    means = {value: better * statistics.fmean(of.values()) for value, of in values.items()}
    amounts = {"data.train_samples": "training examples", "train.epochs": "epochs"}
    hold(with_what == amounts.get(trends.key, trends.key), "what varies")
    if what == "gain of":
        hold(min(means.values()) >= 0, "a gain is one everywhere")
        hold((verb == "grows") == (better * np.mean(slopes) > 0), verb)
    else:
        hold((verb == "rises") == (np.mean(slopes) > 0), verb)
    if here:
        hold((read(at), read(then)) == (min(values), max(values)), "the ends")
        is_near(here, better * means[min(values)])
        is_near(there, better * means[max(values)])
    is_near(slope, float(np.mean(slopes)))
    is_interval(percent, low, high, slopes, 0.05, 0.05)
    hold(int(seeds) == len(slopes), "so many seeds")
    found = [float(stats.ttest_1samp(trends.slopes(name), 0).pvalue) for name in trends.arms]
    adjusted = holm(found)[list(trends.arms).index(arm)]
    hold(adjusted <= 0.05, "it is shown")
    hold((int(arms) if arms else 1) == len(trends.arms), "adjusted for all")
    hold(adjusted < 0.001 if sign == "<" else math.isclose(adjusted, float(p), rel_tol=0.005), f"p is {adjusted}")


@GAIN.rule(r"The epochs were planned alike for every amount of data, so more data also meant more steps\.")
def _steps(trends: Trends, _groups: Sequence[Any]) -> None:
    hold(trends.key == "data.train_samples", "data varies")
