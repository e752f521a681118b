"""The table of the arms: a row each, with progress, losses, cost, and how much patience is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from rich.style import Style
from rich.text import Text

from regtui.applied import Applied, ArmApplied, best_value, stop_epoch_if_nothing_improves, value_to_beat, wait
from regtui.events import EpochDone
from regtui.history import ArmHistory, History
from regtui.preset import Preset
from regtui.tui.lines import Lines
from regtui.tui.look import MARKS

BAR_MOST = 24
"""Cells of the progress bar at most; it takes what the other columns leave."""
METER = 5
"""Cells of the patience meter."""
NONE = "–"
"""Where there is no number yet."""


class _Arm(NamedTuple):
    """All that a row is made from."""

    name: str
    history: ArmHistory
    settings: ArmApplied
    preset: Preset


class _Column(NamedTuple):
    """A column of `width` cells after two blanks, its text at its right edge."""

    header: str
    width: int
    text: Callable[[_Arm], str]


def arm_rows(preset: Preset, history: History, width: int, colours: Mapping[str, str]) -> list[Text]:
    """A header and a row for each arm, `width` cells at most; where that is little, the least telling columns go.

    Args:
        preset: What is trained.
        history: What has been told of it.
        width: Cells there are.
        colours: The arms' own, 'faint' and 'warning', by name.
    """
    columns, name_width = _columns(preset, width)
    faint = Style(color=colours["faint"])
    header = " " * name_width + "".join(f"  {c.header:>{c.width}}" for c in columns.values())
    rows = [Text(end="", no_wrap=True).append(header, faint)]
    for name, settings in Applied.of(preset, history).arms.items():
        label = f"{MARKS[name]} {name}"
        label = label if len(label) <= name_width else label[: name_width - 1] + "…"
        row = Text(end="", no_wrap=True).append(f"{label:<{name_width}}", Style(color=colours[name]))
        if name in history.arms:
            _append_cells(row, _Arm(name, history.arms[name], settings, preset), columns, colours)
        row.truncate(width)
        rows.append(row)
    return rows


def _append_cells(row: Text, arm: _Arm, columns: Mapping[str, _Column], colours: Mapping[str, str]) -> None:
    last_words = _instead_of_patience(arm)
    room = sum(column.width + 2 for key, column in columns.items() if key in _PATIENCE) - 2
    for key, column in columns.items():
        if key == "bar":
            _append_bar(row, arm, column.width, colours)
        elif key in _PATIENCE and last_words:
            row.append("  " + next((words for words in last_words if len(words) <= room), ""), colours["faint"])
            return
        elif key in _PATIENCE and _stops_with_next_epoch(arm):
            row.append(f"  {column.text(arm):>{column.width}}", colours["warning"])
        else:
            row.append(f"  {column.text(arm):>{column.width}}", colours["faint"] if key in _COST else "")


def _append_bar(row: Text, arm: _Arm, width: int, colours: Mapping[str, str]) -> None:
    total = arm.preset.train.epochs * arm.preset.steps_per_epoch
    done = min(width, math.floor(width * len(arm.history.step_losses) / total))
    row.append("  " + "━" * done, colours[arm.name])
    row.append("·" * (width - done), colours["faint"])


def _columns(preset: Preset, width: int) -> tuple[dict[str, _Column], int]:
    """The columns that there is room for, in their order, and the width of the names before them."""
    epochs = len(str(preset.train.epochs))
    columns = dict(_COLUMNS)
    columns["epoch"] = columns["epoch"]._replace(width=max(5, 2 * epochs + 1))
    columns["stops"] = columns["stops"]._replace(width=max(5, 3 + epochs))
    name = 13
    for key in _FIRST_TO_GO:
        if name + sum(column.width + 2 for column in columns.values()) <= width:
            break
        if key == "name":
            name = 10
        elif key == "patience":
            columns[key] = _WAITED
        else:
            del columns[key]
    if "bar" in columns:
        left = width - name - sum(column.width + 2 for column in columns.values())
        columns["bar"] = columns["bar"]._replace(width=min(BAR_MOST, columns["bar"].width + left))
    return columns, name


def _stops_with_next_epoch(arm: _Arm) -> bool:
    patience = arm.settings.patience
    return patience is not None and arm.history.best is not None and wait(arm.history) >= patience - 1 > 0


def _instead_of_patience(arm: _Arm) -> Sequence[str]:
    """What an arm says that has ended, or that has no patience: as much of it as there is room for."""
    stopped = arm.history.stopped
    if stopped is None:
        waited = wait(arm.history)
        return (f"{waited} since best", f"{waited}") if arm.settings.patience is None else ()
    kept = f", kept {_kept(arm)}"
    if stopped.reason == "early_stopping":
        early = f"stopped early at {stopped.epoch}"
        return early + kept, early, f"early, {stopped.epoch}", "early"
    if stopped.reason == "max_epochs":
        return f"done{kept}", "done"
    if stopped.reason == "stopped":
        return f"stopped at {stopped.epoch}{kept}", f"stopped at {stopped.epoch}", "stopped", "ended"
    return f"diverged at {stopped.epoch}", "diverged", "NaN"


def _kept(arm: _Arm) -> int:
    """The epoch whose weights the arm keeps; the test set's score says it for certain."""
    test, best, last = arm.history.test, arm.history.best, arm.history.last
    if test is not None:
        return test.epoch
    epoch = best if arm.settings.restore_best and best is not None else last
    return epoch.epoch if epoch is not None else 0


def _last(text: Callable[[EpochDone], str]) -> Callable[[_Arm], str]:
    """The text of the last epoch."""
    return lambda arm: NONE if arm.history.last is None else text(arm.history.last)


def _number(value: float | None) -> str:
    """At most seven cells; NaN stands for whatever is not finite."""
    if value is None:
        return "NaN"
    size = abs(value)
    text = f"{value:.4f}" if size < 10 else f"{value:.2f}" if size < 1000 else f"{value:.0e}"
    return text.replace("-", "−")


def _gap(epoch: EpochDone) -> str:
    gap = epoch.gap
    return _number(gap) if gap is None or abs(gap) >= 10 else f"{gap:.3f}".replace("-", "−")


def _zeros(epoch: EpochDone) -> str:
    """Share of weights that are exactly zero; 0% and 100% are said only where they are exact."""
    share = epoch.zero_weights
    return f"{share:.0%}" if share in (0, 1) else f"{min(max(share, 0.001), 0.999):.1%}"


def _whole_epoch(text: Callable[[float, _Arm], str]) -> Callable[[_Arm], str]:
    """A text of the seconds that the last whole epoch took."""

    def of_arm(arm: _Arm) -> str:
        seconds = next((epoch.seconds for epoch in reversed(arm.history.epochs) if not epoch.partial), 0.0)
        return text(seconds, arm) if seconds > 0 else NONE

    return of_arm


def _seconds(seconds: float, _arm: _Arm) -> str:
    return f"{seconds:.2f}" if seconds < 100 else f"{seconds:,.0f}"


def _samples(seconds: float, arm: _Arm) -> str:
    return f"{arm.preset.sizes.train / seconds:,.0f}"


def _monitored(value: float | None, settings: ArmApplied) -> str:
    if value is None:
        return NONE
    return _number(value) if settings.monitor == "val_loss" else f"{value:.2%}"


def _waited(arm: _Arm) -> str:
    return f"{wait(arm.history)}/{arm.settings.patience}"


def _patience(arm: _Arm) -> str:
    """'▮▮▯▯▯ 2/5'; full only where patience has run out."""
    waited, patience = wait(arm.history), arm.settings.patience or 1
    cells = min(METER, patience)
    full = cells if waited >= patience else min(cells - 1, math.ceil(cells * waited / patience))
    meter = "▮" * full + "▯" * (cells - full)
    text = f"{meter} {_waited(arm)}"
    return text if len(text) <= _COLUMNS["patience"].width else _waited(arm)


def _stops(arm: _Arm) -> str:
    epoch = stop_epoch_if_nothing_improves(arm.history, arm.settings, arm.preset.train.epochs)
    return NONE if epoch is None else f"at {epoch}"


_COLUMNS = {
    "bar": _Column("", 5, lambda _arm: ""),
    "epoch": _Column("epoch", 5, lambda arm: f"{len(arm.history.epochs)}/{arm.preset.train.epochs}"),
    "train": _Column("train", 6, _last(lambda epoch: _number(epoch.train_loss))),
    "val": _Column("val", 6, _last(lambda epoch: _number(epoch.val_loss))),
    "gap": _Column("gap", 6, _last(_gap)),
    "acc": _Column("acc", 6, _last(lambda epoch: f"{epoch.val_accuracy:.1%}")),
    "best": _Column("best", 4, lambda arm: str(arm.history.best.epoch) if arm.history.best else NONE),
    "value": _Column("value", 6, lambda arm: _monitored(best_value(arm.history, arm.settings), arm.settings)),
    "seconds": _Column("s/epoch", 7, _whole_epoch(_seconds)),
    "samples": _Column("img/s", 7, _whole_epoch(_samples)),
    "zeros": _Column("zeros", 5, _last(_zeros)),
    "patience": _Column("patience", 11, _patience),
    "beat": _Column("beat", 6, lambda arm: _monitored(value_to_beat(arm.history, arm.settings), arm.settings)),
    "stops": _Column("stops", 5, _stops),
}
_WAITED = _Column("wait", 5, _waited)
_COST = frozenset({"seconds", "samples", "zeros"})
_PATIENCE = frozenset({"patience", "beat", "stops"})
_FIRST_TO_GO = (
    "value", "samples", "seconds", "zeros", "bar", "beat", "stops", "patience", "acc", "train", "gap", "name", "best",
)  # fmt: skip
"""What gives way, in this order; 'patience' gives up its meter and 'name' its end."""


class ArmsTable(Lines):
    """Shows the table."""

    DEFAULT_CSS = "ArmsTable { height: 3; }"

    _run: tuple[Preset, History] | None = None

    def update_from(self, preset: Preset, history: History) -> None:
        """Show this run as it is now."""
        self._run = preset, history
        self.redraw()

    def rows(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        """A header and a row for each arm."""
        return arm_rows(*self._run, width, self.app.theme_variables) if self._run else []
