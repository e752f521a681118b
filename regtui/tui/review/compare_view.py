"""The chart of several runs: turns their histories and the user's choice of view into a plot."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal, NamedTuple

from regtui.axes import limits, log_ticks, ticks
from regtui.preset.arms import BASELINE
from regtui.protocol.events import EpochDone
from regtui.protocol.history import ArmHistory, History
from regtui.tasks import Metric
from regtui.text import brief
from regtui.tui.charts.plot import MOST_TICKS, Curve, Plot, Space, Stroke
from regtui.tui.charts.series import decimate
from regtui.tui.charts.values import value_of
from regtui.tui.themes import RUN_COLOURS

Compared = Literal["loss", "gap", "metric", "difference"]
By = Literal["epoch", "step", "time"]
Whose = Literal["all arms", "baselines", "other arms"]
WHOSE: tuple[Whose, ...] = ("all arms", "baselines", "other arms")
COMPARED: tuple[Compared, ...] = ("loss", "difference", "gap", "metric")
AXES: tuple[By, ...] = ("epoch", "step", "time")
BY: dict[By, str] = {"epoch": "by epoch", "step": "by step", "time": "by seconds of each arm's own training"}
MARKED = 8
"""Of more curves, those that are faded have no letters along them."""
SETTLING = 12
"""With so many epochs or more the scale ignores the first ones, one in so many; they are drawn at the edge."""


@dataclass
class CompareView:
    """What the user has chosen to see.

    Attributes:
        quantity: What is drawn.
        by: What the axis counts.
        arms: The arms whose curves are drawn; a difference has one curve for each arm beside the baseline.
        arm: The only one of the other arms that is drawn, by its name; all of them if empty.
        log: A logarithmic axis, for losses only.
    """

    quantity: Compared = "loss"
    by: By = "epoch"
    arms: Whose = "all arms"
    arm: str = ""
    log: bool = False


class Shown(NamedTuple):
    """A run in the chart: its letter, the name of its colour, and its history."""

    letter: str
    colour: str
    history: History


def shown(index: int, history: History) -> Shown:
    """A run by its place in the list, counted from 0."""
    return Shown(chr(ord("a") + index), f"run-{index % RUN_COLOURS + 1}", history)


def choices(runs: Sequence[Shown]) -> list[tuple[Whose, str]]:
    """What can be drawn of the runs: which arms, and where a run has several beside the baseline, each by its name."""
    several = any(len(run.history.others) > 1 for run in runs)
    names = dict.fromkeys(arm for run in runs for arm in run.history.others) if several else ()
    return [*((whose, "") for whose in WHOSE), *(("other arms", name) for name in names)]


def plot(runs: Sequence[Shown], view: CompareView, space: Space, cursor: int, hidden: Collection[int] = ()) -> Plot:
    """The runs in one chart, but for those that are hidden.

    The one under the cursor is drawn on top and its arms have their names; the others fade.
    """
    order = [index for index in range(len(runs)) if index != cursor] + [cursor] * (cursor < len(runs))
    order = [index for index in order if index not in hidden]
    curves: list[Curve] = []
    settled: list[float] = []
    diverged: list[float] = []
    logarithmic = view.log and view.quantity in ("loss", "metric")
    for index in order:
        run = runs[index]
        for arm, points in _series(run.history, view):
            if not points:
                continue
            value = _text(points[-1][1], view, run.history.task.metric)
            if logarithmic:
                points = [(x, math.log10(y)) for x, y in points if y > 0]
            lost = run.history.arms[arm].diverged or (
                view.quantity == "difference" and run.history.arms[BASELINE].diverged
            )
            (diverged if lost else settled).extend(y for _, y in points[len(points) // SETTLING :])
            x, y = decimate([x for x, _ in points], [y for _, y in points], 2 * space.width)
            if x:
                selected = index == cursor
                letter = run.letter if arm == BASELINE or view.quantity == "difference" else run.letter.upper()
                curves.append(
                    Curve(
                        x, y, run.colour if selected else f"{run.colour}-steps", _stroke(arm, view), letter,
                        name=(*([f"{letter} {arm} {value}"] if selected else []), f"{letter} {value}"),
                    )
                )  # fmt: skip
    if not curves:
        return Plot(empty="all runs are hidden" if not order else "no epoch of these runs is in their logs")
    if len(curves) > MARKED:
        curves = [replace(curve, mark="") if curve.colour.endswith("-steps") else curve for curve in curves]
    right = max(curve.x[-1] for curve in curves)
    left = 0.0 if right > 1 or view.by == "time" else right - 1
    metrics = metrics_of(runs) if view.quantity == "metric" else []
    floors = [0.0] if view.quantity == "loss" else [metric.factor * metric.low for metric in metrics]
    floor = min(floors, default=-math.inf)
    low, high = limits(settled or diverged, floor=floor if math.isfinite(floor) and not logarithmic else None)
    if metrics and not logarithmic:
        high = min(high, max(metric.factor * metric.high for metric in metrics))
    rows = min(MOST_TICKS, max(2, (space.height - 1) // 2))
    return Plot(
        curves=curves,
        x_limits=(left, right),
        y_limits=(low, high),
        x_ticks=ticks(left, right, max(2, space.width // 12)),
        y_ticks=log_ticks(low, high, rows) if logarithmic else ticks(low, high, rows),
        horizontals=[(0.0, "faint")] if low < 0 < high and not logarithmic else [],
        reserve=2 + max(len(curve.name[-1]) for curve in curves),
    )


def compared_title(runs: Sequence[Shown], quantity: Compared) -> str:
    """What is drawn, in words."""
    return {
        "loss": "validation loss",
        "difference": "Δ validation loss, arm − baseline",
        "gap": "gap: validation − training loss",
        "metric": " or ".join(f"validation {metric.titled}" for metric in metrics_of(runs)),
    }[quantity]


def metrics_of(runs: Sequence[Shown]) -> list[Metric]:
    """The metrics that these runs measure, each once."""
    return list(dict.fromkeys(run.history.task.metric for run in runs))


def runs_legend(view: CompareView) -> str:
    """What the letters and lines mean."""
    if view.quantity == "difference":
        return "below 0 the arm beside the baseline has the lower loss"
    if view.arm:
        return f"A ─ {view.arm}"
    named = {"baselines": "a ╌ baseline", "other arms": "A ─ the other arms"}
    return "  ".join(words for whose, words in named.items() if view.arms in ("all arms", whose))


def _stroke(arm: str, view: CompareView) -> Stroke:
    """The stroke of an arm: solid beside a dashed baseline."""
    return "dashed" if arm == BASELINE and view.quantity != "difference" else "solid"


def _text(value: float, view: CompareView, metric: Metric) -> str:
    """A value in few cells."""
    if view.quantity == "metric":
        return metric.brief(value / metric.factor)
    return f"{'+' if view.quantity == 'difference' and value > 0 else ''}{brief(value)}"


_VALUES: dict[Compared, Callable[[EpochDone], float | None]] = {
    "loss": lambda epoch: epoch.val_loss,
    "gap": lambda epoch: epoch.gap,
}


def _series(history: History, view: CompareView) -> list[tuple[str, list[tuple[float, float]]]]:
    """Each curve of a run: the arm whose style it has, and its points."""
    arms = {name: arm for name, arm in history.arms.items() if _is_meant(name, view)}
    places = {name: _places(history, arm, view.by) for name, arm in history.arms.items()}
    if view.quantity == "difference":
        return [
            (name, [(places[name][epoch], value) for epoch, value in history.differences(name).items()])
            for name in history.others
            if view.arm in ("", name)
        ]
    value = value_of("val_metric", history.task.metric) if view.quantity == "metric" else _VALUES[view.quantity]
    return [
        (name, [(places[name][epoch.epoch], y) for epoch in arm.epochs if (y := value(epoch)) is not None])
        for name, arm in arms.items()
    ]


def _is_meant(arm: str, view: CompareView) -> bool:
    if view.arm:
        return arm == view.arm
    return view.arms == "all arms" or (arm == BASELINE) == (view.arms == "baselines")


def _places(history: History, arm: ArmHistory, by: By) -> dict[int, float]:
    """The position on the axis where each epoch of an arm ends."""
    if by == "epoch":
        return {epoch.epoch: float(epoch.epoch) for epoch in arm.epochs}
    if by == "time":
        seconds = accumulate(epoch.seconds for epoch in arm.epochs)
        return dict(zip((epoch.epoch for epoch in arm.epochs), seconds, strict=True))
    steps = history.started.steps_per_epoch if history.started else 1
    places = {epoch.epoch: float(epoch.epoch * steps) for epoch in arm.epochs}
    if arm.epochs and arm.stopped is not None and arm.epochs[-1].partial:
        places[arm.epochs[-1].epoch] = float(arm.stopped.step)
    return places
