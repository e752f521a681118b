"""How often to draw: as often as is useful, and never for more than a small share of the time."""

from __future__ import annotations

import statistics
from collections import deque

SHARE = 0.015
"""Drawing may take so much of a core's time while training goes on."""
FASTEST, SLOWEST = 0.5, 1.0
"""Seconds between two drawings, at least and at most."""


class Pacer:
    """Keeps drawing within its share by what the newest drawings cost here."""

    def __init__(self) -> None:
        self._costs: deque[float] = deque(maxlen=7)

    def drew(self, seconds: float) -> None:
        """A drawing took so much processor time."""
        self._costs.append(seconds)

    @property
    def interval(self) -> float:
        """Seconds from the beginning of one drawing to that of the next."""
        # The median: a first drawing, which loads what draws, says little about those that follow.
        cost = statistics.median_low(self._costs) if self._costs else 0.0
        return min(max(cost / SHARE, FASTEST), SLOWEST)
