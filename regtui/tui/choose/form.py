"""The settings of a preset as rows to edit, made from the pydantic models; each fault stands beside its field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from pydantic import BaseModel
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from regtui.models import KINDS
from regtui.preset.arms import BASELINE
from regtui.preset.model import Preset
from regtui.techniques import REGISTRY, Techniques
from regtui.techniques.base import Technique
from regtui.tui.choose.draft import KIND, Draft, as_typed
from regtui.tui.choose.inputs import Edited, Editor, OneOf, Tick, editor_for
from regtui.tui.look import arm_looks
from regtui.tui.widgets.keys import Key, bindings

NAME_WIDTH = 18
"""The longest name of a setting, with its mark and indent."""
WIDE = 66
"""From so many cells on, a description stands beside its field."""
MOVES = (
    Key("up", "move(-1)", "up", "In the settings: to the one above.", "↑"),
    Key("down", "move(1)", "down", "In the settings: to the one below.", "↓"),
)
KEYS = (*MOVES, *OneOf.KEYS, *Tick.KEYS)
"""What works while a setting has the focus."""


class Row(Container):
    """One setting: its name, what it is edited with, and a note: what it means, what it was, or what is wrong."""

    DEFAULT_CSS = f"""
    Row {{
        layout: grid; grid-size: 2; grid-columns: {NAME_WIDTH} 1fr; grid-rows: auto; height: auto;
        & > .name {{ height: 1; }}
        & > .editor {{ width: 19; }}
        & > .note {{ color: $faint; height: 1; display: none; text-wrap: nowrap; text-overflow: ellipsis; }}
        &.-edited > .name {{ color: $warning; }}
        &.-fault > .note {{
            color: $error; height: auto; display: block; column-span: 2; padding-left: 2; text-wrap: wrap;
        }}
        &.technique {{ grid-columns: 1 1fr; & > .editor {{ width: 21; }} }}
    }}
    """

    def __init__(self, name: str, editor: Editor, about: str) -> None:
        super().__init__()
        self.editor, self.about = editor, about
        self._title = name
        self._label = Static(classes="name", markup=False)
        self._note = Static(about, classes="note", markup=False)
        self._shown: tuple[bool, str] | None = None

    def compose(self) -> ComposeResult:
        """The three, side by side."""
        yield self._label
        yield self.editor
        yield self._note

    def show(self, draft: Draft, faults: list[str]) -> None:
        """Show the draft's value, whether it was edited, and what is wrong with it."""
        key = self.editor.key
        value, was = draft.get(key), draft.was(key)
        self.editor.put(value)
        edited = value != was
        before = ("on" if was else "off") if isinstance(was, bool) else as_typed(was) or "left out"
        note = "\n".join(f"✗ {line}" for line in faults)
        note = note or (f"was {before} · {self.about}" if edited else self.about)
        if (edited, note) == self._shown:
            return
        self._shown = edited, note
        self.set_class(edited, "-edited")
        self.set_class(bool(faults), "-fault")
        self._label.update(f"{'•' if edited else ' '}{self._title}", layout=False)
        self._note.update(note)


class TechniqueRows(Vertical):
    """A technique of one arm: a switch, and its knobs while it is in use."""

    DEFAULT_CSS = "TechniqueRows { height: auto; }"

    def __init__(self, key: str, technique: type[Technique]) -> None:
        super().__init__()
        self.key = key
        self._technique = technique
        explanation = technique.explanation
        self.head = Row("", Tick(key, explanation.title), explanation.idea)
        self.head.add_class("technique")
        self._knobs: list[Row] = []

    @property
    def rows(self) -> list[Row]:
        """Those that are shown."""
        return [self.head, *(knob for knob in self._knobs if knob.display)]

    def compose(self) -> ComposeResult:
        """The switch alone; most techniques are not in use, and their knobs come when they first are."""
        yield self.head

    def use(self, use: bool) -> None:
        """Show or hide the knobs."""
        if use and not self._knobs:
            self._knobs = _rows(self.key, self._technique, indent="     ")
            self.mount(*self._knobs)
        for knob in self._knobs:
            knob.display = use


class ArmRows(Vertical):
    """Arms, each with a heading and all techniques."""

    DEFAULT_CSS = "ArmRows { height: auto; }"

    def __init__(self, tables: Iterable[str]) -> None:
        super().__init__()
        self._arms = {
            table: [TechniqueRows(f"{table}.{name}", technique) for name, technique in REGISTRY.items()]
            for table in tables
        }

    @property
    def techniques(self) -> Iterator[TechniqueRows]:
        """All of them, from the top."""
        return chain.from_iterable(self._arms.values())

    def compose(self) -> ComposeResult:
        """Arm by arm."""
        looks = arm_looks(sorted(self._arms, key=lambda table: table != BASELINE))
        for table, techniques in self._arms.items():
            look, arm = looks[table], table.removeprefix("arms.")
            yield Static(f"{look.mark} {arm}", classes=f"heading {look.colour}", markup=False)
            yield from techniques


class ModelRows(Vertical):
    """The model: its kind, and the knobs of the one that is chosen."""

    DEFAULT_CSS = "ModelRows { height: auto; }"

    def __init__(self) -> None:
        super().__init__()
        about = " ".join(f"{name}: {kind.model_fields['kind'].description}" for name, kind in KINDS.items())
        self._head = Row(" kind", OneOf(KIND, list(KINDS)), about)
        self._knobs: dict[str, list[Row]] = {}

    @property
    def rows(self) -> list[Row]:
        """Those that are shown."""
        return [self._head, *(knob for knobs in self._knobs.values() for knob in knobs if knob.display)]

    def compose(self) -> ComposeResult:
        """The kind alone; knobs come when their kind is first chosen."""
        yield self._head

    def use(self, kind: str) -> None:
        """Show the knobs of this kind, and no others."""
        if kind not in self._knobs:
            self._knobs[kind] = [row for row in _rows("model", KINDS[kind]) if row.editor.key != KIND]
            self.mount(*self._knobs[kind])
        for name, knobs in self._knobs.items():
            for knob in knobs:
                knob.display = name == kind


class Form(Vertical):
    """All settings of one preset."""

    DEFAULT_CSS = f"""
    Form {{
        height: auto;
        & .heading {{ height: 1; margin-top: 1; text-style: bold; color: $primary; }}
        & > .faults {{ color: $error; height: auto; margin-top: 1; display: none; }}
        &.-wide Row {{
            grid-size: 3; grid-columns: {NAME_WIDTH} 20 1fr;
            &.technique {{ grid-columns: 1 22 1fr; }}
            & > .note {{ display: block; column-span: 1; padding-left: 0; }}
        }}
    }}
    """
    BINDINGS = bindings(MOVES)

    class Changed(Message):
        """The draft was edited."""

    class Focused(Message):
        """A setting got the focus; `about` says all of what it is."""

        def __init__(self, about: str) -> None:
            super().__init__()
            self.about = about

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self._draft = draft
        self._faults = Static(classes="faults", markup=False)
        self._arms = {draft.arms: ArmRows(draft.arms)}
        self._tables = {name: _rows(name, model) for name, model in _tables()}
        self._model = ModelRows()

    def compose(self) -> ComposeResult:
        """Section by section."""
        yield self._faults
        yield from self._arms.values()
        for table, rows in self._tables.items():
            yield Static(table, classes="heading", markup=False)
            yield from rows if rows else [self._model]

    def on_mount(self) -> None:
        """Show the draft's values."""
        self.show(self._draft)

    def on_resize(self, event: events.Resize) -> None:
        """Descriptions need room; a fault gets a line of its own where there is none."""
        self.set_class(event.size.width >= WIDE, "-wide")

    def show(self, draft: Draft) -> None:
        """Show this draft, and edit it from now on."""
        self._draft = draft
        for names, arms in self._arms.items():
            arms.display = names == draft.arms
        if draft.arms not in self._arms:
            self._arms[draft.arms] = ArmRows(draft.arms)
            self.call_later(self._mount_arms, self._arms[draft.arms])
        if not self._arms[draft.arms].is_mounted:
            return
        for technique in self._arms[draft.arms].techniques:
            technique.use(draft.get(technique.key))
        self._model.use(draft.get(KIND))
        rows = {row.editor.key: row for row in self._rows()}
        faults: dict[str, list[str]] = {key: [] for key in rows}
        elsewhere: list[str] = []
        for fault in draft.faults:
            at = _nearest(fault.key, rows)
            (faults[at] if at else elsewhere).append(fault.line)
        for key, row in rows.items():
            row.show(draft, faults[key])
            if faults[key] and row.editor.has_focus:
                self.call_after_refresh(row.scroll_visible, animate=False)
        if elsewhere or self._faults.display:
            self._faults.display = bool(elsewhere)
            self._faults.update("\n".join(f"✗ {line}" for line in elsewhere))

    async def _mount_arms(self, arms: ArmRows) -> None:
        """Bring in arms of other names than those before had, and show the draft once they are there."""
        await self.mount(arms, after=self._faults)
        self.show(self._draft)

    def go_to(self, key: str = "") -> None:
        """Give the focus to the setting that a dotted key is about; to the first where there is none."""
        rows = {row.editor.key: row for row in self._rows() if row.editor.can_focus}
        rows[_nearest(key, rows) or next(iter(rows))].editor.focus()

    def action_move(self, step: int) -> None:
        """Go to the setting `step` rows below."""
        editors = [row.editor for row in self._rows() if row.editor.can_focus]
        at = next((i for i, editor in enumerate(editors) if editor.has_focus), 0)
        editors[min(max(at + step, 0), len(editors) - 1)].focus()

    @on(Edited)
    def _edit(self, event: Edited) -> None:
        event.stop()
        self._draft.put(event.key, event.value)
        self.show(self._draft)
        self.post_message(self.Changed())

    @on(Input.Submitted)
    def _next(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_move(1)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Say all of what the setting means: its note may be cut off or hidden."""
        row = event.widget.parent
        if isinstance(row, Row):
            self.post_message(self.Focused(f"{row.editor.key}: {row.about}"))

    def _rows(self) -> Iterator[Row]:
        """Every row that is shown, from the top."""
        for technique in self._arms[self._draft.arms].techniques:
            yield from technique.rows
        for rows in self._tables.values():
            yield from rows or self._model.rows


def _tables() -> Iterator[tuple[str, type[BaseModel]]]:
    """The preset's tables but for the arms; that of the model, whose fields depend on its kind, has none here."""
    for name, field in Preset.model_fields.items():
        if name == "model":
            yield name, BaseModel
        elif isinstance(table := field.annotation, type) and issubclass(table, BaseModel) and table is not Techniques:
            yield name, table


def _rows(table: str, model: type[BaseModel], indent: str = " ") -> list[Row]:
    """A row for each field of a table."""
    return [
        Row(indent + name, editor_for(f"{table}.{name}", field), field.description or "")
        for name, field in model.model_fields.items()
    ]


def _nearest(key: str, keys: Iterable[str]) -> str:
    """The longest of `keys` that is `key` or a beginning of it; empty if none is."""
    return max((known for known in keys if f"{key}.".startswith(f"{known}.")), key=len, default="")
