"""The parts of the weights screen: a table of the layers, two histograms, and pictures of the first layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual import events
from textual.color import Color, Gradient
from textual.geometry import Size
from textual.message import Message

from regtui.text import share
from regtui.tui.look import ArmLook, PlainText
from regtui.tui.widgets.lines import Lines

if TYPE_CHECKING:  # numpy takes 0.2 s to import
    from regtui.runs.weights import Histogram, Layer, Picture

EIGHTHS = " ▁▂▃▄▅▆▇█"
SHADES = " .:-=+*#%@"


class LayerTable(Lines):
    """For each layer and arm a row with norm, share of exact zeros and share of small weights."""

    DEFAULT_CSS = "LayerTable { height: auto; }"

    class Clicked(Message):
        """A layer was clicked.

        Attributes:
            index: Which, from 0.
        """

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, looks: Mapping[str, ArmLook]) -> None:
        """Make the view; `looks` are those of the run's arms."""
        super().__init__()
        self._looks = looks
        self._layers: dict[str, list[Layer]] = {}
        self._chosen = 0

    def show(self, layers: dict[str, list[Layer]], chosen: int) -> None:
        """Show these layers, by arm, and mark the chosen one."""
        self._layers, self._chosen = layers, chosen
        self.redraw()

    def row_of(self, index: int) -> int:
        """The first row of a layer."""
        return 1 + index * len(self._layers)

    def rows(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        """A heading, then the layers."""
        colours = self.app.theme_variables
        wide = width >= 64
        if wide:
            heading = f"  {'layer':<9}  {'weights':>13}  {'arm':<13}{'norm':>8}{'zero':>9}{'|w| < 0.001':>14}"
        else:
            heading = f"  {'layer':<10}{'norm':>8}{'zero':>9}{'< 0.001':>9}"
        rows = [Text.styled(heading, colours["faint"])]
        for index, pair in enumerate(zip(*self._layers.values(), strict=False)):
            chosen = index == self._chosen
            for name, layer in zip(self._layers, pair, strict=True):
                first = name == next(iter(self._layers))
                row = Text(style=f"on {colours['panel']}" if chosen else "")
                row.append("› " if first and chosen else "  ")
                row.append(f"{layer.name if first else '':<{9 if wide else 8}}", "bold" if chosen else "")
                if wide:
                    shape = _shape(layer.shape) if first else ""
                    row.append(f"  {shape:>13}", colours["faint"])
                mark, colour = self._looks[name]
                short = name if len(name) <= 11 else f"{name[:10]}…"
                row.append(f"  {mark} {short:<11}" if wide else f" {mark}", colours[colour])
                zeros, small = share(layer.zeros), share(layer.small)
                row.append(f"{layer.norm:>8.4g}" + (f"{zeros:>9}{small:>14}" if wide else f"{zeros:>9}{small:>9}"))
                row.truncate(width, pad=True)
                rows.append(row)
        return rows

    def on_click(self, event: events.Click) -> None:
        """Choose the layer under the mouse."""
        arms = len(self._layers)
        if arms and event.y >= 1:
            self.post_message(self.Clicked((event.y - 1) // arms))


class HistogramView(Lines):
    """The weights of one layer, one histogram an arm, above one another on the same axis."""

    DEFAULT_CSS = "HistogramView { height: auto; }"

    def __init__(self, looks: Mapping[str, ArmLook]) -> None:
        """Make the view; `looks` are those of the run's arms."""
        super().__init__()
        self._looks = looks
        self._pair: dict[str, Layer] = {}
        self._histogram: Histogram | None = None

    def on_unmount(self) -> None:
        """Let go of the weights, as the screen does."""
        self._pair = {}

    def show(self, pair: dict[str, Layer]) -> None:
        """Show this layer, given by arm."""
        self._pair, self._histogram = pair, None
        self.redraw()

    def rows(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        """Title, the two histograms, their axis, and how many weights are beyond its ends."""
        if not self._pair:
            return []
        bins = max(3, min(width, 121)) // 2 * 2 - 1  # odd, so that the zeros have a bin of their own in the middle
        histogram = self._count(bins)
        colours = self.app.theme_variables
        bar_rows = 8 if self.app.size.height >= 34 else 4
        scale = log_scale([count for counts in histogram.counts for count in counts.tolist()])
        name = next(iter(self._pair.values())).name
        title = Text.assemble((name, "bold"), (f"  log counts, {scale[0]:,} to {scale[1]:,}", colours["faint"]))
        rows = [title]
        for arm, counts in zip(self._pair, histogram.counts, strict=True):
            colour = colours[self._looks[arm].colour]
            rows.append(Text.styled(f"{self._looks[arm].mark} {arm}", colour))
            rows += [Text.styled(bar, colour) for bar in bars(counts.tolist(), scale, bar_rows)]
        rows += [Text.styled(line, colours["faint"]) for line in _axis(histogram.limit, bins)]
        marks = [self._looks[arm].mark for arm in self._pair]
        beyond = " · ".join(f"{mark} {count:,}" for mark, count in zip(marks, histogram.beyond, strict=True))
        rows.append(Text.styled(f"edge bins hold all beyond: {beyond}", colours["faint"]))
        for arm, lost in zip(self._pair, histogram.not_finite, strict=True):
            if lost:
                rows.append(
                    Text.styled(f"{self._looks[arm].mark} {arm}: {lost:,} weights are not finite", colours["error"])
                )
        for row in rows:
            row.truncate(width)
        return rows

    def _count(self, bins: int) -> Histogram:
        """The histogram; kept for each width, because counting takes about 10 ms."""
        from regtui.runs.weights import histogram

        if self._histogram is None or len(self._histogram.counts[0]) != bins:
            a, b = self._pair.values()
            self._histogram = histogram(a.matrix, b.matrix, bins)
        return self._histogram


class PictureView(Lines):
    """For each arm a picture of its first layer: pixels or kernels, two pixels in a cell, on a common scale."""

    DEFAULT_CSS = "PictureView { width: auto; max-width: 100%; height: auto; }"
    NOTHING = "The first layer looks at no pixels: there is no picture of it."

    def __init__(self, looks: Mapping[str, ArmLook]) -> None:
        """Make the view; `looks` are those of the run's arms."""
        super().__init__()
        self._looks = looks
        self._pictures: dict[str, Picture] = {}

    def show(self, pictures: dict[str, Picture]) -> None:
        """Show these pictures, by arm; empty if the first layer has none."""
        width_before = self._side_by_side()
        self._pictures = pictures
        if self._side_by_side() != width_before:
            self.refresh(layout=True)
        self.redraw()

    def get_content_width(self, container: Size, viewport: Size) -> int:  # noqa: ARG002
        """Width of the pictures side by side with two cells between them, or of their title."""
        return self._side_by_side()

    def _side_by_side(self) -> int:
        if not self._pictures:
            return len(self.NOTHING)
        first = next(iter(self._pictures.values()))
        cells = sum(self._cells(arm) + 2 for arm in self._pictures) - 2
        return max(cells, len(f"{first.title}  {first.about}"))

    def _cells(self, arm: str) -> int:
        """The width of an arm's picture with its label."""
        return max(int(self._pictures[arm].values.shape[1]), len(arm) + 2)

    def rows(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        """Title, the pictures side by side or below one another, and the scale."""
        colours = self.app.theme_variables
        if not self._pictures:
            return [Text.styled(self.NOTHING, colours["faint"])]
        values = [picture.values for picture in self._pictures.values()]
        top = max((v for one in values for v in one.flat if math.isfinite(v)), default=0.0) or 1.0
        blocks = []
        for arm, picture in self._pictures.items():
            block = [
                Text.styled(f"{self._looks[arm].mark} {arm}", colours[self._looks[arm].colour]),
                *self._draw(picture.values.tolist(), top),
            ]
            for row in block:
                row.truncate(self._cells(arm), pad=True)
            blocks.append(block)
        first = next(iter(self._pictures.values()))
        title = Text.assemble((first.title, "bold"), (f"  {first.about}", colours["faint"]))
        if width >= sum(self._cells(arm) + 2 for arm in self._pictures) - 2:
            body = [Text("  ").join(cells) for cells in zip(*blocks, strict=True)]
        else:
            body = [row for block in blocks for row in block]
        scale = self._draw([[top * i / 17 for i in range(18)]] * 2, top)[0]
        rows = [title, *body, Text.assemble(("0 ", colours["faint"]), scale, (f" {top:.3g}", colours["faint"]))]
        for row in rows:
            row.truncate(width)
        return rows

    def _draw(self, values: list[list[float]], top: float) -> list[Text]:
        plain = self.app.no_color or any(isinstance(one, PlainText) for one in self.app.get_line_filters())
        if plain:
            return [Text(line) for line in shades(values, top)]
        colours = self.app.theme_variables
        ramp = Gradient(
            (0.0, Color.parse(colours["surface"])),
            (0.5, Color.parse(colours["primary"])),
            (1.0, Color.parse(colours["foreground"])),
        )

        def colour(value: float) -> str:
            return ramp.get_rich_color(value / top).name if math.isfinite(value) else colours["error"]

        rows = []
        for upper, lower in _row_pairs(values):
            row = Text()
            for a, b in zip(upper, lower, strict=True):
                row.append("▀", f"{colour(a)} on {colour(b)}")
            rows.append(row)
        return rows


def _shape(shape: tuple[int, ...]) -> str:
    """'784 → 256'; for a convolution with the kernel's size before it: '3×3 1 → 16'."""
    out, inputs, *kernel = shape
    words = f"{inputs:,} → {out:,}"
    return f"{'×'.join(map(str, kernel))} {words}" if kernel else words


def log_scale(counts: Sequence[int]) -> tuple[int, int]:
    """Ends of a logarithmic scale: the power of ten at or below the smallest count above 0, and the largest count."""
    filled = [count for count in counts if count] or [1]
    return int(10 ** (len(str(min(filled))) - 1)), max(filled)


def bars(counts: Sequence[int], scale: tuple[int, int], rows: int) -> list[str]:
    """Bars as lines of text, the top line first; heights are logarithmic, and every bin but an empty one is visible."""
    low, high = scale
    whole = math.log(high / low) or 1.0
    heights = [max(1, round(rows * 8 * math.log(count / low) / whole)) if count else 0 for count in counts]
    return ["".join(EIGHTHS[max(0, min(8, height - 8 * row))] for height in heights) for row in reversed(range(rows))]


def shades(values: list[list[float]], top: float) -> list[str]:
    """A picture in characters: fuller ones for larger means of the cell's two pixels; '?' for a value not finite."""
    lines = []
    for upper, lower in _row_pairs(values):
        means = [(a + b) / 2 / top for a, b in zip(upper, lower, strict=True)]
        lines.append("".join(SHADES[round(mean * 9)] if math.isfinite(mean) else "?" for mean in means))
    return lines


def _row_pairs(values: list[list[float]]) -> list[tuple[list[float], list[float]]]:
    """Pairs of rows; an odd last row is paired with itself."""
    return [(values[y], values[min(y + 1, len(values) - 1)]) for y in range(0, len(values), 2)]


def _axis(limit: float, bins: int) -> tuple[str, str]:
    half = bins // 2
    edge = f"{limit:.2g}"
    labels = f"{'−' + edge:<{half}}0{edge:>{half}}"
    return f"{'─' * half}┴{'─' * half}", labels
