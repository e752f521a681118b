"""Compares saved runs: which settings differ, and which runs are seeds of one preset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from regtui.preset.arms import BASELINE
from regtui.runs.files import TABLES, Field
from regtui.runs.list import RunInfo
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


class Seeds(NamedTuple):
    """Runs of one preset that differ only in the seed, and may be judged together.

    Attributes:
        name: The preset's name.
        metric: What `differences` are of.
        differences: That metric on the test set, the other arm's minus the baseline's, as it is shown, by seed.
        losses: The same of the test losses; empty unless they are known of all these seeds.
    """

    name: str
    metric: Metric
    differences: Mapping[int, float]
    losses: Mapping[int, float]


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
            table["data"] = str(
                run.fields.get("pairing.data.baseline")
            )  # they have one name, but perhaps different settings
            same = tuple(sorted((key, value) for key, value in table.items() if key not in {SEED, "train.device"}))
            groups.setdefault(same, []).append(run)
    found = []
    for group in groups.values():
        last = {run.seed: run for run in group if run.seed is not None}
        if len(last) > 1:
            differences = _known({seed: run.difference for seed, run in last.items()})
            losses = _known({seed: _test_loss_difference(run) for seed, run in last.items()})
            found.append(
                Seeds(group[-1].preset, group[-1].metric, differences, losses if len(losses) == len(last) else {})
            )
    return found


def _known(values: Mapping[int, float | None]) -> dict[int, float]:
    return {seed: value for seed, value in values.items() if value is not None}


def _test_loss_difference(run: RunInfo) -> float | None:
    """Test loss of the other arm minus that of the baseline; None where one is not known."""
    losses = [run.fields.get(f"arms.{arm}.test.loss") for arm in (BASELINE, *run.others)]
    known = [loss for loss in losses if isinstance(loss, int | float)]
    return known[1] - known[0] if len(known) == len(losses) == 2 else None


def why_not_counted(run: RunInfo) -> str:
    """Why a run is left out of statistics over seeds; empty if it is not."""
    if run.fault or run.status != "finished":
        return _NOT_FINISHED.get(run.status, "its files are damaged")
    if run.fields.get("interventions"):
        return "it was steered"
    if run.fields.get("pairing.unpaired_because", "?"):
        return "its arms are no matched pair"
    if run.verdict == "same":
        return "its arms are the same experiment"
    if len(run.others) > 1:
        return f"it compares {len(run.others)} arms with the baseline"
    if run.difference is None:
        return "it has no test score"
    return ""
