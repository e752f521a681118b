"""The best epoch is the one with the lowest validation loss, wherever it is told; the kept one is early stopping's.

Both are worked out here once more, from the numbers that were logged and from the rule in words, and compared with all
that the program tells.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from regtui.cli.show import print_run
from regtui.engine.crew import LocalCrew
from regtui.engine.run import run
from regtui.epochs import table_lines
from regtui.evidence.from_history import judge_run
from regtui.evidence.what_if import what_if
from regtui.export import csv as csv_export
from regtui.export import html as html_export
from regtui.export.saved_run import read_saved_run
from regtui.preset.model import Preset
from regtui.protocol.control import Control, SetMinDelta, SetPatience
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.runs.read import read_run
from regtui.runs.weights import best_epoch
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew
from tests.telling import Telling

NAN = math.nan
ARMS = ("baseline", "regularized")


class Told(NamedTuple):
    """What an arm's epochs come to, by the rule in words."""

    epochs: int
    stopped_early: bool
    counted: list[bool]
    kept: int
    best: int | None


def by_the_rule(losses: Sequence[float], accuracies: Sequence[float], knobs: Mapping[str, Any] | None) -> Told:
    """Early stopping, as the documentation has it; None is an arm without."""
    rule: dict[str, Any] = {
        "patience": math.inf,
        "min_delta": 0.0,
        "warmup": 0,
        "monitor": "val_loss",
        "restore_best": False,
    }
    rule |= {"patience": 5, "restore_best": True} if knobs is not None else {}
    rule |= knobs or {}
    watched = losses if rule["monitor"] == "val_loss" else [-accuracy for accuracy in accuracies]
    reference, waited, counted, stopped = math.inf, 0, [], False
    for epoch, value in enumerate(watched, start=1):
        counts = epoch > rule["warmup"] and math.isfinite(value) and value < reference - rule["min_delta"]
        counted.append(counts)
        if counts:
            reference, waited = value, 0
        elif epoch > rule["warmup"] and math.isfinite(value):
            waited += 1
        if waited >= rule["patience"]:
            stopped = True
            break
    run = len(counted)
    candidates = [(watched[e - 1], e) for e in range(rule["warmup"] + 1, run + 1) if math.isfinite(watched[e - 1])]
    kept = min(candidates)[1] if rule["restore_best"] and candidates else run
    measured = [(losses[e - 1], e) for e in range(1, run + 1) if math.isfinite(losses[e - 1])]
    return Told(run, stopped and run < len(watched), counted, kept, min(measured)[1] if measured else None)


levels = [0.6, 0.5, 0.4, 0.55, 0.3, 0.8, 0.2, 1.2]
"""Few, so that there are ties, and differences of exactly min_delta."""
losses = some.one_of(
    some.lists(some.sampled_from([*levels, NAN]), min_size=6, max_size=6),
    some.permutations(levels).map(lambda order: order[:6]),  # as many different ones as can be
)
accuracies = some.lists(some.sampled_from([0.6, 0.5, 0.7, 0.1, 0.9]), min_size=6, max_size=6)
knobs = some.one_of(
    some.fixed_dictionaries(
        {
            "patience": some.sampled_from([6, 4, 2, 1, 3, 7]),
            "min_delta": some.sampled_from([0.25, 0.1, 0.5, 0.0]),
            "warmup": some.sampled_from([0, 0, 1, 2, 5, 7]),
            "monitor": some.sampled_from(["val_loss", "val_loss", "val_accuracy"]),
            "restore_best": some.sampled_from([True, True, False]),
        }
    ),
    some.none(),
)
ISSUE = [1.0, 0.9, 0.8, 0.7052, 0.6, 0.5182]
TOO_SMALL = {"patience": 8, "min_delta": 0.3, "warmup": 0, "monitor": "val_loss", "restore_best": True}
"""The case that was found: with min_delta 0.3 epoch 4 counts, and epoch 6 is the best and is to be kept."""


def stopping(of_arm: Mapping[str, Any] | None) -> dict[str, Any]:
    return {} if of_arm is None else {"early_stopping": dict(of_arm)}


@settings(max_examples=30)
@example((ISSUE, ISSUE), ([0.5] * 6, [0.5] * 6), (None, TOO_SMALL))
@given(some.tuples(losses, losses), some.tuples(accuracies, accuracies), some.tuples(knobs, knobs))
@pytest.mark.slow
def test_whatever_early_stopping_counts_the_best_is_the_lowest_and_the_kept_is_the_rule_s(
    mnist_file: Path,
    losses: tuple[list[float], list[float]],
    accuracies: tuple[list[float], list[float]],
    knobs: tuple[dict[str, Any] | None, dict[str, Any] | None],
) -> None:
    del mnist_file
    preset = small_preset(train={"epochs": 6}, baseline=stopping(knobs[0]), regularized=stopping(knobs[1]))
    with TemporaryDirectory() as folder:
        crew = ScriptedCrew(
            dict(zip(ARMS, losses, strict=True)), val_accuracies=dict(zip(ARMS, accuracies, strict=True))
        )
        result = run(preset, Path(folder), Control(), lambda _: None, crew)
        expected = {
            arm: by_the_rule(*of_arm)
            for arm, of_arm in zip(ARMS, zip(losses, accuracies, knobs, strict=True), strict=True)
        }
        check(result.folder, preset, dict(zip(ARMS, losses, strict=True)), expected)


def check(folder: Path, preset: Preset, losses: Mapping[str, Sequence[float]], expected: Mapping[str, Told]) -> None:
    """See that all that can be read of a run tells the same best and kept epochs."""
    history = History.of(read_events(folder))
    summary = json.loads((folder / "summary.json").read_text())
    info, verdict, saved = read_run(folder), judge_run(history, preset)["regularized"], read_saved_run(folder)
    csv_export.write(saved, folder / "csv")
    html_export.write(saved, folder / "report.html")
    results = html_table((folder / "report.html").read_text())
    lines = list(headless_lines(folder, preset))
    for column, (name, told) in enumerate(expected.items(), start=1):
        arm = history.arms[name]
        best_loss = None if told.best is None else losses[name][told.best - 1]
        assert len(arm.epochs) == told.epochs
        assert [epoch.counted for epoch in arm.epochs] == told.counted
        assert ((arm.stopped and arm.stopped.reason) == "early_stopping") >= told.stopped_early
        assert (arm.best and arm.best.epoch, arm.best and arm.best.val_loss) == (told.best, best_loss)
        assert arm.kept is not None
        assert arm.kept.epoch == told.kept
        assert arm.stopped is not None
        assert (arm.stopped.best_epoch, arm.stopped.best_val_loss) == (told.best, best_loss)
        of_arm = summary["arms"][name]
        assert (of_arm["best_epoch"], of_arm["best_val_loss"], of_arm["kept_epoch"]) == (
            told.best,
            best_loss,
            told.kept,
        )
        assert info.figures(name).best_val_loss == best_loss
        assert info.fields.get(f"arms.{name}.best_epoch") == told.best
        judged = verdict.baseline if name == "baseline" else verdict.arm
        assert (judged.best_epoch, judged.best_val_loss, judged.kept_epoch) == (told.best, best_loss, told.kept)
        kept_loss = losses[name][told.kept - 1]
        assert judged.val_loss_at_kept == (kept_loss if math.isfinite(kept_loss) else None)
        with (folder / "csv" / name / "metrics.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["epoch"] for row in rows if row["best"] == "1"] == ([] if told.best is None else [str(told.best)])
        assert [row["epoch"] for row in rows if row["kept"] == "1"] == [str(told.kept)]
        assert [row["counted"] == "1" for row in rows] == told.counted
        assert results["best epoch"][column - 1] == ("–" if told.best is None else str(told.best))
        assert results["weights kept"][column - 1] == f"those of epoch {told.kept}"
        marked = [int(line.split("/")[0]) for line in lines if f" {name} " in line and line.endswith(" best")]
        assert max(marked, default=None) == told.best
        early = [line for line in lines if f" {name} " in line and "stopped early" in line]
        for line in early:
            best = "" if told.best is None else f"; best epoch {told.best}"
            assert line.endswith(f"stopped early{best}, keeps epoch {told.kept}")


def headless_lines(folder: Path, preset: Preset) -> Iterator[str]:
    history = History()
    for event in read_events(folder):
        history.add(event)
        yield from table_lines(event, history, preset, 100)


def html_table(page: str) -> dict[str, list[str]]:
    """The rows of the results, by their first cell."""
    section = page.split("<h2>Results</h2>")[1].split("</section>")[0]
    rows = (re.findall(r"<td[^>]*>(.*?)</td>", row) for row in section.split("</tr>"))
    return {cells[0]: cells[1:] for cells in rows if cells}


@settings(max_examples=100)
@example(ISSUE, [0.5] * 6, TOO_SMALL)
@given(losses, accuracies, knobs)
def test_what_if_keeps_what_the_arm_would_have_kept(
    losses: list[float], accuracies: list[float], knobs: dict[str, Any] | None
) -> None:
    from regtui.techniques.early_stopping import EarlyStopping
    from tests.telling import Telling

    telling = Telling(small_preset(train={"epochs": 6})).start()
    for loss, accuracy in zip(losses, accuracies, strict=True):
        telling.epoch("baseline", loss if math.isfinite(loss) else None, accuracy=accuracy)
    table = what_if(telling.history.arms["baseline"], None if knobs is None else EarlyStopping(**knobs), 6)
    for outcome in table.outcomes[:8]:
        told = by_the_rule(losses, accuracies, (knobs or {}) | {"patience": outcome.patience})
        assert (outcome.stops_at or 6) == told.epochs
        if outcome.keeps is None:  # no epoch counts, so that the arm would have gone on with its last
            assert not any(told.counted)
        else:
            assert outcome.keeps == told.kept


LOSSES = [0.9, 0.7052, 0.68, 0.60, 0.5182, 0.55]


def before(folder: Path, losses: Mapping[str, Sequence[float]], counted: Mapping[str, Sequence[int]]) -> None:
    """Write a run's files as earlier versions did: best meant counted, and nothing told of what was kept."""
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    for event in lines:
        if event["kind"] == "epoch_done":
            event["best"] = event["epoch"] in counted[event["arm"]]
            del event["counted"]
        if event["kind"] == "arm_stopped":
            event["best_epoch"] = counted[event["arm"]][-1]
            event["best_val_loss"] = losses[event["arm"]][event["best_epoch"] - 1]
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in lines))
    summary = json.loads((folder / "summary.json").read_text())
    for name, arm in summary["arms"].items():
        del arm["kept_epoch"]
        arm["best_epoch"] = counted[name][-1]
        arm["best_val_loss"] = losses[name][arm["best_epoch"] - 1]
    del summary["same_experiment"]
    (folder / "summary.json").write_text(json.dumps(summary))


@pytest.mark.parametrize(
    ("knobs", "counted"),
    [({"min_delta": 0.3}, [1, 4]), ({"warmup": 5}, [6]), ({"monitor": "val_accuracy"}, [1]), ({}, [1, 2, 3, 4, 5])],
)
def test_a_log_of_before_tells_its_lowest_loss_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], knobs: dict[str, Any], counted: list[int]
) -> None:
    losses = {"baseline": LOSSES, "regularized": LOSSES}
    preset = small_preset(train={"epochs": 6}, regularized={"early_stopping": {"patience": 9, **knobs}})
    folder = run(preset, tmp_path, Control(), lambda _: None, ScriptedCrew(losses)).folder
    before(folder, losses, {"baseline": [1, 2, 3, 4, 5], "regularized": counted})
    history, info = History.of(read_events(folder)), read_run(folder)
    for name in ARMS:
        arm = history.arms[name]
        assert arm.best is not None
        assert (arm.best.epoch, arm.best.val_loss) == (5, 0.5182)
        assert info.figures(name).best_val_loss == 0.5182
        assert info.fields[f"arms.{name}.best_epoch"] == 5
        verdict = judge_run(history, preset)["regularized"]
        assert (verdict.baseline if name == "baseline" else verdict.arm).best_val_loss == 0.5182
    assert [epoch.epoch for epoch in history.arms["regularized"].epochs if epoch.counts] == counted
    print_run(str(folder), tmp_path, json=True)
    shown = json.loads(capsys.readouterr().out)
    assert shown["arms"]["regularized"]["best_val_loss"] == 0.5182


def test_early_stopping_turned_on_while_training_keeps_the_lowest_loss(tmp_path: Path) -> None:
    control = Control()
    control.send(SetPatience(patience=9))
    control.send(SetMinDelta(min_delta=0.3))
    losses = {"baseline": LOSSES, "regularized": [*LOSSES[:3], NAN, *LOSSES[4:]]}
    result = run(small_preset(train={"epochs": 6}), tmp_path, control, lambda _: None, ScriptedCrew(losses))
    for arm in result.summary.arms.values():
        assert (arm.best_epoch, arm.best_val_loss, arm.kept, arm.kept_epoch) == (5, 0.5182, "best", 5)
    assert [epoch.epoch for epoch in result.history.arms["regularized"].epochs if epoch.counted] == [1, 5]


def test_an_epoch_better_inside_the_warm_up_is_the_best_and_is_not_kept(tmp_path: Path) -> None:
    losses = {"baseline": [0.1, 0.4, 0.3, 0.35], "regularized": [0.1, 0.4, 0.3, 0.35]}
    preset = small_preset(train={"epochs": 4}, regularized={"early_stopping": {"warmup": 1}})
    summary = run(preset, tmp_path, Control(), lambda _: None, ScriptedCrew(losses)).summary
    arm = summary.arms["regularized"]
    assert (arm.best_epoch, arm.best_val_loss, arm.kept, arm.kept_epoch) == (1, 0.1, "best", 3)


def test_the_saved_best_weights_say_of_which_epoch_they_are(tmp_path: Path, mnist_file: Path) -> None:
    del mnist_file
    knobs = {"monitor": "val_accuracy", "warmup": 1, "patience": 9}
    result = run(small_preset(regularized={"early_stopping": knobs}), tmp_path, Control(), lambda _: None, LocalCrew())
    assert best_epoch(result.folder, "baseline") == result.summary.arms["baseline"].best_epoch
    assert best_epoch(result.folder, "regularized") == result.summary.arms["regularized"].kept_epoch
    file = result.folder / "checkpoint" / "manifest.json"
    whole = json.loads(file.read_text())
    for epoch in (0, -1, 10**12, 1.5, "many", [1]):
        whole["arms"]["baseline"]["best_epoch"] = epoch
        file.write_text(json.dumps(whole))
        assert best_epoch(result.folder, "baseline") is None
    for content in (b"", b"\xff" * 99, b"[1, 2, 3"):
        file.write_bytes(content)
        assert best_epoch(result.folder, "baseline") is None


def test_an_arm_that_was_not_tested_has_kept_nothing() -> None:
    told = Telling(small_preset()).start().epochs([0.5, 0.6], [0.5, 9.0]).stop("regularized", "exploded")
    verdict = judge_run(told.finish("diverged").history, None)["regularized"]
    for arm in (verdict.baseline, verdict.arm):
        assert (arm.kept_epoch, arm.gap_at_kept, arm.val_loss_at_kept) == (None, None, None)
