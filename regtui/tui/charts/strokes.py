"""Lines as cells of a chart: which dots of braille, or which ASCII character, and in which colour.

A cell of braille is two dots wide and four high, so a line is drawn much finer than the cells; a colour is that of a
whole cell. plotext lets a later curve replace the dots of an earlier one, so a cell's dots are put together here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, pairwise
from operator import itemgetter
from typing import NamedTuple

from regtui.tui.charts.plot import RANKS, Curve, Plot, Stroke

ACROSS, UP = 2, 4
"""Dots of a cell."""
_BITS = ((0x40, 0x80), (0x04, 0x20), (0x02, 0x10), (0x01, 0x08))
"""The bit of each dot in a braille character, from the lowest row up."""
_SHOWN: dict[Stroke, tuple[int, int]] = {"steps": (1, 2), "dotted": (1, 3), "dashed": (7, 10), "solid": (1, 1)}
"""Of each stroke, how many dots of a line are drawn, of how many."""
_LETTERS: dict[Stroke, str] = {"steps": "'", "dotted": ".", "dashed": "="}
"""What a line consists of where there is no braille; a solid one is drawn with - / \\ and |."""
APART = 14
"""Columns between two marks along a line, so that they do not break it up."""
_ARROWS_APART = 2

Cell = tuple[int, int]
"""A column, from the left, and a row, from the bottom."""
Dot = tuple[int, int]


class Grid(NamedTuple):
    """The cells inside the axes.

    Attributes:
        columns: Between the axis' ends.
        rows: All of them.
        reserve: More columns at the right, for names.
        x_limits: What lies at the first and the last column.
        y_limits: What lies at the lowest and the highest row.
    """

    columns: int
    rows: int
    reserve: int
    x_limits: tuple[float, float]
    y_limits: tuple[float, float]

    @classmethod
    def of(cls, plot: Plot, width: int, height: int, labels: int) -> Grid:
        """The cells of a chart that the axes and their labels leave."""
        inside = width - 1 - labels
        reserve = min(plot.reserve, inside // 3)
        return cls(inside - reserve, height - 2 * bool(plot.x_ticks), reserve, plot.x_limits, plot.y_limits)

    def dot(self, x: float, y: float) -> Dot:
        """The dot at this position, also beyond the limits."""
        return (
            _place(x, self.x_limits, ACROSS * self.columns - 1),
            _place(y, self.y_limits, UP * self.rows - 1),
        )

    def x(self, column: int) -> float:
        """The position in the middle of a column; one beside them is put to the edge."""
        share = (min(max(column, 0), self.columns - 1) + 0.5) / self.columns
        return self.x_limits[0] + share * (self.x_limits[1] - self.x_limits[0])

    def cell(self, x: float, y: float) -> Cell:
        """The cell at this position; what lies beyond the limits is put to the edge."""
        column, row = self.dot(x, y)
        return (
            min(max(column // ACROSS, 0), self.columns - 1),
            min(max(row // UP, 0), self.rows - 1),
        )


def _place(value: float, limits: tuple[float, float], last: int) -> int:
    """The place from 0 to `last` of a value within these limits; one far beyond them is just beyond."""
    low, high = limits
    share = (value / 2 - low / 2) / (high / 2 - low / 2)  # halves: the largest floats have no difference
    return math.floor(min(max(share, -1.0), 2.0) * last + 0.5)


@dataclass
class Drawn:
    """A curve as dots.

    Attributes:
        curve: The curve.
        dots: The dots of its line, in order, each once; all of them, whatever its stroke.
        beyond: Arrows where it leaves the chart: cells with the arrow.
        end: The cell of its newest point.
    """

    curve: Curve
    dots: list[Dot] = field(default_factory=list)
    beyond: dict[Cell, str] = field(default_factory=dict)
    end: Cell = (0, 0)


def traced(curve: Curve, grid: Grid) -> Drawn:
    """A curve's way through the grid."""
    top = UP * grid.rows - 1
    points = [grid.dot(x, y) for x, y in zip(curve.x, curve.y, strict=True)]
    drawn = Drawn(curve)
    if not points:
        return drawn
    drawn.end = grid.cell(curve.x[-1], curve.y[-1])
    if curve.line:
        segments = (_segment(a, b, top) for a, b in pairwise(_thinned(points)))
        drawn.dots = list(dict.fromkeys(chain.from_iterable(segments)))
        if len(points) == 1 and 0 <= points[0][1] <= top:  # one dot is hardly seen
            x, y = (place - place % 2 for place in points[0])
            drawn.dots = [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)]
    else:
        drawn.dots = [dot for dot in points if 0 <= dot[1] <= top]
    drawn.beyond = _arrows(points, top, joined=curve.line)
    return drawn


def _segment(a: Dot, b: Dot, top: int) -> Sequence[Dot]:
    """The dots of a straight line that lie within the grid, from a to b."""
    (x, y), across, up = a, b[0] - a[0], b[1] - a[1]
    if max(y, b[1]) < 0 or min(y, b[1]) > top:
        return ()
    whole = max(abs(across), abs(up), 1)
    if across == 0:  # most segments of a jagged line
        way = 1 if up >= 0 else -1
        return [(x, row) for row in range(y, b[1] + way, way) if 0 <= row <= top]
    halves = 2 * whole
    dots = [(x + (2 * across * n + whole) // halves, y + (2 * up * n + whole) // halves) for n in range(whole + 1)]
    return dots if min(y, b[1]) >= 0 and max(y, b[1]) <= top else [dot for dot in dots if 0 <= dot[1] <= top]


def _thinned(points: Sequence[Dot]) -> list[Dot]:
    """The points without those that a vertical line between others in their column runs through anyway."""
    found: list[Dot] = []
    for _, group in groupby(points, key=itemgetter(0)):
        column = list(group)
        if len(column) > 2:
            extremes = {0, len(column) - 1, *(f(range(len(column)), key=lambda n: column[n][1]) for f in (min, max))}
            column = [column[n] for n in sorted(extremes)]
        found += column
    return found


def _arrows(points: Sequence[Dot], top: int, *, joined: bool) -> dict[Cell, str]:
    """One arrow for each stretch of points beyond an edge.

    It stands where the line comes back onto the chart, or leaves it for good; for a stretch in the middle, at its
    farthest point.
    """
    found: dict[Cell, str] = {}
    begin = 0
    last: Cell | None = None
    while begin < len(points):
        side = _side(points[begin], top)
        end = begin + 1
        while joined and end < len(points) and _side(points[end], top) == side:
            end += 1
        if side:
            stretch = points[begin:end]
            if joined and begin == 0 and end < len(points):
                column = _crossing(points[end - 1], points[end], top)
            elif joined and begin > 0 and end == len(points):
                column = _crossing(points[begin], points[begin - 1], top)
            else:
                column = max(stretch, key=lambda dot: dot[1] * side)[0]
            cell = (column // ACROSS, top // UP if side > 0 else 0)
            if last is None or last[1] != cell[1] or cell[0] - last[0] > _ARROWS_APART:
                found[cell] = "↑" if side > 0 else "↓"
                last = cell
        begin = end
    return found


def _side(dot: Dot, top: int) -> int:
    """1 above the chart, -1 below it, 0 within."""
    return (dot[1] > top) - (dot[1] < 0)


def _crossing(outside: Dot, inside: Dot, top: int) -> int:
    """Where the line from a point outside to one inside crosses the edge."""
    edge = top if outside[1] > top else 0
    share = (edge - outside[1]) / (inside[1] - outside[1])
    return math.floor(outside[0] + share * (inside[0] - outside[0]))


@dataclass
class _Content:
    """What comes together in a cell: the dots, and the curves of the highest rank in it."""

    rank: int = -1
    bits: int = 0
    curves: list[Curve] = field(default_factory=list)


def cells(drawn: Sequence[Drawn], *, ascii_only: bool) -> dict[Cell, tuple[str, str, int]]:
    """The characters of all lines: of each cell the character, the name of its colour, and the rank of its curve.

    The curves come with rising rank. Steps give way to whatever else is in a cell. A cell that lies on several lines of
    the highest rank has the colour of each in turn, so that none is hidden.
    """
    found = {}
    for (column, row), content in _contents(drawn).items():
        whose = column if content.rank == max(RANKS.values()) else -1
        curve = content.curves[whose % len(content.curves)]
        character = _letter(curve, content.bits) if ascii_only else chr(0x2800 + content.bits)
        found[column, row] = (character, curve.colour, content.rank)
    for one in drawn:
        curve, rank = one.curve, one.curve.rank
        if not curve.line:
            for x, y in one.dots:
                _put(found, (x // ACROSS, y // UP), curve.mark, curve.colour, rank)
        for cell, arrow in one.beyond.items():
            _put(found, cell, arrow, curve.colour, rank)
    return found


def _contents(drawn: Sequence[Drawn]) -> dict[Cell, _Content]:
    """What is in each cell that lies on a line."""
    contents: dict[Cell, _Content] = {}
    for one in drawn:
        if not one.curve.line:
            continue
        rank = one.curve.rank
        shown, of = _SHOWN[one.curve.stroke]
        dots = one.dots if shown == of else [dot for n, dot in enumerate(one.dots) if n % of < shown]
        for cell, bits in _bits(dots).items():
            content = contents.setdefault(cell, _Content())
            if rank > content.rank:
                content.bits = content.bits if content.rank > 0 else 0
                content.rank, content.curves = rank, [one.curve]
            elif content.curves[-1] is not one.curve:
                content.curves.append(one.curve)
            content.bits |= bits
    return contents


def _bits(dots: Sequence[Dot]) -> dict[Cell, int]:
    """The bits of these dots in each of their cells."""
    bits: dict[Cell, int] = {}
    for x, y in dots:
        cell = (x // ACROSS, y // UP)
        bits[cell] = bits.get(cell, 0) | _BITS[y % UP][x % ACROSS]
    return bits


def _put(found: dict[Cell, tuple[str, str, int]], cell: Cell, character: str, colour: str, rank: int) -> None:
    if cell not in found or found[cell][2] <= rank:
        found[cell] = (character, colour, rank)


def _letter(curve: Curve, bits: int) -> str:
    """The ASCII character that is most like these dots."""
    if curve.stroke in _LETTERS:
        return _LETTERS[curve.stroke]
    left = [row for row in range(UP) if bits & _BITS[row][0]]
    right = [row for row in range(UP) if bits & _BITS[row][1]]
    if len(left) == UP or len(right) == UP:
        return "|"
    if not left or not right:
        return "|" if len(left or right) > 2 else "-"
    slope = sum(right) / len(right) - sum(left) / len(left)
    return "/" if slope > 1 else "\\" if slope < -1 else "-"


def marks(drawn: Sequence[Drawn]) -> Iterator[tuple[Cell, str, str]]:
    """The marks along the lines: cell, mark, colour; those of several curves stand at different columns."""
    marked = [one for one in drawn if one.curve.mark and one.curve.line]
    for place, one in enumerate(marked):
        first = (place + 1) * APART // (len(marked) + 1)
        columns = {x // ACROSS: y // UP for x, y in one.dots}
        for column, row in columns.items():
            if column % APART == first and column < one.end[0] - 1:
                yield (column, row), one.curve.mark, one.curve.colour
