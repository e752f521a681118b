"""A run without a screen: prints a header, a line for each epoch of each arm, and the verdict; or events as JSON."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from regtui.console import PROSE, can_draw, complain, drop_blocked_output, forgiving, room, say
from regtui.epochs import table_lines
from regtui.errors import EXIT_CODES, RegtuiError
from regtui.preset.model import Preset
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import (
    ControlApplied,
    Event,
    Interrupted,
    RunStarted,
    Saving,
    Stalled,
    StepsDone,
    Suspended,
    Unattachable,
)
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.signals import Ending, stopping_shows
from regtui.text import one_line

if TYPE_CHECKING:
    from rich.progress import Progress

    from regtui.engine.resume import Changes
    from regtui.engine.run import RunResult

    _Make = Callable[[Control, Callable[[Event], None], Callable[[Path], None]], RunResult]
    """Makes a run: with a control, a function that receives its events, and one that receives its folder first."""

_BY_SIGNAL = 128
"""The exit code for a signal is this plus its number."""
_SHOW_CURSOR, _HIDE_CURSOR = b"\r\x1b[K\x1b[?25h", b"\x1b[?25l"
"""The progress bar hides it."""


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

    def make(control: Control, emit: Callable[[Event], None], begun: Callable[[Path], None]) -> RunResult:
        return run(preset, logs, control, emit, begun=begun, threads=threads)

    try:
        return _conducted(make, preset, json=json)
    except KeyboardInterrupt as early:
        complain("ended before training began; nothing is kept")
        return _BY_SIGNAL + int(early.args[0])


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

    def make(control: Control, emit: Callable[[Event], None], begun: Callable[[Path], None]) -> RunResult:
        return resume(folder, changes, control, emit, begun=begun, threads=threads)

    preset = resumable(folder, changes.epochs, changes.device).preset
    try:
        return _conducted(make, preset, json=json)
    except KeyboardInterrupt as early:
        complain("ended before training began; the run is as it was")
        return _BY_SIGNAL + int(early.args[0])


def _conducted(make: _Make, preset: Preset, *, json: bool) -> int:
    """Have a run made and print its progress; returns the exit code."""
    control, training = Control(), threading.Event()
    printer = _JsonPrinter() if json else _TablePrinter(preset)
    unsaid: list[RegtuiError] = []
    bar = not (json and sys.stdout.isatty())  # which would wrap the lines of JSON between its own
    with _ending(control, training) as ending:
        with _progress_bar(preset, wanted=bar) as advance:

            def emit(event: Event) -> None:
                advance(event)
                if isinstance(event, Saving | Unattachable):
                    complain(f"regtui: {event.words}")
                if isinstance(event, Stalled):
                    complain(f"regtui: {event.words()}; Ctrl-C stops the run and keeps what was measured")
                with unread(unsaid):
                    printer(event)

            def begun(folder: Path) -> None:
                training.set()
                with unread(unsaid):
                    printer.recall(folder)

            result = make(control, emit, begun)
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
    return _BY_SIGNAL + number if number else 0


@contextmanager
def unread(unsaid: list[RegtuiError]) -> Iterator[None]:
    """Say something, and go on if nobody takes it: what is said later is dropped, and nothing that is made is lost.

    Args:
        unsaid: Receives why the output can't be written, unless its reader or terminal has gone. That is said, too.
    """
    try:
        yield
    except BrokenPipeError:
        pass
    except RegtuiError as error:
        complain(f"regtui: {error}")
        unsaid.append(error)


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


class _JsonPrinter:
    """One event a line, as in the log."""

    def recall(self, folder: Path) -> None:
        """Print nothing of what a run that is resumed has told before: it is in its log."""

    def __call__(self, event: Event) -> None:
        say(event.model_dump_json())


class _TablePrinter:
    """A header when the run starts, then a line for each epoch of each arm."""

    def __init__(self, preset: Preset) -> None:
        self._preset = preset
        self._history = History()

    def recall(self, folder: Path) -> None:
        """Take in what a run that is resumed has told before, and print its header."""
        for event in read_events(folder):
            self._history.add(event)
            if isinstance(event, RunStarted):
                self._print(event)

    def __call__(self, event: Event) -> None:
        self._history.add(event)
        self._print(event)

    def _print(self, event: Event) -> None:
        for line in table_lines(event, self._history, self._preset, room()):
            say(line)
        if isinstance(event, ControlApplied) and event.command == "stop":
            where = f"after step {event.step:,}: validating, testing, saving" if event.step else "before the first step"
            complain(f"stopping {where}")


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


def cut_off(number: int) -> None:
    """End the program and its processes in the middle of their work, by a signal of this number."""
    from regtui.engine.child import kill_all

    kill_all()
    _write_at_once(_SHOW_CURSOR)
    os._exit(_BY_SIGNAL + number)


def _write_at_once(sequence: bytes) -> None:
    """Write to the terminal on stderr, if there is one that takes it now."""
    with suppress(OSError, ValueError):
        if os.isatty(2) and select.select([], [2], [], 0)[1]:
            os.write(2, sequence)


@contextmanager
def _progress_bar(preset: Preset, *, wanted: bool) -> Iterator[Callable[[Event], None]]:
    """A progress bar on stderr if that is a terminal; yields a function that takes each event."""
    if not (wanted and can_draw(sys.stderr)):
        yield lambda _event: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    total = preset.train.epochs * preset.steps_per_epoch
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("step {task.completed:,.0f} of {task.total:,.0f}"),
        TimeElapsedColumn(),
        TextColumn("·"),
        TimeRemainingColumn(),
        console=Console(file=forgiving(sys.stderr)),
        transient=True,
        refresh_per_second=4,
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=True,
    )
    with cursor_shown_while_stopped(), progress:
        yield _Bar(progress, total)


def cursor_shown_while_stopped() -> AbstractContextManager[None]:
    """Within this context, in which a progress bar hides the cursor, the shell has it after Ctrl-Z."""
    return stopping_shows(lambda: _write_at_once(_SHOW_CURSOR), lambda: _write_at_once(_HIDE_CURSOR))


class _Bar:
    """Shows the steps of the arm that is furthest ahead; the arms train side by side."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("loading PyTorch", total=total)

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted() | Interrupted():
                self._progress.reset(self._task)  # the clock starts with the training
                done = event.step if isinstance(event, Interrupted) else 0
                self._progress.update(self._task, description="training", completed=done)
            case Suspended(seconds=seconds):
                task = self._progress.tasks[self._task]
                task.start_time = None if task.start_time is None else task.start_time + seconds
            case StepsDone():
                self._progress.update(self._task, completed=event.first_step + len(event.losses) - 1)
            case _:
                pass
