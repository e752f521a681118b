"""Dose and response over seeds: a metric over the values of a strength.

Every value of a strength is an arm of its own beside one baseline. What is compared are paired differences; the
sentences are in `evidence/dose_words.py`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from regtui.evidence.over_seeds import Compared
from regtui.evidence.student import Interval, mean_interval
from regtui.evidence.trend import NEAR, excess
from regtui.tasks import Metric
from regtui.techniques import REGISTRY


class KeptLosses(NamedTuple):
    """Losses of the weights that an arm kept with one seed, in evaluation mode and without penalties.

    Attributes:
        train: On the training examples.
        val: On the validation examples.
        lowest: The lowest validation loss of any of its epochs.
    """

    train: float
    val: float
    lowest: float


class OverSeeds(NamedTuple):
    """What one arm was measured to be, by seed.

    Attributes:
        test: The metric on the test set, as it is shown.
        validation: The same on the validation set.
        losses: Of the weights it kept; without seeds of which they are not known.
    """

    test: Mapping[int, float]
    validation: Mapping[int, float]
    losses: Mapping[int, KeptLosses]


@dataclass(frozen=True)
class Level:
    """Where an arm lies, over seeds: a point of the chart, or of the baseline the band behind it.

    Attributes:
        test: By seed: the metric on the test set, as it is shown; the chart's dots.
        mean: Of these; None without a seed.
        interval: Student's t interval for the mean over seeds, of this arm alone; None where it has none. Whether two
            arms differ is asked of the paired differences, whose intervals are shorter.
        validation: Mean of the metric on the validation set; None where it is not known.
        train_loss: Mean training loss of the kept weights; None where losses are not known.
        val_loss: The same on the validation set.
        rise: How far the latter lies above the lowest validation loss of its run, as a share of it, on average.
        overfits: Whether the interval for the mean rise lies above `NEAR`.
    """

    test: Mapping[int, float]
    mean: float | None
    interval: Interval | None
    validation: float | None
    train_loss: float | None
    val_loss: float | None
    rise: float | None
    overfits: bool


@dataclass(frozen=True)
class Dose:
    """One value of a strength.

    Attributes:
        value: The knob's.
        arm: The arm that has it.
        level: Where it lies.
        difference: From the baseline, as the study judges it.
        underfits: Whether its gap is smaller than the baseline's, or than that of the best value by validation, but
            training and validation loss are both higher: each of the three has a t interval that says so, adjusted for
            all values (the baseline's) or all pairs of values (the best one's).
        than: The best value, where the dose underfits beside that and not beside the baseline; else None.
    """

    value: float
    arm: str
    level: Level
    difference: Compared
    underfits: bool
    than: float | None = None


class Runner(NamedTuple):
    """The value that comes second by validation.

    Attributes:
        value: The knob's.
        behind: How far its mean lies behind the best one's, positive.
        interval: For that, paired by seed; None where the differences are equal.
    """

    value: float
    behind: float
    interval: Interval | None


@dataclass(frozen=True)
class DoseResponse:
    """One strength over its values, in one cell of a study.

    Attributes:
        key: The knob's dotted key without its arm: 'dropout.rate'.
        of: The arm of the preset whose knob it is.
        metric: What is shown over it.
        baseline: The band.
        doses: In the order of their values.
        best: The one with the best mean on validation, over the seeds that all compared ones have; None where that is
            not known.
        runner: The second best on validation; None where there is none.
        chosen_over: How many seeds `best` was chosen over.
        best_on_validation: The best one's mean of the metric on the validation set over these seeds.
        baseline_on_validation: The baseline's; None where it does not have all of them.
        is_log: Whether the axis of values is logarithmic: the technique steers the knob as a magnitude.
        alpha: Intervals of one arm, and that of the second best, hold with probability 1 − alpha.
    """

    key: str
    of: str
    metric: Metric
    baseline: Level
    doses: Sequence[Dose]
    best: Dose | None
    runner: Runner | None
    chosen_over: int
    best_on_validation: float | None
    baseline_on_validation: float | None
    is_log: bool
    alpha: float

    def place(self, value: float) -> float:
        """Where a value stands on the axis: itself, or its decimal logarithm.

        On a logarithmic axis 0 stands left of the smallest value above it, as far as the next one lies right of it, or
        where there is none a decade.
        """
        if not self.is_log:
            return value
        places = [math.log10(dose.value) for dose in self.doses if dose.value > 0]
        if value > 0:
            return math.log10(value)
        return places[0] - (places[1] - places[0] if len(places) > 1 else 1.0)

    @property
    def is_open(self) -> bool:
        """Whether the study is between two looks, or has too few seeds, so that nothing is said of it in words."""
        return not self.compared or any(dose.difference.call == "open" for dose in self.doses)

    @property
    def compared(self) -> Sequence[Dose]:
        """Those with two seeds or more; an arm that diverged may have none."""
        return [dose for dose in self.doses if dose.difference.call != "none"]


def dose_response(
    key: str,
    of: str,
    metric: Metric,
    baseline: OverSeeds,
    arms: Mapping[str, tuple[float, OverSeeds, Compared]],
    alpha: float = 0.05,
) -> DoseResponse:
    """A strength over its values.

    The best value is chosen on the validation set alone; what the test set says of it was not asked before. The joint
    interval of its difference holds for all values together, hence also for one that was chosen among them.

    Args:
        key: The knob's dotted key without its arm.
        of: The arm of the preset whose knob it is.
        metric: What is judged.
        baseline: The one baseline of all.
        arms: By arm: the knob's value, what the arm was measured to be, and its difference from the baseline.
        alpha: Intervals of one arm hold with probability 1 − alpha.
    """
    doses = []
    for arm, (value, measured, difference) in sorted(arms.items(), key=lambda item: item[1][0]):
        level = level_of(measured, alpha)
        underfits = _underfits(baseline.losses, measured.losses, difference.together)
        doses.append(Dose(value, arm, level, difference, underfits))
    tried = {arm: measured.validation for arm, (_, measured, of) in arms.items() if of.call != "none"}
    seeds = set.intersection(*map(set, tried.values())) if tried else set()
    means = {arm: statistics.fmean(validation[seed] for seed in seeds) for arm, validation in tried.items() if seeds}
    sign = 1 if metric.better == "higher" else -1
    ranked = sorted(means, key=lambda arm: (-sign * means[arm], arms[arm][0]))
    runner = None
    if len(ranked) > 1:
        first, second = (arms[arm][1].validation for arm in ranked[:2])
        behind = [sign * (first[seed] - second[seed]) for seed in sorted(seeds)]
        runner = Runner(arms[ranked[1]][0], statistics.fmean(behind), mean_interval(behind, alpha))
    if ranked:
        doses = _beside_the_best(doses, arms, ranked[0], alpha)
    return DoseResponse(
        key=key,
        of=of,
        metric=metric,
        baseline=level_of(baseline, alpha),
        doses=doses,
        best=next((dose for dose in doses if ranked and dose.arm == ranked[0]), None),
        runner=runner,
        chosen_over=len(seeds),
        best_on_validation=means[ranked[0]] if ranked else None,
        baseline_on_validation=_mean([baseline.validation[seed] for seed in seeds])
        if seeds <= baseline.validation.keys()
        else None,
        is_log=_is_magnitude(key) and any(dose.value > 0 for dose in doses),
        alpha=alpha,
    )


def _beside_the_best(
    doses: Sequence[Dose], arms: Mapping[str, tuple[float, OverSeeds, Compared]], best: str, alpha: float
) -> list[Dose]:
    """The doses, with those marked that fit less than the best one and do worse for it.

    A strong technique may still have a lower validation loss than a baseline that overfits. Which value is the best was
    chosen by the data, so the level is adjusted for every pair of values.
    """
    value, measured, _ = arms[best]
    level = alpha / math.comb(len(doses), 2) if len(doses) > 1 else alpha
    return [
        replace(dose, underfits=True, than=value)
        if not dose.underfits and _underfits(measured.losses, arms[dose.arm][1].losses, level)
        else dose
        for dose in doses
    ]


def level_of(measured: OverSeeds, alpha: float = 0.05) -> Level:
    """Where an arm lies over its seeds."""
    test, losses = list(measured.test.values()), list(measured.losses.values())
    rises = [excess(of.val, of.lowest) for of in losses]
    above = mean_interval(rises, alpha)
    return Level(
        test=measured.test,
        mean=_mean(test),
        interval=mean_interval(test, alpha),
        validation=_mean(list(measured.validation.values())),
        train_loss=_mean([of.train for of in losses]),
        val_loss=_mean([of.val for of in losses]),
        rise=_mean(rises),
        overfits=above is not None and above[0] > NEAR,
    )


def _underfits(other: Mapping[int, KeptLosses], arm: Mapping[int, KeptLosses], level: float) -> bool:
    """Whether the arm fits less than another and does worse for it; all three must be so, so none is adjusted."""
    pairs = [(other[seed], of) for seed, of in arm.items() if seed in other]
    trains = [ours.train - theirs.train for theirs, ours in pairs]
    vals = [ours.val - theirs.val for theirs, ours in pairs]
    gaps = [train - val for train, val in zip(trains, vals, strict=True)]  # by how much the gap is smaller
    intervals = [mean_interval(values, level) for values in (trains, vals, gaps)]
    return all(interval is not None and interval[0] > 0 for interval in intervals)


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _is_magnitude(key: str) -> bool:
    """Whether a technique steers this knob as a magnitude, which may be of any size."""
    name, _, knob = key.partition(".")
    return name in REGISTRY and knob in (live := REGISTRY[name].live) and live[knob].scale == "magnitude"
