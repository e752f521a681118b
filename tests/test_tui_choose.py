from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Button, Input, Static

from regtui.models.cnn import CNN
from regtui.models.mlp import MLP
from regtui.preset.faults import PresetError
from regtui.preset.file import load
from regtui.preset.model import Preset
from regtui.preset.validation import validate
from regtui.tui import look, themes
from regtui.tui.choose.draft import Draft, as_typed, from_typed
from regtui.tui.choose.entries import Reading
from regtui.tui.choose.form import Form, Row
from regtui.tui.choose.inputs import Line, OneOf, Tick
from regtui.tui.choose.preset_list import PresetList
from regtui.tui.choose.screen import ChooseScreen
from regtui.tui.widgets.keys import EVERYWHERE, bindings
from tests.screen_double import said, until

BROKEN = "[train]\nepochs = 0\n\n[regularized.dropuot]\nrate = 0.5\n"
MINE = 'schema = 1\ntitle = "[red]x[/] and [b"\nsummary = "[link]y"  # kept\n\n[train]\nepochs = 4 # few\n'


class Chooser(App[None]):
    """As much of the app as the screen needs."""

    BINDINGS = bindings(EVERYWHERE)

    def __init__(self, chosen: Preset | None = None) -> None:
        super().__init__()
        self.register_theme(themes.DARK)
        self.theme = themes.DARK.name
        self.animation_level = "none"
        self.chooser = ChooseScreen(chosen)
        self.started: list[Preset] = []
        self.explained: list[Preset] = []
        self.keys: list[str] = []

    def on_mount(self) -> None:
        self.push_screen(self.chooser)

    def on_choose_screen_start(self, event: ChooseScreen.Start) -> None:
        self.started.append(event.preset)

    def on_choose_screen_explain(self, event: ChooseScreen.Explain) -> None:
        self.explained.append(event.preset)

    def action_help(self) -> None:
        self.keys.append("help")

    def action_change_theme(self) -> None:
        self.keys.append("theme")

    async def action_quit(self) -> None:
        self.keys.append("quit")

    @property
    def names(self) -> list[str]:
        return [entry.name for entry in self.chooser._entries]

    def editor(self, key: str) -> Line | OneOf | Tick:
        return self.row(key).editor

    def row(self, key: str) -> Row:
        return next(row for row in self.chooser.query(Row) if row.editor.key == key)

    def note(self, key: str) -> str:
        return words(self.row(key).query_one(".note", Static))

    def says(self, selector: str) -> str:
        return words(self.chooser.query_one(selector, Static))

    def picture(self) -> str:
        lines = self.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in line) for line in lines)

    async def type_into(self, pilot: Pilot[None], key: str, text: str) -> None:
        self.editor(key).focus()
        await pilot.pause()
        editor = self.editor(key)
        assert isinstance(editor, Line)
        editor.value = text
        await pilot.pause()


def words(widget: Static) -> str:
    return str(widget.content)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with presets of its own: one that is fine, one that is broken."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "mine.toml").write_text(MINE)
    (folder / "bad.toml").write_text(BROKEN)
    return folder


async def ready(pilot: Pilot[None]) -> Chooser:
    """Wait for the form, which comes after the first picture."""
    app = pilot.app
    assert isinstance(app, Chooser)
    await until(pilot, lambda: app.chooser.query(Row))
    return app


# The list


async def test_dropout_is_chosen_and_shown_at_first() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        assert app.chooser.entry.name == "dropout"
        assert {"combined", "dropout", "smoke"} <= set(app.names)
        preset = load("dropout")
        assert app.says("#title") == preset.title
        assert app.says("#summary") == preset.summary
        assert "48,000 / 12,000 · 784-256-128-10 · 10 epochs of 750 steps" in app.says("#facts")
        assert "● no technique" in app.says("#facts")
        assert "◆ dropout 0.5" in app.says("#facts")
        await pilot.press("down")
        assert app.chooser.entry.name == app.names[app.names.index("dropout") + 1]
        assert app.says("#title") == load(app.chooser.entry.name).title


async def test_enter_starts_the_chosen_preset_as_its_file_has_it() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        await pilot.press("down", "up", "enter")
        assert app.started == [load("dropout")]


@pytest.mark.slow
@pytest.mark.usefixtures("own")
async def test_own_presets_come_first_and_a_broken_one_stops_no_other() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        assert app.names[:2] == ["bad", "mine"]
        await pilot.press("home")
        assert app.chooser.entry.name == "bad"
        picture = app.picture()
        assert "✗ bad  broken" in picture
        assert "  train.epochs: must be" in picture
        fault = app.says("#summary")
        assert "presets/bad.toml: train.epochs: must be at least 1, not 0" in fault
        assert "presets/bad.toml: regularized.dropuot: is not known here; did you mean 'dropout'?" in fault
        assert not app.chooser.query_one(Form).display
        await pilot.press("enter", "e", "s", "i")
        assert app.started == app.explained == []
        await pilot.press("escape", "down", "enter")
        assert [preset.name for preset in app.started] == ["mine"]


async def test_presets_that_take_long_to_read_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on, read = threading.Event(), Reading.run

    def slow(reading: Reading) -> None:
        goes_on.wait(120)
        read(reading)

    monkeypatch.setattr(Reading, "run", slow)
    monkeypatch.setattr("regtui.tui.choose.screen.AT_ONCE", 0.01)
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = pilot.app
        assert isinstance(app, Chooser)
        await until(pilot, lambda: "reading …" in app.picture())
        await pilot.press("enter", "s", "i", "e", "escape", "u")
        goes_on.set()
        await until(pilot, lambda: "Dropout on MNIST" in app.picture())
        await pilot.press("enter")
        await until(pilot, lambda: app.started != [])


@pytest.mark.slow
async def test_markup_in_a_file_is_shown_as_text(own: Path) -> None:
    (own / "[red]x.toml").write_text('title = "[bold]t"\ndata.root = "[red]here"\nname = "x"\n')
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        picture = app.picture()
        assert "[red]x[/] and [b" in picture
        assert "[red]x" in picture
        assert "[bold]t" in picture
        app.chooser.query_one(PresetList).highlighted = app.names.index("[red]x")
        await pilot.pause()
        assert app.editor("data.root").value == "[red]here"
        await app.type_into(pilot, "train.epochs", "[red]0")
        assert app.note("train.epochs") == "✗ train.epochs: must be a whole number, not '[red]0'"
        assert "not '[red]0'" in app.picture()


async def test_control_characters_in_a_file_reach_no_terminal(own: Path) -> None:
    (own / "mine.toml").write_text(r'title = "a\u001b[2Jb"' + "\n" + r'summary = "c\u001b]0;d"' + "\n")
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        app.chooser.query_one(PresetList).highlighted = app.names.index("mine")
        await pilot.pause()
        picture = app.picture()
        assert "\x1b" not in picture
        assert r"a\x1b[2Jb" in picture
        assert r"c\x1b]0;d" in picture


async def test_what_the_command_line_changed_is_an_edit_of_its_preset() -> None:
    chosen = load("l2", ["train.epochs=3"])
    async with Chooser(chosen).run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        assert app.chooser.entry.name == "l2"
        assert app.editor("train.epochs").value == "3"
        assert app.note("train.epochs").startswith(f"was {load('l2').train.epochs} · ")
        await pilot.press("enter")
        assert app.started == [chosen]


async def test_a_preset_from_elsewhere_comes_first_and_is_chosen() -> None:
    chosen = validate({"name": "elsewhere", "train": {"epochs": 3}}, "test")
    async with Chooser(chosen).run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        assert app.names[0] == app.chooser.entry.name == "elsewhere"
        await pilot.press("enter")
        assert app.started == [chosen]


async def test_the_engine_s_status_is_in_the_first_line() -> None:
    app = Chooser()
    app.chooser.engine_status = "loading PyTorch…"
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert app.picture().splitlines()[0].rstrip().endswith("loading PyTorch…")
        app.chooser.engine_status = "PyTorch 2.13 ready"
        await pilot.pause()
        assert app.picture().splitlines()[0].rstrip().endswith("PyTorch 2.13 ready")


# The settings


async def test_an_edit_is_marked_and_started_with_and_kept_while_another_preset_is_looked_at() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        await pilot.press("e", "down", "down", "down")  # two techniques, the switch of dropout, its rate
        assert app.focused is app.editor("regularized.dropout.rate")
        await pilot.press(*"0.3")
        assert app.note("regularized.dropout.rate").startswith("was 0.5 · Probability of")
        assert "• " in str(app.chooser.query_one(PresetList).get_option_at_index(app.names.index("dropout")).prompt)
        assert "dropout 0.3" in app.says("#facts")
        await pilot.press("escape", "down", "up", "enter")
        [preset] = app.started
        assert preset == load("dropout", ["regularized.dropout.rate=0.3"])
        assert app.editor("regularized.dropout.rate").value == "0.3"


FAULTS = [
    ("train.epochs", "0", "train.epochs: must be at least 1, not 0"),
    ("train.epochs", "", "train.epochs: must be a whole number, not ''"),
    ("train.seed", "1.5", "train.seed: must be a whole number, not 1.5"),
    ("train.device", "gpu", "train.device: must be auto, cpu, cuda, cuda:N or mps, not 'gpu'"),
    ("model.hidden", "[0, 4]", "model.hidden.0: must be at least 1, not 0"),
    ("regularized.dropout.rate", "1", "regularized.dropout.rate: must be less than 1, not 1"),
    ("data.train_samples", "50_000", "data.train_samples: 50,000 is more than the 48,000 images"),
    ("regularized.dropout.after", "[3]", "regularized.dropout.after: there is no activation 3"),
    ("data.root", '"C:\\Users"', 'data.root: a backslash in "…" begins an escape: write'),
]


@pytest.mark.parametrize(("key", "text", "sentence"), FAULTS)
def test_a_fault_is_said_in_the_file_s_words(key: str, text: str, sentence: str) -> None:
    draft = Draft(load("dropout"))
    draft.put(key, from_typed(text, optional=False))
    assert draft.preset is None
    [fault] = draft.faults
    assert fault.line.startswith(sentence)
    with pytest.raises(PresetError, match=re.escape(sentence)):
        load("dropout", [f"{key}={text}"])


@pytest.mark.slow
async def test_a_fault_stands_beside_its_field_and_stops_the_start() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        for key, text, sentence in (FAULTS[3], FAULTS[4], FAULTS[-1]):
            await app.type_into(pilot, key, text)
            assert app.editor(key).value == text, "it stays as it was typed"
            assert app.note(key).startswith(f"✗ {sentence}")
            assert sentence[:20] in app.picture()
            await pilot.press("escape", "enter")
            assert app.started == []
            assert app.focused is app.editor(key)
            assert sentence in said(app)
            await pilot.press("escape", "u")


@pytest.mark.slow
async def test_while_a_setting_has_a_fault_the_facts_tell_it_and_no_value_from_the_way_there() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        facts = app.says("#facts")
        app.editor("regularized.dropout.rate").focus()
        await pilot.press("end")
        for typed in ("", "1.5", "-1"):
            await pilot.press(*["backspace"] * 3, *map(_key, typed))
            await until(pilot, lambda: app.says("#facts").startswith("✗ regularized.dropout.rate: "))
            assert "dropout 0" not in app.says("#facts")
            assert app.editor("regularized.dropout.rate").value == typed
            assert app.says("#facts").count("\n") == facts.count("\n"), "nothing below it moves"
        await pilot.press(*["backspace"] * 3, *map(_key, "0.4"))
        await until(pilot, lambda: "dropout 0.4" in app.says("#facts"))


def _key(character: str) -> str:
    return {".": "full_stop", "-": "minus"}.get(character, character)


async def test_a_fault_of_another_table_stands_where_its_key_says() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        await app.type_into(pilot, "model.hidden", "[]")
        assert app.note("regularized.dropout.after").startswith("✗ regularized.dropout.after: there is no activation 1")
        assert app.note("model.hidden").startswith("was [256, 128] · ")
        await app.type_into(pilot, "regularized.dropout.after", "")
        assert app.note("regularized.dropout").startswith("✗ regularized.dropout: the network has no activation")


async def test_a_fault_without_a_field_stands_above_all() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        draft = app.chooser.entry.draft
        assert draft is not None
        draft.put("title", 3)
        await app.type_into(pilot, "train.epochs", "3")
        assert app.says("Form > .faults") == '✗ title: must be a text in quotes, not 3; write "3"'
        assert app.chooser.query_one("Form > .faults").display


async def test_a_technique_is_switched_on_with_its_defaults_and_off_again() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        assert not any(row.editor.key == "regularized.l2.strength" for row in app.chooser.query(Row))
        app.editor("regularized.l2").focus()
        await pilot.press("space")
        assert app.editor("regularized.l2.strength").value == "0.0001"
        assert app.note("regularized.l2").startswith("was off · ")
        assert not app.note("regularized.l2.strength").startswith("was")
        await app.type_into(pilot, "regularized.l2.strength", "0.5")
        app.editor("regularized.dropout").focus()
        await pilot.press("enter", "escape", "enter")
        [preset] = app.started
        assert preset.regularized.dropout is None
        assert preset.regularized.l2 is not None
        assert preset.regularized.l2.strength == 0.5
        assert not app.row("regularized.dropout.rate").display
        app.editor("regularized.dropout").focus()
        await pilot.press("space")
        assert app.editor("regularized.dropout.after").value == "[1]"  # as the preset had it, not the default
        assert app.note("regularized.dropout") == app.row("regularized.dropout").about


async def test_choices_and_ticks_change_by_keys_and_by_mouse() -> None:
    async with Chooser(load("early-stopping")).run_test(size=(120, 60)) as pilot:
        app = await ready(pilot)
        app.editor("train.optimizer").focus()
        await pilot.press("right")
        assert app.chooser.entry.draft is not None
        draft = app.chooser.entry.draft
        assert draft.get("train.optimizer") == "adamw"
        await pilot.press("left", "left")
        assert draft.get("train.optimizer") == "sgd"
        await pilot.click(app.editor("train.optimizer"), offset=(8, 0))
        assert draft.get("train.optimizer") == "adam"
        await pilot.click(app.editor("regularized.early_stopping.restore_best"), offset=(2, 0))
        assert draft.get("regularized.early_stopping.restore_best") is False


@pytest.mark.slow
async def test_another_kind_of_model_brings_its_own_knobs_and_the_first_s_return_with_it() -> None:
    async with Chooser().run_test(size=(120, 60)) as pilot:
        app = await ready(pilot)

        def shown() -> list[str]:
            keys = [
                row.editor.key for row in app.chooser.query(Row) if row.display and row.editor.key.startswith("model.")
            ]
            return [key.removeprefix("model.") for key in keys]

        assert shown() == ["kind", "hidden", "activation"]
        app.editor("regularized.dropout.after").focus()
        await app.type_into(pilot, "regularized.dropout.after", "")
        await app.type_into(pilot, "model.hidden", "[64]")
        app.editor("model.kind").focus()
        await pilot.press("right", "right")
        assert shown() == ["kind", "channels", "kernel", "hidden", "activation"]
        assert app.note("model.kind").startswith("was mlp · ")
        await app.type_into(pilot, "model.channels", "[4, 8]")
        assert app.note("model.channels").startswith("was [16, 32] · ")
        assert "1×28×28 · conv 3×3 4, 8 · 128-10" in app.says("#facts")
        await pilot.press("escape", "enter")
        [preset] = app.started
        assert preset.model == CNN(channels=[4, 8])
        app.editor("model.kind").focus()
        await pilot.press("left", "left")
        assert shown() == ["kind", "hidden", "activation"]
        draft = app.chooser.entry.draft
        assert draft is not None
        assert draft.preset is not None
        assert draft.preset.model == MLP(hidden=[64])
        await pilot.press("left")
        assert draft.get("model.channels") == [4, 8], "as it was edited"
        await pilot.press("escape", "u")
        assert shown() == ["kind", "hidden", "activation"]
        assert app.editor("model.hidden").value == "[256, 128]"


@pytest.mark.slow
async def test_edits_are_taken_back_by_a_key_and_a_button() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        assert app.chooser.query_one("#undo", Button).disabled
        await app.type_into(pilot, "train.epochs", "0")
        await pilot.press("escape", "u")
        assert app.editor("train.epochs").value == "10"
        await app.type_into(pilot, "train.epochs", "7")
        await pilot.click("#undo")
        assert app.editor("train.epochs").value == "10"
        assert app.chooser.entry.draft is not None
        assert app.chooser.entry.draft.preset == load("dropout")


async def test_letters_are_typed_into_a_field_and_are_keys_elsewhere() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        app.editor("train.device").focus()
        await pilot.press(*"suieqt")
        assert app.editor("train.device").value == "suieqt"
        assert app.explained == []
        assert app.keys == []
        await pilot.press("escape", "u", "i")
        assert app.explained == [load("dropout")]


async def test_enter_and_arrows_go_from_field_to_field() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        app.editor("train.epochs").focus()
        await pilot.press("enter")
        assert app.focused is app.editor("train.batch_size")
        await pilot.press("up", "up", "up")
        assert app.focused is app.editor("model.hidden")
        assert app.started == []
        await pilot.pause()
        assert app.says("#about").startswith("model.hidden: Units of each hidden layer")


@pytest.mark.parametrize("value", ["cpu", "123", "true", "a b", "", "[x", 'q"u\\o', "\x1b[2J", 3, 0.1, 1e-5, True, [1]])
def test_a_value_s_text_means_the_value(value: Any) -> None:
    text = as_typed(value)
    assert text.isprintable()
    assert from_typed(text, optional=False) == value


def test_an_optional_value_is_left_out_where_nothing_is_typed() -> None:
    assert from_typed("  ", optional=True) is None
    assert as_typed(None) == ""
    draft = Draft(load("small-data"))
    draft.put("data.train_samples", None)
    assert draft.preset is not None
    assert draft.preset.data.train_samples is None


# Saving


async def test_an_edited_preset_is_saved_with_its_comments_and_chosen(own: Path) -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        app.chooser.query_one(PresetList).highlighted = app.names.index("mine")
        await pilot.pause()
        await app.type_into(pilot, "train.epochs", "7")
        await pilot.click("#save")
        name = app.screen.query_one(Input)
        name.value = "Not A Name"
        await pilot.press("enter")
        assert app.screen is not app.chooser
        assert "name: must have only small letters" in app.picture()
        name.value = "seven"
        await pilot.press("enter")
        text = (own / "seven.toml").read_text()
        assert "epochs = 7 # few" in text
        assert "# kept" in text
        assert app.chooser.entry.name == "seven"
        assert app.chooser.entry.draft is not None
        assert app.chooser.entry.draft.preset == load("mine", ["name=seven", "train.epochs=7"])
        assert not app.chooser.entry.draft.edited
        assert app.says("#title") == "[red]x[/] and [b"
        assert app.editor("train.epochs").value == "7"
        await pilot.press("escape", "up")
        mine = app.chooser._entries[app.names.index("mine")].draft
        assert mine is not None
        assert not mine.edited


@pytest.mark.slow
@pytest.mark.usefixtures("own")
async def test_a_name_that_is_taken_is_asked_about() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        app.chooser.query_one(PresetList).highlighted = app.names.index("mine")
        await pilot.pause()
        await app.type_into(pilot, "train.epochs", "7")
        for answer, epochs in (("c", 4), ("r", 7)):
            await pilot.press("escape", "s")
            await pilot.press("enter")  # the name offered is the preset's own
            await pilot.press(answer)
            assert load("mine").train.epochs == epochs
            assert app.screen is app.chooser
        assert app.chooser.entry.name == "mine"


async def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "presets").write_text("a file where the folder should be")
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        await pilot.press("s")
        await until(pilot, lambda: app.screen.query(Input))
        app.screen.query_one(Input).value = "new"
        await pilot.press("enter")
        await until(pilot, lambda: said(app).startswith("presets/new.toml: can't be written"))


# Sizes, keys and mouse


async def test_a_click_on_a_preset_only_chooses_and_one_on_start_starts() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        await pilot.click(PresetList, offset=(4, 1))
        assert app.chooser.entry.name == app.names[0]
        assert app.started == []
        await pilot.click("#start")
        assert [preset.name for preset in app.started] == [app.names[0]]


@pytest.mark.slow
async def test_in_40_columns_the_settings_are_a_page_of_their_own() -> None:
    async with Chooser().run_test(size=(40, 12)) as pilot:
        app = await ready(pilot)
        assert "dropout" in app.picture()
        assert not app.chooser.query_one("Detail").is_on_screen
        await pilot.press("e", "down", "down", "down")
        assert not app.chooser.query_one(PresetList).is_on_screen
        await pilot.press("2")
        assert "✗ regularized.dropout.rate" in app.picture()
        await pilot.press("backspace", *"0.2", "escape")
        assert app.chooser.query_one(PresetList).has_focus
        await pilot.press("enter")
        assert app.started == [load("dropout", ["regularized.dropout.rate=0.2"])]
        await pilot.click("#page")
        assert app.chooser.query_one("Detail").is_on_screen
        await pilot.click("#page")
        await pilot.click("#start")
        assert len(app.started) == 2


async def test_every_size_shows_what_is_chosen() -> None:
    async with Chooser().run_test(size=(20, 5)) as pilot:
        app = await ready(pilot)
        for size in ((20, 5), (40, 12), (80, 24), (120, 36)):
            await pilot.resize_terminal(*size)
            assert "regtui" in app.picture()
            assert "dropout" in app.picture()


async def test_descriptions_need_room() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        assert app.row("train.epochs").query_one(".note").display
        await pilot.resize_terminal(80, 24)
        assert not app.row("train.epochs").query_one(".note").display
        await pilot.resize_terminal(40, 12)
        assert not app.row("train.epochs").query_one(".note").display


async def test_every_key_of_the_table_has_an_action() -> None:
    for key in ChooseScreen.KEYS:
        action = f"action_{key.action.partition('(')[0]}"
        assert any(hasattr(owner, action) for owner in (ChooseScreen, Form, OneOf, Tick)), key
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        await pilot.press("question_mark", "t", "q")
        assert app.keys == ["help", "theme", "quit"]


async def test_the_key_bar_names_the_way_back_where_there_is_one() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        assert "esc presets" not in app.picture()
        await pilot.press("e")
        assert "e settings  esc presets  / filter  R study  b saved runs  s save as" in app.picture()
        await pilot.press("escape")
        assert "esc presets" not in app.picture()


@pytest.mark.usefixtures("own")
async def test_what_is_edited_or_broken_is_told_without_colour() -> None:
    async with Chooser().run_test(size=(120, 36)) as pilot:
        app = await ready(pilot)
        await app.type_into(pilot, "train.epochs", "3")
        picture = look.plain(app.picture())
        assert "o epochs" in picture.replace("oepochs", "o epochs")
        assert "! bad  broken" in picture


# The filter


@pytest.mark.slow
async def test_presets_are_filtered_by_name_title_and_technique_and_escape_shows_all_again() -> None:
    async with Chooser().run_test(size=(80, 24)) as pilot:
        app = await ready(pilot)
        presets = app.chooser.query_one(PresetList)
        everything = presets.option_count
        await pilot.press("slash", *"Label Smooth")
        await until(pilot, lambda: presets.option_count == 1)
        assert app.chooser.entry.name == "label-smoothing"
        assert "Label Smooth" in app.picture().splitlines()[-3]
        await pilot.press("enter")
        assert isinstance(app.focused, PresetList)
        assert "esc presets" in app.picture()
        await pilot.press("escape")
        await until(pilot, lambda: presets.option_count == everything)
        assert app.chooser.entry.name == "label-smoothing", "what was chosen stays chosen"
        assert "Label Smooth" not in app.picture().splitlines()[-3]

        await pilot.press("slash", *"zzz")
        await until(pilot, lambda: "No preset matches; escape shows all again." in app.says("#summary"))
        await pilot.press("enter", "enter")
        assert not app.started
        await pilot.press("escape")
        await until(pilot, lambda: presets.option_count == everything)
        assert app.chooser.entry.name == "label-smoothing"
