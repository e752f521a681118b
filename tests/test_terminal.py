"""The real program with the real engine in a real terminal: how it ends, what it leaves, and that it is gone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from signal import SIGTERM
from typing import Any

import pytest

from regtui.runs.log import read_events
from tests.command import environment
from tests.terminal import LEFT, Terminal

pytestmark = pytest.mark.slow

LONG = ("--preset", "smoke", "--start", "--epochs", "500")
GONE_WITHIN = 2.0
SHOW = """
import sys
from pathlib import Path
from regtui.console import complain
from regtui.errors import RegtuiError
from regtui.preset.file import load
from regtui.tui.run.screen import RunScreen
from regtui.tui.start import show

draw = RunScreen._draw

def fail(screen):
    if screen.session.history.arms.get("baseline") and screen.session.history.arms["baseline"].epochs:
        raise ZeroDivisionError("a fault of the screen")
    draw(screen)

RunScreen._draw = fail
try:
    show(load("smoke", ["train.epochs=500"]), Path(sys.argv[1]), start=True, quit_when_done=False,
         ascii_only=False, debug=False)
except RegtuiError as error:
    complain(f"regtui: {error}")
    sys.exit(error.exit_code)
"""
"""The program with a screen that fails after the first epoch."""


def regtui(logs: Path, *options: str, env: Mapping[str, str] | None = None, **size: int) -> Terminal:
    return Terminal("-m", "regtui", "--log-dir", logs, *options, cwd=logs.parent, env=env, **size)


@pytest.fixture
def logs(tmp_path: Path, mnist_file: Path) -> Path:
    assert mnist_file.exists()
    return tmp_path / "logs"


def folder(logs: Path) -> Path:
    (only,) = logs.iterdir()
    return only


def summary(logs: Path) -> dict[str, Any]:
    written: dict[str, Any] = json.loads((folder(logs) / "summary.json").read_text())
    return written


def told(logs: Path, kind: str) -> list[Any]:
    """The events of this kind that are in the log."""
    files = list(logs.glob("*/events.jsonl"))
    return [event for event in read_events(files[0].parent) if event.kind == kind] if files else []


def until_told(terminal: Terminal, logs: Path, kind: str) -> None:
    terminal.until(lambda: told(logs, kind))
    assert len(terminal.family()) >= 3, "the program and one process an arm"


def assert_restored(terminal: Terminal) -> None:
    """Nothing of what the program asked of the terminal is left on."""
    assert terminal.attributes == terminal.attributes_before
    modes = {b"1049": b"l", b"25": b"h", b"7": b"h"} | dict.fromkeys(
        (b"1000", b"1002", b"1003", b"1004", b"1006", b"1015", b"2004"), b"l"
    )
    for mode, wanted in modes.items():
        on, off = (terminal.written.rfind(b"\x1b[?" + mode + letter) for letter in (b"h", b"l"))
        assert on == off == -1 or (b"h" if on > off else b"l") == wanted, f"mode {mode!r} is left as it was not"
    assert terminal.written.count(LEFT) >= 1
    assert "Traceback" not in terminal.text


# A run to its end


def test_it_leaves_by_itself_with_the_verdict_on_the_normal_screen(logs: Path) -> None:
    with regtui(logs, "--preset", "smoke", "--start", "--quit-when-done") as terminal:
        assert terminal.wait() == 0
        assert_restored(terminal)
        said = terminal.normal_screen
    assert said.startswith("On this split and seed, dropout 0.2")
    assert said.splitlines()[-1] == f"log  {folder(logs)}"
    assert summary(logs)["status"] == "finished"


def test_with_ascii_no_other_byte_is_written(logs: Path) -> None:
    plain = {"LANG": "C", "LC_ALL": "C", "TERM": "vt100"}
    with regtui(logs, "--preset", "smoke", "--start", "--ascii", "--epochs", "1", env=plain) as terminal:
        terminal.until(lambda: told(logs, "run_finished"))
        terminal.until("log  ")
        terminal.press("d", "w", "\x1b", "i", "\x1b", "?", "\x1b", "c")
        terminal.until("small-data")
        terminal.press("q")
        assert terminal.wait() == 0, terminal.normal_screen
        assert_restored(terminal)
        assert terminal.normal_screen.startswith("On this split and seed")
        assert not re.findall(rb".{0,40}[\x80-\xff]+.{0,20}", terminal.written)


def test_a_run_that_diverges_ends_with_3(logs: Path) -> None:
    options = ("--preset", "smoke", "--start", "--quit-when-done", "--set", "train.learning_rate=1e6")
    with regtui(logs, *options) as terminal:
        assert terminal.wait() == 3
        assert_restored(terminal)
        assert f"log  {folder(logs)}" in terminal.normal_screen
    assert summary(logs)["status"] == "diverged"


def test_a_device_that_is_not_there_is_a_sentence_and_leaves_nothing(logs: Path) -> None:
    with regtui(logs, "--preset", "smoke", "--start", "--quit-when-done", "--device", "cuda:7") as terminal:
        assert terminal.wait() == 2
        assert_restored(terminal)
        assert "cuda:7" in terminal.normal_screen
    assert not logs.exists() or not list(logs.iterdir())


def test_patience_lowered_by_keys_stops_the_run(logs: Path) -> None:
    with regtui(logs, *LONG, "--patience", "3", "--set", "train.learning_rate=0.03") as terminal:
        terminal.until(lambda: told(logs, "epoch_done"))
        terminal.press("-", "-")
        terminal.until(lambda: told(logs, "control_applied"))
        terminal.until(lambda: told(logs, "run_finished"))
        terminal.until("log  ")
        terminal.press("q")
        assert terminal.wait() == 0
    (first, *_) = told(logs, "control_applied")
    assert (first.command, first.accepted) == ("set_patience", True)
    stopped = told(logs, "arm_stopped")
    assert {event.reason for event in stopped} == {"early_stopping"}
    assert summary(logs)["interventions"] >= 1


# Quitting while it trains


@pytest.mark.parametrize(("ask", "answer"), [("q", "k"), ("\x03", "x")])
def test_quitting_asks_and_is_gone_within_two_seconds(logs: Path, ask: str, answer: str) -> None:
    with regtui(logs, *LONG) as terminal:
        until_told(terminal, logs, "epoch_done")
        terminal.press(ask)
        terminal.until("Leave while the run goes on?")
        answered = time.perf_counter()
        terminal.press(answer)
        assert terminal.wait() == 4
        assert terminal.all_gone(answered + GONE_WITHIN - time.perf_counter())
        assert_restored(terminal)
        assert f"log  {folder(logs)}" in terminal.normal_screen
    assert summary(logs)["status"] == "stopped"
    assert (summary(logs)["arms"]["baseline"]["test"] is None) == (answer == "x")


def test_quitting_while_torch_is_imported_is_gone_within_two_seconds(logs: Path) -> None:
    with regtui(logs) as terminal:
        terminal.until("small-data")
        terminal.until(lambda: len(terminal.family()) >= 3)
        pressed = time.perf_counter()
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.all_gone(pressed + GONE_WITHIN - time.perf_counter())
        assert_restored(terminal)
        assert terminal.normal_screen == ""
    assert not logs.exists()


# Ended from outside


def test_sigterm_keeps_the_run(logs: Path) -> None:
    with regtui(logs, *LONG) as terminal:
        until_told(terminal, logs, "epoch_done")
        terminal.signal(SIGTERM)
        assert terminal.wait() == 128 + SIGTERM
        assert terminal.all_gone(GONE_WITHIN)
        assert_restored(terminal)
    assert summary(logs)["status"] == "stopped"


@pytest.mark.parametrize("paused", [False, True])
def test_a_terminal_that_goes_while_it_trains_ends_it_and_keeps_the_run(logs: Path, paused: bool) -> None:
    with regtui(logs, *LONG) as terminal:
        until_told(terminal, logs, "epoch_done")
        if paused:
            terminal.press(" ")
            terminal.until(lambda: told(logs, "paused"))
        terminal.hang_up()
        assert terminal.all_gone(8)
    assert summary(logs)["status"] == "stopped"


def test_a_terminal_that_goes_while_presets_are_shown_ends_it(logs: Path) -> None:
    with regtui(logs) as terminal:
        terminal.until("small-data")
        terminal.until(lambda: len(terminal.family()) >= 3)
        terminal.hang_up()
        assert terminal.all_gone(5)


def test_a_screen_that_fails_restores_the_terminal_and_keeps_the_run(logs: Path) -> None:
    with Terminal("-c", SHOW, logs) as terminal:
        assert terminal.wait() == 1
        terminal.family()
        assert terminal.all_gone(GONE_WITHIN)
        assert_restored(terminal)
        said = " ".join(terminal.normal_screen.split())
        assert said.startswith("regtui: the screen failed: ZeroDivisionError: a fault of the screen")
        assert said.endswith("--debug shows where")
    assert summary(logs)["status"] == "stopped"


# Any terminal


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"TERM": "vt100"}, {"LANG": "C", "LC_ALL": "C"}, {"TERM": ""}])
def test_it_opens_and_closes_in_any_terminal(logs: Path, env: dict[str, str]) -> None:
    with regtui(logs, env=env, columns=80, rows=24) as terminal:
        terminal.until("small-data")
        terminal.press("q")
        assert terminal.wait() == 0, terminal.normal_screen
        assert_restored(terminal)


def test_it_needs_a_terminal_to_read_from(logs: Path) -> None:
    script = (
        "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-m', 'regtui'], stdin=subprocess.DEVNULL))"
    )
    with Terminal("-c", script, cwd=logs.parent) as terminal:
        assert terminal.wait() == 2
        assert LEFT not in terminal.written
        (line,) = terminal.text.splitlines()
    assert line.startswith("regtui: the screen needs a terminal")


def test_a_start_needs_a_preset(logs: Path) -> None:
    with regtui(logs, "--start") as terminal:
        assert terminal.wait() == 2
        assert LEFT not in terminal.written
        (line,) = terminal.text.splitlines()
    assert line.startswith("regtui: these options need a preset")


def test_the_screen_is_up_before_anything_heavy_is_imported() -> None:
    heavy = ("torch", "torchvision", "plotext", "numpy", "scipy")
    script = f"import regtui.tui.app, regtui.tui.start, sys; print(*(m for m in {heavy} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "\n", done.stdout
