"""The chart of several runs: turns their histories and the user's choice of view into a plot."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

from regtui.axes import limits, log_ticks, ticks
from regtui.preset.arms import BASELINE
from regtui.protocol.events import EpochDone
from regtui.protocol.history import ArmHistory, History
from regtui.tasks import Metric
from regtui.tui.charts.plot import Curve, Plot
from regtui.tui.charts.series import decimate
from regtui.tui.charts.view import Space, value_of
from regtui.tui.themes import RUN_COLOURS

Compared = Literal["loss", "gap", "metric", "difference"]
By = Literal["epoch", "step", "time"]
Whose = Literal["all arms", "baselines", "other arms"]
WHOSE: tuple[Whose, ...] = ("all arms", "baselines", "other arms")
COMPARED: tuple[Compared, ...] = ("loss", "difference", "gap", "metric")
AXES: tuple[By, ...] = ("epoch", "step", "time")
BY: dict[By, str] = {"epoch": "by epoch", "step": "by step", "time": "by seconds of each arm's own training"}
LABELS = 5
"""A curve shows its run's letter at so many places."""
NAMING = 8
"""A chart of so many rows has room for the names of several arms."""
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


def plot(runs: Sequence[Shown], view: CompareView, space: Space, cursor: int) -> Plot:
    """All runs in one chart; the one under the cursor is drawn last, on top, and its several arms have their names."""
    order = [index for index in range(len(runs)) if index != cursor] + [cursor] * (cursor < len(runs))
    lines: list[Curve] = []
    labels: list[Curve] = []
    names: list[tuple[str, float, float, str]] = []
    settled: list[float] = []
    diverged: list[float] = []
    logarithmic = view.log and view.quantity in ("loss", "metric")
    for index in order:
        run = runs[index]
        for arm, points in _series(run.history, view):
            if logarithmic:
                points = [(x, math.log10(y)) for x, y in points if y > 0]
            lost = run.history.arms[arm].diverged or (
                view.quantity == "difference" and run.history.arms[BASELINE].diverged
            )
            (diverged if lost else settled).extend(y for _, y in points[len(points) // SETTLING :])
            x, y = decimate([x for x, _ in points], [y for _, y in points], 2 * space.width)
            if x:
                grain = "hd" if arm == BASELINE or view.quantity == "difference" else "braille"
                lines.append(Curve(x, y, run.colour, grain))
                letter = run.letter if grain == "hd" else run.letter.upper()
                labels.append(_labels(x, y, run, letter, index / max(1, len(runs))))
                named = index == cursor and len(run.history.others) > 1 and not view.arm and space.height >= NAMING
                if named and arm != BASELINE:
                    names.append((f"{letter} {arm}", x[-1], y[-1], run.colour))
    if not lines:
        return Plot(empty="no epoch of these runs is in their logs")
    right = max(curve.x[-1] for curve in lines)
    left = 0.0 if right > 1 or view.by == "time" else right - 1
    metrics = metrics_of(runs) if view.quantity == "metric" else []
    floors = [0.0] if view.quantity == "loss" else [metric.factor * metric.low for metric in metrics]
    floor = min(floors, default=-math.inf)
    low, high = limits(settled or diverged, floor=floor if math.isfinite(floor) and not logarithmic else None)
    if metrics and not logarithmic:
        high = min(high, max(metric.factor * metric.high for metric in metrics))
    rows = max(2, (space.height - 1) // 3)
    return Plot(
        curves=lines + labels,
        x_limits=(left, right),
        y_limits=(low, high),
        x_ticks=ticks(left, right, max(2, space.width // 12)),
        y_ticks=log_ticks(low, high, rows) if logarithmic else ticks(low, high, rows),
        horizontals=[(0.0, "faint")] if low < 0 < high and not logarithmic else [],
        words=names,
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
    if view.arm and view.quantity != "difference":
        return f"A ⠒ {view.arm}"
    if view.quantity == "difference":
        return "a letter a run · below 0 the arm beside the baseline has the lower loss"
    named = {"baselines": "a ▀ baseline", "other arms": "A ⠒ the other arms"}
    return "  ".join(words for whose, words in named.items() if view.arms in ("all arms", whose))


def _labels(x: list[float], y: list[float], run: Shown, letter: str, share: float) -> Curve:
    """The run's letter along its curve, at other places than other runs'; a capital for arms beside the baseline."""
    places = sorted({min(len(x) - 1, int((n + share) * len(x) / LABELS)) for n in range(LABELS)})
    return Curve([x[i] for i in places], [y[i] for i in places], run.colour, letter, line=False)


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
