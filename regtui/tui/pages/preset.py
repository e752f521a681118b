"""A run's preset, and how it differs from the preset file of the same name today."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from regtui.errors import RegtuiError
from regtui.preset.file import load, to_table, to_toml
from regtui.preset.model import Preset
from regtui.preset.places import available
from regtui.runs.files import leaves
from regtui.text import UNKNOWN, one_line
from regtui.tui.widgets.dialogs import Page

LONGEST = 120
"""Longer values, such as a summary, are cut at so many characters."""


def differences(here: Preset, there: Preset) -> list[tuple[str, str, str]]:
    """The keys whose values differ: key, value here, value there."""
    ours, theirs = dict(leaves(to_table(here))), dict(leaves(to_table(there)))
    keys = [key for key in {**ours, **theirs} if key not in ours or key not in theirs or ours[key] != theirs[key]]
    return [(key, _value(ours.get(key)), _value(theirs.get(key))) for key in keys]


def _value(value: Any) -> str:
    return UNKNOWN if value is None else one_line(json.dumps(value, ensure_ascii=False), LONGEST)


class PresetPage(Page):
    """First the differences from the preset's file, key by key; then the whole preset as TOML."""

    TITLE = "Preset"
    DEFAULT_CSS = """
    PresetPage {
        & > .panel { width: 92; }
        & Static { height: auto; }
        & .heading { color: $primary; text-style: bold; }
        & .body { padding-left: 3; margin-bottom: 1; }
        &.-short .body { padding-left: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("f,q", "dismiss(None)", show=False)]

    def __init__(self, preset: Preset) -> None:
        """Make the page; the file is looked for when it opens."""
        super().__init__()
        self._preset = preset

    def contents(self) -> ComposeResult:
        """The difference, then the preset."""
        yield from self._against_its_file()
        yield Static(f"{one_line(self._preset.name)}, as it was run", classes="heading", markup=False)
        lines = to_toml(self._preset).rstrip().split("\n")
        yield Static(Text("\n".join(map(one_line, lines))), classes="body")

    def _against_its_file(self) -> ComposeResult:
        name = self._preset.name
        path = available().get(name)
        if path is None:
            yield Static(f"There is no preset of the name {one_line(name)} now.", classes="body", markup=False)
            return
        file = one_line(path)
        try:
            rows = differences(self._preset, load(str(path)))
        except RegtuiError as error:  # it has been changed since, and can't be read any more
            yield Static(f"It can't be compared with its file:\n{error}", classes="body", markup=False)
            return
        if not rows:
            yield Static(f"Equal to {file}.", classes="body", markup=False)
            return
        yield Static(f"What differs from {file}", classes="heading", markup=False)
        table = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(3):
            table.add_column(overflow="fold")
        faint = self.app.theme_variables["faint"]
        table.add_row(Text(""), Text("here", faint), Text("in the file", faint))
        for key, ours, theirs in rows:
            table.add_row(Text(key), Text(ours, "bold"), Text(theirs))
        yield Static(table, classes="body")
