"""Draws a chart: turns curves and marks into rows of text. The only file that uses plotext.

plotext 5.3's public functions share one figure in each process; separate figures need its private `_figure_class`. It
raises on numbers that are not finite and when a logarithmic axis is built twice, and version 6 has another interface.
So all numbers are made finite, linear and limited before they are passed to plotext.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from rich.markup import escape
from rich.style import Style
from rich.text import Text

from regtui.tui.charts.plot import Plot
from regtui.tui.widgets.lines import Lines

_PARTS = {"hd": 2, "braille": 4}
"""Rows of dots in a cell for a line with this marker; both markers have two columns of dots."""
_COLOUR = re.compile(r"\x1b\[(?:0|38;5;(\d+))m")


def draw(plot: Plot, width: int, height: int, colours: Mapping[str, str]) -> list[Text]:
    """The chart as `height` rows of `width` cells.

    Args:
        plot: What to draw.
        width: Cells of a row.
        height: Rows, axis included.
        colours: Colours by the names that the plot uses, including 'faint' for the axes.
    """
    if not plot.curves or width < 12 or height < 3:
        return _words_alone(plot.empty, width, height, colours["faint"])
    from plotext._figure import _figure_class  # takes 0.1 s, when the first chart is drawn

    palette = ["faint"]

    def number(colour: str) -> int:
        if colour not in palette:
            palette.append(colour)
        return palette.index(colour) + 1

    figure = _figure_class()
    figure._limit_size(False, False)  # otherwise plotext limits it to the size of the terminal
    figure.plotsize(width, height)
    figure.canvas_color("default")
    figure.axes_color("default")
    figure.ticks_color(number("faint"))
    figure.xaxes(bool(plot.x_ticks), False)
    figure.yaxes(True, False)
    figure.xlim(*plot.x_limits)
    figure.ylim(*plot.y_limits)
    grid = _Grid.of(plot, width, height)
    figure.xticks([grid.x(x) for x, _ in plot.x_ticks], [label for _, label in plot.x_ticks])
    figure.yticks([grid.y(y) for y, _ in plot.y_ticks], [label for _, label in plot.y_ticks])
    for x, colour in plot.verticals:
        figure.vline(grid.x(x), color=number(colour))
    for y, colour in plot.horizontals:
        figure.hline(grid.y(y), color=number(colour))
    low, high = plot.y_limits
    parts = {
        (curve.colour, x, y): _PARTS[curve.marker]
        for curve in plot.curves
        if curve.line and curve.marker in _PARTS
        for x, y in zip(curve.x, curve.y, strict=True)
    }
    for curve in plot.curves:
        heights = [min(max(y, low), high) for y in curve.y]
        if curve.line:
            figure.plot(curve.x, heights, marker=curve.marker, color=number(curve.colour))
        else:  # put each mark on the cell that its line runs through
            finer = [parts.get((curve.colour, x, y), 2) for x, y in zip(curve.x, curve.y, strict=True)]
            xs, ys = [grid.x(x) for x in curve.x], [grid.y(y, n) for y, n in zip(heights, finer, strict=True)]
            figure.scatter(xs, ys, marker=curve.marker, color=number(curve.colour))
    words = [(text, x, min(max(y, low), high), parts.get((c, x, y), 2), c) for text, x, y, c in plot.words]
    places = [(grid.column(x), grid.row(y, n)) for _, x, y, n, _ in words]
    sides = _beside([text for text, *_ in words], places, grid.columns)
    for (text, side), (_, x, y, n, colour) in zip(sides, words, strict=True):
        figure.text(text, grid.x(x), grid.y(y, n), color=number(colour), alignment=side)
    styles = [Style(color=colours[name]) for name in palette]
    return [_styled(line, styles) for line in figure.build().rstrip("\n").split("\n")]


class _Grid(NamedTuple):
    """The cells inside the axes.

    Lines are drawn in parts of a cell, everything else in whole cells, and plotext rounds both separately, so that a
    mark could lie a cell beside its line. This class puts everything that takes a whole cell onto its line.
    """

    columns: int
    rows: int
    x_limits: tuple[float, float]
    y_limits: tuple[float, float]

    @classmethod
    def of(cls, plot: Plot, width: int, height: int) -> _Grid:
        """The cells of a chart that the axes and their labels leave."""
        labels = max((len(label) for _, label in plot.y_ticks), default=0)
        return cls(width - 1 - labels, height - 2 * bool(plot.x_ticks), plot.x_limits, plot.y_limits)

    def column(self, x: float) -> int:
        """The column of a line at x, from 0 at the left."""
        return _cell(x, self.x_limits, self.columns, 2)

    def row(self, y: float, parts: int = 2) -> int:
        """The row of a line at y that has `parts` rows of dots in a cell, from 0 at the bottom."""
        return _cell(y, self.y_limits, self.rows, parts)

    def x(self, x: float) -> float:
        """The x value at the middle of a column."""
        return _middle(self.column(x), self.x_limits, self.columns)

    def y(self, y: float, parts: int = 2) -> float:
        """The y value at the middle of a row."""
        return _middle(self.row(y, parts), self.y_limits, self.rows)


def _cell(value: float, limits: tuple[float, float], cells: int, parts: int) -> int:
    """The cell in which plotext draws a value when each cell has so many parts."""
    share = (value - limits[0]) / (limits[1] - limits[0])
    return math.floor(round(0.5 + (parts * cells - 1) * share, 8)) // parts


def _middle(cell: int, limits: tuple[float, float], cells: int) -> float:
    """The value that plotext draws in the middle of a whole cell."""
    return limits[0] + cell / max(1, cells - 1) * (limits[1] - limits[0])


def _beside(texts: list[str], places: list[tuple[int, int]], columns: int) -> Iterator[tuple[str, str]]:
    """Each text with its alignment: the mark stands at its position, the words on the side that has room.

    Words that the chart's edge or another mark would cut off are left out: a part of '✗ not finite' could say the
    opposite.
    """
    taken = set(places)
    for text, (column, row) in zip(texts, places, strict=True):
        mark, _, words = text.partition(" ")
        right = {(column + n, row) for n in range(1, len(text))}
        left = {(column - n, row) for n in range(1, len(text))}
        if column + len(text) <= columns and not right & taken:
            taken |= right
            yield text, "left"
        elif column + 1 >= len(text) and not left & taken:
            taken |= left
            yield f"{words} {mark}", "right"
        else:
            yield mark, "left"


def _styled(line: str, styles: list[Style]) -> Text:
    """A line from plotext with the theme's colours in place of colour numbers; the axes have none."""
    pieces = _COLOUR.split(line)
    text = Text(pieces[0], styles[0], end="", no_wrap=True)
    style = styles[0]
    for number, words in zip(pieces[1::2], pieces[2::2], strict=True):
        if words.strip(" "):  # blanks keep the colour before them: each change of colour costs some forty bytes
            style = styles[int(number) - 1] if number else styles[0]
        text.append(words, style)
    return text


def _words_alone(words: str, width: int, height: int, colour: str) -> list[Text]:
    blank = [Text("", end="") for _ in range(max(0, height))]
    if blank:
        blank[len(blank) // 2] = Text(words[:width].center(width), Style(color=colour), end="")
    return blank


class Chart(Lines):
    """Shows a plot; redraws only if the plot or the size has changed."""

    DEFAULT_CSS = "Chart { height: 1fr; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._plot = Plot()
        self._drawn: tuple[Plot, int, int, str] | None = None
        self._rows: list[Text] = []

    def show(self, plot: Plot) -> None:
        """Draw another plot."""
        self._plot = plot
        self.redraw()

    def entitle(self, title: str, legend: str) -> None:
        """Set the texts above and below. Setting a border's text repaints everything, so only a changed text is set."""
        for name, text in (("border_title", escape(title)), ("border_subtitle", escape(legend))):
            if getattr(self, name) != text:
                setattr(self, name, text)

    def rows(self, width: int, height: int) -> list[Text]:
        """The plot in this space."""
        wanted = (self._plot, width, height, self.app.theme)
        if wanted != self._drawn:
            self._rows = draw(self._plot, width, height, self.app.theme_variables)
            self._drawn = wanted
        return self._rows
