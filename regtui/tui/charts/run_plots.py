"""Turns a run's history, and what the user has chosen to see of it, into plots."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import replace

from regtui.axes import limits, log_ticks, ticks
from regtui.preset.arms import BASELINE
from regtui.protocol.events import ControlApplied
from regtui.protocol.history import ArmHistory, History
from regtui.tasks import Metric
from regtui.text import UNKNOWN, brief
from regtui.tui.charts.plot import MOST_TICKS, Curve, Plot, Space, labels_width
from regtui.tui.charts.series import decimate, smoothed
from regtui.tui.charts.values import title, value_of, value_text
from regtui.tui.charts.view import FEWEST, View
from regtui.tui.look import CURSOR, ArmLook, arm_looks

FIRST = {True: 0.5, False: 1.0}
"""Where a logarithmic axis of epochs begins: with steps, and without."""
WHOLE = 40
"""The axis shows all planned epochs from the start if they are no more than this; else it grows."""
BEGINNING = 0.25
"""The share of the epochs so far in which a curve may begin steeply."""
AIR = 0.5
"""A steep beginning, and the steps, lengthen the y axis by this share of what all else needs."""
LOW = 8
"""A chart of all arms that has fewer rows shows validation alone."""
NAMES = 4
"""Names of several arms take at most one column in so many."""


def plots(history: History, view: View, space: Space, cursor: int | None = None) -> list[Plot]:
    """A plot of the baseline and one of the chosen arm, or one of all arms with `view.overlay`.

    With a cursor, each has a line at its epoch. The chosen arm is drawn over the others.
    """
    if history.started is None:
        waiting = "loading PyTorch and the data…" if history.finished is None else "no usable events in the log"
        return [Plot(empty=waiting)] * (1 if view.overlay else 2)
    groups = [[BASELINE], [name for name in history.arms if name == view.arm]]
    if view.overlay:
        groups = [sorted(history.arms, key=lambda name: (name in (BASELINE, view.arm), name == view.arm))]
    window = window_of(history, view)
    by_arm = {name: _curves(history, name, view, space, window) for group in groups for name in group}
    drawn = [[curve for name in group for curve in by_arm[name]] for group in groups]
    # An arm that diverged would flatten the others; where they share an axis, its line leaves it.
    kept = [[name for name in group if by_arm[name] and not history.arms[name].diverged] for group in groups]
    ranges = [
        _range([curve for name in names or group for curve in by_arm[name]], view, history.task.metric)
        for group, names in zip(groups, kept, strict=True)
    ]
    if view.shared:
        of_kept = [y_range for y_range, names in zip(ranges, kept, strict=True) if names] or ranges
        ranges = [(min(low for low, _ in of_kept), max(high for _, high in of_kept))] * len(ranges)
    made = [
        finished(_plot(history, group, curves, view, space, window, y_range), view, space, cursor)
        for group, curves, y_range in zip(groups, drawn, ranges, strict=True)
    ]
    labels, reserve = labels_width(made), max(plot.reserve for plot in made)
    return [replace(plot, labels=labels, reserve=reserve) for plot in made]


def finished(plot: Plot, view: View, space: Space, cursor: int | None) -> Plot:
    """The plot with the cursor, and with the axis of epochs that the view asks for."""
    plot = _with_cursor(plot, cursor)
    return _logarithmic_x(plot, FIRST[view.has_steps], space) if view.log_x else plot


def _logarithmic_x(plot: Plot, first: float, space: Space) -> Plot:
    """The same with a logarithmic axis of epochs, which has no place for what lies before `first`."""
    left, right = max(plot.x_limits[0], first), plot.x_limits[1]
    left = left if left < right else right / 10
    low, high = math.log10(left), math.log10(right)

    def cut(curve: Curve) -> Curve:
        points = [(math.log10(x), y) for x, y in zip(curve.x, curve.y, strict=True) if x >= left]
        return replace(curve, x=[x for x, _ in points], y=[y for _, y in points])

    curves = [curve for curve in map(cut, plot.curves) if curve.x]
    return replace(
        plot,
        curves=curves,
        empty="" if curves else plot.empty or f"a logarithmic axis begins at epoch {left:g}",
        x_limits=(low, high),
        x_ticks=log_ticks(low, high, max(2, space.width // 8)) if plot.x_ticks else [],
        verticals=[(math.log10(x), colour) for x, colour in plot.verticals if x >= left],
        words=[(text, math.log10(x), y, colour) for text, x, y, colour in plot.words if x >= left],
    )


def _with_cursor(plot: Plot, cursor: int | None) -> Plot:
    """The plot with the cursor's line and mark, if that epoch is on the axis."""
    if cursor is None or not plot.x_limits[0] <= cursor <= plot.x_limits[1]:
        return plot
    x = float(cursor)
    return replace(
        plot,
        verticals=[*plot.verticals, (x, "accent")],
        words=[*plot.words, (CURSOR, x, plot.y_limits[1], "accent")],
    )


def window_of(history: History, view: View) -> tuple[float, float]:
    """First and last epoch on the axis."""
    if history.started is None:
        return 0.0, 1.0
    planned = history.started.epochs
    now = max((_position(history, arm) for arm in history.arms.values()), default=0.0)
    right = planned
    if planned > WHOLE:
        right = next((n for n in _rounds() if n >= max(10.0, now)), planned)
    right = min(planned, right)
    if view.part < 1 and now > FEWEST:
        return max(0.0, now - max(FEWEST, view.part * now)), max(now, 1.0)
    return 0.0, float(right)


def _rounds() -> list[int]:
    return [m * 10**power for power in range(1, 7) for m in (1, 2, 3, 5)]


def _position(history: History, arm: ArmHistory) -> float:
    """Epochs trained so far, including the part of the current one; a history without steps has whole epochs."""
    steps = history.started.steps_per_epoch if history.started else 1
    return max(len(arm.step_losses) / steps, arm.epochs[-1].epoch if arm.epochs else 0.0)


def _epoch_series(
    arm: ArmHistory, key: str, metric: Metric, window: tuple[float, float]
) -> tuple[list[float], list[float]]:
    value = value_of(key, metric)
    points = [(float(e.epoch), v) for e in arm.epochs if (v := value(e)) is not None]
    inside = [p for p in points if window[0] <= p[0] <= window[1]]
    return [x for x, _ in inside], [y for _, y in inside]


def _curves(history: History, name: str, view: View, space: Space, window: tuple[float, float]) -> list[Curve]:
    """An arm's curves with their names; the validation curve comes last."""
    arm, metric = history.arms[name], history.task.metric
    mark, colour = arm_looks(history.arms)[name]
    fine = 2 * space.width
    curves = []
    if view.has_steps and history.started is not None:
        line, spikes = smoothed(arm.step_losses, history.started.steps_per_epoch, *window, fine, view.smooth)
        newest = line[-1][1] if line and view.smooth else arm.recent_step_loss
        steps = (f"steps {brief(newest)}",)
        curves = [
            Curve([x for x, _ in line], [y for _, y in line], f"{colour}-steps", "steps", name=steps),
            Curve([x for x, _ in spikes], [y for _, y in spikes], f"{colour}-steps", "steps", mark="·", line=False),
        ]
    roomy = len(history.arms) == 2 and space.height >= LOW  # the training losses of several arms would hide all
    if view.quantity != "gap" and (not view.overlay or roomy):
        x, y = decimate(*_epoch_series(arm, f"train_{view.quantity}", metric, window), fine)
        value = _newest(arm, f"train_{view.quantity}", metric)
        words = [f"{mark} training", mark] if view.overlay else ["training", "train"]
        curves.append(Curve(x, y, f"{colour}-train", "dotted", name=tuple(f"{word} {value}" for word in words)))
    key = "gap" if view.quantity == "gap" else f"val_{view.quantity}"
    x, y = decimate(*_epoch_series(arm, key, metric, window), fine)
    value = _newest(arm, key, metric)
    if view.overlay:
        curves.append(Curve(x, y, colour, mark=mark, name=(f"{mark} {name} {value}", f"{mark} {value}")))
    else:
        words = ["gap"] if view.quantity == "gap" else ["validation", "val"]
        curves.append(Curve(x, y, colour, name=(*(f"{word} {value}" for word in words), value)))
    if view.log and view.quantity == "loss":
        curves = [_logarithmic(curve) for curve in curves]
    return [curve for curve in curves if curve.x]


def _newest(arm: ArmHistory, key: str, metric: Metric) -> str:
    """The newest value of a curve in few cells, as a name shows it."""
    return UNKNOWN if arm.last is None else value_text(arm.last, key, metric)


def _logarithmic(curve: Curve) -> Curve:
    pairs = [(x, math.log10(y)) for x, y in zip(curve.x, curve.y, strict=True) if y > 0]
    return replace(curve, x=[x for x, _ in pairs], y=[y for _, y in pairs])


def _range(curves: list[Curve], view: View, metric: Metric) -> tuple[float, float]:
    """Lower and upper end of the y axis, for all that epochs measured but a steep beginning.

    That and the steps after it lengthen the axis, each way by no more than a share of what the epochs need; single
    spikes of steps do not. In the first two epochs the newer half of the steps has all the room it needs.
    """
    measured = [curve for curve in curves if curve.stroke != "steps"]
    steps = [p for c in curves if c.stroke == "steps" and c.line for p in zip(c.x, c.y, strict=True)]
    newest = max((x for curve in measured for x in curve.x), default=0.0)
    if measured:
        begins = [_steep(curve, BEGINNING * newest) for curve in measured]
        shown = [y for curve, begin in zip(measured, begins, strict=True) for y in curve.y[begin:]]
        low, high = min(shown), max(shown)
        early = newest < 2  # there is little else to see then
        room = math.inf if early else AIR * (high - low)
        beside = [y for x, y in steps if x > (newest / 2 if early else max(1, BEGINNING * newest))]
        beside += [y for curve, begin in zip(measured, begins, strict=True) for y in curve.y[:begin]]
        shown += [min(max(y, low - room), high + room) for y in beside]
    else:
        shown = [y for _, y in steps[len(steps) // 4 :]]
    floor = 0.0 if view.quantity == "loss" and not view.log else None
    if view.quantity == "metric" and math.isfinite(metric.low):
        floor = metric.factor * metric.low
    low, high = limits(shown, floor=floor)
    return low, min(high, metric.factor * metric.high) if view.quantity == "metric" else high


def _steep(curve: Curve, until: float) -> int:
    """How many points up to this epoch a curve has before it first goes the other way than at its beginning."""
    count = bisect_right(curve.x, until)
    falls = len(curve.y) > 1 and curve.y[1] < curve.y[0]
    for index in range(count):
        if index + 1 < len(curve.y) and (curve.y[index + 1] < curve.y[index]) != falls:
            return index
    return count


def _reserve(curves: list[Curve], arms: int, space: Space) -> int:
    """The columns at the right that names need: the shortest ones always fit, those of several arms as well as can."""
    shortest = max((len(curve.name[-1]) for curve in curves if curve.stroke == "solid" and curve.name), default=0)
    longest = max((len(curve.name[0]) for curve in curves if curve.stroke == "solid" and curve.name), default=0)
    return 2 + (max(shortest, min(longest, space.width // NAMES)) if arms > 2 else shortest)


def _plot(
    history: History,
    names: list[str],
    curves: list[Curve],
    view: View,
    space: Space,
    window: tuple[float, float],
    y_range: tuple[float, float],
) -> Plot:
    low, high = y_range
    logarithmic = view.log and view.quantity == "loss"
    rows = min(MOST_TICKS, max(2, (space.height + 2) // 3))
    looks = arm_looks(history.arms)
    words: list[tuple[str, float, float, str]] = []
    verticals: list[tuple[float, str]] = []
    for name in names:
        arm = history.arms[name]
        words += _marks(arm, looks[name], view, history.task.metric, y_range)
        broken = arm.step_losses.broken
        if broken is None and arm.stopped is not None and arm.stopped.reason == "non_finite":
            broken = arm.stopped.step  # its weights, say, which the loss need not show
        if broken is not None and history.started is not None:
            x = broken / history.started.steps_per_epoch
            words.append(("✗ not finite", x, high, "error"))
    if history.started is not None:
        changes = [c for c in history.controls if c.accepted and c.key is not None]
        verticals = [(x, "faint") for x in sorted({_effective(c, history.started.steps_per_epoch) for c in changes})]
        words += [("│ steered", x, high, "warning") for x, _ in verticals]
        resumed = sorted({float(seam.epoch) for seam in history.seams} - {x for x, _ in verticals})
        verticals += [(x, "faint") for x in resumed]
        words += [("│ resumed", x, high, "faint") for x in resumed]
    return Plot(
        curves=curves,
        x_limits=window,
        y_limits=y_range,
        x_ticks=ticks(*window, max(2, space.width // 10)),
        y_ticks=log_ticks(low, high, rows) if logarithmic else ticks(low, high, rows),
        verticals=[v for v in verticals if window[0] <= v[0] <= window[1]],
        horizontals=[(0.0, "faint")] if view.quantity == "gap" and low < 0 < high else [],
        words=[w for w in words if window[0] <= w[1] <= window[1]],
        reserve=_reserve(curves, len(names), space),
        empty="" if curves else f"{title(view.quantity, history.task.metric)} comes with the first epoch",
    )


def _effective(control: ControlApplied, steps_per_epoch: int) -> float:
    """The epoch at which a change takes effect: a rule of early stopping at its end, all else with the next step."""
    if control.command in ("set_patience", "set_min_delta"):
        return float(control.epoch)
    steps = min(max(0, control.step), control.epoch * steps_per_epoch)  # a damaged log may name any step
    return steps / steps_per_epoch


def _marks(
    arm: ArmHistory, look: ArmLook, view: View, metric: Metric, y_range: tuple[float, float]
) -> list[tuple[str, float, float, str]]:
    """Marks for the epoch with the lowest validation loss and for the end by early stopping."""
    key = "gap" if view.quantity == "gap" else f"val_{view.quantity}"
    marks = []
    best = None if arm.best is None else value_of(key, metric)(arm.best)
    if best is not None and view.log and view.quantity == "loss":
        best = math.log10(best) if best > 0 else None
    if arm.best is not None and best is not None and len(arm.epochs) > 1:
        words = "★" if view.overlay else "★ best" if view.quantity == "loss" else "★ lowest loss"
        marks.append((words, float(arm.best.epoch), best, look.colour))
    if arm.stopped is not None and arm.stopped.reason == "early_stopping":
        low, high = y_range
        marks.append(("■ stopped", float(arm.stopped.epoch), low + 0.12 * (high - low), look.colour))
    return marks
