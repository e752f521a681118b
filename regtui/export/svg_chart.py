"""Line charts as inline SVG, for a report that opens without network and without scripts.

Colours, dashes and text sizes come from the style sheet of the page, so that one drawing serves light, dark and paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 10, 40
"""Room around the plot for the numbers of the axes."""
MOST_POINTS = 2_000
"""A curve with more is thinned out: the page is narrower than that."""
MOST_MARKERS = 12


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    Attributes:
        points: x and y; None breaks the line, as the value is not finite.
        look: Its class in the style sheet.
        marker: The shape of its markers, which tells lines apart without colour; none if empty.
    """

    points: Sequence[tuple[float, float | None]]
    look: str
    marker: Literal["circle", "diamond", ""] = ""


def chart(curves: Sequence[Curve], *, label: str, x_label: str, zero: bool = False) -> str:
    """Draw curves over a common x axis.

    Args:
        curves: At least one.
        label: What the chart shows, for people who hear the page.
        x_label: Name of the x axis.
        zero: Whether to draw a line at 0.
    """
    finite = [(x, y) for curve in curves for x, y in curve.points if y is not None]
    if not finite:
        return "<p>None of these values is finite.</p>"
    xs = _ticks(min(x for x, _ in finite), max(x for x, _ in finite), 8, whole=True)
    values = [y for _, y in finite] + ([0.0] if zero else [])
    ys = _ticks(min(values), max(values), 5)
    plot = _Plot(min(x for x, _ in finite), max(x for x, _ in finite), ys[0], ys[-1])
    body = [*_axes(plot, xs, ys, x_label)]
    if zero:
        body.append(f'<path class="zero" d="M{LEFT} {plot.y(0):.1f}H{WIDTH - RIGHT}"/>')
    for curve in curves:
        body += _line(plot, curve)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{"".join(body)}</svg>'


@dataclass(frozen=True)
class _Plot:
    """From values to places in the drawing."""

    x0: float
    x1: float
    y0: float
    y1: float

    def x(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * _share(value, self.x0, self.x1)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _share(value, self.y0, self.y1)


def _share(value: float, low: float, high: float) -> float:
    # Halved, since the distance of two values may be too large for a float where the values are not.
    return 0.5 if high == low else (value / 2 - low / 2) / (high / 2 - low / 2)


def _axes(plot: _Plot, xs: Sequence[float], ys: Sequence[float], x_label: str) -> Iterator[str]:
    for y in ys:
        yield f'<path class="grid" d="M{LEFT} {plot.y(y):.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text class="y" x="{LEFT - 6}" y="{plot.y(y) + 4:.1f}">{_number(y, ys)}</text>'
    for x in xs:
        if plot.x0 <= x <= plot.x1:
            yield f'<text class="x" x="{plot.x(x):.1f}" y="{HEIGHT - BOTTOM + 16}">{x:g}</text>'
    yield f'<text class="x" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}">{escape(x_label)}</text>'


def _line(plot: _Plot, curve: Curve) -> Iterator[str]:
    if not curve.points:
        return
    every = -(-len(curve.points) // MOST_POINTS)
    points = [*curve.points[:-1:every], *curve.points[-1:]]
    path, pen = [], "M"
    for x, y in points:
        if y is not None:
            path.append(f"{pen}{plot.x(x):.1f} {plot.y(y):.1f}")
        pen = "M" if y is None else "L"
    yield f'<path class="{curve.look}" d="{"".join(path)}"/>'
    spacing = -(-len(points) // MOST_MARKERS)
    # Diamonds lie between circles, so that both are seen where one curve hides the other.
    first = spacing // 2 if curve.marker == "diamond" else 0
    for x, y in points[first::spacing] if curve.marker else ():
        if y is not None:
            yield _marker(curve, plot.x(x), plot.y(y))


def _marker(curve: Curve, x: float, y: float) -> str:
    if curve.marker == "circle":
        return f'<circle class="{curve.look}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
    return f'<path class="{curve.look} mark" d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z"/>'


def _ticks(low: float, high: float, about: int, *, whole: bool = False) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, in steps of 1, 2 or 5 times a power of ten."""
    spread = high - low
    if spread / about == 0 or not math.isfinite(spread):
        return [low] if whole or spread else [low - (abs(low) or 1) / 2, low, low + (abs(low) or 1) / 2]
    power = 10.0 ** math.floor(math.log10(spread / about))
    step = next(power * factor for factor in (1, 2, 5, 10) if spread <= about * power * factor)
    step = max(1.0, step) if whole else step
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, last + 1)]


def _number(value: float, ticks: Sequence[float]) -> str:
    """A tick's value, with as many digits as tell it from its neighbours."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else abs(value)
    largest = max(map(abs, ticks))
    if largest == 0:
        return "0"
    if largest >= 1e5 or largest < 1e-4:
        return f"{value:.2g}".replace("-", "−")
    digits = max(0, -math.floor(math.log10(step or 1) + 1e-9)) if math.isfinite(step) else 0
    return f"{value:.{digits}f}".replace("-", "−")
