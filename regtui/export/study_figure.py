"""A study's figure, with matplotlib: dots and intervals around zero, below them dose and response, and heat maps."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from regtui.evidence.dose import DoseResponse
from regtui.evidence.effect_map import EffectMap
from regtui.export.figure import COLORS, MARKERS, WIDTH, drawing
from regtui.export.saved_study import SavedStudy
from regtui.study.dose import dose_responses, effect_maps
from regtui.study.words import StudyWords
from regtui.text import NBSP, one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW, HEAD, RESPONSE = 0.24, 0.7, 1.8
"""Heights in inches: of an arm's row, of what stands around the rows, and of a strength's chart."""
LETTERS = 28
"""Of a longer name only so many characters are drawn."""


def write(study: SavedStudy, path: Path) -> None:
    """Draw a study into `path`, as SVG or PNG according to its suffix.

    Raises:
        InputError: matplotlib isn't installed.
    """
    words = study.words
    responses, maps = dose_responses(study.outcome), effect_maps(study.outcome)
    cells = study.outcome.cells.values()
    rows = sum(len(cell.arms) + (len(cells) > 1) for cell in cells)
    heights = [HEAD + ROW * rows, *(RESPONSE for _ in responses), *(HEAD + ROW * len(of.rows) for of in maps)]
    with drawing(path, study.name, (WIDTH, sum(heights))) as figure:
        all_axes = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)
        _draw_forest(all_axes[0, 0], words)
        below = iter(all_axes[1:, 0])
        for response in responses:
            _draw_response(next(below), response, words)
        for of in maps:
            _draw_map(next(below), of, words)


def _draw_forest(axes: Axes, words: StudyWords) -> None:
    """A row for each arm in each cell, the first on top."""
    smallest = words.plan.smallest_effect
    names: list[str] = []
    if smallest:
        axes.axvspan(-smallest, smallest, color="0.92", linewidth=0)
    axes.axvline(0, color="0.5", linewidth=0.6)
    for cell in words.outcome.cells.values():
        if len(words.outcome.cells) > 1:
            names.append(_text(f"{words.place(cell.cell)}:"))
        for place, (arm, of) in enumerate(cell.arms.items(), start=1):
            y, color = -len(names), _color(place)
            names.append(_text(words.named(arm)))
            score = of.score
            dots = [value for value in score.differences.values() if math.isfinite(value)]
            axes.plot(dots, [y - 0.22] * len(dots), ".", color=color, markersize=2.5, alpha=0.6)
            if score.joint is not None and score.call != "open":
                axes.plot(score.joint, (y, y), color=color)
            if score.mean is not None:
                axes.plot([score.mean], [y], MARKERS[1], color=color)
    axes.set_yticks([-place for place in range(len(names))], names)
    axes.set_ylim(-len(names) + 0.4, 0.6)
    unit = words.metric.points.replace(NBSP, " ").strip()
    axes.set_xlabel(f"Δ {words.quantity}{f' ({unit})' if unit else ''}")


def _draw_response(axes: Axes, of: DoseResponse, words: StudyWords) -> None:
    """A metric over the values of a strength, and the baseline as a band."""
    base = of.baseline
    if base.interval is not None:
        axes.axhspan(*base.interval, color=COLORS[0], alpha=0.15, linewidth=0)
    if base.mean is not None:
        axes.axhline(base.mean, color=COLORS[0], linewidth=0.8, label="baseline")
    color, places = _color(1), [of.place(dose.value) for dose in of.doses]
    for place, dose in zip(places, of.doses, strict=True):
        values = [value for value in dose.level.test.values() if math.isfinite(value)]
        axes.plot([place] * len(values), values, ".", color=color, markersize=2.5, alpha=0.6)
        if dose.level.interval is not None:
            axes.plot((place, place), dose.level.interval, color=color)
    means = [math.nan if dose.level.mean is None else dose.level.mean for dose in of.doses]
    axes.plot(places, means, color=color, marker=MARKERS[1])
    axes.set_xticks(places, [f"{dose.value:g}" for dose in of.doses])
    at = words.where(words.first.cell)  # other cells have responses of their own, which are not drawn
    axes.set_xlabel(_text(f"{of.key}, at {at}" if at else of.key))
    unit = words.metric.unit.replace(NBSP, "")
    axes.set_ylabel(f"{words.quantity}{f' ({unit})' if unit else ''}")


def _draw_map(axes: Axes, of: EffectMap, words: StudyWords) -> None:
    """Mean differences over two settings: green where the arm is ahead, brown where the baseline is."""
    found = [[of.effects.get((row, column)) for column in of.columns] for row in of.rows]
    means = [[math.nan if one is None or one.mean is None else one.mean for one in row] for row in found]
    reach, colors = of.reach or 1.0, "BrBG" if words.metric.better == "higher" else "BrBG_r"
    axes.imshow(means, cmap=colors, vmin=-1.6 * reach, vmax=1.6 * reach, aspect="auto")  # paler, so that text is read
    for y, row in enumerate(means):
        for x, mean in enumerate(row):
            if math.isfinite(mean):
                axes.text(x, y, words.difference(mean), ha="center", va="center", fontsize=7)
    axes.set_xticks(range(len(of.columns)), [f"{value:,g}" for value in of.columns])
    axes.set_yticks(range(len(of.rows)), [f"{value:,g}" for value in of.rows])
    axes.set_xlabel(_text(of.column_key))
    axes.set_ylabel(_text(of.row_key))


def _color(place: int) -> str:
    return COLORS[(place - 1) % (len(COLORS) - 1) + 1]


def _text(text: str) -> str:
    """A text in which nothing begins a formula."""
    return one_line(text.replace(NBSP, " "), LETTERS).replace("$", r"\$")
