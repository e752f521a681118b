"""What can be done now, found by its words: Textual's command palette, fed from the tables of keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider

from regtui.tui.widgets.key_bar import KeyBar, label_of
from regtui.tui.widgets.keys import LEAVE, Key, bindings


class _Command(NamedTuple):
    """A key that does something now: what it says in the footer, the sentence of the help, and pressing it."""

    title: str
    key: str
    help: str
    run: Callable[[], None]

    @property
    def display(self) -> Text:
        """All of it in one row."""
        return Text.assemble((f"{self.title:<14} ", "bold"), f"{self.key:<6} {self.help}")


class KeyCommands(Provider):
    """Every key that would do something on the screen below, with what has the focus there; each is pressed."""

    def _commands(self) -> Iterator[_Command]:
        told = set[tuple[object, str]]()
        main_first = sorted(self.screen.active_bindings.items(), key=lambda item: not item[1].binding.show)
        for key, active in main_first:
            binding = active.binding
            if not active.enabled or not binding.tooltip or (active.node, binding.action) in told:
                continue
            told.add((active.node, binding.action))
            if binding.action != "app.command_palette":
                shown = (binding.key_display or key).partition(" ")[0]
                run = partial(self.app.simulate_key, key)
                yield _Command(label_of(active), shown, binding.tooltip, run)

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for one in self._commands():
            yield DiscoveryHit(one.display, one.run, one.title)

    async def search(self, query: str) -> Hits:
        """Those that match, by their label or by the sentence of the help."""
        matcher = self.matcher(query)
        for one in self._commands():
            if score := max(matcher.match(one.title), matcher.match(one.help) / 2):
                yield Hit(score, one.display, one.run, one.title)


class CommandScreen(CommandPalette):
    """The list of commands, with the rows that all screens have at the bottom."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        (
            Key("enter", "choose", "do it", "Do what is chosen.", "enter", footer=True),
            Key("up", "command_list('cursor_up')", "up", "The command above.", "↑", footer=True),
            Key("down", "cursor_down", "down", "The command below.", "↓", footer=True),
            LEAVE._replace(action="escape"),
        ),
        first=True,  # the field has some of these keys without a word for the footer
    )

    def __init__(self) -> None:
        super().__init__([KeyCommands], placeholder="What to do: type some of its letters")

    def compose(self) -> ComposeResult:
        """The list above the rows at the bottom."""
        yield from super().compose()
        yield KeyBar()

    def action_choose(self) -> None:
        """Do what is chosen."""
        self._select_or_command()
