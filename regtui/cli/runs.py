"""`regtui runs`: the saved runs and studies as a table for people, and as JSON for scripts."""

from __future__ import annotations

import json as json_text
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from regtui.console import NARROWEST, complain, say
from regtui.errors import InputError
from regtui.preset.arms import BASELINE, REGULARIZED
from regtui.runs.files import Field
from regtui.runs.filter import parse_filter
from regtui.runs.find import check_folder, find_study_folders
from regtui.runs.info import ArmFigures, RunInfo
from regtui.text import UNKNOWN, loss, one_line, quoted

MAX_WORDS = 10
"""The most damaged runs that are named below the table; --json names all."""

# Upper and lower line of the header, a run's text in that column, and whether it is left-aligned.
_COLUMNS: list[tuple[str, str, Callable[[RunInfo], str], bool]] = [
    ("", "run", lambda run: _beginning(run.name), True),
    ("", "preset", lambda run: one_line(run.preset or UNKNOWN, 14), True),
    ("", "status", lambda run: run.status, True),
    ("", "verdict", lambda run: one_line(run.verdict_in(20), 20), True),
    ("", "Δ points", lambda run: run.points, True),
    ("test", "base", lambda run: run.metric.fitting(run.baseline.test_metric, 7), False),
    ("test", "regul", lambda run: run.metric.fitting(run.other.test_metric, 7), False),
    ("", "seed", lambda run: UNKNOWN if run.seed is None else one_line(run.seed, 6), False),
    ("", "ep", lambda run: UNKNOWN if run.epochs is None else one_line(run.epochs, 6), False),
    ("val loss", "base", lambda run: loss(run.baseline.best_val_loss), False),
    ("val loss", "regul", lambda run: loss(run.other.best_val_loss), False),
    ("", "device", lambda run: one_line(run.device or UNKNOWN, 8), True),
]


def print_runs(folder: Path, *, json: bool, filter: str = "") -> int:  # noqa: A002, as the option is called
    """Print the runs in and below `folder`, newest first: a table, or one JSON object a line; returns the exit code.

    A study is one line, which stands for its runs; those are listed where `folder` is the study's own.

    Raises:
        InputError: There is no such folder, the filter is not valid, or it asks for a field that no run has.
    """
    from regtui.runs.index import read_runs  # sqlite, 10 ms that `show` does without

    chosen = parse_filter(filter)
    check_folder(folder)
    runs = _with_studies(read_runs(folder, lambda words: complain(f"regtui: {one_line(words)}")), folder)
    if unknown := chosen.unknown(runs):
        raise InputError(f"--filter: {unknown}")
    shown = chosen.select(runs)
    lines = map(_to_json, shown) if json else _table(shown, max(NARROWEST, shutil.get_terminal_size().columns))
    with suppress(BrokenPipeError):  # whoever read has seen enough
        if shown:
            say("\n".join(lines))
    if json:
        return 0
    if not shown:
        complain(f"regtui: no runs in {quoted(folder)}" + (f" match {quoted(filter)}" if runs else ""))
    for run in shown:
        if run.status == "silent":
            complain(f"regtui: {run.name}: {run.silence}; it is trained elsewhere, or was")
    faulty = [run for run in shown if run.fault]
    for run in faulty[:MAX_WORDS]:
        complain(f"regtui: {one_line(run.name)}: {one_line(run.fault)}")
    if len(faulty) > MAX_WORDS:
        complain(f"regtui: {len(faulty) - MAX_WORDS} more runs have damaged files; --json names them")
    return 0


def _with_studies(runs: list[RunInfo], folder: Path) -> list[RunInfo]:
    """The runs, and the studies in and below `folder`, newest first."""
    studies = [path for path in find_study_folders(folder) if not path.samefile(folder)]
    if not studies:
        return runs
    from regtui.study.list import read_study  # pydantic, 0.15 s, of which a list without studies has no need

    return sorted([*runs, *map(read_study, studies)], key=lambda run: (run.started, run.name), reverse=True)


def _table(runs: Sequence[RunInfo], width: int) -> list[str]:
    """Header and runs in columns; in a narrow terminal the last columns are left out."""
    if not runs:
        return []
    points = "Δ points" if all(run.metric.is_share for run in runs) else "Δ test"
    columns = [
        ([top, bottom.replace("Δ points", points), *map(cell, runs)], left) for top, bottom, cell, left in _COLUMNS
    ]
    widths = [max(map(_width, cells)) for cells, _ in columns]
    while len(widths) > 3 and sum(widths) + len(widths) - 1 > width:
        widths.pop()
    widths[1] -= max(0, sum(widths) + len(widths) - 1 - width)
    lines = []
    for cells in zip(*(cells for cells, _ in columns[: len(widths)]), strict=True):
        placed = (
            _fit(cell, size) if left else " " * (size - _width(cell)) + cell
            for cell, size, (_, left) in zip(cells, widths, columns, strict=False)
        )
        lines.append(" ".join(placed).rstrip())
    return lines


def _width(text: str) -> int:
    """Cells of a text; of the usual one, as many as it has characters."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _fit(cell: str, size: int) -> str:
    if cell.isascii() and len(cell) <= size:
        return cell.ljust(size)
    from rich.cells import set_cell_size

    return set_cell_size(cell, size) if _width(cell) <= size else set_cell_size(cell, size - 1) + "…"


def _to_json(run: RunInfo) -> str:
    return json_text.dumps(
        {
            "kind": "study" if run.fields.get("study") else "run",
            "folder": str(run.folder),
            "name": run.name,
            "preset": run.preset,
            "started": run.started.isoformat(),
            "status": run.status,
            "silence": run.silence,
            "fault": run.fault,
            "device": run.device,
            "seed": run.seed,
            "epochs": run.epochs,
            BASELINE: _figures(run, run.baseline),
            REGULARIZED: _figures(run, run.other),
            "arms": {arm: _figures(run, run.figures(arm)) | _compared(run, arm) for arm in (BASELINE, *run.others)},
            "difference": run.difference,
            "verdict": run.verdict,
            "note": run.note.text,
            "tags": run.note.tags,
            "fields": run.fields,
        }
    )


def _figures(run: RunInfo, figures: ArmFigures) -> dict[str, Field | None]:
    return {"best_val_loss": figures.best_val_loss, f"test_{run.metric.name}": figures.test_metric}


def _compared(run: RunInfo, arm: str) -> dict[str, Field | None]:
    """How an arm compares with the baseline."""
    if arm == BASELINE:
        return {}
    return {"difference": run.differences.get(arm), "verdict": run.verdicts[arm]}


def _beginning(name: str) -> str:
    """Date and time from a run's name, enough to name it on the command line; other names are cut."""
    return name[:15] if re.match(r"\d{8}-\d{6}-", name) else one_line(name, 15)
