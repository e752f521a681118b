"""A run outlives its screen, whichever way that goes: a closed or a stalled terminal, an error of the screen's own."""

from __future__ import annotations

import json
import os
import pty
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from signal import SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP
from typing import Any

import psutil
import pytest

from regtui.engine.clock import STOOD_STILL, TICK
from regtui.engine.run import summarize
from regtui.protocol.events import RunFinished
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.tui.app import RegtuiApp
from regtui.tui.output import MOST_WAITING, Output
from regtui.tui.run.session import Session
from tests.conftest import small_preset
from tests.held import Gate
from tests.screen_double import ScriptedTraining, said, until
from tests.telling import Telling
from tests.terminal import Terminal
from tests.test_study_local import wait_until

SHOW = """
import sys
from pathlib import Path
from regtui.preset.file import load
from regtui.settings import Known, Settings
from regtui.tui.run.screen import RunScreen
from regtui.tui.start import show
from tests.held import Gate

Gate(Path(sys.argv[2])).hold()
draw = RunScreen._draw

def fail(screen):
    if screen.session.history.arms.get("baseline") and screen.session.history.arms["baseline"].epochs:
        raise ZeroDivisionError("a fault of the screen")
    draw(screen)

RunScreen._draw = fail
preset = load("smoke", ["train.epochs=2"])
sys.exit(show(preset, Path(sys.argv[1]), theme="dark", known=Known(Settings()), start=True))
"""
"""The program with a screen that fails after the first epoch, at whose end the run waits for that."""
ROOT = Path(__file__).parent.parent


@pytest.fixture
def logs(tmp_path: Path, mnist_file: Path) -> Path:
    assert mnist_file.exists()
    return tmp_path / "logs"


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Where runs wait after their first epoch until their screen has gone."""
    return Gate(tmp_path / "gate")


def regtui(logs: Path, epochs: int, program: Sequence[str] = ("-m", "regtui")) -> Terminal:
    words = ("--preset", "smoke", "--start", "--epochs", str(epochs))
    return Terminal(*program, "--log-dir", logs, *words, cwd=logs.parent)


def told(logs: Path, kind: str) -> list[Any]:
    """The events of this kind that are in the log."""
    files = list(logs.glob("*/events.jsonl"))
    return [event for event in read_events(files[0].parent) if event.kind == kind] if files else []


def summary(logs: Path) -> dict[str, Any]:
    (folder,) = logs.iterdir()
    written: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return written


def assert_complete(logs: Path, epochs: int) -> None:
    assert summary(logs)["status"] == "finished"
    for arm in ("baseline", "regularized"):
        assert [event.epoch for event in told(logs, "epoch_done") if event.arm == arm] == [*range(1, epochs + 1)]
    assert len(told(logs, "scored")) == len(told(logs, "run_finished")) == 1


# The terminal goes


@pytest.mark.slow
def test_a_closed_terminal_leaves_the_run_to_its_end(logs: Path, gate: Gate) -> None:
    with regtui(logs, 2, gate.program) as terminal:
        terminal.until(lambda: gate.waiting)
        terminal.family()
        terminal.hang_up()
        assert terminal.exit_code() == 0
        assert terminal.all_gone()
    assert_complete(logs, 2)


@pytest.mark.slow
def test_a_hang_up_by_hand_leaves_the_run_to_its_end_and_gives_the_terminal_back(logs: Path, gate: Gate) -> None:
    with regtui(logs, 2, gate.program) as terminal:
        terminal.until("Loading PyTorch")  # before there is anything to keep
        terminal.signal(SIGHUP)
        assert terminal.wait() == 0
        said = terminal.normal_screen
        assert terminal.attributes == terminal.attributes_before
    assert said.startswith("regtui: the screen was closed; the run goes on without it")
    assert said.splitlines()[-1].startswith("log  ")
    assert_complete(logs, 2)


@pytest.mark.slow
def test_a_paused_run_whose_terminal_was_closed_can_still_be_stopped(logs: Path) -> None:
    with regtui(logs, 500) as terminal:
        terminal.until(lambda: told(logs, "epoch_done"))
        terminal.press(" ")
        terminal.until(lambda: told(logs, "paused"))
        terminal.family()
        terminal.hang_up()
        time.sleep(1)  # the screen goes, and nothing else
        assert not told(logs, "run_finished")
        terminal.signal(SIGTERM)
        assert terminal.exit_code() == 128 + SIGTERM
        assert terminal.all_gone()
    assert summary(logs)["status"] == "stopped"
    assert summary(logs)["arms"]["baseline"]["test"] is not None


@pytest.mark.slow
def test_a_terminal_that_does_not_read_holds_up_neither_run_nor_signals(logs: Path) -> None:
    with regtui(logs, 500) as terminal:
        wait_until(lambda: len(told(logs, "epoch_done")) >= 16)  # and nothing is read from the terminal
        terminal.signal(SIGTERM)
        assert terminal.exit_code() == 128 + SIGTERM
    assert summary(logs)["status"] == "stopped"


def test_nobody_waits_for_a_terminal_and_it_is_drawn_anew_when_it_has_caught_up() -> None:
    master, slave = pty.openpty()
    anew: list[float] = []
    with open(slave, "w", encoding="utf-8") as file:  # noqa: PTH123
        output = Output(file)
        output.draw_anew = lambda: anew.append(time.monotonic())
        output.start()
        for _ in range(10 * MOST_WAITING):
            output.write("frame " * 2_000)
        output.write("left", always=True)
        assert not anew
        assert not output.stop(), "it would have to wait for the terminal"
        read = b""
        while not read.endswith(b"left"):
            read += os.read(master, 65_536)
        output.join(120)
    assert not output.is_alive()
    assert 0 < read.count(b"frame") < 10 * MOST_WAITING * 2_000
    os.close(master)


def test_a_terminal_that_was_closed_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regtui.tui.output.LAST_MOMENT", 120.0)
    master, slave = pty.openpty()
    with open(slave, "w", encoding="utf-8") as file:  # noqa: PTH123
        output = Output(file)
        output.start()
        os.close(master)
        for _ in range(10 * MOST_WAITING):
            output.write("frame", always=True)
        assert output.stop()


# The screen fails


@pytest.mark.slow
def test_a_screen_that_fails_leaves_the_run_to_its_end_told_in_lines(logs: Path) -> None:
    with Terminal("-c", SHOW, logs, logs.parent / "gate", cwd=ROOT) as terminal:
        assert terminal.wait() == 0
        assert terminal.attributes == terminal.attributes_before
        said = terminal.normal_screen.splitlines()
        assert terminal.all_gone()
    (folder,) = logs.iterdir()
    assert said[0].startswith("regtui: the screen failed: ZeroDivisionError: a fault of the screen; the run goes on")
    assert any(line.split()[:2] == ["2/2", "regularized"] for line in said), said
    assert said[-1] == f"log  {folder}"
    assert "ZeroDivisionError" in (folder / "screen-traceback.txt").read_text()
    assert_complete(logs, 2)


def test_a_run_without_its_screen_is_stopped_by_ctrl_c_as_one_that_had_none(tmp_path: Path) -> None:
    app = RegtuiApp(tmp_path)
    app.signal = SIGINT
    assert app.exit_code == 128 + SIGINT
    app.outlived = True
    assert app.exit_code == 0, "that of the last run"
    app.session = Session(small_preset(), lambda: None)
    assert app.exit_code == 128 + SIGINT, "before there was anything to keep"
    app.signal, app.session = SIGTERM, None
    assert app.exit_code == 128 + SIGTERM


async def test_what_fails_in_the_background_is_said_and_the_screen_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a fault of a thread")

    monkeypatch.setattr("regtui.tui.review.screen.read_runs", fail)
    app = RegtuiApp(tmp_path, review=())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "ZeroDivisionError: a fault of a thread" in said(app))
        assert app.is_running
    assert "in fail" in app.failed_threads[0]


def test_a_run_that_ends_as_its_terminal_goes_keeps_its_own_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, session = RegtuiApp(tmp_path), Session(small_preset(), lambda: None)
    monkeypatch.setattr(app, "exit", lambda *_: None)
    app.session = session
    app.lose_screen()  # as the system tells it: by a signal, by an error of who reads, by a poll
    finished = [*Telling(small_preset()).start().events, RunFinished(t=1, status="finished")]
    session.summary, session.ended = summarize(session.preset, History.of(finished), 1.0), True
    app.lose_screen()
    assert app.exit_code == 0


# A study


@pytest.mark.slow
def test_a_closed_terminal_leaves_a_study_to_its_end(logs: Path, gate: Gate) -> None:
    words = ("study", "smoke", "--seeds", "2", "--jobs", "1", "--set", "train.epochs=1", "--log-dir", logs)
    with Terminal(*gate.program, *words, cwd=logs.parent) as terminal:
        terminal.until(lambda: gate.waiting)
        terminal.family()
        terminal.hang_up()
        assert terminal.exit_code() == 0
        assert terminal.all_gone()
    (study,) = logs.iterdir()
    assert json.loads((study / "study.json").read_text())["state"] == "finished"
    assert len(list(study.glob("runs/*/summary.json"))) == 2


# The process stands still for a while


@pytest.mark.slow
def test_a_stopped_process_gives_the_terminal_back_and_takes_it_again(logs: Path) -> None:
    with regtui(logs, 500) as terminal:
        terminal.until(lambda: told(logs, "epoch_done"))
        terminal.signal(SIGTSTP)
        terminal.until(lambda: terminal.process.status() == psutil.STATUS_STOPPED)
        assert terminal.attributes == terminal.attributes_before
        terminal.read(0.2)
        terminal.until(lambda: b"\x1b[?1049l" in terminal.written)
        assert terminal.written.rfind(b"\x1b[?1049l") > terminal.written.rfind(b"\x1b[?1049h")
        before, seen = len(told(logs, "epoch_done")), len(terminal.written)
        time.sleep(STOOD_STILL)
        assert len(told(logs, "epoch_done")) == before
        terminal.signal(SIGCONT)
        terminal.until(lambda: len(told(logs, "epoch_done")) > before)
        terminal.until(lambda: b"lr 0.001" in terminal.written[seen:])  # all of the screen, not what has changed
        terminal.until(lambda: terminal.attributes != terminal.attributes_before)
        assert terminal.written.find(b"\x1b[?1049h", seen) > 0
        terminal.signal(SIGTERM)
        assert terminal.wait() == 128 + SIGTERM
        assert terminal.attributes == terminal.attributes_before
    assert any(event.seconds > STOOD_STILL - TICK for event in told(logs, "suspended"))


def test_a_run_whose_screen_failed_before_it_could_begin_begins_all_the_same(tmp_path: Path) -> None:
    """A failure in the screen's first moment cancels its threads that have not begun: nobody would ever end the run."""
    training = ScriptedTraining()
    app = RegtuiApp(tmp_path, small_preset(), training=training)
    app.session = session = Session(small_preset(), lambda: None)
    app.begin_late()
    training.open(3)
    wait_until(lambda: session.ended)
    assert session.error is None
    assert app._begun is session
    before = threading.active_count()
    app.begin_late()
    assert threading.active_count() <= before, "it is not begun twice"
