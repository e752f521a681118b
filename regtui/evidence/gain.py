"""How the difference from the baseline changes with an amount of data or training, over seeds.

Every amount is a cell of the study. The sentences are in `evidence/dose_words.py`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from regtui.evidence.over_seeds import Compared
from regtui.evidence.student import Interval, mean_interval, t_p_value
from regtui.tasks import Metric
from regtui.tasks.comparison import holm


class Gain(NamedTuple):
    """An arm at one value of what varies: its difference from the baseline there, and both their means."""

    value: float
    difference: Compared
    arm: float | None
    baseline: float | None


@dataclass(frozen=True)
class GainTrend:
    """How the difference of one arm from the baseline changes with data or training.

    Attributes:
        arm: The arm.
        gains: In the order of the values.
        slope: By how much the difference changes for each doubling: the mean over seeds of each seed's least-squares
            slope over log2 of the value, in the metric's shown unit; None with fewer than two seeds that have all.
        interval: Student's t interval for it at 1 − `level`; None where the slopes are equal.
        p: Student's two-sided p-value of "no trend", adjusted after Holm for the arms that are told together.
        seeds: How many seeds have all values.
        level: What `p` may be at most for a trend to be told.
    """

    arm: str
    gains: Sequence[Gain]
    slope: float | None
    interval: Interval | None
    p: float | None
    seeds: int
    level: float

    @property
    def is_shown(self) -> bool:
        """Whether the trend over seeds is shown, and the study is at an end or a look."""
        is_open = any(gain.difference.call in ("open", "none") for gain in self.gains)
        return not is_open and self.p is not None and self.p <= self.level


@dataclass(frozen=True)
class Gains:
    """The arms' differences from the baseline over one setting of data or training, such as 'data.train_samples'.

    Attributes:
        key: The setting's dotted key.
        metric: What the differences are in.
        trends: Each arm's.
        is_log: Whether the axis of values is logarithmic, as it is where all values are above 0.
    """

    key: str
    metric: Metric
    trends: Sequence[GainTrend]
    is_log: bool


def gains_over(key: str, metric: Metric, arms: Mapping[str, Mapping[float, Gain]]) -> Gains:
    """Differences over a setting.

    Args:
        key: The setting's dotted key.
        metric: What the differences are in.
        arms: By arm and value.
    """
    is_log = all(value > 0 for gains in arms.values() for value in gains)
    found = {arm: _trend(arm, [gains[value] for value in sorted(gains)], is_log=is_log) for arm, gains in arms.items()}
    known = {arm: of.p for arm, of in found.items() if of.p is not None}
    adjusted = dict(zip(known, holm(list(known.values())), strict=True))
    trends = [replace(trend, p=adjusted.get(arm)) for arm, trend in found.items()]
    return Gains(key, metric, trends, is_log)


def _trend(arm: str, gains: Sequence[Gain], *, is_log: bool) -> GainTrend:
    """The trend of one arm, its p-value not yet adjusted.

    A seed's differences at several sizes are not independent, since its larger training sets hold its smaller ones and
    its weights start the same; its slope is one number, and the slopes of the seeds are.
    """
    level = min(gain.difference.level for gain in gains)
    seeds = sorted(set.intersection(*(set(gain.difference.differences) for gain in gains)))
    if not is_log or len(gains) < 2 or len(seeds) < 2:
        return GainTrend(arm, gains, None, None, None, len(seeds), level)
    places = [math.log2(gain.value) for gain in gains]
    slopes = [
        statistics.linear_regression(places, [gain.difference.differences[seed] for gain in gains]).slope
        for seed in seeds
    ]
    mean, interval = statistics.fmean(slopes), mean_interval(slopes, level)
    p = t_p_value(mean, statistics.stdev(slopes), len(slopes)) if interval is not None else None
    return GainTrend(arm, gains, mean, interval, p, len(seeds), level)
