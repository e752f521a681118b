"""The list of the keys of a screen, made from the tables that define them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from regtui.tui.widgets.dialogs import Page
from regtui.tui.widgets.keys import Key


class HelpScreen(Page):
    """Shows the keys of the given tables."""

    TITLE = "Keys"
    DEFAULT_CSS = """
    HelpScreen {
        & > .panel { width: 76; }
        & .heading { height: auto; color: $primary; text-style: bold; }
        & .keys { height: auto; margin-bottom: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,f1,q", "dismiss(None)", show=False)]

    def __init__(self, tables: Sequence[tuple[str, Sequence[Key]]]) -> None:
        """Make the list.

        Args:
            tables: A heading and its keys, in the order to show them.
        """
        super().__init__()
        self._tables = tables

    def contents(self) -> ComposeResult:
        """For each table a heading and its keys; all keys are aligned in one column."""
        width = max((len(key.shown) for _, keys in self._tables for key in keys), default=0)
        for heading, keys in self._tables:
            yield Static(heading, classes="heading", markup=False)
            rows = Table.grid(padding=(0, 2))
            rows.add_column(width=width)
            rows.add_column(ratio=1)
            for key in keys:
                rows.add_row(Text(key.shown, "bold"), Text(key.help))
            yield Static(rows, classes="keys")
