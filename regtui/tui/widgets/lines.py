"""Rows of text that repaint only where they changed: a screen over SSH should send what is new and nothing else."""

from __future__ import annotations

from rich.text import Text
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from regtui.tui.look import follow_theme


class Lines(Widget):
    """A widget made of rows; a subclass says what they are, `redraw` brings them up to date."""

    ALLOW_SELECT = False  # Textual would select what it takes for the text of a drawn widget: its name

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._strips: list[Strip] = []

    def on_mount(self) -> None:
        """Rows hold colours, which another theme has others of."""
        follow_theme(self, self.redraw)

    def rows(self, width: int, height: int) -> list[Text]:
        """The rows for a space of `width` by `height` cells; the height is 0 where it follows from the rows."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Ask for the rows again and repaint those that differ from what is shown."""
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
        if not row.spans:  # rich forgets the row's own style where there is no other
            strip = strip.apply_style(self.app.console.get_style(row.style))
        return strip.adjust_cell_length(width)

    def render_line(self, y: int) -> Strip:
        """Row `y`, in the widget's own colours where it has none of its own."""
        strip = self._strips[y] if y < len(self._strips) else Strip.blank(self.content_size.width)
        return strip.apply_style(self.rich_style)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """As many as there are rows, where the height is 'auto'."""
        return len(self.rows(width, 0))

    def on_resize(self) -> None:
        """Another width may mean other rows."""
        self.redraw()
        self.refresh()
