"""Intervals drawn around zero, in characters: one bar for a comparison, one a row for several on a common scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

ZERO = "0"
LINE, INSIDE, LEFT, RIGHT = "─", "━", "├", "┤"
MARGIN = 1.15
"""An axis reaches this far beyond the farthest interval."""


class Ruler(NamedTuple):
    """An axis: its ends, and its width in cells."""

    low: float
    high: float
    width: int

    def cell(self, value: float) -> int:
        """The cell in which a value lies, from 0; values beyond an end lie in the last cell."""
        share = (value - self.low) / (self.high - self.low)
        return min(self.width - 1, max(0, round(share * (self.width - 1))))


def around_zero(interval: tuple[float, float], width: int) -> Ruler:
    """An axis for one interval, with zero in its middle; of an odd number of cells, so that there is a middle."""
    reach = MARGIN * max(map(abs, interval)) or 1.0
    return Ruler(-reach, reach, width - 1 + width % 2)


def common(intervals: Sequence[tuple[float, float]], width: int) -> Ruler:
    """An axis for several intervals, and zero."""
    low, high = min(0.0, *(low for low, _ in intervals)), max(0.0, *(high for _, high in intervals))
    margin = (MARGIN - 1) * (high - low) / 2 or 1.0
    return Ruler(low - margin, high + margin, width)


def is_drawn(interval: tuple[float, float] | None) -> bool:
    """Whether an interval has two ends, so that it can be drawn."""
    return interval is not None and all(map(math.isfinite, interval))


def bar(interval: tuple[float, float], estimate: float, mark: str, scale: Ruler) -> list[tuple[str, str]]:
    """An axis with an interval, its estimate and zero, as (text, what it is): 'axis', 'zero', 'interval' or 'mark'.

    The estimate lies over the interval's ends, and these over zero.
    """
    low, high = (scale.cell(value) for value in interval)
    cells = [(LINE, "axis")] * scale.width
    cells[low : high + 1] = [(INSIDE, "interval")] * (high + 1 - low)
    cells[scale.cell(0)] = (ZERO, "zero")
    cells[low], cells[high] = (LEFT, "interval"), (RIGHT, "interval")
    cells[scale.cell(estimate)] = (mark, "mark")
    return _joined(cells)


def labels(interval: tuple[float, float], texts: tuple[str, str], scale: Ruler) -> str:
    """A line for below a bar: each end's value, standing outward from its end as far as there is room."""
    low, high = (scale.cell(value) for value in interval)
    left, right = texts
    begin = max(0, low - len(left) + 1)
    line = " " * begin + left
    after = max(len(line) + 1, min(high, scale.width - len(right)))
    return f"{line:{after}}{right}"


def _joined(cells: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    for text, what in cells:
        if parts and parts[-1][1] == what:
            parts[-1] = (parts[-1][0] + text, what)
        else:
            parts.append((text, what))
    return parts
