"""Line charts as inline SVG, for a report that needs no network and no scripts.

Colours, dashes and text sizes come from the page's style sheet, so one drawing serves light mode, dark mode and print.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from regtui.axes import limits, ticks

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 10, 40
"""Margins around the plot, for the labels of the axes."""
MOST_POINTS = 2_000
"""A curve with more points is thinned out; the page has fewer pixels than that."""
MOST_MARKERS = 12


@dataclass(frozen=True)
class SvgCurve:
    """One curve of a chart.

    Attributes:
        points: x and y; y is None where a value is not finite, which breaks the line.
        look: Its class in the style sheet.
        marker: What tells curves apart without colour: 'circle', 'diamond' or a letter; empty for none.
        shift: How far its markers lie behind those of a curve without shift, as a share of the space between two, so
            that all are visible where one curve hides another.
        fits: Whether the y axis is made for it; of one that has diverged, what is beyond is drawn at the edge.
    """

    points: Sequence[tuple[float, float | None]]
    look: str
    marker: str = ""
    shift: float = 0.0
    fits: bool = True


def chart(curves: Sequence[SvgCurve], *, label: str, x_label: str, zero: bool = False) -> str:
    """Draw curves over a common x axis.

    Args:
        curves: At least one.
        label: What the chart shows, for screen readers.
        x_label: Name of the x axis.
        zero: Whether to draw a line at 0.
    """
    finite = [(x, y) for curve in curves for x, y in curve.points if y is not None]
    if not finite:
        return "<p>None of these values is finite.</p>"
    fitting = [y for curve in curves if curve.fits for _, y in curve.points if y is not None]
    values = (fitting or [y for _, y in finite]) + ([0.0] if zero else [])
    plot = _Plot(min(x for x, _ in finite), max(x for x, _ in finite), *limits(values))
    body = [*_axes(plot, x_label)]
    if zero:
        body.append(f'<path class="zero" d="M{LEFT} {plot.y(0):.1f}H{WIDTH - RIGHT}"/>')
    for curve in curves:
        body += _line(plot, curve)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{"".join(body)}</svg>'


@dataclass(frozen=True)
class _Plot:
    """Converts values to positions in the drawing."""

    x0: float
    x1: float
    y0: float
    y1: float

    def x(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * _share(value, self.x0, self.x1)

    def y(self, value: float) -> float:
        inside = min(max(value, self.y0), self.y1)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _share(inside, self.y0, self.y1)


def _share(value: float, low: float, high: float) -> float:
    # Halved, because the difference of two values may overflow a float.
    return 0.5 if high == low else (value / 2 - low / 2) / (high / 2 - low / 2)


def _axes(plot: _Plot, x_label: str) -> Iterator[str]:
    for y, label in ticks(plot.y0, plot.y1, 6):
        yield f'<path class="grid" d="M{LEFT} {plot.y(y):.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text class="y" x="{LEFT - 6}" y="{plot.y(y) + 4:.1f}">{label}</text>'
    for x, label in ticks(plot.x0, plot.x1, 10, whole=True):
        yield f'<text class="x" x="{plot.x(x):.1f}" y="{HEIGHT - BOTTOM + 16}">{label}</text>'
    yield f'<text class="x" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}">{escape(x_label)}</text>'


def _line(plot: _Plot, curve: SvgCurve) -> Iterator[str]:
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
    for x, y in points[int(spacing * curve.shift) :: spacing] if curve.marker else ():
        if y is not None:
            yield _marker(curve, plot.x(x), plot.y(y))


def _marker(curve: SvgCurve, x: float, y: float) -> str:
    if curve.marker == "circle":
        return f'<circle class="{curve.look}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
    if curve.marker != "diamond":
        return f'<text class="{curve.look}" x="{x:.1f}" y="{y + 4:.1f}">{escape(curve.marker)}</text>'
    return f'<path class="{curve.look} mark" d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z"/>'
