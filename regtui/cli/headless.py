"""A run without a screen: prints a header, a line for each epoch of each arm, and the verdict; or events as JSON."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from regtui import __version__
from regtui.console import PROSE, can_draw, complain, room, say
from regtui.errors import EXIT_CODES, RegtuiError
from regtui.preset.model import Preset
from regtui.preset.schedule import words as schedule_words
from regtui.protocol.applied import Applied, kept_epoch
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import ArmStopped, ControlApplied, EpochDone, Event, RunStarted, Saving, Stalled, StepsDone
from regtui.protocol.history import History
from regtui.signals import Received, ending
from regtui.tasks import Metric
from regtui.text import NBSP, counted, number, one_line, seconds

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
    from regtui.evidence.lines import verdict_lines

    say()
    for line in verdict_lines(judge_run(result.history, preset), min(room(), PROSE)):
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


def table_lines(event: Event, history: History, preset: Preset | None, width: int) -> list[str]:
    """The lines to print for an event that was just added to `history`; without a preset there is no header.

    Lines have at most `width` columns, and `width` is at least 40.
    """
    layout = _Layout.of(history, width)
    match event:
        case RunStarted() if preset is not None:
            return _header(preset, event, history.unpaired_because, layout)
        case EpochDone() if history.started is not None:
            return _epoch_lines(event, layout, best=event is history.arms[event.arm].best)
        case ArmStopped(reason="early_stopping"):
            words = f"stopped early{_best_and_kept(event.arm, history, preset)}"
        case ArmStopped(reason="non_finite"):
            words = f"diverged: the training loss of step {event.step:,} is not finite"
        case ArmStopped(reason="exploded"):
            words = "diverged: the training loss is far above that of guessing"
        case _:
            return []
    return _remark(event.arm, words, layout)


class _Column(NamedTuple):
    """A column of the table of epochs: its title, its width in cells, and its value for an epoch."""

    title: str
    cells: int
    value: Callable[[EpochDone], str]


_TRAIN_LOSS = _Column("train loss", 10, lambda epoch: number(epoch.train_loss, ".4f"))
_VAL_LOSS = _Column("val loss", 8, lambda epoch: number(epoch.val_loss, ".4f"))
_GAP = _Column("gap", 9, lambda epoch: number(epoch.gap, "+.4f"))
_SECONDS = _Column("s", 6, lambda epoch: seconds(epoch.seconds))
_GIVE_WAY = ("gap", "s", "train metric", "train loss", "val metric")
"""The columns that are left out in a narrow terminal, in this order."""


def _columns(metric: Metric) -> dict[str, _Column]:
    """The columns after the arm's name, by what they tell; the metric's heads are 'train acc', 'val R²'."""
    train, val = f"train {metric.short}", f"val {metric.short}"
    return {
        "train loss": _TRAIN_LOSS,
        "val loss": _VAL_LOSS,
        "gap": _GAP,
        "train metric": _Column(train, 9, lambda epoch: metric.show(epoch.train_metric).replace(NBSP, " ")),
        "val metric": _Column(val, 8, lambda epoch: metric.show(epoch.val_metric).replace(NBSP, " ")),
        "s": _SECONDS,
    }


_ARM = 11
"""Least width of an arm's name, and of the names in the header."""
_BEST = " best"


class _Layout(NamedTuple):
    """How the table is laid out: widths in cells, and the columns that have room.

    Attributes:
        width: Of a line, at most.
        epochs: Planned, of each arm.
        number: Width of an epoch's number.
        arm: Width of an arm's name; a longer one is cut.
        columns: Those after the arm's name.
    """

    width: int
    epochs: int
    number: int
    arm: int
    columns: Sequence[_Column]

    @classmethod
    def of(cls, history: History, width: int) -> _Layout:
        """The layout for the run's epochs, arms and metric."""
        epochs = history.started.epochs if history.started is not None else 0
        columns, leaving = _columns(history.task.metric), list(_GIVE_WAY)
        arm = max(_ARM, *map(len, history.arms), 0)

        def cells(number: int) -> int:
            return number + 2 + arm + sum(1 + column.cells for column in columns.values()) + len(_BEST)

        number = max(len("epoch"), len(f"{epochs}/{epochs}"))
        if cells(number + 2) <= width:
            number = max(number, len("  epoch"))
        while leaving and cells(number) > width:
            del columns[leaving.pop(0)]
        if cells(number) > width:
            number = len(str(epochs))
        return cls(width, epochs, number, arm - max(0, cells(number) - width), list(columns.values()))

    def name(self, arm: str) -> str:
        """An arm's name in its column: without its middle where it is longer, because names often begin alike."""
        if len(arm) > self.arm:
            end = (self.arm - 1) // 2
            arm = f"{arm[: self.arm - 1 - end]}…{arm[-end:]}"
        return f"{arm:<{self.arm}}"


def _epoch_lines(epoch: EpochDone, layout: _Layout, *, best: bool) -> list[str]:
    which = f"{epoch.epoch}/{layout.epochs}"
    values = "".join(f" {column.value(epoch):>{column.cells}}" for column in layout.columns)
    number = which if len(which) <= layout.number else epoch.epoch
    line = f"{number:>{layout.number}}  {layout.name(epoch.arm)}{values}{_BEST if best else ''}"
    return [line, *(_remark(epoch.arm, "the epoch was cut short", layout) if epoch.partial else [])]


def _remark(arm: str, words: str, layout: _Layout) -> list[str]:
    """A remark on an arm, printed below its numbers."""
    return _wrapped(f"{'':{layout.number}}  {layout.name(arm)}  ", words, layout.width)


def _wrapped(before: str, words: str, width: int) -> list[str]:
    """`words` after `before`, wrapped; further lines are indented as far as the first."""
    return textwrap.wrap(words, width, initial_indent=before, subsequent_indent=" " * len(before))


def _header(preset: Preset, started: RunStarted, unpaired_because: str, layout: _Layout) -> list[str]:
    sizes, train = preset.sizes, preset.train
    decay = f", weight decay {train.weight_decay:g}" if train.weight_decay else ""
    sample = "all" if sizes.train_eval == sizes.train else "a fixed"
    tensors = max(arm.tensors for arm in started.arms.values())
    threads = f" · {counted(started.threads, 'thread')} a process" if started.threads else ""
    paired = "NOT PAIRED" if unpaired_because else "paired ✓"
    data = "data, split and batches" if all(arm.data for arm in started.arms.values()) else "batches"
    proof = unpaired_because or f"{started.shared_tensors} of {tensors} tensors start equal; the same {data}"
    parts = f"{sizes.train:,} training, {sizes.val:,} validation, {sizes.test:,}"
    rows = [
        ("data", f"{started.dataset}: {parts} test {started.examples}"),
        ("model", f"{preset.network} · {train.optimizer} {schedule_words(train)}{decay} · batch {train.batch_size}"),
        ("device", f"{started.device}{threads} · seed {train.seed}"),
        *((name, f"{arm.techniques} · {arm.parameters:,} parameters") for name, arm in started.arms.items()),
        (paired, proof),
        *([("note", preset.warning)] if preset.warning else []),
        ("losses", f"evaluation mode, no penalties; train loss on {sample} {sizes.train_eval:,} {started.examples}"),
    ]
    title = f" · {preset.title}" if preset.title else ""
    titles = "".join(f" {column.title:>{column.cells}}" for column in layout.columns)
    epoch = "epoch" if layout.number >= len("epoch") else ""
    return [
        *textwrap.wrap(f"regtui {__version__} · {preset.name}{title}", layout.width),
        "",
        *(line for name, words in rows for line in _row(name, words, layout)),
        "",
        f"{epoch:>{layout.number}}  {layout.name('arm')}{titles}",
    ]


def _row(name: str, words: str, layout: _Layout) -> list[str]:
    """A row of the header; in a narrow terminal a long name has a line of its own."""
    cells = min(layout.arm, max(_ARM, layout.width // 3))
    if len(name) > cells:
        return [name, *_wrapped(" " * (cells + 2), words, layout.width)]
    return _wrapped(f"{name:<{cells}}  ", words, layout.width)


def _best_and_kept(name: str, history: History, preset: Preset | None) -> str:
    """'; best epoch 8, keeps epoch 7': the lowest validation loss, and the weights that are tested."""
    arm = history.arms[name]
    words = "" if arm.best is None else f"; best epoch {arm.best.epoch}"
    if preset is not None:
        words += f", keeps epoch {kept_epoch(arm, Applied.of(preset, history).arms[name])}"
    return words


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
            if os.isatty(2):
                os.write(2, _SHOW_CURSOR)  # the progress bar has hidden it
            from regtui.engine.process import kill_all

            kill_all()
            os._exit(_BY_SIGNAL + number)

    before = {number: signal.signal(number, interrupt) for number in ending()}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
            case StepsDone():
                self._progress.update(self._task, completed=event.first_step + len(event.losses) - 1)
            case _:
                pass
