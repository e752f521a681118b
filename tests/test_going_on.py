"""Which runs go on: found among many, named on the command line, and said on the first screen."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from regtui.cli.attach import find_attachable
from regtui.errors import InputError
from regtui.remote import address
from regtui.runs import alive
from regtui.runs.going_on import going_on
from regtui.study.design import Wishes, make_plan
from regtui.study.folder import StudyFolder
from regtui.tui.app import RegtuiApp
from regtui.tui.review.saved_run import SavedRunScreen
from regtui.tui.study.screen import StudyScreen
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, text_of, until
from tests.test_completion import completed
from tests.test_samples import samples

SAMPLE = next(path for path in samples() if "-dropout-" in path.name)


@pytest.fixture
def pid() -> Iterator[int]:
    """The number of another process, which lives."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process.pid
        process.kill()


def made(logs: Path, name: str, pid: int, *, ended: bool = False) -> Path:
    """A run that is trained by this process."""
    folder = logs / name
    folder.mkdir(parents=True)
    for file in ("preset.toml", "events.jsonl", *(["summary.json"] if ended else [])):
        (folder / file).write_bytes((SAMPLE / file).read_bytes())
    by = alive.identity() | {"pid": pid, "pid_started": alive._started(pid)}
    (folder / "run.json").write_text(json.dumps({"preset": "dropout", **by}))
    return folder


def test_only_runs_that_other_processes_train_now_go_on(tmp_path: Path, pid: int) -> None:
    logs = tmp_path / "logs"
    one = made(logs, "20260101-000000-dropout-0001", pid)
    two = made(logs, "20260102-000000-dropout-0002", pid)
    made(logs, "20260103-000000-dropout-0003", pid, ended=True)
    made(logs, "20260104-000000-dropout-0004", 2**22 + 1)
    (made(logs, "20260105-000000-dropout-0005", pid) / "run.json").write_text("{")
    made(logs, "20260106-000000-dropout-0006", alive.identity()["pid"])
    study = logs / "20260107-000000-study-dropout-0007"
    made(study / "runs", "20260107-000000-dropout-0008", pid)
    (study / "study.toml").touch()
    assert list(going_on(logs)) == [two, one]
    with pytest.raises(InputError, match=r"several runs go on, name one: '20260102.*', '20260101"):
        find_attachable(None, logs)


def test_the_only_run_that_goes_on_need_not_be_named(tmp_path: Path, pid: int) -> None:
    with pytest.raises(InputError, match="no run goes on in"):
        find_attachable(None, tmp_path)
    one = made(tmp_path, "20260101-000000-dropout-0001", pid)
    made(tmp_path, "20260102-000000-dropout-0002", 2**22 + 1)
    made(tmp_path, "20260103-000000-dropout-0003", pid, ended=True)
    assert find_attachable(None, tmp_path) == one
    assert find_attachable("20260101", tmp_path) == one
    assert find_attachable(str(one), tmp_path) == one


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("20260102", r"was interrupted: 'regtui --resume '?/.+/20260102-000000-dropout-0002'?' trains it on"),
        ("20260103", "does not go on, it is finished: 'regtui review"),
        ("20260107-000000-study", "is a study: 'regtui review"),
        ("2026010", "begins the names of"),
        ("nothing", "no run in"),
    ],
)
def test_who_names_another_run_reads_what_to_do(tmp_path: Path, pid: int, named: str, words: str) -> None:
    made(tmp_path, "20260102-000000-dropout-0002", 2**22 + 1)
    made(tmp_path, "20260103-000000-dropout-0003", pid, ended=True)
    study = tmp_path / "20260107-000000-study-dropout-0007"
    study.mkdir()
    (study / "study.toml").write_text("schema = 1\n")
    with pytest.raises(InputError, match=words):
        find_attachable(named, tmp_path)


def test_a_shell_completes_the_runs_that_go_on_and_those_with_a_checkpoint(tmp_path: Path, pid: int) -> None:
    going = made(tmp_path / "logs", "20260101-000000-dropout-0001", pid)
    ended = made(tmp_path / "logs", "20260102-000000-dropout-0002", pid, ended=True)
    (ended / "checkpoint").mkdir()
    assert completed("attach", "2026", cwd=tmp_path) == [going.name]
    assert completed("--resume", "2026", cwd=tmp_path) == [ended.name]


def test_finding_them_parses_nothing_of_runs_that_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        made(tmp_path, f"20260101-0000{number:02d}-dropout-0001", 1, ended=True)
    monkeypatch.setattr("regtui.runs.going_on.read_json", lambda path: pytest.fail(f"{path} was read"))
    assert list(going_on(tmp_path)) == []


async def test_the_first_screen_says_that_a_run_goes_on_and_a_key_leads_there(tmp_path: Path, pid: int) -> None:
    one = made(tmp_path, "20260101-000000-dropout-0001", pid)
    app = RegtuiApp(tmp_path, training=ScriptedTraining())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: f"A run goes on: {one.name} · a attaches" in text_of(app))
        assert "a attach" in text_of(app).splitlines()[-1]
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, SavedRunScreen))
        assert isinstance(app.screen, SavedRunScreen)
        assert app.screen.session.folder == one


@pytest.mark.slow
async def test_the_first_screen_takes_back_what_has_ended_and_finds_what_has_begun(
    tmp_path: Path, pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regtui.tui.choose.screen.STILL", 0.05)
    one = made(tmp_path, "20260101-000000-dropout-0001", pid)
    two = made(tmp_path, "20260102-000000-dropout-0002", pid)
    app = RegtuiApp(tmp_path, training=ScriptedTraining())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: f"2 runs go on, the newest is {two.name}" in text_of(app))
        (two / "summary.json").touch()
        await until(pilot, lambda: f"A run goes on: {one.name}" in text_of(app))
        (one / "summary.json").touch()
        await until(pilot, lambda: "attach" not in text_of(app))
        await pilot.press("question_mark")
        three = made(tmp_path, "20260103-000000-dropout-0003", pid)
        await pilot.press("escape")
        await until(pilot, lambda: f"A run goes on: {three.name}" in text_of(app))


@pytest.mark.slow
async def test_so_it_does_of_a_study(tmp_path: Path, pid: int) -> None:
    study = StudyFolder.create(make_plan(small_preset(), Wishes("2")), tmp_path)
    app = RegtuiApp(tmp_path, training=ScriptedTraining())
    with study.held():
        async with app.run_test(size=(120, 36)) as pilot:
            await until(pilot, lambda: f"A study goes on: {study.name} · a attaches" in text_of(app))
            await pilot.press("a")
            await until(pilot, lambda: isinstance(app.screen, StudyScreen))
        made(tmp_path, "20260101-000000-dropout-0001", pid)
        app = RegtuiApp(tmp_path, training=ScriptedTraining())
        async with app.run_test(size=(120, 36)) as pilot:
            await until(pilot, lambda: "2 runs or studies go on, the newest is" in text_of(app))


async def test_the_first_screen_removes_the_sockets_that_killed_processes_have_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    left_over = address.runtime_folder() / f"{address._host()}-0123456789abcdef.sock"
    monkeypatch.chdir(left_over.parent)  # whose own path may be too long for a socket
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(left_over.name)
    app = RegtuiApp(tmp_path / "logs", training=ScriptedTraining())
    async with app.run_test() as pilot:
        await until(pilot, lambda: not left_over.exists())


async def test_without_a_run_that_goes_on_nothing_is_said_and_the_key_does_nothing(tmp_path: Path, pid: int) -> None:
    made(tmp_path, "20260101-000000-dropout-0001", pid, ended=True)
    app = RegtuiApp(tmp_path, training=ScriptedTraining())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "ready" in text_of(app))
        first = app.screen
        await pilot.press("a")
        await pilot.pause(0.05)
        assert app.screen is first
        assert "go on" not in text_of(app)
        assert "attach" not in text_of(app)
