"""What a run of several arms supports, in words: each arm against the baseline, and that so many were compared.

Each thing is said once, and what is settled comes first: arms that did better, then worse, the largest difference
first, then those that are undecided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from regtui.evidence.verdict import ALPHA, HOW_DIVERGED, OUTCOMES, Verdict
from regtui.preset.arms import BASELINE, marks_of
from regtui.tasks import words
from regtui.text import NBSP, UNKNOWN, listed, p_value

FEW = 3
"""A sentence names so many arms; more of them are told by the letters that the tables give them."""
Columns = list[tuple[str, str, list[str]]]
"""A table's columns: the two lines of each header, and its cells."""


def in_order(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The most telling first."""
    return sorted(verdicts, key=lambda v: (OUTCOMES.index(v.outcome), -abs(v.difference or 0.0)))


def opening(verdicts: Sequence[Verdict]) -> str:
    """How many arms did better or worse than the baseline, and which; empty if none is compared."""
    first, ordered = verdicts[0], in_order(verdicts)
    if all(verdict.outcome == "none" for verdict in verdicts):
        return ""
    base = "the baseline" if first.baseline.is_plain else f"the baseline ({first.baseline.label})"
    groups: dict[str, list[str]] = {}
    for verdict in ordered:
        groups.setdefault(verdict.outcome, []).append(verdict.arm.name)
    marks = marks_in(verdicts)
    found = [
        f"{words.of_several(outcome, len(names))} ({', '.join(in_few_words(names, marks))})"
        for outcome, names in groups.items()
    ]
    total = next(verdict.comparison.total for verdict in ordered if verdict.comparison is not None)
    return (
        f"On this split and seed, {len(verdicts)} networks against that of {base} on {total:,} "
        f"{first.dataset} test {first.examples}: {'; '.join(found)}."
    )


def comparisons(verdicts: Sequence[Verdict]) -> Columns:
    """The columns of a table with a row for each comparison that is drawn; none if there is none."""
    rows = [verdict for verdict in in_order(verdicts) if verdict.p_value is not None]
    if not rows:
        return []
    assert rows[0].comparison is not None
    adjusted = "adjusted" if len(rows) > 1 else ""
    marks = marks_in(verdicts)
    top, bottom = words.head_of_difference(rows[0].comparison)
    return [
        ("", "", [labelled(verdict.arm.name, marks) for verdict in rows]),
        ("against", "baseline", [verdict.outcome for verdict in rows]),
        (top, bottom, [_difference(verdict, verdict.difference) for verdict in rows]),
        ("95 %", "interval", [_interval(verdict) for verdict in rows]),
        (adjusted, "p", [_p_value(verdict) for verdict in rows]),
        ("time an", "epoch", [_cost(verdict) for verdict in rows]),
    ]


def sentences(verdicts: Sequence[Verdict]) -> list[str]:
    """The same as the table of comparisons, for where it has no room."""
    rows = [verdict for verdict in in_order(verdicts) if verdict.p_value is not None]
    adjusted, marks = "adjusted " if len(rows) > 1 else "", marks_in(verdicts)
    return [
        f"{labelled(verdict.arm.name, marks)}: {verdict.outcome}, {_difference(verdict, verdict.difference)}"
        f"{words.unit_of_difference(verdict.comparison)}, 95{NBSP}% interval {_interval(verdict)}, "
        f"{adjusted}{p_value(verdict.p_value)}, {_cost(verdict)} the time an epoch."
        for verdict in rows
        if verdict.comparison is not None and verdict.p_value is not None
    ]


def closing(verdicts: Sequence[Verdict]) -> list[str]:
    """How the comparisons were made, and what they leave open; each a paragraph."""
    ordered = in_order(verdicts)
    drawn = [verdict for verdict in ordered if verdict.p_value is not None]
    marks = marks_in(verdicts)
    paragraphs = [f"{_method(drawn)}{_unsettled(drawn, marks)}{_underfitting(drawn, marks)}"] if drawn else []
    paragraphs += [
        f"{labelled(verdict.arm.name, marks)}: {verdict.statement()}"
        for verdict in ordered
        if verdict.outcome == "same"
    ]
    return paragraphs + ([_limits(drawn)] if drawn else [])


def reasons(verdicts: Sequence[Verdict], marks: Mapping[str, str]) -> list[str]:
    """Why these arms are not compared with the baseline, each reason once."""
    diverged = {a.name: a for v in verdicts if v.diverged for a in (v.baseline, v.arm) if a.diverged}
    alike: dict[str, list[str]] = {}
    for name, arm in diverged.items():
        alike.setdefault(f"diverged in epoch{NBSP}{arm.epochs} ({HOW_DIVERGED[arm.stop_reason]})", []).append(
            labelled(name, marks)
        )
    reasons = []
    if diverged:
        strength = "" if BASELINE in diverged else f"{'its' if len(diverged) == 1 else 'their'} strength, or "
        advice = f"Lower {strength}learning_rate{',' * bool(strength)} and run again."
        reasons.append(f"{'; '.join(f'{listed(names)} {how}' for how, names in alike.items())}. {advice}")
    return reasons + list(dict.fromkeys(verdict.why_none() for verdict in verdicts if not verdict.diverged))


def _method(drawn: Sequence[Verdict]) -> str:
    comparison = drawn[0].comparison
    assert comparison is not None
    untested = f" {words.UNTESTED}" if drawn[0].task.name == "classification" else ""
    if len(drawn) == 1:
        return f"Interval: {comparison.method}; p: {comparison.test}.{untested}"
    return (
        f"Each interval ({comparison.method}) is of its own comparison; the p-values ({comparison.test}) are adjusted "
        f"for {len(drawn)} comparisons after Holm.{untested}"
    )


def _unsettled(drawn: Sequence[Verdict], marks: Mapping[str, str]) -> str:
    """Whose interval leaves out 0 although its p-value is not small enough."""
    names = [
        v.arm.name for v in drawn if v.outcome == "undecided" and v.interval and not v.interval[0] <= 0 <= v.interval[1]
    ]
    if not names:
        return ""
    adjusted = "adjusted " if len(drawn) > 1 else ""
    arms = listed(in_few_words(names, marks))
    return f" Of {arms} the interval leaves out 0, but the {adjusted}p is not below {ALPHA}."


def _underfitting(drawn: Sequence[Verdict], marks: Mapping[str, str]) -> str:
    names = [verdict.arm.name for verdict in drawn if verdict.underfits]
    if not names:
        return ""
    return (
        f" The gap of {listed(in_few_words(names, marks))} is smaller than the baseline's, yet the validation loss of "
        "the kept weights is higher."
    )


def _limits(drawn: Sequence[Verdict]) -> str:
    return (
        f"One run of one seed ({drawn[0].seed}): intervals and p-values speak of these trained networks; another seed "
        "or split may say otherwise, also of which arm comes first. Whether a technique makes the difference, several "
        "seeds can tell."
    )


def in_few_words(names: Sequence[str], marks: Mapping[str, str]) -> Sequence[str]:
    """These arms' letters, with their names where they are few; a name such as 'all' alone would be a word as well."""
    return [labelled(name, marks) if len(names) <= FEW else marks[name] for name in names]


def labelled(name: str, marks: Mapping[str, str]) -> str:
    """An arm's letter and name, as the tables have them: 'A dropout'; of the baseline its name."""
    return name if name == BASELINE else f"{marks[name]} {name}"


def marks_in(verdicts: Iterable[Verdict]) -> dict[str, str]:
    """The marks of a run's arms."""
    return marks_of([BASELINE, *(verdict.arm.name for verdict in verdicts)])


def _difference(verdict: Verdict, value: float | None) -> str:
    assert verdict.comparison is not None
    return UNKNOWN if value is None else words.difference(verdict.comparison, value)


def _interval(verdict: Verdict) -> str:
    assert verdict.interval is not None
    return f"{NBSP}to{NBSP}".join(_difference(verdict, limit) for limit in verdict.interval)


def _p_value(verdict: Verdict) -> str:
    assert verdict.p_value is not None
    return p_value(verdict.p_value).removeprefix(f"p{NBSP}").removeprefix(f"={NBSP}")


def _cost(verdict: Verdict) -> str:
    return UNKNOWN if verdict.cost_ratio is None else f"{verdict.cost_ratio:.2f}{NBSP}×"
