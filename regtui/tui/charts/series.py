"""Prepares numbers for a chart: reduces them to its width without losing an extreme."""

from __future__ import annotations

import math
from collections.abc import Sequence

from regtui.protocol.curves import StepCurve

SPIKE = 4.0
"""A bucket's highest loss is drawn too if it is more than so many times the bucket's mean."""


def decimate(x: Sequence[float], y: Sequence[float], buckets: int) -> tuple[list[float], list[float]]:
    """Reduce points to at most two in each bucket, the lowest and the highest, in their order; finite points only.

    Args:
        x: Horizontal positions, rising.
        y: Heights.
        buckets: How many; a chart can show twice as many as it has columns.
    """
    points = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(b)]
    buckets = max(1, buckets)  # a chart that is not laid out yet has no columns
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
    curve: StepCurve, steps_per_epoch: int, left: float, right: float, points: int, over: int = 0
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """The step losses between two epochs as a smoothed line, and the spikes above it.

    Args:
        curve: The losses.
        steps_per_epoch: Converts steps to epochs.
        left: First epoch; may be a fraction.
        right: Last epoch.
        points: The most points of the line.
        over: The line is the mean of at least so many steps, up to each point.

    Returns:
        (epoch, mean loss) of each bucket, and (epoch, highest loss) of those whose highest is far above the mean.
    """
    first = math.floor(left * steps_per_epoch / curve.width)
    last = math.ceil(right * steps_per_epoch / curve.width)
    # The buckets depend on the window alone, so the older points of a growing curve stay where they are.
    share = max(1, -(-(last - first) // max(1, points)))
    reach = max(share, over // curve.width)
    line, spikes = [], []
    for begin in range(first - first % share, min(last, len(curve.counts)), share):
        part = slice(begin, begin + share)
        if not sum(curve.counts[part]):
            continue
        wide = slice(max(0, begin + share - reach), begin + share)
        mean = sum(curve.sums[wide]) / sum(curve.counts[wide])
        middle = (begin + len(curve.counts[part]) / 2) * curve.width / steps_per_epoch
        line.append((middle, mean))
        highest = max(curve.highs[part])
        if highest > SPIKE * mean:
            spikes.append((middle, highest))
    return line, spikes
