"""The look of the screen: two themes, the arms' colours and marks, and ASCII for simple terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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

RUN_COLOURS = 8
"""The themes have colours 'run-1' to 'run-8' for several runs in one chart; letters tell more runs apart."""

_MORE_DARK = (
    "#95fbe7", "#e9687e", "#12deaa", "#de7c00", "#d4f73e", "#ad74ff", "#39aab5", "#bdd1f9",
    "#dcefa3", "#f18b70", "#e880d1", "#86b7a4", "#cbb3da", "#f4c1cf", "#b5b100",
)  # fmt: skip
_MORE_LIGHT = (
    "#580a4b", "#356e6c", "#260095", "#413007", "#575ce3", "#7b2883", "#96173a", "#ca2352",
    "#7e5db1", "#560499", "#172f65", "#be2b86", "#413d61", "#364927", "#7d5b40",
)  # fmt: skip
"""Colours of the second arm beside the baseline and of those after it: each as far as possible from all before it, also
for eyes without red or green receptors, and with a contrast of 4.5 : 1 to the background."""


def _of_more_arms(colours: Sequence[str], background: str, train: float, steps: float) -> dict[str, str]:
    """The colours 'arm-2', 'arm-3', ... with their fainter ones, of which the given share is the colour itself."""
    ground = Color.parse(background)
    shades = {"": 1.0, "-train": train, "-steps": steps}
    return {
        f"arm-{place}{name}": ground.blend(Color.parse(colour), share).hex.lower()
        for place, colour in enumerate(colours, start=2)
        for name, share in shades.items()
    }


DARK = Theme(
    name="regtui-dark",
    primary="#7aa2c8",
    secondary="#9aa7b5",
    accent="#e6c07b",
    foreground="#d7dde5",
    background="#11151b",
    surface="#171c24",
    panel="#222a35",
    success="#7fbf7f",
    warning="#e6b450",
    error="#e5736b",
    dark=True,
    variables={
        "baseline": "#6cb6ff",
        "baseline-train": "#4178ad",
        "baseline-steps": "#35506b",
        "regularized": "#ffb454",
        "regularized-train": "#b37a32",
        "regularized-steps": "#6b5030",
        "faint": "#5d6978",
        "run-1": "#6cb6ff",
        "run-2": "#ffb454",
        "run-3": "#7fd18b",
        "run-4": "#e58fd0",
        "run-5": "#5fd0c5",
        "run-6": "#a99bff",
        "run-7": "#d6cf6b",
        "run-8": "#f0857d",
        "border-blurred": "#2c3643",
        **_of_more_arms(_MORE_DARK, "#11151b", train=0.6, steps=0.37),
    },
)
LIGHT = Theme(
    name="regtui-light",
    primary="#2f6396",
    secondary="#5b6774",
    accent="#8a5a00",
    foreground="#1d232b",
    background="#fbfbf9",
    surface="#f3f3ef",
    panel="#e4e5e0",
    success="#2e7d32",
    warning="#9a6700",
    error="#b3261e",
    dark=False,
    variables={
        "baseline": "#0550ae",
        "baseline-train": "#5f93cc",
        "baseline-steps": "#b3cae6",
        "regularized": "#a04100",
        "regularized-train": "#cc8550",
        "regularized-steps": "#e6c7ae",
        "faint": "#8b939c",
        "run-1": "#0550ae",
        "run-2": "#a04100",
        "run-3": "#1a7f37",
        "run-4": "#a0268a",
        "run-5": "#0b7a75",
        "run-6": "#5b3fd0",
        "run-7": "#7a6a00",
        "run-8": "#b3261e",
        "border-blurred": "#cfd2cc",
        **_of_more_arms(_MORE_LIGHT, "#fbfbf9", train=0.63, steps=0.29),
    },
)


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
