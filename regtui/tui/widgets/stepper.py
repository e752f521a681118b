"""A number that is changed in place, by keys, mouse or typing: 'patience ‹ 5 ›'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from regtui.tui.look import ArmLook
from regtui.tui.widgets.key_bar import tell
from regtui.tui.widgets.keys import NEXT, Key, bindings
from regtui.tui.widgets.scales import Scale

SIDEWAYS = ("left", "right")
"""Keys that step, and mean nothing while a value is typed."""


class Stepper(Widget, can_focus=True):
    """Shows the applied value. A new value is a request until `set_applied` confirms it."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    Stepper {
        width: auto; height: 1; pointer: pointer;
        &:hover { background: $panel; }
    }
    """
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("left,minus", "step(-1)", "less", "At a control with ‹ ›: less.", "← −", footer=True),
        Key("right,plus", "step(1)", "more", "At a control with ‹ ›: more.", "→ +", footer=True),
        Key("enter", "edit", "type", "At a control with ‹ ›: type a value, then enter again.", "enter", footer=True),
        Key("escape", "leave", "leave", "Away from the controls.", "esc", footer=True),
        NEXT,
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)
    _TYPED = frozenset(".,e-")

    applied: reactive[float] = reactive(0.0, layout=True)
    requested: reactive[float | None] = reactive(None)
    off: reactive[bool] = reactive(False)
    """Whether the value is shown as having no effect now."""
    starts_at: float | None = None
    """The value that the first step requests while it is off; None if a step is one from the value shown."""
    why_not: reactive[str] = reactive("")
    """Why the value can't be changed now, as a sentence; empty if it can."""
    compact: reactive[bool] = reactive(False, layout=True)
    """Whether the arrows stand close to the value, and 'off' in its place where it has no effect."""
    draft: reactive[str | None] = reactive(None)
    """The text being typed; None if nothing is."""

    @dataclass
    class Changed(Message):
        """The user requests another value."""

        stepper: Stepper
        value: float

    def __init__(
        self,
        label: str,
        value: float,
        scale: Scale,
        *,
        arm: ArmLook | None = None,
        help: str = "",  # noqa: A002
        id: str | None = None,  # noqa: A002
    ) -> None:
        """Make a stepper.

        Args:
            label: Shown before the value; may be empty.
            value: The initial value.
            scale: The allowed values.
            arm: The look of the arm whose value it is; its mark is shown first. None for a value of several arms.
            help: A sentence for the tooltip.
            id: Textual's.
        """
        super().__init__(id=id)
        self._label = f"{label} " if label else ""
        self._arm = arm
        self._scale = scale
        self._help = help
        self.set_reactive(Stepper.applied, value)
        self.tooltip = Content(help) if help else None

    @property
    def value(self) -> float:
        """The last requested value, or else the applied one."""
        return self.applied if self.requested is None else self.requested

    def set_applied(self, value: float) -> None:
        """The engine has applied this value."""
        self.applied = value
        if self.requested == value:
            self.requested = None

    def take_back(self) -> None:
        """Drop the request: it will not be applied."""
        self.requested = None

    def request(self, value: float) -> None:
        """Request a value as if the user had chosen it here."""
        if self.why_not:
            tell(self, self.why_not)
        elif value != self.value or self.off:
            self.requested = value
            self.post_message(self.Changed(self, value))

    def watch_why_not(self, why_not: str) -> None:
        """Dim the stepper and show the reason if the value can't be changed; drop a pending request."""
        self.tooltip = Content(why_not or self._help) if why_not or self._help else None
        if why_not:
            self.requested = self.draft = None

    def action_step(self, direction: int) -> None:
        """Request the next value up or down; where a step turns on what is off, its first value."""
        if self.draft is not None:
            return
        if self.off and self.starts_at is not None and self.requested is None:
            self.request(self.starts_at)
        else:
            self.request(self._scale.up(self.value) if direction > 0 else self._scale.down(self.value))

    def action_edit(self) -> None:
        """Begin to type a value, or request the one that was typed."""
        if self.why_not:
            tell(self, self.why_not)
        elif self.draft is None:
            self.draft = ""
        elif not self.draft:
            self.draft = None
        elif (value := self._scale.parse(self.draft)) is None:
            text = f"{self.draft} won't do; it must be {self._scale.bounds()}"
            tell(self, text, error=True)
        else:
            self.draft = None
            self.request(value)

    def action_leave(self) -> None:
        """Leave the stepper, so that the arrow keys have their usual meaning again."""
        self.screen.set_focus(None)

    def key_label(self, action: str) -> str:
        """While a value is typed, enter takes it and escape drops it."""
        return {"edit": "set", "leave": "as before"}.get(action, "") if self.draft is not None else ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Step only while no value is typed."""
        return action != "step" or self.draft is None

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Digits are typed here, and while a value is typed all characters are."""
        character, typing = character or "", self.draft is not None
        return character.isdecimal() or (typing and (character > " " or key in ("space", *SIDEWAYS)))

    def watch_draft(self) -> None:
        """Other keys work while a value is typed."""
        self.refresh_bindings()

    def on_key(self, event: events.Key) -> None:
        """A digit begins to type a value; while typing, all characters belong to the value."""
        typing, character = self.draft is not None, event.character or ""
        if typing and event.key in {"escape", "backspace"}:
            self.draft = (self.draft or "")[:-1] if event.key == "backspace" else None
        elif character.isdecimal() or (typing and character in self._TYPED):
            if self.why_not:
                tell(self, self.why_not)
            else:
                self.draft = ((self.draft or "") + character)[:20]
        elif not (typing and (event.is_printable or event.key in SIDEWAYS)):
            return
        event.stop()
        event.prevent_default()

    def on_blur(self) -> None:
        """Drop a text that was typed but not entered."""
        self.draft = None

    def on_click(self, event: events.Click) -> None:
        """A click on an arrow steps; a click on the value begins to type a new one."""
        event.stop()
        x = event.x - self.gutter.left - self._value_at
        right = len(self._inner) + 1
        if x in (0, right):
            self.draft = None
            self.action_step(1 if x == right else -1)
        elif 0 < x < right and self.draft is None:
            self.action_edit()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel steps."""
        event.stop()
        self.action_step(1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel steps."""
        event.stop()
        self.action_step(-1)

    @property
    def _value_at(self) -> int:
        """The column of the left arrow."""
        return len(self._label) + (2 if self._arm else 0)

    def cells(self, *, compact: bool) -> int:
        """Its width in cells, with the arrows close to the value or not."""
        return self._value_at + self._room(compact=compact) + 2

    def _room(self, *, compact: bool) -> int:
        return self._scale.width + 2 * (not compact)

    @property
    def _inner(self) -> str:
        """The text between the arrows, of constant width so that nothing beside it moves."""
        room = self._room(compact=self.compact)
        if self.draft is not None:
            edge = "" if self.compact else " "
            return f"{edge}{self.draft[-(room - 1 - len(edge)) :]}▏".ljust(room)
        applied = "off" if self.off and self.compact else self._scale.show(self.applied)
        if self.requested is None:
            return f"{applied:^{room}}"
        requested = self._scale.show(self.requested)
        both = f"{applied}→{requested}"
        return f"{both if len(both) <= room else f'→{requested}':^{room}}"[: max(room, len(requested))]

    def render(self) -> Text:
        """Label, arrows, value."""
        theme = self.app.theme_variables
        faint, arrow = Style(color=theme["faint"]), Style(color=theme["primary"])
        text = Text(end="", no_wrap=True)
        if self.has_focus:  # one colour, that of the focus
            return text.append(f"{f'{self._arm.mark} ' if self._arm else ''}{self._label}‹{self._inner}›")
        if self._arm:
            text.append(f"{self._arm.mark} ", theme[self._arm.colour])
        text.append(self._label)
        fixed = bool(self.why_not)
        waiting = self.requested is not None or self.draft is not None
        text.append("‹", faint if fixed else arrow)
        text.append(
            self._inner, Style(color=theme["accent"]) if waiting else faint if fixed or self.off else Style(bold=True)
        )
        text.append("›", faint if fixed else arrow)
        return text

    def get_content_width(self, container: object, viewport: object) -> int:  # noqa: ARG002
        """The width of what is shown."""
        return self._value_at + len(self._inner) + 2
