"""`regtui runs` and `regtui show`, as functions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from regtui.cli.runs import print_runs
from regtui.cli.show import print_run
from regtui.errors import InputError
from regtui.protocol import schema1
from regtui.protocol.events import ArmInfo, RunStarted, Scored
from regtui.runs.summary import Summary, read_summary
from regtui.tasks.comparison import RightWrong
from tests.bench.runs import write_run
from tests.conftest import small_preset
from tests.telling import CLASSIFICATION, Telling


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    folder = tmp_path / "logs"
    folder.mkdir()
    for number in range(3):
        write_run(folder, number)
    return folder


def oldest(logs: Path) -> Path:
    return min(logs.glob("2*"))


def tell(folder: Path) -> list[str]:
    """Write the events of a run of two epochs; returns their lines."""
    info = ArmInfo(techniques="dropout 0.5", is_plain=False, parameters=1, initial_weights="a", tensors=2)
    arms = {"baseline": info, "regularized": info}
    started = RunStarted(
        t=0, preset="p", title="", dataset="MNIST", sizes={}, layers=[784, 10], batch_size=1, seed=0, device="cpu",
        task=CLASSIFICATION, epochs=2, steps_per_epoch=2, arms=arms, shared_tensors=2,
    )  # fmt: skip
    whole = Telling(small_preset(train={"epochs": 2})).start().epochs([0.5, 0.4], [0.6, 0.3]).finish()
    epochs = [epoch for arm in whole.history.arms.values() for epoch in arm.epochs]
    scored = Scored(t=2, arms={}, comparisons={"regularized": RightWrong(9000, 50, 150, 800)})
    assert whole.history.finished is not None
    lines = [event.model_dump_json() for event in (started, *epochs, scored, whole.history.finished)]
    (folder / "events.jsonl").write_text("".join(line + "\n" for line in lines))
    return lines


# The list


def test_the_table_fits_80_columns_and_shows_the_newest_first(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert print_runs(logs, json=False) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert all(len(line) <= 80 for line in lines)
    assert [line.split()[0] for line in lines[2:]] == sorted((p.name[:15] for p in logs.glob("2*")), reverse=True)
    assert all(line.split()[1:3] == ["dropout", "finished"] for line in lines[2:])


def test_a_wider_terminal_shows_every_column(
    logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    print_runs(logs, json=False)
    assert capsys.readouterr().out.splitlines()[2].endswith("cpu")


def test_json_is_one_object_a_line_with_every_field(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert print_runs(logs, json=True, filter="seed>0") == 0
    out, err = capsys.readouterr()
    runs = [json.loads(line) for line in out.splitlines()]
    assert err == ""
    assert [run["seed"] for run in runs] == [2, 1]
    summary = json.loads((Path(runs[0]["folder"]) / "summary.json").read_text())
    assert runs[0]["baseline"]["test_accuracy"] == summary["arms"]["baseline"]["test"]["accuracy"]
    assert runs[0]["fields"]["train.seed"] == 2


def test_names_with_markup_and_escape_codes_are_shown_as_text(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wild = oldest(logs).rename(logs / "\x1b[2J[bold]\nx")
    (wild / "run.json").unlink()
    (wild / "summary.json").write_text(
        (wild / "summary.json").read_text().replace('"dropout"', r'"\u001b[31m[red]\ud800"')
    )
    for as_json in (False, True):
        print_runs(logs, json=as_json)
        out, err = capsys.readouterr()
        assert all(line.isprintable() for line in (out + err).splitlines())
        assert all(len(line) <= 80 for line in out.splitlines()) or as_json
    print_runs(logs, json=False)
    captured = capsys.readouterr()
    assert "[bold]" in captured.err
    assert captured.err.endswith("no run.json\n")


@pytest.mark.parametrize("as_json", [False, True])
def test_no_runs_are_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "src").mkdir()
    assert print_runs(tmp_path, json=as_json) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err == ("" if as_json else f"regtui: no runs in {str(tmp_path)!r}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "src"]


def test_what_can_t_be_listed_is_a_sentence(logs: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        print_runs(logs / "none", json=False)
    with pytest.raises(InputError, match=r"did you mean 'seed'\?"):
        print_runs(logs, json=False, filter="sed=1")


def test_many_faults_are_counted(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3, 15):
        write_run(logs, number)
    for path in logs.glob("2*/summary.json"):
        path.write_text("")
    print_runs(logs, json=False)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[-1] == "regtui: 5 more runs have damaged files; --json names them"


@pytest.mark.parametrize("module", ["runs.read", "runs.index", "runs.filter", "cli.runs"])
def test_listing_imports_nothing_heavy(module: str, logs: Path) -> None:
    print_runs(logs, json=False)  # leaves an index with all verdicts
    code = (
        f"import sys, pathlib, regtui.{module}\nfrom regtui.cli.runs import print_runs\n"
        f"print_runs(pathlib.Path({str(logs)!r}), json=True)\n"
        "from regtui.runs.filter import parse_filter\nfrom regtui.runs.index import read_runs\n"
        f"assert parse_filter('test.diference>0').unknown(read_runs(pathlib.Path({str(logs)!r})))\n"
        "sys.exit(bool({'torch', 'scipy', 'numpy', 'pydantic', 'textual'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


# One run


def test_a_run_is_shown_with_header_epochs_and_verdict(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell(oldest(logs))
    assert print_run(oldest(logs).name[:15], logs, json=False) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "dropout · Dropout on MNIST" in out
    assert sum(line.startswith(("    1/2  ", "    2/2  ")) for line in out.splitlines()) == 4
    assert "classified more of the 10,000 MNIST test images" in " ".join(out.split())
    assert out.endswith(f"log  {oldest(logs)}\n")


def test_a_run_whose_preset_can_t_be_read_is_shown_without_header(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(oldest(logs))
    (oldest(logs) / "preset.toml").write_text("schema = 2\n")
    assert print_run(str(oldest(logs)), logs, json=False) == 0
    out, err = capsys.readouterr()
    assert "    2/2  regularized" in out
    assert "Traceback" not in err
    assert "preset.toml is from a later version" in err


def test_events_without_any_one_line_crash_nothing(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = tell(oldest(logs))
    path = oldest(logs) / "events.jsonl"
    for left_out in range(len(lines)):
        path.write_text("\n".join([*lines[:left_out], "\x00\x1b[2J{", *lines[left_out + 1 :]]))
        if left_out == 0:
            with pytest.raises(InputError, match="tells of no run's start"):
                print_run(str(oldest(logs)), logs, json=False)
        else:
            assert print_run(str(oldest(logs)), logs, json=False) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_the_summary_is_printed_as_json(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert print_run(str(oldest(logs)), logs, json=True) == 0
    written = json.loads((oldest(logs) / "summary.json").read_text())
    told = json.loads(capsys.readouterr().out)
    assert told == {**schema1.summary(written), "same_experiment": {"regularized": False}}
    assert told["schema"] == 2
    assert Summary.model_validate(told) == read_summary(oldest(logs)).model_copy(  # type: ignore[union-attr]
        update={"same_experiment": {"regularized": False}}
    )
    (oldest(logs) / "summary.json").unlink()
    for path in oldest(logs).iterdir():
        os.utime(path, (0, 0))
    with pytest.raises(InputError, match="has no summary: the run is interrupted"):
        print_run(str(oldest(logs)), logs, json=True)


def test_a_run_without_events_is_a_sentence(logs: Path) -> None:
    (oldest(logs) / "events.jsonl").unlink()
    with pytest.raises(InputError, match=r"has no events\.jsonl"):
        print_run(str(oldest(logs)), logs, json=False)
    shutil.rmtree(oldest(logs))
    with pytest.raises(InputError, match="no run in"):
        print_run("x", logs, json=False)
