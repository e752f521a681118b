"""What the views of a study need beside its numbers: what its arms look like and are called, and its metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from regtui.preset.arms import BASELINE
from regtui.preset.model import Preset
from regtui.preset.validation import validate
from regtui.study.naming import cell_words
from regtui.study.outcome import metric_of
from regtui.study.plan import StudyPlan
from regtui.tasks import Metric
from regtui.text import number, one_line
from regtui.tui.look import ArmLook, arm_looks


@dataclass(frozen=True)
class Subject:
    """A study's arms, and what they are judged by.

    Attributes:
        preset: What is run, with all arms.
        looks: Of each arm, the baseline first.
        labels: What each arm does: 'dropout 0.5'; its name where two do the same.
        metric: What is judged on the test set.
        cells: Each cell's settings in words: '30 epochs'; of the one that has none, nothing.
    """

    preset: Preset
    looks: Mapping[str, ArmLook]
    labels: Mapping[str, str]
    metric: Metric
    cells: Mapping[str, str]

    @classmethod
    def of(cls, plan: StudyPlan) -> Subject:
        """What follows from a plan.

        Raises:
            InputError: There can be no such preset.
        """
        preset = validate(plan.preset, "the study's preset")
        arms = preset.arms()
        told = {arm: one_line(techniques.label()) or arm for arm, techniques in arms.items()} | {BASELINE: BASELINE}
        often = Counter(told.values())
        labels = {arm: label if often[label] == 1 else arm for arm, label in told.items()}
        cells = {cell.name: cell_words(cell, plan.cells[0], preset.dataset.examples) for cell in plan.cells}
        return cls(preset, arm_looks(arms), labels, metric_of(plan), cells)

    def label(self, arm: str, cells: int) -> str:
        """What an arm does, or its name where that is too long for so many cells."""
        label = self.labels.get(arm, arm)
        return label if len(label) <= cells or len(arm) > len(label) else arm

    def signed(self, difference: float) -> str:
        """A difference as it is shown, with its sign and without its unit: '+1.45'."""
        return number(difference, f"+.{self.metric.digits}f")
