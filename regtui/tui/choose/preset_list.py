"""The list of presets on the first screen: a name over its title for each, with what is wrong or was edited."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip
from textual.widgets import OptionList

from regtui.preset.faults import MAX_VALUE
from regtui.text import one_line
from regtui.tui.choose.entries import Entry
from regtui.tui.widgets.keys import Key, bindings

START = Key("enter", "start", "start", "Train the selected preset as it stands here.", "enter", footer=True)


class PresetList(OptionList):
    """Where enter starts and a click only chooses."""

    BINDINGS = bindings([START._replace(action="screen.start")])

    def render_line(self, y: int) -> Strip:
        """A row; where the focus is, it has one colour, in place of its own."""
        strip, theme = super().render_line(y), self.app.theme_variables
        focused, plain = Style(bgcolor=theme["accent"]), Style(color=theme["background"])
        return Strip(
            Segment(text, style + plain if style and style.bgcolor == focused.bgcolor else style, control)
            for text, style, control in strip
        )


def prompt_of(entry: Entry) -> Content:
    """An entry of the list: its name over its title."""
    name = one_line(entry.name, MAX_VALUE)
    if entry.faults:
        first = entry.faults[0].line
        return Content.assemble((f"✗ {name}", "bold $error"), ("  broken", "$error"), (f"\n  {first}", "$error"))
    if entry.draft is None:
        return Content.assemble((f"  {name}", "bold"), (f"\n  {entry.words}", "$secondary"))
    title = one_line(entry.draft.original.title, 200)
    mark = ("• ", "$warning") if entry.draft.edited else "  "
    return Content.assemble(mark, (name, "bold"), (f"\n  {title}", "$secondary"))
