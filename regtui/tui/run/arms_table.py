"""The table of the arms: a row for each; in a narrow terminal less important columns go.

In a low terminal not all rows of many arms fit: those of the baseline and of the chosen arm are always there, with the
arms around the chosen one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from rich.style import Style
from rich.text import Text

from regtui.preset.model import Preset
from regtui.protocol.applied import Applied
from regtui.protocol.history import History
from regtui.tui.look import CURSOR, ArmLook, arm_looks
from regtui.tui.run.arms import COLUMNS, WAITED, ArmColumn, ArmRow, instead_of_patience, stops_with_next_epoch
from regtui.tui.widgets.lines import Lines

BAR_MOST = 24
"""Widest progress bar in cells; it takes the space that the other columns leave."""
LONG_NAME = 16
"""Cells for marks and names; longer names are cut unless there is room left beside the columns."""
_COST = frozenset({"seconds", "samples", "zeros"})
_PATIENCE = frozenset({"patience", "needs", "stops"})
_FIRST_TO_GO = (
    "value", "samples", "seconds", "zeros", "bar", "needs", "stops", "train", "patience", "gap", "name", "epoch",
    "best",
)  # fmt: skip
"""The columns that give way, in this order; 'patience' loses its meter and 'name' is cut."""


def arm_rows(
    preset: Preset,
    history: History,
    width: int,
    colours: Mapping[str, str],
    *,
    cursor: int | None = None,
    chosen: str = "",
    most: int | None = None,
) -> list[Text]:
    """A header and a row for each arm, at most `width` cells; in a narrow terminal less important columns go.

    Args:
        preset: What is trained.
        history: The run's history.
        width: Available cells.
        colours: The arms' colours, 'accent', 'faint' and 'warning', by name.
        cursor: The epoch up to which `history` goes, if it is a past one.
        chosen: The arm beside the baseline that is marked; of two arms none is.
        most: How many arms have a row; all of them if left out.
    """
    columns, name_width = _columns(preset, width)
    faint = Style(color=colours["faint"])
    looks = arm_looks(preset.arms())
    shown = _shown(list(looks), chosen, len(looks) if most is None else most)
    label = _position(chosen, shown, looks) if cursor is None else f"{CURSOR} epoch {cursor}"[:name_width]
    header = Text(end="", no_wrap=True).append(f"{label:<{name_width}}", Style(color=colours["accent"], bold=True))
    rows = [header.append("".join(f"  {c.header:>{c.width}}" for c in columns.values()), faint)]
    applied = Applied.of(preset, history).arms
    for name in shown:
        settings, look = applied[name], looks[name]
        label = f"{look.mark} {name}"
        if len(looks) > 2:
            label = ("›" if name == chosen else " ") + label
        label = label if len(label) <= name_width else label[: name_width - 1] + "…"
        style = Style(color=colours[look.colour], bold=(name == chosen and len(looks) > 2) or None)
        row = Text(end="", no_wrap=True).append(f"{label:<{name_width}}", style)
        rows.append(row)
        if name in history.arms:
            arm = ArmRow(name, history.arms[name], settings, preset)
            _append_cells(row, arm, columns, colours, look)
    for row in rows:
        row.truncate(width)
    return rows


def _per_second(preset: Preset) -> str:
    """The unit of how fast examples are trained on: 'img/s' of images, else 'ex/s'."""
    return "img/s" if preset.dataset.examples == "images" else "ex/s"


def _shown(arms: Sequence[str], chosen: str, most: int) -> list[str]:
    """The arms that have a row, in order: the baseline, and of the others as many as fit around the chosen one."""
    baseline, *others = arms
    fitting = max(1, most - 1)
    place = others.index(chosen) if chosen in others else 0
    first = max(0, min(place - fitting // 2, len(others) - fitting))
    return [baseline, *others[first : first + fitting]]


def _position(chosen: str, shown: Sequence[str], arms: Iterable[str]) -> str:
    """Where the chosen arm stands among those beside the baseline, if not all have a row: '7 of 16'."""
    others = list(arms)[1:]
    return "" if len(shown) > len(others) or chosen not in others else f" {others.index(chosen) + 1} of {len(others)}"


def _append_cells(
    row: Text, arm: ArmRow, columns: Mapping[str, ArmColumn], colours: Mapping[str, str], look: ArmLook
) -> None:
    last_words = instead_of_patience(arm)
    room = sum(column.width + 2 for key, column in columns.items() if key in _PATIENCE) - 2
    for key, column in columns.items():
        if key == "bar":
            _append_bar(row, arm, column.width, colours, look)
        elif key in _PATIENCE and last_words:
            row.append("  " + next((words for words in last_words if len(words) <= room), ""), colours["faint"])
            return
        elif key in _PATIENCE and stops_with_next_epoch(arm):
            row.append(f"  {column.text(arm):>{column.width}}", colours["warning"])
        else:
            row.append(f"  {column.text(arm):>{column.width}}", colours["faint"] if key in _COST else "")


def _append_bar(row: Text, arm: ArmRow, width: int, colours: Mapping[str, str], look: ArmLook) -> None:
    total = arm.preset.train.epochs * arm.preset.steps_per_epoch
    done = min(width, math.floor(width * len(arm.history.step_losses) / total))
    row.append("  " + "━" * done, colours[look.colour])
    row.append("·" * (width - done), colours["faint"])


def _columns(preset: Preset, width: int) -> tuple[dict[str, ArmColumn], int]:
    """The columns that fit, in order, and the width of the names before them."""
    epochs = len(str(preset.train.epochs))
    columns = dict(COLUMNS)
    columns["metric"] = columns["metric"]._replace(header=preset.task.metric.short)
    columns["samples"] = columns["samples"]._replace(header=_per_second(preset))
    columns["epoch"] = columns["epoch"]._replace(width=max(5, 2 * epochs + 1))
    columns["stops"] = columns["stops"]._replace(width=max(5, 3 + epochs))
    arms = preset.arms()
    longest = max(map(len, arms)) + 2 + (len(arms) > 2)
    name = max(13, min(LONG_NAME, longest))
    for key in _FIRST_TO_GO:
        if name + sum(column.width + 2 for column in columns.values()) <= width:
            break
        if key == "name":
            name = 10 + (len(arms) > 2)
        elif key == "patience":
            columns[key] = WAITED
        else:
            del columns[key]
    left = width - name - sum(column.width + 2 for column in columns.values())
    if name >= LONG_NAME:  # what a name lacks comes before a longer bar
        more = max(0, min(longest - name, left))
        name, left = name + more, left - more
    if "bar" in columns:
        columns["bar"] = columns["bar"]._replace(width=min(BAR_MOST, columns["bar"].width + left))
    return columns, name


class ArmsTable(Lines):
    """Shows the table."""

    _run: tuple[Preset, History] | None = None
    _cursor: int | None = None
    _chosen = ""

    def fit(self, arms: int) -> None:
        """Take the height for so many arms."""
        self.styles.height = 1 + arms

    def update_from(self, preset: Preset, history: History, cursor: int | None = None, chosen: str = "") -> None:
        """Show the run as it is now, or as it was at the cursor, and mark the chosen arm."""
        self._run, self._cursor, self._chosen = (preset, history), cursor, chosen
        self.redraw()

    def rows(self, width: int, height: int) -> list[Text]:
        """A header, and a row for each arm that fits."""
        if self._run is None:
            return []
        preset, history = self._run
        return arm_rows(
            preset, history, width, self.app.theme_variables,
            cursor=self._cursor, chosen=self._chosen, most=max(2, height - 1),
        )  # fmt: skip
