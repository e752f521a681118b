"""What a run of several arms supports, in words: each arm against the baseline, and that so many were compared.

Each thing is said once, and what is settled comes first: arms that did better, then worse, the largest difference
first, then those that are undecided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from regtui.evidence.verdict import ALPHA, HOW_DIVERGED, OUTCOMES, Verdict, counted_epochs
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
    """How many arms did better or worse than the baseline, and which; what clouds that comes before it."""
    first, ordered = verdicts[0], in_order(verdicts)
    if all(verdict.outcome == "none" for verdict in verdicts):
        why = " Also, ".join(_reasons(verdicts, _marks(verdicts)))
        return f"{_clouds(verdicts)}No comparison is drawn on this split and seed: {why}"
    base = "the baseline" if first.baseline.is_plain else f"the baseline ({first.baseline.label})"
    groups: dict[str, list[str]] = {}
    for verdict in ordered:
        groups.setdefault(verdict.outcome, []).append(verdict.arm.name)
    marks = _marks(verdicts)
    found = [
        f"{words.of_several(outcome, len(names))} ({', '.join(_in_few_words(names, marks))})"
        for outcome, names in groups.items()
    ]
    total = next(verdict.comparison.total for verdict in ordered if verdict.comparison is not None)
    return (
        f"{_clouds(verdicts)}On this split and seed, {len(verdicts)} networks against that of {base} on {total:,} "
        f"{first.dataset} test {first.examples}: {'; '.join(found)}."
    )


def comparisons(verdicts: Sequence[Verdict]) -> Columns:
    """The columns of a table with a row for each comparison that is drawn; none if there is none."""
    rows = [verdict for verdict in in_order(verdicts) if verdict.p_value is not None]
    if not rows:
        return []
    assert rows[0].comparison is not None
    adjusted = "adjusted" if len(rows) > 1 else ""
    marks = _marks(verdicts)
    top, bottom = words.head_of_difference(rows[0].comparison)
    return [
        ("", "", [_labelled(verdict.arm.name, marks) for verdict in rows]),
        ("against", "baseline", [verdict.outcome for verdict in rows]),
        (top, bottom, [_difference(verdict, verdict.difference) for verdict in rows]),
        ("95 %", "interval", [_interval(verdict) for verdict in rows]),
        (adjusted, "p", [_p_value(verdict) for verdict in rows]),
        ("time an", "epoch", [_cost(verdict) for verdict in rows]),
    ]


def sentences(verdicts: Sequence[Verdict]) -> list[str]:
    """The same as the table of comparisons, for where it has no room."""
    rows = [verdict for verdict in in_order(verdicts) if verdict.p_value is not None]
    adjusted, marks = "adjusted " if len(rows) > 1 else "", _marks(verdicts)
    return [
        f"{_labelled(verdict.arm.name, marks)}: {verdict.outcome}, {_difference(verdict, verdict.difference)}"
        f"{words.unit_of_difference(verdict.comparison)}, 95{NBSP}% interval {_interval(verdict)}, "
        f"{adjusted}{p_value(verdict.p_value)}, {_cost(verdict)} the time an epoch."
        for verdict in rows
        if verdict.comparison is not None and verdict.p_value is not None
    ]


def closing(verdicts: Sequence[Verdict]) -> list[str]:
    """How the comparisons were made, what they leave open, and why others were not; each a paragraph."""
    ordered = in_order(verdicts)
    drawn = [verdict for verdict in ordered if verdict.p_value is not None]
    not_drawn = [verdict for verdict in ordered if verdict.outcome == "none"]
    marks = _marks(verdicts)
    paragraphs = [f"{_method(drawn)}{_unsettled(drawn, marks)}{_underfitting(drawn, marks)}"] if drawn else []
    paragraphs += [
        f"{_labelled(verdict.arm.name, marks)}: {verdict.headline()}"
        for verdict in ordered
        if verdict.outcome == "same"
    ]
    if len(not_drawn) < len(verdicts):  # otherwise the opening has said why
        paragraphs += [f"Not compared: {why}" for why in _reasons(not_drawn, marks)]
    return paragraphs + ([_limits(drawn)] if drawn else [])


def _clouds(verdicts: Sequence[Verdict]) -> str:
    """What keeps the run from being the clean comparison that its preset plans; empty if nothing does."""
    first, clouds, marks = verdicts[0], [], _marks(verdicts)
    if first.interventions > 0:
        times = "once" if first.interventions == 1 else f"{first.interventions} times"
        clouds.append(f"steered {times} while it trained")
    if first.status == "stopped" and any(arm.epochs for arm in (first.baseline, *(v.arm for v in verdicts))):
        stopped: dict[str, list[str]] = {}
        for arm in (first.baseline, *(verdict.arm for verdict in verdicts)):
            if arm.stop_reason == "stopped":  # an arm that had ended by then was not stopped
                stopped.setdefault(counted_epochs(arm), []).append(_labelled(arm.name, marks))
        all_alike = len(stopped) == 1 and len(next(iter(stopped.values()))) == len(verdicts) + 1
        after = [f"{'' if all_alike else f'{listed(names)} '}after {epochs}" for epochs, names in stopped.items()]
        clouds.append(f"stopped by the user{' ' if all_alike else ': ' if after else ''}{'; '.join(after)}")
    return f"No clean comparison: the run was {' and '.join(clouds)}. " if clouds else ""


def _reasons(verdicts: Sequence[Verdict], marks: Mapping[str, str]) -> list[str]:
    """Why these arms are not compared with the baseline, each reason once."""
    diverged = {a.name: a for v in verdicts if v.diverged for a in (v.baseline, v.arm) if a.diverged}
    alike: dict[str, list[str]] = {}
    for name, arm in diverged.items():
        alike.setdefault(f"diverged in epoch{NBSP}{arm.epochs} ({HOW_DIVERGED[arm.stop_reason]})", []).append(
            _labelled(name, marks)
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
    if len(drawn) == 1:
        return f"Interval: {comparison.method}; p: {comparison.test}."
    return (
        f"Each interval ({comparison.method}) is of its own comparison; the p-values ({comparison.test}) are adjusted "
        f"for {len(drawn)} comparisons after Holm."
    )


def _unsettled(drawn: Sequence[Verdict], marks: Mapping[str, str]) -> str:
    """Whose interval leaves out 0 although its p-value is not small enough."""
    names = [
        v.arm.name for v in drawn if v.outcome == "undecided" and v.interval and not v.interval[0] <= 0 <= v.interval[1]
    ]
    if not names:
        return ""
    adjusted = "adjusted " if len(drawn) > 1 else ""
    arms = listed(_in_few_words(names, marks))
    return f" Of {arms} the interval leaves out 0, but the {adjusted}p is not below {ALPHA}."


def _underfitting(drawn: Sequence[Verdict], marks: Mapping[str, str]) -> str:
    names = [verdict.arm.name for verdict in drawn if verdict.underfits]
    if not names:
        return ""
    return (
        f" The gap of {listed(_in_few_words(names, marks))} is smaller than the baseline's, yet the validation loss of "
        "the kept weights is higher: too strong here, or too few epochs."
    )


def _limits(drawn: Sequence[Verdict]) -> str:
    return (
        f"One run of one seed ({drawn[0].seed}): intervals and p-values speak of these trained networks; another seed "
        "or split may say otherwise, also of which arm comes first. Whether a technique makes the difference, several "
        "seeds can tell."
    )


def _in_few_words(names: Sequence[str], marks: Mapping[str, str]) -> Sequence[str]:
    """These arms' letters, with their names where they are few; a name such as 'all' alone would be a word as well."""
    return [_labelled(name, marks) if len(names) <= FEW else marks[name] for name in names]


def _labelled(name: str, marks: Mapping[str, str]) -> str:
    """An arm's letter and name, as the tables have them: 'A dropout'; of the baseline its name."""
    return name if name == BASELINE else f"{marks[name]} {name}"


def _marks(verdicts: Iterable[Verdict]) -> dict[str, str]:
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
