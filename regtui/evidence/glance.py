"""A verdict at a glance, as rows of coloured text: the headline, what qualifies it, the interval, and agreement.

The screen gives each part its colour; whatever prints plain text joins the parts. So all of them say the same.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from regtui.evidence import bars, several
from regtui.evidence.headline import (
    BETTER,
    WORSE,
    Tone,
    agreement,
    conditions,
    disagrees,
    headline,
    ranked,
    warnings,
)
from regtui.evidence.verdict import Verdict
from regtui.preset.arms import BASELINE, MARKS
from regtui.tasks import words
from regtui.text import NBSP, UNKNOWN

Role = Literal["headline", "better", "worse", "level", "warning", "soft", "arm", ""]
"""What a part of a row is, by which it is coloured; 'arm' is an arm's own colour, '' plain text."""
SHORTEST_BAR = 11
"""Cells without which no bar is drawn."""
LONGEST_BAR = 72


class Part(NamedTuple):
    """A piece of a row."""

    text: str
    role: Role = ""
    arm: str = ""


Row = list[Part]


def glance(verdicts: Mapping[str, Verdict], width: int) -> list[Row]:
    """The rows that answer a run's question, at most `width` columns wide."""
    of_all = list(verdicts.values())
    rows = [[Part(line, "headline")] for line in wrap(headline(of_all), width)]
    rows += [[Part(line, "warning")] for words in warnings(of_all) for line in wrap(words, width)]
    rows += [[Part(line, "soft")] for line in wrap(conditions(of_all), width)]
    rows += _single_bar(of_all[0], width) if len(of_all) == 1 else list(_ranking(of_all, width))
    apart = any(disagrees(verdict) for verdict in of_all)
    return rows + [[Part(line, "warning" if apart else "")] for line in wrap(agreement(of_all), width)]


def text_of(row: Row) -> str:
    """A row without its colours."""
    return "".join(part.text for part in row).rstrip()


def _single_bar(verdict: Verdict, width: int) -> list[Row]:
    """Two rows: the interval around zero, and its ends' values; none where no interval can be drawn."""
    if verdict.interval is None or verdict.comparison is None or not bars.is_drawn(verdict.interval):
        return []
    own, base = MARKS["regularized"], MARKS[BASELINE]
    higher_is_better = verdict.comparison.better == "higher"
    left, right = (f"{base} ahead ", f" {own} ahead") if higher_is_better else (f"{own} ahead ", f" {base} ahead")
    room = min(LONGEST_BAR, width - len(left) - len(right))
    if room < SHORTEST_BAR:
        return []
    arms = (BASELINE, verdict.arm.name) if higher_is_better else (verdict.arm.name, BASELINE)
    scale = bars.around_zero(verdict.interval, room)
    drawn = _bar(verdict, own, scale)
    low, high = (words.difference(verdict.comparison, value) for value in verdict.interval)
    caption = f"95{NBSP}%"
    line = bars.labels(verdict.interval, (low, high), scale)
    under = f"{'':{len(left)}}{line}"
    if under.startswith(" " * (len(caption) + 1)):
        under = caption.replace(NBSP, " ") + under[len(caption) :]
    return [[Part(left, "arm", arms[0]), *drawn, Part(right, "arm", arms[1])], [Part(under, "soft")]]


def _bar(verdict: Verdict, mark: str, scale: bars.Ruler) -> Row:
    assert verdict.interval is not None
    roles: dict[str, Role] = {"axis": "soft", "zero": "", "interval": _side(verdict), "mark": "arm"}
    drawn = bars.bar(verdict.interval, verdict.difference or 0.0, mark, scale)
    return [Part(text, roles[what], verdict.arm.name if what == "mark" else "") for text, what in drawn]


def _side(verdict: Verdict) -> Tone:
    """A comparison's colour; one that is not clean has that of a warning."""
    if verdict.interventions or verdict.status != "finished":
        return "warning"
    return "better" if verdict.outcome in BETTER else "worse" if verdict.outcome in WORSE else "level"


def _ranking(verdicts: Sequence[Verdict], width: int) -> Iterator[Row]:
    """A row for each arm, the best on the test set first: metric, interval, outcome, difference, time.

    The intervals have a common scale. In a narrow terminal the time goes first, then the metric, then the bars.
    """
    first = verdicts[0]
    if all(verdict.comparison is None for verdict in verdicts):
        return
    metric, marks = first.task.metric, several.marks_in(verdicts)
    base = first.baseline
    order: list[Verdict | None] = list(ranked(verdicts))
    behind = [v is not None and (v.arm.test_metric or -1e300) < (base.test_metric or -1e300) for v in order]
    order.insert(behind.index(True) if True in behind else len(order), None)
    names = [f"{MARKS[BASELINE]} {BASELINE}" if v is None else several.labelled(v.arm.name, marks) for v in order]
    name = max(map(len, names))
    shown = [metric.show((base if v is None else v.arm).test_metric).replace(NBSP, " ") for v in order]
    found = [BASELINE if v is None else "diverged" if v.diverged else v.outcome for v in order]
    by = ["" if v is None else _difference(v) for v in order]
    cost = ["" if v is None or v.cost_ratio is None else f"{v.cost_ratio:.2f} ×" for v in order]
    columns = [(shown, True), (by, True), (found, False), (cost, True)]
    sizes = [max(map(len, cells)) for cells, _ in columns]
    kept = [0, 1, 2, 3]
    for column in (3, 0):
        if name + sum(sizes[index] + 1 for index in kept) > width:
            kept.remove(column)
    name = min(name, width - sum(sizes[index] + 1 for index in kept))
    room = min(LONGEST_BAR, width - name - sum(sizes[index] + 1 for index in kept) - 2)
    drawn = [v.interval for v in verdicts if v.interval is not None and bars.is_drawn(v.interval)]
    scale = bars.common(drawn, room) if drawn and room >= SHORTEST_BAR else None
    yield [Part(_head(first, scale, name, sizes, kept, metric.title), "soft")]
    for place, verdict in enumerate(order):
        label = names[place] if len(names[place]) <= name else f"{names[place][: name - 1]}…"
        row = [Part(f"{label:{name}}", "arm", BASELINE if verdict is None else verdict.arm.name)]
        for index in (0, 1):
            if index in kept:
                row.append(Part(f" {columns[index][0][place]:>{sizes[index]}}"))
        if scale is not None:
            row += [Part(" "), *_row_bar(verdict, marks, scale), Part(" ")]
        side: Role = "soft" if verdict is None else _side(verdict)
        row.append(Part(f" {found[place]:{sizes[2]}}", side))
        row += [Part(f" {cost[place]:>{sizes[3]}}", "soft")] if 3 in kept else []
        yield row


def _head(
    first: Verdict, scale: bars.Ruler | None, name: int, sizes: Sequence[int], kept: Sequence[int], metric: str
) -> str:
    """The words above a ranking's columns."""
    higher = first.comparison is None or first.comparison.better == "higher"
    title = name + (sizes[0] + 1 if 0 in kept else 0)
    line = f"{f'by test {metric}':{title}}"[:title] + f" {'Δ':>{sizes[1]}}"
    if scale is not None:
        zero = scale.cell(0)
        left = "worse " if higher else "better "
        right = " better" if higher else " worse"
        axis = f"{left if zero >= len(left) else '':>{zero}}0{right if scale.width - zero > len(right) else ''}"
        line += f" {axis:{scale.width}} "
    line += f" {'against':{sizes[2]}}"
    return line + (f" {'time':>{sizes[3]}}" if 3 in kept else "")


def _row_bar(verdict: Verdict | None, marks: Mapping[str, str], scale: bars.Ruler) -> Row:
    if verdict is not None and verdict.interval is not None and bars.is_drawn(verdict.interval):
        return _bar(verdict, marks[verdict.arm.name], scale)
    zero = scale.cell(0)
    mark = Part(MARKS[BASELINE], "arm", BASELINE) if verdict is None else Part(bars.ZERO)
    return [Part(bars.LINE * zero, "soft"), mark, Part(bars.LINE * (scale.width - zero - 1), "soft")]


def _difference(verdict: Verdict) -> str:
    if verdict.comparison is None or verdict.difference is None:
        return UNKNOWN
    return words.difference(verdict.comparison, verdict.difference)


def wrap(sentence: str, width: int) -> list[str]:
    """Lines of at most `width` columns; no-break spaces keep numbers and units together, and become blanks."""
    return [line.replace(NBSP, " ") for line in textwrap.wrap(sentence, width, break_on_hyphens=False)]
