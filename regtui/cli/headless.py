"""A run without a screen: prints a header, a line for each epoch of each arm, and the verdict; or events as JSON."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from regtui.cli.epochs import table_lines
from regtui.console import PROSE, can_draw, complain, room, say
from regtui.errors import EXIT_CODES, RegtuiError
from regtui.preset.model import Preset
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import ControlApplied, Event, RunStarted, Saving, Stalled, StepsDone, Suspended
from regtui.protocol.history import History
from regtui.signals import Received, handled
from regtui.text import one_line

if TYPE_CHECKING:
    from rich.progress import Progress

    from regtui.engine.run import RunResult

_BY_SIGNAL = 128
"""The exit code for a signal is this plus its number."""
_SHOW_CURSOR = b"\r\x1b[K\x1b[?25h"


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
    try:
        return _run(preset, logs, json=json, threads=threads)
    except KeyboardInterrupt as early:
        complain("ended before training began; nothing is kept")
        return _BY_SIGNAL + int(early.args[0])


def _run(preset: Preset, logs: Path, *, json: bool, threads: int | None) -> int:
    from regtui.engine.run import run

    control, training = Control(), threading.Event()
    printer = _JsonPrinter() if json else _TablePrinter(preset)
    unsaid: list[RegtuiError] = []
    bar = not (json and sys.stdout.isatty())  # which would wrap the lines of JSON between its own
    with _signals(control, training) as received, _progress_bar(preset, wanted=bar) as advance:

        def emit(event: Event) -> None:
            advance(event)
            if isinstance(event, Saving):
                complain(f"regtui: {event.words}")
            if isinstance(event, Stalled):
                complain(f"regtui: {event.words()}; Ctrl-C stops the run and keeps what was measured")
            try:
                printer(event)
            except BrokenPipeError:  # nobody reads any more; what was trained is kept
                control.send(Stop())
            except RegtuiError as error:
                complain(f"regtui: {error}")
                unsaid.append(error)
                control.send(Stop())

        result = run(preset, logs, control, emit, begun=lambda _folder: training.set(), threads=threads)
    try:
        if not json and result.history.started is not None:
            _say_outcome(preset, result)
    except (BrokenPipeError, RegtuiError):
        if not received.first:  # otherwise the terminal may have closed and sent the signal
            raise
    _complain_of(result)
    if received.first not in (0, signal.SIGINT):  # Ctrl-C is the user's way to stop a run
        return _BY_SIGNAL + received.first
    return RegtuiError.exit_code if unsaid or result.summary.unsaved else EXIT_CODES[result.summary.status]


def _say_outcome(preset: Preset, result: RunResult) -> None:
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

    def __call__(self, event: Event) -> None:
        say(event.model_dump_json())


class _TablePrinter:
    """A header when the run starts, then a line for each epoch of each arm."""

    def __init__(self, preset: Preset) -> None:
        self._preset = preset
        self._history = History()

    def __call__(self, event: Event) -> None:
        self._history.add(event)
        for line in table_lines(event, self._history, self._preset, room()):
            say(line)
        if isinstance(event, ControlApplied) and event.command == "stop":
            where = f"after step {event.step:,}: validating, testing, saving" if event.step else "before the first step"
            complain(f"stopping {where}")


@contextmanager
def _signals(control: Control, training: threading.Event) -> Iterator[Received]:
    """At the first signal stop the run and keep it, or end the program if it does not train yet; yields the signals.

    A second signal ends the program at once.
    """
    received = Received()

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        first, again = not received.first, received.again(number)
        if not training.is_set():
            if first:  # a further one must not interrupt the clean-up
                raise KeyboardInterrupt(number)
        elif first:
            control.send(Stop())
        elif again:
            end_at_once(number)

    with handled(interrupt):
        yield received


def end_at_once(number: int) -> None:
    """End the program and its processes in the middle of their work, at a second signal of this number."""
    if os.isatty(2):
        os.write(2, _SHOW_CURSOR)  # the progress bar has hidden it
    from regtui.engine.child import kill_all

    kill_all()
    os._exit(_BY_SIGNAL + number)


@contextmanager
def _progress_bar(preset: Preset, *, wanted: bool) -> Iterator[Callable[[Event], None]]:
    """A progress bar on stderr if that is a terminal; yields a function that takes each event."""
    if not (wanted and can_draw(sys.stderr)):
        yield lambda _event: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    total = preset.train.epochs * preset.steps_per_epoch
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("step {task.completed:,.0f} of {task.total:,.0f}"),
        TimeElapsedColumn(),
        TextColumn("·"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=4,
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=True,
    ) as progress:
        yield _Bar(progress, total)


class _Bar:
    """Shows the steps of the arm that is furthest ahead; the arms train side by side."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("loading PyTorch", total=total)

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._progress.reset(self._task)  # the clock starts with the training
                self._progress.update(self._task, description="training")
            case Suspended(seconds=seconds):
                task = self._progress.tasks[self._task]
                task.start_time = None if task.start_time is None else task.start_time + seconds
            case StepsDone():
                self._progress.update(self._task, completed=event.first_step + len(event.losses) - 1)
            case _:
                pass
