"""Each signal, and what it does to a run without a screen: in this process, with a crew that computes nothing."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from regtui import signals
from regtui.__main__ import main
from regtui.arm.reports import Trained
from regtui.cli import headless
from regtui.console import drop_blocked_output
from regtui.disk import Disk
from regtui.engine.process import Wait
from regtui.engine.resume import Changes
from regtui.engine.run import HandedOver
from regtui.engine.run import run as make_run
from regtui.protocol.control import Control, HandOver
from regtui.protocol.events import ControlApplied, EpochDone, RunFinished, parse
from regtui.protocol.who import Who
from regtui.runs.events import read_events
from regtui.runs.log import RunLog
from regtui.runs.summary import Summary, read_summary
from regtui.signals import Ending, deadly, ending
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew

IN_ORDER = ["SIGINT", "SIGTERM", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGXCPU", "SIGIO"]
IN_ORDER += ["SIGPWR", "SIGRTMIN", "SIGRTMAX"]
"""Those that end a run; some systems lack some."""
HERE = [name for name in IN_ORDER if hasattr(signal, name)]
NO_END = ["SIGHUP", "SIGPIPE", "SIGCHLD", "SIGWINCH", "SIGURG", "SIGCONT", "SIGXFSZ"]


def number_of(name: str) -> int:
    return int(getattr(signal, name))


def test_each_signal_of_this_system_has_its_place() -> None:
    fatal = {"SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS", "SIGKILL", "SIGSTOP"}
    fatal |= {"SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGSTKFLT", "SIGEMT", "SIGINFO"}
    named = {*IN_ORDER, *NO_END, *fatal}
    unnamed = [one for one in signal.valid_signals() if isinstance(one, signal.Signals) and one.name not in named]
    assert unnamed == [], "say in the table above what these do"
    assert {number_of(name) for name in HERE} <= {*ending()}
    assert {*deadly()} - {*ending()} == {signal.SIGHUP}
    assert not {*deadly()} & {number_of(name) for name in {*NO_END, *fatal} - {"SIGHUP"} if hasattr(signal, name)}


def test_a_hang_up_ends_nothing_either_before_a_run_and_after_it() -> None:
    before = signal.getsignal(signal.SIGHUP)
    try:
        signals.survive_hang_ups()
        assert signal.SIGHUP in deadly(), "a run still takes it"
        os.kill(os.getpid(), signal.SIGHUP)
        with Ending(lambda: None, lambda: None, lambda _number: None):
            os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signals.survive_hang_ups()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, "nohup's"
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_was_ignored_when_the_program_began_stays_ignored() -> None:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        assert signal.SIGUSR1 not in deadly()
        with Ending(lambda: None, lambda: None, lambda _number: None):
            assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_ctrl_c_is_silent_also_while_the_program_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "regtui.cli.main", None)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(ImportError):
            main()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)


# What a program does that signals end


class Told:
    """An `Ending` that only tells what it would do."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.ending = Ending(
            lambda: self.done.append("in order"),
            lambda: self.done.append("at once"),
            lambda number: self.done.append(f"cut off by {number}"),
        )

    def until(self, *done: str) -> None:
        deadline = time.monotonic() + 120
        while self.done != [*done]:
            assert time.monotonic() < deadline, self.done
            time.sleep(0.005)


class Bounds:
    """How long what a signal asks for may take: as long as this test runs, until it says otherwise."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        for name in ("IN_ORDER", "AT_ONCE", "TOGETHER"):
            self.set(name, 600.0)

    def set(self, name: str, seconds: float) -> None:
        self._patch.setattr(signals, name, seconds)


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> Bounds:
    return Bounds(monkeypatch)


def test_a_second_signal_ends_it_at_once_and_a_third_cuts_it_off(bounds: Bounds) -> None:
    bounds.set("TOGETHER", 0.0)
    told = Told()
    with told.ending as ending:
        signal.raise_signal(signal.SIGTERM)
        told.until("in order")
        signal.raise_signal(signal.SIGINT)
        told.until("in order", "at once")
        signal.raise_signal(signal.SIGQUIT)
        told.until("in order", "at once", f"cut off by {signal.SIGQUIT}")
    assert (ending.first, ending.second) == (signal.SIGTERM, signal.SIGINT)


@pytest.mark.parametrize("apart", [False, True])
def test_signals_that_come_together_are_one_and_a_hang_up_is_none(bounds: Bounds, apart: bool) -> None:
    bounds.set("TOGETHER", 0.0 if apart else 600.0)
    told = Told()
    with told.ending as ending:
        for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGINT):
            signal.raise_signal(number)
        told.until("in order")
        # The system repeats the one about time each second.
        for number in (signal.SIGHUP, signal.SIGXCPU if apart else signal.SIGINT, signal.SIGHUP):
            signal.raise_signal(number)
    assert (told.done, ending.first, ending.second) == (["in order"], signal.SIGINT, 0)


def test_without_a_second_one_it_is_cut_off_when_its_time_is_over(bounds: Bounds) -> None:
    bounds.set("IN_ORDER", 0.05)
    bounds.set("AT_ONCE", 0.05)
    told = Told()
    with told.ending as ending:
        signal.raise_signal(signal.SIGTERM)
        told.until("in order", "at once", f"cut off by {signal.SIGTERM}")
    assert (ending.first, ending.second) == (signal.SIGTERM, 0)


def test_a_main_thread_that_waits_for_a_reader_is_let_go(bounds: Bounds, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds.set("IN_ORDER", 0.05)
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out:
        monkeypatch.setattr(sys, "__stdout__", out)
        done: list[str] = []
        with Ending(lambda: None, drop_blocked_output, lambda _number: os._exit(1)):
            signal.raise_signal(signal.SIGTERM)
            for _ in range(2**10):  # far more than a pipe holds
                out.write("x" * 2**10)
            done.append("written")
        assert done
    os.close(reading)


def test_handlers_are_given_back() -> None:
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    with Ending(lambda: None, lambda: None, lambda _number: None):
        assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in signal.valid_signals()} == before
    assert signal.set_wakeup_fd(-1) == -1


def test_the_cursor_is_shown_before_the_program_stands_still_and_hidden_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    monkeypatch.setattr(os, "kill", lambda _pid, number: done.append(signal.Signals(number).name))
    with signals.stopping_shows(lambda: done.append("show"), lambda: done.append("hide")):
        signal.raise_signal(signal.SIGTSTP)
        signal.raise_signal(signal.SIGTSTP)
    assert done == ["show", "SIGTSTP", "hide"] * 2
    assert signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL


# Runs without a screen


class Crew(ScriptedCrew):
    """Stands still in its second epoch, until the signals were sent, or for good."""

    def __init__(self) -> None:
        super().__init__({arm: [0.5, 0.4, 0.3, 0.2] for arm in ("baseline", "regularized")})
        self.stands_still, self.goes_on = threading.Event(), threading.Event()

    def _train_steps(self, arm: str, count: int) -> Trained:
        while self._epochs[arm] == 2 and not self.goes_on.wait(0.01):
            self.stands_still.set()
            self.watch(Wait((arm,), 1, 0.2, None))
        return super()._train_steps(arm, count)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_error: object) -> None: ...


class Headless:
    """A run of four epochs in this process, to which signals are sent in the second one."""

    def __init__(self, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.logs = logs
        self.crew, self.control = Crew(), Control()
        monkeypatch.setattr(headless, "Control", lambda: self.control)
        monkeypatch.setattr("regtui.engine.run.ProcessCrew", lambda _threads: self.crew)

    def run(self, *sent: int, hangs: bool = False, json: bool = True) -> int:
        """Its exit code; of several signals for one that hangs, each counts."""

        def send() -> None:
            assert self.crew.stands_still.wait(120)
            for number in sent:
                os.kill(os.getpid(), number)
                while not self.control.stop_requested and number in ending():
                    time.sleep(0.001)
            if not hangs:
                self.crew.goes_on.set()

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        try:
            return headless.run_headless(small_preset(train={"epochs": 4}), self.logs, json=json)
        finally:
            sender.join(timeout=120)

    @property
    def summary(self) -> Summary:
        """Its outcome, of a log that reads."""
        (folder,) = self.logs.iterdir()
        found = read_summary(folder)
        assert found is not None
        *_, last = read_events(folder)
        assert isinstance(last, RunFinished)
        assert last.status == found.status
        return found


@pytest.fixture
def run(bounds: Bounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Headless:  # noqa: ARG001
    return Headless(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", HERE)
def test_a_signal_ends_a_run_in_order_with_its_exit_code(run: Headless, name: str) -> None:
    assert run.run(number_of(name)) == (4 if name == "SIGINT" else 128 + number_of(name))
    assert run.summary.status == "stopped"
    assert all(arm.test for arm in run.summary.arms.values())


def test_the_others_end_none(run: Headless, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.run(*map(number_of, NO_END)) == 0
    assert run.summary.status == "finished"
    assert sum(isinstance(parse(line), EpochDone) for line in capsys.readouterr().out.splitlines()) == 2 * 4


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 4), ("SIGUSR1", 128 + number_of("SIGUSR1"))])
def test_a_run_that_takes_too_long_to_end_in_order_ends_at_once(
    run: Headless, name: str, code: int, bounds: Bounds
) -> None:
    bounds.set("IN_ORDER", 0.05)
    assert run.run(number_of(name), hangs=True, json=False) == code
    assert run.summary.status == "stopped"
    assert all(arm.final and not arm.test for arm in run.summary.arms.values()), "what was measured before is kept"


def test_a_second_signal_ends_it_at_once(run: Headless, bounds: Bounds, capsys: pytest.CaptureFixture[str]) -> None:
    bounds.set("TOGETHER", 0.0)
    assert run.run(signal.SIGTERM, signal.SIGINT, hangs=True, json=False) == 130
    assert run.summary.status == "stopped"
    stops = [event.by for event in read_events(next(run.logs.iterdir())) if isinstance(event, ControlApplied)]
    assert stops == [Who.here()], "the log says who stopped it, also in the middle of what it did"
    assert capsys.readouterr().out.splitlines()[-1] == f"log  {next(run.logs.iterdir())}"


@pytest.mark.parametrize("moment", ["go_on", "note_socket"])
def test_a_signal_that_comes_as_a_run_is_taken_over_ends_it_in_order(
    run: Headless, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = Control()
    control.send(HandOver())
    with pytest.raises(HandedOver) as over:
        make_run(small_preset(train={"epochs": 4}), run.logs, control, lambda _event: None, run.crew)
    doing = getattr(RunLog, moment)

    def interrupted(*args: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        while not run.control.stop_requested:
            time.sleep(0.001)
        doing(*args)

    monkeypatch.setattr(RunLog, moment, interrupted)
    monkeypatch.setattr("regtui.engine.resume.ProcessCrew", lambda _threads: run.crew)
    run.crew.reset()
    run.crew.goes_on.set()
    assert headless.resume_headless(over.value.folder, Changes(), json=True) == 128 + signal.SIGTERM
    assert run.summary.status == "stopped"
    assert all(arm.test and arm.epochs == 1 for arm in run.summary.arms.values())


def test_ctrl_c_while_the_log_is_opened_leaves_nothing_behind(run: Headless, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up, discard, undone = RunLog._set_up, RunLog.discard, list[Path]()
    main = threading.current_thread()

    def interrupted(log: RunLog, *how: Any) -> None:
        assert threading.current_thread() is not main
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(0.2)  # the main thread has heeded it
        set_up(log, *how)

    def undo(log: RunLog) -> None:
        discard(log)
        undone.append(log.folder)

    monkeypatch.setattr(RunLog, "_set_up", interrupted)
    monkeypatch.setattr(RunLog, "discard", undo)
    assert headless.run_headless(small_preset(), run.logs, json=True) == 130
    assert len(undone) == 1, "before the program ends"
    assert list(run.logs.rglob("*")) == []


def test_ctrl_c_ends_the_wait_for_a_disk_that_does_not_answer(
    run: Headless, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, answers, set_up = threading.Event(), threading.Event(), RunLog._set_up

    def hang(log: RunLog, *how: Any) -> None:
        asked.set()
        assert answers.wait(60)
        set_up(log, *how)

    def send() -> None:
        assert asked.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(RunLog, "_set_up", hang)
    monkeypatch.setattr(Disk.__init__, "__defaults__", (0.05,))
    sender = threading.Thread(target=send)
    sender.start()
    assert headless.run_headless(small_preset(), run.logs, json=True) == 130
    sender.join()
    answers.set()
    assert capsys.readouterr().err.endswith("ended before training began; nothing is kept\n")


# An output that takes no more


def nobody() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def gone() -> int:
    ours, theirs = pty.openpty()
    os.close(ours)
    return theirs


def full() -> int:
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has /dev/full")
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize(("opened", "code"), [(nobody, 0), (gone, 0), (full, 1)])
def test_a_run_goes_on_though_its_output_takes_no_more(
    run: Headless, opened: Callable[[], int], code: int, json: bool, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    with os.fdopen(opened(), "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert run.run(json=json) == code
        monkeypatch.undo()
    assert run.summary.status == "finished"
    said = capfd.readouterr().err
    assert said == "regtui: the output can't be written (No space left on device); send it somewhere else\n" * code


def test_a_terminal_that_goes_drops_the_progress_bar(run: Headless, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with TextIOWrapper(os.fdopen(theirs, "wb", 0), write_through=True) as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setattr(sys, "stderr", terminal)

        def hang_up() -> None:
            written = b""
            while b"1/4 " not in written:
                assert select.select([ours], [], [], 120)[0]
                written += os.read(ours, 2**16)
            os.close(ours)

        reader = threading.Thread(target=hang_up)
        reader.start()
        assert run.run(signal.SIGHUP, json=False) == 0
        reader.join(timeout=120)
        monkeypatch.undo()
    assert run.summary.status == "finished"
