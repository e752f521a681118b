"""A study's arms as a table, the best first, with their simultaneous intervals and their cost. Uses no widget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text

from regtui.study.outcome import StudyOutcome
from regtui.text import UNKNOWN, number, p_value
from regtui.tui.study.forest import CALLS, HERE, ArmInCell, found, places
from regtui.tui.study.subject import Subject

FIRST_TO_GO = ("p", "wins", "interval", "cost")
"""Columns that leave a narrow table, the first of them first."""


def ranked(outcome: StudyOutcome, subject: Subject, cell: str) -> list[ArmInCell]:
    """The comparisons of a cell, the best mean first; those without one last."""
    sign = -1 if subject.metric.better == "higher" else 1
    of_cell = [place for place in places(outcome) if place.cell == cell]
    means = {place: mean for place in of_cell if (mean := found(outcome, place).score.mean) is not None}
    return sorted(means, key=lambda place: sign * means[place]) + [place for place in of_cell if place not in means]


def table(
    outcome: StudyOutcome, subject: Subject, chosen: ArmInCell, width: int, colours: Mapping[str, str]
) -> list[Text]:
    """A head, a row for each arm of the chosen cell, and what the columns are."""
    order = ranked(outcome, subject, chosen.cell)
    cells = [_cells(outcome, subject, place, rank) for rank, place in enumerate(order, start=1)]
    titles = {
        "rank": "", "arm": "arm", "mean": f"Δ {subject.metric.title}", "interval": "joint interval", "p": "p",
        "wins": "wins", "cost": "cost", "call": "verdict",
    }  # fmt: skip
    shown = list(titles)
    for name in FIRST_TO_GO:
        if _width(shown, titles, cells) <= width - 1:
            break
        shown = [key for key in shown if key != name]
    widths = {key: max(cell_len(titles[key]), *(cell_len(row[key]) for row in cells)) for key in shown}
    widths["arm"] = max(3, min(widths["arm"], width - 1 - sum(widths[key] + 2 for key in shown if key != "arm")))
    faint = Style(color=colours["faint"])
    head = Text(" " + "  ".join(_aligned(key, titles[key], widths[key]) for key in shown), faint, end="", no_wrap=True)
    rows = [head]
    for place, row in zip(order, cells, strict=True):
        look, (_, of_call) = subject.looks[place.arm], CALLS[found(outcome, place).score.call]
        text = Text(HERE if place == chosen else " ", colours["accent"], end="", no_wrap=True)
        for key in shown:
            style = Style(color=colours["foreground"], bold=place == chosen)
            if key in ("rank", "interval", "p", "cost", "wins"):
                style = faint
            elif key == "arm":
                style = Style(color=colours[look.colour], bold=place == chosen)
            elif key == "call":
                style = Style(color=colours[of_call], bold=of_call in ("success", "error"))
            text.append(_aligned(key, row[key], widths[key]), style).append("  ")
        text.truncate(width)
        rows.append(text)
    words = "joint intervals hold for all of them together; cost: time of an epoch over the baseline's"
    rows += [Text(""), Text(f" {words}", faint, end="", no_wrap=True)]
    for line in rows:
        line.truncate(width)
    return rows


def _cells(outcome: StudyOutcome, subject: Subject, place: ArmInCell, rank: int) -> dict[str, str]:
    of_arm = found(outcome, place)
    score = of_arm.score
    joint = None if score.call == "open" else score.joint
    return {
        "rank": str(rank),
        "arm": f"{subject.looks[place.arm].mark} {subject.label(place.arm, 40)}",
        "mean": UNKNOWN if score.mean is None else subject.signed(score.mean),
        "interval": UNKNOWN if joint is None else f"{subject.signed(joint[0])} to {subject.signed(joint[1])}",
        "p": UNKNOWN if score.p_joint is None else p_value(score.p_joint).replace("\N{NO-BREAK SPACE}", " "),
        "wins": f"{score.wins} of {len(score.differences)}",
        "cost": UNKNOWN if of_arm.cost is None else f"× {number(of_arm.cost, '.2f')}",
        "call": CALLS[score.call][0],
    }


def _width(shown: Sequence[str], titles: Mapping[str, str], cells: Sequence[Mapping[str, str]]) -> int:
    return sum(2 + max(cell_len(titles[key]), *(cell_len(row[key]) for row in cells)) for key in shown)


def _aligned(key: str, text: str, width: int) -> str:
    if cell_len(text) > width:
        return set_cell_size(text, width - 1) + "…"
    air = " " * (width - cell_len(text))
    return air + text if key in ("rank", "mean", "wins", "cost") else text + air
