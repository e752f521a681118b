"""The outcome of a run, and what to do next."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Static

from regtui.tui.run.session import Session

WIDEST = 110
"""Widest text in columns: longer lines are hard to read, shorter ones take rows from the charts."""


class VerdictPanel(Vertical):
    """The verdict and the place of the log, scrolling if necessary, above buttons that stay."""

    DEFAULT_CSS = """
    VerdictPanel {
        height: auto; padding: 0 1; border: round $border-blurred; border-title-color: $primary;
        &.alone { height: 1fr; }
        & VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
        & Horizontal { height: 1; dock: bottom; }
        & Button { min-width: 0; margin-right: 1; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._words = Static(markup=False)
        self._review = Button("b  saved runs", action="screen.review", compact=True, id="review")

    def compose(self) -> ComposeResult:
        """Words above buttons."""
        with VerticalScroll():
            yield self._words
        with Horizontal():
            yield Button("n  another seed", action="screen.again", compact=True)
            yield Button("c  change the preset", action="screen.change", compact=True)
            yield Button("d  details", action="screen.details", compact=True)
            yield self._review

    def show(self, session: Session, columns: int) -> None:
        """Show the outcome of a run that has ended, in lines of at most `columns` columns."""
        status = session.status
        titles = {"finished": "Verdict", "stopped": "Verdict · stopped"} if session.verdicts else {}
        self.border_title = titles.get(status, status.capitalize())
        self._review.display = session.live  # a saved run leads back to where it was opened
        self._words.update(Text("\n".join([*session.outcome(max(20, min(WIDEST, columns))), ""])))
