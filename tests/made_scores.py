"""Runs of studies that were made up: what each run came to, for tests of how studies are judged and told."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from regtui.preset.arms import BASELINE
from regtui.preset.file import to_table, to_toml
from regtui.runs.summary import ArmSummary, Pairing, Scores, Summary, TaskSummary
from regtui.study.folder import StudyFolder
from regtui.study.outcome import State, StudyOutcome, judge, outcome_of
from regtui.study.plan import Job, PlannedArm, PlannedCell, StudyPlan
from regtui.study.record import write_outcome
from regtui.study.scores import ArmScores, RunScores
from tests.conftest import small_preset

Value = Callable[[str, str, int, int], float]
"""An accuracy in percent of a cell, an arm, a seed and a trial."""


def plan_of(
    arms: int = 1, seeds: int = 8, cells: Sequence[PlannedCell] = (PlannedCell(name=""),), **more: Any
) -> StudyPlan:
    """A plan of dropout, or of several rates of it, against a plain baseline."""
    rates = {f"rate-0_{place + 1}": (place + 1) / 20 for place in range(arms)}
    if arms == 1:
        preset, planned = small_preset(), [PlannedArm(name="regularized", of="regularized")]
    else:
        preset = small_preset(arms={name: {"dropout": {"rate": rate}} for name, rate in rates.items()})
        planned = [PlannedArm(name=name, of="regularized", settings={"dropout.rate": r}) for name, r in rates.items()]
    told: dict[str, Any] = {"metric": "accuracy", "smallest_effect": 0.5} | more
    return StudyPlan(
        schema=1, preset=to_table(preset), arms=planned, cells=list(cells), seeds=list(range(seeds)), **told
    )


def run_scores(plan: StudyPlan, cell: str, seed: int, trial: int, value: Value) -> RunScores:
    """A run in which the loss follows from the accuracy; the weights kept had it on validation too."""
    arms = {}
    for arm in (BASELINE, *(arm.name for arm in plan.arms)):
        accuracy = value(cell, arm, seed, trial) / 100
        numbers = {"loss": 2 * (1 - accuracy), "accuracy": accuracy}
        arms[arm] = ArmScores(numbers, numbers, 10.0 if arm == BASELINE else 13.0, 10)
    return RunScores(Path(f"run{cell}-{seed}-{trial}"), arms)


def scores_of(
    plan: StudyPlan, value: Value, done: int | None = None, added: Sequence[int] = ()
) -> dict[tuple[str, int, int], RunScores]:
    """The runs of the first seeds of a study, in all cells and trials."""
    return {
        (cell.name, seed, trial): run_scores(plan, cell.name, seed, trial, value)
        for seed in [*plan.seeds[:done], *added]
        for cell in plan.cells
        for trial in range(len(plan.trials))
    }


def noisy(means: Mapping[str, float] | float, spread: float = 0.6, number: int = 0) -> Value:
    """Accuracies around 90 %, to which an arm adds its mean; the same for the same seed."""

    def value(cell: str, arm: str, seed: int, trial: int) -> float:
        shared = random.Random(f"{number} {cell} {seed} {trial}").gauss(0, 0.8)
        own = random.Random(f"{number} {cell} {arm} {seed} {trial}").gauss(0, spread)
        added = 0.0 if arm == BASELINE else means if isinstance(means, float | int) else means.get(arm, 0.0)
        return 90 + shared + own + added

    return value


def made(plan: StudyPlan, value: Value, state: State = "finished", done: int | None = None) -> StudyOutcome:
    """What such a study came to."""
    return judge(plan, scores_of(plan, value, done), state)


def write_study(
    plan: StudyPlan, value: Value, logs: Path, done: int | None = None, state: State | None = "finished"
) -> StudyFolder:
    """A study's folder with the small files of its runs, and what it came to in study.json unless `state` is None."""
    study = StudyFolder.create(plan, logs)
    jobs = plan.jobs(plan.seeds[:done])
    for number, job in enumerate(jobs):
        folder = study.runs / f"20260101-{number:06}-small-{number:04x}"
        folder.mkdir()
        (folder / "preset.toml").write_text(to_toml(job.preset))
        (folder / "events.jsonl").write_text("{}\n")
        (folder / "run.json").write_text('{"started": "2026-01-01T00:00:00+00:00", "preset": "small"}')
        scores = run_scores(plan, *job.key, value)
        (folder / "summary.json").write_text(_summary(job, scores).model_dump_json(by_alias=True))
    if state is not None:
        write_outcome(study, outcome_of(study, state))
    return study


def _summary(job: Job, scores: RunScores) -> Summary:
    def arm(of: ArmScores) -> ArmSummary:
        accuracy, loss = of.test["accuracy"], of.test["loss"]
        epoch = Scores(train_loss=loss, val_loss=loss, train_metrics={}, val_metrics={"accuracy": accuracy})
        return ArmSummary(
            epochs=of.epochs, stop_reason="max_epochs", best_epoch=1, best_val_loss=loss, final=epoch, kept="last",
            kept_epoch=of.epochs, at_kept=epoch, test=dict(of.test), zero_weights=0.0, weight_norm=1.0,
            seconds=of.seconds, parameters=1,
        )  # fmt: skip

    hashes = dict.fromkeys(scores.arms, "h")
    return Summary(
        schema=2, status="finished", preset="small", seed=job.seed, device="cpu", wall_seconds=1.0, train_seconds=1.0,
        task=TaskSummary(name="classification", metric="accuracy", better="higher"),
        arms={name: arm(of) for name, of in scores.arms.items()},
        pairing=Pairing(initial_weights=hashes, shared_tensors=1, tensors=dict.fromkeys(scores.arms, 1), order=["o"]),
        interventions=0,
    )  # fmt: skip
