"""What a chart shows: curves, axes and words, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Stroke = Literal["steps", "dotted", "dashed", "solid"]
"""How a line is drawn, from the least important to the most: the more important covers the less important."""
RANKS: dict[Stroke, int] = {"steps": 0, "dotted": 1, "dashed": 2, "solid": 2}
MOST_TICKS = 12
"""Labels at the left of the highest chart."""


class Space(NamedTuple):
    """Columns and rows of a chart."""

    width: int
    height: int


@dataclass(frozen=True)
class Curve:
    """Points to draw, all finite.

    Attributes:
        x: Their horizontal positions in the chart's units, rising.
        y: Their heights.
        colour: Name of a theme variable.
        stroke: How the line through them is drawn.
        mark: A character that stands along the line now and then, or, without a line, at every point.
        line: Whether neighbours are joined.
        name: What is written at the line's end, from its longest form to its shortest: 'validation 0.310', '0.310'.
    """

    x: list[float]
    y: list[float]
    colour: str
    stroke: Stroke = "solid"
    mark: str = ""
    line: bool = True
    name: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """How important it is; what is as faint as steps gives way to what is not."""
        return min(RANKS[self.stroke], 1) if self.colour.endswith("-steps") else RANKS[self.stroke]


@dataclass(frozen=True)
class Plot:
    """Everything a chart shows; equal plots look the same.

    Attributes:
        curves: Of equal importance the last is drawn on top; where two of the most important lie in the same cells,
            the cells are theirs in turn.
        x_limits: Left and right end of the axis.
        y_limits: Lower and upper end; a line that leaves them ends at the edge with an arrow.
        x_ticks: Positions on the horizontal axis with their labels.
        y_ticks: Positions on the vertical axis with their labels.
        verticals: Lines from bottom to top: (x, colour).
        horizontals: Lines from left to right: (y, colour).
        words: Marks, with words beside them if there is room: ('■ stopped', x, y, colour).
        labels: The least width of the labels at the left, so that charts above each other have the same columns.
        reserve: Columns right of the axis' end that are kept free for names.
        empty: The text shown while there is nothing to draw.
    """

    curves: list[Curve] = field(default_factory=list)
    x_limits: tuple[float, float] = (0.0, 1.0)
    y_limits: tuple[float, float] = (0.0, 1.0)
    x_ticks: list[tuple[float, str]] = field(default_factory=list)
    y_ticks: list[tuple[float, str]] = field(default_factory=list)
    verticals: list[tuple[float, str]] = field(default_factory=list)
    horizontals: list[tuple[float, str]] = field(default_factory=list)
    words: list[tuple[str, float, float, str]] = field(default_factory=list)
    labels: int = 0
    reserve: int = 0
    empty: str = ""


def labels_width(plots: Sequence[Plot]) -> int:
    """The width of the widest label at the left of these."""
    return max((len(label) for plot in plots for _, label in plot.y_ticks), default=0)
