"""The difference between the chosen arm and the baseline: a strip below the charts, and what it says in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from regtui.axes import limits, ticks
from regtui.preset.arms import BASELINE
from regtui.protocol.history import History
from regtui.tasks import Metric
from regtui.text import brief, counted
from regtui.tui.charts.plot import Curve, Plot, Space, labels_width
from regtui.tui.charts.run_plots import finished, window_of
from regtui.tui.charts.series import decimate
from regtui.tui.charts.values import value_of
from regtui.tui.charts.view import Quantity, View
from regtui.tui.look import arm_looks

BESIDE_ZERO = 0.15
"""The strip shows so much of its range also on the side of zero where no newer value lies."""


def differences(history: History, arm: str, quantity: Quantity) -> dict[int, float]:
    """An arm's value minus the baseline's, by epoch, where both have one: of validation, or of the gap."""
    if arm not in history.arms:
        return {}
    value = value_of("gap" if quantity == "gap" else f"val_{quantity}", history.task.metric)
    ours, theirs = ({e.epoch: value(e) for e in history.arms[name].epochs} for name in (arm, BASELINE))
    return {
        epoch: mine - other
        for epoch, mine in ours.items()
        if mine is not None and (other := theirs.get(epoch)) is not None
    }


def ahead(difference: float, arm: str, quantity: Quantity, metric: Metric) -> tuple[str, str]:
    """Which of the two is ahead, and in what words: ('regularized', 'is lower'); no name where they are equal."""
    if difference == 0:
        return "", "equal"
    higher = quantity == "metric" and metric.better == "higher"
    words = "has the smaller gap" if quantity == "gap" else "is higher" if higher else "is lower"
    return (arm if (difference > 0) == higher else BASELINE), words


def amount(difference: float, quantity: Quantity, metric: Metric) -> str:
    """A difference in few cells: '−0.0123', '+1.5 points'."""
    if quantity == "metric":
        return metric.difference(difference / metric.factor, metric.digits - 1)
    return f"{'+' if difference > 0 else ''}{brief(difference)}"


def strip(history: History, arm: str, view: View, space: Space, cursor: int | None = None) -> Plot:
    """The differences by epoch, on both sides of zero; each side has the colour of the arm that is ahead there."""
    window, metric = window_of(history, view), history.task.metric
    shown = [(e, delta) for e, delta in differences(history, arm, view.quantity).items() if window[0] <= e <= window[1]]
    x, y = decimate([float(x) for x, _ in shown], [y for _, y in shown], 2 * space.width)
    if not x:
        return Plot(empty="the difference comes with the first epoch")
    newer = y[len(y) // 2 :]
    low, high = min(0.0, *newer), max(0.0, *newer)
    low, high = limits([min(low, -BESIDE_ZERO * high), max(high, -BESIDE_ZERO * low)])
    looks = arm_looks(history.arms)
    curves = [
        Curve(xs, ys, looks[ahead(sum(ys), arm, view.quantity, metric)[0] or BASELINE].colour)
        for xs, ys in _sides(x, y)
    ]
    name = amount(shown[-1][1], view.quantity, metric).removesuffix(metric.points)
    curves[-1] = replace(curves[-1], name=(name,))
    plot = Plot(
        curves=curves,
        x_limits=window,
        y_limits=(low, high),
        y_ticks=ticks(low, high, max(2, (space.height + 1) // 2)),
        horizontals=[(0.0, "faint")],
        reserve=2 + len(name),
    )
    return finished(plot, view, space, cursor)


def _sides(x: list[float], y: list[float]) -> Iterator[tuple[list[float], list[float]]]:
    """The line cut where it crosses zero."""
    xs, ys = [x[0]], [y[0]]
    for (a, low), (b, high) in pairwise(zip(x, y, strict=True)):
        if (low < 0) != (high < 0):
            crossing = a + (b - a) * (low / (low - high))
            yield [*xs, crossing], [*ys, 0.0]
            xs, ys = [crossing], [0.0]
        xs.append(b)
        ys.append(high)
    yield xs, ys


def aligned(above: list[Plot], below: Plot) -> tuple[list[Plot], Plot]:
    """The same plots with the same columns, so that an epoch in the one below stands where it stands above."""
    plots = [*above, below]
    labels, reserve = labels_width(plots), max(plot.reserve for plot in plots)
    *above, below = (replace(plot, labels=labels, reserve=reserve) for plot in plots)
    return above, below


def _what(quantity: Quantity, metric: Metric) -> str:
    return {"loss": "validation loss", "gap": "gap", "metric": f"validation {metric.title}"}[quantity]


def caption(history: History, arm: str, quantity: Quantity, epoch: int | None = None) -> tuple[str, str]:
    """What the strip shows, and what it says at an epoch, or at the newest."""
    known, metric = differences(history, arm, quantity), history.task.metric
    title = f"Δ {_what(quantity, metric)}, {arm} − {BASELINE}"
    when = "" if epoch is None else f"epoch {epoch} · "
    value = next(reversed(known.values()), None) if epoch is None else known.get(epoch)
    if value is None:
        return title, when and f"{when}not in both arms"
    who, words = ahead(value, arm, quantity, metric)
    return title, f"{when}{amount(value, quantity, metric)} · {f'{who} {words}' if who else words}"


def told(history: History, arm: str, quantity: Quantity, epoch: int | None = None) -> list[tuple[str, str]]:
    """What the differences up to an epoch, or the newest, say: lines of text, the most important first.

    Each has the name of its colour; empty before there is any.
    """
    known, metric = differences(history, arm, quantity), history.task.metric
    until = known if epoch is None else {e: d for e, d in known.items() if e <= epoch}
    if not until:
        return []
    newest, value = next(reversed(until.items()))
    looks = arm_looks(history.arms)
    who, words = ahead(value, arm, quantity, metric)
    size = amount(value, quantity, metric).lstrip("+−")
    first = ("both are equal", "foreground")
    if who:
        first = (f"{looks[who].mark} {who} {words} by {size}", looks[who].colour)
    mine = sum(ahead(d, arm, quantity, metric)[0] == arm for d in until.values())
    far, most = max(until.items(), key=lambda item: abs(item[1]))
    return [
        first,
        (f"in {_what(quantity, metric)}, at epoch {newest}", "foreground"),
        (f"{arm} {ahead(1.0, arm, quantity, metric)[1]} in {mine} of {counted(len(until), 'epoch')}", "foreground"),
        (f"largest difference {amount(most, quantity, metric)}, at epoch {far}", "foreground"),
    ]
