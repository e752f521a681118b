"""A button of one row, pressed by enter or a click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static


class Word(Static, can_focus=True):
    """A word that does something when pressed, or says why it can't."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    Word {
        width: auto; height: 1; padding: 0 1; background: $panel; pointer: pointer;
        &:hover { background: $primary 30%; }
        &.-fixed { color: $faint; background: transparent; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "press", show=False)]

    @dataclass
    class Pressed(Message):
        """The word was pressed."""

        word: Word

    def __init__(self, text: str, *, id: str | None = None, why_not: str = "") -> None:  # noqa: A002
        super().__init__(text, id=id, markup=False)
        self.text = text
        self.why_not = ""
        self.say(text, why_not)

    def say(self, text: str, why_not: str = "") -> None:
        """Show this word; with a reason `why_not`, pressing it only shows the reason."""
        if text != self.text:
            self.text = text
            self.update(text)
        if why_not != self.why_not:
            self.why_not = why_not
            self.set_class(bool(why_not), "-fixed")
            self.tooltip = Content(why_not) if why_not else None

    def action_press(self) -> None:
        """Act, or say why not."""
        if self.why_not:
            self.notify(self.why_not, severity="warning", markup=False)
        else:
            self.post_message(self.Pressed(self))

    def on_click(self, event: events.Click) -> None:
        """A click does what enter does."""
        event.stop()
        self.action_press()
