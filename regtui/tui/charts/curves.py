"""The upper part of a run's screen: a chart for the baseline and one for the chosen arm, or one for all arms."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from regtui.preset.arms import BASELINE
from regtui.preset.model import Preset
from regtui.protocol.history import History
from regtui.tui.charts.captions import below_chart, titles
from regtui.tui.charts.chart import Chart
from regtui.tui.charts.difference import aligned, caption, strip, told
from regtui.tui.charts.plot import Space
from regtui.tui.charts.run_plots import plots
from regtui.tui.charts.view import View
from regtui.tui.look import arm_looks
from regtui.tui.widgets.lines import Lines

TWO_CHARTS = 72
"""Columns from which two charts fit side by side."""
CHART, STRIP = 6, 18
"""Rows needed for a chart, and for the strip with the difference below it."""
EDGE = 3
"""Cells of a border around the words in it, beyond those of its content."""


class DifferenceWords(Lines):
    """What the strip beside it says, in words."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.border_title = "in words"
        self._told: list[tuple[str, str]] = []

    def tell(self, lines: list[tuple[str, str]]) -> None:
        """Show these lines, each in a colour."""
        self._told = lines
        self.redraw()

    def rows(self, width: int, height: int) -> list[Text]:
        """As many lines as there is room for, the first in bold."""
        colours = self.app.theme_variables
        rows = [
            Text(f" {line[: width - 1]}", Style(color=colours[colour], bold=n == 0), end="", no_wrap=True)
            for n, (line, colour) in enumerate(self._told[:height])
        ]
        return rows + [Text("", end="")] * (height - len(rows))


class Curves(Vertical):
    """Shows a history as `view` says, in the space available.

    The baseline's chart stands left and that of the chosen arm right. Where one chart fits, it is the left one, which
    shows all arms, the baseline, or the chosen arm.
    """

    DEFAULT_CSS = """
    Curves {
        height: 1fr; min-height: 6;
        & #charts { height: 1fr; }
        & #charts Chart { width: 1fr; }
        & #below Lines { width: 1fr; }
    }
    """

    def __init__(self, preset: Preset, history: History, view: View) -> None:
        super().__init__()
        self._preset, self._history, self._view = preset, history, view
        self._looks = arm_looks(preset.arms())
        self._chosen_alone = False
        """Whether it is the chosen arm that the one chart shows."""
        self._cursor: int | None = None
        self._left, self._right = Chart(id="left", classes="panel"), Chart(id="right", classes="panel")
        self._words = DifferenceWords(id="difference-words", classes="panel")
        self._strip = Chart(id="difference", classes="panel")
        self._below = Horizontal(self._words, self._strip, id="below")

    def compose(self) -> ComposeResult:
        """The charts side by side, the difference below."""
        yield Horizontal(self._left, self._right, id="charts")
        yield self._below

    def on_resize(self) -> None:
        """Redraw: the ticks depend on the height, which changes with what is shown below."""
        self.draw(self._cursor)

    def fit(self, width: int, height: int, *, strip: bool) -> None:
        """Show what fits into so many columns and rows; the difference, a quarter of them, only on request."""
        self.display = height >= CHART
        self._right.display = width >= TWO_CHARTS and not self._view.overlay
        self._words.display = self._right.display  # so that the strip lies below the chosen arm's chart
        self._below.display = strip and height >= STRIP
        self._below.styles.height = max(5, height // 4)

    def next_overlay(self, width: int) -> None:
        """Switch between overlay and single charts; if one chart fits, go from the overlay to each of the two arms."""
        view = self._view
        if width >= TWO_CHARTS:
            view.overlay = not view.overlay
        elif view.overlay:
            view.overlay, self._chosen_alone = False, False
        elif not self._chosen_alone:
            self._chosen_alone = True
        else:
            view.overlay = True

    def epoch_at(self, x: float) -> int:
        """The epoch at a position of the charts' horizontal axis."""
        return round(10**x if self._view.log_x else x)

    def draw(self, cursor: int | None) -> None:
        """Show the history as it is now; with a cursor, a line at its epoch and the values there."""
        self._cursor = cursor
        if not self.display:
            return
        history, view = self._history, self._view
        self.set_class(cursor is not None, "-read")
        charts = [chart for chart in (self._left, self._right) if chart.display]
        drawn = plots(history, view, Space(*charts[0].content_size), cursor)
        if len(drawn) > len(charts):  # one chart for one of two arms
            drawn = [drawn[self._chosen_alone]]
        if self._below.display:
            arm = view.arm
            plot = strip(history, arm, view, Space(*self._strip.content_size), cursor)
            drawn, plot = aligned(drawn, plot)
            self._strip.show(plot)
            title, words = caption(history, arm, view.quantity, cursor)
            self._strip.entitle(title, words)
            self._words.tell(told(history, arm, view.quantity, cursor))
        for chart, plot in zip(charts, drawn, strict=True):
            chart.show(plot)
        self._entitle(charts, cursor)

    def _entitle(self, charts: list[Chart], cursor: int | None) -> None:
        history, view = self._history, self._view
        arms = [BASELINE, view.arm] if len(charts) == 2 else [view.arm if self._chosen_alone else BASELINE]
        if view.overlay:
            arms = list(self._looks)
        width = self._left.content_size.width
        for index, (chart, title) in enumerate(
            zip(charts, titles(self._preset, history, view, arms, width), strict=True)
        ):
            drawn = arms if view.overlay else arms[index : index + 1]
            chart.entitle(title, below_chart(history, view, drawn, cursor, width - EDGE))
        self._left.set_class(len(charts) == 2, "baseline")
        for arm, look in self._looks.items():
            self._right.set_class(arm == view.arm, look.colour)
