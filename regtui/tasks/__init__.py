"""What a network is trained for: its loss, the metric that people read, scores of each example, and their comparison.

A new task is a `Task` in facts.py, one file with its arithmetic, a class in comparison.py and its words in words.py;
nothing else knows what a score means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from regtui.tasks.comparison import Comparison
from regtui.tasks.facts import LOSS, METRICS, TASKS, Metric, Task, TaskName

if TYPE_CHECKING:
    from regtui.tasks.base import Arithmetic

__all__ = ["LOSS", "METRICS", "TASKS", "Comparison", "Metric", "Task", "TaskName", "arithmetic"]


def arithmetic(name: TaskName) -> Arithmetic:
    """The task's losses and scores; importing them imports torch."""
    if name == "classification":
        from regtui.tasks.classification import Classification

        return Classification()
    from regtui.tasks.regression import Regression

    return Regression()
