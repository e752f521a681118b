"""The line at the top of a study, and the rows of what runs where. Uses no widget."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from regtui.study.outcome import State
from regtui.text import clock, counted, one_line
from regtui.tui.run.header import ROOMY
from regtui.tui.study.session import Running, StudySession

STATES: Mapping[State, tuple[str, str]] = {
    "running": ("running", "accent"),
    "finished": ("finished", "success"),
    "decided": ("decided at a look", "success"),
    "futile": ("ended: no look would probably call it", "warning"),
    "stopped": ("stopped", "warning"),
    "interrupted": ("interrupted", "warning"),
}
"""How a study stands, in words, and the theme's colour for it."""
FULL, EMPTY = "━", "─"


def state_of(session: StudySession) -> tuple[str, str]:
    """How a study stands, in words, and the name of its colour."""
    if session.error is not None:
        return "failed", "error"
    if session.live and not session.ended:
        return ("stopping", "warning") if session.stop.is_set() else STATES["running"]
    return STATES[session.outcome.state]


def header_line(session: StudySession, width: int, colours: Mapping[str, str]) -> Text:
    """The line: what is run at the left, how far it is at the right; less important parts give way first."""
    plan, (done, planned) = session.outcome.plan, session.outcome.runs
    words, colour = state_of(session)
    faint = Style(color=colours["faint"])
    text = Text(end="", no_wrap=True)
    text.append("regtui " if width >= ROOMY else "", Style(color=colours["primary"], bold=True))
    text.append(one_line(session.subject.preset.name, max(10, width // 3)), Style(bold=True))
    cells = [f"{len(plan.cells)} cells"] if len(plan.cells) > 1 else []
    size = " × ".join([counted(len(plan.arms), "arm"), *cells, counted(len(plan.seeds), "seed")])
    going = session.live and not session.ended
    left = [f"{clock(session.left)} left"] if going and session.left is not None else []
    right = [f"{done}/{planned} runs", *left] if going else [words, f"{done}/{planned} runs"]
    parts = [size, *([session.machine] if session.machine else [])]
    end = " · ".join(right)
    while parts and cell_len(text.plain) + sum(cell_len(part) + 3 for part in parts) + cell_len(end) + 2 > width:
        parts.pop()
    if len(right) > 1 and cell_len(text.plain) + cell_len(end) + 2 > width:
        end = right[0]
    for part in parts:
        text.append(" · ", faint).append(part)
    text.append(" " * max(1, width - cell_len(text.plain) - cell_len(end)))
    text.append(end, Style(color=colours["accent" if going else colour]))
    text.truncate(width)
    return text


def running_rows(session: StudySession, width: int, most: int, colours: Mapping[str, str]) -> list[Text]:
    """A row for each run that goes on: its worker, its cell, its seed, its epoch; the last says how many more."""
    runs = sorted(session.running.values(), key=lambda run: run.where)
    shown = runs if len(runs) <= most else runs[: max(0, most - 1)]
    rows = [_running(session, run, width, colours) for run in shown]
    if len(shown) < len(runs) and most:
        words = (
            f" and {counted(len(runs) - len(shown), 'more run')} {'go on' if len(runs) - len(shown) > 1 else 'goes on'}"
        )
        rows.append(Text(words, Style(color=colours["faint"]), end="", no_wrap=True))
    return rows


def _running(session: StudySession, run: Running, width: int, colours: Mapping[str, str]) -> Text:
    faint = Style(color=colours["faint"])
    epochs = run.job.preset.train.epochs
    words = [f"seed {run.job.seed}"]
    words += [f"trial {run.job.trial + 1}"] if session.outcome.plan.tune else []
    words += [where] if (where := session.subject.cells[run.job.cell]) else []
    row = Text(f" {one_line(run.where, 20):<10} ", faint, end="", no_wrap=True)
    row.append(one_line(" · ".join(words), max(8, width // 2)), Style(color=colours["foreground"]))
    told = f"epoch {run.epoch}/{epochs}" if run.epoch else "starting"
    told += f" · {clock(time.monotonic() - run.since)}"
    cells = min(24, width - cell_len(row.plain) - cell_len(told) - 5)
    gap = width - cell_len(row.plain) - cell_len(told) - 1 - max(0, cells + 2 if cells >= 6 else 0)
    row.append(" " * max(1, gap))
    if cells >= 6:
        full = round(cells * run.epoch / epochs)
        row.append(FULL * full, Style(color=colours["accent"])).append(EMPTY * (cells - full), faint).append("  ")
    row.append(told, faint)
    row.truncate(width)
    return row
