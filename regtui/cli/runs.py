"""`regtui runs` and `regtui show`: saved runs as tables for people, and as JSON for scripts."""

from __future__ import annotations

import json as json_text
import re
import shlex
import shutil
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from regtui.console import NARROWEST, PROSE, complain, room, say
from regtui.errors import InputError
from regtui.preset.arms import BASELINE, REGULARIZED
from regtui.runs.before import brought_up
from regtui.runs.files import Field, read_json, read_toml
from regtui.runs.filter import parse_filter
from regtui.runs.find import check_folder, find_run, find_study_folders
from regtui.runs.info import ArmFigures, RunInfo
from regtui.runs.read import read_run
from regtui.text import UNKNOWN, loss, one_line, quoted

if TYPE_CHECKING:
    from regtui.preset.model import Preset
    from regtui.protocol.events import Event
    from regtui.protocol.history import History

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


def print_run(run: str, logs: Path, *, json: bool) -> int:
    """Print what a headless run printed, from its log, or its summary as JSON; returns the exit code.

    Args:
        run: A run's folder, or a unique beginning of its name.
        logs: Where runs are looked for by name.
        json: Whether to print the summary instead.

    Raises:
        InputError: There is no such run, or it lacks the summary or the events to print.
    """
    folder = find_run(run, logs)
    with suppress(BrokenPipeError):  # whoever read has seen enough
        if json:
            say(json_text.dumps(_summary(folder), indent=1))
        else:
            _retell(read_run(folder))
    return 0


def _summary(folder: Path) -> dict[str, object]:
    try:
        summary = read_json(folder / "summary.json")
    except FileNotFoundError:
        raise InputError(f"{quoted(folder)} has no summary: the run is {read_run(folder).status}") from None
    except OSError as error:
        raise InputError(f"{quoted(folder)}: summary.json can't be read ({error.strerror})") from None
    try:
        preset = read_toml(folder / "preset.toml")
    except (InputError, OSError):
        preset = {}
    return brought_up(folder, preset, summary)


def _retell(info: RunInfo) -> None:
    """Print header, epochs and verdict from the events."""
    from regtui.epochs import table_lines
    from regtui.evidence.from_history import judge_run  # pydantic, 0.15 s, of which the list has no need
    from regtui.evidence.lines import advice_lines, verdict_lines
    from regtui.evidence.rules import advice_on_run
    from regtui.protocol.history import History

    if info.fault:
        complain(f"regtui: {one_line(info.name)}: {one_line(info.fault)}")
    preset, history = _preset(info.folder), History()
    for event in _events(info.folder):
        if history.add(event):
            preset = _of_this_run(preset, history, info)
            for line in table_lines(event, history, preset, room()):
                say(line)
    if history.started is None:
        raise InputError(f"{quoted(info.folder)}: events.jsonl tells of no run's start; 'regtui runs' has the outcome")
    say()
    try:
        verdicts = judge_run(history, preset)
        advice = advice_lines(advice_on_run(history, verdicts, preset, info.folder), min(PROSE, room()))
        for line in (*verdict_lines(verdicts, min(PROSE, room())), *("" for _ in advice[:1]), *advice):
            say(line)
    except ValueError:  # no end in the log
        how = info.silence if info.status == "silent" else info.status
        for line in textwrap.wrap(f"No verdict: the run is {how}, and its events do not bear one out.", room()):
            say(line)
    say()
    note = textwrap.wrap(f"note {info.note.line}" if info.note.line else "", room())
    for line in (*note, *_resuming(info), f"log  {one_line(info.folder)}"):
        say(line)


def _resuming(info: RunInfo) -> list[str]:
    """How a run that is not at its end goes on, as a command with what it does; empty if it can't be resumed."""
    from regtui.runs.resumable import resumable

    if info.status not in ("interrupted", "stopped", "failed"):
        return []
    try:
        place = resumable(info.folder)
    except InputError:
        return []
    return [f"next regtui --resume {shlex.quote(one_line(info.folder))}  # {place.words}"]


def _of_this_run(preset: Preset | None, history: History, info: RunInfo) -> Preset | None:
    """The preset; None, after a message, if the log tells of other arms."""
    from regtui.protocol.applied import own_preset

    own = own_preset(preset, history)
    if own is not preset:
        complain(f"regtui: {one_line(info.name)}: its log has other arms than its preset.toml")
    return own


def _preset(folder: Path) -> Preset | None:
    """The preset as run; None, after a message, if it can't be read. The epochs can be printed without it."""
    from regtui.preset.file import load

    try:
        return load(str(folder / "preset.toml"))
    except InputError as error:
        complain("\n".join(f"regtui: {line}" for line in str(error).splitlines()))
        return None


def _events(folder: Path) -> Iterator[Event]:
    from regtui.runs.events import read_events

    try:
        yield from read_events(folder)
    except FileNotFoundError:
        raise InputError(f"{quoted(folder)} has no events.jsonl to show; 'regtui runs' has the outcome") from None
    except OSError as error:
        raise InputError(f"{quoted(folder)}: events.jsonl can't be read ({error.strerror})") from None


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
