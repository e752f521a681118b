"""What varies in a study, as curves and maps: strengths over their values, differences over data and training."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from regtui.evidence.dose import DoseResponse, KeptLosses, OverSeeds, dose_response
from regtui.evidence.effect_map import EffectMap
from regtui.evidence.gain import Gain, Gains, gains_over
from regtui.study.outcome import ArmOutcome, CellOutcome, StudyOutcome
from regtui.study.plan import PlannedArm, Value


def dose_responses(outcome: StudyOutcome, cell: str | None = None) -> list[DoseResponse]:
    """Each strength that was varied alone, over its values.

    Args:
        outcome: The study.
        cell: The cell's name; None for the first.
    """
    where = next(iter(outcome.cells.values())) if cell is None else outcome.cells[cell]
    found = []
    for (of, key), arms in _strengths(outcome).items():
        values = {arm: (value, _measured(where.arms[arm]), where.arms[arm].score) for value, arm in arms.items()}
        seeds = {seed for _, _, score in values.values() for seed in score.differences}
        baseline = _judged(where.baseline, where.baseline_validation, where.baseline_losses, seeds)
        found.append(dose_response(key, of, outcome.metric, baseline, values, outcome.plan.alpha))
    return found


def gains(outcome: StudyOutcome) -> list[Gains]:
    """Each setting of data and training that was varied, with the arms' differences over it.

    Where several were, the others are as in the first cell.
    """
    found = []
    for key, cells in _settings(outcome).items():
        arms = {
            arm.name: {value: _gain(value, cell, arm.name) for value, cell in cells.items() if arm.name in cell.arms}
            for arm in outcome.plan.arms
        }
        found.append(gains_over(key, outcome.metric, {arm: of for arm, of in arms.items() if of}))
    return found


def effect_maps(outcome: StudyOutcome) -> list[EffectMap]:
    """Two things that were varied at once: a strength and a setting, or two strengths of one arm in the first cell."""
    found = []
    for (_, row_key), arms in _strengths(outcome).items():
        for column_key, cells in _settings(outcome).items():
            places = {
                (row, column): (cell, arm) for row, arm in arms.items() for column, cell in cells.items()
            }  # fmt: skip
            found.append(_map(row_key, column_key, places, outcome))
    if outcome.cells:
        first = next(iter(outcome.cells.values()))
        for (row_key, column_key), pairs in _pairs_of_strengths(outcome.plan.arms).items():
            found.append(_map(row_key, column_key, {place: (first, arm) for place, arm in pairs.items()}, outcome))
    return found


def _measured(arm: ArmOutcome) -> OverSeeds:
    """An arm over the seeds that the verdict speaks of; others are exploratory."""
    return _judged(arm.values, arm.validation, arm.losses, arm.score.differences)


def _judged(
    test: Mapping[int, float],
    validation: Mapping[int, float],
    losses: Mapping[int, KeptLosses],
    seeds: Collection[int],
) -> OverSeeds:
    return OverSeeds(
        {seed: value for seed, value in test.items() if seed in seeds},
        {seed: value for seed, value in validation.items() if seed in seeds},
        {seed: value for seed, value in losses.items() if seed in seeds},
    )


def _gain(value: float, cell: CellOutcome, arm: str) -> Gain:
    """An arm in one cell; the means are over the seeds that its difference is made of."""
    of = cell.arms[arm]
    seeds = of.score.differences
    return Gain(value, of.score, _mean(of.values, seeds), _mean(cell.baseline, seeds))


def _mean(values: Mapping[int, float], seeds: Mapping[int, float]) -> float | None:
    known = [values[seed] for seed in seeds if seed in values]
    return sum(known) / len(known) if known else None


def _strengths(outcome: StudyOutcome) -> dict[tuple[str, str], dict[float, str]]:
    """By arm of the preset and knob, where one knob alone has two or more numbers: the arm of each."""
    found: dict[tuple[str, str], dict[float, str]] = {}
    for arm in outcome.plan.arms:
        if len(arm.settings) == 1:
            ((key, value),) = arm.settings.items()
            if _is_number(value):
                found.setdefault((arm.of, key), {})[float(value)] = arm.name
    return {place: dict(sorted(arms.items())) for place, arms in found.items() if len(arms) > 1}


def _pairs_of_strengths(arms: list[PlannedArm]) -> dict[tuple[str, str], dict[tuple[float, float], str]]:
    """By two knobs of one arm that have numbers, and nothing else of it varies: the arm of each combination."""
    found: dict[tuple[str, str, str], dict[tuple[float, float], str]] = {}
    for arm in arms:
        if len(arm.settings) == 2 and all(map(_is_number, arm.settings.values())):
            (row_key, row), (column_key, column) = arm.settings.items()
            found.setdefault((arm.of, row_key, column_key), {})[float(row), float(column)] = arm.name
    return {(row_key, column_key): places for (_, row_key, column_key), places in found.items() if len(places) > 1}


def _settings(outcome: StudyOutcome) -> dict[str, dict[float, CellOutcome]]:
    """By setting that has two or more numbers in the verdict's cells: the cell of each, the rest as in the first."""
    cells = [cell for cell in outcome.cells.values() if cell.cell.role == "verdict"]
    first: Mapping[str, Value] = cells[0].cell.settings if cells else {}
    found = {}
    for key in first:
        others = {other: value for other, value in first.items() if other != key}
        values = {
            float(value): cell
            for cell in cells
            if _is_number(value := cell.cell.settings.get(key, ""))
            and {other: here for other, here in cell.cell.settings.items() if other != key} == others
        }
        if len(values) > 1:
            found[key] = dict(sorted(values.items()))
    return found


def _map(
    row_key: str, column_key: str, places: Mapping[tuple[float, float], tuple[CellOutcome, str]], outcome: StudyOutcome
) -> EffectMap:
    known = {place: (cell, arm) for place, (cell, arm) in places.items() if arm in cell.arms}
    return EffectMap(
        row_key=row_key,
        column_key=column_key,
        rows=sorted({row for row, _ in places}),
        columns=sorted({column for _, column in places}),
        effects={place: cell.arms[arm].score for place, (cell, arm) in known.items()},
        arms={place: (cell.cell.name, arm) for place, (cell, arm) in known.items()},
        metric=outcome.metric,
    )


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
