"""The main keys in one row at the bottom, made from the same table as the bindings and the help.

Textual's own footer has a widget for each key and lays out the whole screen whenever one appears or disappears, which
sends 16 kB to the terminal several times in a run. This is one row of text.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from regtui.tui.widgets.keys import Key
from regtui.tui.widgets.lines import Lines


class KeyBar(Lines):
    """Shows the main keys that can be used now; a click on one does what the key does."""

    DEFAULT_CSS = "KeyBar { height: 1; padding: 0 1; }"

    def __init__(self, keys: Sequence[Key]) -> None:
        super().__init__()
        self._keys = [key for key in keys if key.footer]

    def rows(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        """One row; keys that don't fit are left out from the middle, so that help and quit stay."""
        keys = [key for key in self._keys if self._usable(key)]
        while len(keys) > 2 and sum(len(key.shown) + len(key.label) + 3 for key in keys) - 2 > width:
            keys.pop(-3)
        accent = Style(color=self.app.theme_variables["accent"], bold=True)
        row = Text(end="", no_wrap=True)
        for index, key in enumerate(keys):
            action = key.action if key.action.startswith("app.") else f"screen.{key.action}"
            click = Style(meta={"@click": action})
            row.append("  " if index else "")
            row.append(key.shown, accent + click)
            row.append(f" {key.label}", click)
        return [row]

    def _usable(self, key: Key) -> bool:
        name = key.action.partition("(")[0]
        return name.startswith("app.") or bool(self.screen.check_action(name, ()))
