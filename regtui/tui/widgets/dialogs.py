"""Panels above a screen: a question with a few answers, a text field, or a page to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from regtui.tui.widgets.key_bar import KeyBar
from regtui.tui.widgets.keys import LEAVE, Key, bindings
from regtui.tui.widgets.text_input import TextInput


class Choice(NamedTuple):
    """An answer to a question.

    Attributes:
        key: The key that gives it: 's', or a name of Textual's such as 'space'.
        value: What the question returns for it.
        label: What it means, in a few words.
    """

    key: str
    value: str
    label: str


class _Panel(VerticalScroll, inherit_bindings=False):
    """What is read on a page."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        (
            Key("up", "scroll_up", "up", "Scroll up.", "↑", footer=True),
            Key("down", "scroll_down", "down", "Scroll down.", "↓", footer=True),
            Key("pageup", "page_up", "page up", "A page up.", "pgup"),
            Key("pagedown,space", "page_down", "page", "A page down.", "pgdn", footer=True),
            Key("home", "scroll_home", "top", "To the top.", "home"),
            Key("end", "scroll_end", "end", "To the end.", "end"),
        )
    )


class _Box(VerticalScroll, can_focus=False, inherit_bindings=False):
    """What holds a question; it scrolls with the focus, and leaves the arrows to the answers."""


class _Question(ModalScreen[str | None]):
    """The base of both kinds: a small panel with a title and a text; escape leaves it without an answer."""

    DEFAULT_CSS = """
    _Question {
        align: center middle;
        background: $background 60%;
        & > .panel {
            width: 64; max-width: 100%; height: auto; max-height: 100%; padding: 1 2;
            background: $surface; border: round $primary; scrollbar-size-vertical: 1;
        }
        & .title { height: auto; text-style: bold; margin-bottom: 1; }
        & .text { height: auto; margin-bottom: 1; }
        &.-short > .panel { padding: 0 1; }
        &.-short .title { margin-bottom: 0; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings([LEAVE])
    DROPS_TYPED_AHEAD = True
    """Keys that were pressed before the question was seen were not meant for it."""

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """The panel: title, text, and the widgets for answering."""
        with _Box(classes="panel"):
            yield Static(self._title, classes="title", markup=False)
            if self._text:
                yield Static(self._text, classes="text", markup=False)
            yield from self.answers()
        yield KeyBar()

    def on_resize(self, event: events.Resize) -> None:
        """Leave no row empty in a low terminal."""
        self.set_class(event.size.height < 18, "-short")

    def answers(self) -> ComposeResult:
        """The widgets for answering."""
        raise NotImplementedError


class _Button(Static, can_focus=True):
    """A row for one choice: its key and its label."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    _Button {
        height: auto; padding: 0 1; pointer: pointer;
        &:hover { background: $panel; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        [Key("enter", "press", "choose", "Give this answer.", "enter", True)]
    )

    class Pressed(Message):
        """This choice was made.

        Attributes:
            choice: Which.
        """

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, choice: Choice, key_width: int) -> None:
        super().__init__(Content.assemble((choice.key.ljust(key_width), "bold"), "  ", choice.label))
        self.choice = choice

    def on_click(self) -> None:
        """Choose by mouse."""
        self.action_press()

    def action_press(self) -> None:
        """Choose by enter, with the focus here."""
        self.post_message(self.Pressed(self.choice))


class Ask(_Question):
    """A question with a few answers, chosen by key, by click, or with arrows or tab and enter."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        [
            Key("up,left", "app.focus_previous", "up", "The answer above.", "↑", footer=True),
            Key("down,right,tab", "app.focus_next", "down", "The answer below.", "↓", footer=True),
        ]
    )

    def __init__(self, title: str, text: str, choices: Sequence[Choice]) -> None:
        """Make the question.

        Args:
            title: The question, in one line.
            text: Further information; may be empty.
            choices: The answers; the first gets the focus, so that it has to be the one by which nothing is lost.
        """
        super().__init__(title, text)
        self._choices = choices

    def answers(self) -> ComposeResult:
        """A button for each choice."""
        key_width = max(len(choice.key) for choice in self._choices)
        for choice in self._choices:
            yield _Button(choice, key_width)

    def on_key(self, event: events.Key) -> None:
        """Choose by the key of a choice."""
        for choice in self._choices:
            if choice.key in (event.key, event.character):
                event.stop()
                self.dismiss(choice.value)
                return

    @on(_Button.Pressed)
    def _answer(self, message: _Button.Pressed) -> None:
        """A choice was clicked, or entered."""
        self.dismiss(message.choice.value)


class AskWhileItTrains(Ask):
    """A question about the run that goes on; it goes away when that has ended."""


class AskText(_Question):
    """A question that is answered with a text."""

    DEFAULT_CSS = """
    AskText {
        & .fault { height: auto; color: $error; }
    }
    """

    def __init__(
        self, title: str, text: str, initial: str = "", fault: Callable[[str], str] = lambda _text: ""
    ) -> None:
        """Make the question.

        Args:
            title: The question, in one line.
            text: Further information; may be empty.
            initial: The initial text of the field.
            fault: Returns what is wrong with a text, as a sentence; empty if nothing is.
        """
        super().__init__(title, text)
        self._initial, self._fault = initial, fault

    def answers(self) -> ComposeResult:
        """The text field, below it what is wrong."""
        yield TextInput(self._initial, compact=True, select_on_focus=False)
        yield Static(self._fault(self._initial), classes="fault", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say at once whether the text is valid."""
        self.query_one(".fault", Static).update(self._fault(event.value))

    def on_input_submitted(self) -> None:
        """Accept by enter in the field."""
        self.action_accept()

    def action_accept(self) -> None:
        """Return the text, if nothing is wrong with it."""
        text = self.query_one(Input).value
        if not self._fault(text):
            self.dismiss(text)


class Page(ModalScreen[None]):
    """A page to read: a panel that scrolls, and closes by escape, by a click beside it, or by further keys."""

    TITLE = ""
    DEFAULT_CSS = """
    Page {
        align: center middle;
        background: $background 60%;
        & > .panel {
            max-width: 100%; height: auto; max-height: 100%; background: $surface; border: round $border-blurred;
            scrollbar-size-vertical: 1; scrollbar-background: $surface; scrollbar-color: $border-blurred;
            border-title-color: $foreground; border-title-style: bold; border-subtitle-color: $faint;
        }
        & .contents { height: auto; padding: 1 3; }
        &.-short .contents { padding: 0 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings([LEAVE._replace(label="close")])

    def compose(self) -> ComposeResult:
        """The panel around the contents."""
        with _Panel(classes="panel") as panel:
            panel.border_title = self.TITLE
            with Vertical(classes="contents"):
                yield from self.contents()
        yield KeyBar()

    def contents(self) -> ComposeResult:
        """The widgets of the page."""
        raise NotImplementedError

    def on_resize(self, event: events.Resize) -> None:
        """Leave no row empty in a low terminal."""
        self.set_class(event.size.height < 18, "-short")

    def on_click(self, event: events.Click) -> None:
        """A click beside the panel closes it."""
        if not self.query_one(".panel").region.contains(event.screen_x, event.screen_y):
            self.dismiss()
