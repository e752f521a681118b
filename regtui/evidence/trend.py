"""The trend of an arm's validation loss: how far it is above its lowest value, and its slope compared with noise."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Literal, NamedTuple

from regtui.protocol.events import EpochDone
from regtui.protocol.history import ArmHistory
from regtui.text import short

FLAT = 0.02
"""Losses are flat if the highest is above the lowest by no more than this share."""
NEAR = 0.05
"""A loss is near the lowest if it is above it by no more than this share."""
RECENT = 5
"""How many of the newest losses count as recent."""
LASTING = 3
"""How many of the newest losses must be above the near ones to count as lasting."""
SPREAD = 12
"""The noise is estimated from so many of the newest losses."""
NOISES = 2
"""The lowest of many noisy losses is about so many standard deviations below their mean level."""
Z = 1.645
"""The normal quantile for a 90 % interval."""
MOST = 60
"""A slope is computed from at most so many losses, evenly chosen, because it uses all pairs of them."""

Kind = Literal["first", "falls", "slows", "lowest", "flat", "wavers", "rises", "overfits", "recovers", "above"]


class Trend(NamedTuple):
    """The trend of an arm's validation loss; epochs whose loss is not finite are skipped.

    While the newest loss is the lowest, the trend is one of these:

    - 'falls': the slope of the recent losses is below 0, and they are not flat.
    - 'slows': the slope of the recent losses is below 0, but they are flat.
    - 'flat': the slope is not below 0, and three or more losses are flat.
    - 'lowest': none of these.

    Otherwise it is the first of these that holds:

    - 'overfits': the last three losses are not near the lowest and above it by more than twice their noise, neither the
      recent losses nor all since the lowest have a slope below 0, and the training loss has fallen since the lowest.
    - 'flat': the last three or more losses are flat.
    - 'rises': it has risen for two epochs or more.
    - 'recovers': it is not near the lowest, but has fallen, and the slope of the recent losses is below 0.
    - 'wavers': the recent losses went up and down, all near the lowest.
    - 'above': none of these.

    Attributes:
        kind: One of these, or 'first' after one epoch.
        lowest: The epoch of the lowest loss, the earliest if there are several.
        last: The newest epoch.
        above: How far its loss is above the lowest, as a share of the lowest; infinity if that is 0.
        calm: How many of the newest losses are flat together.
        risen: For how many epochs it has risen in a row, each time visibly in the digits shown.
    """

    kind: Kind
    lowest: EpochDone
    last: EpochDone
    above: float
    calm: int
    risen: int


def trend(arm: ArmHistory) -> Trend | None:
    """The trend of an arm's validation loss; None without a finite loss."""
    epochs = [epoch for epoch in arm.epochs if epoch.val_loss is not None]
    if not epochs:
        return None
    losses = [_loss(epoch) for epoch in epochs]
    at = losses.index(min(losses))
    return Trend(
        kind=_kind(epochs, losses, at),
        lowest=epochs[at],
        last=epochs[-1],
        above=excess(losses[-1], losses[at]),
        calm=_calm(losses),
        risen=_risen(epochs),
    )


def slope(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """The Theil–Sen slope of two or more points (x, y) with a 90 % interval: low, slope, high.

    The slope is the median of the slopes (y_j − y_i) / (x_j − x_i) of all N = n(n − 1)/2 pairs of points: up to 29 % of
    the points may be outliers without changing it much. The interval reaches from the ((N − C)/2)-th smallest slope
    to the ((N − C)/2)-th largest, with C = z · √(n(n − 1)(2n + 5)/18), where the square root is the standard deviation
    of Kendall's statistic without a trend. So the interval excludes 0 if Kendall's test finds a trend. Up to four
    points are too few for the test; then the interval contains all slopes.

    Source: P. K. Sen: Estimates of the Regression Coefficient Based on Kendall's Tau. JASA 63 (1968) 1379-1389. It
    takes the noise of different epochs as independent.
    """
    slopes = sorted((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2))
    n, pairs = len(points), len(slopes)
    outside = (pairs - Z * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)) / 2
    first = max(0, math.ceil(outside) - 1)
    middle = (slopes[(pairs - 1) // 2] + slopes[pairs // 2]) / 2
    return slopes[first], middle, slopes[pairs - 1 - first]


def excess(value: float, lowest: float) -> float:
    """How far a loss is above the lowest, as a share of the lowest; infinity if that is 0."""
    if value == lowest:
        return 0.0
    return value / lowest - 1 if lowest > 0 else math.inf


def _kind(epochs: Sequence[EpochDone], losses: Sequence[float], at: int) -> Kind:
    """The kind of a trend whose lowest loss is at index `at`."""
    if len(losses) == 1:
        return "first"
    recent = losses[-RECENT:]
    calm = _calm(losses)
    down = _falls(epochs[-RECENT:])
    if at == len(losses) - 1:
        if down:
            return "falls" if excess(recent[0], losses[-1]) > FLAT else "slows" if calm >= RECENT else "lowest"
        return "flat" if calm >= LASTING else "lowest"
    near = losses[at] * (1 + NEAR)
    clear = max(near, losses[at] + NOISES * _noise(losses[-SPREAD:]))
    lasting = len(losses) - 1 - at >= LASTING and min(losses[-LASTING:]) > clear
    if lasting and not down and not _falls(epochs[at:]) and _train_fell(epochs[at], epochs[-1]):
        return "overfits"
    if calm >= LASTING:
        return "flat"
    if _risen(epochs) >= 2:
        return "rises"
    if losses[-1] > near and down and _shown(losses[-1]) < _shown(losses[-2]):
        return "recovers"
    steps = [_shown(b) - _shown(a) for a, b in pairwise(recent)]
    return "wavers" if max(recent) <= near and min(steps) < 0 < max(steps) else "above"


def _noise(losses: Sequence[float]) -> float:
    """A robust estimate of the losses' noise from the differences of neighbours, whose variance is twice the noise's.

    1.4826 · median |d − median d| / √2, for the differences d; the factor turns the median absolute deviation into a
    standard deviation if the noise is normal.

    Source: F. R. Hampel, JASA 69 (1974) 383-393, for the median absolute deviation.
    """
    steps = [b - a for a, b in pairwise(losses)]
    middle = statistics.median(steps)
    return 1.4826 * statistics.median(abs(step - middle) for step in steps) / math.sqrt(2)


def _calm(losses: Sequence[float]) -> int:
    """How many of the newest losses are flat."""
    count, low, high = 0, math.inf, -math.inf
    for loss in reversed(losses):
        low, high = min(low, loss), max(high, loss)
        if excess(high, low) > FLAT:
            break
        count += 1
    return count


def _falls(epochs: Sequence[EpochDone]) -> bool:
    """Whether the slope of the validation losses, of two epochs or more, is below 0 and more than noise."""
    chosen = epochs[:: -(-len(epochs) // MOST)]
    return slope([(epoch.epoch, _loss(epoch)) for epoch in chosen])[2] < 0


def _train_fell(before: EpochDone, now: EpochDone) -> bool:
    if before.train_loss is None or now.train_loss is None:
        return False
    return _shown(now.train_loss) < _shown(before.train_loss)


def _risen(epochs: Sequence[EpochDone]) -> int:
    """For how many epochs in a row, up to the newest, the loss has risen."""
    count = 0
    for before, after in reversed(list(pairwise(epochs))):
        if after.epoch != before.epoch + 1 or _shown(_loss(after)) <= _shown(_loss(before)):
            break
        count += 1
    return count


def _shown(loss: float) -> float:
    """A loss rounded to the digits shown on the screen."""
    return float(short(loss).replace("−", "-"))


def _loss(epoch: EpochDone) -> float:
    """The validation loss of an epoch that has a finite one."""
    return math.inf if epoch.val_loss is None else epoch.val_loss
