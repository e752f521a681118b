"""The look of the screen: the arms' colours and marks, and ASCII for simple terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple
from weakref import WeakMethod

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme
from textual.widget import Widget

from regtui.plain import IN_CELLS
from regtui.preset.arms import marks_of


class ArmLook(NamedTuple):
    """What an arm is recognized by: a mark of one cell, and one of the themes' colours.

    Of each such colour the themes have two fainter ones, for training losses and for steps: '<colour>-train' and
    '<colour>-steps'.
    """

    mark: str
    colour: str


def arm_looks(arms: Iterable[str]) -> dict[str, ArmLook]:
    """The look of each arm of a run, by its place: the baseline comes first."""
    marks = marks_of(arms)
    colours = ["baseline", "regularized", *(f"arm-{place}" for place in range(2, len(marks)))]
    return {arm: ArmLook(mark, colour) for (arm, mark), colour in zip(marks.items(), colours, strict=False)}


CURSOR = "▼"
"""Marks the epoch under the cursor in a chart."""


def follow_theme(widget: Widget, redraw: Callable[[], object]) -> None:
    """Call a method of `widget` after each change of theme, as long as the widget exists.

    Textual's signal keeps a reference to what it calls. A weak one lets closed screens be freed.
    """
    method = WeakMethod(redraw)

    def call(_theme: Theme) -> None:
        if (known := method()) is not None:
            known()

    widget.app.theme_changed_signal.subscribe(widget, call, immediate=True)


def plain(text: str) -> str:
    """The text in ASCII, each character with its width in cells, so that nothing moves."""
    if text.isascii():
        return text
    return "".join(c if c.isascii() else "?" * cell_len(c) for c in text.translate(IN_CELLS))


class PlainText(LineFilter):
    """Replaces each character by ASCII on its way to the terminal."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """Translate each segment."""
        return [Segment(plain(text), style, control) for text, style, control in segments]
