"""The list of saved runs, and a saved run on the screen of a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from textual.widgets import DataTable

from regtui.control import Control
from regtui.engine.run import run
from regtui.tui.app import RegtuiApp
from regtui.tui.choose import ChooseScreen
from regtui.tui.dialogs import Ask
from regtui.tui.review import COLUMNS, ReviewScreen
from regtui.tui.run_screen import RunScreen
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, text_of, until
from tests.scripted import ScriptedCrew


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: two seeds of one preset and one of another name."""
    logs = tmp_path_factory.mktemp("saved") / "logs"
    for name, seed in (("small", 0), ("small", 1), ("other", 0)):
        crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.4]})
        preset = small_preset(train={"seed": seed}).model_copy(update={"name": name})
        run(preset, logs, Control(), lambda _: None, crew)
    return logs


@pytest.fixture
def logs(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "logs"))


def app_on(logs: Path, *runs: Path) -> RegtuiApp:
    return RegtuiApp(logs, training=ScriptedTraining(), review=runs)


def rows(app: RegtuiApp) -> int:
    return app.screen.query_one(DataTable).row_count


async def test_the_runs_are_listed_sorted_and_filtered(logs: Path) -> None:
    app = app_on(logs)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        assert "3 of 3 runs" in text_of(app)
        await pilot.press("slash", *"other")
        await until(pilot, lambda: rows(app) == 1)
        await pilot.press("escape")
        await until(pilot, lambda: rows(app) == 3)
        await pilot.press("slash", *"seed=1")
        await until(pilot, lambda: rows(app) == 1)
        await pilot.press("escape")
        for title, _, _ in COLUMNS[1:]:
            await pilot.press("s")
            assert f"by {title}" in text_of(app)
        await pilot.press("S")
        await until(pilot, lambda: "↑" in text_of(app))
        await pilot.press("slash", *"nonsense=1")
        await until(pilot, lambda: "nonsense" in str(app.screen.query_one("#words").render()))


async def test_a_saved_run_is_shown_as_it_was_and_leads_back(logs: Path) -> None:
    app = app_on(logs)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "On this split and seed" in text_of(app))
        shown = text_of(app)
        assert "finished" in shown
        assert "Pause" not in shown
        screen = app.screen
        assert isinstance(screen, RunScreen)
        assert screen.check_action("stop", ()) is False
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
        await pilot.press("q")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value == 0


async def test_a_saved_run_can_be_run_again_and_its_preset_changed(logs: Path) -> None:
    app = app_on(logs)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        await pilot.press("enter")
        await until(pilot, lambda: "On this split and seed" in text_of(app))
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
        await pilot.press("q")


async def test_a_run_that_goes_on_is_followed_to_its_end(saved: Path, tmp_path: Path) -> None:
    (whole,) = sorted(saved.glob("*-other-*"))
    folder = tmp_path / "logs" / whole.name
    shutil.copytree(whole, folder)
    lines = (whole / "events.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "summary.json").unlink()
    (folder / "events.jsonl").write_bytes(b"".join(lines[:5]))  # written by this process, which lives
    app = app_on(tmp_path / "logs")
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: rows(app) == 1)
        assert "running" in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: "1/3" in text_of(app))
        with (folder / "events.jsonl").open("ab") as file:
            file.write(b"".join(lines[5:]))
        shutil.copy(whole / "summary.json", folder)
        await until(pilot, lambda: "On this split and seed" in text_of(app))


async def test_an_interrupted_run_and_a_broken_one_say_so(logs: Path) -> None:
    first, second, _ = sorted(logs.iterdir())
    (first / "summary.json").unlink()
    (first / "run.json").unlink()
    events = (first / "events.jsonl").read_bytes()
    (first / "events.jsonl").write_bytes(events[: len(events) // 2])
    (second / "preset.toml").write_text("schema = 99\n[red]x = 1\n")
    app = app_on(logs, first, second)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: rows(app) == 2)
        for _ in range(2):
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, Ask) or "interrupted" in text_of(app))
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
            await pilot.press("down")


async def test_an_empty_folder_is_an_empty_list(tmp_path: Path) -> None:
    app = app_on(tmp_path)
    async with app.run_test(size=(40, 12)) as pilot:
        await until(pilot, lambda: "0 of 0 runs" in text_of(app))
        await pilot.press("enter", "s", "u")
        assert isinstance(app.screen, ReviewScreen)
