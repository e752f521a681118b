"""What the mouse selects and Ctrl-C does with it: texts are copied once, what is drawn is never taken for a text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.events import MouseDown, MouseMove, MouseUp
from textual.pilot import Pilot
from textual.selection import SELECT_ALL
from textual.widgets import Input

from regtui.engine.run import run
from regtui.protocol.control import Control
from regtui.tui.app import RegtuiApp
from regtui.tui.choose.screen import ChooseScreen
from regtui.tui.review.screen import ReviewScreen
from regtui.tui.run.screen import RunScreen
from regtui.tui.widgets.dialogs import Ask
from regtui.tui.widgets.row_list import RowList
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, text_of, until
from tests.scripted import ScriptedCrew


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of a preset."""
    logs = tmp_path_factory.mktemp("saved") / "logs"
    for seed in (0, 1):
        crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.4]})
        preset = small_preset(
            train={"seed": seed}, baseline={"early_stopping": {}}, regularized={"dropout": {}, "batch_norm": {}}
        )
        run(preset, logs, Control(), lambda _: None, crew)
    return logs


async def drag(app: RegtuiApp, pilot: Pilot[int], start: tuple[int, int], end: tuple[int, int]) -> None:
    """With the left button down, from one cell to another."""
    for kind, (x, y), button in ((MouseDown, start, 1), (MouseMove, end, 1), (MouseUp, end, 1)):
        event = kind(None, x, y, 0, 0, button, False, False, False, x, y)
        event.set_sender(app)
        app.post_message(event)
        await pilot.pause()


def names(app: RegtuiApp) -> list[str]:
    """Widgets that would give their own name for the text that is selected in them."""
    found = []
    for widget in app.screen.query("*"):
        if widget.allow_select and (got := widget.get_selection(SELECT_ALL)) is not None:
            text = got[0]
            if widget.css_identifier_styled.plain in text or type(widget).__name__ in text:
                found.append(repr(widget))
    return found


async def everywhere(app: RegtuiApp, pilot: Pilot[int]) -> None:
    """Drag over all of the screen in front: nothing that is selected is a widget's name."""
    shown = text_of(app)
    assert shown.strip()
    assert names(app) == []
    width, height = app.size
    await drag(app, pilot, (width // 4, height // 2), (width - 2, height - 2))
    await drag(app, pilot, (1, 0), (width - 2, height - 1))
    selected = app.screen.get_selected_text() or ""
    names_of = "Chart|Curves|Lines|Row|Form|Static|Header|KeyBar|Stepper|Word"
    assert not re.search(rf"\b({names_of}|[A-Z]\w+(Screen|Panel))\b", selected)
    app.screen.clear_selection()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(120, 36), (60, 20)])
async def test_no_screen_gives_a_name_for_a_text(tmp_path: Path, size: tuple[int, int]) -> None:
    training = ScriptedTraining()
    preset = small_preset(train={"epochs": 3}, regularized={"dropout": {}, "batch_norm": {}, "early_stopping": {}})
    app = RegtuiApp(tmp_path / "logs", preset, training=training)
    async with app.run_test(size=size) as pilot:
        try:
            await until(pilot, lambda: isinstance(app.screen, ChooseScreen) and "epochs" in text_of(app))
            await everywhere(app, pilot)
            app.post_message(ChooseScreen.Start(preset))
            await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.session is not None)
            training.open(1)
            await until(pilot, lambda: app.session is not None and app.session.history.epochs == 1)
            await everywhere(app, pilot)
            for key in ("s", "w", "x", "i", "f", "question_mark"):
                below = app.screen
                await pilot.press(key)
                await until(pilot, lambda below=below: app.screen is not below)  # type: ignore[misc]
                await everywhere(app, pilot)
                await pilot.press("escape")
                await until(pilot, lambda below=below: app.screen is below)  # type: ignore[misc]
            training.open(2)
            await until(pilot, lambda: app.session is not None and app.session.ended)
            await until(pilot, lambda: "new seed" in text_of(app))
            await everywhere(app, pilot)
        finally:
            training.close()


async def test_no_screen_of_saved_runs_gives_a_name_for_a_text(logs: Path) -> None:
    app = RegtuiApp(logs, training=ScriptedTraining(), review=())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.screen.query_one(RowList).virtual_size.height == 3)
        await everywhere(app, pilot)
        await pilot.press("a", "c")
        await until(pilot, lambda: not isinstance(app.screen, ReviewScreen) and "validation loss" in text_of(app))
        await everywhere(app, pilot)


async def running(app: RegtuiApp, pilot: Pilot[int]) -> None:
    await until(pilot, lambda: app.session is not None and app.session.history.started is not None)


async def test_after_a_drag_over_a_chart_ctrl_c_asks_whether_to_leave(tmp_path: Path) -> None:
    training = ScriptedTraining()
    app = RegtuiApp(tmp_path / "logs", small_preset(), start=True, training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        try:
            await running(app, pilot)
            await drag(app, pilot, (10, 5), (50, 12))
            await pilot.press("ctrl+c")
            await until(pilot, lambda: isinstance(app.screen, Ask))
            assert app.clipboard == ""
        finally:
            training.close()


async def test_a_text_is_copied_once_and_then_ctrl_c_leaves(tmp_path: Path) -> None:
    training = ScriptedTraining()
    training.open(9)
    app = RegtuiApp(tmp_path / "logs", small_preset(), start=True, training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        try:
            await until(pilot, lambda: "one seed" in text_of(app))
            rows = text_of(app).splitlines()
            y = next(y for y, row in enumerate(rows) if "one seed" in row)
            await drag(app, pilot, (rows[y].index("one"), y), (rows[y].index("seed") + 3, y))
            await pilot.press("ctrl+c")
            await until(pilot, lambda: app.clipboard.startswith("one see"))
            assert app.is_running
            assert not app._exit
            await pilot.press("ctrl+c")
            await until(pilot, lambda: app._exit)
        finally:
            training.close()


async def test_what_is_selected_in_a_field_is_copied_once_and_then_ctrl_c_leaves(logs: Path) -> None:
    app = RegtuiApp(logs, training=ScriptedTraining(), review=())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.screen.query_one(RowList).virtual_size.height == 3)
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press(*"small", "shift+home", "ctrl+c")
        await until(pilot, lambda: app.clipboard == "small")
        assert app.screen.query_one(Input).value == "small"
        await pilot.press("ctrl+c")
        await until(pilot, lambda: app._exit)
