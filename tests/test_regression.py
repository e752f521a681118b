"""A regression from its preset to its verdict: the bundled diabetes data, R² beside mean squared error, paired t."""

from __future__ import annotations

import json
import math
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from regtui.cli.export import export_runs
from regtui.cli.headless import run_headless
from regtui.cli.runs import print_runs
from regtui.cli.show import print_run
from regtui.engine.crew import LocalCrew
from regtui.engine.run import RunResult, run
from regtui.evidence.from_history import judge_run
from regtui.evidence.lines import verdict_lines
from regtui.preset.faults import PresetError
from regtui.preset.file import load
from regtui.protocol.control import Control
from regtui.protocol.events import parse
from regtui.runs.comparison import seeds
from regtui.runs.predictions import read_predictions
from regtui.runs.read import read_run
from regtui.tasks import words
from regtui.tasks.comparison import ErrorDifference, RightWrong, holm
from regtui.tui.app import RegtuiApp
from tests.conftest import small_preset
from tests.screen_double import text_of, until
from tests.test_paired import CAVO


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    preset = small_preset(
        data={"dataset": "diabetes"},
        model={"hidden": [32]},
        train={"epochs": 12, "batch_size": 32, "learning_rate": 3e-3},
        regularized={"l2": {"strength": 0.05}, "early_stopping": {"patience": 3, "monitor": "val_r2"}},
    )
    return run(preset, tmp_path_factory.mktemp("logs"), Control(), lambda _: None, LocalCrew())


# The comparison


@pytest.mark.parametrize("size", [2, 3, 111])
def test_p_value_and_interval_are_those_of_the_paired_t_test(size: int) -> None:
    draw = random.Random(size)
    baseline = [draw.expovariate(1) for _ in range(size)]
    arm = [error + draw.gauss(0.1, 0.4) for error in baseline]
    found = ErrorDifference.of(baseline, arm)
    assert found is not None
    expected = stats.ttest_rel(arm, baseline)
    assert found.p_value() == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.interval() == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-9)
    assert found.difference == pytest.approx(np.mean(arm) - np.mean(baseline))
    assert found.interval(0.99)[0] < found.interval()[0] < found.difference < found.interval()[1]


def test_one_example_and_equal_errors_settle_nothing() -> None:
    one = ErrorDifference.of([1.0], [0.5])
    assert one is not None
    assert (one.p_value(), one.interval()) == (1.0, (-math.inf, math.inf))
    equal = ErrorDifference.of([1.0, 2.0], [1.0, 2.0])
    assert equal is not None
    assert (equal.p_value(), equal.interval()) == (1.0, (0.0, 0.0))
    assert "the same error on each" in words.alike(equal, "2 patients")
    shifted = ErrorDifference.of([1.0, 2.0], [1.5, 2.5])
    assert shifted is not None
    assert shifted.p_value() == 0.0
    assert words.alike(shifted, "2 patients") == ""
    assert ErrorDifference.of([1.0, 2.0], [1.0, math.nan]) is None


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # Holm's steps by hand: 3·0.01, then 2·0.03, then 1·0.04 < 0.06
        ([0.9, 0.8], [1.0, 1.0]),
        ([0.001, 0.02, 0.02, 0.5], [0.004, 0.06, 0.06, 0.5]),
    ],
)
def test_holm_adjusts_for_the_number_of_comparisons(p_values: list[float], adjusted: list[float]) -> None:
    assert holm(p_values) == pytest.approx(adjusted)


def test_holm_calls_a_true_null_in_at_most_a_twentieth_of_all_runs() -> None:
    draw = random.Random(0)
    runs = 4_000
    called = sum(min(holm([draw.random() for _ in range(6)])) < 0.05 for _ in range(runs))
    assert called / runs < 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


# The run


def test_the_summary_is_recomputed_from_the_predictions(trained: RunResult) -> None:
    summary, kept = trained.summary, read_predictions(trained.folder)
    assert kept is not None
    assert (summary.task.name, summary.task.metric, summary.task.better) == ("regression", "r2", "higher")
    assert kept.targets.dtype == np.float32
    errors = {name: (arm["values"].astype(float) - kept.targets) ** 2 for name, arm in kept.arms.items()}
    for name, squared in errors.items():
        test = summary.arms[name].test
        assert test is not None
        assert test["loss"] == pytest.approx(squared.mean(), rel=1e-5)
        assert test["r2"] == pytest.approx(1 - squared.mean() / kept.targets.astype(float).var(), rel=1e-5)
    comparison = summary.comparisons["regularized"]
    assert isinstance(comparison, ErrorDifference)
    difference = errors["regularized"] - errors["baseline"]
    assert comparison.examples == len(difference) == 111
    assert comparison.mean == pytest.approx(difference.mean(), rel=1e-4)
    assert comparison.deviation == pytest.approx(difference.std(ddof=1), rel=1e-4)


def test_the_log_tells_the_task_and_is_read_back(trained: RunResult) -> None:
    lines = (trained.folder / "events.jsonl").read_text().splitlines()
    assert parse(lines[0]).kind == "run_started"
    assert '"metric":"r2"' in lines[0]
    assert trained.history.started is not None
    assert trained.history.started.examples == "patients"
    for arm in trained.history.arms.values():
        for epoch in arm.epochs:
            assert epoch.train_metrics.keys() == epoch.val_metrics.keys() == {"r2"}
            # Standardized by what is trained on, all of which is measured: R² is what the loss leaves of 1.
            assert epoch.train_metric == pytest.approx(1 - (epoch.train_loss or 0), abs=1e-4)


def test_early_stopping_can_follow_r_squared(trained: RunResult) -> None:
    arm = trained.history.arms["regularized"]
    best = max(arm.epochs, key=lambda epoch: epoch.val_metric or -math.inf)
    assert arm.test is not None
    assert (arm.test.kept, arm.test.epoch) == ("best", best.epoch)


def test_the_verdict_tells_errors_and_no_counts(trained: RunResult) -> None:
    text = " ".join(" ".join(verdict_lines(judge_run(trained.history, None))).split())
    comparison = trained.summary.comparisons["regularized"]
    assert isinstance(comparison, ErrorDifference)
    assert "111 Diabetes test patients" in text
    assert "paired t test p" in text
    assert f"{comparison.baseline:.4f}" in text
    assert "R²" in text
    for word in ("classified", "McNemar", "accuracy", "points", "images", "%"):
        assert word not in text.replace("95 %", "").replace("0 %", ""), word


def errors(mean: float) -> ErrorDifference:
    return ErrorDifference(111, mean, 0.2, 0.5)


@pytest.mark.parametrize(
    ("mean", "outcome", "said"),
    [
        (-0.1, "closer", "has a lower mean squared error on the"),
        (0.1, "farther", "has a higher mean squared error on the"),
        (0.001, "undecided", "show no difference that 111 Diabetes test patients can resolve"),
    ],
)
def test_each_outcome_follows_from_the_errors(trained: RunResult, mean: float, outcome: str, said: str) -> None:
    history = trained.history
    scored = history.scored
    assert scored is not None
    history.scored = scored.model_copy(update={"comparisons": {"regularized": errors(mean)}})
    try:
        verdict = judge_run(history, None)["regularized"]
        text = " ".join(verdict_lines({"regularized": verdict}))
    finally:
        history.scored = scored
    assert verdict.outcome == outcome
    assert said in " ".join(text.split())


def test_a_test_error_that_is_not_finite_is_said_wherever_the_verdict_is(
    trained: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(trained.folder, tmp_path / trained.folder.name)
    log = folder / "events.jsonl"
    events = [json.loads(line) for line in log.read_text().splitlines()]
    (scored,) = (event for event in events if event["kind"] == "scored")
    scored["arms"]["regularized"] |= {"loss": None, "metrics": {"r2": None}}
    scored["comparisons"] = {}
    log.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    label = trained.history.arms["regularized"].info.techniques
    print_run(str(folder), tmp_path, json=False)
    said = " ".join(capsys.readouterr().out.split())
    assert f"No comparison: the test error of {label} is not finite" in said
    assert f"The predictions of {label} for the test patients are too far off for a finite error." in said
    assert "not scored" not in said
    export_runs([folder], "html", tmp_path / "report.html")
    report = (tmp_path / "report.html").read_text()
    assert "An error on the test patients is not finite, so that no two arms can be compared." in report
    assert "not scored" not in report


def test_lists_tell_it_by_r_squared(trained: RunResult, capsys: pytest.CaptureFixture[str]) -> None:
    info = read_run(trained.folder)
    test = {name: arm.test["r2"] for name, arm in trained.summary.arms.items() if arm.test and arm.test["r2"]}
    assert info.difference == pytest.approx(test["regularized"] - test["baseline"], abs=1e-8)
    assert info.fields["task.metric"] == "r2"
    print_runs(trained.folder.parent, json=False)
    out = capsys.readouterr().out
    assert f"{test['baseline']:.4f}" in out
    assert "Δ test" in out
    assert "%" not in out


def test_seeds_are_judged_by_r_squared(trained: RunResult, tmp_path: Path) -> None:
    preset = load(str(trained.folder / "preset.toml"))
    other = preset.model_copy(update={"train": preset.train.model_copy(update={"seed": 1})})
    again = run(other, tmp_path, Control(), lambda _: None, LocalCrew())
    (group,) = seeds([read_run(trained.folder), read_run(again.folder)])
    assert group.metric.title == "R²"
    assert group.arms["regularized"].differences.keys() == {0, 1}


def test_a_headless_run_has_a_column_of_r_squared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = small_preset(data={"dataset": "diabetes"}, model={"kind": "linear"}, train={"epochs": 2}, regularized={})
    assert run_headless(preset, tmp_path, json=False) == 0
    out = capsys.readouterr().out
    assert "train R²" in out
    assert "111 test patients" in " ".join(out.split())
    assert "acc" not in out


async def test_on_screen_the_second_view_is_r_squared(tmp_path: Path) -> None:
    preset = small_preset(data={"dataset": "diabetes"}, model={"hidden": [8]}, train={"epochs": 2, "batch_size": 64})
    app = RegtuiApp(tmp_path / "logs", preset, start=True)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "Verdict" in text_of(app), 60)
        await pilot.press("v")
        await until(pilot, lambda: "· R²" in text_of(app))
        assert "accuracy" not in text_of(app)
        assert "111 Diabetes test patients" in text_of(app).replace("\n", " ") or "Diabetes" in text_of(app)


# What does not fit


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"regularized": {"label_smoothing": {}}}, "regularized.label_smoothing"),
    ({"regularized": {"early_stopping": {"monitor": "val_accuracy"}}}, "regularized.early_stopping.monitor"),
    ({"model": {"kind": "cnn"}}, "model.kind"),
    ({"data": {"dataset": "diabetes", "task": "classification"}}, "data.task: classification does not fit Diabetes"),
    ({"data": {"dataset": "mnist", "task": "regression"}}, "data.task: regression does not fit MNIST"),
]


@pytest.mark.parametrize(("tables", "key"), FAULTS)
def test_what_does_not_fit_values_is_named(tables: dict[str, Any], key: str) -> None:
    with pytest.raises(PresetError, match=key.replace(".", r"\.")):
        small_preset(**{"data": {"dataset": "diabetes"}, **tables})


def test_r_squared_can_t_be_followed_in_classes() -> None:
    with pytest.raises(PresetError, match="val_r2 is not measured in classification"):
        small_preset(regularized={"early_stopping": {"monitor": "val_r2"}})


def test_a_table_of_classes_is_told_as_before() -> None:
    header, rows = words.table(RightWrong(1, 2, 3, 4), "dropout")
    assert header == ["", "baseline right", "baseline wrong"]
    assert rows == [["dropout right", 1, 3], ["dropout wrong", 2, 4]]
    assert words.details(CAVO, "dropout", "images").startswith("Test images: both\N{NO-BREAK SPACE}right")
