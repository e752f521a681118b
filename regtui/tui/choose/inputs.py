"""What a setting is edited with, made from its pydantic field: a line of text, one of a few words, or a tick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from textual import events, on
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input

from regtui.tui.choose.draft import as_typed, from_typed
from regtui.tui.widgets.keys import Key, bindings
from regtui.tui.widgets.text_input import TextInput


class Edited(Message):
    """The user changed a setting.

    Attributes:
        key: Its dotted key.
        value: Its new value, not validated; None where it is left out.
    """

    def __init__(self, key: str, value: object) -> None:
        super().__init__()
        self.key, self.value = key, value


class Line(TextInput):
    """A number, a list or a text, typed as in a preset file; quotes may be left out."""

    DEFAULT_CSS = """
    Line { background: $panel; &.-textual-compact { padding: 0 1; } }
    """

    def __init__(self, key: str, *, optional: bool) -> None:
        super().__init__(compact=True, placeholder="left out" if optional else "", classes="editor")
        self.key, self._optional = key, optional

    def put(self, value: Any) -> None:
        """Show a value; that is no edit."""
        if self._meaning() != value:  # else what is being typed stays as it is typed
            with self.prevent(Input.Changed):
                self.value = as_typed(value)

    def _meaning(self) -> Any:
        return from_typed(self.value, optional=self._optional)

    @on(Input.Changed)
    def _say(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(Edited(self.key, self._meaning()))


class _Pick(Widget, can_focus=True):
    """What the two widgets below share: one row that is focused and changed by keys or a click."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    _Pick { height: 1; padding: 0 1; pointer: pointer; }
    """
    value: reactive[Any] = reactive(None)

    def __init__(self, key: str) -> None:
        super().__init__(classes="editor")
        self.key = key

    def put(self, value: Any) -> None:
        """Show a value; that is no edit."""
        self.value = value

    def _choose(self, value: object) -> None:
        self.value = value
        self.post_message(Edited(self.key, value))


class OneOf(_Pick):
    """One of a few words."""

    KEYS = (
        Key("right,space,enter", "turn(1)", "next", "In a setting with ‹ ›: the next choice.", "→", footer=True),
        Key("left", "turn(-1)", "previous", "In a setting with ‹ ›: the choice before.", "←", footer=True),
    )
    BINDINGS = bindings(KEYS)

    def __init__(self, key: str, choices: Sequence[object]) -> None:
        super().__init__(key)
        self._choices = list(choices)
        self.can_focus = len(self._choices) > 1

    def render(self) -> Content:
        """‹ adam ›, or the word alone if there is no other."""
        return Content(f"‹ {self.value} ›" if self.can_focus else str(self.value))

    def on_click(self, event: events.Click) -> None:
        """The left half goes back, the right half on."""
        if self.can_focus:
            width = self.render().cell_length
            self.action_turn(-1 if event.x < width / 2 else 1)

    def action_turn(self, step: int) -> None:
        """Go `step` choices on, around the end."""
        at = self._choices.index(self.value) + step
        self._choose(self._choices[at % len(self._choices)])


class Tick(_Pick):
    """Yes or no."""

    KEYS = (Key("space,enter", "flip", "change", "At a [ ]: switch it on or off.", "space", footer=True),)
    BINDINGS = bindings(KEYS)

    def __init__(self, key: str, label: str = "") -> None:
        super().__init__(key)
        self._label = label

    def render(self) -> Content:
        """[x] or [ ], a mark and not a colour alone, and what it is about."""
        return Content(f"[{'x' if self.value else ' '}] {self._label}".rstrip())

    def on_click(self) -> None:
        """Anywhere on it."""
        self.action_flip()

    def action_flip(self) -> None:
        """Switch it on or off."""
        self._choose(not self.value)


Editor = Line | OneOf | Tick


def editor_for(key: str, field: FieldInfo) -> Editor:
    """What suits the field: a choice for a Literal, a tick for a bool, a line of text for all else."""
    if get_origin(field.annotation) is Literal:
        return OneOf(key, get_args(field.annotation))
    if field.annotation is bool:
        return Tick(key)
    return Line(key, optional=field.default is None)
