"""The numbers of a study's runs: what each run's summary tells, and a cell's values by arm and seed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from regtui.evidence.dose import KeptLosses
from regtui.evidence.over_seeds import Pairs
from regtui.evidence.verdict import HOW_DIVERGED
from regtui.preset.arms import BASELINE
from regtui.runs.summary import ArmSummary, Summary, read_summary
from regtui.study.plan import StudyPlan
from regtui.tasks import LOSS, Metric
from regtui.text import one_line

MOST_READ = 20_000
"""So many runs are remembered, so that after each new run only that one is read."""


class ArmScores(NamedTuple):
    """What one arm of a run came to.

    Attributes:
        test: Loss and metrics on the test set, by name, but those that are not finite; empty if it was not tested.
        validation: The same on the validation set with the weights it kept, as far as they are told.
        seconds: Of all its epochs.
        epochs: That it trained.
        why_not: Why it does not count: 'it diverged'; empty if it does.
        kept: The losses of the weights it kept; None where they are not known.
        is_tested: Whether it was tested.
    """

    test: Mapping[str, float]
    validation: Mapping[str, float]
    seconds: float
    epochs: int
    why_not: str = ""
    kept: KeptLosses | None = None
    is_tested: bool = False


class RunScores(NamedTuple):
    """What one run came to.

    Attributes:
        folder: Where it is.
        arms: Each arm.
        why_not: Why none of them counts; empty if they do.
        again: Whether it is made again when the study goes on: it failed, or was stopped.
    """

    folder: Path
    arms: Mapping[str, ArmScores]
    why_not: str = ""
    again: bool = False


def read_scores(folder: Path) -> RunScores | None:
    """What a run came to; None if it has not ended. A run that was read before is not read again."""
    try:
        file = os.stat(folder / "summary.json")  # noqa: PTH116
    except OSError:
        return None
    return _read(folder, file.st_size, file.st_mtime_ns)


@lru_cache(MOST_READ)
def _read(folder: Path, _size: int, _changed: int) -> RunScores | None:
    summary = read_summary(folder)
    if summary is None:
        return None
    arms = {name: _arm_scores(arm) for name, arm in summary.arms.items()}
    return RunScores(folder, arms, _why_not(summary), again=summary.status in ("failed", "stopped"))


def _why_not(summary: Summary) -> str:
    """Why no arm of a run counts; empty if they do, but for those that diverged."""
    if summary.status == "failed":
        return f"it failed ({one_line(summary.error, 200)})" if summary.error else "it failed"
    if summary.status == "stopped":
        return "it was stopped"
    if summary.interventions:
        return "it was steered"
    if summary.pairing is None or summary.pairing.unpaired_because:
        why = summary.pairing.unpaired_because if summary.pairing is not None else ""
        return f"its arms are no matched pair{f': {why}' if why else ''}"
    return ""


def _arm_scores(arm: ArmSummary) -> ArmScores:
    validation: dict[str, float | None] = {}
    at_kept = arm.at_kept or (arm.final if arm.kept_epoch == arm.epochs else None)
    if at_kept is not None:
        validation = {LOSS.name: at_kept.val_loss, **at_kept.val_metrics}
    elif arm.kept_epoch is not None and arm.kept_epoch == arm.best_epoch:
        validation = {LOSS.name: arm.best_val_loss}
    why_not = "" if arm.stop_reason not in HOW_DIVERGED else f"it diverged ({HOW_DIVERGED[arm.stop_reason]})"
    kept = None
    if at_kept is not None and None not in (at_kept.train_loss, at_kept.val_loss, arm.best_val_loss):
        kept = KeptLosses(at_kept.train_loss or 0.0, at_kept.val_loss or 0.0, arm.best_val_loss or 0.0)
    return ArmScores(
        _measured(arm.test or {}), _measured(validation), arm.seconds, arm.epochs, why_not, kept, arm.test is not None
    )


def _measured(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


class CellScores(NamedTuple):
    """The values of one cell.

    Attributes:
        tried: Seeds of which every trial has ended.
        values: By arm and seed: the metric on the test set, of the chosen trial, as it is shown.
        losses: The same in test loss.
        validation: The same in the metric on the validation set.
        chosen: By arm and seed: the chosen trial.
        kept: The losses of the weights that were kept.
        time: By arm: seconds and epochs of all its runs.
        left_out: What does not count, and why.
    """

    tried: set[int]
    values: dict[str, dict[int, float]]
    losses: dict[str, dict[int, float]]
    validation: dict[str, dict[int, float]]
    chosen: dict[str, dict[int, int]]
    kept: dict[str, dict[int, KeptLosses]]
    time: dict[str, tuple[float, int]]
    left_out: list[str]

    def pairs(self, arm: str, *, loss: bool = False) -> Pairs:
        """An arm and the baseline, in the metric or in test loss."""
        values = self.losses if loss else self.values
        return Pairs(values[BASELINE], values[arm])

    def cost(self, arm: str) -> float | None:
        """The arm's time per epoch over the baseline's."""
        (ours, epochs), (theirs, base_epochs) = (self.time.get(name, (0.0, 0)) for name in (arm, BASELINE))
        return (ours / epochs) / (theirs / base_epochs) if epochs and base_epochs and theirs else None


def gather(
    plan: StudyPlan, cell: str, scores: Mapping[tuple[str, int, int], RunScores], seeds: Iterable[int], metric: Metric
) -> CellScores:
    """Gather a cell's values, choosing among trials by the best validation loss of the weights they keep.

    A trial in which an arm diverged is one that it lost. A trial that does not count at all, because somebody
    intervened or it failed, takes its seed with it: else arms would not have had the same number of tries.
    """
    arms, count = [BASELINE, *(arm.name for arm in plan.arms)], len(plan.trials)
    values, losses, validation = ({arm: dict[int, float]() for arm in arms} for _ in range(3))
    found = CellScores(set(), values, losses, validation, {arm: {} for arm in arms}, {arm: {} for arm in arms}, {}, [])
    for seed in seeds:
        runs = {trial: scores[cell, seed, trial] for trial in range(count) if (cell, seed, trial) in scores}
        if len(runs) < count:
            continue
        found.tried.add(seed)
        for trial, run in runs.items():
            if run.why_not:
                found.left_out.append(f"seed {seed}{f', trial {trial + 1}' if count > 1 else ''}: {run.why_not}")
        if not any(run.why_not for run in runs.values()):
            for arm in arms:
                _add(found, arm, seed, {trial: run.arms[arm] for trial, run in runs.items() if arm in run.arms}, metric)
    return found


def _add(cell: CellScores, arm: str, seed: int, trials: Mapping[int, ArmScores], metric: Metric) -> None:
    """Add an arm's value of a seed, or say why it has none."""
    seconds, epochs = cell.time.get(arm, (0.0, 0))
    for trial in trials.values():
        seconds, epochs = seconds + trial.seconds, epochs + trial.epochs
    cell.time[arm] = seconds, epochs
    counting = {
        number: trial
        for number, trial in trials.items()
        if not trial.why_not and metric.name in trial.test and (len(trials) == 1 or LOSS.name in trial.validation)
    }
    if not counting:
        not_finite = any(trial.is_tested and metric.name not in trial.test for trial in trials.values())
        no_score = "its test score is not finite" if not_finite else "it has no test score"
        why = next((trial.why_not for trial in trials.values() if trial.why_not), no_score)
        cell.left_out.append(f"seed {seed}, {arm}: {why}{' in every trial' if len(trials) > 1 else ''}")
        return
    best = min(counting, key=lambda number: counting[number].validation.get(LOSS.name, 0.0))
    test, validation, kept = counting[best].test, counting[best].validation, counting[best].kept
    cell.chosen[arm][seed] = best
    cell.values[arm][seed] = metric.factor * test[metric.name]
    if LOSS.name in test:
        cell.losses[arm][seed] = test[LOSS.name]
    if kept is not None:
        cell.kept[arm][seed] = kept
    if metric.name in validation:
        cell.validation[arm][seed] = metric.factor * validation[metric.name]
