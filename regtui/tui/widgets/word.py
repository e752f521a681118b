"""A button of one row, pressed by enter or a click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from regtui.tui.widgets.key_bar import tell
from regtui.tui.widgets.keys import NEXT, Key, bindings


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
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("enter", "press", "press", "At a button: press it.", "enter", footer=True),
        Key("escape", "leave", "leave", "Away from the controls.", "esc", footer=True),
        NEXT,
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)

    @dataclass
    class Pressed(Message):
        """The word was pressed."""

        word: Word

    def __init__(self, text: str, *, why_not: str = "") -> None:
        super().__init__(text, markup=False)
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
            tell(self, self.why_not)
        else:
            self.post_message(self.Pressed(self))

    def action_leave(self) -> None:
        """Leave the controls."""
        self.screen.set_focus(None)

    def key_label(self, action: str) -> str:
        """What enter does: what the word says, in small letters."""
        return self.text.strip().lower() if action == "press" and not self.why_not else ""

    def on_click(self, event: events.Click) -> None:
        """A click does what enter does."""
        event.stop()
        self.action_press()
