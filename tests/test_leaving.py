"""Leaving a run that goes on: another process takes it over at an epoch's end, or it goes on here with nothing lost."""

from __future__ import annotations

import json
import os
import shlex
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from textual.widgets import Static

from regtui.engine import detach
from regtui.engine.child import kill_all
from regtui.engine.process import CrewClosedError
from regtui.engine.resume import Changes
from regtui.engine.run import RunResult, summarize
from regtui.engine.watch import StalledError
from regtui.errors import RegtuiError
from regtui.protocol.control import Control, HandOver, Stop
from regtui.protocol.events import ControlApplied, RunFinished, Saving
from regtui.protocol.history import History
from regtui.protocol.who import Who
from regtui.runs.events import read_events
from regtui.runs.lock import is_locked
from regtui.runs.log import RunLog
from regtui.runs.read import read_run
from regtui.runs.resumable import resumable
from regtui.runs.summary import read_summary
from regtui.tui.app import RegtuiApp
from regtui.tui.run.leaving import RUNNING, LeaveQuestion
from regtui.tui.run.session import Session
from regtui.tui.run.train_here import train_here
from tests.conftest import small_preset
from tests.same_run import course
from tests.screen_double import ScriptedTraining, said, until
from tests.terminal import Terminal
from tests.test_tui_run import epochs, running

HERE = os.getpid()


def taken_over_by(monkeypatch: pytest.MonkeyPatch, pid: int | None) -> list[Path]:
    """Have a process of this number take runs over, or none; the folders that it is asked for."""
    asked: list[Path] = []

    def begin(folder: Path, _wanted: Callable[[], bool]) -> int:
        asked.append(folder)
        if pid is None:
            raise RegtuiError("another process can't be started: no room")
        return pid

    monkeypatch.setattr(detach, "begin", begin)
    return asked


def asked_in_words(app: RegtuiApp) -> str:
    assert isinstance(app.screen, LeaveQuestion)
    return " ".join(str(part.render()) for part in app.screen.query(Static))


async def test_left_running_it_is_taken_over_at_the_end_of_its_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = taken_over_by(monkeypatch, HERE)
    async with running(tmp_path, size=(80, 24)) as (app, pilot, training):
        await epochs(app, pilot, training, 1)
        assert app.session is not None
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, LeaveQuestion))
        assert (
            "Left running, it is handed over at the end of its epoch; 'regtui attach' shows it again"
            in asked_in_words(app)
        )
        await pilot.press("l")
        await until(pilot, lambda: "Leaving at the end of epoch 2, when another process takes" in said(app))
        assert not asked
        training.open(1)
        await until(pilot, lambda: asked)
        await until(pilot, lambda: not app.is_running)
    assert asked == [app.session.folder]
    assert app.exit_code == 0
    assert app.session.outcome()[-1] == f"regtui attach {shlex.quote(str(app.session.folder))}"
    assert f"in process {HERE}" in app.session.outcome()[0]
    told = list(read_events(asked[0]))
    assert [event.epoch for event in told if event.kind == "epoch_done" and event.arm == "baseline"] == [1, 2]
    assert not [event for event in told if event.kind in ("run_finished", "scored", "arm_stopped")]
    assert not (asked[0] / "summary.json").exists()


async def test_a_run_that_nobody_takes_over_goes_on_here_as_if_nothing_had_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = taken_over_by(monkeypatch, None)
    async with running(tmp_path) as (app, pilot, training):
        await epochs(app, pilot, training, 1)
        assert app.session is not None
        await pilot.press("q", "l")
        training.open(1)
        await until(pilot, lambda: "The run goes on here: another process can't be started: no room" in said(app))
        training.open(100)
        await until(pilot, lambda: app.session is not None and app.session.ended)
        assert app.is_running, "who could not leave stays"
    told = list(read_events(asked[0]))
    assert [event.epoch for event in told if event.kind == "epoch_done" and event.arm == "baseline"] == [*range(1, 7)]
    assert len([event for event in told if event.kind == "interrupted"]) == 1
    assert app.session.status == "finished"


@pytest.mark.parametrize("ends", [True, False])
async def test_a_stop_that_comes_while_another_process_takes_over_reaches_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    stopped: list[int] = []

    def stop(pid: int) -> None:
        stopped.append(pid)
        if ends:
            with (folders[0] / "events.jsonl").open("a") as log:
                log.write(RunFinished(t=1e3, status="stopped").model_dump_json() + "\n")
            summary = summarize(small_preset(), History.of(read_events(folders[0])), 1.0)
            (folders[0] / "summary.json").write_text(summary.model_dump_json(by_alias=True))

    monkeypatch.setattr(detach, "stop", stop)
    folders: list[Path] = []
    async with running(tmp_path) as (app, pilot, training):

        def begin(folder: Path, wanted: Callable[[], bool]) -> int:
            folders.append(folder)
            app.stop_work()
            assert wanted(), "it is told when it trains, so that it tests and saves"
            return 4242

        monkeypatch.setattr(detach, "begin", begin)
        await epochs(app, pilot, training, 1)
        await pilot.press("q", "l")
        training.open(1)
        await until(pilot, lambda: not app.is_running)
    assert stopped == [4242]
    assert app.exit_code == (4 if ends else 1)
    assert app.session is not None
    words = " ".join(app.session.outcome())
    assert "goes on without a screen" not in words
    assert ends or "'regtui --resume' goes on with it" in words


@pytest.mark.parametrize("answer", ["g", "x"])
async def test_while_the_other_process_begins_it_may_still_be_answered_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    waits, folders = threading.Event(), list[Path]()

    def begin(folder: Path, wanted: Callable[[], bool]) -> int | None:
        folders.append(folder)
        waits.set()
        deadline = time.monotonic() + 120
        while wanted():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return None

    monkeypatch.setattr(detach, "begin", begin)
    async with running(tmp_path) as (app, pilot, training):
        await epochs(app, pilot, training, 1)
        await pilot.press("q", "l")
        training.open(1)
        await until(pilot, waits.is_set)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, LeaveQuestion))
        await pilot.press(answer)
        training.open(100)
        await until(pilot, lambda: app.session is not None and app.session.ended)
        assert app.session is not None
        if answer == "g":
            assert app.is_running, "who goes on stays"
            assert "as was asked for since" not in said(app)
            assert app.session.status == "finished"
        await until(pilot, lambda: answer == "g" or not app.is_running)
    if answer == "x":
        assert (app.exit_code, app.session.status) == (4, "stopped")
        assert app.session.outcome()[-1] == f"log  {folders[0]}"


@pytest.mark.parametrize(("answer", "status"), [("g", "finished"), ("k", "stopped")])
async def test_until_then_it_may_still_be_answered_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, status: str
) -> None:
    asked = taken_over_by(monkeypatch, HERE)
    async with running(tmp_path) as (app, pilot, training):
        await epochs(app, pilot, training, 1)
        assert app.session is not None
        await pilot.press("q", "l", "q")
        await until(pilot, lambda: isinstance(app.screen, LeaveQuestion))
        assert "unless you choose something else" in asked_in_words(app)
        await pilot.press(answer)
        await until(pilot, lambda: answer != "g" or said(app) == "The run goes on here.")
        training.open(100)
        await until(pilot, lambda: app.session is not None and app.session.ended)
    assert not asked
    assert app.session.status == status


async def test_a_paused_run_that_is_left_running_goes_on_which_is_said_before(tmp_path: Path) -> None:
    async with running(tmp_path, size=(80, 24)) as (app, pilot, training):
        await epochs(app, pilot, training, 1)
        await pilot.press("space")
        training.open(1)
        await until(pilot, lambda: app.session is not None and app.session.history.paused)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, LeaveQuestion))
        assert "Left running, it goes on and is handed over at the end of its epoch" in asked_in_words(app)


async def test_left_running_in_its_last_epoch_it_is_left_when_it_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = taken_over_by(monkeypatch, HERE)
    async with running(tmp_path) as (app, pilot, training):
        await epochs(app, pilot, training, 5)
        await until(pilot, lambda: app.session is not None and app.session.epoch == 6)
        await pilot.press("q", "l")
        await until(pilot, lambda: "This is its last epoch: leaving when the run has ended." in said(app))
        training.open(1)
        await until(pilot, lambda: not app.is_running)
    assert not asked
    assert app.session is not None
    assert (app.session.status, app.exit_code) == ("finished", 0)
    assert app.session.outcome()[-1] == f"log  {app.session.folder}"


async def test_a_run_whose_weights_cannot_be_saved_cannot_be_left_running(tmp_path: Path) -> None:
    async with running(tmp_path, size=(80, 24)) as (app, pilot, training):
        await epochs(app, pilot, training, 1)
        assert app.session is not None
        words = "the weights are not saved since epoch 1: no space left on device"
        app.session.tell(Saving(t=1.0, what="weights", saved=False, words=words))
        await until(pilot, lambda: app.session is not None and app.session.history.unsaved)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, LeaveQuestion))
        assert f"It can't be left running now: {words}." in asked_in_words(app)
        assert "Leave it running" not in asked_in_words(app)
        assert RUNNING not in [choice.value for choice in app.screen._choices]  # type: ignore[attr-defined]


# Stopped while nobody trains it


class Interrupted(ScriptedTraining):
    """Trains as a script says; when a run is to go on here, `at` is called before its arms are back."""

    def __init__(self, at: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.at = at
        self.open(100)

    def resume(self, *how: Any) -> RunResult:
        self.at()
        return super().resume(*how)


def left_running(training: ScriptedTraining, tmp_path: Path) -> tuple[Session, list[str]]:
    """A run that its user leaves running in its first epoch, when it has ended here; and what was said."""
    session, words = Session(small_preset(), lambda: None), list[str]()
    session.is_left_running = True
    session.control.send(HandOver())
    train_here(training, session, tmp_path / "logs", lambda said, _error: words.append(said))
    assert session.ended
    return session, words


def assert_ended(session: Session, epochs: int, *, tested: bool) -> Path:
    """See that a run has the end of one that was stopped, which all of its files tell, and can be resumed."""
    assert (session.status, session.error, session.folder is not None) == ("stopped", None, True)
    assert session.folder is not None
    summary, told = read_summary(session.folder), list(read_events(session.folder))
    assert summary is not None
    assert [bool(arm.test) for arm in summary.arms.values()] == [tested, tested]
    assert [arm.stop_reason for arm in summary.arms.values()] == ["stopped", "stopped"]
    assert [event.epoch for event in told if event.kind == "epoch_done" and event.arm == "baseline"] == [
        *range(1, epochs + 1)
    ]
    assert [event.command for event in told if isinstance(event, ControlApplied)][-1] == "stop"
    assert [event.kind for event in told][-1] == "run_finished"
    assert read_run(session.folder).status == "stopped"
    assert not is_locked(session.folder)
    assert resumable(session.folder).words == f"goes on after epoch {epochs} of 3"
    return session.folder


def test_one_that_is_stopped_at_once_while_the_other_process_begins_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(_folder: Path, wanted: Callable[[], bool]) -> None:
        training.control.send(Stop())
        assert wanted(), "it is told when it trains, so that it tests and saves"
        training.control.send(Stop(at_once=True))
        assert not wanted()

    training = Interrupted()
    monkeypatch.setattr(detach, "begin", begin)
    session, _ = left_running(training, tmp_path)
    folder = assert_ended(session, 1, tested=False)
    training.resume(folder, Changes(), Control(), lambda _event: None, lambda _folder: None)
    whole = Interrupted().run(small_preset(), tmp_path / "whole", Control(), lambda _event: None, lambda _folder: None)
    assert course(folder) == course(whole.folder), "resumed, it ends as if nothing had been"


def test_one_whose_other_process_is_told_to_end_is_stopped_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(_folder: Path, _wanted: Callable[[], bool]) -> None:
        raise detach.StoppedError("the process that was to take it over was told to end, by signal 15")

    monkeypatch.setattr(detach, "begin", begin)
    session, words = left_running(Interrupted(), tmp_path)
    assert words[-1] == "The run stops here: the process that was to take it over was told to end, by signal 15"
    assert_ended(session, 1, tested=True)


@pytest.mark.parametrize("error", [CrewClosedError("the processes that train were ended"), StalledError("no answer")])
def test_one_that_is_stopped_while_it_gets_ready_to_go_on_here_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: RegtuiError
) -> None:
    def stopped() -> None:
        raise error

    taken_over_by(monkeypatch, None)
    session, _ = left_running(Interrupted(stopped), tmp_path)
    assert_ended(session, 1, tested=False)


def test_a_viewer_who_stops_it_in_the_last_moment_before_it_is_handed_over_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, hand_over = taken_over_by(monkeypatch, HERE), RunLog.hand_over
    viewer = Who(pid=4242, user="alice")

    def stop_then(log: RunLog, t: float) -> None:
        training.control.send(Stop(by=viewer))
        hand_over(log, t)

    training = Interrupted()
    monkeypatch.setattr(RunLog, "hand_over", stop_then)
    session, _ = left_running(training, tmp_path)
    folder = assert_ended(session, 1, tested=True)
    assert not asked
    (stop,) = [event for event in read_events(folder) if isinstance(event, ControlApplied) and event.command == "stop"]
    assert stop.by == viewer


def test_one_that_can_not_be_given_an_end_is_interrupted_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped() -> None:
        with (next((tmp_path / "logs").iterdir()) / "events.jsonl").open("w"):
            pass  # its log was emptied meanwhile
        raise CrewClosedError("the processes that train were ended")

    taken_over_by(monkeypatch, None)
    session, _ = left_running(Interrupted(stopped), tmp_path)
    assert session.error is not None
    assert session.error.exit_code == 4
    assert str(session.error).startswith("the run stopped after its last saved epoch; ")
    assert not list(tmp_path.glob("logs/*/summary.json"))


@pytest.mark.parametrize("saved", [False, True])
def test_one_that_is_ended_before_it_trains_says_what_is_kept(tmp_path: Path, saved: bool) -> None:
    class Ended(ScriptedTraining):
        def run(self, *_: Any) -> RunResult:
            raise CrewClosedError("the processes that train were ended")

        def resume(self, *_: Any) -> RunResult:
            return self.run()

    session = Session(small_preset(), lambda: None)
    if saved:
        session.folder, session.resumes = tmp_path, Changes()
    train_here(Ended(), session, tmp_path, lambda _words, _error: None)
    assert session.error is not None
    assert str(session.error) == (
        "ended before it trained on; the run is as it was" if saved else "ended before training began; nothing is kept"
    )
    assert (session.error.exit_code, session.ended) == (4, True)


# The other process


@pytest.mark.slow
def test_a_process_that_can_not_go_on_says_why(tmp_path: Path) -> None:
    with pytest.raises(RegtuiError, match=r"another process can't go on with it: .*is no run's folder"):
        detach.begin(tmp_path, lambda: True)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, detach.StoppedError), (signal.SIGKILL, RegtuiError)])
def test_one_that_is_told_to_end_before_it_trains_is_known_from_one_that_dies(
    tmp_path: Path, number: int, error: type[RegtuiError]
) -> None:
    def begins(pid: int) -> bool:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return False

    with pytest.raises(RegtuiError) as raised:
        detach.start(("--resume", str(tmp_path), "--headless"), tmp_path, begins)
    assert type(raised.value) is error


@pytest.mark.slow
def test_one_that_never_begins_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detach, "PATIENCE", 0.3)
    begun: list[int] = []

    def begins(pid: int) -> bool:
        begun.append(pid)
        return False

    long = ("--preset", "smoke", "--epochs", "100000", "--headless", "--log-dir", str(tmp_path / "logs"))
    with pytest.raises(RegtuiError, match="did not begin"):
        detach.start(long, tmp_path, begins)
    assert not psutil.pid_exists(begun[0])


@pytest.mark.slow
def test_one_that_is_not_wanted_any_more_is_ended_and_so_it_is_with_a_program_that_is_cut_off(tmp_path: Path) -> None:
    long = ("--preset", "smoke", "--epochs", "100000", "--headless", "--log-dir", str(tmp_path / "logs"))
    begun: list[int] = []

    def begins(pid: int) -> bool:
        begun.append(pid)
        return False

    def cut_off(pid: int) -> bool:
        kill_all()
        return begins(pid)

    assert detach.start(long, tmp_path, begins, lambda: not begun) is None
    assert not psutil.pid_exists(begun[0])

    with pytest.raises(RegtuiError, match="exit code -9"):
        detach.start(long, tmp_path, cut_off)
    assert not psutil.pid_exists(begun[-1])


@pytest.mark.slow
def test_a_run_that_is_left_running_goes_on_without_the_terminal_and_can_be_stopped(
    tmp_path: Path, mnist_file: Path
) -> None:
    assert mnist_file.exists()
    logs = tmp_path / "logs"

    def told(kind: str) -> list[Any]:
        return [event for log in logs.glob("*/events.jsonl") for event in read_events(log.parent) if event.kind == kind]

    words = ("--log-dir", logs, "--preset", "smoke", "--start", "--epochs", "500")
    with Terminal("-m", "regtui", *words, cwd=tmp_path) as terminal:
        terminal.until(lambda: told("epoch_done"))
        terminal.press("q")
        terminal.until("Leave while the run goes on?")
        terminal.press_until("l", lambda: terminal.has_ended)
        assert terminal.wait() == 0
        said_last = terminal.normal_screen
    (folder,) = logs.iterdir()
    other = psutil.Process(json.loads((folder / "run.json").read_text())["pid"])
    try:
        assert f"in process {other.pid}" in " ".join(said_last.split())
        said = said_last.splitlines()  # below it a key may stand that was pressed once more as the program ended
        assert f"regtui attach {shlex.quote(str(folder))}" in said[-2:]
        assert other.terminal() is None
        assert os.getsid(other.pid) == other.pid
        (seam,) = told("interrupted")
        assert seam.epoch >= 1
        other.send_signal(signal.SIGTERM)
        other.wait(120)
    finally:
        if other.is_running():
            other.kill()
    assert json.loads((folder / "summary.json").read_text())["status"] == "stopped"
    for arm in ("baseline", "regularized"):
        done = [event.epoch for event in told("epoch_done") if event.arm == arm]
        assert done == [*range(1, len(done) + 1)]
