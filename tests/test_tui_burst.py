"""Keys that come in one write: each does its thing once, and in its turn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key, MouseDown, MouseUp
from textual.screen import Screen
from textual.widgets import Input

from regtui.engine.run import run
from regtui.protocol.control import Control, Stop
from regtui.tui import app as app_module
from regtui.tui.app import RegtuiApp
from regtui.tui.choose.screen import ChooseScreen
from regtui.tui.review.saved_run import SavedRunScreen
from regtui.tui.review.screen import ReviewScreen
from regtui.tui.run.screen import RunScreen
from regtui.tui.study.runner import StudyRunner
from regtui.tui.widgets.dialogs import Ask, AskText
from regtui.tui.widgets.row_list import RowList
from tests.conftest import small_preset
from tests.fake_engine import FakeEngine
from tests.screen_double import ScriptedTraining, text_of, until
from tests.scripted import ScriptedCrew
from tests.settled import settled


class Counting(RegtuiApp):
    """The program; counts the screens that it opens and closes, and how often it is left."""

    CSS_PATH = str(Path(app_module.__file__).with_name("app.tcss"))

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, runner=StudyRunner("local", 2, lambda _jobs, _threads: FakeEngine()), **more)
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.left = 0

    def push_screen(self, screen: Any, *args: Any, **more: Any) -> Any:
        self.opened.append(type(screen).__name__)
        return super().push_screen(screen, *args, **more)

    def pop_screen(self) -> Any:
        self.closed.append(type(self.screen).__name__)
        return super().pop_screen()

    def exit(self, *_: Any, **__: Any) -> None:
        """Stay: what comes after it is looked at too."""
        self.left += 1

    def forget(self) -> None:
        self.opened, self.closed = [], []


def write(app: RegtuiApp, *keys: str) -> None:
    """Type keys as if they came in one write: no message is handled between them."""
    for key in keys:
        name = {"/": "slash", " ": "space", "?": "question_mark", "+": "plus", "-": "minus"}.get(key, key)
        event = Key(name, {"enter": "\r", "escape": None, "space": " "}.get(key, key if len(key) == 1 else None))
        event.set_sender(app)
        app.post_message(event)


def keys_of(screen: Screen[Any]) -> list[str]:
    """Every key that does something here, but for moving the focus and the cursor."""
    bindings = {key for _, chain in screen._modal_binding_chain for key in chain.key_to_bindings}
    answers = {choice.key for choice in screen._choices} if isinstance(screen, Ask) else set()
    return sorted((bindings | answers) - {"tab", "shift+tab", "ctrl+i", "super+c", "ctrl+q", "ctrl+c"})


async def twice(app: Counting, training: ScriptedTraining, reach: Callable[[], Any]) -> None:
    """On the screen that `reach` leads to, every key twice in a write does its thing once at most."""
    try:
        await _each_key_twice(app, training, reach)
    finally:
        training.close()  # a key may have started a run, which would wait for an epoch


async def _each_key_twice(app: Counting, training: ScriptedTraining, reach: Callable[[], Any]) -> None:
    await reach()
    keys = keys_of(app.screen)
    assert keys
    for key in keys:
        if app.opened or app.closed or app.left:
            app._left = False
            await reach()
        kind = type(app.screen).__name__
        app.opened, app.closed, app.left = [], [], 0
        runs = len(training.runs)
        write(app, key, key)
        await settled(app)
        what = f"{key} on {kind}: opened {app.opened}, closed {app.closed}, left {app.left}"
        assert len(app.opened) <= 1, what
        assert len(app.closed) == len(set(app.closed)), what
        assert app.left <= 1, what
        assert len(training.runs) <= runs + 1, what
        if key in ("D", "delete"):
            write(app, "u", "u")
            await settled(app)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Two seeds of a preset; for one test alone, for a key may start another run."""
    logs = tmp_path / "saved"
    for seed in (0, 1):
        crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.4]})
        run(small_preset(train={"seed": seed}), logs, Control(), lambda _: None, crew)
    return logs


def listed(app: RegtuiApp) -> int:
    """Runs in the list, once there is one."""
    return sum(rows.virtual_size.height - 1 for rows in app.screen.query(RowList))


async def to_only(app: Counting, kind: type[Screen[Any]]) -> None:
    """Close all but the first screen of this kind."""
    await settled(app)
    while not isinstance(app.screen, kind) and len(app.screen_stack) > 2:
        RegtuiApp.pop_screen(app)
        await settled(app)


@pytest.mark.parametrize("then", [pytest.param(key, marks=pytest.mark.slow) for key in ("", *"wxif?")])
async def test_every_key_twice_on_a_saved_run_and_on_what_it_opens(saved: Path, then: str) -> None:
    training = ScriptedTraining()
    app = Counting(saved, training=training, review=())

    async def reach() -> None:
        await to_only(app, ReviewScreen)
        if not isinstance(app.screen, ReviewScreen):  # another key led to the presets, which leave nothing behind
            app._list_saved(())
        await until(pilot, lambda: listed(app) >= 2)
        write(app, "end", "enter")  # a key may have begun a study, which is the newest then
        await until(pilot, lambda: isinstance(app.screen, SavedRunScreen) and "one seed (" in text_of(app))
        if then:
            write(app, then)
            await until(pilot, lambda: not isinstance(app.screen, SavedRunScreen))
        await settled(app)

    async with app.run_test(size=(120, 36)) as pilot:
        await twice(app, training, reach)


@pytest.mark.slow
@pytest.mark.parametrize("then", ["", "c", "/"])
async def test_every_key_twice_on_the_list_and_the_comparison(saved: Path, then: str) -> None:
    training = ScriptedTraining()
    app = Counting(saved, training=training, review=())

    async def reach() -> None:
        await to_only(app, ReviewScreen)
        if not isinstance(app.screen, ReviewScreen):  # another key led to the presets, which leave nothing behind
            RegtuiApp.pop_screen(app)
            app._list_saved(())
        if not isinstance(app.screen, ReviewScreen):  # b led to the presets
            await RegtuiApp.pop_screen(app)
            app._list_saved(())
        await until(pilot, lambda: listed(app) >= 2)
        write(app, "escape", *(("a", "c") if then == "c" else (then,) if then else ()))
        await settled(app)
        assert isinstance(app.screen, ReviewScreen) == (then != "c")

    async with app.run_test(size=(120, 36)) as pilot:
        await twice(app, training, reach)


@pytest.mark.slow
@pytest.mark.parametrize("then", ["", "s"])
async def test_every_key_twice_on_the_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str) -> None:
    monkeypatch.chdir(tmp_path)
    training = ScriptedTraining()
    app = Counting(tmp_path / "logs", small_preset(), training=training)

    async def reach() -> None:
        training.control.send(Stop(at_once=True))
        training.open(9)
        await until(pilot, lambda: app.session is None or app.session.ended)
        await to_only(app, ChooseScreen)
        write(app, "escape", *then)
        await settled(app)
        await until(pilot, lambda: isinstance(app.screen, AskText if then else ChooseScreen))

    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
        await twice(app, training, reach)


@pytest.mark.parametrize("then", [pytest.param(key, marks=pytest.mark.slow) for key in ("end", "", "s")])
async def test_every_key_twice_on_a_run_and_its_questions(tmp_path: Path, then: str) -> None:
    training = ScriptedTraining()
    app = Counting(tmp_path / "logs", small_preset(), training=training)

    async def reach() -> None:
        training.control.send(Stop(at_once=True))
        training.open(9)
        await until(pilot, lambda: app.session is None or app.session.ended)
        await to_only(app, ChooseScreen)
        while training.crew.gate.acquire(blocking=False):
            pass
        app._leaving = False
        app.post_message(ChooseScreen.Start(small_preset()))
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.session.history.started)
        if then == "end":
            training.open(9)
            await until(pilot, lambda: "new seed" in text_of(app))
        elif then:
            write(app, then)
            await until(pilot, lambda: isinstance(app.screen, Ask))
        await settled(app)

    async with app.run_test(size=(120, 36)) as pilot:
        try:
            await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
            await twice(app, training, reach)
        finally:
            training.close()


async def test_enter_twice_starts_one_run_and_n_twice_one_more(tmp_path: Path) -> None:
    training = ScriptedTraining()
    training.open(99)
    app = Counting(tmp_path / "logs", small_preset(train={"epochs": 1}), training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
        for count, key in enumerate(("enter", "n"), start=1):
            write(app, key, key)
            await settled(app)
            await until(pilot, lambda: app.session is not None and app.session.ended)
            assert len(training.runs) == count
            await until(pilot, lambda: "new seed" in text_of(app))


async def test_a_double_click_on_start_starts_one_run(tmp_path: Path) -> None:
    training = ScriptedTraining()
    training.open(99)
    app = Counting(tmp_path / "logs", small_preset(train={"epochs": 1}), training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen) and "Start" in text_of(app))
        left, y = app.screen.query_one("#start").region.offset
        x = left + 2
        for kind in (MouseDown, MouseUp, MouseDown, MouseUp):
            event = kind(None, x, y, 0, 0, 1, False, False, False, x, y)
            event.set_sender(app)
            app.post_message(event)
        await settled(app)
        await until(pilot, lambda: app.session is not None and app.session.ended)
        assert len(training.runs) == 1


async def test_what_is_typed_ahead_goes_where_a_person_who_waits_would_type_it(saved: Path) -> None:
    app = Counting(saved, training=ScriptedTraining(), review=())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: listed(app) >= 2)
        write(app, "/", *"seed=1", "enter", "enter", "f", "escape", "escape")
        await settled(app)
        await until(pilot, lambda: isinstance(app.screen, SavedRunScreen))
        assert app.opened == ["ReviewScreen", "SavedRunScreen", "PresetPage"]
        write(app, "escape", "/")
        await settled(app)
        assert app.screen.query_one(Input).value == "seed=1"
