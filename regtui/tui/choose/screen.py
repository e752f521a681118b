"""The first screen: choose a preset, read what it shows, edit its settings, start it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Button, Static

from regtui.errors import InputError
from regtui.preset.model import Preset
from regtui.preset.places import available
from regtui.preset.save import save_as
from regtui.preset.validation import validate
from regtui.runs.find import is_study_folder
from regtui.text import one_line
from regtui.tui.choose.detail import Detail
from regtui.tui.choose.draft import Draft
from regtui.tui.choose.entries import NOTHING_MATCHES, Entry, Reading, reread
from regtui.tui.choose.form import KEYS as FORM_KEYS
from regtui.tui.choose.form import Form
from regtui.tui.choose.preset_list import START, PresetList, prompt_of
from regtui.tui.widgets.dialogs import Ask, AskText, Choice
from regtui.tui.widgets.filter_input import FilterInput
from regtui.tui.widgets.key_bar import KeyBar, tell
from regtui.tui.widgets.keys import EVERYWHERE, NEXT, Key, bindings

FIRST_CHOICE = "dropout"
AT_ONCE = 1.0
"""Seconds that the screen waits for the presets; it comes without them after that, and can be left."""
LOOK_AGAIN = 0.1
STILL = 2.0
"""Seconds between two looks whether the runs still go on that are named."""
REPLACE = (Choice("c", "cancel", "Don't save"), Choice("r", "replace", "Save under this name"))


class PushButton(Button):
    """A button whose key is in the footer."""

    BINDINGS = bindings((Key("enter", "press", "press", "At a button: press it.", "enter", footer=True), NEXT))

    def key_label(self, action: str) -> str:
        """What enter does: what the button says, in small letters."""
        return str(self.label).lower() if action == "press" else ""


class ChooseScreen(Screen[None]):
    """The presets at the left, the selected one at the right; in a narrow terminal one of the two."""

    class Start(Message):
        """The user wants to run this preset."""

        def __init__(self, preset: Preset) -> None:
            super().__init__()
            self.preset = preset

    class Study(Message):
        """The user wants a study of this preset."""

        def __init__(self, preset: Preset) -> None:
            super().__init__()
            self.preset = preset

    class Review(Message):
        """The user wants to see the saved runs."""

    class Attach(Message):
        """The user wants to see and steer a run that another process trains."""

        def __init__(self, folder: Path) -> None:
            super().__init__()
            self.folder = folder

    class Shown(Message):
        """The screen is in front, for the first time or again: runs may have begun to go on, or have ended."""

    class LooksAgain(Message):
        """It is time to see which of the runs still go on that this screen names."""

        def __init__(self, runs: Sequence[Path]) -> None:
            super().__init__()
            self.runs = runs

    class Explain(Message):
        """The user wants to read about the techniques of this preset."""

        def __init__(self, preset: Preset) -> None:
            super().__init__()
            self.preset = preset

    DEFAULT_CSS = """
    ChooseScreen {
        & #head { height: 1; padding: 0 1; }
        & #name { width: auto; text-style: bold; color: $primary; }
        & #place { width: auto; color: $faint; }
        & #going-on {
            height: 1; padding: 0 1; color: $accent; text-wrap: nowrap; text-overflow: ellipsis; display: none;
        }
        & #engine { width: 1fr; color: $faint; text-align: right; text-wrap: nowrap; text-overflow: ellipsis; }
        & PresetList {
            width: 34; height: 1fr; border: none; padding: 1 0; background: $background; scrollbar-size-vertical: 1;
            text-wrap: nowrap; text-overflow: ellipsis;
            &:focus { border: none; background-tint: $background 0%; }
            & > .option-list--option { padding: 0 1; }
            & > .option-list--option-highlighted { background: $panel; color: $foreground; text-style: none; }
        }
        & Detail { border-left: vkey $border-blurred; }
        & #about { height: 1; padding: 0 1; color: $faint; text-wrap: nowrap; text-overflow: ellipsis; }
        & #buttons { height: 1; padding: 0 1; & Button { margin-right: 1; min-width: 0; padding: 0 2; } }
        & #start { color: $primary; }
        & #page { display: none; }
    }
    ChooseScreen.-medium {
        & PresetList { width: 24; padding: 0; }
        & Detail { padding: 0 1; }
    }
    ChooseScreen.-narrow {
        & PresetList { width: 1fr; padding: 0; }
        & Detail { display: none; border-left: none; padding: 0 1; }
        & #page { display: block; }
        & #place, & #about { display: none; }
        & #buttons Button { padding: 0; }
        &.-settings PresetList { display: none; }
        &.-settings Detail, &.-settings #about { display: block; }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (60, "-medium"), (100, "-wide")]  # noqa: RUF012
    _HERE = (
        START,
        Key(
            "a",
            "attach",
            "attach",
            "To the run or study that goes on without this screen, the newest.",
            "a",
            footer=True,
        ),
        Key("e", "edit", "settings", "Go to the settings of the selected preset.", "e", footer=True),
        Key("escape", "back", "presets", "Go back to the list of presets.", "esc", footer=True),
        Key("slash", "filter", "filter", "Show the presets whose name, title or techniques match.", "/", footer=True),
        Key("R", "study", "study", "Is it real? Run the selected preset over many seeds.", "R", footer=True),
        Key("b", "review", "saved runs", "To the saved runs; the same key leads back.", "b", footer=True),
        Key("s", "save_as", "save as", "Save the preset with your edits under a new name.", "s", footer=True),
        Key("u", "undo", "undo edits", "Take back all edits of the selected preset.", "u"),
        Key("i", "explain", "about", "What the techniques of this preset do.", "i", footer=True),
    )
    KEYS = (*_HERE, *FORM_KEYS)
    BINDINGS = bindings((*_HERE, *EVERYWHERE))
    AUTO_FOCUS = "PresetList"

    engine_status: reactive[str] = reactive("")
    """How far the import of torch has come."""
    going_on: reactive[Sequence[Path]] = reactive(())
    """The runs that other processes train now, the newest first."""

    def __init__(self, chosen: Preset | None = None) -> None:
        """Read the presets.

        Args:
            chosen: Selected at the start, with its values; for a preset that the command line loaded and changed.
        """
        super().__init__()
        self._selected_name = chosen.name if chosen else FIRST_CHOICE
        self._reading = Reading(chosen)
        self._reading.start()
        self._reading.join(AT_ONCE)
        self._entries = self._shown = self._reading.found
        self._at = self._find(self._selected_name)
        self._filter = FilterInput(placeholder="dropout l2: name, title or technique")

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        with Horizontal(id="head"):
            yield Static("regtui", id="name")
            yield Static(" · choose a preset", id="place")
            yield Static(self.engine_status, id="engine", markup=False)
        yield Static(id="going-on", markup=False)
        with Horizontal():
            yield PresetList(*map(prompt_of, self._shown))
            yield Detail(self.entry)
        yield Static(id="about", markup=False)
        with Horizontal(id="buttons"):
            yield PushButton("Start", id="start", compact=True, action="screen.start")
            yield PushButton("Settings", id="page", compact=True, action="screen.turn_page")
            yield PushButton("Save as…", id="save", compact=True, action="screen.save_as")
            yield PushButton("Undo", id="undo", compact=True, action="screen.undo")
        yield self._filter
        yield KeyBar()

    def on_mount(self) -> None:
        """Select the preset chosen at the start."""
        self.query_one(PresetList).highlighted = self._at
        self._show_edits()
        if self._reading.is_alive():
            self._looking = self.set_interval(LOOK_AGAIN, self._take_presets)
        self.set_interval(STILL, self._look_again)

    def on_screen_resume(self) -> None:
        """Ask the app, once this is drawn, which runs go on."""
        self.call_after_refresh(self.post_message, self.Shown())

    def _look_again(self) -> None:
        if self.going_on and self.is_current:
            self.post_message(self.LooksAgain(self.going_on))

    def _take_presets(self) -> None:
        """Show the presets once all have been read."""
        if not self._reading.is_alive():
            self._looking.stop()
            self._entries = self._reading.found
            self._show_all(self._selected_name)

    def _show_all(self, name: str) -> None:
        """Fill the list with the presets that match the filter, and select one, the first if that is not among them."""
        wanted = self._filter.value.casefold().split()
        found = [entry for entry in self._entries if all(word in entry.searched for word in wanted)]
        self._shown = found or [NOTHING_MATCHES]
        self._at = self._find(name)
        presets = self.query_one(PresetList)
        presets.clear_options().add_options(map(prompt_of, self._shown))
        presets.highlighted = self._at
        self._show()

    @property
    def entry(self) -> Entry:
        """The selected preset."""
        return self._shown[self._at]

    def watch_engine_status(self, status: str) -> None:
        """Say it at the right end of the first line."""
        for widget in self.query("#engine").results(Static):
            widget.update(status)

    def watch_going_on(self, runs: Sequence[Path]) -> None:
        """Say it in a row of its own, with the key that leads there."""
        for row in self.query("#going-on").results(Static):
            row.display = bool(runs)
            if runs:
                studies = [run for run in runs if is_study_folder(run)]
                what = "study" if runs[0] in studies else "run"
                many = f"{len(runs):,} {'runs or studies' if studies else 'runs'} go on, the newest is"
                row.update(f"{many if runs[1:] else f'A {what} goes on:'} {one_line(runs[0].name)} · a attaches")
        for bar in self.query(KeyBar):
            bar.redraw()

    def _find(self, name: str) -> int:
        return next((at for at, entry in enumerate(self._shown) if entry.name == name), 0)

    # What is shown

    def _show(self) -> None:
        if self.entry is not NOTHING_MATCHES:
            self._selected_name = self.entry.name
        self.query_one("#about", Static).update("", layout=False)
        self.query_one(Detail).show(self.entry)
        self._show_edits()

    @on(Form.Changed)
    def _show_edits(self) -> None:
        """Bring up to date what follows from the settings."""
        draft = self.entry.draft
        self.query_one(Detail).show_facts()
        presets, prompt = self.query_one(PresetList), prompt_of(self.entry)
        if presets.get_option_at_index(self._at).prompt != prompt:
            presets.replace_option_prompt_at_index(self._at, prompt)
        self.query_one("#undo", Button).disabled = draft is None or not draft.edited

    @on(PresetList.OptionHighlighted)
    def _selected(self, event: PresetList.OptionHighlighted) -> None:
        at = event.option_list.highlighted  # the newest, of which there may be another message on its way
        if at is not None and at != self._at:
            self._at = at
            self._show()

    @on(FilterInput.Changed, "FilterInput")
    def _filtered(self) -> None:
        self._show_all(self._selected_name)

    @on(FilterInput.Submitted, "FilterInput")
    def _filter_typed(self) -> None:
        self.query_one(PresetList).focus()

    @on(Form.Focused)
    def _tell_about(self, event: Form.Focused) -> None:
        self.query_one("#about", Static).update(event.about, layout=False)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Show which keys work there, and in a narrow terminal the page that has the focus."""
        self.query_one(KeyBar).redraw()
        if isinstance(event.widget, PresetList):
            self._turn_to("presets")
            self.query_one("#about", Static).update("", layout=False)
        elif self.query_one(Detail) in event.widget.ancestors_with_self:
            self._turn_to("settings")

    def _turn_to(self, page: str) -> None:
        if self.has_class("-settings") == (page == "settings"):
            return
        self.set_class(page == "settings", "-settings")
        self.query_one("#page", Button).label = "Presets" if page == "settings" else "Settings"

    # What the user does

    def action_start(self) -> None:
        """Ask the app to train the selected preset."""
        preset = self._checked()
        if preset is not None:
            self.post_message(self.Start(preset))

    def action_study(self) -> None:
        """Ask the app for a study of the selected preset."""
        preset = self._checked()
        if preset is not None:
            self.post_message(self.Study(preset))

    def action_edit(self, key: str = "") -> None:
        """Go to a setting, the first if no key is given; where the file is broken, to its faults."""
        self._turn_to("settings")
        self.call_after_refresh(self.query_one(Detail).go_to, key)

    def action_filter(self) -> None:
        """Type a filter for the list."""
        self._turn_to("presets")
        self.call_after_refresh(self._filter.open)

    def action_review(self) -> None:
        """Go to the saved runs."""
        self.post_message(self.Review())

    def action_attach(self) -> None:
        """Ask the app for the newest of the runs that go on."""
        self.post_message(self.Attach(self.going_on[0]))

    def action_back(self) -> None:
        """Go to the list; from there, or from the filter's field, show all presets again."""
        if self.focused is self._filter or isinstance(self.focused, PresetList):
            self._filter.close()
        self._turn_to("presets")
        self.call_after_refresh(self.query_one(PresetList).focus)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Attach only where a run goes on. On the list of all presets there is nothing to go back to."""
        if action == "attach":
            return bool(self.going_on)
        return action != "back" or self._filter.is_open or not isinstance(self.focused, PresetList)

    def action_turn_page(self) -> None:
        """In a narrow terminal: from the list to the settings or back."""
        if self.has_class("-settings"):
            self.action_back()
        else:
            self.action_edit()

    def action_undo(self) -> None:
        """Take back all edits of the selected preset."""
        if self.entry.draft is not None:
            self.entry.draft = Draft(self.entry.draft.original)
            self._show()

    def action_explain(self) -> None:
        """Ask the app for what the techniques do."""
        preset = self._checked()
        if preset is not None:
            self.post_message(self.Explain(preset))

    @work
    async def action_save_as(self) -> None:
        """Ask for a name, save the preset with its edits, and select what was saved."""
        entry, preset = self.entry, self._checked()
        if preset is None:
            return
        text = "It is written to the folder presets, under this name:"
        name = await self.app.push_screen_wait(AskText("Save the preset as", text, entry.name, _name_fault))
        if name is None:
            return
        if name in available():
            text = f"There is a preset {name} already. One in the folder presets is replaced, regtui's own is hidden."
            if await self.app.push_screen_wait(Ask(f"Save as {name}?", text, REPLACE)) != "replace":
                return
        try:
            path = save_as(preset, name, original=entry.path)
        except InputError as error:
            tell(self, error, error=True)
            return
        self._entries = reread(self._entries, entry, name)
        self._filter.close()  # what was saved is seen, whatever its name
        self._show_all(name)
        tell(self, f"Saved as {path}.")

    def _checked(self) -> Preset | None:
        """The selected preset with its edits; None, after a word on where the fault is, if there is one."""
        draft = self.entry.draft
        if draft is None:
            words = self.entry.words or "This file is broken: correct it, or choose another preset."
            tell(self, words, error=True)
            return None
        if draft.preset is None:
            tell(self, f"Correct this first: {draft.faults[0].line}", error=True)
            self.action_edit(draft.faults[0].key)
        return draft.preset


def _name_fault(name: str) -> str:
    """What is wrong with a preset's name, as a preset file's error says it."""
    try:
        validate({"name": name}, "the new preset")
    except InputError as error:
        return str(error)
    return ""
