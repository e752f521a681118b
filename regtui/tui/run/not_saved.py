"""The lines on what of the run is not on disk, there as long as that is so."""

from __future__ import annotations

import textwrap

from rich.style import Style
from rich.text import Text

from regtui.protocol.history import History
from regtui.text import listed
from regtui.tui.widgets.lines import Lines

MOST = 2
"""Rows; what comes last in the words, the path, may be cut."""


class NotSaved(Lines):
    """Says what is not saved, since when, why, and what to do; hidden while everything is."""

    DEFAULT_CSS = "NotSaved { padding: 0 1; display: none; }"

    def __init__(self) -> None:
        super().__init__()
        self._words = ""

    def update_from(self, history: History, *, over: bool) -> bool:
        """Take in what is not saved; returns whether that is other words than before."""
        first = sorted(history.unsaved, key=lambda what: what != "disk")  # that it is waited for
        parts = "; ".join(history.unsaved[what] for what in first)
        going_on = "" if over or history.paused or "disk" in history.unsaved else ", training goes on"
        what = [name for name in first if name != "disk"]  # named first, since the words on each may be cut
        named = f" ({listed(what)})" if len(what) > 1 else ""
        begun = bool(what) or history.started is not None  # else there is nothing yet that could be saved
        lacks = f"NOT SAVED{named}{going_on}: " if begun else ""
        words = f"{lacks}{parts}" if parts else ""
        before, self._words = self._words, words
        self.redraw()
        return words != before

    def fit(self, width: int) -> int:
        """Take as many rows as the words need in a terminal of this width; returns how many."""
        rows = len(self._wrapped(width - 2))
        self.display = bool(rows)
        self.styles.height = rows
        return rows

    def rows(self, width: int, height: int) -> list[Text]:
        """The words."""
        style = Style(color=self.app.theme_variables["warning"], bold=True)
        return [Text(line, style, end="", no_wrap=True) for line in self._wrapped(width)[: height or MOST]]

    def _wrapped(self, width: int) -> list[str]:
        return textwrap.wrap(self._words, max(1, width), max_lines=MOST, placeholder=" …")
