"""The drawings of a study's report as inline SVG: dots and intervals around zero, and a strength's dose and response.

Colours come from the page's style sheet, as in `svg_chart.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from regtui.axes import limits, ticks
from regtui.evidence.dose import DoseResponse
from regtui.evidence.over_seeds import Compared
from regtui.evidence.student import Interval
from regtui.text import one_line

WIDTH = 720
ROW, FOOT = 30, 34
"""Heights of a row, and of what stands below the rows."""
NAME, END = 190, 12
"""Widths of the names at the left, and of the margin at the right."""
LETTERS = 30
"""Of a longer name only so many characters are drawn."""
HEIGHT, LEFT, TOP, BOTTOM = 300, 64, 10, 40


class ForestRow(NamedTuple):
    """An arm's differences: its name, its class in the style sheet, and what was found; or a heading over rows."""

    name: str
    look: str = ""
    score: Compared | None = None


def forest(rows: Sequence[ForestRow], smallest: float | None, label: str) -> str:
    """Draw dots, means and joint intervals around zero, a row for each.

    Between looks there is no interval. A band shows the differences that are too small to matter.

    Args:
        rows: At least one.
        smallest: The smallest difference that matters, if there is one.
        label: What the chart shows, for screen readers and as the name of its axis.
    """
    values = [0.0, *((-smallest, smallest) if smallest else ())]
    for row in rows:
        if row.score is not None:
            values += [value for value in row.score.differences.values() if math.isfinite(value)]
            values += _shown(row.score) or ()
    low, high = limits(values)
    bottom = ROW * len(rows)

    def x(value: float) -> float:
        return NAME + (WIDTH - NAME - END) * (0.5 if high == low else (value - low) / (high - low))

    body = []
    if smallest:
        band = x(smallest) - x(-smallest)
        body.append(f'<rect class="band" x="{x(-smallest):.1f}" y="0" width="{band:.1f}" height="{bottom}"/>')
    for at, text in ticks(low, high, 8):
        body.append(f'<path class="grid" d="M{x(at):.1f} 0V{bottom}"/>')
        body.append(f'<text class="x" x="{x(at):.1f}" y="{bottom + 14}">{text}</text>')
    body.append(f'<path class="zero" d="M{x(0):.1f} 0V{bottom}"/>')
    body.append(f'<text class="x" x="{(NAME + WIDTH - END) / 2}" y="{bottom + 30}">{escape(label)}</text>')
    for place, row in enumerate(rows):
        y = ROW * place + ROW / 2
        name = escape(one_line(row.name, LETTERS))
        body.append(f'<text class="{"name" if row.score else "heading"}" x="4" y="{y + 4}">{name}</text>')
        if row.score is not None:
            body += _row(row.score, row.look, y, x)
    return _svg(WIDTH, bottom + FOOT, label, body)


def _row(score: Compared, look: str, y: float, x: Callable[[float], float]) -> Iterator[str]:
    for value in score.differences.values():
        if math.isfinite(value):
            yield f'<circle class="{look} dot" cx="{x(value):.1f}" cy="{y + 7}" r="2.5"/>'
    if (interval := _shown(score)) is not None:
        low, high = map(x, interval)
        yield f'<path class="{look}" d="M{low:.1f} {y}H{high:.1f}M{low:.1f} {y - 4}v8M{high:.1f} {y - 4}v8"/>'
    if score.mean is not None and math.isfinite(score.mean):
        yield f'<path class="{look} mark" d="M{x(score.mean):.1f} {y - 5}l5 5l-5 5l-5 -5z"/>'


def _shown(score: Compared) -> Interval | None:
    """The joint interval, if there is one to be told."""
    known = score.joint is not None and score.call != "open" and all(map(math.isfinite, score.joint))
    return score.joint if known else None


def response(of: DoseResponse, look: str, label: str) -> str:
    """Draw a metric over the values of a strength: dots, means with their t intervals, and the baseline as a band.

    Args:
        of: The strength.
        look: The arm's class in the style sheet.
        label: What the chart shows.
    """
    levels = [of.baseline, *(dose.level for dose in of.doses)]
    values = [value for level in levels for value in (*level.test.values(), *(level.interval or ()))]
    values = [value for value in values if math.isfinite(value)]
    if not values:
        return "<p>None of these values is finite.</p>"
    low, high = limits(values)
    places = [of.place(dose.value) for dose in of.doses]
    air = 0.08 * (max(places) - min(places)) or 0.5
    first, last = min(places) - air, max(places) + air

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - END) * (of.place(value) - first) / (last - first)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (0.5 if high == low else (value - low) / (high - low))

    body = []
    base = of.baseline
    if base.interval is not None:
        bottom, top = map(y, base.interval)
        body.append(
            f'<rect class="band" x="{LEFT}" y="{top:.1f}" width="{WIDTH - LEFT - END}" height="{bottom - top:.1f}"/>'
        )
    if base.mean is not None:
        body.append(f'<path class="arm0" d="M{LEFT} {y(base.mean):.1f}H{WIDTH - END}"/>')
    for at, text in ticks(low, high, 6):
        body.append(f'<path class="grid" d="M{LEFT} {y(at):.1f}H{WIDTH - END}"/>')
        body.append(f'<text class="y" x="{LEFT - 6}" y="{y(at) + 4:.1f}">{text}</text>')
    marks = [(dose.value, f"{dose.value:g}") for dose in of.doses]
    body += [f'<text class="x" x="{x(at):.1f}" y="{HEIGHT - BOTTOM + 16}">{text}</text>' for at, text in marks]
    axis = f"{of.key}{', on a logarithmic axis' if of.is_log else ''}"
    body.append(f'<text class="x" x="{(LEFT + WIDTH - END) / 2}" y="{HEIGHT - 6}">{escape(axis)}</text>')
    means = [(dose.value, dose.level.mean) for dose in of.doses if dose.level.mean is not None]
    path = "L".join(f"{x(value):.1f} {y(mean):.1f}" for value, mean in means)
    body.append(f'<path class="{look}" d="M{path}"/>' if means else "")
    for dose in of.doses:
        body += [
            f'<circle class="{look} dot" cx="{x(dose.value):.1f}" cy="{y(value):.1f}" r="2.5"/>'
            for value in dose.level.test.values()
            if math.isfinite(value)
        ]
        if dose.level.interval is not None:
            bottom, top = map(y, dose.level.interval)
            body.append(f'<path class="{look}" d="M{x(dose.value):.1f} {bottom:.1f}V{top:.1f}"/>')
    return _svg(WIDTH, HEIGHT, label, body)


def _svg(width: float, height: float, label: str, body: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">{"".join(body)}</svg>'
