"""Numbers made ready for a chart: decimated to its width without losing an extreme, with limits and ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from regtui.protocol.curves import StepCurve

SPIKE = 4.0
"""A bucket's highest loss is drawn beside its mean if it is above so many times the mean."""
FINE = 8
"""An axis ends at multiples of a round step, of which about so many fit on it."""


def decimate(x: Sequence[float], y: Sequence[float], buckets: int) -> tuple[list[float], list[float]]:
    """At most two points a bucket, its lowest and its highest in their order; finite points only.

    Args:
        x: Places, rising.
        y: Heights.
        buckets: How many; twice a chart's columns is as fine as it can show.
    """
    points = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(b)]
    buckets = max(1, buckets)  # a chart that has no place yet has no columns
    if len(points) > 2 * buckets:
        size = len(points) / buckets
        kept = []
        for bucket in range(buckets):
            part = points[int(bucket * size) : int((bucket + 1) * size)]
            low, high = min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])
            kept += [low, high] if low[0] < high[0] else [high, low] if high[0] < low[0] else [low]
        points = kept
    return [p[0] for p in points], [p[1] for p in points]


def smoothed(
    curve: StepCurve, steps_per_epoch: int, left: float, right: float, points: int
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """The step losses between two epochs as a line and the spikes that stand out of it.

    Args:
        curve: The losses.
        steps_per_epoch: What makes epochs of steps.
        left: First epoch, a fraction counts.
        right: Last epoch.
        points: At most so many on the line.

    Returns:
        (epoch, mean loss) of each bucket, and (epoch, highest loss) of those whose highest is far above the mean.
    """
    first = math.floor(left * steps_per_epoch / curve.width)
    last = math.ceil(right * steps_per_epoch / curve.width)
    # Shares depend on the window alone and are cut at multiples: a growing curve keeps its older points where they are.
    share = max(1, -(-(last - first) // max(1, points)))
    line, spikes = [], []
    for begin in range(first - first % share, min(last, len(curve.counts)), share):
        part = slice(begin, begin + share)
        count = sum(curve.counts[part])
        if count == 0:
            continue
        mean = sum(curve.sums[part]) / count
        middle = (begin + len(curve.counts[part]) / 2) * curve.width / steps_per_epoch
        line.append((middle, mean))
        highest = max(curve.highs[part])
        if highest > SPIKE * mean:
            spikes.append((middle, highest))
    return line, spikes


def limits(values: Sequence[float], *, floor: float | None = None) -> tuple[float, float]:
    """Lower and upper end of an axis that shows all `values`, round numbers, so that it seldom moves as values come.

    A flat series lies in the middle.

    Args:
        values: Finite numbers.
        floor: The axis does not go below this.
    """
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    if high == low:
        air = 0.1 * abs(high) or 0.5
        low, high = low - air, high + air
    step = _round_step((high - low) / FINE)
    low, high = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
    return (max(low, floor), high) if floor is not None and floor < high else (low, high)


def _round_step(raw: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is not below `raw`, which is above 0."""
    power = 10.0 ** math.floor(math.log10(raw))
    return next((power * m for m in (1, 2, 5) if power * m >= raw * 0.999), 10 * power)


def ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    """About `count` round numbers between two ends, 1, 2 or 5 times a power of ten apart, with their labels."""
    for finer in (1, 2, 5):
        step = _round_step((high - low) / (max(1, count) * finer))
        places = [step * k for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
        if len(places) > 1:  # one alone gives no scale
            break
    return [(place, _label(place, step)) for place in places]


def log_ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    """Ticks for an axis of log10 values, labelled with the values themselves: 0.1, 0.2, 0.5, 1."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    for multiples in ((1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        places = [d + math.log10(m) for d in decades for m in multiples if low <= d + math.log10(m) <= high]
        if len(places) <= count:
            break
    if len(places) < 2:  # a small part of a decade
        return [(math.log10(value), label) for value, label in ticks(10**low, 10**high, count) if value > 0]
    return [(place, f"{10**place:.3g}") for place in places[:: -(-len(places) // max(1, count))]]


def _label(value: float, step: float) -> str:
    """The value, with as many digits as tell it from its neighbours a `step` away."""
    exponent = math.floor(math.log10(step) + 1e-9)
    digits = max(0, -exponent)
    if abs(value) < step / 2:
        return f"{0:.{digits}f}" if digits < 6 else "0"
    if abs(value) >= 1e5 or digits > 8:
        digits = max(0, math.floor(math.log10(abs(value)) + 1e-9) - exponent)
        return f"{value:.{digits}e}".replace("-", "−")
    return f"{value:.{digits}f}".replace("-", "−")
