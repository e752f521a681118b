"""What a study says: a headline and what qualifies it, above all else, and all of it on request. Uses no widget."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from rich.style import Style
from rich.text import Text

from regtui.evidence.glance import Role, text_of
from regtui.evidence.over_seeds import Call
from regtui.study.details import details
from regtui.study.glance import glance
from regtui.text import NBSP
from regtui.tui.study.session import StudySession

WIDEST = 110
"""Widest text in columns: longer lines are hard to read."""
TONES: tuple[tuple[Call, str], ...] = (("helps", "success"), ("hurts", "error"))
"""The colour of the headline by the best call in it; else it has that of the text."""


def answer_rows(session: StudySession, width: int, most: int, colours: Mapping[str, str]) -> list[Text]:
    """The headline, and below it what qualifies it, in so many rows at most; the last ends in "…" if there is more."""
    width = max(10, min(WIDEST, width))
    error = Style(color=colours["error"], bold=True)
    rows = [Text(line, error, end="") for line in textwrap.wrap(str(session.error), width)] if session.error else []
    calls = {of.score.call for of in next(iter(session.outcome.cells.values())).arms.values()}
    tone = next((colour for call, colour in TONES if call in calls), "foreground")
    styles: dict[Role, Style] = {
        "headline": Style(color=colours[tone], bold=True),
        "soft": Style(color=colours["secondary"]),
        "warning": Style(color=colours["warning"]),
    }
    for row in glance(session.outcome, width, drawn=False):
        parts = [(part.text, styles.get(part.role, Style(color=colours["foreground"]))) for part in row]
        rows.append(Text.assemble(*parts, end="", no_wrap=True))
    if session.forecast and not session.outcome.seeds:
        forecast = textwrap.wrap(session.forecast, width)
        rows += [Text(line.replace(NBSP, " "), Style(color=colours["foreground"]), end="") for line in forecast]
    if len(rows) > most:
        rows = rows[:most]
        rows[-1].truncate(width - 2)
        rows[-1].append(" …")
    return rows


def detail_lines(session: StudySession, width: int) -> list[str]:
    """All that the verdict rests on, in lines."""
    return [
        *(text_of(row) for row in glance(session.outcome, width, drawn=False)),
        "",
        *details(session.outcome, width),
    ]
