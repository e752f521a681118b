"""Charts and rows of text on what other patiences would have done. Uses no widget."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.style import Style
from rich.text import Text

from regtui.axes import limits, ticks
from regtui.evidence.what_if import MAX_PATIENCE, PatienceOutcome, WhatIf
from regtui.techniques.early_stopping import followed_metric
from regtui.text import UNKNOWN, short
from regtui.tui.charts.plot import Curve, Plot, Space
from regtui.tui.look import ArmLook

STAR = "★"
PATIENCE_CELLS = 8
"""Width of the table's first column."""


def stop_plot(tables: Mapping[str, WhatIf], looks: Mapping[str, ArmLook], space: Space) -> Plot:
    """A chart of the epoch at which each patience would have stopped; dots if it would have run all epochs.

    A star marks the shortest patience that comes closest to the best epoch, here and in the other chart.
    """
    right = _right(tables)
    curves: list[Curve] = []
    stars = []
    for arm, table in tables.items():
        points = [(o.patience, o.stops_at) for o in table.outcomes[:right] if o.stops_at is not None]
        curves += _curve(arm, looks[arm], points)
        rest = range(len(points) + 1, right + 1) if table.complete else range(0)
        if rest:
            curves.append(
                Curve(
                    [float(x) for x in rest], [float(table.epochs)] * len(rest), f"{looks[arm].colour}-train", "dotted"
                )
            )
        chosen = table.chosen
        if chosen is not None and (chosen.stops_at is not None or table.complete):
            stars.append((STAR, float(chosen.patience), float(chosen.stops_at or table.epochs), looks[arm].colour))
    return _plot(curves, stars, right, space) if curves else Plot(empty=_nothing(tables))


def cost_plot(tables: Mapping[str, WhatIf], looks: Mapping[str, ArmLook], space: Space) -> Plot:
    """A chart of how much worse the kept epoch would have been than the best, in the monitored value."""
    if len({table.monitor for table in tables.values()}) > 1:
        return Plot(empty="the arms do not follow the same: one its loss, another its metric")
    right = _right(tables)
    curves: list[Curve] = []
    stars = []
    for arm, table in tables.items():
        metric = followed_metric(table.monitor)
        scale = 1.0 if metric is None else metric.factor
        known = [o for o in table.outcomes[:right] if o.stops_at is not None or table.complete]
        points = {o.patience: scale * o.cost for o in known if o.cost is not None}
        curves += _curve(arm, looks[arm], list(points.items()))
        if table.chosen is not None and table.chosen.patience in points:
            stars.append((STAR, float(table.chosen.patience), points[table.chosen.patience], looks[arm].colour))
    if not any(y for curve in curves for y in curve.y):
        return Plot(empty="every patience keeps the best epoch" if curves else _nothing(tables))
    return _plot(curves, stars, right, space)


def _nothing(tables: Mapping[str, WhatIf]) -> str:
    """Why there is nothing to draw: no epoch counts, or the run was too short for any patience to stop it."""
    if all(table.best_epoch is None for table in tables.values()):
        return "no epoch counts"
    return "no patience stops this early"


def _right(tables: Mapping[str, WhatIf]) -> int:
    """The largest patience on the axis; beyond it nothing changes."""
    stopping = (o.patience for table in tables.values() for o in table.outcomes if o.stops_at is not None)
    return min(MAX_PATIENCE, max(5, max(stopping, default=0) + 2))


def _curve(arm: str, look: ArmLook, points: Sequence[tuple[int, float]]) -> list[Curve]:
    """An arm's line with its name, if it has any point."""
    if not points:
        return []
    x, y = [float(x) for x, _ in points], [float(y) for _, y in points]
    return [Curve(x, y, look.colour, mark=look.mark, name=(f"{look.mark} {arm}", look.mark))]


def _plot(curves: list[Curve], stars: list[tuple[str, float, float, str]], right: int, space: Space) -> Plot:
    low, high = limits([0.0, *(y for curve in curves for y in curve.y)], floor=0.0)
    return Plot(
        curves=curves,
        x_limits=(0.0, float(right)),
        y_limits=(low, high),
        x_ticks=ticks(0.0, right, max(2, space.width // 8), whole=True),
        y_ticks=ticks(low, high, max(2, (space.height - 1) // 3)),
        words=stars,
    )


# Words


def takeaways(
    tables: Mapping[str, WhatIf], looks: Mapping[str, ArmLook], width: int, colours: Mapping[str, str]
) -> list[Text]:
    """A sentence for each arm."""
    rows = []
    for arm, table in tables.items():
        mark, colour = looks[arm]
        name, indent = (f"{mark} {arm}", max(15, *(len(arm) + 3 for arm in looks))) if width >= 100 else (mark, 2)
        lines = textwrap.wrap(table.takeaway(), max(1, width - indent))
        for index, line in enumerate(lines):
            row = Text(end="", no_wrap=True).append(f"{'' if index else name:<{indent}}", Style(color=colours[colour]))
            rows.append(row.append(line))
    return rows


def remarks(
    tables: Mapping[str, WhatIf], looks: Mapping[str, ArmLook], width: int, colours: Mapping[str, str]
) -> list[Text]:
    """What is not known about each arm."""
    faint = Style(color=colours["faint"])
    rows = []
    for arm, table in tables.items():
        mark, colour = looks[arm]
        words = " ".join(line.strip() for line in table.remarks())
        for index, line in enumerate(textwrap.wrap(words, max(1, width - 2))):
            row = Text(end="", no_wrap=True).append("  " if index else f"{mark} ", Style(color=colours[colour]))
            rows.append(row.append(line, faint))
    return rows


class _Column(NamedTuple):
    title: str
    width: int
    text: Callable[[WhatIf, PatienceOutcome], str]


def _stops(table: WhatIf, outcome: PatienceOutcome) -> str:
    if outcome.stops_at is None:
        return "all" if table.complete else "*"
    return str(outcome.stops_at)


def _value(table: WhatIf, outcome: PatienceOutcome) -> str:
    if (metric := followed_metric(table.monitor)) is not None:
        return metric.fitting(outcome.val_metric, 6)
    return UNKNOWN if outcome.val_loss is None else short(outcome.val_loss)


def _cost(table: WhatIf, outcome: PatienceOutcome) -> str:
    if outcome.cost is None or (outcome.stops_at is None and not table.complete):
        return UNKNOWN
    if outcome.cost == 0:
        return f"{STAR} best" if outcome == table.chosen else "best"
    if (metric := followed_metric(table.monitor)) is not None:
        return metric.plain(-outcome.cost)
    return f"+{short(outcome.cost)}" if outcome.cost >= 0.00005 else "<0.0001"


COLUMNS = {
    "stops": _Column("stops", 5, _stops),
    "keeps": _Column("keeps", 5, lambda _, outcome: UNKNOWN if outcome.keeps is None else str(outcome.keeps)),
    "value": _Column("value", 6, _value),
    "cost": _Column("cost", 7, _cost),
    "saved": _Column("saved", 5, lambda _, outcome: str(outcome.saved) if outcome.saved else UNKNOWN),
}
_FIRST_TO_GO = ("saved", "value", "keeps")


def table_rows(
    tables: Mapping[str, WhatIf], looks: Mapping[str, ArmLook], width: int, colours: Mapping[str, str]
) -> list[Text]:
    """Two header lines and a row for each patience; all that would not have stopped any arm share the last row."""
    columns = dict(COLUMNS)
    for key in _FIRST_TO_GO:
        if PATIENCE_CELLS + len(tables) * _width(columns) <= width:
            break
        del columns[key]
    faint = colours["faint"]
    names = Text(" " * PATIENCE_CELLS, end="", no_wrap=True)
    header = Text("patience", faint, end="", no_wrap=True)
    for arm in tables:
        label = f"{looks[arm].mark} {arm}"[: _width(columns) - 2]
        names.append(f"  {label:<{_width(columns) - 2}}", colours[looks[arm].colour])
        header.append(" " + "".join(f" {column.title:>{column.width}}" for column in columns.values()), faint)
    rows = [names, header]
    for label, outcomes in _outcomes(tables):
        row = Text(f"{label:>{PATIENCE_CELLS}}", end="", no_wrap=True)
        for table, outcome in zip(tables.values(), outcomes, strict=True):
            row.append(" ")
            for key, column in columns.items():
                text = column.text(table, outcome)
                plain = "" if key in {"stops", "keeps"} else faint
                row.append(f" {text:>{column.width}}", colours["success"] if text.startswith(STAR) else plain)
        rows.append(row)
    for row in rows:
        row.truncate(width)
    return rows


def _width(columns: Mapping[str, _Column]) -> int:
    """Width of an arm's part of the table, with the blanks before it."""
    return 1 + sum(column.width + 1 for column in columns.values())


def _outcomes(tables: Mapping[str, WhatIf]) -> Iterator[tuple[str, list[PatienceOutcome]]]:
    """Each patience, as text, with its outcome in each arm."""
    for outcomes in map(list, zip(*(table.outcomes for table in tables.values()), strict=True)):
        patience = outcomes[0].patience
        if patience < MAX_PATIENCE and all(outcome.stops_at is None for outcome in outcomes):
            yield f"{patience}–{MAX_PATIENCE}", outcomes
            return
        yield str(patience), outcomes
