"""Draws a chart: turns curves and marks into rows of text. The only file that uses plotext.

plotext 5.3's public functions share one figure in each process; separate figures need its private `_figure_class`. It
raises on numbers that are not finite and when a logarithmic axis is built twice, rounds lines and marks to different
cells, and version 6 has another interface. So plotext is given whole cells, counted from the left and from the bottom.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rich.markup import escape
from rich.style import Style
from rich.text import Text
from textual.events import Click
from textual.message import Message

from regtui.tui.charts.names import Name, placed_names, placed_words
from regtui.tui.charts.plot import RANKS, Plot, labels_width
from regtui.tui.charts.strokes import Cell, Grid, cells, marks, traced
from regtui.tui.widgets.lines import Lines

_COLOUR = re.compile(r"\x1b\[(?:0|38;5;(\d+))m")


def draw(plot: Plot, width: int, height: int, colours: Mapping[str, str], *, ascii_only: bool = False) -> list[Text]:
    """The chart as `height` rows of `width` cells.

    Args:
        plot: What to draw.
        width: Cells of a row.
        height: Rows, axis included.
        colours: Colours by the names that the plot uses, including 'faint' for the axes.
        ascii_only: Whether lines are drawn with characters that every terminal has.
    """
    labels = max(plot.labels, labels_width([plot]))
    grid = Grid.of(plot, width, height, labels)
    if not plot.curves or width < 12 or height < 3 or grid.columns < 4:
        return _words_alone(plot.empty, width, height, colours["faint"])
    from plotext._figure import _figure_class  # takes 0.1 s, when the first chart is drawn

    palette = ["faint"]

    def number(colour: str) -> int:
        if colour not in palette:
            palette.append(colour)
        return palette.index(colour) + 1

    across, inside = grid.columns + grid.reserve, plot.x_limits
    figure = _figure_class()
    figure._limit_size(False, False)  # otherwise plotext limits it to the size of the terminal
    figure.plotsize(width, height)
    figure.canvas_color("default")
    figure.axes_color("default")
    figure.ticks_color(number("faint"))
    figure.xaxes(bool(plot.x_ticks), False)
    figure.yaxes(True, False)
    figure.xlim(0, across - 1)
    figure.ylim(0, max(1, grid.rows - 1))
    low, high = plot.y_limits
    figure.xticks([grid.cell(x, low)[0] for x, _ in plot.x_ticks], [label for _, label in plot.x_ticks])
    ticks = plot.y_ticks or [(low, "")] * bool(labels)
    figure.yticks([grid.cell(inside[0], y)[1] for y, _ in ticks], [label.rjust(labels) for _, label in ticks])
    for x, colour in plot.verticals:
        if inside[0] <= x <= inside[1]:
            figure.vline(grid.cell(x, low)[0], color=number(colour))
    for y, colour in plot.horizontals:
        if low <= y <= high:
            figure.hline(grid.cell(inside[0], y)[1], color=number(colour))
    figures = _characters(plot, grid, ascii_only=ascii_only)
    figure.scatter(
        [column for column, _ in figures],
        [row for _, row in figures],
        marker=[character for character, _ in figures.values()],
        color=[number(colour) for _, colour in figures.values()],
    )
    styles = [Style(color=colours[name]) for name in palette]
    return [_styled(line, styles) for line in figure.build().rstrip("\n").split("\n")]


def _characters(plot: Plot, grid: Grid, *, ascii_only: bool) -> dict[Cell, tuple[str, str]]:
    """Every character inside the axes with the name of its colour: lines, marks, and words where nothing else is."""
    drawn = [traced(curve, grid) for curve in sorted(plot.curves, key=lambda curve: curve.rank)]
    lines = cells(drawn, ascii_only=ascii_only)
    found = {cell: (character, colour) for cell, (character, colour, _) in lines.items()}
    taken = {cell: rank for cell, (_, _, rank) in lines.items()}
    marked = [*marks(drawn), *((grid.cell(x, y), text[0], colour) for text, x, y, colour in plot.words)]
    for cell, mark, colour in marked:
        found[cell], taken[cell] = (mark, _text_colour(colour) if mark.isalnum() else colour), 9
    upright = {grid.cell(x, plot.y_limits[0])[0] for x, _ in plot.verticals}
    for cell in ((column, row) for column in upright for row in range(grid.rows)):
        taken.setdefault(cell, 0)  # a name may stand over a line from bottom to top, if it must
    across = grid.columns + grid.reserve
    names = [
        Name(curve.name, one.end, _text_colour(curve.colour), must=curve.rank == max(RANKS.values()))
        for one in reversed(drawn)
        if (curve := one.curve).name
    ]
    words = [(text, grid.cell(x, y), colour) for text, x, y, colour in plot.words]
    urgent = [word for word in words if word[0].startswith("✗")]
    texts = list(placed_words(urgent, taken, across, grid.rows))
    taken.update({(text.cell[0] + n, text.cell[1]): 9 for text in texts for n in range(len(text.text))})
    ends = {name.end: 9 for name in names}
    texts += placed_names(names, taken, across, grid.rows)
    taken.update(ends)
    taken.update({(text.cell[0] + n, text.cell[1]): 9 for text in texts for n in range(len(text.text))})
    texts += placed_words([word for word in words if word not in urgent], taken, across, grid.rows)
    for text in texts:
        for n, character in enumerate(text.text):
            found[text.cell[0] + n, text.cell[1]] = (character, text.colour)
    return found


def _text_colour(colour: str) -> str:
    """The colour of a line's name or letter: the strong one of its kind, as text needs more contrast than a line."""
    return re.sub("-(train|steps)$", "", colour)


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

    class Resized(Message):
        """It has another size, in which another plot may be better."""

    class Pointed(Message):
        """The mouse was clicked at this position of the horizontal axis."""

        def __init__(self, x: float) -> None:
            super().__init__()
            self.x = x

    class Wheeled(Message):
        """The mouse wheel was turned, up with `by` above 0."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

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

    def on_resize(self) -> None:
        """Tell it."""
        self.post_message(self.Resized())

    def on_click(self, event: Click) -> None:
        """Tell where."""
        inside = event.get_content_offset(self)
        if inside is not None and self._plot.curves:
            labels = max(self._plot.labels, labels_width([self._plot]))
            grid = Grid.of(self._plot, *self.content_size, labels)
            self.post_message(self.Pointed(grid.x(inside.x - labels - 1)))

    def on_mouse_scroll_up(self) -> None:
        """Tell it."""
        self.post_message(self.Wheeled(1))

    def on_mouse_scroll_down(self) -> None:
        """Tell it."""
        self.post_message(self.Wheeled(-1))

    def rows(self, width: int, height: int) -> list[Text]:
        """The plot in this space."""
        wanted = (self._plot, width, height, self.app.theme)
        if wanted != self._drawn:
            ascii_only = getattr(self.app, "ascii_only", False)
            self._rows = draw(self._plot, width, height, self.app.theme_variables, ascii_only=ascii_only)
            self._drawn = wanted
        return self._rows
