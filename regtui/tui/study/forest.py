"""Each arm's dots, one a seed, and its interval, around zero on a common scale. Uses no widget."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text

from regtui.axes import ticks
from regtui.evidence.bars import INSIDE, LEFT, RIGHT, Ruler, is_drawn
from regtui.evidence.over_seeds import Call, Compared
from regtui.evidence.student import Interval, t_interval
from regtui.study.outcome import ArmOutcome, StudyOutcome
from regtui.text import UNKNOWN, counted
from regtui.tui.study.subject import Subject

ZERO, EFFECT, DOT, ADDED, HERE = "│", "╎", "•", "○", "▸"
BOUNDS = "[", "]"
"""What the mean has to pass, so that a look makes a call."""
CALLS: Mapping[Call, tuple[str, str]] = {
    "helps": ("helps", "success"),
    "hurts": ("hurts", "error"),
    "no difference": ("no difference", "foreground"),
    "inconclusive": ("inconclusive", "faint"),
    "open": ("open", "faint"),
    "none": (UNKNOWN, "faint"),
}
"""What is said of a comparison, and the theme's colour for it."""
SHORT = {"no difference": "=", "inconclusive": "?", "open": ""}
"""The same in a narrow terminal, where it is shorter."""
WIDE, MEDIUM = 110, 66
"""Columns from which a row has all its figures, and from which it has some."""
MOST_NAME = 30
"""Columns of an arm's name at most."""
AIR = 0.06
"""The scale reaches so far beyond what is drawn, as a share of it."""


class ArmInCell(NamedTuple):
    """A comparison on the screen: an arm in a cell."""

    cell: str
    arm: str


class Dot(NamedTuple):
    """A seed of a comparison, and the difference there."""

    seed: int
    difference: float


def places(outcome: StudyOutcome) -> list[ArmInCell]:
    """All comparisons, cell by cell."""
    return [ArmInCell(name, arm) for name, cell in outcome.cells.items() for arm in cell.arms]


def found(outcome: StudyOutcome, place: ArmInCell) -> ArmOutcome:
    """What a comparison came to."""
    return outcome.cells[place.cell].arms[place.arm]


def dots(compared: Compared) -> list[Dot]:
    """A comparison's seeds from the lowest difference to the highest, as they stand on the scale."""
    return sorted((Dot(*pair) for pair in compared.differences.items()), key=lambda dot: (dot.difference, dot.seed))


def scale(outcome: StudyOutcome, width: int) -> Ruler:
    """A scale of so many cells on which all dots and intervals, zero and the smallest effect lie."""
    values = [0.0]
    for place in places(outcome):
        score = found(outcome, place).score
        values += [value for value in score.differences.values() if math.isfinite(value)]
        values += _interval(score) or ()
        values += [*_bounds(outcome, score), *_added(outcome, place)]
    smallest = outcome.plan.smallest_effect or 0.0
    low, high = min(values), max(values)
    low, high = min(low, -smallest), max(high, smallest)
    air = AIR * (high - low) or 1.0
    return Ruler(low - air, high + air, max(2, width))


def forest(
    outcome: StudyOutcome,
    subject: Subject,
    chosen: ArmInCell | None,
    seed: int | None,
    size: tuple[int, int],
    colours: Mapping[str, str],
) -> list[Text]:
    """The rows, `size[1]` at most, or all of them where that is 0; the last two are the scale and what is drawn.

    Args:
        outcome: The study.
        subject: Its arms and unit.
        chosen: The comparison under the cursor, which is always among the rows; None where there is no cursor.
        seed: The seed under the cursor, if any.
        size: Columns and rows.
        colours: The theme's colours, by name.
    """
    width, height = size
    head = len(outcome.cells) > 1
    longest = max(cell_len(subject.label(arm, MOST_NAME)) for _, arm in places(outcome))
    names = min(MOST_NAME, 2 * width // 5 if width >= MEDIUM else width // 3, 4 + longest)
    figures = {place: _figures(found(outcome, place), subject, width) for place in places(outcome)}
    room = max(cell_len(words) for words, _ in figures.values())
    ruler = scale(outcome, max(12, width - names - room - 3))
    rows_of: list[tuple[ArmInCell | None, list[Text]]] = []
    tall = height == 0 or height >= 2 * len(figures) + len(outcome.cells) * head + 2
    for cell, of_cell in groupby(figures, key=lambda place: place.cell):
        if head:
            rows_of.append((None, [_heading(outcome, subject, cell, width, colours)]))
        for place in of_cell:
            drawn = _drawn(outcome, place, subject, ruler, seed if place == chosen else None, colours, tall=tall)
            rows_of.append((place, _rows(place, drawn, names, figures[place], subject, place == chosen, colours)))
    accent = Style(color=colours["accent"])
    of_seed = _seed_words(outcome, subject, chosen, seed)
    below = [_axis(ruler, names, colours), _legend(outcome, subject, width, colours)]
    if of_seed:
        below[-1] = Text(f" {of_seed}", accent, end="", no_wrap=True)
    rows = [row for _, group in rows_of for row in group]
    if height:
        at = next((n for n, (place, _) in enumerate(rows_of) if place == chosen), 0)
        first = sum(len(group) for _, group in rows_of[:at])
        visible = max(1, height - len(below))
        top = min(max(0, first - visible // 2), max(0, len(rows) - visible))
        hidden = top, max(0, len(rows) - visible - top)
        more = "  ".join(f"{arrow} {count}" for arrow, count in zip("↑↓", hidden, strict=True) if count)
        below[0] = Text(f"{f' {more} rows' if more else '':{names}}", accent, end="", no_wrap=True) + below[0][names:]
        rows = rows[top : top + visible]
    for row in (shown := [*rows, *below]):
        row.truncate(width)
    return shown[: height or None]


def _seed_words(outcome: StudyOutcome, subject: Subject, at: ArmInCell | None, seed: int | None) -> str:
    """What the seed under the cursor came to: 'seed 3: dropout 0.5 91.20 %, baseline 90.10 %: +1.10 points'."""
    if at is None or seed is None or seed not in found(outcome, at).score.differences:
        return ""
    cell, score = outcome.cells[at.cell], found(outcome, at).score
    metric = subject.metric
    ours, theirs = (metric.show(of[seed] / metric.factor) for of in (cell.arms[at.arm].values, cell.baseline))
    points = subject.signed(score.differences[seed]) + metric.points
    return f"seed {seed}: {subject.label(at.arm, MOST_NAME)} {ours}, baseline {theirs}: {points}"


def _heading(outcome: StudyOutcome, subject: Subject, cell: str, width: int, colours: Mapping[str, str]) -> Text:
    role = outcome.cells[cell].cell.role
    words = subject.cells[cell] or "as in the preset"
    words += " · does it hold there?" if role == "sensitivity" else ""
    return Text(set_cell_size(f"  {words}", width).rstrip(), Style(color=colours["secondary"]), end="", no_wrap=True)


def _rows(
    place: ArmInCell,
    drawn: Sequence[Text],
    names: int,
    figures: tuple[str, str],
    subject: Subject,
    chosen: bool,
    colours: Mapping[str, str],
) -> list[Text]:
    """A comparison's rows: its name, its interval and its figures, below them its dots."""
    mark, colour = subject.looks[place.arm]
    label = subject.label(place.arm, names - 4)
    if cell_len(label) > names - 4:
        label = set_cell_size(label, names - 5).rstrip() + "…"
    first = Text(HERE if chosen else " ", colours["accent"], end="", no_wrap=True)
    first.append(f"{mark} ", Style(color=colours[colour], bold=True))
    first.append(f"{label:<{names - 3}}", Style(color=colours["foreground"], bold=chosen))
    first.append_text(drawn[0]).append("  ")
    words, of_call = figures
    first.append(words, Style(color=colours[of_call], bold=of_call in ("success", "error")))
    return [first, *(Text(" " * names, end="", no_wrap=True).append_text(row) for row in drawn[1:])]


def _drawn(
    outcome: StudyOutcome,
    place: ArmInCell,
    subject: Subject,
    ruler: Ruler,
    seed: int | None,
    colours: Mapping[str, str],
    *,
    tall: bool,
) -> list[Text]:
    """A comparison on the scale: its interval and below it its dots, or both in one row."""
    score = found(outcome, place).score
    mark, colour = subject.looks[place.arm]
    plain, strong = Style(color=colours["faint"]), Style(color=colours[colour], bold=True)
    ground = [(" ", plain)] * ruler.width
    for value in _effects(outcome):
        ground[ruler.cell(value)] = (EFFECT, plain)
    ground[ruler.cell(0)] = (ZERO, Style(color=colours["foreground"]))
    interval, dotted = list(ground), list(ground)
    if (joint := _interval(score)) is not None:
        low, high = map(ruler.cell, joint)
        line = Style(color=colours[colour])
        interval[low : high + 1] = [(INSIDE, line)] * (high + 1 - low)
        interval[low], interval[high] = (LEFT, line), (RIGHT, line)
    for value, bracket in zip(_bounds(outcome, score), BOUNDS, strict=False):
        interval[ruler.cell(value)] = (bracket, Style(color=colours["accent"], bold=True))
    known = [dot for dot in dots(score) if math.isfinite(dot.difference)]
    on = dotted if tall else interval
    for difference in _added(outcome, place):
        on[ruler.cell(difference)] = (ADDED, plain)
    for cell, count in Counter(ruler.cell(dot.difference) for dot in known).items():
        on[cell] = (DOT if count == 1 else str(min(9, count)), Style(color=colours[f"{colour}-train"]))
    if score.mean is not None:
        interval[ruler.cell(score.mean)] = (mark, strong)
    if seed is not None and seed in score.differences:
        on[ruler.cell(score.differences[seed])] = (DOT, Style(color=colours["background"], bgcolor=colours["accent"]))
    return [_text(row) for row in ([interval, dotted] if tall else [interval])]


def _added(outcome: StudyOutcome, place: ArmInCell) -> list[float]:
    """The differences of seeds that were added beyond the plan: they are exploratory, and move no verdict."""
    explored = outcome.cells[place.cell].exploratory.get(place.arm)
    counted_in = found(outcome, place).score.differences
    differences = {} if explored is None else explored.differences
    return [value for seed, value in differences.items() if seed not in counted_in and math.isfinite(value)]


def _text(cells: Sequence[tuple[str, Style]]) -> Text:
    row = Text(end="", no_wrap=True)
    for style, group in groupby(cells, key=lambda cell: cell[1]):
        row.append("".join(character for character, _ in group), style)
    return row


def _effects(outcome: StudyOutcome) -> list[float]:
    smallest = outcome.plan.smallest_effect
    return [] if not smallest else [-smallest, smallest]


def _interval(score: Compared) -> Interval | None:
    """A comparison's joint interval; none while it is open, since what it may say then is for the next look to call."""
    return score.joint if score.call != "open" and is_drawn(score.joint) else None


def next_look(outcome: StudyOutcome, score: Compared) -> int | None:
    """With how many seeds the next look comes; None where none is planned, or the study has ended."""
    if score.call != "open":
        return None
    return next((look for look in outcome.plan.looks if look > len(score.differences)), None)


def _bounds(outcome: StudyOutcome, score: Compared) -> tuple[float, ...]:
    """Where the mean has to lie at the next look, below or above zero, if the seeds go on to spread as they do now."""
    look = next_look(outcome, score)
    return () if look is None or not score.deviation else t_interval(0.0, score.deviation, look, score.together)


def _figures(of_arm: ArmOutcome, subject: Subject, width: int) -> tuple[str, str]:
    """A comparison's mean, its interval and its wins as far as there is room, and its call; with a colour's name."""
    score = of_arm.score
    words, colour = CALLS[score.call]
    words = words if width >= MEDIUM else SHORT.get(words, words)
    if score.mean is None:
        return words, colour
    parts = [f"{subject.signed(score.mean):>{4 + subject.metric.digits}}"]
    if width >= WIDE:
        joint = _interval(score)
        interval = f"{subject.signed(joint[0])} to {subject.signed(joint[1])}" if joint is not None else ""
        parts.append(f"{interval:<{12 + 2 * subject.metric.digits}}")
    if width >= MEDIUM:
        parts.append(f"{f'{score.wins}/{len(score.differences)}':>5}")
    return "  ".join([*parts, words]), colour


def _axis(ruler: Ruler, before: int, colours: Mapping[str, str]) -> Text:
    """The scale: round numbers below their cells."""
    row = [" "] * ruler.width
    for value, label in ticks(ruler.low, ruler.high, max(2, ruler.width // 10)):
        words = label if value <= 0 else f"+{label}"
        left = min(max(0, ruler.cell(value) - len(words) // 2), ruler.width - len(words))
        if left >= 0 and all(character == " " for character in row[max(0, left - 1) : left + len(words) + 1]):
            row[left : left + len(words)] = words
    return Text(" " * before + "".join(row), Style(color=colours["faint"]), end="", no_wrap=True)


def _legend(outcome: StudyOutcome, subject: Subject, width: int, colours: Mapping[str, str]) -> Text:
    """What is drawn, as far as there is room."""
    unit = subject.metric.points.strip()
    side = "right" if subject.metric.better == "higher" else "left"
    parts = [f"test {subject.metric.title} minus baseline{f', {unit}' if unit else ''}: better to the {side}"]
    if cell_len(parts[0]) > width - 1:
        parts = [f"Δ {unit or subject.metric.title}: better to the {side}"]
    seeds = {len(found(outcome, place).score.differences) for place in places(outcome)}
    parts.append(f"{DOT} a seed" if len(seeds) != 1 else f"{DOT} one of {counted(seeds.pop(), 'seed')}")
    if outcome.plan.smallest_effect:
        parts.append(f"{EFFECT} ±{outcome.plan.smallest_effect:g}, the smallest that matters")
    if any(_added(outcome, place) for place in places(outcome)):
        parts.append(f"{ADDED} added beyond the plan")
    looks = {next_look(outcome, score) for place in places(outcome) if (score := found(outcome, place).score).deviation}
    if look := next(filter(None, looks), None):
        parts.append(f"[ ] what the mean must pass at {look} seeds")
    while len(parts) > 1 and cell_len("  ".join(parts)) > width - 1:
        parts.pop(1)
    return Text(f" {'  '.join(parts)}", Style(color=colours["faint"]), end="", no_wrap=True)
