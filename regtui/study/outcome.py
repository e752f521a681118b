"""What a study came to, or has come to so far: read from its runs, judged by its plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from regtui.evidence.dose import KeptLosses
from regtui.evidence.over_seeds import Compared, Interval
from regtui.preset.arms import BASELINE
from regtui.study.plan import PlannedCell, StudyPlan
from regtui.tasks import LOSS, METRICS, Metric

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
        losses: By seed: of the weights it kept; without seeds of which they are not known.
    """

    score: Compared
    loss: Compared | None
    both_scopes: Interval | None
    values: Mapping[int, float]
    validation: Mapping[int, float]
    cost: float | None
    chosen: Mapping[int, int]
    losses: Mapping[int, KeptLosses] = field(default_factory=dict)


@dataclass(frozen=True)
class CellOutcome:
    """All arms in one cell.

    Attributes:
        cell: Its settings.
        baseline: By seed: the baseline's test metric, as it is shown.
        baseline_validation: By seed: its metric on the validation set.
        arms: Those beside the baseline, in the plan's order.
        runs: By seed and trial (0 where nothing is tuned): the folder of the run.
        left_out: Runs that do not count, and why: "seed 3: it was steered".
        exploratory: The same arms over all seeds, where some were added beyond the plan; empty otherwise. They bear no
            verdict: each call is "open".
        baseline_chosen: By seed: the baseline's best trial on validation, where something was tuned.
        baseline_losses: By seed: of the weights that the baseline kept.
    """

    cell: PlannedCell
    baseline: Mapping[int, float]
    baseline_validation: Mapping[int, float]
    arms: Mapping[str, ArmOutcome]
    runs: Mapping[tuple[int, int], Path]
    left_out: tuple[str, ...]
    exploratory: Mapping[str, Compared]
    baseline_chosen: Mapping[int, int] = field(default_factory=dict)
    baseline_losses: Mapping[int, KeptLosses] = field(default_factory=dict)

    def run_of(self, arm: str, seed: int) -> Path | None:
        """The folder of the run in which an arm's value of a seed was measured."""
        chosen = self.baseline_chosen if arm == BASELINE else self.arms[arm].chosen
        return self.runs.get((seed, chosen.get(seed, 0)))


@dataclass(frozen=True)
class StudyOutcome:
    """What a study came to so far.

    Attributes:
        plan: What was decided before.
        state: Whether it goes on, and how it ended.
        cells: By name, in the plan's order; the first is what the verdict's sentence speaks of.
        runs: How many runs are done, of how many.
        strangers: Names of runs in its folder that belong to none of its jobs.
    """

    plan: StudyPlan
    state: State
    cells: Mapping[str, CellOutcome]
    runs: tuple[int, int]
    strangers: tuple[str, ...] = ()

    @property
    def metric(self) -> Metric:
        """What is judged; the test loss is a metric as well."""
        return metric_of(self.plan)


def metric_of(plan: StudyPlan) -> Metric:
    """The metric that a plan judges by."""
    return LOSS if plan.metric == LOSS.name else METRICS[plan.metric]
