"""The field below a list in which a filter is typed."""

from __future__ import annotations

from regtui.tui.widgets.text_input import TextInput


class FilterInput(TextInput):
    """Hidden until it is opened; what is typed stays in sight when the focus has gone back to the list."""

    DEFAULT_CSS = """
    FilterInput {
        height: 1; border: none; padding: 0 1; background: $panel; display: none;
        &:focus { border: none; }
        &.shown { display: block; }
    }
    """

    @property
    def is_open(self) -> bool:
        """Whether it can be seen."""
        return self.has_class("shown")

    def open(self) -> None:
        """Show the field and type into it."""
        self.add_class("shown")
        self.focus()

    def close(self) -> None:
        """Clear the filter and hide the field."""
        self.value = ""
        self.remove_class("shown")
