"""What a study came to, or has come to so far: read from its runs, judged by its plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from regtui.evidence.over_seeds import Compared, Interval
from regtui.study.plan import PlannedCell, StudyPlan

State = Literal["running", "finished", "decided", "futile", "stopped", "interrupted"]
"""Of a study: "decided" and "futile" ended at a planned look, since every comparison was called, or none can be."""


@dataclass(frozen=True)
class ArmOutcome:
    """One arm in one cell, over seeds.

    Attributes:
        score: In the plan's metric on the test set: what is judged.
        loss: In test loss, told beside it; None where that is the metric, or not known.
        both_scopes: The interval for new seeds and new examples; None where predictions are missing.
        values: By seed: the arm's test metric, as it is shown.
        validation: By seed: the arm's metric on the validation set with the weights it kept.
        cost: The arm's time per epoch over the baseline's; None where not known.
        chosen: By seed: which trial was best on validation, where something was tuned.
    """

    score: Compared
    loss: Compared | None
    both_scopes: Interval | None
    values: Mapping[int, float]
    validation: Mapping[int, float]
    cost: float | None
    chosen: Mapping[int, int]


@dataclass(frozen=True)
class CellOutcome:
    """All arms in one cell.

    Attributes:
        cell: Its settings.
        baseline: By seed: the baseline's test metric, as it is shown.
        baseline_validation: By seed: its metric on the validation set.
        arms: Those beside the baseline, in the plan's order.
        runs: By seed: the folder of its run, or of the chosen trial's.
        left_out: Runs that do not count, and why: "seed 3: it was steered".
        exploratory: The same arms over all seeds, where some were added beyond the plan; empty otherwise.
    """

    cell: PlannedCell
    baseline: Mapping[int, float]
    baseline_validation: Mapping[int, float]
    arms: Mapping[str, ArmOutcome]
    runs: Mapping[int, Path]
    left_out: tuple[str, ...]
    exploratory: Mapping[str, Compared]


@dataclass(frozen=True)
class StudyOutcome:
    """What a study came to so far.

    Attributes:
        plan: What was decided before.
        state: Whether it goes on, and how it ended.
        cells: By name, in the plan's order; the first is what the verdict's sentence speaks of.
        runs: How many runs are done, of how many.
    """

    plan: StudyPlan
    state: State
    cells: Mapping[str, CellOutcome]
    runs: tuple[int, int]
