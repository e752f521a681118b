"""A screen that was closed is freed, with all that it read: whoever looks at a hundred runs keeps none of them."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from regtui.engine.run import run
from regtui.protocol.control import Control
from regtui.tui import app
from regtui.tui.app import RegtuiApp
from regtui.tui.choose.screen import ChooseScreen
from regtui.tui.review.saved_run import SavedRunScreen
from regtui.tui.review.screen import ReviewScreen
from regtui.tui.run.screen import RunScreen
from regtui.tui.run.session import Session
from regtui.tui.widgets.row_list import RowList
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, text_of, until
from tests.scripted import ScriptedCrew
from tests.terminal import ESCAPE, Terminal


class Watched(RegtuiApp):
    """The program; remembers, weakly, every screen that it opens."""

    CSS_PATH = str(Path(app.__file__).with_name("app.tcss"))

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.opened: list[weakref.ref[Screen[Any]]] = []

    def push_screen(self, screen: Any, *args: Any, **more: Any) -> Any:
        self.opened.append(weakref.ref(screen))
        return super().push_screen(screen, *args, **more)

    def left_over(self) -> list[str]:
        """Screens that are still there, and not open."""
        gc.collect()
        return [repr(screen) for known in self.opened if (screen := known()) and screen not in self.screen_stack]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of a preset."""
    logs = tmp_path_factory.mktemp("saved") / "logs"
    for seed in (0, 1):
        crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.4]})
        run(small_preset(train={"seed": seed}), logs, Control(), lambda _: None, crew)
    return logs


@pytest.fixture
def logs(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "logs"))


async def opens(program: Watched, pilot: Pilot[int], key: str) -> Screen[Any]:
    """Press a key that opens a screen, and wait for it to be drawn."""
    before = program.screen
    await pilot.press(key)
    await until(pilot, lambda: program.screen is not before and text_of(program).strip())
    return program.screen


async def back(program: Watched, pilot: Pilot[int], key: str = "escape") -> None:
    before = program.screen
    await pilot.press(key)
    await until(pilot, lambda: program.screen is not before)


async def all_freed(program: Watched, pilot: Pilot[int]) -> None:
    await until(pilot, lambda: not program.left_over())


@pytest.mark.slow
async def test_each_screen_of_a_saved_run_is_freed_when_it_is_closed(logs: Path) -> None:
    program = Watched(logs, training=ScriptedTraining(), review=())
    async with program.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: program.screen.query_one(RowList).virtual_size.height == 3)
        await opens(program, pilot, "enter")
        await until(pilot, lambda: "one seed (" in text_of(program))
        for key in ("w", "x", "i", "f", "question_mark"):
            await opens(program, pilot, key)
            await pilot.press("t")
            await back(program, pilot)
            await all_freed(program, pilot)
        await back(program, pilot)
        await pilot.press("t")
        await all_freed(program, pilot)
        assert isinstance(program.screen, ReviewScreen)
        await pilot.press("a")
        await opens(program, pilot, "c")
        await back(program, pilot)
        await all_freed(program, pilot)
        assert len(program.opened) == 8


@pytest.mark.slow
async def test_runs_that_were_trained_and_left_are_freed(logs: Path) -> None:
    training = ScriptedTraining()
    program = Watched(logs, small_preset(train={"epochs": 2}), training=training)
    sessions: list[weakref.ref[Session]] = []
    async with program.run_test(size=(120, 36)) as pilot:
        try:
            await until(pilot, lambda: isinstance(program.screen, ChooseScreen))
            await opens(program, pilot, "enter")
            for again in ("n", "n", "c"):
                assert program.session is not None
                sessions.append(weakref.ref(program.session))
                await opens(program, pilot, "s")
                await back(program, pilot)
                training.open(2)
                await until(pilot, lambda: "n new seed" in text_of(program))
                await opens(program, pilot, "b")
                await until(pilot, lambda: isinstance(program.screen, ReviewScreen) and program.screen.at_cursor)
                await opens(program, pilot, "enter")
                await until(
                    pilot, lambda: isinstance(program.screen, SavedRunScreen) and "one seed (" in text_of(program)
                )
                await back(program, pilot)
                await back(program, pilot)
                await until(pilot, lambda: isinstance(program.screen, RunScreen))
                await back(program, pilot, again)
            await until(pilot, lambda: isinstance(program.screen, ChooseScreen))
            await all_freed(program, pilot)
            await until(pilot, lambda: [known() for known in sessions[:-1]] == [None, None])
        finally:
            training.close()


@pytest.mark.slow
def test_a_hundred_saved_runs_looked_at_take_no_more_memory_than_ten(tmp_path: Path) -> None:
    saved = next(path for path in sorted(Path("logs").iterdir()) if "small-data" in path.name)
    names = [f"{saved.name[:-4]}{number:04}" for number in (1, 0)]  # in the order of the list
    for name in names:
        shutil.copytree(saved, tmp_path / "logs" / name)
    with Terminal("-m", "regtui", "review", tmp_path / "logs", cwd=tmp_path) as terminal:
        terminal.until("2 of 2 runs")

        def megabytes() -> float:
            return float(terminal.process.memory_info().rss) / 2**20

        for count in range(1, 101):
            terminal.press("\r")
            terminal.until("one seed (")
            terminal.press(ESCAPE)
            terminal.until("of 2 runs")
            terminal.press("j" if count % 2 else "k")
            terminal.until(names[count % 2])  # the preview of the other one
            terminal.until("is better here")
            if count == 10:
                terminal.read(3)  # a quiet moment, in which closed screens are freed
                after_ten = megabytes()
        terminal.until(lambda: megabytes() < after_ten + 5)
