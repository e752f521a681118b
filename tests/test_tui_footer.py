"""The footer tells the truth: each key that it shows does what it says, for everything that can have the focus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from regtui.engine.run import run
from regtui.protocol.control import Control
from regtui.tui import app as app_module
from regtui.tui.app import RegtuiApp
from regtui.tui.choose.screen import REPLACE, ChooseScreen
from regtui.tui.pages.commands import CommandScreen
from regtui.tui.pages.help import HelpScreen
from regtui.tui.run.leaving import QUIT_CHOICES, LeaveQuestion
from regtui.tui.run.screen import STOP_CHOICES
from regtui.tui.widgets.dialogs import Ask, AskText, Choice
from regtui.tui.widgets.key_bar import KeyBar, label_of, tell
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, said, text_of, until
from tests.scripted import ScriptedCrew
from tests.settled import settled
from tests.test_tui_burst import write


class Recording(RegtuiApp):
    """The program; while `dispatched` is a list, keys are noted there with who would act, and nothing is done."""

    CSS_PATH = str(Path(app_module.__file__).with_name("app.tcss"))
    dispatched: list[tuple[Any, Any]] | None = None

    async def run_action(self, action: Any, default_namespace: Any = None, namespaces: Any = None) -> bool:
        if self.dispatched is None:
            return await super().run_action(action, default_namespace, namespaces)
        if not self._check_action_state(action, default_namespace):
            return False
        self.dispatched.append((default_namespace, action))
        return True


async def honest(app: Recording) -> set[str]:
    """Press each key of the footer with the focus on one of each kind; returns the names of the classes."""
    widgets = {type(w): w for w in app.screen.focus_chain if w.region.area}
    bar = app.screen.query_one(KeyBar)
    for widget in [*widgets.values(), *([None] if not app.screen.is_modal else [])]:
        app.screen.set_focus(widget)
        await settled(app)
        shown, active = bar.shown(), app.screen.active_bindings
        where = f"{type(widget).__name__} on {type(app.screen).__name__}"
        assert shown, where
        row = text_of(app).splitlines()[-1]
        assert all(f"{key.name} {key.label}" in row for key in (*shown[:1], *shown[-2:])), f"{where}: {row}"
        value = widget.value if isinstance(widget, Input) else None
        app.dispatched = []
        write(app, *(key.key for key in shown))
        await settled(app)
        dispatched, app.dispatched = app.dispatched, None
        wanted = [(active[key.key].node, active[key.key].binding.action) for key in shown]
        assert dispatched == wanted, where
        for key, (node, action) in zip(shown, wanted, strict=True):
            name = action.partition("(")[0]
            owner: Any = app if name.startswith("app.") else app.screen if name.startswith("screen.") else node
            name = name.rpartition(".")[2]
            assert hasattr(owner, f"action_{name}") or hasattr(owner, f"_action_{name}"), f"{where}: {key}"
            assert key.label == label_of(active[key.key])
            assert action != "app.focus_next" or len(widgets) > 1 or len(app.screen.focus_chain) > 1, where
        if isinstance(widget, Input):
            assert widget.value == value, f"{where}: a key of the footer was typed"
            assert not any(len(key.key) == 1 for key in shown), where
            assert "enter" in [key.key for key in shown], where
    return {type(widget).__name__ for widget in widgets.values()}


@asynccontextmanager
async def started(tmp_path: Path, *, start: bool) -> AsyncIterator[tuple[Recording, Pilot[int], ScriptedTraining]]:
    """The program in a wide terminal, with a run that has begun if `start`."""
    training = ScriptedTraining()
    app = Recording(tmp_path, small_preset(), start=start, training=training)
    async with app.run_test(size=(250, 60)) as pilot:
        try:
            if start:
                await until(pilot, lambda: len(app.screen.query("Stepper")) > 1)
                training.open(1)
                await until(pilot, lambda: app.session is not None and app.session.history.epochs)
            else:
                await until(pilot, lambda: len(app.screen.query("Line")) > 3)
            yield app, pilot, training
        finally:
            training.close()


@pytest.mark.slow
async def test_the_footer_is_honest_on_the_presets(tmp_path: Path) -> None:
    async with started(tmp_path, start=False) as (app, pilot, _):
        seen = await honest(app)
        app.screen.query_one("PresetList").focus()
        await pilot.press("slash")
        seen |= await honest(app)
    assert seen >= {"PresetList", "Line", "OneOf", "Tick", "PushButton", "FilterInput"}


async def test_the_footer_is_honest_on_a_run_and_its_question(tmp_path: Path) -> None:
    async with started(tmp_path, start=True) as (app, pilot, _):
        seen = await honest(app)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        seen |= await honest(app)
    assert seen >= {"Stepper", "Word", "_Button"}


@pytest.mark.slow
@pytest.mark.parametrize("key", ["w", "x", "i", "f", "ctrl+p", "question_mark"])
async def test_the_footer_is_honest_on_what_opens_from_a_run(tmp_path: Path, key: str) -> None:
    async with started(tmp_path, start=True) as (app, pilot, _):
        app.screen.set_focus(None)
        before = app.screen
        await pilot.press(key)
        await until(pilot, lambda: app.screen is not before)
        await honest(app)
        if app.screen.focus_chain:
            app.screen.focus_next()
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is before)


@pytest.mark.slow
async def test_the_footer_is_honest_after_the_end_and_on_saved_runs(tmp_path: Path) -> None:
    run(small_preset(), tmp_path, Control(), lambda _: None, ScriptedCrew({"baseline": [1.0], "regularized": [1.0]}))
    async with started(tmp_path, start=True) as (app, pilot, training):
        training.open(99)
        await until(pilot, lambda: "n new seed" in text_of(app))
        await pilot.press("d")
        await honest(app)
        app._list_saved(())
        await until(pilot, lambda: "2 of 2 runs" in text_of(app))
        seen = await honest(app)
        await pilot.press("slash", "s")
        seen |= await honest(app)
        await pilot.press("escape", "a", "c")
        await until(pilot, lambda: type(app.screen).__name__ == "CompareScreen")
        seen |= await honest(app)
    assert seen >= {"RowList", "FilterInput"}


@pytest.mark.slow
async def test_what_a_key_does_now_is_its_label(tmp_path: Path) -> None:
    training = ScriptedTraining()
    app = RegtuiApp(tmp_path, small_preset(), start=True, training=training)
    async with app.run_test(size=(250, 40)) as pilot:

        def labels() -> dict[str, str]:
            return {key.key: key.label for key in app.screen.query_one(KeyBar).shown()}

        try:
            await until(pilot, lambda: app.session is not None and app.session.history.started is not None)
            training.open(1)
            await until(pilot, lambda: app.session is not None and app.session.history.epochs)
            app.screen.set_focus(None)
            assert (labels()["space"], labels()["o"]) == ("pause", "overlay")
            app.screen.query("Stepper").first().focus()
            await pilot.press("7")
            assert labels() == {"enter": "set", "escape": "as before", "tab": "next", "ctrl+p": "commands"}
            await pilot.press("escape")
            assert (labels()["left"], labels()["enter"], labels()["space"]) == ("less", "type", "pause")
            await pilot.press("escape")
            assert (labels()["left"], labels()["tab"]) == ("epochs", "controls")
            await pilot.press("o", "left", "space")
            training.open(1)
            await until(pilot, lambda: "space resume" in text_of(app))
            assert (labels()["o"], labels()["escape"], labels()["e"]) == ("side by side", "newest", "one epoch")
            await pilot.press("space")
            training.open(99)
            await until(pilot, lambda: "n new seed" in text_of(app))
            await pilot.press("escape")
            assert (labels()["escape"], labels()["d"]) == ("presets", "details")
            assert "space" not in labels()
            await pilot.press("d")
            assert (labels()["escape"], labels()["d"]) == ("verdict", "back")
            await pilot.press("escape", "escape")
            await until(pilot, lambda: type(app.screen).__name__ == "ChooseScreen")
        finally:
            training.close()


@pytest.mark.slow
async def test_every_command_that_works_now_is_found_by_its_words_and_done(tmp_path: Path) -> None:
    app = Recording(tmp_path, small_preset(), training=ScriptedTraining())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.query("PresetList"))
        here = app.screen
        for keys, title, leads_to in (("under", "save as", AskText), ("keys", "keys", HelpScreen)):
            await pilot.press("ctrl+p")
            await until(pilot, lambda: isinstance(app.screen, CommandScreen) and "undo edits" in text_of(app))
            assert "next epoch" not in text_of(app)
            await pilot.press(*keys)
            await until(pilot, lambda title=title: text_of(app).splitlines()[4].strip().startswith(title))  # type: ignore[misc]
            await pilot.press("enter")
            await until(pilot, lambda leads_to=leads_to: isinstance(app.screen, leads_to))  # type: ignore[misc]
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is here)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandScreen))
        await pilot.press("escape")
        assert app.screen is here


# Messages


@pytest.mark.parametrize(("size", "row"), [((80, 24), -2), ((40, 12), -1)])
async def test_a_message_stands_above_the_keys_and_goes_along_when_its_screen_closes(
    tmp_path: Path, size: tuple[int, int], row: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = RegtuiApp(tmp_path, small_preset(), training=ScriptedTraining())
    async with app.run_test(size=size) as pilot:

        def rows() -> list[str]:
            return [line.strip() for line in text_of(app).splitlines()]

        here = app.screen
        assert isinstance(here, ChooseScreen)
        await until(pilot, lambda: "ready" in here.engine_status and (size[0] < 80 or "penalty" in text_of(app)))
        before = rows()
        assert before[-2] == "" or row == -1
        app.push_screen(AskText("?", "", "text"))
        await until(pilot, lambda: isinstance(app.screen, AskText) and app.screen.focused)
        tell(app, "It was saved.")
        await until(pilot, lambda: rows()[row] == "It was saved.")
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, AskText) and rows()[row] == "It was saved.")
        assert [line for line in rows() if line not in before] == ["It was saved."], "it lies over nothing else"
        tell(app, "It can't be\nwritten.", error=True)
        assert said(app) == "It can't be\\nwritten."
        monkeypatch.setattr("regtui.tui.widgets.key_bar.SECONDS", 0.05)
        await pilot.pause(0.1)  # longer than that
        assert said(app), "an error stays"
        await pilot.press("down")
        assert not said(app)
        tell(app, "Copied.")
        await until(pilot, lambda: not said(app))


# Questions


@pytest.mark.parametrize("choices", [QUIT_CHOICES, STOP_CHOICES, REPLACE])
async def test_enter_gives_the_answer_by_which_nothing_is_lost(choices: tuple[Choice, ...]) -> None:
    assert choices[0].value in {"go on", "cancel"}


async def test_a_question_takes_nothing_that_was_typed_before_it_was_seen(tmp_path: Path) -> None:
    training = ScriptedTraining()
    app = RegtuiApp(tmp_path, small_preset(), start=True, training=training)
    async with app.run_test(size=(100, 30)) as pilot:
        try:
            await until(pilot, lambda: app.session is not None and app.session.history.started is not None)
            for keys in (("s", "x", "enter"), ("q", "x", "enter"), ("q", "q", "k")):
                write(app, *keys)
                await settled(app)
                assert isinstance(app.screen, Ask)
                assert not training.control.stop_requested
                await pilot.press("enter")  # what is chosen goes on
                assert not isinstance(app.screen, Ask)
            await pilot.press("s", "ctrl+c")
            assert isinstance(app.screen, LeaveQuestion), "ctrl+c leaves from a question too"
            await pilot.press("ctrl+c", "escape", "escape")
            assert not training.control.stop_requested
        finally:
            training.close()


async def test_a_click_on_a_key_that_has_just_appeared_means_what_stood_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regtui.tui.widgets.key_bar.JUST_NOW", 600.0)
    training = ScriptedTraining()
    app = Recording(tmp_path, small_preset(), start=True, training=training)
    async with app.run_test(size=(100, 30)) as pilot:
        try:
            await until(pilot, lambda: app.session is not None and app.session.history.started is not None)
            app.screen.set_focus(None)
            await until(pilot, lambda: "s stop" in text_of(app))
            x = text_of(app).splitlines()[-1].index("s stop")
            training.open(99)
            await until(pilot, lambda: "n new seed" in text_of(app))
            app.dispatched = []
            await pilot.click(offset=(x, 29))
            assert [action for _, action in app.dispatched if "press" not in str(action)] == []
        finally:
            app.dispatched = None
            training.close()


def test_no_message_lies_over_the_screen() -> None:
    files = Path(app_module.__file__).parent.rglob("*.py")
    assert [str(file) for file in files if ".notify(" in file.read_text()] == [], "tell() says it in the status line"
