"""The columns of the list of saved runs, and a line with what they leave out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from regtui.evidence.verdict import OUTCOMES
from regtui.preset.arms import MARKS
from regtui.runs.info import ArmFigures, RunInfo
from regtui.runs.settings import settings, settings_by_arm
from regtui.study.list import StudyInfo
from regtui.text import UNKNOWN, loss, one_line
from regtui.tui.widgets.row_list import Cell, Column

STATUS_COLOURS = {
    "running": "accent",
    "silent": "warning",
    "interrupted": "warning",
    "diverged": "error",
    "failed": "error",
    "damaged": "error",
    "finished": "",
    "stopped": "",
}
NARROW = 100
"""Below this width there is no status column; a run without a verdict shows its status there instead."""
TINY = 60
"""Below this width the time of the start comes last."""
CALLED = frozenset({"more", "fewer", "closer", "farther", "helps", "hurts"})
"""Verdicts that say in which way the networks, or those of a study's seeds, differ."""
VERDICT_WIDTH = len("interrupted")
"""Width of the verdict column, in which the status may stand instead."""
CLOUDED_WIDTH = 20
"""Its width in a wide terminal, where a run is listed that is not a clean comparison: 'undecided, steered'."""


class RunColumn(NamedTuple):
    """A column of the list: a run's cell in it, and the value by which the runs are sorted."""

    column: Column
    cell: Callable[[RunInfo], Cell]
    value: Callable[[RunInfo], object]


def status_words(run: RunInfo) -> str:
    """How a run ended; of a study how many of its runs are done."""
    return f"study {run.done}" if isinstance(run, StudyInfo) and run.done else run.status


def preset_words(run: RunInfo) -> str:
    """The preset's name; of a study with the number of its seeds: 'small-data ×8'."""
    seeds = run.fields.get("seeds.planned") if isinstance(run, StudyInfo) else None
    return f"{run.preset or UNKNOWN} ×{seeds}" if seeds else run.preset or UNKNOWN


def _whole(value: int | None) -> Cell:
    return Cell(UNKNOWN if value is None else str(value))


def test_cell(run: RunInfo, arm: ArmFigures) -> Cell:
    """An arm's metric on the test set: '97.53%', '0.4835'."""
    return Cell(run.metric.fitting(arm.test_metric, 7))


def verdict_cell(run: RunInfo, cells: int) -> Cell:
    """The verdict in so many cells; one that is not clean is a warning, and one that settles nothing is faint."""
    if run.clouds and run.verdict and (run.verdict != "none" or "unpaired" in run.clouds):
        return Cell(run.verdict_in(cells), "warning")
    return Cell(run.verdict_in(cells), "" if CALLED & {*run.verdicts.values()} else "faint")


FIELDS = (
    RunColumn(
        Column("started, UTC", 16), lambda r: Cell(f"{r.started:%Y-%m-%d %H:%M}", "secondary"), lambda r: r.started
    ),
    RunColumn(Column("preset", 0), lambda r: Cell(preset_words(r)), lambda r: r.preset or None),
    RunColumn(Column("status", 11), lambda r: Cell(status_words(r), STATUS_COLOURS[r.status]), lambda r: r.status),
    RunColumn(
        Column("Δ points", 8),
        lambda r: Cell(r.points),
        lambda r: r.difference,
    ),
    RunColumn(
        Column("verdict", 9),
        lambda r: verdict_cell(r, CLOUDED_WIDTH),
        lambda r: r.verdict or None,
    ),
    RunColumn(
        Column("● test", 7, right=True, colour="baseline"),
        lambda r: test_cell(r, r.baseline),
        lambda r: r.baseline.test_metric,
    ),
    RunColumn(
        Column("◆ test", 7, right=True, colour="regularized", joined=True),
        lambda r: test_cell(r, r.other),
        lambda r: r.other.test_metric,
    ),
    RunColumn(Column("seed", 4, right=True), lambda r: _whole(r.seed), lambda r: r.seed),
    RunColumn(Column("epochs", 6, right=True), lambda r: _whole(r.epochs), lambda r: r.epochs),
    RunColumn(
        Column("● val", 7, right=True, colour="baseline"),
        lambda r: Cell(loss(r.baseline.best_val_loss)),
        lambda r: r.baseline.best_val_loss,
    ),
    RunColumn(
        Column("◆ val", 7, right=True, colour="regularized", joined=True),
        lambda r: Cell(loss(r.other.best_val_loss)),
        lambda r: r.other.best_val_loss,
    ),
    RunColumn(Column("note", 0), lambda r: Cell(r.note.line), lambda r: r.note.line or None),
    RunColumn(Column("device", 8), lambda r: Cell(r.device or UNKNOWN, "faint"), lambda r: r.device or None),
)
PRESET, STATUS, POINTS, VERDICT = FIELDS[1:5]
NOTED = FIELDS[-2]


def fields_for(runs: Iterable[RunInfo], width: int) -> list[RunColumn]:
    """The columns for a terminal of that width; that of the notes only if there are any."""
    fields = [field for field in FIELDS if field is not NOTED or note_width(runs)]
    if width >= NARROW:
        return fields
    started, *others = [field for field in fields if field is not STATUS]
    return [*others, started] if width < TINY else [started, *others]


def columns_for(
    runs: Sequence[RunInfo], fields: Sequence[RunColumn], width: int, sorted_by: RunColumn, arrow: str
) -> list[Column]:
    """The columns as wide as the listed runs and the terminal have it; an arrow is at the one that gives the order."""
    columns = []
    for field in fields:
        column = field.column
        if field is PRESET:
            column = column._replace(width=preset_width(runs, width))
        elif field is STATUS:
            column = column._replace(width=max(map(len, map(status_words, runs)), default=column.width))
        elif field is NOTED:
            column = column._replace(width=note_width(runs))
        elif field is POINTS:
            column = points_column(runs, width)
        elif field is VERDICT:
            column = column._replace(width=verdict_width(runs, width))
        if field is sorted_by:
            title = column.title + arrow
            column = column._replace(title=title, width=max(column.width, len(title)))
        columns.append(column)
    return columns


def cells_of(run: RunInfo, fields: Sequence[RunColumn], width: int) -> list[Cell]:
    """A run's cells in these columns, for a terminal of that width."""
    by_width = {POINTS: points_cell, VERDICT: verdict_or_status}
    return [by_width[field](run, width) if field in by_width else field.cell(run) for field in fields]


def verdict_width(runs: Iterable[RunInfo], width: int) -> int:
    """Width of the verdict column for a terminal of that width."""
    if width < NARROW:
        return VERDICT_WIDTH
    return CLOUDED_WIDTH if any(run.clouds or isinstance(run, StudyInfo) for run in runs) else VERDICT.column.width


def verdict_or_status(run: RunInfo, width: int) -> Cell:
    """The verdict's cell for a terminal of that width; in a narrow one a run that has none shows its status."""
    if width >= NARROW:
        return VERDICT.cell(run)
    if isinstance(run, StudyInfo) and run.shown_verdict in (UNKNOWN, "open"):
        return Cell(run.done or run.status, STATUS_COLOURS[run.status])
    nothing = run.verdict in ("", "none") and "unpaired" not in run.clouds
    return STATUS.cell(run) if nothing else verdict_cell(run, VERDICT_WIDTH)


def points_column(runs: Iterable[RunInfo], width: int) -> Column:
    """The column of differences for a terminal of that width; in a narrow one the header says '1 seed', where it is."""
    runs = list(runs)
    if width < NARROW:
        title = "Δ test" if any(isinstance(run, StudyInfo) for run in runs) else "Δ 1 seed"
        return Column(title, 8, right=True)
    title = "Δ points" if all(run.metric.is_share for run in runs) else "Δ test"
    return Column(title, max([len(title), *(len(run.points) for run in runs)]))


def points_cell(run: RunInfo, width: int) -> Cell:
    """The cell with the difference, for a terminal of that width."""
    return Cell(run.points if width >= NARROW else run.shown_difference)


def preset_width(runs: Iterable[RunInfo], width: int) -> int:
    """Width of the preset column for a terminal of that width; with 40 columns the verdict still fits beside it."""
    most = 10 if width < TINY else 15 if width < NARROW else 22
    widest = max((cell_len(one_line(name)) for name in {preset_words(run) for run in runs}), default=0)
    return max(len("preset"), min(most, widest))


def note_width(runs: Iterable[RunInfo]) -> int:
    """Width of the column of notes; 0 if there are none."""
    widest = max((cell_len(run.note.line) for run in runs if "note" in run.fields or "tags" in run.fields), default=0)
    return max(len("note"), min(30, widest)) if widest else 0


def about(run: RunInfo) -> str:
    """A line with what the columns leave out: the folder's name, the note, techniques, network and training."""
    table = settings(run)
    words = [run.name, *filter(None, [run.note.line]), *_outcomes(run)]
    for arm, own in settings_by_arm(run).items():
        knobs = [
            f"{key.replace('_', ' ').replace('.', ' ')} {value}"
            for key, value in own.items()
            if value not in (0, "true", "false")
        ]
        words += [f"{MARKS.get(arm, f'◆ {arm}:')} {', '.join(knobs)}"] if knobs else []
    optimizer, rate = table.get("train.optimizer"), table.get("train.learning_rate")
    words += [f"hidden {table['model.hidden']}"] if "model.hidden" in table else []
    words += [f"{optimizer} {rate}"] if optimizer and rate else []
    words += [run.caveats] if run.caveats != "one seed" else []
    return " · ".join(words)


def _outcomes(run: RunInfo) -> list[str]:
    """Of several arms, what each came to: '2 more (norm +17.89, l1 +0.85)', '1 undecided (l2 −0.07)'."""
    found: dict[str, list[str]] = {}
    for arm, verdict in run.verdicts.items() if len(run.others) > 1 else ():
        difference = run.differences.get(arm)
        found.setdefault(verdict, []).append(arm if difference is None else f"{arm} {run.signed(difference)}")
    return [f"{len(arms)} {outcome} ({', '.join(arms)})" for outcome in OUTCOMES if (arms := found.get(outcome))]
