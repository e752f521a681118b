"""Compares saved runs: which settings differ, and which runs are seeds of one preset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from regtui.preset.arms import BASELINE
from regtui.runs.files import TABLES, Field
from regtui.runs.info import RunInfo
from regtui.runs.settings import settings
from regtui.tasks import Metric

SEED = "train.seed"
AT_MOST = 26
"""The most runs in one comparison, because each gets a letter."""
_NOT_FINISHED = {
    "stopped": "it was stopped",
    "diverged": "it diverged",
    "failed": "it failed",
    "running": "it goes on",
    "silent": "it may go on elsewhere",
    "interrupted": "it was interrupted",
}


class ArmSeeds(NamedTuple):
    """How far an arm lies from the baseline, by seed.

    Attributes:
        differences: In the metric on the test set, the arm's minus the baseline's, as it is shown.
        losses: The same of the test losses; empty unless they are known of all these seeds.
    """

    differences: Mapping[int, float]
    losses: Mapping[int, float]


class Seeds(NamedTuple):
    """Runs of one preset that differ only in the seed, and may be judged together.

    Attributes:
        name: The preset's name.
        metric: What the differences are of.
        arms: Each arm beside the baseline that has two seeds or more.
    """

    name: str
    metric: Metric
    arms: Mapping[str, ArmSeeds]


def differing(runs: Sequence[RunInfo]) -> list[str]:
    """The settings that differ between the runs whose preset can be read, in the preset's order."""
    tables = [table for run in runs if (table := settings(run))]
    keys = dict.fromkeys(key for table in tables for key in table)
    found = [key for key in keys if len({table.get(key) for table in tables}) > 1]
    return sorted(found, key=lambda key: next(i for i, table in enumerate(TABLES) if key.startswith(table)))


def seeds(runs: Sequence[RunInfo]) -> list[Seeds]:
    """Groups of two or more seeds of one preset; a seed that was run twice counts once, by its last run."""
    groups: dict[tuple[tuple[str, Field], ...], list[RunInfo]] = {}
    for run in sorted(runs, key=lambda run: run.started):
        if not why_not_counted(run):
            table = settings(run)
            table["parameters"] = str([run.fields.get(f"arms.{arm}.parameters") for arm in (BASELINE, *run.others)])
            # Data of one name may still differ, where they are read from a folder of the user's.
            table["data"] = str(run.fields.get("pairing.data.baseline"))
            same = tuple(sorted((key, value) for key, value in table.items() if key not in {SEED, "train.device"}))
            groups.setdefault(same, []).append(run)
    found = []
    for group in groups.values():
        last = {run.seed: run for run in group if run.seed is not None}
        arms = {arm: _arm_seeds(last, arm) for arm in group[-1].others}
        arms = {arm: known for arm, known in arms.items() if len(known.differences) > 1}
        if arms:
            found.append(Seeds(group[-1].preset, group[-1].metric, arms))
    return found


def _arm_seeds(runs: Mapping[int, RunInfo], arm: str) -> ArmSeeds:
    """An arm's differences by seed; none where it is the same experiment as the baseline."""
    compared = {seed: run for seed, run in runs.items() if run.verdicts.get(arm) != "same"}
    differences = {seed: run.differences[arm] for seed, run in compared.items() if arm in run.differences}
    losses = {seed: loss for seed in differences if (loss := _test_loss_difference(compared[seed], arm)) is not None}
    return ArmSeeds(differences, losses if len(losses) == len(differences) else {})


def _test_loss_difference(run: RunInfo, arm: str) -> float | None:
    """Test loss of an arm minus that of the baseline; None where one is not known."""
    ours, theirs = (run.fields.get(f"arms.{name}.test.loss") for name in (arm, BASELINE))
    return ours - theirs if isinstance(ours, int | float) and isinstance(theirs, int | float) else None


def why_not_counted(run: RunInfo) -> str:
    """Why a run is left out of statistics over seeds; empty if it is not."""
    if run.fault or run.status != "finished":
        return _NOT_FINISHED.get(run.status, "its files are damaged")
    if run.fields.get("interventions"):
        return "it was steered"
    if run.fields.get("pairing.unpaired_because", "?"):
        return "its arms are no matched pair"
    if {*run.verdicts.values()} == {"same"}:
        return "its arms are the same experiment"
    if not run.differences:
        return "it has no test score, or none that is finite"
    return ""
