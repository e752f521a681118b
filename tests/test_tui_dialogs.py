from __future__ import annotations

from typing import Any

import pytest
from textual.app import App
from textual.events import MouseScrollDown
from textual.pilot import Pilot
from textual.screen import Screen
from textual.visual import RenderOptions
from textual.widgets import Input, Static

from regtui.preset.model import Preset
from regtui.techniques import REGISTRY, Techniques
from regtui.techniques.dropout import Dropout
from regtui.techniques.early_stopping import EarlyStopping
from regtui.tui import themes
from regtui.tui.pages.explain import ExplainScreen
from regtui.tui.pages.help import HelpScreen
from regtui.tui.widgets.dialogs import Ask, AskText, Choice
from regtui.tui.widgets.keys import EVERYWHERE, Key
from tests.conftest import small_preset
from tests.telling import Telling

MARKUP = "Stop [b]now[/b] [/] [@click=a]?"
CHOICES = (Choice("g", "go", "Go on [red]"), Choice("s", "stop", "Stop and keep"), Choice("n", "now", "Stop at once"))
SIZES = [(120, 36), (80, 24), (40, 12)]


class Host(App[None]):
    """An app that shows one screen and remembers what it returned."""

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self.first = screen
        self.answers: list[Any] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.DARK.variables

    def on_mount(self) -> None:
        self.push_screen(self.first, self.answers.append)


def shown(pilot: Pilot[None]) -> str:
    """What the screen shows, row by row."""
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


def words(pilot: Pilot[None]) -> str:
    """All text of the screen's widgets, also what is scrolled out of sight, without its line breaks."""
    texts = []
    for widget in pilot.app.screen.query(Static):
        rules: Any = widget.styles
        options = RenderOptions(widget._get_style, rules)
        lines = widget.visual.render_strips(2000, None, widget.visual_style, options)
        texts += [strip.text.strip() for strip in lines]
    return " ".join(" ".join(texts).split())


ANSWERS = (
    (["s"], "stop"),
    (["enter"], "go"),
    (["down", "enter"], "stop"),
    (["tab", "tab", "enter"], "now"),
    (["right", "left", "enter"], "go"),
    (["up", "enter"], "now"),
    (["escape"], None),
)


@pytest.mark.parametrize("size", SIZES)
async def test_a_question_is_answered_by_keys(size: tuple[int, int]) -> None:
    app = Host(Ask("First", "", CHOICES))
    async with app.run_test(size=size) as pilot:
        await pilot.press("g")
        for keys, answer in ANSWERS:
            app.answers.clear()
            app.push_screen(Ask(MARKUP, "Text", CHOICES), app.answers.append)
            await pilot.pause()
            await pilot.press(*keys)
            assert app.answers == [answer]


@pytest.mark.parametrize("size", SIZES)
async def test_a_question_is_answered_by_a_click_and_shows_its_texts_as_they_are(size: tuple[int, int]) -> None:
    app = Host(Ask(MARKUP, "What is done [i]so far[/i].", CHOICES))
    async with app.run_test(size=size) as pilot:
        screen = shown(pilot)
        assert all(text in screen for text in (MARKUP, "[i]so far[/i]", "g  Go on [red]", "n  Stop at once"))
        y = next(y for y, row in enumerate(screen.splitlines()) if "Stop and keep" in row)
        await pilot.click(offset=(size[0] // 2, y))
        assert app.answers == ["stop"]


async def test_other_keys_and_clicks_beside_the_choices_answer_nothing() -> None:
    app = Host(Ask("Title", "Text", CHOICES))
    async with app.run_test() as pilot:
        await pilot.press("x", "S", "space")
        await pilot.click(offset=(0, 0))
        assert app.answers == []


def _taken(text: str) -> str:
    return "" if text.startswith("new") else f"There is a preset [b]{text}[/b]; choose another name."


@pytest.mark.parametrize("size", SIZES)
async def test_a_text_is_returned_once_nothing_is_wrong_with_it(size: tuple[int, int]) -> None:
    app = Host(AskText("Save as [u]", "It goes to ./presets.", "old", _taken))
    async with app.run_test(size=size) as pilot:
        assert "[b]old[/b]" in shown(pilot)
        await pilot.press("enter")
        assert app.answers == []
        await pilot.press("home", *"new")
        assert "There is a preset" not in shown(pilot)
        await pilot.press("enter")
        assert app.answers == ["newold"]


async def test_a_text_may_be_anything_and_can_be_given_by_mouse() -> None:
    app = Host(AskText("Note", ""))
    async with app.run_test(size=(80, 24)) as pilot:
        app.screen.query_one(Input).value = "[b]q[/b]"
        await pilot.pause()
        y, row = next((y, row) for y, row in enumerate(shown(pilot).splitlines()) if "enter accept" in row)
        await pilot.click(offset=(row.index("accept"), y))
        assert app.answers == ["[b]q[/b]"]


async def test_a_text_is_left_by_escape_or_by_mouse() -> None:
    app = Host(AskText("Note", "", "text"))
    async with app.run_test(size=(80, 24)) as pilot:
        y, row = next((y, row) for y, row in enumerate(shown(pilot).splitlines()) if "esc back" in row)
        await pilot.click(offset=(row.index("back"), y))
        assert app.answers == [None]
        app.push_screen(AskText("Note", "", "text"), app.answers.append)
        await pilot.pause()
        await pilot.press("escape")
        assert app.answers == [None, None]


RUN = (Key("space", "pause", "pause", "Pause [b]and[/b] go on.", "space"), Key("plus,minus", "x", "p", "More.", "+ -"))


@pytest.mark.parametrize("size", SIZES)
async def test_help_lists_every_key_of_its_tables_and_nothing_else(size: tuple[int, int]) -> None:
    app = Host(HelpScreen([("Run [i]", RUN), ("Everywhere", EVERYWHERE)]))
    async with app.run_test(size=size) as pilot:
        rows = [f"{key.shown} {key.help}" for key in (*RUN, *EVERYWHERE)]
        expected = ["Run [i]", *rows[: len(RUN)], "Everywhere", *rows[len(RUN) :]]
        assert words(pilot) == " ".join(expected)
        assert "Pause [b]and[/b]" in shown(pilot)


@pytest.mark.parametrize("key", ["escape", "question_mark", "q", "f1"])
async def test_help_is_closed_by_keys(key: str) -> None:
    app = Host(HelpScreen([("Run", RUN)]))
    async with app.run_test() as pilot:
        await pilot.press("x", "down", key)
        assert app.answers == [None]


@pytest.mark.parametrize("where", ["esc close", "beside"])
async def test_a_page_is_closed_by_mouse(where: str) -> None:
    app = Host(HelpScreen([("Run", RUN)]))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.click(offset=(60, 18))
        assert app.answers == []
        y, row = next((y, row) for y, row in enumerate(shown(pilot).splitlines()) if "esc close" in row)
        await pilot.click(offset=(0, 0) if where == "beside" else (row.index("close"), y))
        assert app.answers == [None]


async def test_a_page_scrolls_by_keys_and_wheel() -> None:
    app = Host(ExplainScreen(Preset(regularized=Techniques(dropout=Dropout(rate=0.5)))))
    async with app.run_test(size=(40, 12)) as pilot:
        panel = app.screen.query_one(".panel")
        await pilot.press("down")
        assert panel.scroll_target_y == 1
        panel.post_message(MouseScrollDown(panel, 5, 5, 0, 0, 0, False, False, False))
        await pilot.pause()
        assert panel.scroll_target_y > 1


async def test_the_running_techniques_are_explained_in_their_own_words() -> None:
    preset = Preset(
        baseline=Techniques(dropout=Dropout(rate=0.25)),
        regularized=Techniques(dropout=Dropout(rate=0.5, after=[1, 2]), early_stopping=EarlyStopping(patience=7)),
    )
    app = Host(ExplainScreen(preset))
    async with app.run_test(size=(120, 36)) as pilot:
        said = words(pilot)
        for technique in (Dropout, EarlyStopping):
            about = technique.explanation
            for text in about._replace(formula=about.formula.replace(";   ", " ")):
                assert " ".join(text.split()) in said
        assert "Dropout: dropout 0.25, dropout 0.5" in said
        assert "● baseline rate 0.25 · after all · input_rate 0" in said
        assert "◆ regularized rate 0.5 · after 1,2 · input_rate 0" in said
        assert "rate live" in said
        assert "after fixed" in said
        assert f"after can't change while training: {Dropout.why_not_live}." in said
        assert "warmup, restore_best and monitor can't change" in said
        assert "patience 7 · min_delta 0 · warmup 0 · restore_best true" in said
        assert "L1 penalty" not in said
        widest = max(len(row.strip(" │")) for row in shown(pilot).splitlines() if "│" in row)
        assert widest <= 84
        await pilot.press("i")
        assert app.answers == [None]


async def test_what_was_changed_while_training_is_told_with_its_epoch() -> None:
    arm = {"dropout": {"rate": 0.5}, "early_stopping": {"patience": 7}}
    told = Telling(small_preset(train={"epochs": 10}, regularized=arm)).start()
    told.epochs([0.5] * 6, [0.5] * 6).control("regularized", "dropout.rate", 0.6, epoch=7)
    told.control("regularized", "patience", 9, epoch=7)
    app = Host(ExplainScreen(told.preset, told.history))
    async with app.run_test(size=(120, 36)) as pilot:
        said = words(pilot)
        assert "Dropout: dropout 0.5 → 0.6 at epoch 7" in said
        assert "◆ regularized rate 0.5 → 0.6 at epoch 7 · after all" in said
        assert "patience 7 → 9 at epoch 7 · min_delta 0" in said


@pytest.mark.parametrize("size", SIZES)
async def test_all_techniques_are_explained_where_none_runs(size: tuple[int, int]) -> None:
    app = Host(ExplainScreen(Preset()))
    async with app.run_test(size=size) as pilot:
        said = words(pilot)
        assert "No technique runs" in shown(pilot)
        assert all(technique.explanation.idea in said for technique in REGISTRY.values())
        assert "In this run" not in said
        await pilot.press("escape")
        assert app.answers == [None]
