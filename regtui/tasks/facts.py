"""The tasks as facts that a list, a chart or a verdict can use without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from regtui.tasks.comparison import ErrorDifference, RightWrong
from regtui.text import NBSP, UNKNOWN, number, percent

TaskName = Literal["classification", "regression"]


class Metric(NamedTuple):
    """A number that people read beside the loss.

    Attributes:
        name: Its name in a log: "accuracy".
        title: Its name for people.
        short: The same for the head of a narrow column.
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
    short: str
    better: Literal["higher", "lower"]
    factor: float
    unit: str
    points: str
    digits: int
    low: float
    high: float

    @property
    def is_share(self) -> bool:
        """Whether it is a share of all examples, shown in percent."""
        return self.factor == 100

    @property
    def titled(self) -> str:
        """Its name with the unit of values that stand there as plain numbers: "accuracy in %"."""
        return f"{self.title} in {self.unit.strip()}" if self.unit else self.title

    def plain(self, value: float | None, digits: int | None = None) -> str:
        """A value as it is shown, without its unit: "97.53"; a dash where it was not measured."""
        digits = self.digits if digits is None else digits
        return percent(value, digits) if self.is_share else number(value, f".{digits}f")

    def show(self, value: float | None, digits: int | None = None) -> str:
        """A value with its unit: "97.53 %"."""
        plain = self.plain(value, digits)
        return plain if plain == UNKNOWN else f"{plain}{self.unit}"

    def brief(self, value: float | None) -> str:
        """A value with its unit in few cells, without its last digit: "97.5%", "0.451"."""
        plain = self.plain(value, self.digits - 1)
        return plain if plain == UNKNOWN else f"{plain}{self.unit.strip()}"

    def difference(self, value: float | None, digits: int | None = None) -> str:
        """A difference of two values with sign and unit: "+1.50 points"."""
        shown = number(
            None if value is None else self.factor * value, f"+.{self.digits if digits is None else digits}f"
        )
        return shown if shown == UNKNOWN else f"{shown}{self.points}"

    def fitting(self, value: float | None, cells: int) -> str:
        """A value with its unit in so many cells, '98.12%', '0.4512', with fewer digits where there is no room."""
        text = UNKNOWN
        for digits in range(self.digits, -1, -1) if value is not None else ():
            text = f"{self.plain(value, digits)}{self.unit.strip()}"
            if len(text) <= cells:
                break
        return text

    def is_possible(self, value: float | None) -> bool:
        """Whether there can be such a value; one that is not finite is told as None."""
        return value is None or self.low <= value <= self.high


class Task(NamedTuple):
    """What a network is trained for.

    Attributes:
        name: As a log and a preset name it.
        loss: The loss in words.
        metric: What people read beside the loss.
        comparison: How two arms are compared, example by example.
    """

    name: TaskName
    loss: str
    metric: Metric
    comparison: type[RightWrong] | type[ErrorDifference]

    def guess(self, outputs: int) -> float:
        """The loss of whoever knows nothing but the targets of the training set.

        Of classes, all taken to be as probable as each other: log(classes). Of standardized values, their mean: 1.
        """
        return math.log(outputs) if self.name == "classification" else 1.0


TASKS: Mapping[str, Task] = {
    "classification": Task(
        "classification",
        "cross-entropy",
        Metric("accuracy", "accuracy", "acc", "higher", 100, f"{NBSP}%", f"{NBSP}points", 2, 0.0, 1.0),
        RightWrong,
    ),
    "regression": Task(
        "regression",
        "mean squared error",
        Metric("r2", "R²", "R²", "higher", 1, "", "", 4, -math.inf, 1.0),
        ErrorDifference,
    ),
}
LOSS = Metric("loss", "loss", "loss", "lower", 1, "", "", 4, -math.inf, math.inf)
"""The test loss as something to judge by, whatever the task."""
METRICS: Mapping[str, Metric] = {task.metric.name: task.metric for task in TASKS.values()}
"""Every task's metric, by its name in a log."""
