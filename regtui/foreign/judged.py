"""What the logs of two sides come to: their runs joined by seed where something tells it, else compared unpaired."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from regtui.errors import InputError
from regtui.evidence.decided import MATTERS, Decided
from regtui.evidence.over_seeds import Call, Compared, Pairs, compare
from regtui.evidence.student import Interval
from regtui.evidence.unpaired import Unpaired, welch
from regtui.foreign.counted_value import At, Axis, Value, count_values
from regtui.foreign.metric import Better, choose, facts, measured_on
from regtui.foreign.seeds import Joined, join
from regtui.foreign.series import RUN_OF, LoggedRun
from regtui.tasks.facts import Metric

FEWEST = 2
"""Runs of each side; one has no spread."""
HUGE = 1e60
"""Larger values are taken for infinite, and those as small for 0: Welch's degrees of freedom need fourth powers."""
ALIKE = 5
"""So many equal values in a row are no accident."""


class JudgeWishes(NamedTuple):
    """What somebody asked for; None where nothing was said.

    Attributes:
        metric: The metric's name.
        better: Whether higher or lower values are better.
        at: Which value of each run counts.
        smallest: The smallest difference that matters, in the shown unit.
        alpha: The share of comparisons without any difference that may be called one.
    """

    metric: str | None = None
    better: Better | None = None
    at: At | None = None
    smallest: float | None = None
    alpha: float = 0.05


@dataclass(frozen=True)
class JudgedLogs:
    """What the runs of two sides come to. Values are in the unit in which people read the metric.

    Attributes:
        metric: What was judged, and how it is shown.
        was_named: Whether somebody named the metric.
        at: Which value of each run counts.
        axis: On what it is told when that value was measured.
        baseline: The values that count, in the order of the files; where runs are joined, in that of the seeds.
        regularized: The same of the other side; where runs are joined, each beside its partner.
        keys: The seed, or the number in its name, of each pair; empty where nothing was joined.
        joined_by: What joins them, 'seed' or 'number', that in the names; empty where nothing was joined.
        unjoined_because: Why nothing was joined, in words.
        compared: The comparison where runs are joined.
        unpaired: The comparison where they are not.
        call: What it comes to.
        smallest: The smallest difference that matters; None where nobody said and the metric is no accuracy.
        alpha: The share of comparisons without any difference that may be called one.
        left_out: Runs that do not count, and why.
        notes: What a reader should know of the files.
    """

    metric: Metric
    was_named: bool
    at: At
    axis: Axis
    baseline: tuple[Value, ...]
    regularized: tuple[Value, ...]
    keys: tuple[int, ...]
    joined_by: str
    unjoined_because: str
    compared: Compared | None
    unpaired: Unpaired | None
    call: Call
    smallest: float | None
    alpha: float
    left_out: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def difference(self) -> float:
        """Mean of the regularized side minus mean of the baseline."""
        return self.mean(self.regularized) - self.mean(self.baseline)

    @property
    def interval(self) -> Interval | None:
        """The interval of the difference at 1 − alpha; None where values don't vary."""
        of = self.compared or self.unpaired
        return of.interval if of is not None else None

    @property
    def p(self) -> float | None:
        """The p-value that decides; None where there is none."""
        of = self.compared or self.unpaired
        return of.p if of is not None else None

    @property
    def shown(self) -> bool:
        """Whether a difference is shown, be it large enough to matter or not."""
        return self.p is not None and self.p <= self.alpha and self.difference != 0

    def mean(self, side: Sequence[Value]) -> float:
        """The mean of a side's values."""
        return fmean(value.value for value in side)


def judge(baseline: Sequence[LoggedRun], regularized: Sequence[LoggedRun], wishes: JudgeWishes) -> JudgedLogs:
    """Compare the runs of two sides in one metric.

    Joined runs are compared by `evidence/over_seeds.py::compare`, as a study's are, others by Welch's t test.

    Raises:
        InputError: A run is on both sides, a seed is twice on one, the runs do not compare, or too few are left.
    """
    _refuse_shared(baseline, regularized)
    _refuse_few((baseline, regularized))
    chosen = choose([*baseline, *regularized], wishes.metric)
    values = {run.name: [point.value for point in run.series[chosen.name]] for run in (*baseline, *regularized)}
    metric = facts(chosen.name, values, wishes.better)
    axis, counted = count_values([*baseline, *regularized], chosen.name, wishes.at, metric.better)
    counted = [value._replace(value=_shown(value.value, metric)) for value in counted]
    sides = counted[: len(baseline)], counted[len(baseline) :]
    left_out = [f"{value.run.name}: its {chosen.name} is not finite there" for value in counted if not _finite(value)]
    finite = [[value for value in side if _finite(value)] for side in sides]
    _refuse_few(finite, left_out)
    smallest = wishes.smallest if wishes.smallest is not None or not metric.points else MATTERS["accuracy"]
    decided = Decided(metric.better, len(counted), smallest, wishes.alpha)
    paired = _paired(*finite)
    compared = unpaired = None
    if paired.by:
        finite = [[pair[side] for pair in paired.pairs.values()] for side in (0, 1)]
        values_of = [{key: pair[side].value for key, pair in paired.pairs.items()} for side in (0, 1)]
        compared = compare({chosen.name: Pairs(*values_of)}, decided)[chosen.name]
    else:
        numbers = [[value.value for value in side] for side in finite]
        unpaired = welch(numbers[0], numbers[1], wishes.alpha)
    interval = compared.interval if compared else unpaired.interval if unpaired else None
    means = [fmean(value.value for value in side) for side in finite]
    return JudgedLogs(
        metric=_with_digits(metric, (*(interval or ()), means[1] - means[0])),
        was_named=chosen.was_named,
        at=wishes.at or "last",
        axis=axis,
        baseline=tuple(finite[0]),
        regularized=tuple(finite[1]),
        keys=tuple(paired.pairs),
        joined_by=paired.by,
        unjoined_because=paired.because,
        compared=compared,
        unpaired=unpaired,
        call=compared.call if compared else _call(unpaired, decided),
        smallest=smallest,
        alpha=wishes.alpha,
        left_out=(*left_out, *paired.alone),
        notes=tuple(_notes(finite, chosen.name, axis)),
    )


def _refuse_shared(baseline: Sequence[LoggedRun], regularized: Sequence[LoggedRun]) -> None:
    known = {run.identity: run for run in baseline}
    shared = [run.name for run in regularized if run.identity in known]
    if shared:
        more = f", and {len(shared) - 1} more are" if len(shared) > 1 else ""
        raise InputError(
            f"{shared[0]} is on both sides{more}: name a run once; FILE{RUN_OF}RUN is one of the runs of a file"
        )


def _shown(value: float, metric: Metric) -> float:
    """A value in the unit in which it is shown."""
    return 0.0 if abs(value) < 1 / HUGE else metric.factor * value


def _with_digits(metric: Metric, numbers: Sequence[float]) -> Metric:
    """The metric with so many decimals that the largest of some numbers has two significant digits or more."""
    largest = max(map(abs, numbers))
    return metric if largest == 0 else metric._replace(digits=max(metric.digits, 1 - math.floor(math.log10(largest))))


def _finite(value: Value) -> bool:
    return abs(value.value) <= HUGE  # False for NaN


def _refuse_few(sides: Sequence[Sequence[object]], left_out: Sequence[str] = ()) -> None:
    """Refuse a side with too few runs for a spread; those that were left out are named."""
    for side, option in zip(sides, ("--baseline", "--regularized"), strict=True):
        if len(side) < FEWEST:
            more = f", and {len(left_out) - 1} more" if len(left_out) > 1 else ""
            lost = f" that counts ({left_out[0]}{more})" if left_out else ""
            raise InputError(
                f"{option} has {'one run' if side else 'no run'}{lost}: a verdict needs two or more of each side, with "
                "different seeds, better eight"
            )


class _Paired(NamedTuple):
    """Pairs of runs by seed, in the order of the seeds; without any, why there are none.

    Attributes:
        pairs: A run of the baseline and one of the other side, by what joins them.
        by: What joins them, in words; empty where nothing does.
        because: Why nothing does.
        alone: Runs without a partner, and why.
    """

    pairs: Mapping[int, tuple[Value, Value]]
    by: str
    because: str
    alone: tuple[str, ...]


def _paired(baseline: Sequence[Value], regularized: Sequence[Value]) -> _Paired:
    joined = join([value.run for value in baseline], [value.run for value in regularized])
    if joined is None:
        return _Paired({}, "", "neither names nor settings beside the logs tell the seed of every run", ())
    first, second = (_by_key(side, joined) for side in (baseline, regularized))
    shared = sorted(first.keys() & second.keys())
    if len(shared) < FEWEST:
        both = f"only {joined.what} {shared[0]}" if shared else f"no {joined.what}"
        return _Paired({}, "", f"{both} is on both sides", ())
    alone = [
        f"{side[key].run.name}: {joined.what} {key} is not on the other side"
        for side in (first, second)
        for key in sorted(side)
        if key not in shared
    ]
    return _Paired({key: (first[key], second[key]) for key in shared}, joined.what, "", tuple(alone))


def _by_key(side: Sequence[Value], joined: Joined) -> dict[int, Value]:
    """A side's runs by seed.

    Raises:
        InputError: Two have the same.
    """
    found: dict[int, Value] = {}
    for value in side:
        key = joined.keys[value.run.name]
        if key in found:
            both = f"{found[key].run.name} and {value.run.name}"
            raise InputError(f"{both} both have {joined.what} {key}; a seed counts once: leave one out")
        found[key] = value
    return found


def _call(found: Unpaired | None, decided: Decided) -> Call:
    """What an unpaired comparison comes to, by the same rule as a paired one."""
    if found is None or found.interval is None or found.p is None:
        return "inconclusive"
    low, high = found.interval
    if decided.smallest is not None and -decided.smallest < low and high < decided.smallest:
        return "no difference"
    if found.p > decided.alpha:
        return "inconclusive"
    return "helps" if (found.difference > 0) == (decided.better == "higher") else "hurts"


def _notes(sides: Sequence[Sequence[Value]], metric: str, axis: Axis) -> Iterator[str]:
    """What a reader should know of the files before believing what they come to."""
    counted = [value for side in sides for value in side]
    for value in counted:
        yield from (f"{value.run.name}: {note}" for note in value.run.notes)
    if measured_on(metric) == "training":
        yield f"{metric} is measured on training data, which tells nothing of new data"
    yield from _other_steps(counted, metric, axis)
    same: dict[tuple[float, ...], list[str]] = {}
    for value in counted:
        same.setdefault(tuple(point.value for point in value.run.series[metric]), []).append(value.run.name)
    for values, names in same.items():
        if len(names) > 1 and len(values) >= ALIKE:
            more = f" and {len(names) - 2} more" if len(names) > 2 else ""
            yield f"{names[0]}, {names[1]}{more} have the same {metric} throughout: is that one run, copied?"


def _other_steps(counted: Sequence[Value], metric: str, axis: Axis) -> Iterator[str]:
    """That the same epochs took other numbers of steps, which a fair comparison of two techniques does not have."""
    if axis != "epoch" or len({value.at for value in counted}) > 1:
        return
    steps: dict[float, str] = {}
    for value in counted:
        last = value.run.series[metric][-1]
        if last.step is not None:
            steps.setdefault(last.step, value.run.name)
    if len(steps) > 1:
        (few, one), *_, (many, other) = sorted(steps.items())
        yield f"the same epochs took {few:,.0f} steps in {one} and {many:,.0f} in {other}: batches or data differ"
