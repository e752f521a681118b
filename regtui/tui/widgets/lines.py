"""Rows of text that repaint only where they changed, so that little is sent over SSH."""

from __future__ import annotations

from rich.text import Text
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from regtui.tui.look import follow_theme


class Lines(Widget):
    """A widget made of rows of text. Subclasses define `rows`; `redraw` updates what is shown."""

    ALLOW_SELECT = False  # Textual would copy the widget's name in place of its text

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._strips: list[Strip] = []

    def on_mount(self) -> None:
        """Follow the theme: the rows contain its colours."""
        follow_theme(self, self.redraw)

    def rows(self, width: int, height: int) -> list[Text]:
        """The rows for `width` by `height` cells; `height` is 0 if it is to follow from the rows."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Make the rows again and repaint those that changed."""
        width, height = self.content_size
        if width <= 0:
            return
        strips = [self._strip(row, width) for row in self.rows(width, height)]
        before, self._strips = self._strips, strips
        if len(before) != len(strips):
            self.refresh(layout=self.styles.is_auto_height)
            return
        changed = [y for y, (old, new) in enumerate(zip(before, strips, strict=True)) if old != new]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def _strip(self, row: Text, width: int) -> Strip:
        strip = Strip(row.render(self.app.console, end=""))
        if not row.spans:  # rich drops the row's own style where no other applies
            strip = strip.apply_style(self.app.console.get_style(row.style))
        return strip.adjust_cell_length(width)

    def render_line(self, y: int) -> Strip:
        """Row `y`; where it has no colours, the widget's apply."""
        strip = self._strips[y] if y < len(self._strips) else Strip.blank(self.content_size.width)
        return strip.apply_style(self.rich_style)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """The number of rows, for a height of 'auto'."""
        return len(self.rows(width, 0))

    def on_resize(self) -> None:
        """Make the rows for the new size."""
        self.redraw()
        self.refresh()
