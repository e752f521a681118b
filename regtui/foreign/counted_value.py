"""Which value of each run counts: its last, its best, or the one at an epoch or a step; and whether these compare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from regtui.errors import InputError
from regtui.foreign.metric import Better, measured_on
from regtui.foreign.series import LoggedRun, Point
from regtui.text import listed, quoted

At = Literal["last", "best"] | float
"""The last value, the best of all, or that at an epoch or, in logs without epochs, at a step."""
Axis = Literal["epoch", "step", "value"]
"""What tells when a value was measured; "value" its number, from 1, where a log has neither epochs nor steps."""
SAME_EPOCH = 0.02
"""Epochs nearer to each other than this are the same: programs that count parts of epochs round them."""
MOST_NAMED = 3


class Value(NamedTuple):
    """The value of a run that counts.

    Attributes:
        run: The run.
        value: The value; NaN or infinite where the run diverged.
        at: When it was measured, on the axis that all runs share.
        of: How many values of the metric the run has.
    """

    run: LoggedRun
    value: float
    at: float
    of: int


def axis_of(runs: Sequence[LoggedRun], metric: str) -> Axis:
    """What tells when the values of all runs were measured."""
    points = [point for run in runs for point in run.series[metric]]
    if all(point.epoch is not None for point in points):
        return "epoch"
    return "step" if all(point.step is not None for point in points) else "value"


def count_values(runs: Sequence[LoggedRun], metric: str, at: At | None, better: Better) -> tuple[Axis, list[Value]]:
    """The value of each run that counts, in the order of the runs.

    A test metric that each run has once is that one, whenever it was measured: a run that stopped early is tested
    then. Otherwise the last values must have been measured at the same epoch, or the same step.

    Args:
        runs: The runs of both sides.
        metric: Its name, which all have.
        at: Which; None for the last, where nobody chose.
        better: Which values are better.

    Raises:
        InputError: A run has a single value of what others, or longer runs, have many, none at that epoch, or the runs
            end at different ones.
    """
    axis = axis_of(runs, metric)
    whens = [[_when(point, index, axis) for index, point in enumerate(run.series[metric])] for run in runs]
    once = all(len(when) == 1 for when in whens) and measured_on(metric) == "test"
    if at == "best":
        picked = [_best(run.series[metric], better) for run in runs]
    elif isinstance(at, float):
        picked = [_at(run, metric, when, at, axis) for run, when in zip(runs, whens, strict=True)]
    else:
        picked = [len(when) - 1 for when in whens]
        if not once:
            _refuse_other_ends(runs, whens, axis)
    if at is None and not once:
        _refuse_single(runs, metric, whens)
    return axis, [
        Value(run, run.series[metric][index].value, when[index], len(when))
        for run, when, index in zip(runs, whens, picked, strict=True)
    ]


def whole(value: float) -> str:
    """An epoch or a step: '20', '2.5'."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _typed(value: float) -> str:
    """An epoch or a step as it is typed: '1234567', '2.5'."""
    return str(int(value)) if value == int(value) else str(value)


def _when(point: Point, index: int, axis: Axis) -> float:
    found = point.epoch if axis == "epoch" else point.step if axis == "step" else index + 1
    assert found is not None
    return found


def _best(points: Sequence[Point], better: Better) -> int:
    """The first of the best finite values; the last one where none is finite."""
    sign = 1 if better == "higher" else -1
    finite = [index for index, point in enumerate(points) if math.isfinite(point.value)]
    return max(finite, key=lambda index: sign * points[index].value, default=len(points) - 1)


def _at(run: LoggedRun, metric: str, when: Sequence[float], at: float, axis: Axis) -> int:
    same = SAME_EPOCH if axis == "epoch" else 0.0
    found = [index for index, value in enumerate(when) if abs(value - at) <= same]
    if not found:
        raise InputError(
            f"{run.name} has no {quoted(metric)} at {axis} {whole(at)}; its {axis}s with one go from "
            f"{whole(min(when))} to {whole(max(when))}"
        )
    return found[-1]


def _refuse_single(runs: Sequence[LoggedRun], metric: str, whens: Sequence[Sequence[float]]) -> None:
    single = [run.name for run, when in zip(runs, whens, strict=True) if len(when) == 1]
    if single:
        others = "" if len(single) == 1 else f", as {'does' if len(single) == 2 else 'do'} {len(single) - 1} more"
        raise InputError(
            f"{single[0]} has one row with {quoted(metric)} alone{others}: the run hardly began, or logged it "
            "once; add --at last if that value is meant"
        )


def _refuse_other_ends(runs: Sequence[LoggedRun], whens: Sequence[Sequence[float]], axis: Axis) -> None:
    """Refuse runs whose last values were measured at different epochs or steps: longer training alone may differ."""
    ends: dict[float, list[str]] = {}
    for run, when in zip(runs, whens, strict=True):
        same = [end for end in ends if axis == "epoch" and abs(end - when[-1]) <= SAME_EPOCH]
        ends.setdefault(same[0] if same else when[-1], []).append(run.name)
    if len(ends) == 1:
        return
    kinds = sorted(ends.items(), key=lambda end: -len(end[1]))[:MOST_NAMED]
    told = [f"{names[0]} at {axis} {whole(end)}" for end, names in kinds]
    more = f" and {len(ends) - len(kinds)} others" if len(ends) > len(kinds) else ""
    shared = set.intersection(*(set(when) for when in whens))
    hint = f", or --at {_typed(max(shared))} for {axis} {whole(max(shared))}, which all have" if shared else ""
    raise InputError(
        f"the runs end at different {axis}s: {listed(told) if not more else ', '.join(told)}{more}; add --at best for "
        f"the best value of each{hint}"
    )
