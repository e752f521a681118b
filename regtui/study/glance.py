"""A study's verdict at a glance, as rows of coloured text.

The screen gives each part its colour; whatever prints plain text joins the parts. So all of them say the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from regtui.evidence import bars
from regtui.evidence.bars import Ruler
from regtui.evidence.glance import LONGEST_BAR, SHORTEST_BAR, Part, Role, Row, wrap
from regtui.evidence.over_seeds import Call, Compared
from regtui.preset.arms import BASELINE
from regtui.study.outcome import CellOutcome, StudyOutcome
from regtui.study.words import StudyWords
from regtui.text import UNKNOWN

DOT, TWO = "•", ":"
"""A seed's difference; two in the same cell. More are told by their number, up to 9."""
BOUND = "┆"
"""What the mean has to pass, so that a call is made."""
ROLES: dict[Call, Role] = {"helps": "better", "hurts": "worse", "no difference": "level", "inconclusive": "level"}
"""How a call is coloured; one that is open is soft."""
SHOWN: dict[Call, str] = {
    "helps": "HELPS", "hurts": "HURTS", "no difference": "NO DIFFERENCE", "inconclusive": "INCONCLUSIVE",
    "open": "open", "none": UNKNOWN,
}  # fmt: skip
"""A call in a table."""


def glance(outcome: StudyOutcome, width: int, *, drawn: bool = True) -> list[Row]:
    """The rows that answer a study's question, at most `width` columns wide.

    The first has the headline (role "headline"), then come warnings ("warning"), what the verdict holds for ("soft"),
    one arm's dots and interval around zero or several arms' ranking, and whether the test loss says the same.

    Args:
        outcome: What the study came to, or has come to so far.
        width: Columns.
        drawn: Whether to draw dots and intervals; a screen that has its own leaves them out.
    """
    words = StudyWords(outcome)
    rows = [[Part(line, "headline")] for line in wrap(words.headline(), width)]
    rows += [[Part(line, "warning")] for told in words.warnings() for line in wrap(told, width)]
    rows += [[Part(line, "soft")] for line in wrap(words.conditions(), width)]
    beside = [words.ended(), words.over_cells(), *words.limits(), *words.left_out()]
    rows += [[Part(line)] for told in beside if told for line in wrap(told, width)]
    if held := words.sensitivity(words.best_arm):
        rows += [[Part(line)] for line in wrap(f"Under other conditions: {held}", width)]
    if drawn:
        many = words.several or len(outcome.cells) > 1
        rows += _table_rows(words, width) if many else _single(words, width)
    for arm, of in words.first.arms.items():
        if told := words.loss(words.first, arm):
            apart = words.disagrees(of)
            if apart or not words.several:
                rows += [[Part(line, "warning" if apart else "")] for line in wrap(told, width)]
    return rows


def _single(words: StudyWords, width: int) -> list[Row]:
    """One arm's dots, its interval around zero, and the ends' values; none where there is no dot."""
    (arm, of), *_ = words.first.arms.items()
    score = of.score
    if not score.differences or score.mean is None:
        return []
    own, base = words.marks[arm], words.marks[BASELINE]
    higher = words.metric.better == "higher"
    left, right = (f"{base} ahead ", f" {own} ahead") if higher else (f"{own} ahead ", f" {base} ahead")
    room = min(LONGEST_BAR, width - len(left) - len(right))
    if room < SHORTEST_BAR:
        return []
    names = (BASELINE, arm) if higher else (arm, BASELINE)
    scale = _scale(words, [score], room)
    rows: list[Row] = [[Part(" " * len(left)), Part(_dots(score, scale), "arm", arm)]]
    rows.append([Part(left, "arm", names[0]), *_bar(words, score, arm, scale), Part(right, "arm", names[1])])
    if score.call != "open" and bars.is_drawn(score.joint) and score.joint is not None:
        ends = words.difference(score.joint[0]), words.difference(score.joint[1])
        rows.append([Part(f"{'':{len(left)}}{bars.labels(score.joint, ends, scale)}", "soft")])
    if bounds := _bounds(words, score):
        reach = words.plain(float(f"{bounds[1]:.3g}"))
        told = f"At a look a call needs a mean beyond {BOUND}, {reach} from zero with the present spread."
        rows += [[Part(line, "soft")] for line in wrap(told, width)]
    return rows


def _scale(words: StudyWords, scores: Sequence[Compared], room: int) -> Ruler:
    """A ruler on which all dots and intervals lie, and the bounds of a look; one alone has zero in its middle."""
    smallest = words.plan.smallest_effect if len(scores) == 1 else None
    values = [value for score in scores for value in score.differences.values() if math.isfinite(value)]
    values += [end for score in scores if bars.is_drawn(score.joint) for end in score.joint or ()]
    values += [bound for score in scores for bound in _bounds(words, score)]
    values += [smallest, -smallest] if smallest else []
    low, high = min(values, default=0.0), max(values, default=0.0)
    return bars.around_zero((low, high), room) if len(scores) == 1 else bars.common([(low, high)], room)


def _bounds(words: StudyWords, score: Compared) -> tuple[float, ...]:
    """What the mean has to pass for a call at a look, with the present spread; nothing without looks."""
    if not words.plan.looks or score.joint is None or not bars.is_drawn(score.joint):
        return ()
    reach = (score.joint[1] - score.joint[0]) / 2
    return -reach, reach


def _dots(score: Compared, scale: Ruler) -> str:
    cells = [" "] * scale.width
    counts = Counter(scale.cell(value) for value in score.differences.values() if math.isfinite(value))
    for cell, count in counts.items():
        cells[cell] = DOT if count == 1 else TWO if count == 2 else str(min(9, count))
    return "".join(cells)


def _bar(words: StudyWords, score: Compared, arm: str, scale: Ruler, *, dotted: bool = False) -> Row:
    """The interval on its axis with zero, the mean and the bounds of a look; and each seed's dot, if it is `dotted`."""
    assert score.mean is not None
    roles: dict[str, Role] = {"axis": "soft", "zero": "", "interval": ROLES.get(score.call, "soft"), "mark": "arm"}
    joint = score.joint if score.joint is not None and bars.is_drawn(score.joint) else (score.mean, score.mean)
    shown = (score.mean, score.mean) if score.call == "open" else joint
    drawn = bars.bar(shown, score.mean, words.marks[arm], scale)
    cells = [(character, what) for text, what in drawn for character in text]
    marks = [
        (scale.cell(value), DOT, "mark") for value in score.differences.values() if dotted and math.isfinite(value)
    ]
    marks += [(scale.cell(bound), BOUND, "axis") for bound in _bounds(words, score)]
    for place, character, what in marks:
        if cells[place][1] in ("axis", "interval") and cells[place][0] not in (bars.LEFT, bars.RIGHT):
            cells[place] = (character, what)
    return [
        Part("".join(character for character, _ in group), roles[what], arm if what == "mark" else "")
        for what, group in groupby(cells, key=lambda cell: cell[1])
    ]


def _table_rows(words: StudyWords, width: int) -> list[Row]:
    """A row for each arm in each cell, the largest mean first in each, with its dots and interval on a common scale."""
    rows: list[Row] = []
    places = [(cell, arm) for cell in words.outcome.cells.values() for arm in _ranked(words, cell)]
    ours = [cell.arms[arm] for cell, arm in places]
    names = [words.named(arm) if words.several else f"{words.marks[arm]} {words.label(arm)}" for _, arm in places]
    by = [words.difference(of.score.mean) for of in ours]
    found = [SHOWN[of.score.call] for of in ours]
    cost = ["" if of.cost is None else f"{of.cost:.2f} ×" for of in ours]
    sizes = [max(map(len, column)) for column in (names, by, found, cost)]
    sizes[3] = max(sizes[3], len("time"))
    with_cost = any(cost) and sum(sizes) + 4 + SHORTEST_BAR + 2 <= width
    name = min(sizes[0], max(8, width - sizes[1] - sizes[2] - 3))
    room = min(LONGEST_BAR, width - name - sizes[1] - sizes[2] - 5 - (sizes[3] + 1 if with_cost else 0))
    scale = _scale(words, [of.score for of in ours], room) if room >= SHORTEST_BAR else None
    last: CellOutcome | None = None
    rows.append([Part(_head(words, scale, name, sizes, with_cost), "soft")])
    for place, (cell, arm) in enumerate(places):
        if cell is not last and len(words.outcome.cells) > 1:
            also = " (does it hold there?)" if cell.cell.role == "sensitivity" else ""
            rows += [[Part(line, "soft")] for line in wrap(f"{words.place(cell.cell)}{also}", width)]
        last = cell
        label = names[place] if len(names[place]) <= name else f"{names[place][: name - 1]}…"
        score = ours[place].score
        row = [Part(f"{label:{name}}", "arm", arm), Part(f" {by[place]:>{sizes[1]}} ")]
        if scale is not None:
            empty = [Part(bars.LINE * scale.width, "soft")]
            row += [*(_bar(words, score, arm, scale, dotted=True) if score.mean is not None else empty), Part(" ")]
        row.append(Part(f" {found[place]:{sizes[2]}}", ROLES.get(score.call, "soft")))
        row += [Part(f" {cost[place]:>{sizes[3]}}", "soft")] if with_cost else []
        rows.append(row)
    return rows


def _ranked(words: StudyWords, cell: CellOutcome) -> list[str]:
    sign = 1 if words.metric.better == "higher" else -1
    return sorted(cell.arms, key=lambda arm: -sign * (cell.arms[arm].score.mean or 0.0))


def _head(words: StudyWords, scale: Ruler | None, name: int, sizes: Sequence[int], with_cost: bool) -> str:
    line = f"{words.quantity[:name]:{name}} {'Δ':>{sizes[1]}} "
    if scale is not None:
        zero = scale.cell(0)
        higher = words.metric.better == "higher"
        left, right = ("baseline ahead ", " arm ahead") if higher else ("arm ahead ", " baseline ahead")
        axis = f"{left if zero >= len(left) else '':>{zero}}0{right if scale.width - zero > len(right) else ''}"
        line += f"{axis:{scale.width}} "
    return line + f" {'':{sizes[2]}}" + (f" {'time':>{sizes[3]}}" if with_cost else "")
