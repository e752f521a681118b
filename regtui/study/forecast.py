"""What a study can find, before it starts: with the spread of earlier runs of its preset where there are some."""

from __future__ import annotations

import statistics
from pathlib import Path

from regtui.evidence.decided import Decided
from regtui.evidence.power import Reach, reach
from regtui.preset.file import to_table
from regtui.preset.model import Preset
from regtui.runs.comparison import SEED, seeds
from regtui.runs.files import TABLES, Field, flat_fields
from regtui.runs.find import find_runs
from regtui.runs.index import read_runs
from regtui.runs.info import RunInfo
from regtui.runs.read import read_run
from regtui.runs.settings import settings
from regtui.study.folder import RUNS, find_studies
from regtui.study.outcome import metric_of
from regtui.study.plan import StudyPlan
from regtui.tasks import LOSS

FEWEST = 3
"""Fewer earlier seeds tell no spread worth the name."""
MOST_RUNS = 500
"""So many runs of earlier studies are looked at, the newest; each takes a few milliseconds."""
_NO_MATTER = frozenset({SEED, "train.device"})


def forecast(plan: StudyPlan, logs: Path) -> str:
    """What a study of this plan can find, in a sentence; `logs` is where earlier runs are looked for."""
    metric = metric_of(plan)
    return forecast_reach(plan, logs).sentence(metric.points, metric.digits)


def forecast_reach(plan: StudyPlan, logs: Path) -> Reach:
    """What a study of this plan can find."""
    decided = Decided(metric_of(plan).better, len(plan.seeds), plan.smallest_effect, plan.alpha, tuple(plan.looks))
    comparisons = len(plan.arms) * sum(cell.role == "verdict" for cell in plan.cells)
    return reach(decided, comparisons, earlier_spread(plan, logs))


def earlier_spread(plan: StudyPlan, logs: Path) -> float | None:
    """The standard deviation of the differences over earlier seeds of the preset, of several arms the largest.

    In the plan's metric, as it is shown; None where fewer than `FEWEST` seeds of the study's first cell were run.
    """
    preset = plan.jobs(plan.seeds[:1])[0].preset
    ours = _settings_of(preset)
    runs = [run for run in (*read_runs(logs), *_runs_of_studies(logs, preset.name)) if _without(settings(run)) == ours]
    spreads = []
    for group in seeds(runs):
        for arm in group.arms.values():
            differences = arm.losses if plan.metric == LOSS.name else arm.differences
            if len(differences) >= FEWEST:
                spreads.append(statistics.stdev(differences.values()))
    return max(spreads, default=None) or None


def _runs_of_studies(logs: Path, preset: str) -> list[RunInfo]:
    """The newest runs of studies of a preset, for which the studies stand in a list of runs."""
    studies = [path for path in find_studies(logs) if f"-study-{preset}-" in path.name]
    runs = [run for study in reversed(studies) for run in find_runs(study / RUNS)]
    return [read_run(run) for run in runs[:MOST_RUNS]]


def _settings_of(preset: Preset) -> dict[str, Field]:
    flat = flat_fields(to_table(preset))
    return _without({key: value for key, value in flat.items() if key.startswith(TABLES)})


def _without(table: dict[str, Field]) -> dict[str, Field]:
    """The settings without the seed and the device."""
    return {key: value for key, value in table.items() if key not in _NO_MATTER}
