"""Leaving a run that goes on: another process takes it over at an epoch's end, or it goes on here with nothing lost."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
from textual.widgets import Static

from regtui.engine import detach
from regtui.errors import RegtuiError
from regtui.protocol.events import Saving
from regtui.runs.events import read_events
from regtui.tui.app import RegtuiApp
from regtui.tui.run.leaving import RUNNING, LeaveQuestion
from tests.screen_double import said, until
from tests.terminal import Terminal
from tests.test_tui_run import epochs, running

HERE = os.getpid()


def taken_over_by(monkeypatch: pytest.MonkeyPatch, pid: int | None) -> list[Path]:
    """Have a process of this number take runs over, or none; the folders that it is asked for."""
    asked: list[Path] = []

    def begin(folder: Path) -> int:
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
    assert app.session.outcome()[-1] == f"regtui attach {app.session.folder}"
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


async def test_a_stop_that_comes_while_another_process_takes_over_reaches_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr("regtui.tui.run.train_here.os.kill", lambda pid, number: sent.append((pid, number)))
    async with running(tmp_path) as (app, pilot, training):

        def begin(_folder: Path) -> int:
            app.stop_work()
            return HERE

        monkeypatch.setattr(detach, "begin", begin)
        await epochs(app, pilot, training, 1)
        await pilot.press("q", "l")
        training.open(1)
        await until(pilot, lambda: not app.is_running)
    assert (HERE, signal.SIGTERM) in sent


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
        training.open(100)
        await until(pilot, lambda: app.session is not None and app.session.ended)
    assert not asked
    assert app.session.status == status


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


# The other process


@pytest.mark.slow
def test_a_process_that_can_not_go_on_says_why(tmp_path: Path) -> None:
    with pytest.raises(RegtuiError, match=r"another process can't go on with it: .*is no run's folder"):
        detach.begin(tmp_path)


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
        terminal.read(1)  # as somebody reads it: a question takes nothing that was typed before it was seen
        terminal.press("l")
        assert terminal.wait(60) == 0
        said_last = terminal.normal_screen
    (folder,) = logs.iterdir()
    other = psutil.Process(json.loads((folder / "run.json").read_text())["pid"])
    try:
        assert f"in process {other.pid}" in " ".join(said_last.split())
        assert said_last.splitlines()[-1] == f"regtui attach {folder}"
        assert other.terminal() is None
        assert os.getsid(other.pid) == other.pid
        (seam,) = told("interrupted")
        assert seam.epoch >= 1
        other.send_signal(signal.SIGTERM)
        other.wait(30)
    finally:
        if other.is_running():
            other.kill()
    assert json.loads((folder / "summary.json").read_text())["status"] == "stopped"
    for arm in ("baseline", "regularized"):
        done = [event.epoch for event in told("epoch_done") if event.arm == arm]
        assert done == [*range(1, len(done) + 1)]
