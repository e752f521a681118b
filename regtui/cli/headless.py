"""A run without a screen: a header, one line an epoch and arm, the verdict; or one JSON event a line."""

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

from regtui import __version__
from regtui.console import complain, say
from regtui.errors import EXIT_CODES, RegtuiError
from regtui.preset.model import Preset
from regtui.protocol.applied import Applied, kept_epoch
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import ArmStopped, ControlApplied, EpochDone, Event, RunStarted, Saving, Stalled, StepsDone
from regtui.protocol.history import History
from regtui.text import counted, number, one_line, percent

if TYPE_CHECKING:
    from rich.progress import Progress

    from regtui.engine.run import RunResult

_BY_SIGNAL = 128
"""What exit codes of signals begin after."""
_HANG_UP = 1  # SIGHUP, which Windows has not
_SHOW_CURSOR = b"\r\x1b[K\x1b[?25h"


def run_headless(preset: Preset, logs: Path, *, json: bool, threads: int | None = None) -> int:
    """Train `preset`, telling stdout how it goes; returns the exit code.

    `threads` is with how many each process computes; with its share of what the machine grants if None.

    Raises:
        InputError: The preset asks for what isn't there, or `logs` can't be written.
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
            except BrokenPipeError:  # whoever read has gone; what was trained is kept
                control.send(Stop())
            except RegtuiError as error:
                complain(f"regtui: {error}")
                unsaid.append(error)
                control.send(Stop())

        result = run(preset, logs, control, emit, begun=lambda _folder: training.set(), threads=threads)
    if _HANG_UP in received:  # nobody is there to read
        return _BY_SIGNAL + _HANG_UP
    if not json and result.history.started is not None:
        from regtui.evidence.from_history import judge_run

        say()
        for line in judge_run(result.history, preset).lines():
            say(line)
        say()
        say(f"log  {one_line(result.folder)}")
    _complain_of(result)
    if signal.SIGTERM in received:
        return _BY_SIGNAL + signal.SIGTERM
    return RegtuiError.exit_code if unsaid or result.summary.unsaved else EXIT_CODES[result.summary.status]


def _complain_of(result: RunResult) -> None:
    """Say why a run failed, and what of it is not saved."""
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
        for line in table_lines(event, self._history, self._preset):
            say(line)
        if isinstance(event, ControlApplied) and event.command == "stop":
            where = f"after step {event.step:,}: validating, testing, saving" if event.step else "before the first step"
            complain(f"stopping {where}")


def table_lines(event: Event, history: History, preset: Preset | None) -> list[str]:
    """What the table says of an event that `history` has just taken in; without a preset there is no header."""
    match event:
        case RunStarted() if preset is not None:
            return _header(preset, event, history.unpaired_because)
        case EpochDone() if history.started is not None:
            return [_epoch_line(event, history.started.epochs, best=event is history.arms[event.arm].best)]
        case ArmStopped(reason="early_stopping"):
            return [f"{'':7}  {event.arm:<11}  stopped early{_best_and_kept(event.arm, history, preset)}"]
        case ArmStopped(reason="non_finite"):
            return [f"{'':7}  {event.arm:<11}  diverged: the training loss of step {event.step:,} is not finite"]
        case ArmStopped(reason="exploded"):
            return [f"{'':7}  {event.arm:<11}  diverged: the training loss is far above that of guessing"]
        case _:
            return []


def _header(preset: Preset, started: RunStarted, unpaired_because: str) -> list[str]:
    sizes, train = preset.sizes, preset.train
    decay = f", weight decay {train.weight_decay:g}" if train.weight_decay else ""
    sample = "all" if sizes.train_eval == sizes.train else "a fixed"
    tensors = max(arm.tensors for arm in started.arms.values())
    threads = f" · {counted(started.threads, 'thread')} a process" if started.threads else ""
    paired = "NOT PAIRED" if unpaired_because else "paired ✓"
    data = "data, split and batches" if all(arm.data for arm in started.arms.values()) else "batches"
    proof = unpaired_because or f"{started.shared_tensors} of {tensors} tensors start equal; the same {data}"
    rows = {
        "data": f"{started.dataset}: {sizes.train:,} training, {sizes.val:,} validation, {sizes.test:,} test images",
        "model": f"{'-'.join(map(str, preset.layers))} · {train.optimizer} {train.learning_rate:g}{decay} · "
        f"batch {train.batch_size}",
        "device": f"{started.device}{threads} · seed {train.seed}",
        **{name: f"{arm.techniques} · {arm.parameters:,} parameters" for name, arm in started.arms.items()},
        paired: proof,
        **({"note": preset.warning} if preset.warning else {}),
        "losses": f"evaluation mode, no penalties; train loss on {sample} {sizes.train_eval:,} images",
    }
    title = f" · {preset.title}" if preset.title else ""
    return [
        f"regtui {__version__} · {preset.name}{title}",
        "",
        *(f"{name:<11}  {words}" for name, words in rows.items()),
        "",
        "  epoch  arm         train loss val loss       gap train acc  val acc      s",
    ]


def _best_and_kept(name: str, history: History, preset: Preset | None) -> str:
    """'; best epoch 8, keeps epoch 7': the lowest validation loss, and the weights that are tested."""
    arm = history.arms[name]
    words = "" if arm.best is None else f"; best epoch {arm.best.epoch}"
    if preset is not None:
        words += f", keeps epoch {kept_epoch(arm, Applied.of(preset, history).arms[name])}"
    return words


def _epoch_line(epoch: EpochDone, epochs: int, *, best: bool) -> str:
    notes = (" best" if best else "") + ("  cut short" if epoch.partial else "")
    train, val, gap = number(epoch.train_loss, ".4f"), number(epoch.val_loss, ".4f"), number(epoch.gap, "+.4f")
    return (
        f"{f'{epoch.epoch}/{epochs}':>7}  {epoch.arm:<11} {train:>10} {val:>8} {gap:>9} "
        f"{percent(epoch.train_accuracy):>7} % {percent(epoch.val_accuracy):>6} % {epoch.seconds:>6.2f}{notes}"
    )


@contextmanager
def _signals(control: Control, training: threading.Event) -> Iterator[list[int]]:
    """Stop the run and keep it at Ctrl-C, SIGTERM and SIGHUP, or end it if it does not train yet; yields what came.

    A second Ctrl-C ends it at once.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if not training.is_set():
            received.append(number)
            if len(received) == 1:  # the next ones would keep what there is from being cleared away
                raise KeyboardInterrupt(number)
            return
        if received and number == signal.SIGINT:
            if os.isatty(2):
                os.write(2, _SHOW_CURSOR)  # the progress bar has hidden it
            os._exit(_BY_SIGNAL + number)  # the arms' processes end when this one is gone
        received.append(number)
        control.send(Stop())

    # Whoever started this with signals ignored, as a script does with a job in the background, meant it.
    known = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    heeded = [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heeded}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress_bar(preset: Preset, *, wanted: bool) -> Iterator[Callable[[Event], None]]:
    """A bar on stderr where that is a terminal; yields what moves it."""
    if not (wanted and sys.stderr.isatty()):
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
    """Follows the arm that is furthest, for the arms go side by side."""

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
