"""A run that was steered, stopped or broke its pair is marked so wherever runs are listed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from regtui.cli.runs import print_runs
from regtui.protocol.events import Status
from regtui.runs.filter import parse_filter
from regtui.runs.info import RunInfo
from regtui.runs.read import read_run
from regtui.tasks.comparison import RightWrong
from regtui.tui.review import compare_table
from regtui.tui.review.columns import FIELDS, VERDICT, verdict_or_status, verdict_width
from regtui.tui.widgets.row_list import Cell
from tests.conftest import small_preset
from tests.telling import Telling

TABLES = {
    "more": RightWrong(700, 20, 80, 200),
    "fewer": RightWrong(700, 80, 20, 200),
    "undecided": RightWrong(700, 50, 50, 200),
}


def saved(logs: Path, outcome: str, *clouds: str) -> RunInfo:
    told = Telling(small_preset(train={"epochs": 2})).start()
    if "unpaired" in clouds:
        arm = told.history.arms["regularized"]
        arm.info = arm.info.model_copy(update={"initial_weights": "others"})
    if "steered" in clouds:
        told.control("regularized", "dropout.rate", 0.3)
    status: Status = "stopped" if "stopped" in clouds else "finished"
    for name in ("baseline", "regularized"):
        told.epoch(name, 0.5).stop(name, "stopped" if status == "stopped" else "max_epochs")
    return read_run(told.score({"regularized": TABLES[outcome]}).finish(status).save(logs))


def cells(run: RunInfo) -> tuple[Cell, Cell, Cell]:
    """The verdict in a wide list, in a narrow one, and in a comparison."""
    outcome, *_ = (cell(run) for column, cell in compare_table.OUTCOME if column.title == "verdict")
    return verdict_or_status(run, 120), verdict_or_status(run, 80), outcome


@pytest.mark.parametrize("outcome", TABLES)
@pytest.mark.parametrize(
    ("clouds", "wide", "narrow"),
    [
        ((), "{}", "{}"),
        (("steered",), "{}, steered", "steered"),
        (("stopped",), "{}, stopped", "stopped"),
        (("steered", "stopped"), "{}, steered", "steered"),
        (("unpaired",), "not comparable", "unpaired"),
    ],
)
def test_what_clouds_a_comparison_stands_beside_its_outcome(
    tmp_path: Path, outcome: str, clouds: tuple[str, ...], wide: str, narrow: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = saved(tmp_path, outcome, *clouds)
    assert run.clouds == list(clouds)
    texts = [cell.text for cell in cells(run)]
    expected = wide.format(outcome)
    assert texts == [expected, narrow.format(outcome), narrow.format(outcome)]
    assert all(cell.colour == "warning" for cell in cells(run)) == bool(clouds)
    for width in (80, 120):
        assert verdict_width([run], width) >= len(verdict_or_status(run, width).text)
    print_runs(tmp_path, json=False)
    assert expected in capsys.readouterr().out
    print_runs(tmp_path, json=True)
    assert json.loads(capsys.readouterr().out)["verdict"] == ("none" if "unpaired" in clouds else outcome)


def test_runs_are_found_by_what_clouds_them(tmp_path: Path) -> None:
    clean, steered = saved(tmp_path / "a", "more"), saved(tmp_path / "b", "more", "steered")
    assert parse_filter("steered").select([clean, steered]) == [steered]
    assert verdict_width([clean], 120) == VERDICT.column.width
    assert [field.cell(steered).text for field in FIELDS if field is VERDICT] == ["more, steered"]
