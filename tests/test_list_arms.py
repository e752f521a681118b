"""A run of several arms in the lists of saved runs: one row that says how many there are, and what each came to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from regtui.cli.runs import print_runs
from regtui.cli.show import print_run
from regtui.preset.arms import MOST_ARMS
from regtui.runs.filter import parse_filter
from regtui.runs.index import read_runs
from regtui.runs.info import RunInfo
from regtui.runs.read import read_run
from regtui.tasks.comparison import RightWrong
from regtui.tui.review.columns import FIELDS, VERDICT, about, points_cell
from tests.conftest import small_preset
from tests.telling import Telling

MORE, FEWER, LEVEL = RightWrong(700, 20, 80, 200), RightWrong(700, 80, 20, 200), RightWrong(700, 50, 50, 200)
LONG = "a-name-with-24-letters-x"


def saved(logs: Path, tables: dict[str, RightWrong | None], **train: object) -> RunInfo:
    """A run with these comparisons of its arms; an arm without one has diverged."""
    arms = {name: {"dropout": {"rate": 0.1 + n / 20}} for n, name in enumerate(tables)}
    told = Telling(small_preset(arms=arms, train={"epochs": 1, **train})).start()
    for name in ("baseline", *tables):
        if name == "baseline" or tables[name] is not None:
            told.epoch(name, 0.5).stop(name, "max_epochs")
        else:
            told.stop(name, "non_finite")
    told.score({name: table for name, table in tables.items() if table is not None})
    return read_run(told.finish("diverged" if None in tables.values() else "finished").save(logs))


def test_a_run_of_several_arms_is_one_row_that_claims_no_difference_of_its_own(tmp_path: Path) -> None:
    run = saved(tmp_path, {"one": MORE, LONG: FEWER, "three": LEVEL, "four": None, "five": MORE})
    assert (run.verdict, run.difference, run.points) == ("several", None, "5 arms (one seed)")
    assert run.shown_verdict == "2+ 1− 1?"
    assert [points_cell(run, width).text for width in (120, 80)] == ["5 arms (one seed)", "5 arms"]
    words = about(run)
    assert (
        f"2 more (one +6.00, five +6.00) · 1 fewer ({LONG} −6.00) · 1 undecided (three +0.00) · 1 none (four)" in words
    )
    assert "◆ one: dropout rate 0.1" in words


def test_the_verdict_of_as_many_arms_as_there_can_be_fits_its_column(tmp_path: Path) -> None:
    arms: dict[str, RightWrong | None] = dict.fromkeys([f"arm-{n}" for n in range(MOST_ARMS - 4)], MORE)
    run = saved(tmp_path, arms | dict.fromkeys("ab", FEWER) | dict.fromkeys("cd", LEVEL))
    assert len(run.shown_verdict) <= VERDICT.column.width
    assert run.shown_verdict == "12+ 2− 2?"


def test_a_run_that_compares_no_arm_says_none(tmp_path: Path) -> None:
    run = saved(tmp_path, {"one": None, "two": None})
    assert (run.verdict, run.shown_verdict, dict(run.verdicts)) == ("none", "none", {"one": "none", "two": "none"})


def test_the_p_values_of_several_arms_are_adjusted_in_the_list_too(tmp_path: Path) -> None:
    close = RightWrong(700, 40, 62, 198)  # alone p = 0.038
    assert saved(tmp_path, {"one": close}).verdict == "more"
    assert dict(saved(tmp_path, {"one": close, "two": LEVEL}).verdicts) == {"one": "undecided", "two": "undecided"}


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        ("verdict.one=more", 1),
        ("verdict.two=more", 0),
        ("test.difference.one>5", 1),
        ("test.difference.two>5", 0),
        ("arms.one.dropout.rate=0.1", 1),
        ("arms.two.test.accuracy<0.5", 1),
        ("verdict=several", 1),
        ("two fewer", 1),
        ("undecided", 0),
    ],
)
def test_the_filter_knows_each_arm(tmp_path: Path, terms: str, found: int) -> None:
    runs = [saved(tmp_path, {"one": MORE, "two": FEWER}), saved(tmp_path, {"alone": MORE})]
    assert len(parse_filter(terms).select(runs)) == found


def test_a_verdict_that_an_arm_can_t_have_and_an_arm_that_no_run_has_are_told(tmp_path: Path) -> None:
    runs = [saved(tmp_path, {"one": MORE, "two": FEWER})]
    assert "verdict.one=better: the verdict of one run is more" in parse_filter("verdict.one=better").unknown(runs)
    assert "several" in parse_filter("verdict=better").unknown(runs)
    assert (
        parse_filter("verdict.three=more").unknown(runs).startswith("no run has a field 'verdict.three'; did you mean")
    )
    assert not parse_filter("verdict.two=fewer").unknown(runs)


def test_runs_of_any_arms_are_sorted_by_any_column(tmp_path: Path) -> None:
    for tables in ({"one": MORE, "two": FEWER}, {"alone": LEVEL}, {"one": None, "two": None, "three": MORE}):
        saved(tmp_path, dict(tables))
    runs = read_runs(tmp_path)
    assert read_runs(tmp_path) == runs, "the index gives the same back"
    for field in FIELDS:
        values = [value for run in runs if (value := field.value(run)) is not None]
        sorted(values)  # type: ignore[type-var]  # raises if two can't be compared


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_table_has_a_row_for_a_run_of_several_arms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    saved(tmp_path, {"one": MORE, LONG: FEWER, "three": LEVEL})
    print_runs(tmp_path, json=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) == 3
    assert width == 40 or "1+ 1− 1? 3 arms (one seed)" in lines[2]


def test_json_has_every_arm_whatever_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved(tmp_path, {"seed": MORE, "status": None, "arms": LEVEL})
    print_runs(tmp_path, json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["seed"], told["status"], told["verdict"], told["difference"]) == (0, "diverged", "several", None)
    assert list(told["arms"]) == ["baseline", "seed", "status", "arms"]
    assert told["arms"]["seed"] == {"best_val_loss": 0.5, "test_accuracy": 0.56, "difference": 6.0, "verdict": "more"}
    assert told["arms"]["status"] == {
        "best_val_loss": None, "test_accuracy": None, "difference": None, "verdict": "none",
    }  # fmt: skip
    assert told["arms"]["baseline"] == told["baseline"] == {"best_val_loss": 0.5, "test_accuracy": 0.5}


def test_json_of_two_arms_has_what_it_had(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved(tmp_path, {"regularized": MORE})
    print_runs(tmp_path, json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["regularized"] == {"best_val_loss": 0.5, "test_accuracy": 0.56}
    assert (told["difference"], told["verdict"]) == (6.0, "more")
    assert told["arms"]["regularized"] == told["regularized"] | {"difference": 6.0, "verdict": "more"}


@pytest.mark.parametrize("count", [2, 7, MOST_ARMS])
def test_a_run_of_any_arms_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int) -> None:
    run = saved(tmp_path, {f"arm-{n}": None if n == 1 else MORE for n in range(count)})
    print_run(str(run.folder), tmp_path, json=False)
    text = capsys.readouterr().out
    assert f"{count} networks against that of the baseline" in " ".join(text.split())
    assert text.count("\n1/1  ") + text.count("    1/1  ") == count, "an epoch of each that did not diverge"
    assert text.count("diverged: the training loss") == 1


def test_a_run_of_several_arms_that_was_stopped_before_an_epoch_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Telling(small_preset(arms={"one": {"l1": {}}, "two": {"l2": {}}})).start()
    folder = told.finish("stopped").save(tmp_path)
    print_run(str(folder), tmp_path, json=False)
    text = " ".join(capsys.readouterr().out.split())
    assert text.count("◇ No comparison: stopped before an epoch was measured") == 1
    assert (read_run(folder).shown_verdict, read_run(folder).points) == ("none", "2 arms (one seed)")
