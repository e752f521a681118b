"""What a run without a screen prints: events as JSON, or a table of its epochs; and its progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from regtui.cli.cursor import cursor_shown_while_stopped
from regtui.console import can_draw, complain, forgiving, room, say
from regtui.epochs import table_lines
from regtui.preset.model import Preset
from regtui.protocol import answers
from regtui.protocol.control import Control
from regtui.protocol.events import Event, Interrupted, RunStarted, StepsDone, Suspended
from regtui.protocol.history import History
from regtui.runs.events import read_events

if TYPE_CHECKING:
    from rich.progress import Progress


class RunJsonPrinter:
    """One event a line, as in the log."""

    def recall(self, folder: Path) -> None:
        """Print nothing of what a run that is resumed has told before: it is in its log."""

    def __call__(self, event: Event) -> None:
        """Print an event."""
        say(event.model_dump_json())


class RunTablePrinter:
    """A header when the run starts, then a line for each epoch of each arm."""

    def __init__(self, preset: Preset, control: Control) -> None:
        self._preset, self._control = preset, control
        self._history = History()

    def recall(self, folder: Path) -> None:
        """Take in what a run that is resumed has told before, and print its header."""
        for event in read_events(folder):
            self._history.add(event)
            if isinstance(event, RunStarted):
                self._print(event)

    def __call__(self, event: Event) -> None:
        """Print what an event adds to the table."""
        self._history.add(event)
        self._print(event)

    def _print(self, event: Event) -> None:
        for line in table_lines(event, self._history, self._preset, room()):
            say(line)
        if words := answers.without_screen(self._preset, self._history, event, at_once=self._control.stop_at_once):
            complain(words)


@contextmanager
def run_progress(preset: Preset, *, wanted: bool) -> Iterator[Callable[[Event], None]]:
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
