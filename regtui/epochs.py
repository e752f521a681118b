"""The printed table of a run: a header when it starts, then a line for each epoch of each arm."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

from regtui import __version__
from regtui.preset.model import Preset
from regtui.preset.schedule import words as schedule_words
from regtui.protocol.applied import Applied, kept_epoch
from regtui.protocol.events import ArmStopped, EpochDone, Event, Interrupted, RunStarted
from regtui.protocol.history import History
from regtui.tasks import Metric
from regtui.text import NBSP, counted, loss, seconds


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
        case ArmStopped(diverged=True):
            words = f"diverged: the {event.how_diverged}"
        case Interrupted() if history.started is not None:
            return _wrapped(f"{'':{layout.number}}  ", event.words(), layout.width)
        case _:
            return []
    return _remark(event.arm, words, layout)


class _Column(NamedTuple):
    """A column of the table of epochs: its title, its width in cells, and its value for an epoch."""

    title: str
    cells: int
    value: Callable[[EpochDone], str]


_TRAIN_LOSS = _Column("train loss", 10, lambda epoch: loss(epoch.train_loss))
_VAL_LOSS = _Column("val loss", 8, lambda epoch: loss(epoch.val_loss))
_GAP = _Column("gap", 9, lambda epoch: loss(epoch.gap, "+.4f"))
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
    optimizer = f"{train.optimizer}, learning rate {schedule_words(train)}"
    decay = f", weight decay {train.weight_decay:g}" if train.weight_decay else ""
    sample = "all" if sizes.train_eval == sizes.train else "a fixed"
    tensors = max(arm.tensors for arm in started.arms.values())
    threads = f" · {counted(started.threads, 'thread')} a process" if started.threads else ""
    paired = "NOT PAIRED" if unpaired_because else "paired ✓"
    data = "data, split and batches" if all(arm.data for arm in started.arms.values()) else "batches"
    proof = unpaired_because or f"{started.shared_tensors} of {tensors} tensors start equal; the same {data}"
    drawn = " drawn with replacement" if preset.data.bootstrap else ""
    parts = f"{sizes.train:,} training{drawn}, {sizes.val:,} validation, {sizes.test:,}"
    rows = [
        ("data", f"{started.dataset}: {parts} test {started.examples}"),
        ("model", f"{preset.network} · {optimizer}{decay} · batch {train.batch_size}"),
        ("device", f"{started.device}{threads} · {preset.seeds}"),
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
