"""A run without a screen: trains it, prints how it goes, and lets signals end it in order."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from regtui.cli.cursor import cut_off
from regtui.cli.run_printers import RunJsonPrinter, RunTablePrinter, run_progress
from regtui.cli.wait import waited
from regtui.console import PROSE, complain, drop_blocked_output, room, say, unread
from regtui.errors import BY_SIGNAL, EXIT_CODES, RegtuiError
from regtui.preset.model import Preset
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import Event, Saving, Stalled, Unattachable
from regtui.signals import Ending
from regtui.text import one_line

if TYPE_CHECKING:
    from regtui.engine.resume import Changes
    from regtui.engine.run import RunResult

    _Make = Callable[[Control, Callable[[Event], None], Callable[[Path], None], Callable[[], None]], RunResult]
    """Makes a run: with a control, functions that receive its events, its folder first, and that it is ready."""


def run_headless(preset: Preset, logs: Path, *, json: bool, threads: int | None = None) -> int:
    """Train `preset` and print its progress to stdout; returns the exit code.

    Args:
        preset: What to train.
        logs: The folder in which the run is saved.
        json: Print events as JSON instead of a table.
        threads: Threads for each process; None gives each its share of what the machine grants.

    Raises:
        InputError: The preset asks for something that isn't there, or `logs` can't be written.
        RegtuiError: Training could not begin.
    """
    from regtui.engine.run import run

    def make(
        control: Control, emit: Callable[[Event], None], begun: Callable[[Path], None], ready: Callable[[], None]
    ) -> RunResult:
        return run(preset, logs, control, emit, begun=begun, threads=threads, ready=ready)

    try:
        return _conducted(make, preset, json=json)
    except KeyboardInterrupt as early:
        complain("ended before training began; nothing is kept")
        return BY_SIGNAL + int(early.args[0])


def resume_headless(folder: Path, changes: Changes, *, json: bool, threads: int | None = None) -> int:
    """Train a saved run on and print its progress from there to stdout; returns the exit code.

    Args:
        folder: The run's folder.
        changes: What is changed from here on.
        json: Print events as JSON instead of a table.
        threads: Threads for each process; None gives each as many as it had.

    Raises:
        InputError: It can't be resumed, or a change can't be made.
        RegtuiError: Training could not begin.
    """
    from regtui.engine.resume import resume
    from regtui.runs.resumable import resumable

    def make(
        control: Control, emit: Callable[[Event], None], begun: Callable[[Path], None], ready: Callable[[], None]
    ) -> RunResult:
        return resume(folder, changes, control, emit, begun=begun, threads=threads, ready=ready)

    preset = waited(folder, lambda: resumable(folder, changes.epochs, changes.device)).preset
    try:
        return _conducted(make, preset, json=json)
    except KeyboardInterrupt as early:
        complain("ended before training began; nothing of the run is lost, and it can be resumed as before")
        return BY_SIGNAL + int(early.args[0])


def _conducted(make: _Make, preset: Preset, *, json: bool) -> int:
    """Have a run made and print its progress; returns the exit code."""
    control, training = Control(), threading.Event()
    printer = RunJsonPrinter() if json else RunTablePrinter(preset, control)
    unsaid: list[RegtuiError] = []
    bar = not (json and sys.stdout.isatty())  # which would wrap the lines of JSON between its own
    with _ending(control, training) as ending:
        with run_progress(preset, wanted=bar) as advance:

            def emit(event: Event) -> None:
                advance(event)
                if isinstance(event, Saving | Unattachable):
                    complain(f"regtui: {event.words}")
                if isinstance(event, Stalled):
                    complain(f"regtui: {event.words()}; Ctrl-C stops the run and keeps what was measured")
                with unread(unsaid):
                    printer(event)

            def begun(folder: Path) -> None:
                with unread(unsaid):
                    printer.recall(folder)

            result = make(control, emit, begun, training.set)
        if not json and result.history.started is not None:
            with unread(unsaid):
                _say_outcome(preset, result, at_once=control.stop_at_once)
        _complain_of(result)
    if code := _code_of(ending):
        return code
    return RegtuiError.exit_code if unsaid or result.summary.unsaved else EXIT_CODES[result.summary.status]


def _code_of(ending: Ending) -> int:
    """The exit code of a run that signals have ended; 0 of another, and of one that a single Ctrl-C has stopped."""
    number = ending.second or (ending.first if ending.first != signal.SIGINT else 0)
    return BY_SIGNAL + number if number else 0


def _say_outcome(preset: Preset, result: RunResult, *, at_once: bool) -> None:
    """Print the verdict, for which there is no time at once, and where the log is."""
    if at_once:
        say(f"log  {one_line(result.folder)}")
        return
    from regtui.evidence.from_history import judge_run
    from regtui.evidence.lines import advice_lines, verdict_lines
    from regtui.evidence.rules import advice_on_run

    verdicts, width = judge_run(result.history, preset), min(room(), PROSE)
    advice = advice_lines(advice_on_run(result.history, verdicts, preset, result.folder), width)
    say()
    for line in (*verdict_lines(verdicts, width), *("" for _ in advice[:1]), *advice):
        say(line)
    say()
    say(f"log  {one_line(result.folder)}")


def _complain_of(result: RunResult) -> None:
    """Say why a run failed, and which part of it could not be saved."""
    if result.summary.error:
        complain(f"regtui: {result.summary.error}; the log is in {one_line(result.folder)}")
    if result.summary.unsaved:
        complain(f"regtui: not all of this run is saved in {one_line(result.folder)}: {result.summary.unsaved}")


def _ending(control: Control, training: threading.Event) -> Ending:
    """Lets signals stop the run and keep it, or end the program if it does not train yet."""
    interrupted = False

    def in_main(number: int) -> None:
        nonlocal interrupted
        if not training.is_set() and not interrupted:  # a further one must not interrupt the clean-up
            interrupted = True
            raise KeyboardInterrupt(number)

    def at_once() -> None:
        control.send(Stop(at_once=True))
        drop_blocked_output()

    return Ending(lambda: control.send(Stop()), at_once, cut_off, in_main)
