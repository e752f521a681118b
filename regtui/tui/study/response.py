"""Charts over what varies: the metric over a strength, and the gain over data or training. Uses no widget."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from regtui.axes import limits, ticks
from regtui.evidence.dose import Dose, DoseResponse, Level
from regtui.evidence.gain import Gains, GainTrend
from regtui.preset.arms import BASELINE
from regtui.tui.charts.plot import Curve, Plot, Space
from regtui.tui.study.forest import ArmInCell
from regtui.tui.study.subject import Subject

STAR = "★ best by validation"
BESIDE = 0.012
"""Dots stand so far beside their interval, as a share of the chart's width."""
AIR = 0.08
"""A chart reaches so far beyond its outermost values at either side, as a share of its width."""


def response_plot(response: DoseResponse, subject: Subject, chosen: str, space: Space) -> Plot:
    """The metric over a strength: each value's mean, interval and dots, and behind them the baseline as a band.

    Args:
        response: What was measured.
        subject: The study's arms.
        chosen: The arm whose dots are drawn strong.
        space: The chart's size.
    """
    known = [dose for dose in response.doses if dose.level.mean is not None]
    if not known:
        return Plot(empty="the response comes with the first seed")
    places = {dose.arm: response.place(dose.value) for dose in known}
    left, right = _widened(list(places.values()))
    curves = [*_band(response.baseline, subject, left, right)]
    line = [(places[dose.arm], dose.level.mean) for dose in known if dose.level.mean is not None]
    curves.append(Curve([x for x, _ in line], [y for _, y in line], "faint", "dotted"))
    words = []
    for dose in known:
        x, (mark, colour) = places[dose.arm], subject.looks[dose.arm]
        curves += _dose(dose, x, x + BESIDE * (right - left), colour, strong=dose.arm == chosen)
        if dose.level.mean is not None:
            words.append((mark, x, dose.level.mean, colour))
    low, high = limits([y for curve in curves for y in curve.y])
    words += _said(response, places, low, high)
    return Plot(
        curves=curves,
        x_limits=(left, right),
        y_limits=(low, high),
        x_ticks=_fitting([(places[dose.arm], f"{dose.value:g}") for dose in known], left, right, space.width),
        y_ticks=ticks(low, high, max(2, (space.height + 2) // 3)),
        words=words,
        reserve=2 + max((len(curve.name[-1]) for curve in curves if curve.name), default=0),
    )


def response_title(response: DoseResponse, subject: Subject) -> tuple[str, str]:
    """What the chart shows, and below it what the best by validation came to on the test set."""
    title = f"test {subject.metric.titled} over {response.key}"
    if response.best is None or response.best.level.mean is None or response.is_open:
        return title, ""
    mean = subject.metric.plain(response.best.level.mean / subject.metric.factor)
    return title, f"best by validation {response.best.value:g}: {mean} on test"


def _dose(dose: Dose, x: float, beside: float, colour: str, *, strong: bool) -> Iterator[Curve]:
    dots = sorted(value for value in dose.level.test.values() if math.isfinite(value))
    shade = colour if strong else f"{colour}-train"
    yield Curve([beside] * len(dots), dots, shade, mark="•", line=False)
    if dose.level.interval is not None:
        yield Curve([x, x], list(dose.level.interval), colour)


def _band(level: Level, subject: Subject, left: float, right: float) -> Iterator[Curve]:
    """The baseline: its mean from side to side with its name, and its interval."""
    if level.mean is None:
        return
    mark, colour = subject.looks[BASELINE]
    for edge in level.interval or ():
        yield Curve([left, right], [edge, edge], f"{colour}-train", "dotted")
    value = subject.metric.brief(level.mean / subject.metric.factor)
    yield Curve([left, right], [level.mean] * 2, colour, "dashed", name=(f"{mark} baseline {value}", f"{mark} {value}"))


def _said(
    response: DoseResponse, places: dict[str, float], low: float, high: float
) -> Iterator[tuple[str, float, float, str]]:
    """The best by validation, and where it underfits and overfits; nothing between two looks."""
    if response.is_open:
        return
    if response.best is not None and response.best.arm in places:
        yield STAR, places[response.best.arm], high, "success"
    bottom = low + 0.02 * (high - low)
    for words, doses in (
        ("▽ underfits", [dose for dose in response.doses if dose.underfits]),
        ("△ overfits", [dose for dose in response.doses if dose.level.overfits]),
    ):
        for number, dose in enumerate(one for one in doses if one.arm in places):
            yield words if number == 0 else words[0], places[dose.arm], bottom, "warning"


def gains_plot(gains: Gains, subject: Subject, chosen: str, space: Space) -> Plot:
    """Each arm's difference from the baseline over a setting; the chosen arm's with its joint intervals."""
    curves: list[Curve] = []
    values = sorted({gain.value for trend in gains.trends for gain in trend.gains})
    at = {value: math.log10(value) if gains.is_log else value for value in values}
    left, right = _widened(list(at.values()))
    for trend in sorted(gains.trends, key=lambda trend: trend.arm == chosen):
        curves += _gain(trend, at, BESIDE * (right - left), subject, strong=trend.arm == chosen)
    if not curves:
        return Plot(empty="the gain comes with the first seed")
    low, high = limits([0.0, *(y for curve in curves for y in curve.y)])
    return Plot(
        curves=curves,
        x_limits=(left, right),
        y_limits=(low, high),
        x_ticks=_fitting([(x, f"{value:,g}") for value, x in at.items()], left, right, space.width),
        y_ticks=ticks(low, high, max(2, (space.height + 2) // 3)),
        horizontals=[(0.0, "faint")],
        reserve=2 + max((len(curve.name[-1]) for curve in curves if curve.name), default=0),
    )


def _gain(
    trend: GainTrend, at: dict[float, float], beside: float, subject: Subject, *, strong: bool
) -> Iterator[Curve]:
    mark, colour = subject.looks[trend.arm]
    known = [(at[gain.value], gain.difference) for gain in trend.gains if gain.difference.mean is not None]
    if not known:
        return
    for x, difference in known if strong else ():
        dots = sorted(difference.differences.values())
        yield Curve([x + beside] * len(dots), dots, f"{colour}-train", mark="•", line=False)
        if difference.joint is not None and difference.call != "open":
            yield Curve([x, x], list(difference.joint), colour)
    means = [difference.mean for _, difference in known if difference.mean is not None]
    newest = subject.signed(means[-1])
    name = (f"{mark} {subject.label(trend.arm, 20)} {newest}", f"{mark} {newest}")
    yield Curve([x for x, _ in known], means, colour, "solid" if strong else "dotted", mark=mark, name=name)


def gains_title(gains: Gains, subject: Subject) -> str:
    """What the chart shows."""
    unit = subject.metric.points.strip()
    return f"test {subject.metric.title} minus baseline{f', {unit},' if unit else ''} over {gains.key}"


def _widened(places: Sequence[float]) -> tuple[float, float]:
    low, high = min(places), max(places)
    air = AIR * (high - low) or 1.0
    return low - air, high + air


def _fitting(labels: Sequence[tuple[float, str]], left: float, right: float, width: int) -> list[tuple[float, str]]:
    """The labels that do not run into the one before them."""
    kept: list[tuple[float, str]] = []
    for x, label in sorted(labels):
        cells = (x - kept[-1][0]) / (right - left) * width if kept else math.inf
        if cells > len(label) / 2 + (len(kept[-1][1]) / 2 if kept else 0) + 1:
            kept.append((x, label))
    return kept


def chosen_response(responses: Sequence[DoseResponse], at: ArmInCell) -> DoseResponse | None:
    """The strength that the chosen arm is a value of; the first where it is of none."""
    of_arm = [response for response in responses if any(dose.arm == at.arm for dose in response.doses)]
    return next(iter([*of_arm, *responses]), None)
