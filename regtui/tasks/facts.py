"""The tasks as facts that a list, a chart or a verdict can use without torch."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from regtui.text import UNKNOWN

TaskName = Literal["classification", "regression"]


class Metric(NamedTuple):
    """A number that people read beside the loss.

    Attributes:
        name: Its name in a log: "accuracy".
        title: Its name for people.
        better: Whether higher or lower values are better.
        factor: What a value is multiplied by before it is shown.
        unit: What stands behind a value that is shown.
        points: What stands behind a difference of two values.
        digits: Decimals of a value that is shown.
        low: No value is lower.
        high: No value is higher.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    factor: float
    unit: str
    points: str
    digits: int
    low: float
    high: float

    def show(self, value: float | None) -> str:
        """A value with its unit, "97.53 %"; a dash where it was not measured."""
        if value is None or not math.isfinite(value):
            return UNKNOWN
        return f"{self.factor * value:.{self.digits}f}{self.unit}".replace("-", "−")

    def difference(self, value: float | None) -> str:
        """A difference of two values with sign and unit: "+1.50 points"."""
        if value is None or not math.isfinite(value):
            return UNKNOWN
        return f"{self.factor * value:+.{self.digits}f}{self.points}".replace("-", "−")


class Task(NamedTuple):
    """What a network is trained for.

    Attributes:
        name: As a log and a preset name it.
        loss: The loss in words.
        metric: What people read beside the loss.
    """

    name: TaskName
    loss: str
    metric: Metric


NBSP = "\N{NO-BREAK SPACE}"
TASKS: dict[TaskName, Task] = {
    "classification": Task(
        "classification",
        "cross-entropy",
        Metric("accuracy", "accuracy", "higher", 100, f"{NBSP}%", f"{NBSP}points", 2, 0.0, 1.0),
    ),
    "regression": Task(
        "regression",
        "mean squared error",
        Metric("r2", "R²", "higher", 1, "", "", 4, -math.inf, 1.0),
    ),
}
