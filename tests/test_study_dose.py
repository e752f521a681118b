from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import product

import pytest

from regtui.evidence.decided import Decided
from regtui.evidence.dose import KeptLosses
from regtui.evidence.over_seeds import Pairs, compare
from regtui.preset.file import to_table
from regtui.study.dose import dose_responses, effect_maps, gains
from regtui.study.outcome import ArmOutcome, CellOutcome, StudyOutcome
from regtui.study.plan import PlannedArm, PlannedCell, StudyPlan, Value
from regtui.study.varied import varied_blocks
from regtui.study.varied_numbers import varied_numbers, varied_tables
from regtui.study.words import StudyWords
from tests.conftest import small_preset

SEEDS = range(4)
RATES = (0.5, 0.25)


def outcome(
    arms: Sequence[Mapping[str, Value]], cells: Sequence[Mapping[str, Value]] = ({},), *, sensitivity: bool = False
) -> StudyOutcome:
    """A study of arms of 'regularized' with these settings in these cells; arm k is k + 1 + seed / 10 points ahead."""
    planned = [PlannedArm(name=f"arm-{number}", of="regularized", settings=dict(of)) for number, of in enumerate(arms)]
    places = [
        PlannedCell(
            name=str(dict(of)) if of else "",
            settings=dict(of),
            role="verdict" if not number or not sensitivity else "sensitivity",
        )
        for number, of in enumerate(cells)
    ]
    tables = {arm.name: {"dropout": {"rate": arm.settings.get("dropout.rate", 0.1)}} for arm in planned}
    plan = StudyPlan(
        schema=1,
        preset=to_table(small_preset(arms=tables)),
        arms=planned,
        cells=places,
        seeds=list(SEEDS),
        metric="accuracy",
    )
    return StudyOutcome(plan, "finished", {cell.name: made(cell, planned) for cell in places}, (4, 4))


def made(cell: PlannedCell, arms: Sequence[PlannedArm]) -> CellOutcome:
    baseline = {seed: 90.0 + seed for seed in [*SEEDS, 99]}  # 99 was added beyond the plan
    losses = {seed: KeptLosses(0.1, 0.3, 0.2) for seed in baseline}
    found = {}
    for number, arm in enumerate(arms):
        values = {seed: value + number + 1 + seed / 10 for seed, value in baseline.items()}
        pairs = {"": Pairs(baseline, values)}
        score = compare(pairs, Decided("higher", 4), SEEDS)[""]
        found[arm.name] = ArmOutcome(score, None, None, values, values, None, {}, losses)
    return CellOutcome(cell, baseline, baseline, found, {}, (), {}, {}, losses)


def test_a_varied_strength_is_one_response_in_the_order_of_its_values_over_the_judged_seeds() -> None:
    (found,) = dose_responses(outcome([{"dropout.rate": rate} for rate in RATES]))
    assert (found.key, found.of, found.is_log) == ("dropout.rate", "regularized", False)
    assert [(dose.value, dose.arm) for dose in found.doses] == [(0.25, "arm-1"), (0.5, "arm-0")]
    assert set(found.baseline.test) == set(found.doses[0].level.test) == set(SEEDS)
    assert found.baseline.rise == pytest.approx(0.5)
    assert found.best is not None
    assert (found.best.value, found.chosen_over) == (0.25, 4)


@pytest.mark.parametrize(
    "arms",
    [
        [{}, {}],
        [{"dropout.rate": 0.5}],
        [{"l1.mode": "proximal"}, {"l1.mode": "loss"}],
        [{"early_stopping.restore_best": True}, {"early_stopping.restore_best": False}],
    ],
)
def test_without_two_numbers_of_one_strength_there_is_no_response(arms: list[dict[str, Value]]) -> None:
    assert not dose_responses(outcome(arms))
    assert not effect_maps(outcome(arms))
    assert not gains(outcome(arms))


def test_a_varied_setting_gives_the_differences_over_it() -> None:
    sizes: list[dict[str, Value]] = [{"data.train_samples": size} for size in (1000, 500)]
    (found,) = gains(outcome([{}], sizes))
    assert (found.key, found.is_log) == ("data.train_samples", True)
    assert [(gain.value, gain.baseline) for gain in found.trends[0].gains] == [(500, 91.5), (1000, 91.5)]
    assert found.trends[0].gains[0].arm == pytest.approx(92.65)
    assert gains(outcome([{}], [{"train.epochs": 3}, {"train.epochs": 6}], sensitivity=True)) == []
    assert gains(outcome([{}], [{"train.optimizer": "sgd"}, {"train.optimizer": "adam"}])) == []


def test_of_two_settings_each_is_told_with_the_other_as_in_the_first_cell() -> None:
    grid: list[dict[str, Value]] = [
        {"data.train_samples": size, "train.epochs": epochs} for size, epochs in product((500, 1000), (3, 6))
    ]
    assert [(of.key, [gain.value for gain in of.trends[0].gains]) for of in gains(outcome([{}], grid))] == [
        ("data.train_samples", [500, 1000]),
        ("train.epochs", [3, 6]),
    ]


def test_a_strength_and_a_setting_are_a_map_and_so_are_two_strengths() -> None:
    strengths: list[dict[str, Value]] = [{"dropout.rate": rate} for rate in RATES]
    sizes: list[dict[str, Value]] = [{"data.train_samples": size} for size in (500, 1000)]
    study = outcome(strengths, sizes)
    (found,) = effect_maps(study)
    assert (found.row_key, found.column_key) == ("dropout.rate", "data.train_samples")
    assert (found.rows, found.columns) == ([0.25, 0.5], [500, 1000])
    assert found.arms[0.25, 1000] == ("{'data.train_samples': 1000}", "arm-1")
    assert found.effects[0.25, 1000] is study.cells["{'data.train_samples': 1000}"].arms["arm-1"].score
    both: list[dict[str, Value]] = [
        {"dropout.rate": rate, "l2.strength": strength} for rate, strength in product(RATES, (1e-4, 1e-3))
    ]
    (pairs,) = effect_maps(outcome(both))
    assert (pairs.row_key, pairs.column_key) == ("dropout.rate", "l2.strength")
    assert {place: arm for place, (_, arm) in pairs.arms.items()} == {
        (rate, strength): f"arm-{number}" for number, (rate, strength) in enumerate(product(RATES, (1e-4, 1e-3)))
    }
    assert dose_responses(outcome(both)) == []


def test_details_tell_what_varies_and_fit_into_the_width() -> None:
    strengths: list[dict[str, Value]] = [{"dropout.rate": rate} for rate in RATES]
    sizes: list[dict[str, Value]] = [{"data.train_samples": size} for size in (160, 320)]
    plain = varied(outcome([{}]), 80)
    assert plain == []
    both = varied(outcome(strengths, sizes), 80)
    assert max(map(len, both)) <= 80
    assert both[0] == "At 160 training images:"
    assert both[1].split()[:3] == ["dropout.rate", "validation", "test"]
    assert [line.split()[0] for line in both[2:5]] == ["baseline", "0.25", "0.5"]
    assert "dropout.rate, 2 values over 4 seeds: " in " ".join(both)
    at = both.index("Mean differences from the baseline in test accuracy in points:")
    assert [line.split() for line in both[at + 1 : at + 4]] == [
        ["dropout.rate", "\\", "data.train_samples", "160", "320"],
        ["0.25", "+2.15", "+2.15"],
        ["0.5", "+1.15", "+1.15"],
    ]
    narrow = varied(outcome(strengths, sizes), 40)
    assert max(map(len, narrow)) <= 40
    assert narrow[1].split() == ["dropout.rate", "validation", "test"]


def varied(study: StudyOutcome, width: int) -> list[str]:
    return [line for block in varied_blocks(StudyWords(study), width) for line in block]


def test_numbers_for_other_programs_are_those_of_the_analysis() -> None:
    strengths: list[dict[str, Value]] = [{"dropout.rate": rate} for rate in RATES]
    sizes: list[dict[str, Value]] = [{"data.train_samples": size} for size in (160, 320)]
    study = outcome(strengths, sizes)
    found = varied_numbers(study)
    assert [(of["key"], of["best"], of["second"]) for of in found["strengths"]] == [("dropout.rate", 0.25, 0.5)] * 2
    assert [of["cell"] for of in found["strengths"]] == list(study.cells)
    assert found["gains"][0]["arms"]["arm-0"]["values"] == [160, 320]
    assert found["bias_variance"] == {}
    assert varied_numbers(outcome([{}])) == {"strengths": [], "gains": [], "bias_variance": {}}
    json.dumps(found, allow_nan=False)


def test_tables_in_full_precision_have_a_row_for_each_value_and_the_baseline() -> None:
    strengths: list[dict[str, Value]] = [{"dropout.rate": rate} for rate in RATES]
    sizes: list[dict[str, Value]] = [{"data.train_samples": size} for size in (160, 320)]
    tables = {name: (head, rows) for name, head, rows in varied_tables(outcome(strengths, sizes))}
    assert list(tables) == ["strengths", "gains"]
    for head, rows in tables.values():
        assert {len(row) for row in rows} == {len(head)}
    head, rows = tables["strengths"]
    assert [row[head.index("value")] for row in rows] == [None, 0.25, 0.5] * 2
    assert [row[head.index("best_by_validation")] for row in rows] == [0, 1, 0] * 2
    assert rows[1][head.index("mean")] == pytest.approx(93.65)
    head, rows = tables["gains"]
    assert [row[head.index("difference")] for row in rows] == pytest.approx([1.15, 1.15, 2.15, 2.15])
    assert list(varied_tables(outcome([{}]))) == []
