"""The losses of all steps in bounded memory: neighbouring steps share a bucket with their extremes and their sum."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import cast

from regtui.protocol.events import all_finite, is_finite

BUCKETS = 2048
"""The most buckets: several times the columns of the widest terminal, so that a part of a curve can be shown too."""
RECENT = 50
"""The number of steps in the recent mean."""


def _numbers() -> array[float]:
    return array("d")


@dataclass
class StepCurve:
    """A curve of any length. When its buckets are full, pairs of neighbours are merged into one of twice the width.

    Attributes:
        width: Steps in a bucket; the last one may have fewer.
        lows: Each bucket's lowest finite value; infinity if it has none.
        highs: Each bucket's highest finite value; minus infinity if it has none.
        sums: Each bucket's sum of finite values.
        counts: Each bucket's number of finite values.
        first: The first step's loss; infinity before that, and if it was not finite.
        broken: The first step whose loss was not finite, counted from 1; None if all are finite.
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
        """The number of steps so far."""
        return self._steps

    def extend(self, losses: Sequence[float | None]) -> None:
        """Add the losses of further steps; None stands for one that is not finite.

        The curve does not depend on how many are added at a time.
        """
        clean = all_finite(losses)
        if self._steps == 0 and losses and is_finite(losses[0]):
            self.first = losses[0]
        if not clean and self.broken is None:
            steps = enumerate(losses, self._steps + 1)
            self.broken = next((step for step, loss in steps if not is_finite(loss)), None)
        done = 0
        while done < len(losses):
            if self._steps == self.width * BUCKETS:
                self._halve()
            filled = self._steps % self.width
            if filled == 0:
                self.lows.append(math.inf)
                self.highs.append(-math.inf)
                self.sums.append(0.0)
                self.counts.append(0)
            part = losses[done : done + self.width - filled]
            self._fill(cast(Sequence[float], part) if clean else [loss for loss in part if is_finite(loss)])
            self._steps += len(part)
            done += len(part)

    @property
    def recent(self) -> float:
        """Mean of the last finite losses, at most `RECENT`; NaN before the first."""
        return sum(self._recent) / len(self._recent) if self._recent else math.nan

    def until(self, steps: int) -> StepCurve:
        """The curve as it was after so many steps, for reading only.

        It has only complete buckets, so the last steps may be missing, and the recent losses are not known.
        """
        if steps >= self._steps:
            return self
        whole = slice(steps // self.width)
        parts = (self.lows[whole], self.highs[whole], self.sums[whole], self.counts[whole])
        broken = self.broken if self.broken is not None and self.broken <= steps else None
        return StepCurve(self.width, *parts, self.first if steps else math.inf, broken, steps)

    def _fill(self, losses: Sequence[float]) -> None:
        """Add finite losses to the last bucket."""
        if losses:
            self.lows[-1] = min(self.lows[-1], min(losses))
            self.highs[-1] = max(self.highs[-1], max(losses))
            # One by one, because since Python 3.12 sum() rounds only once for all its arguments.
            self.sums[-1] = reduce(add, losses, self.sums[-1])
            self.counts[-1] += len(losses)
            self._recent.extend(losses[-RECENT:])

    def _halve(self) -> None:
        self.width *= 2
        self.lows = array("d", map(min, self.lows[::2], self.lows[1::2]))
        self.highs = array("d", map(max, self.highs[::2], self.highs[1::2]))
        self.sums = array("d", (a + b for a, b in zip(self.sums[::2], self.sums[1::2], strict=True)))
        self.counts = array("q", (a + b for a, b in zip(self.counts[::2], self.counts[1::2], strict=True)))
