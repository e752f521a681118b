"""What a study came to, or has come to so far: read from its runs, judged by its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from regtui.evidence.decided import Decided
from regtui.evidence.dose import KeptLosses
from regtui.evidence.futility import after_look
from regtui.evidence.over_seeds import Compared, Pairs, compare
from regtui.evidence.student import Interval
from regtui.preset.arms import BASELINE
from regtui.study.folder import StudyFolder
from regtui.study.plan import PlannedCell, StudyPlan
from regtui.study.scopes import both_scopes
from regtui.study.scores import RunScores, gather, read_scores
from regtui.tasks import LOSS, METRICS, Metric
from regtui.text import one_line

State = Literal["running", "finished", "decided", "futile", "stopped", "interrupted"]
"""Of a study: "decided" and "futile" ended at a planned look, since every comparison was called, or none can be."""
STATES: tuple[State, ...] = get_args(State)
ENDED: frozenset[State] = frozenset({"finished", "decided", "futile"})
"""The states in which a verdict is due; a study that was stopped by hand has none until it has gone on."""


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
        seeds: Those that the verdict speaks of, left-out ones included: every judged cell has tried them.
        strangers: Names of runs in its folder that belong to none of its jobs.
    """

    plan: StudyPlan
    state: State
    cells: Mapping[str, CellOutcome]
    runs: tuple[int, int]
    seeds: tuple[int, ...] = ()
    strangers: tuple[str, ...] = ()

    @property
    def metric(self) -> Metric:
        """What is judged; the test loss is a metric as well."""
        return metric_of(self.plan)


def metric_of(plan: StudyPlan) -> Metric:
    """The metric that a plan judges by."""
    return LOSS if plan.metric == LOSS.name else METRICS[plan.metric]


JobKey = tuple[str, int, int]
"""A job's cell, seed and trial."""


def outcome_of(study: StudyFolder, state: State) -> StudyOutcome:
    """Judge a study by the runs that are in its folder; runs that were read before are not read again.

    Raises:
        InputError: Two runs are of one job.
    """
    found = study.find_runs()
    ended = {**found.failed, **found.done}
    scores = {key: scores for key, folder in ended.items() if (scores := read_scores(folder)) is not None}
    strangers = [one_line(folder.name) for folder in found.strangers]
    return judge(study.plan, scores, state, added=study.added, strangers=strangers)


def judge(
    plan: StudyPlan,
    scores: Mapping[JobKey, RunScores],
    state: State,
    *,
    added: Sequence[int] = (),
    strangers: Sequence[str] = (),
) -> StudyOutcome:
    """Judge a study by its plan.

    Args:
        plan: What was decided before.
        scores: The runs that have ended, each with its job.
        state: Whether the study goes on, and how it ended.
        added: Seeds that were run beyond the plan; they are exploratory and move no verdict.
        strangers: Names of runs that belong to no job.
    """
    bench = _Bench(plan, state, scores, added)
    found = bench.found()
    return StudyOutcome(
        plan,
        state,
        cells={cell.name: bench.cell(cell, found) for cell in plan.cells},
        runs=(
            sum(key[1] not in added and not run.again for key, run in scores.items()),
            len(plan.cells) * len(plan.seeds) * len(plan.trials),
        ),
        seeds=tuple(bench.seeds),
        strangers=tuple(strangers),
    )


def end_at_look(outcome: StudyOutcome) -> Literal["decided", "futile"] | None:
    """Whether the study ends at the look that its seeds have come to; None if there is no look, or it goes on."""
    found = {
        (name, arm): of.score
        for name, cell in outcome.cells.items()
        if cell.cell.role == "verdict"
        for arm, of in cell.arms.items()
    }
    decided = _decided(outcome.plan, outcome.metric, outcome.plan.smallest_effect)
    end = after_look(found, decided, len(outcome.seeds))
    return None if end == "go on" else end


def _decided(plan: StudyPlan, metric: Metric, smallest: float | None) -> Decided:
    return Decided(metric.better, len(plan.seeds), smallest, plan.alpha, tuple(plan.looks))


_Place = tuple[str, str]
"""A cell and an arm."""


class _Found(NamedTuple):
    score: Compared
    loss: Compared | None


class _Bench:
    """Compares the arms of a study, and sees to it that no verdict is told where none is due."""

    def __init__(self, plan: StudyPlan, state: State, scores: Mapping[JobKey, RunScores], added: Sequence[int]) -> None:
        self.plan, self.state, self.scores, self.added = plan, state, scores, added
        self.metric = metric_of(plan)
        all_seeds = [*plan.seeds, *added]
        self.read = {cell.name: gather(plan, cell.name, scores, all_seeds, self.metric) for cell in plan.cells}
        self.judged = [cell.name for cell in plan.cells if cell.role == "verdict"]
        tried = [seed for seed in plan.seeds if all(self._is_tried(name, seed) for name in self.judged)]
        looks = [look for look in plan.looks if look <= len(tried)]
        until = looks[-1] if looks and state in ("decided", "futile") else len(tried)
        self.seeds, self.late = tried[:until], tried[until:]

    def found(self) -> dict[_Place, _Found]:
        """Every comparison: those of the verdict as one family, and those of each other condition as one."""
        found = self._family(self.judged, self.seeds, _decided(self.plan, self.metric, self.plan.smallest_effect))
        for name in self.read:
            if name not in self.judged:
                seeds = [seed for seed in self.seeds if self._is_tried(name, seed)]
                planned = len(self.seeds) if self.state in ENDED else len(self.plan.seeds)
                decided = _decided(self.plan, self.metric, self.plan.smallest_effect)
                found |= self._family([name], seeds, replace(decided, seeds=planned, looks=()))
        return found

    def cell(self, cell: PlannedCell, found: Mapping[_Place, _Found]) -> CellOutcome:
        """All that is told of a cell."""
        read = self.read[cell.name]
        missing = [seed for seed in self.seeds if self.state in ENDED and seed not in read.tried]
        return CellOutcome(
            cell=cell,
            baseline=read.values[BASELINE],
            baseline_validation=read.validation[BASELINE],
            arms={arm.name: self._arm(cell.name, arm.name, found) for arm in self.plan.arms},
            runs={(seed, trial): run.folder for (name, seed, trial), run in self.scores.items() if name == cell.name},
            left_out=(
                *read.left_out,
                *(f"seed {seed}: there is no run of it that ended" for seed in missing),
                *(f"seed {seed}: it was begun before the study ended at a look" for seed in self.late),
            ),
            exploratory=self._exploratory(cell.name),
            baseline_chosen=read.chosen[BASELINE] if self.plan.tune else {},
            baseline_losses=read.kept[BASELINE],
        )

    def _is_tried(self, cell: str, seed: int) -> bool:
        return seed in self.read[cell].tried or self.state == "finished"

    def _arm(self, cell: str, arm: str, found: Mapping[_Place, _Found]) -> ArmOutcome:
        read = self.read[cell]
        score, loss = found[cell, arm]
        scope = None
        if score.call not in ("open", "none"):
            of_baseline, of_arm = read.chosen[BASELINE], read.chosen[arm]
            runs = {
                seed: (self.scores[cell, seed, of_baseline[seed]].folder, self.scores[cell, seed, of_arm[seed]].folder)
                for seed in score.differences
            }
            scope = both_scopes(runs, arm, self.metric, score)
        return ArmOutcome(
            score=score,
            loss=loss,
            both_scopes=scope,
            values=read.values[arm],
            validation=read.validation[arm],
            cost=read.cost(arm),
            chosen=read.chosen[arm] if self.plan.tune else {},
            losses=read.kept[arm],
        )

    def _exploratory(self, cell: str) -> dict[str, Compared]:
        if not self.read[cell].tried & set(self.added):
            return {}
        family = self._pairs([cell], self.metric)
        found = compare(family, Decided(self.metric.better, len(self.plan.seeds) + len(self.added)))
        return {arm: replace(of, call="open", needed=None) for (_, arm), of in found.items()}

    def _family(self, cells: Sequence[str], seeds: Sequence[int], decided: Decided) -> dict[_Place, _Found]:
        """Judge some cells together; between looks a comparison is open, whatever its numbers are."""
        goes_on = self.state not in ENDED and len(seeds) < decided.seeds

        def judged(metric: Metric, smallest: float | None) -> dict[_Place, Compared]:
            planned = replace(decided, better=metric.better, smallest=smallest)
            found = compare(self._pairs(cells, metric), planned, seeds)
            return {
                place: replace(of, call="open", needed=None) if goes_on and of.call == "inconclusive" else of
                for place, of in found.items()
            }

        scores = judged(self.metric, decided.smallest)
        losses = judged(LOSS, None) if self.metric is not LOSS else {}
        return {place: _Found(of, losses.get(place)) for place, of in scores.items()}

    def _pairs(self, cells: Sequence[str], metric: Metric) -> dict[_Place, Pairs]:
        return {
            (cell, arm.name): self.read[cell].pairs(arm.name, loss=metric is LOSS)
            for cell in cells
            for arm in self.plan.arms
        }
