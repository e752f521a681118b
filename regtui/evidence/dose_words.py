"""Dose and response in sentences and tables; silent where the numbers carry nothing.

Means of an arm and of the baseline are told over the seeds that their difference is made of, so that the three agree.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

from regtui.evidence.dose import Dose, DoseResponse, Level
from regtui.evidence.effect_map import EffectMap
from regtui.evidence.gain import Gains, GainTrend
from regtui.evidence.over_seeds import Call, Compared
from regtui.evidence.student import Interval
from regtui.preset.arms import REGULARIZED
from regtui.tasks import Metric
from regtui.text import NBSP, UNKNOWN, counted, listed, loss, number, p_value, share, signed

WHAT: Mapping[Call, str] = {
    "helps": "helps at",
    "hurts": "hurts at",
    "no difference": "no difference that matters at",
    "inconclusive": "not settled at",
    "none": "not compared at",
}
"""What a strength does at some of its values, in the order in which it is told."""
AMOUNTS: Mapping[str, str] = {
    "data.train_samples": "training examples",
    "train.epochs": "epochs",
    "train.learning_rate": "the learning rate",
    "train.batch_size": "the batch size",
}
"""What a setting is an amount of; others are called by their key."""
MORE_DATA = "The epochs were planned alike for every amount of data, so more data also meant more steps."


def told_value(metric: Metric, value: float | None) -> str:
    """A value of the metric as it is shown, with its unit: '93.12 %'."""
    shown = loss(value) if metric.name == "loss" else number(value, f".{metric.digits}f")
    return shown if shown == UNKNOWN else f"{shown}{metric.unit}"


def told_difference(metric: Metric, value: float | None, *, unit: bool = True) -> str:
    """A difference in its shown unit, with its sign: '+1.42 points'."""
    shown = loss(value, "+.4f") if metric.name == "loss" else number(value, f"+.{metric.digits}f")
    return f"{shown}{metric.points}" if unit and shown != UNKNOWN else shown


def told_setting(value: float) -> str:
    """A value of a knob or a setting: '0.5', '1e−05', '2,000'."""
    return signed(f"{value:,g}")


def told_interval(metric: Metric, interval: Interval, level: float) -> str:
    """An interval with its confidence: '95 % interval +0.96 to +1.93'."""
    low, high = (told_difference(metric, limit, unit=False) for limit in interval)
    return f"{100 * (1 - level):.4g}{NBSP}% interval {low}{NBSP}to{NBSP}{high}"


def knob_of(response: DoseResponse) -> str:
    """The knob by its key, with its arm's name where that has one: 'dropout.rate', 'both.dropout.rate'."""
    return response.key if response.of == REGULARIZED else f"{response.of}.{response.key}"


def dose_sentences(response: DoseResponse) -> list[str]:
    """What a strength does over its values; empty while the study is open."""
    return [] if response.is_open else list(_of_doses(response))


def _of_doses(response: DoseResponse) -> Iterator[str]:
    doses, parts = response.doses, []
    for call, words in WHAT.items():
        at = [dose for dose in doses if dose.difference.call == call]
        parts += [f"{words} {_values(at)}"] if at else []
    counts = sorted({len(dose.difference.differences) for dose in response.compared})
    over = counted(counts[0], "seed") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    yield f"{knob_of(response)}, {len(doses)} values over {over}: {'; '.join(parts)}."
    if response.best is not None:
        yield _best(response, response.best)
        yield from _beside_the_best(response, response.best)
    base = response.baseline
    if low := [dose for dose in doses if dose.underfits and dose.than is None]:
        yield _underfitting(low, "the baseline's", base)
    best = response.best
    if best is not None and (low := [dose for dose in doses if dose.than is not None]):
        yield _underfitting(low, f"those at {told_setting(best.value)}", best.level)
    if high := [dose for dose in doses if dose.level.overfits]:
        rises = listed([share(dose.level.rise, 0, NBSP) for dose in high])
        theirs = f", the baseline's {share(base.rise, 0, NBSP)}" if base.rise is not None else ""
        yield (
            f"It overfits at {_values(high)}: the validation loss of the kept weights lies {rises} above the lowest of "
            f"their run on average{theirs}."
        )


def _underfitting(low: Sequence[Dose], others: str, level: Level) -> str:
    trains, vals = (
        listed([loss(value) for value in values]) for values in zip(*(_losses(dose.level) for dose in low), strict=True)
    )
    return (
        f"It underfits at {_values(low)}: training loss ({trains}) and validation loss ({vals}) are higher than "
        f"{others} ({loss(level.train_loss)} and {loss(level.val_loss)}), while the gap is smaller."
    )


def _values(doses: Sequence[Dose]) -> str:
    return listed([told_setting(dose.value) for dose in doses])


def _losses(level: Level) -> tuple[float | None, float | None]:
    return level.train_loss, level.val_loss


def _metrics(metric: Metric, level: Level) -> list[str]:
    """Means of the metric on the validation and on the test set."""
    return [told_value(metric, level.validation), told_value(metric, level.mean)]


def _best(response: DoseResponse, best: Dose) -> str:
    metric, difference = response.metric, best.difference
    ours, theirs = (
        statistics.fmean(level.test[seed] for seed in difference.differences)
        for level in (best.level, response.baseline)
    )
    joint = ""
    if difference.joint is not None:
        interval = told_interval(metric, difference.joint, difference.level)
        joint = f" ({interval}, which holds for all comparisons of this study together)"
    count, value = len(response.compared), told_setting(best.value)
    return (
        f"Of the {count} values {value} has the best validation {metric.title} on average over "
        f"{counted(response.chosen_over, 'seed')}; its test {metric.title} is {told_value(metric, ours)} against the "
        f"baseline's {told_value(metric, theirs)}, {told_difference(metric, difference.mean)}{joint}."
    )


def _beside_the_best(response: DoseResponse, best: Dose) -> Iterator[str]:
    """What makes the choice uncertain: the baseline, a near second, another one on test."""
    metric, runner, base = response.metric, response.runner, response.baseline_on_validation
    sign = 1 if metric.better == "higher" else -1
    if base is not None and response.best_on_validation is not None and sign * (base - response.best_on_validation) > 0:
        yield (
            f"On validation the baseline is better on average than each of these values, {told_value(metric, base)} "
            f"against {told_value(metric, response.best_on_validation)} of the best."
        )
    if runner is not None and runner.interval is not None and runner.interval[0] <= 0:
        behind = told_difference(metric, runner.behind).lstrip("+")
        yield (
            f"Validation does not tell it from the second, {told_setting(runner.value)}, which is {behind} behind "
            f"({told_interval(metric, runner.interval, response.alpha)})."
        )
    ahead = max(response.compared, key=lambda dose: sign * (dose.difference.mean or 0.0))
    if ahead is not best and sign * ((ahead.difference.mean or 0.0) - (best.difference.mean or 0.0)) > 0:
        difference = told_difference(metric, ahead.difference.mean)
        yield (
            f"On the test set the mean of {told_setting(ahead.value)} is better, {difference} from the baseline; the "
            "test set was not asked for the choice."
        )


def gain_sentences(gains: Gains, labels: Mapping[str, str]) -> list[str]:
    """How the arms' differences change over a setting, for each arm of which that is shown; else nothing.

    Args:
        gains: The differences.
        labels: What each arm is called.
    """
    shown = [trend for trend in gains.trends if trend.is_shown]
    several = sum(trend.p is not None for trend in gains.trends)
    words = [_trend(gains, trend, labels.get(trend.arm, trend.arm), several) for trend in shown]
    return words + ([MORE_DATA] if words and gains.key == "data.train_samples" else [])


def _trend(gains: Gains, trend: GainTrend, label: str, several: int) -> str:
    metric, slope = gains.metric, trend.slope or 0.0
    sign = 1 if metric.better == "higher" else -1
    first, last = trend.gains[0], trend.gains[-1]
    means = [gain.difference.mean or 0.0 for gain in trend.gains]
    if "helps" in (first.difference.call, last.difference.call) and min(sign * mean for mean in means) >= 0:
        what = f"The gain of {label} {'grows' if sign * slope > 0 else 'shrinks'}"
    else:
        what = f"The difference of {label} from the baseline {'rises' if slope > 0 else 'falls'}"
    ends = ""
    if (means[-1] - means[0]) * slope > 0:
        here, there = (told_difference(metric, mean) for mean in (means[0], means[-1]))
        ends = f", from {here} at {told_setting(first.value)} to {there} at {told_setting(last.value)}"
    interval = f"{told_interval(metric, trend.interval, trend.level)}; " if trend.interval is not None else ""
    p = f"{p_value(trend.p)}{f' by Holm for {several} arms' if several > 1 else ''}" if trend.p is not None else ""
    return (
        f"{what} with {AMOUNTS.get(gains.key, gains.key)}{ends}: on average {told_difference(metric, slope)} for each "
        f"doubling ({interval}t test on the slopes of {trend.seeds} seeds, {p})."
    )


def dose_table(response: DoseResponse) -> tuple[Sequence[str], list[list[str]]]:
    """The head and the rows of a table: the baseline and each value, what was measured of it, and how it is judged."""
    metric, base = response.metric, response.baseline
    head = [knob_of(response), "validation", "test", "difference", "train loss", "val loss", "interval", "verdict"]
    rows = [["baseline", *_metrics(metric, base), "", *map(loss, _losses(base)), "", ""]]
    for dose in response.doses:
        difference, *judged = _compared(metric, dose.difference)
        measured = [*_metrics(metric, dose.level), difference, *map(loss, _losses(dose.level))]
        rows.append([told_setting(dose.value), *measured, *judged])
    return head, rows


def map_table(effects: EffectMap) -> tuple[Sequence[str], list[list[str]]]:
    """The head and the rows of a table: mean differences by row and column."""
    head = [f"{effects.row_key} \\ {effects.column_key}", *map(told_setting, effects.columns)]
    rows = []
    for row in effects.rows:
        found = [effects.effects.get((row, column)) for column in effects.columns]
        told = [UNKNOWN if of is None else told_difference(effects.metric, of.mean, unit=False) for of in found]
        rows.append([told_setting(row), *told])
    return head, rows


def _compared(metric: Metric, difference: Compared) -> list[str]:
    interval = ""
    if difference.joint is not None and difference.call != "open":
        low, high = (told_difference(metric, limit, unit=False) for limit in difference.joint)
        interval = f"{low} to {high}"
    word = "" if difference.call in ("open", "none") else difference.call
    return [told_difference(metric, difference.mean, unit=False), interval, word]
