"""The real program with the real engine in a real terminal: how it ends, what it leaves, and that it is gone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from signal import SIGALRM, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, Signals
from typing import Any

import pytest
from rich.cells import cell_len

from regtui.runs.events import read_events
from tests.command import environment
from tests.held import Gate
from tests.terminal import ESCAPE, LEFT, Terminal

pytestmark = pytest.mark.slow

LONG = ("--preset", "smoke", "--start", "--epochs", "500")
ALWAYS_RINGS = """
from regtui.cli.main import main
from regtui.tui import desk
desk.SHORT = 0.0
main()
"""
"""The program, to which no run is short."""
WAITS_FOR_AN_ANSWER = """
from regtui.cli.main import main
from regtui.tui import background
background.PATIENCE = 60.0
main()
"""
"""The program, which gives the terminal a minute to say what it looks like."""
LOADS_FOR_EVER = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from regtui.cli.main import main
main()
"""
"""The program, which finds PyTorch in the folder that comes first."""


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
    assert len(terminal.family()) >= 2, "the program and what trains, one process where there is one processor"


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


@pytest.mark.parametrize("quiet", [(), ("--no-bell",)])
def test_title_and_bell_and_the_verdict_on_the_normal_screen(logs: Path, quiet: tuple[str, ...]) -> None:
    words = ("--log-dir", str(logs), "--preset", "smoke", "--start", "--quit-when-done", *quiet)
    env = {"TMUX": "", "STY": "", "VTE_VERSION": ""}
    with Terminal("-c", ALWAYS_RINGS, *words, cwd=logs.parent, env=env) as terminal:
        assert terminal.wait() == 0
        assert_restored(terminal)
        written, said = terminal.written, terminal.normal_screen
    assert re.match("[◆◇] (dropout 0.2 is (better|worse) here|No difference that 10,000 test images can show)", said)
    assert said.splitlines()[-1] == f"log  {folder(logs)}"
    assert summary(logs)["status"] == "finished"
    aside, back = written.index(b"\x1b[22;0t"), written.index(b"\x1b]2;\x07\x1b[23;0t")
    titles = [words.decode() for words in re.findall(rb"\x1b\]2;([^\x07]*)\x07", written[aside:back])]
    assert [titles[0], titles[-1]] == ["regtui", "regtui smoke · finished"]
    assert any("epoch" in title for title in titles)
    assert (b"\x07\x1b]9;regtui smoke \xc2\xb7 finished\x07" in written) == (not quiet)


def test_an_old_terminal_gets_no_sequence_that_it_would_print(logs: Path) -> None:
    with regtui(logs, "--preset", "smoke", "--start", "--quit-when-done", env={"TERM": "linux"}) as terminal:
        assert terminal.wait() == 0
        assert b"\x1b]" not in terminal.written
        assert b"23;0t" not in terminal.written


def test_a_light_terminal_is_recognized_and_a_late_answer_is_no_keys(logs: Path) -> None:
    light = b"48;2;251;251;249m"
    waits = ("-c", WAITS_FOR_AN_ANSWER, "--log-dir", logs)
    with Terminal(*waits, cwd=logs.parent, env={"COLORFGBG": ""}) as terminal:
        terminal.until("\x1b]11;?")
        terminal._type("\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?62;22c")
        terminal.until("batch-norm")
        terminal.until(lambda: light in terminal.written)
    with regtui(logs, env={"COLORFGBG": ""}) as terminal:
        terminal.until("batch-norm")
        terminal._type("\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?62;22c")
        terminal.read(0.5)
        assert light not in terminal.written
        terminal.press("q")  # nothing has opened above the presets
        assert terminal.wait() == 0
        assert_restored(terminal)


def test_with_ascii_no_other_byte_is_written(logs: Path) -> None:
    plain = {"LANG": "C", "LC_ALL": "C", "TERM": "vt100"}
    with regtui(logs, "--preset", "smoke", "--start", "--ascii", "--epochs", "1", env=plain) as terminal:
        terminal.until(lambda: told(logs, "run_finished"))
        terminal.until(" ahead")
        terminal.press("d", "w", ESCAPE, "i", ESCAPE, "?", ESCAPE, "c")
        terminal.until("batch-norm")
        terminal.press("q")
        assert terminal.wait() == 0, terminal.normal_screen
        assert_restored(terminal)
        assert re.match("[Xx] .+ here: |x No difference", terminal.normal_screen)
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
    gate = Gate(logs.parent / "gate")  # of an epoch in which it does not stop by itself
    words = ("--log-dir", logs, *LONG, "--patience", "3", "--set", "train.learning_rate=0.03")
    with Terminal(*gate.program, *words, cwd=logs.parent) as terminal:
        terminal.until(lambda: gate.waiting)
        terminal.press("-", "-")
        terminal.until("3→1")
        gate.open()
        terminal.until(lambda: told(logs, "control_applied"))
        terminal.until(lambda: told(logs, "run_finished"))
        terminal.until(" ahead")
        terminal.press("q")
        assert terminal.wait() == 0
    (first, *_) = told(logs, "control_applied")
    assert (first.command, first.accepted) == ("set_patience", True)
    stopped = told(logs, "arm_stopped")
    assert {event.reason for event in stopped} == {"early_stopping"}
    assert summary(logs)["interventions"] >= 1


# Quitting while it trains


@pytest.mark.parametrize(("ask", "answer"), [("q", "k"), ("\x03", "x")])
def test_quitting_asks_and_is_gone(logs: Path, ask: str, answer: str) -> None:
    with regtui(logs, *LONG) as terminal:
        until_told(terminal, logs, "epoch_done")
        terminal.press(ask)
        terminal.until("Leave while the run goes on?")
        terminal.press_until(answer, lambda: terminal.has_ended)
        assert terminal.wait() == 4
        assert terminal.all_gone()
        assert_restored(terminal)
        assert f"log  {folder(logs)}" in terminal.normal_screen
    assert summary(logs)["status"] == "stopped"
    assert (summary(logs)["arms"]["baseline"]["test"] is None) == (answer == "x")


def test_quitting_while_torch_is_imported_is_gone(logs: Path) -> None:
    with regtui(logs) as terminal:
        terminal.until("batch-norm")
        terminal.until(lambda: len(terminal.family()) >= 2)
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.all_gone()
        assert_restored(terminal)
        assert terminal.normal_screen == ""
    assert not logs.exists()


# Ended from outside


PHASES = {
    "presets": SIGINT,
    "loading": SIGUSR1,
    "training": SIGTERM,
    "paused": SIGQUIT,
    "question": SIGUSR2,
    "weights": SIGALRM,
    "verdict": SIGINT,
}
"""What it does when a signal comes, and one of those that all do the same."""


def come_to(terminal: Terminal, logs: Path, phase: str) -> None:
    if phase == "presets":
        terminal.until("batch-norm")
    elif phase == "loading":
        terminal.until("Loading PyTorch")
    elif phase == "verdict":
        terminal.until(" ahead")
    else:
        until_told(terminal, logs, "epoch_done")
        key, wanted = {"paused": (" ", None), "question": ("s", "Stop the run?"), "weights": ("w", "Weights")}.get(
            phase, ("", None)
        )
        terminal.press(*key)
        terminal.until(wanted or (lambda: phase != "paused" or told(logs, "paused")))


@pytest.mark.parametrize(("phase", "number"), [*PHASES.items(), ("training", SIGINT)])
def test_each_signal_ends_it_in_order_whatever_it_does(logs: Path, phase: str, number: Signals) -> None:
    options = {"presets": (), "verdict": (*LONG[:3], "--epochs", "1")}.get(phase, LONG)
    first = logs.parent / "first"
    first.mkdir()
    (first / "torch.py").write_text("import time; time.sleep(600)")
    program = ("-c", LOADS_FOR_EVER, first) if phase == "loading" else ("-m", "regtui")
    with Terminal(*program, "--log-dir", logs, *options, cwd=logs.parent) as terminal:
        come_to(terminal, logs, phase)
        terminal.family()
        terminal.signal(number)
        assert terminal.wait() == 128 + number
        assert terminal.all_gone()
        assert_restored(terminal)
    kept = {"presets": [], "loading": [], "verdict": ["finished"]}.get(phase, ["stopped"])
    runs = list(logs.iterdir()) if logs.exists() else []
    assert [json.loads((run / "summary.json").read_text())["status"] for run in runs] == kept


def test_a_second_signal_restores_the_terminal_and_ends_it_at_once(logs: Path) -> None:
    with regtui(logs, *LONG) as terminal:
        until_told(terminal, logs, "epoch_done")
        arms = [process for process in terminal.family() if process != terminal.process]
        for arm in arms:
            arm.suspend()  # the stop can't be carried out
        try:
            terminal.signal(SIGTERM)
            terminal.read(1)
            terminal.signal(SIGTERM)
            assert terminal.wait() == 128 + SIGTERM
        finally:
            for arm in arms:
                if arm.is_running():
                    arm.resume()
        assert terminal.all_gone()
        assert_restored(terminal)


@pytest.mark.parametrize("columns", [40, 120])
def test_no_line_without_a_screen_is_wider_than_the_terminal(logs: Path, columns: int) -> None:
    with regtui(logs, "--preset", "smoke", "--headless", "--epochs", "2", columns=columns) as terminal:
        assert terminal.wait() == 0
        terminal_lines = terminal.text.replace("\r", "\n").splitlines()
    lines = [line for line in terminal_lines if not line.startswith("log  ") and "step " not in line]
    assert any("regularized" in line for line in lines)
    assert max(map(cell_len, lines)) <= columns, max(lines, key=cell_len)


def test_a_terminal_that_goes_while_presets_are_shown_ends_it(logs: Path) -> None:
    with regtui(logs) as terminal:
        terminal.until("batch-norm")
        terminal.until(lambda: len(terminal.family()) >= 2)
        terminal.hang_up()
        assert terminal.all_gone()


# Any terminal


NO_UTF8 = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("env", [{"TERM": "vt100", "LANG": "C", "LC_ALL": "C"}, {"NO_COLOR": ""}])
def test_it_opens_and_closes_in_any_terminal(logs: Path, env: dict[str, str]) -> None:
    with regtui(logs, env=env, columns=80, rows=24) as terminal:
        terminal.until("batch-norm")
        terminal.press("q")
        assert terminal.wait() == 0, terminal.normal_screen
        assert_restored(terminal)
        assert "TERM" not in env or b"\x1b]" not in terminal.written


@pytest.mark.parametrize(("term", "words"), [("dumb", ()), ("unknown", ("review", ".")), ("", ())])
def test_a_terminal_that_obeys_nothing_gets_no_screen(logs: Path, term: str, words: tuple[str, ...]) -> None:
    with Terminal("-m", "regtui", *words, cwd=logs.parent, env={"TERM": term}) as terminal:
        assert terminal.wait() == 2
        assert b"\x1b" not in terminal.written
        (line,) = terminal.text.splitlines()
    assert line.startswith("regtui: ")


@pytest.mark.parametrize(("words", "wanted"), [("", "small-data"), ("review .", "0 of 0")])
def test_the_screen_is_on_the_terminal_wherever_stderr_leads_to(logs: Path, words: str, wanted: str) -> None:
    command = f"{sys.executable} -m regtui {words} 2>err"
    script = f"import subprocess, sys; sys.exit(subprocess.call({command!r}, shell=True))"
    with Terminal("-c", script, cwd=logs.parent) as terminal:
        terminal.until(wanted)
        terminal.press("q")
        assert terminal.wait() == 0
        assert_restored(terminal)
    assert (logs.parent / "err").read_bytes() == b""


@pytest.mark.parametrize("env", [{"LC_ALL": "C", **NO_UTF8}, {"PYTHONIOENCODING": "ascii"}])
def test_where_the_encoding_has_no_more_all_is_ascii_by_itself(logs: Path, env: dict[str, str]) -> None:
    with regtui(logs, "--preset", "smoke", "--start", "--epochs", "1", env=env) as terminal:
        terminal.until(lambda: told(logs, "run_finished"))
        terminal.until(" ahead")
        terminal.press("d", "?", ESCAPE, "q")
        assert terminal.wait() == 0, terminal.normal_screen
        assert_restored(terminal)
    assert not re.findall(rb".{0,40}[\x80-\xff]+.{0,20}|\\u[0-9a-f]{4}", terminal.written)


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
