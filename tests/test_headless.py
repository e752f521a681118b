"""Whole runs without a screen, as processes of their own: what they print and keep, and how they end when disturbed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from regtui.protocol.events import EpochDone, RunFinished, RunStarted, Scored, StepsDone, parse
from regtui.runs.events import read_events
from regtui.runs.summary import Summary, read_summary
from tests.command import ENDLESS, TINY, Outcome, command, environment, run, start
from tests.terminal import Terminal

Running = subprocess.Popen[str]
PATIENT = "from regtui import signals; signals.IN_ORDER = 120.0; from regtui.__main__ import main; main()"
"""The program, which may take long to end in order: on a busy machine it does."""

WHOLE_FOLDER = {"preset.toml", "run.json", "events.jsonl", "checkpoint", "summary.json"}


def only_run(folder: Path) -> Path:
    """The one folder below ./logs."""
    (found,) = (folder / "logs").iterdir()
    return found


def summary_of(folder: Path) -> Summary:
    """The outcome of the one run, from a folder that has all that it should."""
    log = only_run(folder)
    summary = read_summary(log)
    assert summary is not None
    predictions = {"predictions.safetensors"} if summary.comparisons else set()
    assert {path.name for path in log.iterdir()} - {"traceback.txt"} == WHOLE_FOLDER | predictions
    *_, last = read_events(log)
    assert isinstance(last, RunFinished)
    assert last.status == summary.status
    return summary


# Runs that nobody disturbs


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """A run that prints its table, with its folder."""
    folder = tmp_path_factory.mktemp("table")
    (folder / "tiny.toml").write_text(TINY)
    return run("--preset", "tiny.toml", "--patience", "5", cwd=folder), folder


def test_the_table_has_a_header_a_line_an_epoch_and_arm_a_verdict_and_the_log(table: tuple[Outcome, Path]) -> None:
    outcome, folder = table
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("regtui ")
    head, rows, verdict, *_ = re.split(r"  epoch  arm .*\n|\n\n(?=[◆◇] )", outcome.out)
    for words in (
        "tiny · Tiny",
        "500 training, 600 validation, 10,000 test",
        "784-16-10",
        "adam, learning rate 0.001",
        "seed 0",
    ):
        assert words in head
    assert "4 of 4 tensors start equal" in head
    assert [line.split()[:2] for line in rows.splitlines()] == [
        ["1/2", "baseline"],
        ["1/2", "regularized"],
        ["2/2", "baseline"],
        ["2/2", "regularized"],
    ]
    assert all(len(re.findall(r"\d\.\d{4}|\d\d\.\d\d %", line)) == 5 for line in rows.splitlines())
    assert "One run of one seed" in verdict
    assert outcome.out.splitlines()[-1] == f"log  {only_run(folder).relative_to(folder)}"


def test_the_log_is_complete_and_says_what_was_printed(table: tuple[Outcome, Path]) -> None:
    outcome, folder = table
    summary = summary_of(folder)
    assert (summary.status, summary.preset, summary.device, summary.error) == ("finished", "tiny", "cpu", "")
    assert {name: (arm.epochs, arm.stop_reason) for name, arm in summary.arms.items()} == {
        "baseline": (2, "max_epochs"),
        "regularized": (2, "max_epochs"),
    }
    for arm in summary.arms.values():
        assert arm.final is not None
        assert f"{arm.final.train_loss:.4f}  " in outcome.out
        assert f"{arm.final.val_loss:.4f}  " in outcome.out
    assert list((only_run(folder) / "checkpoint").iterdir())
    assert json.loads((only_run(folder) / "run.json").read_text())["command"][1:3] == ["--preset", "tiny.toml"]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """A run that prints JSON, from another folder than its preset's, with neither stdin nor stderr to speak of."""
    folder = tmp_path_factory.mktemp("json")
    (folder / "tiny.toml").write_text(TINY)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    script = f"{' '.join(command('--preset', '../tiny.toml', '--headless', '--json'))} <&- 2>&-"
    done = subprocess.run(
        ["sh", "-c", script], cwd=elsewhere, env=environment(PYTHONIOENCODING="ascii"), stdout=subprocess.PIPE,
        text=True, timeout=300,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout, ""), elsewhere


def test_every_line_of_json_is_an_event(events: tuple[Outcome, Path]) -> None:
    outcome, folder = events
    assert outcome.code == 0
    told = [parse(line) for line in outcome.out.splitlines()]
    assert isinstance(told[0], RunStarted)
    assert isinstance(told[-1], RunFinished)
    assert told[-1].status == "finished"
    assert [(e.epoch, e.arm) for e in told if isinstance(e, EpochDone)] == [
        (1, "baseline"),
        (1, "regularized"),
        (2, "baseline"),
        (2, "regularized"),
    ]
    kept = list(read_events(only_run(folder)))
    assert [e for e in kept if not isinstance(e, StepsDone)] == [e for e in told if not isinstance(e, StepsDone)]


def test_a_run_is_kept_below_the_folder_it_was_started_in(events: tuple[Outcome, Path]) -> None:
    _, folder = events
    assert summary_of(folder).status == "finished"
    assert not (folder.parent / "logs").exists()


def test_the_same_seed_gives_the_same_numbers(table: tuple[Outcome, Path], events: tuple[Outcome, Path]) -> None:
    first, second = summary_of(table[1]), summary_of(events[1])
    for name in first.arms:
        assert first.arms[name].final == second.arms[name].final
    assert first.comparisons == second.comparisons
    assert first.pairing == second.pairing


@pytest.mark.parametrize(
    ("learning_rate", "reason", "words"),
    [
        ("1e6", "exploded", "is far above that of guessing"),
        pytest.param("1e30", "non_finite", r"of step \d+ is not finite", marks=pytest.mark.slow),
    ],
)
def test_a_learning_rate_that_is_far_too_large_ends_in_exit_code_3(
    learning_rate: str, reason: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    wild = ["--set", f"train.learning_rate={learning_rate}", "--log-dir", "a/logs"]
    outcome = run("--preset", "tiny.toml", "--headless", *wild, cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"})
    assert (outcome.code, outcome.err) == (3, "")
    assert re.search(rf"baseline +diverged: the training loss {words}", outcome.out)
    summary = summary_of(tmp_path / "a")
    assert summary.status == "diverged"
    assert {arm.stop_reason for arm in summary.arms.values()} == {reason}
    log = only_run(tmp_path / "a")
    assert "NaN" not in (log / "events.jsonl").read_text() + (log / "summary.json").read_text()


# Runs that are disturbed


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts a run that does not end by itself, and waits until its first epoch is printed."""
    (tmp_path / "endless.toml").write_text(ENDLESS)
    started: list[Running] = []

    def begin(*args: str, **more: Any) -> Running:
        words = ("--preset", "endless.toml", "--headless", *args)
        process = start(*words, cwd=tmp_path, program=("-c", PATIENT), **more)
        started.append(process)
        guard = threading.Timer(120, process.kill)
        guard.start()
        assert process.stdout is not None
        for line in process.stdout:
            if "1/100000  regularized" in line:
                break
        guard.cancel()
        assert process.poll() is None
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate(timeout=300)


def arms_of(process: Running) -> list[psutil.Process]:
    """The processes that train."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.Error):  # it has just ended
            if "regtui.engine.worker" in " ".join(child.cmdline()):
                found.append(child)
    return found


def all_gone(processes: list[psutil.Process]) -> bool:
    """Whether all end; who collects an orphan afterwards is not the program's business."""
    deadline = time.monotonic() + 120
    while any(map(is_alive, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end(process: Running) -> Outcome:
    out, err = process.communicate(timeout=300)
    return Outcome(process.returncode, out, err)


def test_ctrl_c_stops_the_run_validates_it_and_keeps_it(endless: Callable[..., Running], tmp_path: Path) -> None:
    process = endless()
    arms = arms_of(process)
    assert arms
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the arms' processes too
    outcome = end(process)
    assert outcome.code == 4
    assert re.fullmatch(r"stopping after step [\d,]+: validating, testing, saving\n", outcome.err)
    assert "stopped by hand" in outcome.out
    summary = summary_of(tmp_path)
    assert (summary.status, summary.error) == ("stopped", "")
    for arm in summary.arms.values():
        assert arm.stop_reason == "stopped"
        assert arm.final is not None
        assert arm.test is not None
    told = list(read_events(only_run(tmp_path)))
    assert isinstance(told[-2], Scored)
    steps = {arm: sum(len(e.losses) for e in told if isinstance(e, StepsDone) and e.arm == arm) for arm in summary.arms}
    assert steps["baseline"] == steps["regularized"] > 0, "both arms have made the same steps"
    assert all_gone(arms)


def test_a_second_ctrl_c_ends_the_run_at_once_and_leaves_no_process(endless: Callable[..., Running]) -> None:
    process = endless()
    arms = arms_of(process)
    for arm in arms:
        arm.suspend()  # the stop can't be carried out, as if a step took forever
    os.killpg(process.pid, signal.SIGINT)
    deadline = time.monotonic() + 120
    try:
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.3)  # two that come before the first is heeded are one
            os.killpg(process.pid, signal.SIGINT)
        # A further one may come when the program has ended its work and heeds signals no more: a shell calls both 130.
        assert process.wait(timeout=300) in {130, -signal.SIGINT}
        assert all_gone(arms), "also those that stand still"
    finally:
        for arm in arms:
            with suppress(psutil.NoSuchProcess):
                arm.resume()
    told = end(process).err  # the arms may have agreed on their last step before they were suspended
    assert re.fullmatch(r"(stopping after step [\d,]+: (validating, testing, saving|at once)\n)+", told)
    assert all_gone(arms)


@pytest.mark.slow
def test_a_signal_to_end_stops_the_run_and_keeps_it(endless: Callable[..., Running], tmp_path: Path) -> None:
    process = endless()
    arms = arms_of(process)
    os.killpg(process.pid, signal.SIGUSR1)
    outcome = end(process)
    assert outcome.code == 128 + signal.SIGUSR1
    assert re.fullmatch(r"stopping after step [\d,]+: validating, testing, saving\n", outcome.err)
    summary = summary_of(tmp_path)
    assert summary.status == "stopped"
    assert all(arm.test is not None for arm in summary.arms.values())
    assert all_gone(arms)


def test_the_death_of_an_arm_fails_the_run_with_a_sentence(endless: Callable[..., Running], tmp_path: Path) -> None:
    process = endless()
    victim, *others = arms_of(process)
    victim.kill()
    outcome = end(process)
    assert outcome.code == 1
    sentence = "a process that trains was killed by SIGKILL; the machine may have run out of memory"
    log = only_run(tmp_path).relative_to(tmp_path)
    assert outcome.err == f"regtui: {sentence}; the log is in {log}\n"
    summary = summary_of(tmp_path)
    assert (summary.status, summary.error) == ("failed", sentence)
    assert all(arm.final for arm in summary.arms.values()), "what was measured before is kept"
    assert all_gone(others)


def test_the_arms_do_not_survive_the_run(endless: Callable[..., Running], tmp_path: Path) -> None:
    process = endless()
    arms = arms_of(process)
    process.kill()
    assert all_gone(arms)
    log = only_run(tmp_path)
    assert read_summary(log) is None, "its absence tells that the run did not end"
    assert any(isinstance(event, EpochDone) for event in read_events(log))


def test_ctrl_c_before_training_ends_the_program_and_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "endless.toml").write_text(ENDLESS)
    process = start("--preset", "endless.toml", cwd=tmp_path)
    while process.poll() is None and not arms_of(process):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    outcome = end(process)
    # The second may come after the program has cleared away and heeds signals no more: a shell calls both 130.
    assert (outcome.code in {130, -signal.SIGINT}, outcome.out) == (True, "")
    assert outcome.err in {"", "ended before training began; nothing is kept\n"}
    assert not list(tmp_path.rglob("events.jsonl"))


@pytest.mark.slow
def test_ctrl_c_ends_a_download_that_hangs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        cache = tmp_path / "cache"
        env = {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": "", "REGTUI_CACHE": str(cache)}
        process = start("--preset", "fashion-dropout", "--headless", cwd=tmp_path, env=env)
        silent.settimeout(300)
        with silent.accept()[0]:
            process.send_signal(signal.SIGINT)
            outcome = end(process)
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err == "ended before training began; nothing is kept\n"
    assert not (tmp_path / "logs").exists()
    assert [path for path in cache.rglob("*") if path.name != "downloads"] == []


# An output that takes no more


def test_a_run_goes_on_to_its_end_without_its_reader(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    script = f"{' '.join(command('--preset', 'tiny.toml'))} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 1)
    assert summary_of(tmp_path).status == "finished"


@pytest.mark.slow
def test_a_run_goes_on_to_its_end_without_its_terminal(tmp_path: Path) -> None:
    (tmp_path / "brief.toml").write_text(ENDLESS.replace("epochs = 100000", "epochs = 8"))
    with Terminal("-m", "regtui", "--preset", "brief.toml", "--headless", cwd=tmp_path, env=environment()) as terminal:
        terminal.until("1/8  regularized", 120)
        assert b"\x1b[?25l" in terminal.written, "a progress bar is drawn"
        terminal.hang_up()
        assert terminal.process.wait(120) == 0
    assert summary_of(tmp_path).arms["baseline"].epochs == 8
