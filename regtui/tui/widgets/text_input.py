"""A one-line text field that stays safe whatever is pasted into it."""

from __future__ import annotations

from textual.widgets import Input

from regtui.text import one_line
from regtui.tui.widgets.keys import NEXT, Key, bindings


class TextInput(Input):
    """Holds one line of printable characters of limited length.

    Typed characters always are printable. A pasted text may be of any length and contain escapes and line ends.
    """

    KEYS = (Key("enter", "submit", "accept", "In a field: take what was typed.", "enter", footer=True), NEXT)
    BINDINGS = bindings(KEYS)

    def validate_value(self, value: str) -> str:
        """Make a new value safe; Textual calls this before each change."""
        return one_line(value)
