"""Where an arm's validation loss goes: how far it is above its lowest, and its slope, told apart from its noise."""

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
"""Losses are flat if the highest of them lies above the lowest by no more than this share."""
NEAR = 0.05
"""A loss is near the lowest if it lies above it by no more than this share."""
RECENT = 5
"""So many of the newest losses are recent."""
LASTING = 3
"""So many of the newest losses must lie above what is near, before that is more than a slip."""
SPREAD = 12
"""So many of the newest losses tell how noisy they are."""
NOISES = 2
"""The lowest of many noisy losses lies below their level by about so many standard deviations."""
Z = 1.645
"""Of a 90 % interval."""
MOST = 60
"""A slope is taken over so many losses at most, evenly chosen: it takes all pairs of them."""

Kind = Literal["first", "falls", "slows", "lowest", "flat", "wavers", "rises", "overfits", "recovers", "above"]


class Trend(NamedTuple):
    """Where an arm's validation loss goes; epochs whose loss is not finite are passed over.

    While the newest loss is the lowest, it 'falls' if the slope of the recent ones is below 0, 'slows' if it is and
    they are flat nevertheless, is 'flat' if three or more are and there is no such slope, or just 'lowest'. Once it is
    higher, the first of these that holds:

    - 'overfits': the last three are above the lowest by more than is near and more than twice their noise, neither the
      recent ones nor all since the lowest have a slope below 0, and the training loss has fallen since the lowest.
    - 'flat': the last three or more are.
    - 'rises': it has risen for two epochs or more.
    - 'recovers': it is not near the lowest, but has fallen, and the slope of the recent ones is below 0.
    - 'wavers': the recent ones went up and down, all near the lowest.
    - 'above': none of these.

    Attributes:
        kind: One of these, or 'first' after one epoch.
        lowest: The epoch of the lowest loss, the earliest if there are several.
        last: The newest epoch.
        above: How far its loss is above the lowest, as a share of that; infinity if that is 0.
        calm: How many of the newest losses are flat together.
        risen: For how many epochs up to the newest it has risen, each time by what can be seen in the digits shown.
    """

    kind: Kind
    lowest: EpochDone
    last: EpochDone
    above: float
    calm: int
    risen: int


def trend(arm: ArmHistory) -> Trend | None:
    """Where the validation loss goes; None without a finite one."""
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
    """Theil and Sen's slope of two or more points (x, y), with a 90 % interval: low, slope, high.

    The slope is the median of the slopes (y_j − y_i) / (x_j − x_i) of all N = n(n − 1)/2 pairs of points: up to 29 % of
    the points may lie anywhere without moving it far. Its interval reaches from the ((N − C)/2)-th smallest of them to
    the ((N − C)/2)-th largest, with C = z · √(n(n − 1)(2n + 5)/18), the spread of Kendall's statistic where y has no
    trend in x. So the interval leaves out 0 if Kendall's test says that there is one. Up to four points are too few for
    that; then the interval holds all slopes.

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
    """How far a loss is above the lowest, as a share of that; infinity if that is 0."""
    if value == lowest:
        return 0.0
    return value / lowest - 1 if lowest > 0 else math.inf


def _kind(epochs: Sequence[EpochDone], losses: Sequence[float], at: int) -> Kind:
    """The kind of a trend whose lowest loss is at this index."""
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
    if losses[-1] > near and down and shown(losses[-1]) < shown(losses[-2]):
        return "recovers"
    steps = [shown(b) - shown(a) for a, b in pairwise(recent)]
    return "wavers" if max(recent) <= near and min(steps) < 0 < max(steps) else "above"


def _noise(losses: Sequence[float]) -> float:
    """Standard deviation of the losses around their course, robustly: that of their steps, which holds the noise twice.

    1.4826 · median |d − median d| / √2, of the steps d from one to the next; the factor makes the median absolute
    deviation a standard deviation, if the noise is normal.

    Source: F. R. Hampel, JASA 69 (1974) 383-393, for the median absolute deviation.
    """
    steps = [b - a for a, b in pairwise(losses)]
    middle = statistics.median(steps)
    return 1.4826 * statistics.median(abs(step - middle) for step in steps) / math.sqrt(2)


def _calm(losses: Sequence[float]) -> int:
    """How many of the newest losses are flat together."""
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
    return shown(now.train_loss) < shown(before.train_loss)


def _risen(epochs: Sequence[EpochDone]) -> int:
    """For how many epochs up to the newest the loss has risen."""
    count = 0
    for before, after in reversed(list(pairwise(epochs))):
        if after.epoch != before.epoch + 1 or shown(_loss(after)) <= shown(_loss(before)):
            break
        count += 1
    return count


def shown(loss: float) -> float:
    """A loss as the digits on the screen tell it."""
    return float(short(loss).replace("−", "-"))


def _loss(epoch: EpochDone) -> float:
    """The validation loss of an epoch that has a finite one."""
    return math.inf if epoch.val_loss is None else epoch.val_loss
