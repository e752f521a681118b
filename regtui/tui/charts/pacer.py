"""Decides how often to draw: as often as useful, but for a small share of the time only."""

from __future__ import annotations

import statistics
from collections import deque

SHARE = 0.015
"""The share of a core's time that drawing may take while training goes on."""
FASTEST, SLOWEST = 0.5, 1.0
"""Seconds between two drawings, at least and at most."""


class Pacer:
    """Keeps drawing within its share of time, judging by the latest drawings."""

    def __init__(self) -> None:
        self._costs: deque[float] = deque(maxlen=7)

    def drew(self, seconds: float) -> None:
        """A drawing took so much processor time."""
        self._costs.append(seconds)

    @property
    def interval(self) -> float:
        """Seconds from the beginning of one drawing to that of the next."""
        # The median, because the first drawing also imports modules and says little about the next ones.
        cost = statistics.median_low(self._costs) if self._costs else 0.0
        return min(max(cost / SHARE, FASTEST), SLOWEST)
