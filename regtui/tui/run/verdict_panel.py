"""The outcome of a run at a glance, and on request what it rests on."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from regtui.evidence.glance import Part, Role
from regtui.evidence.headline import Tone, tone
from regtui.tui.look import ArmLook, arm_looks, follow_theme
from regtui.tui.run.session import Session

WIDEST = 110
"""Widest text in columns: longer lines are hard to read, shorter ones take rows from the charts."""
COLOURS: dict[Tone, str] = {"better": "success", "worse": "error", "level": "foreground", "warning": "warning"}
"""The theme's colour for each tone; words say the same where there are no colours."""


class VerdictPanel(VerticalScroll, can_focus=False):
    """The verdict and the place of the log; the keys of the screen around it scroll it if necessary."""

    DEFAULT_CSS = """
    VerdictPanel {
        height: auto; padding: 0 1; border-top: solid $border-blurred; border-title-color: $foreground;
        border-title-style: bold; scrollbar-size-vertical: 1;
        &.alone { height: 1fr; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._words = Static(markup=False)
        self._shown: tuple[Session, int, bool, str] | None = None

    def compose(self) -> ComposeResult:
        """One text."""
        yield self._words

    def on_mount(self) -> None:
        """Follow the theme: the text contains its colours."""
        follow_theme(self, self._draw)

    def show(self, session: Session, columns: int, *, details: bool = False, offer: str = "") -> None:
        """Show the outcome of a run that has ended, in lines of at most `columns` columns.

        Args:
            session: The run.
            columns: The room.
            details: Whether to show what the verdict rests on as well.
            offer: What a key would do next; may be empty.
        """
        if self._shown is None or self._shown[2] != details:
            self.scroll_home(animate=False)
        self._shown = session, columns, details, offer
        self._draw()

    def _draw(self) -> None:
        if self._shown is None:
            return
        session, columns, details, offer = self._shown
        width = max(20, min(WIDEST, columns))
        status = session.status
        titles = {"finished": "Verdict", "stopped": "Verdict · stopped"} if session.verdicts else {}
        title = f" {titles.get(status, status.capitalize())} "
        # Beside the title it takes no row from the charts.
        self.border_title = f"{title}── [b $accent]R[/] {offer} " if offer else title
        colour = COLOURS[tone(list(session.verdicts.values()))] if session.verdicts else "foreground"
        looks = arm_looks(session.preset.arms())
        rows = [Text.assemble(*self._parts(row, colour, looks)) for row in session.glance(width)]
        if details:
            rows += [Text(line) for line in ("", *session.details(width), "")]
        rows += [Text(line, self._style("secondary")) for line in session.place(width)]
        self._words.update(Text("\n").join(rows))

    def _parts(self, row: list[Part], headline: str, looks: dict[str, ArmLook]) -> list[tuple[str, Style]]:
        styles: dict[Role, Style] = {
            "headline": self._style(headline, bold=True),
            "soft": self._style("secondary"),
            "": Style.null(),
            **{role: self._style(name) for role, name in COLOURS.items()},
        }
        return [
            (part.text, self._style(looks[part.arm].colour, bold=True) if part.role == "arm" else styles[part.role])
            for part in row
        ]

    def _style(self, name: str, *, bold: bool = False) -> Style:
        return Style(color=self.app.theme_variables[name], bold=bold)
