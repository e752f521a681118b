"""What a chart shows: curves, axes and words, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Curve:
    """Points to draw, all finite.

    Attributes:
        x: Their horizontal positions in the chart's units.
        y: Their heights.
        colour: Name of a theme variable.
        marker: 'hd' (quarter blocks), 'braille', 'dot', or a character.
        line: Whether neighbours are joined.
    """

    x: list[float]
    y: list[float]
    colour: str
    marker: str
    line: bool = True


@dataclass(frozen=True)
class Plot:
    """Everything a chart shows; equal plots look the same.

    Attributes:
        curves: Drawn in this order, the last on top.
        x_limits: Left and right end of the axis.
        y_limits: Lower and upper end; what is beyond is drawn at the edge.
        x_ticks: Positions on the horizontal axis with their labels.
        y_ticks: Positions on the vertical axis with their labels.
        verticals: Lines from bottom to top: (x, colour).
        horizontals: Lines from left to right: (y, colour).
        words: Marks, with words beside them if there is room: ('■ stopped', x, y, colour).
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
    empty: str = ""
