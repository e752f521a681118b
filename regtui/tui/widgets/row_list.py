"""A list of any length with columns and a cursor; only the visible rows are made.

Textual's own table keeps state for each cell, so that sorting ten thousand runs takes three seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import ClassVar, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from regtui.text import one_line
from regtui.tui.look import follow_theme
from regtui.tui.widgets.keys import Key, bindings

GAP = 2
"""Blanks between columns."""
ROW_CURSOR = "▸"
"""Marks the row under the cursor, also without colours."""


OPEN = Key("enter", "open", "open", "In the list: open the row.", "enter", footer=True)


class Column(NamedTuple):
    """A column of a list.

    Attributes:
        title: Its header.
        width: Cells; longer texts end in '…'.
        right: Whether it is right-aligned, as numbers are.
        colour: The header's colour, by its name in the theme.
        joined: Whether it is shown only together with the column before it, as the second arm's number is.
    """

    title: str
    width: int
    right: bool = False
    colour: str = "faint"
    joined: bool = False


class Cell(NamedTuple):
    """A text and its colour, by its name in the theme; empty for the widget's own."""

    text: str
    colour: str = ""


class Sight(NamedTuple):
    """Which columns are visible.

    Attributes:
        columns: Their numbers, from left to right.
        slid: How many of the columns that scroll are hidden at the left.
        more: How many columns are hidden at the right.
    """

    columns: Sequence[int]
    slid: int
    more: int


class RowList(ScrollView, can_focus=True):
    """Rows below a fixed header. Arrows, page keys, wheel and mouse move the cursor; enter or a second click opens."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    RowList {
        height: 1fr; scrollbar-size-horizontal: 0; scrollbar-size-vertical: 1;
        scrollbar-background: $background; scrollbar-color: $border-blurred;
    }
    """
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("up,k", "move(-1)", "up", "In the list: a row up.", "↑ k"),
        Key("down,j", "move(1)", "down", "In the list: a row down.", "↓ j"),
        Key("pageup", "page(-1)", "page up", "In the list: a page up.", "pgup"),
        Key("pagedown", "page(1)", "page down", "In the list: a page down.", "pgdn"),
        Key("home", "to_end(-1)", "first", "In the list: the first row.", "home"),
        Key("end", "to_end(1)", "last", "In the list: the last row.", "end"),
        Key("left", "slide(-1)", "left", "In the list: the columns to the left.", "←"),
        Key("right", "slide(1)", "right", "In the list: the columns to the right.", "→"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(KEYS), *bindings((OPEN,))]

    class Moved(Message):
        """The cursor has moved to another row."""

    class Opened(Message):
        """The user opens the row under the cursor."""

    class HeaderClicked(Message):
        """A column's header was clicked.

        Attributes:
            column: Which, from 0.
        """

        def __init__(self, column: int) -> None:
            super().__init__()
            self.column = column

    def __init__(self) -> None:
        super().__init__()
        self.cursor = 0
        self._columns: Sequence[Column] = ()
        self._staying = 0
        self._slid = 0
        self._count = 0
        self._cells: Callable[[int], Sequence[Cell]] = lambda _row: ()

    def fill(
        self,
        columns: Sequence[Column],
        count: int,
        cells: Callable[[int], Sequence[Cell]],
        cursor: int = 0,
        staying: int = 0,
    ) -> None:
        """Show other rows.

        Args:
            columns: The columns of each row.
            count: How many rows there are.
            cells: Makes a row's cells; called when the row becomes visible.
            cursor: The row that the cursor is on.
            staying: How many columns at the left stay when the others scroll.
        """
        self._columns, self._count, self._cells, self._staying = columns, count, cells, staying
        self.cursor = max(0, min(cursor, count - 1))
        self.virtual_size = Size(0, count + 1)  # sideways, whole columns scroll
        self._into_view()
        self.refresh()

    def on_mount(self) -> None:
        """Follow the theme: the rows contain its colours."""
        follow_theme(self, self.refresh)

    def render_line(self, y: int) -> Strip:
        """The header, or the row that is visible at `y`."""
        width = self._width
        row = y - 1 + self.scroll_offset.y
        style = self.rich_style
        if y == 0:
            strip = self._header()
        elif row < self._count:
            cells = self._cells(row)
            at_cursor, theme = row == self.cursor, self.app.theme_variables
            if at_cursor and self.has_focus:
                cells = [cell._replace(colour="background") for cell in cells]
                style += Style(bgcolor=theme["accent"], color=theme["background"], bold=True)
            elif at_cursor:  # with 16 colours, faint would be the colour of the row itself
                cells = [cell._replace(colour="" if cell.colour == "faint" else cell.colour) for cell in cells]
                style += Style(bgcolor=theme["panel"])
            mark = Cell(ROW_CURSOR, "background" if self.has_focus else "accent") if at_cursor else Cell(" ")
            strip = self._row(cells, mark, self._sight().columns)
        else:
            return Strip.blank(width, style)
        return strip.adjust_cell_length(width).apply_style(style)

    def _header(self) -> Strip:
        """The titles; arrows show on which sides there are more columns, and are the keys to get there."""
        columns, slid, more = self._sight()
        strip = self._row([Cell(c.title, c.colour) for c in self._columns], Cell(" "), columns)
        if slid:
            left = len(ROW_CURSOR) + sum(column.width + GAP for column in self._columns[: self._staying]) - GAP
            strip = self._write(strip, "←", max(0, left))
        if more:
            words = f"+{more} →"
            if strip.cell_length - GAP + 1 + len(words) > self._width:
                words = "→"
            strip = self._write(strip.adjust_cell_length(self._width), words, self._width - len(words))
        return strip

    def _write(self, strip: Strip, words: str, left: int) -> Strip:
        """The strip with a text written over a part of it."""
        return Strip.join(
            [strip.crop(0, left), Strip([Segment(words, self._style("accent"))]), strip.crop(left + len(words))]
        )

    def _row(self, cells: Sequence[Cell], before: Cell, columns: Sequence[int]) -> Strip:
        """A row as segments; a page of rich's Text objects would take too long for a key press."""
        segments = [Segment(before.text, self._style(before.colour or "foreground"))]
        for number in columns:
            column, cell = self._columns[number], cells[number]
            words = one_line(cell.text)
            if cell_len(words) > column.width:
                words = set_cell_size(words, column.width - 1) + "…"
            air = " " * (column.width - cell_len(words) + GAP)
            words = f"{air[GAP:]}{words}{air[:GAP]}" if column.right else words + air
            segments.append(Segment(words, self._style(cell.colour or "foreground")))
        return Strip(segments)

    @property
    def _width(self) -> int:
        """Width without the scroll bar."""
        return self.scrollable_content_region.width

    def _sight(self) -> Sight:
        """The visible columns: only whole ones, unless not even one fits beside those that stay."""
        staying = range(min(self._staying, len(self._columns)))
        groups: list[list[int]] = []
        for number in range(len(staying), len(self._columns)):
            if self._columns[number].joined and groups:
                groups[-1].append(number)
            else:
                groups.append([number])
        if not groups:
            return Sight(staying, 0, 0)
        widths = [sum(self._columns[number].width + GAP for number in group) for group in groups]
        room = self._width - len(ROW_CURSOR) - sum(self._columns[number].width + GAP for number in staying)
        room += GAP  # no gap is needed after the last
        last = len(groups) - max(1, _fitting(widths[::-1], room))
        slid = min(self._slid, last)
        fitting = _fitting(widths[slid:], room if slid == last else room - len("→"))
        end = slid + max(1, fitting)
        return Sight(
            [*staying, *(number for group in groups[slid:end] for number in group)], slid, sum(map(len, groups[end:]))
        )

    def _style(self, colour: str) -> Style:
        return Style(color=self.app.theme_variables[colour])

    # Moving

    def _into_view(self) -> None:
        rows = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True, immediate=True)
        elif self.cursor >= top + rows:
            self.scroll_to(y=self.cursor - rows + 1, animate=False, force=True, immediate=True)

    def _to(self, row: int) -> None:
        row = max(0, min(row, self._count - 1))
        if row == self.cursor:
            return
        before, self.cursor = self.cursor, row
        top = self.scroll_offset.y
        self._into_view()
        if self.scroll_offset.y == top:
            self.refresh(*(Region(0, y - top + 1, self.size.width, 1) for y in (before, row)))
        else:
            self.refresh()
        self.post_message(self.Moved())

    def action_move(self, rows: int) -> None:
        """Move the cursor up or down."""
        self._to(self.cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move by a page."""
        self._to(self.cursor + pages * max(1, self.size.height - 2))

    def action_to_end(self, direction: int) -> None:
        """Move to the first or the last row."""
        self._to(0 if direction < 0 else self._count - 1)

    def action_slide(self, direction: int) -> None:
        """Scroll left or right, if the columns are wider than the terminal."""
        self._slid = max(0, self._sight().slid + direction)
        self.refresh()

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self._count:
            self.post_message(self.Opened())

    def on_resize(self) -> None:
        """Keep the cursor visible."""
        self._into_view()

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the click, open the row if the cursor is already there, or report a click on a header."""
        place = event.get_content_offset(self)
        if place is None:
            return
        row = place.y - 1 + self.scroll_offset.y
        if place.y == 0:
            right = len(ROW_CURSOR)
            for index in self._sight().columns:
                right += self._columns[index].width + GAP
                if place.x < right:
                    self.post_message(self.HeaderClicked(index))
                    return
        elif row == self.cursor:
            self.action_open()
        elif row < self._count:
            self._to(row)


def _fitting(widths: Sequence[int], room: int) -> int:
    """How many of these columns fit, from the first on."""
    return sum(total <= room for total in accumulate(widths))
