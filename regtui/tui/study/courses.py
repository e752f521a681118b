"""The validation curves of an arm and of the baseline: their means over seeds, and how far seeds spread. No widget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from regtui.axes import limits, ticks
from regtui.preset.arms import BASELINE
from regtui.text import brief
from regtui.tui.charts.plot import Curve, Plot, Space
from regtui.tui.charts.series import decimate
from regtui.tui.look import ArmLook
from regtui.tui.study.session import EpochMeasured, Spread, StudySession

Shown = Literal["loss", "metric"]
"""What of an epoch is drawn."""
BEGINNING = 0.25
"""The share of the epochs so far that may lie above the chart: curves begin steeply."""


def courses_plot(session: StudySession, cell: str, arm: str, shown: Shown, space: Space) -> Plot:
    """The mean of each of the two arms as a line with its name, and a standard deviation around it as dotted lines."""
    metric = session.subject.preset.task.metric

    def value(epoch: EpochMeasured) -> float | None:
        if shown == "loss":
            return epoch.loss
        return None if epoch.metric is None else metric.factor * epoch.metric

    curves, kept = list[Curve](), list[float]()
    reach = 1
    for name in (BASELINE, arm):
        spread = session.spread(cell, name, value)
        if not spread:
            continue
        look = session.subject.looks[name]
        newest, label = spread[-1].mean, session.subject.label(name, 20)
        words = metric.brief(newest / metric.factor) if shown == "metric" else brief(newest)
        curves += _band(spread, look, space)
        x, y = decimate([float(s.epoch) for s in spread], [s.mean for s in spread], 2 * space.width)
        curves.append(
            Curve(x, y, look.colour, mark=look.mark, name=(f"{look.mark} {label} {words}", f"{look.mark} {words}"))
        )
        reach = max(reach, spread[-1].epoch)
        late = [s for s in spread if s.epoch > BEGINNING * spread[-1].epoch] or spread
        kept += [edge for s in late for edge in (s.mean - s.deviation, s.mean + s.deviation)]
    if not curves:
        waiting = "no epoch of this study's runs is known" if session.ended else "the curves come with the first epoch"
        return Plot(empty=waiting)
    low, high = limits(kept, floor=0.0 if shown == "loss" else None)
    # The baseline's mean and the arm's lie over all bands.
    curves.sort(key=lambda curve: bool(curve.name))
    return Plot(
        curves=curves,
        x_limits=(0.0, float(max(reach, 2))),
        y_limits=(low, high),
        x_ticks=ticks(0.0, float(max(reach, 2)), max(2, space.width // 10), whole=True),
        y_ticks=ticks(low, high, max(2, (space.height + 2) // 3)),
        reserve=2 + max(len(curve.name[-1]) for curve in curves if curve.name),
    )


def _band(spread: Sequence[Spread], look: ArmLook, space: Space) -> list[Curve]:
    """The two edges of an arm's band, where at least two runs have come."""
    several = [s for s in spread if s.runs > 1]
    if not several:
        return []
    edges = []
    for side in (-1, 1):
        x, y = decimate(
            [float(s.epoch) for s in several], [s.mean + side * s.deviation for s in several], 2 * space.width
        )
        edges.append(Curve(x, y, f"{look.colour}-train", "dotted"))
    return edges


def courses_title(session: StudySession, cell: str, arm: str, shown: Shown) -> str:
    """What the chart shows, and of how many runs."""
    metric = session.subject.preset.task.metric
    counts = [s.runs for name in (BASELINE, arm) for s in session.spread(cell, name, lambda epoch: epoch.loss)]
    of = f" · {max(counts)} runs" if counts else ""
    return f"validation {metric.titled if shown == 'metric' else 'loss'}: mean ± standard deviation{of}"
