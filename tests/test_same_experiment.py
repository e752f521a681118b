"""Arms between which there is nothing to judge are told as such, wherever a run's outcome is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from regtui.engine.crew import LocalCrew
from regtui.engine.run import run
from regtui.evidence.from_history import judge_run
from regtui.protocol.applied import same_experiment
from regtui.protocol.control import Control
from regtui.runs.comparison import why_not_counted
from regtui.runs.index import read_runs
from regtui.runs.read import read_run
from tests.conftest import small_preset
from tests.telling import Telling, paired

NOTHING: dict[str, Any] = {}
SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (NOTHING, NOTHING),
    (NOTHING, {"dropout": {"rate": 0.0}}),
    (NOTHING, {"dropout": {"rate": 1e-9, "after": [1]}, "l1": {"strength": 0.0, "mode": "loss"}}),
    ({"l2": {"strength": 0.0}}, {"dropout": {"rate": 0.0, "input_rate": 0.0}}),
    ({"dropout": {"rate": 0.5}}, {"dropout": {"rate": 0.5}}),
    ({"dropout": {"rate": 0.5}}, {"dropout": {"rate": 0.5, "after": [2, 1]}}),
    ({"dropout": {"rate": 0.3, "after": [], "input_rate": 0.2}}, {"dropout": {"rate": 0.0, "input_rate": 0.2}}),
    (
        {"batch_norm": {}, "l2": {}},
        {"l2": {"strength": 1e-4}, "batch_norm": {"momentum": 0.1}, "l1": {"strength": 0.0}},
    ),
    (NOTHING, {"early_stopping": {"patience": 2, "restore_best": False}}),  # the last of 3 epochs ends it as well
    (NOTHING, {"early_stopping": {"patience": 1, "warmup": 3}}),
    ({"early_stopping": {"patience": 3}}, {"early_stopping": {"patience": 9, "min_delta": 0.5}}),
]
DIFFERENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (NOTHING, {"dropout": {"rate": 0.1}}),
    (NOTHING, {"batch_norm": {}}),
    (NOTHING, {"early_stopping": {"patience": 1, "restore_best": False}}),
    (NOTHING, {"early_stopping": {"patience": 9, "restore_best": True}}),
    ({"dropout": {"rate": 0.5}}, {"dropout": {"rate": 0.5, "after": [1]}}),
    ({"dropout": {"rate": 0.5}}, {"dropout": {"rate": 0.5, "input_rate": 0.1}}),
    ({"l1": {}}, {"l1": {"mode": "loss"}}),
    ({"l1": {"strength": 1e-4}}, {"l2": {"strength": 1e-4}}),
    ({"early_stopping": {"patience": 1}}, {"early_stopping": {"patience": 1, "min_delta": 0.5}}),
    ({"early_stopping": {"patience": 9}}, {"early_stopping": {"patience": 9, "monitor": "val_accuracy"}}),
    ({"early_stopping": {"patience": 9}}, {"early_stopping": {"patience": 9, "warmup": 1}}),
]


@pytest.mark.parametrize(("baseline", "regularized"), SAME)
def test_arms_that_do_the_same_are_one_experiment(baseline: dict[str, Any], regularized: dict[str, Any]) -> None:
    assert small_preset(baseline=baseline, regularized=regularized).does_as_baseline("regularized")
    assert small_preset(baseline=regularized, regularized=baseline).does_as_baseline("regularized")


@pytest.mark.parametrize(("baseline", "regularized"), DIFFERENT)
def test_arms_that_do_different_things_are_two(baseline: dict[str, Any], regularized: dict[str, Any]) -> None:
    assert not small_preset(baseline=baseline, regularized=regularized).does_as_baseline("regularized")


@pytest.mark.parametrize(("baseline", "regularized"), SAME[:3] + SAME[7:11])
def test_what_does_nothing_leaves_the_network_as_it_is(
    tmp_path: Path, mnist_file: Path, baseline: dict[str, Any], regularized: dict[str, Any]
) -> None:
    del mnist_file
    preset = small_preset(baseline=baseline, regularized=regularized)
    arms = run(preset, tmp_path, Control(), lambda _: None, LocalCrew()).history.arms
    losses = [[(epoch.train_loss, epoch.val_loss) for epoch in arm.epochs] for arm in arms.values()]
    assert losses[0] == losses[1]
    assert arms["baseline"].test is not None
    assert arms["regularized"].test is not None
    assert arms["baseline"].test.loss == arms["regularized"].test.loss


def test_steering_one_arm_makes_two_experiments_of_one_and_steering_both_alike_does_not() -> None:
    def told(*controls: tuple[str, str, float]) -> bool:
        telling = Telling(small_preset(baseline={"dropout": {}}, regularized={"dropout": {}})).start()
        for control in controls:
            telling.control(*control)
        return same_experiment(telling.preset, telling.history, "regularized")

    assert told()
    assert told(("baseline", "patience", 2), ("regularized", "patience", 2))
    assert told(("baseline", "dropout.rate", 0.2), ("regularized", "dropout.rate", 0.2))
    assert not told(("regularized", "dropout.rate", 0.2))
    assert not told(("baseline", "dropout.rate", 0.3), ("regularized", "dropout.rate", 0.2))
    # As written the arms differ; that they did the same up to the change says nothing of what it makes of them.
    telling = Telling(small_preset(regularized={"dropout": {"rate": 0.0}})).start()
    assert same_experiment(telling.preset, telling.history, "regularized")
    telling.control("regularized", "dropout.rate", 0.5)
    assert not same_experiment(telling.preset, telling.history, "regularized")


def test_a_run_of_the_same_technique_twice_is_the_same_everywhere(tmp_path: Path, mnist_file: Path) -> None:
    del mnist_file
    preset = small_preset(baseline={"dropout": {"rate": 0.5}}, regularized={"dropout": {"rate": 0.5}})
    result = run(preset, tmp_path, Control(), lambda _: None, LocalCrew())
    assert result.summary.same_experiment == {"regularized": True}
    verdict = judge_run(result.history, preset)["regularized"]
    assert (verdict.outcome, verdict.interval, verdict.p_value) == ("same", None, None)
    assert paired(result.summary).only_baseline > 0, "the arms draw their own masks"
    for info in (read_run(result.folder), *read_runs(tmp_path), *read_runs(tmp_path)):  # the last from the index
        assert info.verdict == "same"
        assert info.points.endswith("(one seed)")
        assert "same experiment" in why_not_counted(info)


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_a_log_of_before_is_judged_by_its_preset(tmp_path: Path, mnist_file: Path, rate: float) -> None:
    del mnist_file
    preset = small_preset(regularized={"dropout": {"rate": rate}})
    folder = run(preset, tmp_path, Control(), lambda _: None, LocalCrew()).folder
    summary = json.loads((folder / "summary.json").read_text())
    del summary["same_experiment"]
    (folder / "summary.json").write_text(json.dumps(summary))
    assert (read_run(folder).verdict == "same") == (rate == 0)
    (folder / "preset.toml").write_text("[regularized]\ndropout = 'strong'\n")
    assert read_run(folder).verdict != "same"
