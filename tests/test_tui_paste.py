"""What is pasted into a field is one line of bounded length that is shown as it is."""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path

import pytest
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input

from regtui.text import MOST, is_shown
from regtui.tui.app import RegtuiApp
from tests.hostile import HARMLESS, HOSTILE
from tests.screen_double import ScriptedTraining, until

FIELDS = {"a setting": ("e",), "the name of a preset": ("s",), "a filter": ("slash",)}


def in_field(name: str, tmp_path: Path) -> RegtuiApp:
    return RegtuiApp(tmp_path, training=ScriptedTraining(), review=[] if name == "a filter" else None)


async def field(name: str, app: RegtuiApp, pilot: Pilot[int]) -> Input:
    """Go to the field, and empty it."""
    await pilot.press(*FIELDS[name])
    if name == "a setting":
        await until(pilot, lambda: app.screen.query("Line"))
        app.screen.query("Line").first().focus()
    await until(pilot, lambda: isinstance(app.focused, Input))
    assert isinstance(app.focused, Input)
    app.focused.value = ""
    return app.focused


def holds(line: Input, part: str) -> bool:
    return part in line.value


def by_terminal(app: RegtuiApp, text: str) -> None:
    event = Paste(text)
    event.set_sender(app)
    app.post_message(event)


def by_clipboard(app: RegtuiApp, text: str) -> None:
    app.copy_to_clipboard(text)
    assert isinstance(app.focused, Input)
    app.focused.action_paste()


PASTED = ((HARMLESS, "日本語"), (HOSTILE, r"PWNED\x1b]0;"), ("x" * 1_000_000, "xxx"))


@pytest.mark.parametrize("name", FIELDS)
async def test_what_is_pasted_is_one_line_that_is_shown(name: str, tmp_path: Path) -> None:
    app = in_field(name, tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        line = await field(name, app, pilot)
        for paste, (text, part) in product((by_terminal, by_clipboard), PASTED):
            line.value = ""
            paste(app, text)
            await until(pilot, partial(holds, line, part))
            assert all(map(is_shown, line.value))
            assert len(line.value) <= MOST
