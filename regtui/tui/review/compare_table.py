"""The table below the curves of several runs: their results and the settings that differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len

from regtui.preset.arms import BASELINE, LONGEST_ARM, MARKS
from regtui.runs.info import RunInfo
from regtui.runs.settings import setting
from regtui.text import UNKNOWN, loss, one_line, share
from regtui.tui.review.columns import (
    CALLED,
    NARROW,
    VERDICT_WIDTH,
    points_cell,
    points_column,
    preset_width,
    test_cell,
    verdict_cell,
)
from regtui.tui.widgets.row_list import Cell, Column

INDENT = 2
"""Cells before an arm's name."""
SETTING = 16
"""Widest setting in cells."""


def columns(runs: Sequence[RunInfo], keys: Sequence[str], width: int) -> list[Column]:
    """The columns: letter, preset, main results, a column for each differing setting, and further results.

    Args:
        runs: The rows.
        keys: The settings that differ.
        width: The terminal's.
    """
    first, rest = [column for column, _ in OUTCOME], [column for column, _ in REST]
    arms = [INDENT + len(arm) for run in runs if len(run.others) > 1 for arm in run.others]
    names = max(
        [preset_width(runs, width), min(max(arms, default=0), INDENT + (LONGEST_ARM if width >= NARROW else 16))]
    )
    return [
        Column("", 1),
        Column("preset", names),
        points_column(runs, width),
        *first,
        *(_setting(runs, key) for key in keys),
        *rest,
    ]


def differ(keys: Sequence[str], width: int) -> str:
    """A sentence on the differing settings: as many names as fit into `width` cells, and how many more there are."""
    if not keys:
        return "with the same settings"
    for named in range(len(keys), 0, -1):
        more = f" and {len(keys) - named} more" if named < len(keys) else ""
        if len(words := f"differ in {', '.join(keys[:named])}{more}") <= width:
            return words
    return f"differ in {len(keys)} settings"


def rows(runs: Sequence[RunInfo]) -> list[tuple[int, str]]:
    """The table's rows: each run by its place, and below a run of several arms each of these by its name."""
    return [
        (place, arm) for place, run in enumerate(runs) for arm in ("", *(run.others if len(run.others) > 1 else ()))
    ]


def cells(run: RunInfo, arm: str, letter: Cell, keys: Sequence[str], width: int) -> list[Cell]:
    """The cells of a run's row, or of one of its arms', for a terminal of that width."""
    if arm:
        return _arm_cells(run, arm, len(keys), width)
    first, rest = [cell(run) for _, cell in OUTCOME], [cell(run) for _, cell in REST]
    settings = [Cell(_value(run, key)) for key in keys]
    return [letter, Cell(run.preset or UNKNOWN), points_cell(run, width), *first, *settings, *rest]


def _arm_cells(run: RunInfo, arm: str, settings: int, width: int) -> list[Cell]:
    """What one of several arms came to; what all of them have in common stands in the run's row."""
    figures, nothing = run.figures(arm), Cell("")
    difference, outcome = run.signed(run.differences.get(arm)), run.verdicts[arm]
    caveats = f" ({run.caveats})" if width >= NARROW and arm in run.differences else ""
    epochs = run.fields.get(f"arms.{arm}.epochs")
    return [
        nothing,
        Cell(f"{'':{INDENT}}{arm}"),
        Cell(f"{difference}{caveats}"),
        Cell(outcome, "warning" if run.clouds and outcome != "none" else "" if outcome in CALLED else "faint"),
        nothing,
        test_cell(run, figures),
        *[nothing] * settings,
        nothing,
        Cell(loss(figures.best_val_loss)),
        Cell(UNKNOWN if epochs is None else str(epochs)),
        Cell(_cost(run, arm), "faint"),
        Cell(_zeros(run, arm), "faint"),
        nothing,
    ]


def _setting(runs: Sequence[RunInfo], key: str) -> Column:
    table, _, name = key.partition(".")
    title = f"{MARKS[table]} {name}" if table in MARKS else name
    widest = max(len(title), *(cell_len(one_line(_value(run, key))) for run in runs))
    number = all(not isinstance(setting(run, key), str) for run in runs)
    return Column(title, min(SETTING, widest), right=number)


def _value(run: RunInfo, key: str) -> str:
    value = setting(run, key)
    return UNKNOWN if value is None else str(value)


def _per_epoch(run: RunInfo, arm: str) -> float | None:
    seconds, epochs = run.fields.get(f"arms.{arm}.seconds"), run.fields.get(f"arms.{arm}.epochs")
    if isinstance(seconds, int | float) and isinstance(epochs, int) and epochs > 0:
        return seconds / epochs
    return None


def _zeros(run: RunInfo, arm: str) -> str:
    zeros = run.fields.get(f"arms.{arm}.zero_weights")
    return share(zeros, gap="") if isinstance(zeros, int | float) else UNKNOWN


def _cost(run: RunInfo, arm: str) -> str:
    ours, theirs = _per_epoch(run, arm), _per_epoch(run, BASELINE)
    return f"{ours / theirs:.2f}×" if ours and theirs else UNKNOWN


def _only(run: RunInfo) -> str:
    """The one arm beside the baseline; empty where there are several."""
    return run.others[0] if len(run.others) == 1 else ""


OUTCOME: list[tuple[Column, Callable[[RunInfo], Cell]]] = [
    (
        Column("verdict", VERDICT_WIDTH),
        lambda r: verdict_cell(r, VERDICT_WIDTH) if r.status in ("finished", "stopped") else Cell(r.status, "warning"),
    ),
    (Column("● test", 7, right=True, colour="baseline"), lambda r: test_cell(r, r.baseline)),
    (
        Column("◆ test", 7, right=True, colour="regularized", joined=True),
        lambda r: test_cell(r, r.other),
    ),
]
REST: list[tuple[Column, Callable[[RunInfo], Cell]]] = [
    (Column("● val", 7, right=True, colour="baseline"), lambda r: Cell(loss(r.baseline.best_val_loss))),
    (
        Column("◆ val", 7, right=True, colour="regularized", joined=True),
        lambda r: Cell(loss(r.other.best_val_loss)),
    ),
    (Column("epochs", 6, right=True), lambda r: Cell(UNKNOWN if r.epochs is None else str(r.epochs))),
    (Column("◆ cost", 6, right=True), lambda r: Cell(_cost(r, _only(r)), "faint")),
    (Column("◆ zeros", 7, right=True), lambda r: Cell(_zeros(r, _only(r)), "faint")),
    (Column("started, UTC", 16), lambda r: Cell(f"{r.started:%Y-%m-%d %H:%M}", "faint")),
]
