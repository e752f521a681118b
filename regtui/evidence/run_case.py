"""A run that has ended, as the rules of advice look at it, and how the ends of its curves fall."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from regtui.evidence.advice import Strength, strength_of
from regtui.evidence.several import labelled
from regtui.evidence.trend import FLAT, slope
from regtui.evidence.verdict import Verdict
from regtui.preset.arms import BASELINE, REGULARIZED, marks_of
from regtui.preset.model import Preset
from regtui.preset.wording import Wording
from regtui.protocol.events import EpochDone
from regtui.protocol.history import ArmHistory, History
from regtui.text import capital, listed

FEWEST = 3
"""Fewer epochs carry no sentence about a curve."""
WINDOW = 6
"""The end of a curve is its last third, but at least so many epochs."""


@dataclass(frozen=True)
class RunCase:
    """A run that has ended.

    Attributes:
        history: Its events.
        verdicts: What it supports, for each arm beside the baseline.
        preset: What was trained; None if it can't be read.
        wording: The preset as words of a command line.
    """

    history: History
    verdicts: Mapping[str, Verdict]
    preset: Preset | None
    wording: Wording

    @property
    def clean(self) -> bool:
        """Whether it went as its preset plans, with epochs enough to say something about its curves."""
        finished, arms = self.history.finished, self.history.arms.values()
        as_planned = finished is not None and finished.status == "finished" and not self.history.interventions
        return as_planned and min((len(arm.epochs) for arm in arms), default=0) >= FEWEST

    @property
    def planned(self) -> int:
        """The epochs that were planned."""
        return self.history.started.epochs if self.history.started is not None else 0

    @property
    def ran_out(self) -> dict[str, ArmHistory]:
        """The arms that trained all epochs."""
        return {
            name: arm
            for name, arm in self.history.arms.items()
            if arm.stopped is not None and arm.stopped.reason == "max_epochs"
        }

    def name(self, arm: str) -> str:
        """What a sentence calls an arm."""
        return labelled(arm, marks_of(self.history.arms)) if len(self.history.arms) > 2 else arm

    def names(self, arms: Sequence[str]) -> str:
        """What a sentence that begins with them calls several arms."""
        told = listed([self.name(arm) for arm in arms]) if len(arms) <= 3 else f"{len(arms)} arms"
        return capital(told) if arms[0] in (BASELINE, REGULARIZED) or len(arms) > 3 else told

    def strength(self, arm: str) -> Strength | None:
        """How strong an arm's one technique is."""
        return strength_of(self.preset, arm) if self.preset is not None else None


class Fall(NamedTuple):
    """How a curve's end falls: over so many epochs, by what share of the loss before them."""

    epochs: int
    share: float


def fall(epochs: Sequence[EpochDone]) -> Fall | None:
    """How the validation loss still falls at the end; None if it does not, or noise could do it.

    The slope m is that of Theil and Sen over the window of the last third of the epochs, and six at least; its 90 %
    interval must lie below 0. The fall over the window from x₀ to x₁ is −m(x₁ − x₀) / b with the line's beginning
    b = median(y − m(x − x₀)), and must be more than 2 %.
    """
    window = end_of_curve(epochs)
    if len(window) < FEWEST:
        return None
    _, middle, high = slope(window)
    first, last = window[0][0], window[-1][0]
    before = statistics.median(loss - middle * (epoch - first) for epoch, loss in window)
    by = -middle * (last - first) / before if before > 0 else 0.0
    return Fall(last - first, by) if high < 0 and by > FLAT else None


def end_of_curve(epochs: Sequence[EpochDone]) -> list[tuple[int, float]]:
    """The end of a curve: epochs and validation losses."""
    points = [(done.epoch, done.val_loss) for done in epochs if done.val_loss is not None]
    return points[-max(WINDOW, len(points) // 3) :]
