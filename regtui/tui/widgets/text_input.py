"""A line to type into, whatever is pasted."""

from __future__ import annotations

from textual.widgets import Input

from regtui.text import one_line


class TextInput(Input):
    """Holds only what is shown as it is, and not more than a line that is read at once.

    What comes by keys is so already. What is pasted, by the terminal or from what was copied here, may be of any
    length and have escapes and ends of lines in it.
    """

    def validate_value(self, value: str) -> str:
        """What Textual asks before each change of the value."""
        return one_line(value)
