"""What another patience would have done in a run: when it would have stopped, what it would have kept, at what cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from regtui.evidence.what_if import WhatIf, what_if
from regtui.techniques.early_stopping import EarlyStopping, followed_metric
from regtui.text import one_line
from regtui.tui.charts.chart import Chart
from regtui.tui.charts.plot import Space
from regtui.tui.charts.view import View
from regtui.tui.look import ArmLook, arm_looks, follow_theme
from regtui.tui.pages.what_if_view import cost_plot, remarks, stop_plot, table_rows, takeaways
from regtui.tui.run.keys import WALK, usable
from regtui.tui.run.session import Session
from regtui.tui.widgets.key_bar import KeyBar
from regtui.tui.widgets.keys import EVERYWHERE, Key, bindings
from regtui.tui.widgets.lines import Lines

TWO_CHARTS = 70
"""Columns from which two charts fit side by side."""
TALL, SHORT = 32, 18
"""From TALL rows on the charts are higher; below SHORT rows no row stays empty."""
SCROLL = 3
"""Rows that a key press scrolls."""


class _Rows(Lines):
    """A widget of rows of text."""

    DEFAULT_CSS = "_Rows { height: auto; padding: 0 1; margin-bottom: 1; }"

    def __init__(
        self,
        make: Callable[[Mapping[str, WhatIf], Mapping[str, ArmLook], int, Mapping[str, str]], list[Text]],
        looks: Mapping[str, ArmLook],
    ) -> None:
        """Show the rows that `make` returns for the arms' tables and looks, a width, and the theme's colours."""
        super().__init__()
        self._make, self._looks = make, looks
        self._tables: Mapping[str, WhatIf] = {}

    def show(self, tables: Mapping[str, WhatIf]) -> None:
        """Make the rows for new tables."""
        self._tables = tables
        self.redraw()
        self.refresh(layout=True)

    def rows(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        """All rows."""
        return self._make(self._tables, self._looks, width, self.app.theme_variables)


class WhatIfScreen(Screen[None]):
    """For the baseline and the chosen arm: a sentence, two charts, a table. For each other arm a sentence below."""

    DEFAULT_CSS = """
    WhatIfScreen {
        & #head { height: 1; padding: 0 1; margin-bottom: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & .body { scrollbar-size-vertical: 1; scrollbar-background: $background; }
        & .charts { height: auto; layout: vertical; margin-bottom: 1; }
        & Chart { height: 10; width: 1fr; }
        &.-wide .charts { layout: horizontal; }
        &.-tall Chart { height: 14; }
        &.-short #head { margin-bottom: 0; }
    }
    """
    KEYS = (
        Key("down,j", "scroll(1)", "scroll", "Scroll down.", "↓", footer=True),
        Key("up,k", "scroll(-1)", "up", "Scroll up.", "↑"),
        Key("pagedown,space", "scroll_page(1)", "page", "A page down.", "pgdn"),
        Key("pageup", "scroll_page(-1)", "page up", "A page up.", "pgup"),
        *WALK,
        Key("escape,x", "dismiss", "back", "Back to the run.", "esc", footer=True),
    )
    BINDINGS = bindings((*KEYS, *EVERYWHERE))

    def __init__(self, session: Session, view: View) -> None:
        """Make the screen for the epochs that this run has trained so far; `view` has the chosen arm."""
        super().__init__()
        self._session, self._view = session, view
        self._looks = arm_looks(session.preset.arms())
        self._tables: dict[str, WhatIf] = {}
        self._stops, self._costs = Chart(classes="panel"), Chart(classes="panel")
        self._head = Static(id="head")
        self._rows = [_Rows(make, self._looks) for make in (takeaways, remarks, table_rows)]
        self._others = _Rows(takeaways, self._looks)

    def compose(self) -> ComposeResult:
        """From top to bottom; everything between the first and the last line scrolls."""
        sentences, unknown, table = self._rows
        yield self._head
        with VerticalScroll(classes="body", can_focus=False):
            yield sentences
            yield Container(self._stops, self._costs, classes="charts")
            yield unknown
            yield table
            yield self._others
        yield KeyBar()

    def on_mount(self) -> None:
        """Show the tables, and follow the theme: the title has its colours."""
        follow_theme(self, self.reload)
        self.reload()

    def on_resize(self, event: events.Resize) -> None:
        """Put the charts side by side if they fit, and make them as high as possible."""
        self.set_class(event.size.width >= TWO_CHARTS, "-wide")
        self.set_class(event.size.height >= TALL, "-tall")
        self.set_class(event.size.height < SHORT, "-short")
        self.call_after_refresh(self._draw)

    def reload(self) -> None:
        """Compute the tables again, because an epoch has ended."""
        history, preset = self._session.history, self._session.preset
        rules = self._rules
        of_all = {arm: what_if(known, rules[arm], preset.train.epochs) for arm, known in history.arms.items()}
        pair = self._view.pair(of_all)
        self._tables = {arm: of_all[arm] for arm in pair}
        self._others.show({arm: table for arm, table in of_all.items() if arm not in pair})
        told = self._words({arm: rules[arm] for arm in pair})
        more = f" · other patience in early stopping · {one_line(preset.name)}{told}"
        self._head.update(Text.assemble(("What if", "bold"), (more, self.app.theme_variables["faint"])))
        for rows in self._rows:
            rows.show(self._tables)
        self.call_after_refresh(self._draw)

    @property
    def _rules(self) -> dict[str, EarlyStopping | None]:
        """Each arm's early stopping; an arm without it gets that of the first that has one."""
        own = {arm: techniques.early_stopping for arm, techniques in self._session.preset.arms().items()}
        other = next((rule for rule in own.values() if rule is not None), None)
        return {arm: rule or other for arm, rule in own.items()}

    def _draw(self) -> None:
        self._stops.show(stop_plot(self._tables, self._looks, Space(*self._stops.content_size)))
        self._stops.entitle("stops at epoch", "by patience · dotted: runs to the end")
        self._costs.show(cost_plot(self._tables, self._looks, Space(*self._costs.content_size)))
        metrics = (followed_metric(table.monitor) for table in self._tables.values())
        metric = next(filter(None, metrics), None)
        unit = "" if metric is None else metric.points.strip() or metric.title
        what = f"{unit} below the best" if unit else "loss above the best"
        self._costs.entitle(f"cost: {what}", "by patience  ★ best")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Walk only through several arms."""
        return action != "arm" or usable(action, self._session)

    def action_arm(self, by: int) -> None:
        """Choose the next arm beside the baseline, or the one before."""
        self._view.walk(list(self._looks), by)
        self.reload()

    def action_scroll(self, rows: int) -> None:
        """Scroll a few rows down or up."""
        self._body.scroll_relative(y=SCROLL * rows, animate=False)

    def action_scroll_page(self, pages: int) -> None:
        """Scroll by most of a page."""
        self._body.scroll_relative(y=pages * max(1, self._body.size.height - 2), animate=False)

    @property
    def _body(self) -> VerticalScroll:
        return self.query_one(".body", VerticalScroll)

    def _words(self, rules: Mapping[str, EarlyStopping | None]) -> str:
        """The rules' other knobs that are not the defaults, in words; for each arm if they differ."""
        told = {arm: _knobs(rule) for arm, rule in rules.items()}
        if len(set(told.values())) == 1:
            return next(iter(told.values()))
        return "".join(f" · {self._looks[arm].mark}{words or ' · usual rule'}" for arm, words in told.items())


def _knobs(rule: EarlyStopping | None) -> str:
    if rule is None:
        return ""
    words = f" · min Δ {rule.min_delta:g}" if rule.min_delta else ""
    words += f" · warmup {rule.warmup}" if rule.warmup else ""
    metric = followed_metric(rule.monitor)
    return words if metric is None else f"{words} · by {metric.title}"
