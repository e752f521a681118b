"""What differs between saved runs, which of them are seeds of one preset, and what those say together."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from scipy import stats

from regtui.evidence.seeds import seed_statistics
from regtui.runs.comparison import differing, seeds, why_not_counted
from regtui.runs.files import Field
from regtui.runs.list import RunInfo, RunStatus


def info(seed: int, difference: float | None, status: RunStatus = "finished", **fields: Field) -> RunInfo:
    known: dict[str, Field] = {
        "preset": "small",
        "title": f"with seed {seed}",
        "seed": seed,
        "train.seed": seed,
        "train.epochs": 3,
        "regularized.dropout.rate": 0.5,
        "pairing.unpaired_because": "",
        "interventions": 0,
        "arms.baseline.parameters": 10,
    }
    if difference is not None:
        known["test.difference"] = difference
    named = {key.replace("__", "."): value for key, value in fields.items()}
    return RunInfo(Path(f"logs/{seed}"), datetime(2026, 1, 1 + seed, tzinfo=UTC), status, fields={**known, **named})


def test_only_settings_that_differ_are_told_whatever_the_runs_are_called() -> None:
    assert differing([info(0, 1.0), info(0, 2.0, title="x", preset="y")]) == []
    unreadable = RunInfo(Path("logs/x"), datetime(2026, 1, 1, tzinfo=UTC), "finished", "preset.toml is damaged")
    assert differing([info(0, 1.0), unreadable]) == []
    runs = [info(0, 1.0), info(1, 1.0, regularized__dropout__rate=0.2), info(2, 1.0, baseline__l1__strength=0.1)]
    assert differing(runs) == ["train.seed", "baseline.l1.strength", "regularized.dropout.rate"]


def test_seeds_of_one_preset_are_judged_together_and_others_apart() -> None:
    strong = [info(seed, seed / 10, regularized__dropout__rate=0.8) for seed in (3, 4)]
    groups = seeds([info(0, 1.0), info(1, 2.0), *strong, info(9, 5.0, train__epochs=7)])
    assert [dict(group.differences) for group in groups] == [{0: 1.0, 1: 2.0}, {3: 0.3, 4: 0.4}]


def test_a_seed_that_ran_twice_counts_once_as_its_last_run_has_it() -> None:
    again = RunInfo(Path("logs/later"), datetime(2026, 3, 1, tzinfo=UTC), "finished", fields=info(0, 3.0).fields)
    assert seeds([again, info(0, 1.0)]) == []
    assert dict(seeds([again, info(0, 1.0), info(1, 2.0)])[0].differences) == {0: 3.0, 1: 2.0}


def test_a_network_of_another_size_is_no_seed_of_the_same_preset() -> None:
    assert seeds([info(0, 1.0), info(1, 2.0, arms__baseline__parameters=11)]) == []


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (info(0, 1.0), ""),
        (info(0, 1.0, status="stopped"), "stopped"),
        (info(0, None, status="running"), "goes on"),
        (info(0, None, status="interrupted"), "interrupted"),
        (info(0, 1.0, interventions=2), "steered"),
        (info(0, 1.0, pairing__unpaired_because="other batches"), "no matched pair"),
        (info(0, None), "no test score"),
        (RunInfo(Path("x"), datetime(2026, 1, 1, tzinfo=UTC), "finished", "no preset.toml"), "damaged"),
    ],
)
def test_a_run_that_is_no_clean_comparison_is_left_out_and_says_why(run: RunInfo, why: str) -> None:
    assert why in why_not_counted(run)
    assert bool(why_not_counted(run)) == bool(why)
    assert bool(seeds([run, info(7, 1.0), info(8, 1.0)])[0].differences.keys() - {7, 8}) == (not why)


@pytest.mark.parametrize("values", [[1.0, 2.0], [0.3, -0.1, 0.2, 0.25, 0.4], [-1.0, -1.1, -0.9, -1.05]])
def test_interval_and_p_value_are_those_of_the_paired_t_test(values: list[float]) -> None:
    found = seed_statistics(dict(enumerate(values)))
    expected = stats.ttest_1samp(values, 0.0)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval()))
    assert found.mean == pytest.approx(sum(values) / len(values))


def test_the_words_claim_no_more_than_the_interval() -> None:
    def words(*values: float) -> str:
        return " ".join(seed_statistics(dict(enumerate(values))).lines("small", 60))

    assert "do not settle" in words(1.0, -0.5, 0.2)
    assert "regularized arm is better" in words(1.0, 1.1, 0.9)
    assert "baseline is better" in words(-1.0, -1.1, -0.9)
    assert "gives no interval" in words(0.5, 0.5, 0.5)
    assert "ahead with 2, ● with 1" in words(1.0, -0.5, 0.2)
    with pytest.raises(ValueError, match="spread"):
        seed_statistics({0: 1.0})


def test_no_line_is_wider_than_asked_for() -> None:
    for width in (20, 40, 80):
        assert max(map(len, seed_statistics({0: 1.0, 1: -2.0}).lines("small", width))) <= width
