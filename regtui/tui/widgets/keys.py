"""Tables of keys, from which the bindings, the footer, the help and the list of commands are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from textual.binding import Binding, BindingType


class Key(NamedTuple):
    """One row: the keys, what they do, and how to describe it.

    Attributes:
        keys: Textual's names of the keys, separated by commas; each of them works.
        action: The name of the screen's `action_<name>` method; with the prefix 'app.' that of the app.
        label: A word or two, for the footer; one that changes is told by `Labelling`.
        help: What it does, for the list of all keys.
        shown: The keys as people write them: '+ -'; the first is that of the footer.
        footer: Whether it is one of the main keys.
    """

    keys: str
    action: str
    label: str
    help: str
    shown: str
    footer: bool = False


@runtime_checkable
class Labelling(Protocol):
    """A screen or widget on which what a key does depends on the state."""

    def key_label(self, action: str) -> str:
        """What the key of an action does now; empty for what the table says."""


def bindings(keys: Sequence[Key], *, first: bool = False) -> list[BindingType]:
    """Textual's bindings for a table of keys. The footer has the first key of a row, if that is what dispatches.

    Args:
        keys: The table.
        first: Whether they come before those of what has the focus.
    """
    return [
        Binding(
            one,
            key.action,
            key.label,
            show=key.footer and not place,
            key_display=key.shown,
            priority=first,
            tooltip=key.help,
        )
        for key in keys
        for place, one in enumerate(key.keys.split(","))
    ]


NEXT = Key("tab", "app.focus_next", "next", "To the next control.", "tab", footer=True)
"""A key that Textual has on every screen; it is told where something has the focus."""
LEAVE = Key("escape", "dismiss(None)", "back", "One step back.", "esc", footer=True)
"""What leads out of a question or a page."""
EVERYWHERE = (
    Key(
        "ctrl+p", "app.command_palette", "commands", "All that can be done now, found by its words.", "^p", footer=True
    ),
    Key("question_mark,f1", "app.help", "keys", "List the keys that work here.", "?", footer=True),
    Key("t", "app.change_theme", "theme", "Dark, light or high contrast.", "t"),
    Key("q", "app.quit", "quit", "Leave; a run that goes on is asked about first.", "q", footer=True),
)
"""What works on every screen that is not a question."""
