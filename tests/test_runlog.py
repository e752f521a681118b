"""A run's folder: complete, valid JSON, readable in pieces, never shared."""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import pytest

from regtui.engine.crew import LocalCrew
from regtui.engine.process import CrewClosedError
from regtui.engine.run import RunResult, run
from regtui.errors import InputError, RegtuiError
from regtui.evidence.from_history import judge_run
from regtui.evidence.lines import verdict_lines
from regtui.preset.file import load
from regtui.protocol.control import Control
from regtui.protocol.events import EpochDone, Event, Paused, RunFinished, StepsDone
from regtui.protocol.history import History
from regtui.runs import circumstances
from regtui.runs import log as runlog
from regtui.runs.events import read_events
from regtui.runs.log import RunLog
from regtui.runs.summary import read_summary
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew
from tests.telling import paired


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    preset = small_preset(regularized={"dropout": {}, "early_stopping": {"patience": 2}})
    return run(preset, tmp_path_factory.mktemp("logs"), Control(), lambda _: None, LocalCrew())


def test_the_folder_holds_what_the_design_says(result: RunResult) -> None:
    assert {path.name for path in result.folder.iterdir()} == {
        "preset.toml", "run.json", "events.jsonl", "predictions.safetensors", "summary.json", "checkpoint",
    }  # fmt: skip
    assert not list(result.folder.rglob("*.tmp"))


def test_the_kept_preset_runs_the_same_again(result: RunResult, tmp_path: Path) -> None:
    preset = load(str(result.folder / "preset.toml"))
    assert preset == small_preset(regularized={"dropout": {}, "early_stopping": {"patience": 2}})
    again = run(preset, tmp_path, Control(), lambda _: None, LocalCrew())
    assert again.summary.comparisons["regularized"] == result.summary.comparisons["regularized"]
    assert again.folder.name.split("-", 2)[2].startswith("small-")


def test_every_file_is_strict_json(result: RunResult) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    for name in ("run.json", "summary.json"):
        json.loads((result.folder / name).read_text(), parse_constant=refuse)
    lines = (result.folder / "events.jsonl").read_text().splitlines()
    kinds = [json.loads(line, parse_constant=refuse)["kind"] for line in lines]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_finished"
    assert kinds.count("steps_done") == 2 * 3, "one line an epoch and arm, however often they were read out"


def test_the_summary_agrees_with_the_events(result: RunResult) -> None:
    summary, history = read_summary(result.folder), History.of(read_events(result.folder))
    assert summary == result.summary
    assert summary is not None
    assert summary.status == "finished"
    for name, arm in summary.arms.items():
        best = min(history.arms[name].epochs, key=lambda epoch: epoch.val_loss or 0)
        assert (arm.best_epoch, arm.best_val_loss) == (best.epoch, best.val_loss)
        assert arm.final is not None
        assert arm.final.val_loss == history.arms[name].epochs[-1].val_loss
    table = paired(summary)
    assert table.total == 10_000
    baseline, regularized = (arm.test for arm in summary.arms.values())
    assert baseline is not None
    assert regularized is not None
    assert baseline["accuracy"] == (table.both_right + table.only_baseline) / 10_000
    assert regularized["accuracy"] == (table.both_right + table.only_arm) / 10_000
    raw = json.loads((result.folder / "summary.json").read_text())
    assert raw["schema"] == 2
    assert 0 < raw["train_seconds"] <= raw["wall_seconds"]


def test_the_folder_s_name_and_its_content_tell_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that runs are listed in the order of their names."""
    seconds = itertools.count()

    class Late(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(2026, 1, 2, 23, 59, 59, tzinfo=tz) + timedelta(seconds=next(seconds))

    for module in (runlog, circumstances):
        monkeypatch.setattr(module, "datetime", Late)
    with RunLog(tmp_path, small_preset()) as one:
        assert one.folder.name.startswith("20260102-235959-")
        assert json.loads((one.folder / "run.json").read_text())["started"] == "2026-01-02T23:59:59+00:00"


def test_two_runs_at_once_never_share_a_folder(tmp_path: Path) -> None:
    logs = [RunLog(tmp_path, small_preset()) for _ in range(20)]
    assert len({log.folder for log in logs}) == 20
    for log in logs:
        log.discard()
    assert list(tmp_path.iterdir()) == []


def test_steps_become_one_line_for_each_epoch_and_arm(tmp_path: Path) -> None:
    def steps(arm: str, first: int, losses: list[float | None]) -> StepsDone:
        return StepsDone(t=first, arm=arm, epoch=1, first_step=first, losses=losses, finite=None not in losses)

    with RunLog(tmp_path, small_preset()) as log:
        for first, losses in ((1, [1.0, 2.0]), (3, [3.0, None])):
            for arm in ("baseline", "regularized"):
                log(steps(arm, first, [*losses]))
        log(Paused(t=9, epoch=1, step=4))
    told = list(read_events(log.folder))
    assert [e.kind for e in told] == ["steps_done", "steps_done", "paused"]
    assert isinstance(told[0], StepsDone)
    assert (told[0].first_step, told[0].losses, told[0].finite) == (1, [1.0, 2.0, 3.0, None], False)


def test_a_log_cut_at_any_byte_of_its_last_line_reads_as_without_it(result: RunResult, tmp_path: Path) -> None:
    whole = (result.folder / "events.jsonl").read_bytes()
    end = whole.rindex(b"\n", 0, -1) + 1
    expected = History.of(list(read_events(result.folder))[:-1])
    for cut in range(end, len(whole)):
        (tmp_path / "events.jsonl").write_bytes(whole[:cut])
        assert History.of(read_events(tmp_path)) == expected


def test_lines_that_are_not_known_are_passed_over(result: RunResult, tmp_path: Path) -> None:
    whole = (result.folder / "events.jsonl").read_bytes()
    noise = b'{"kind": "from_the_future", "t": 1}\nnot json\n\xff\xfe\n\n[1, 2]\n'
    (tmp_path / "events.jsonl").write_bytes(noise + whole.replace(b"\n", b"\n" + noise))
    assert list(read_events(tmp_path)) == list(read_events(result.folder))


@pytest.mark.parametrize("error", [RegtuiError("the disk is full"), ValueError("surprise")])
def test_a_failure_in_training_ends_in_a_summary_and_a_traceback(
    error: Exception, tmp_path: Path, mnist_file: Path
) -> None:
    assert mnist_file.exists()

    def fail(_arm: str, step: int) -> float:
        if step > 15:
            raise error
        return 1.0

    events: list[Event] = []
    crew = ScriptedCrew({"baseline": [1.0] * 9, "regularized": [1.0] * 9}, fail)
    result = run(small_preset(), tmp_path, Control(), events.append, crew)
    assert result.summary.status == "failed"
    assert str(error) in result.summary.error
    assert isinstance(events[-1], RunFinished)
    assert "Traceback" in (result.folder / "traceback.txt").read_text()
    assert sum(isinstance(e, EpochDone) for e in read_events(result.folder)) == 2, "what was done is kept"


def test_processes_that_are_ended_while_a_run_stops_make_it_no_failure(tmp_path: Path) -> None:
    def gone(_arm: str, step: int) -> float:
        if step > 15:
            raise CrewClosedError("ended")
        return 1.0

    result = run(
        small_preset(),
        tmp_path,
        Control(),
        lambda _: None,
        ScriptedCrew({"baseline": [1.0] * 9, "regularized": [1.0] * 9}, gone),
    )
    assert (result.summary.status, result.summary.error) == ("stopped", "")
    assert not (result.folder / "traceback.txt").exists()
    verdict = judge_run(History.of(read_events(result.folder)), None)
    assert "Stopped by hand" in " ".join(" ".join(verdict_lines(verdict)).split())


def test_every_epoch_is_in_the_log_at_once_whichever_arm_s(tmp_path: Path) -> None:
    seen: list[bool] = []

    def look(event: Event) -> None:
        if isinstance(event, EpochDone):
            (folder,) = tmp_path.iterdir()
            seen.append(event in list(read_events(folder)))

    run(small_preset(), tmp_path, Control(), look, ScriptedCrew({"baseline": [1.0] * 9, "regularized": [1.0] * 9}))
    assert seen
    assert all(seen)


def test_a_run_that_cannot_begin_leaves_nothing(tmp_path: Path) -> None:
    preset = small_preset(train={"device": "cuda:63"})
    with pytest.raises(InputError, match="cuda:63 is not there"):
        run(preset, tmp_path / "new" / "logs", Control(), lambda _: None, LocalCrew())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_another_run_has_settled_in_stays(tmp_path: Path) -> None:
    logs = tmp_path / "a" / "b"
    first, second = RunLog(logs, small_preset()), RunLog(logs, small_preset())
    first.discard()
    assert second.folder.exists()
    second.discard()


def test_a_command_line_that_is_no_text_is_kept_as_escapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["regtui", "caf\udce9.toml"])
    with RunLog(tmp_path, small_preset()) as log:
        assert json.loads((log.folder / "run.json").read_text())["command"][1] == "caf\udce9.toml"


def test_an_empty_or_foreign_folder_has_no_summary(tmp_path: Path) -> None:
    assert read_summary(tmp_path) is None
    (tmp_path / "summary.json").write_text("{}")
    assert read_summary(tmp_path) is None
