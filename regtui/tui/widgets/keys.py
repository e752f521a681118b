"""Tables of keys, from which a screen's bindings, its footer and its help are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual.binding import Binding, BindingType


class Key(NamedTuple):
    """One row: the keys, what they do, and how to describe it.

    Attributes:
        keys: Textual's names of the keys, separated by commas; each of them works.
        action: The name of the screen's `action_<name>` method; with the prefix 'app.' that of the app.
        label: A word or two, for the footer.
        help: What it does, for the list of all keys.
        shown: The keys as people write them: '+ -'.
        footer: Whether it is one of the main keys.
    """

    keys: str
    action: str
    label: str
    help: str
    shown: str
    footer: bool = False


def bindings(keys: Sequence[Key]) -> list[BindingType]:
    """Textual's bindings for a table of keys."""
    return [Binding(key.keys, key.action, key.label, show=key.footer, key_display=key.shown) for key in keys]


EVERYWHERE = (
    Key("question_mark,f1", "app.help", "keys", "List the keys that work here.", "?", footer=True),
    Key("t", "app.change_theme", "theme", "Dark, light or high contrast.", "t"),
    Key("q", "app.quit", "quit", "Leave; a run that goes on is asked about first.", "q", footer=True),
)
"""What works on every screen that is not a question."""
