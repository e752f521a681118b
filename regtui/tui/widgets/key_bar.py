"""The two rows at the bottom of every screen: the status line, and below it what the keys do now.

Textual's own footer has a widget for each key and lays out the whole screen whenever one appears or disappears, which
sends 16 kB to the terminal several times in a run; its messages lie over what they are about. These are rows of text.
"""

from __future__ import annotations

import time
from textwrap import wrap
from typing import NamedTuple

from rich.style import Style
from rich.text import Text
from textual.binding import ActiveBinding
from textual.dom import DOMNode
from textual.events import Click
from textual.geometry import Size
from textual.screen import Screen
from textual.timer import Timer

from regtui.text import one_line
from regtui.tui.widgets.keys import EVERYWHERE, Labelling
from regtui.tui.widgets.lines import Lines

LOW = 16
"""In a terminal of fewer rows a message stands in the place of the keys, until it goes."""
SECONDS = 6.0
"""How long a message stands that is no error."""
JUST_NOW = 0.7
"""Seconds in which a click on a key that has just appeared is taken to mean what stood there before."""


class Said(NamedTuple):
    """What the status line says; an error stays until a key is pressed."""

    words: str
    error: bool


class ShownKey(NamedTuple):
    """A key in the footer.

    Attributes:
        key: Textual's name of it.
        name: As people write it.
        label: What it does now.
    """

    key: str
    name: str
    label: str


class KeyBar(Lines):
    """Shows a message, and the main keys of what has the focus and of the screen around it.

    The keys are those that Textual would dispatch: nothing is shown that would be typed into a field, or that a widget
    with the focus takes for itself. A click on one does what the key does.
    """

    DEFAULT_CSS = "KeyBar { dock: bottom; height: auto; padding: 0 1; background: $background; }"

    def __init__(self) -> None:
        super().__init__()
        self.message: Said | None = None
        self._going: Timer | None = None
        self._places: dict[int, str] = {}
        self._places_before: dict[int, str] = {}
        self._changed_at = 0.0

    def on_mount(self) -> None:
        """Follow the focus."""
        self.screen.bindings_updated_signal.subscribe(self, self._follow)

    def _follow(self, _screen: Screen[object]) -> None:
        self.redraw()

    # Messages

    def say(self, message: Said) -> None:
        """Show a message in place of the one before."""
        self.take_message()
        self.message = message
        if not message.error:
            self._going = self.set_timer(SECONDS, self.take_message)
        self.redraw()

    def take_message(self) -> Said | None:
        """Show no message; returns what was shown."""
        if self._going is not None:
            self._going.stop()
        message, self.message, self._going = self.message, None, None
        if message is not None:
            self.redraw()
        return message

    def key_pressed(self) -> None:
        """An error has been seen."""
        if self.message is not None and self.message.error:
            self.take_message()

    # Keys

    def shown(self) -> list[ShownKey]:
        """The main keys that do something now: those of what has the focus first."""
        keys = list[ShownKey]()
        # Textual has tab before all of a screen's own keys; it comes after them, but before those that work everywhere.
        order = ["tab", *(key.keys.partition(",")[0] for key in EVERYWHERE)]
        active_keys = self.screen.active_bindings.items()
        for key, active in sorted(
            active_keys,
            key=lambda item: order.index(item[0]) if item[0] in order and item[1].node is self.screen else -1,
        ):
            binding = active.binding
            alone = binding.action.startswith("app.focus_") and len(self.screen.focus_chain) < 2
            if binding.show and active.enabled and not alone:
                keys.append(ShownKey(key, (binding.key_display or key).partition(" ")[0], label_of(active)))
        return keys

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """One row in a low terminal, else two."""
        return self.height_in(viewport.height)

    def height_in(self, height: int) -> int:
        """Its rows in a terminal of so many rows."""
        return 1 if height < LOW else 2

    def rows(self, width: int, height: int) -> list[Text]:
        """The message, also over the second row where it needs that, and the keys."""
        theme = self.app.theme_variables
        said = wrap(self.message.words, width, max_lines=height, placeholder=" …") if self.message else []
        style = theme["error" if self.message and self.message.error else "accent"]
        rows = [Text(words, style, end="", no_wrap=True) for words in said]
        keys = self._keys(width)
        if len(rows) < height:
            rows += [Text("", end="")] * (height - 1 - len(rows)) + [keys]
        return rows

    def _keys(self, width: int) -> Text:
        """One row; keys that don't fit are left out from the middle, so that help and quit stay."""
        keys = self.shown()
        while len(keys) > 2 and sum(len(key.name) + len(key.label) + 3 for key in keys) - 2 > width:
            keys.pop(-3)
        accent = Style(color=self.app.theme_variables["accent"], bold=True)
        row = Text(end="", no_wrap=True)
        places: dict[int, str] = {}
        for index, key in enumerate(keys):
            row.append("  " if index else "")
            left = row.cell_len
            click = Style(meta={"@click": f"press({key.key!r}, {left})"})
            row.append(key.name, accent + click)
            row.append(f" {key.label}", click)
            places |= dict.fromkeys(range(left, row.cell_len), key.key)
        if places != self._places:
            self._places_before, self._places, self._changed_at = self._places, places, time.monotonic()
        return row

    def action_press(self, key: str, left: int) -> None:
        """Press a key for the mouse, unless another key stood there a moment ago, which the click was meant for."""
        before = self._places_before.get(left)
        if before in (None, key) or time.monotonic() > self._changed_at + JUST_NOW:
            self.app.simulate_key(key)

    def on_click(self, event: Click) -> None:
        """A click here is no click beside a dialog."""
        event.stop()


def label_of(active: ActiveBinding) -> str:
    """What a key does in the present state, in a word or two."""
    node, binding = active.node, active.binding
    return (node.key_label(binding.action) if isinstance(node, Labelling) else "") or binding.description


def tell(node: DOMNode, words: object, *, error: bool = False) -> None:
    """Say a sentence in the status line, the row above the keys.

    It is said on the screen in front, and goes along when that closes. It stands for some seconds, or until the next
    message; an error stands until a key is pressed. Control characters in it are shown as text.

    Args:
        node: The widget, screen or app that has something to say.
        words: The sentence.
        error: Whether something went wrong.
    """
    bars = [bar for screen in reversed(node.app.screen_stack) for bar in screen.query(KeyBar)]
    if bars:
        bars[0].say(Said(one_line(words), error))
