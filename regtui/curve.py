"""The loss of every step, in bounded memory: neighbours share a bucket that keeps their lowest, highest and mean."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

BUCKETS = 2048
"""At most so many: several times the columns of the widest terminal, so that a part can still be looked into."""
RECENT = 50
"""Steps that make up the recent mean."""


def _numbers() -> array[float]:
    return array("d")


@dataclass
class StepCurve:
    """A curve of any length. When its buckets are full, each two neighbours become one, twice as wide.

    Attributes:
        width: Steps in a bucket; the last one may have fewer.
        lows: Each bucket's lowest finite value; infinity where it has none.
        highs: Each bucket's highest finite value; minus infinity where it has none.
        sums: Each bucket's sum of finite values.
        counts: How many finite values each has.
        first: The first step's loss; infinity before it, and where it was not finite.
        broken: The first step whose loss was not finite, counted from 1; None while all are finite.
    """

    width: int = 1
    lows: array[float] = field(default_factory=_numbers)
    highs: array[float] = field(default_factory=_numbers)
    sums: array[float] = field(default_factory=_numbers)
    counts: array[int] = field(default_factory=lambda: array("q"))
    first: float = math.inf
    broken: int | None = None
    _steps: int = 0
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def __len__(self) -> int:
        """Steps so far."""
        return self._steps

    def extend(self, losses: Iterable[float | None]) -> None:
        """Take in the losses of further steps; None stands for one that is not finite."""
        for loss in losses:
            if self._steps == self.width * BUCKETS:
                self._halve()
            if self._steps % self.width == 0:
                self.lows.append(math.inf)
                self.highs.append(-math.inf)
                self.sums.append(0.0)
                self.counts.append(0)
            self._steps += 1
            if loss is None or not math.isfinite(loss):
                self.broken = self.broken or self._steps
                continue
            if self._steps == 1:
                self.first = loss
            self.lows[-1] = min(self.lows[-1], loss)
            self.highs[-1] = max(self.highs[-1], loss)
            self.sums[-1] += loss
            self.counts[-1] += 1
            self._recent.append(loss)

    @property
    def recent(self) -> float:
        """Mean of the last finite losses, at most `RECENT`; NaN before the first."""
        return sum(self._recent) / len(self._recent) if self._recent else math.nan

    def until(self, steps: int) -> StepCurve:
        """The curve as it was after so many steps, to be looked at and not extended.

        Whole buckets only: the last steps may be missing in them. Which losses were the recent ones is not known.
        """
        if steps >= self._steps:
            return self
        whole = slice(steps // self.width)
        parts = (self.lows[whole], self.highs[whole], self.sums[whole], self.counts[whole])
        broken = self.broken if self.broken is not None and self.broken <= steps else None
        return StepCurve(self.width, *parts, self.first if steps else math.inf, broken, steps)

    def _halve(self) -> None:
        self.width *= 2
        self.lows = array("d", map(min, self.lows[::2], self.lows[1::2]))
        self.highs = array("d", map(max, self.highs[::2], self.highs[1::2]))
        self.sums = array("d", (a + b for a, b in zip(self.sums[::2], self.sums[1::2], strict=True)))
        self.counts = array("q", (a + b for a, b in zip(self.counts[::2], self.counts[1::2], strict=True)))
