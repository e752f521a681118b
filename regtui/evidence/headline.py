"""A verdict at a glance, in words: what won and by how much, what qualifies that, and whether the test loss agrees.

One run may say "better here" because the next line names what "here" is. What the words rest on stands in
`evidence/verdict.py` and `evidence/several.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from regtui.evidence import several
from regtui.evidence.verdict import ArmResult, Verdict
from regtui.tasks import words
from regtui.text import NBSP, capital, capital_the, counted, listed, short, signed

Tone = Literal["better", "worse", "level", "warning"]
"""How a verdict is coloured: green and red for a clean run that settles it, a warning for one that is not clean."""
BETTER, WORSE = frozenset({"more", "closer"}), frozenset({"fewer", "farther"})
"""The outcomes that say that an arm did better than the baseline, or worse."""
CALLED = BETTER | WORSE
LEVEL = 0.005
"""Losses that differ by less than this share are told as level."""
LONGEST_LABEL = 60
"""An arm whose techniques take more characters goes by its name."""
SHORT_LABEL = 24
"""Of several arms the conditions tell what one does in so many characters at most, if that names a strength."""
MOST_STRENGTHS = 6
"""Of so many arms the conditions tell what each does."""
MOST_CHANGES = 3
"""So many changed knobs are told one by one."""
NOTHING = "◇"
"""Marks that nothing can be told; an arm's own mark stands before what is told of it."""


def tone(verdicts: Sequence[Verdict]) -> Tone:
    """How the verdict on a run's arms is coloured."""
    if warnings(verdicts):
        return "warning"
    best = _first(verdicts)
    if best is None or best.outcome not in CALLED:
        return "level"
    if disagrees(best):
        return "warning"
    return "better" if best.outcome in BETTER else "worse"


def headline(verdicts: Sequence[Verdict]) -> str:
    """What the run comes to in one line: what won, by how much, and at what cost."""
    best = _first(verdicts)
    if best is None:
        return f"{NOTHING} {_nothing_drawn(verdicts)}"
    numbers = _numbers(best)
    if len(verdicts) > 1:
        return _of_several(verdicts, best, numbers)
    mark = several.marks_in(verdicts)[best.arm.name]
    if best.outcome not in CALLED:
        return f"{NOTHING} {_undecided(best)}: {numbers}"
    return f"{mark} {_named(best)} {_is_better(best)}: {numbers}"


def warnings(verdicts: Sequence[Verdict]) -> list[str]:
    """What keeps the run from the clean comparison that its preset plans, and why arms are not compared."""
    not_drawn = [verdict for verdict in verdicts if verdict.outcome == "none"]
    nothing = len(not_drawn) == len(verdicts)
    told = [words for words in (_steered(verdicts[0]), _stopped(verdicts)) if words]
    clouds = "; ".join(told)
    lines = [f"{capital(clouds)}." if nothing else f"No clean comparison: {clouds}."] if told else []
    if not not_drawn or _is_unmeasured(verdicts[0]):  # of which the headline says all there is to say
        return lines
    if len(verdicts) == 1:
        reasons = [not_drawn[0].why_none()]
    else:
        reasons = several.reasons(not_drawn, several.marks_in(verdicts))
    return lines + [capital_the(why) if nothing else f"Not compared: {why}" for why in reasons]


def conditions(verdicts: Sequence[Verdict]) -> str:
    """What the verdict holds for: 'one seed (0) · 10 epochs · learning rate 0.001 · batch 64 · 48,000 images'.

    What the arms do follows the seed, unless the headline names it: 'one seed (0) · dropout 0.2 · …'.
    """
    first = verdicts[0]
    arms = [arm for arm in (first.baseline, *(verdict.arm for verdict in verdicts)) if arm.epochs and not arm.diverged]
    epochs = sorted({arm.epochs for arm in arms})
    told = [f"one seed ({first.seed})", *_strengths(verdicts)]
    if epochs:
        span = f"{epochs[0]:,}–{epochs[-1]:,} epochs" if len(epochs) > 1 else counted(epochs[0], "epoch")
        told.append(span)
    if (held := first.conditions) is not None:
        steered = any(change.startswith("learning rate") for change in first.changes)  # then the line above has it
        rate = None if steered else held.learning_rate
        told += [f"learning rate {signed(f'{rate:g}')}"] if rate is not None else []
        told += [f"batch {held.batch_size:,}"] if held.batch_size else []
        drawn = " drawn with replacement" if held.bootstrap else ""
        told += [f"{held.train_examples:,} {first.examples}{drawn}"] if held.train_examples else []
    return f"{NBSP}· ".join(part.replace(" ", NBSP) for part in told)


def _strengths(verdicts: Sequence[Verdict]) -> list[str]:
    """What the arm does; of several, as many as have room, those whose strength is told in few characters."""
    if len(verdicts) == 1:
        shown = verdicts[0].arm.label in headline(verdicts)
        return [] if shown or verdicts[0].interventions else [verdicts[0].arm.label]
    if len(verdicts) > MOST_STRENGTHS:
        return []
    marks = several.marks_in(verdicts)
    labels = {marks[verdict.arm.name]: verdict.arm.label for verdict in verdicts}
    return [
        f"{mark} {label}"
        for mark, label in labels.items()
        if len(label) <= SHORT_LABEL and any(map(str.isdigit, label))
    ]


def agreement(verdicts: Sequence[Verdict]) -> str:
    """Whether the other number of the test set, loss or R², says the same; empty where nothing is compared."""
    drawn = [verdict for verdict in verdicts if verdict.p_value is not None]
    if not drawn:
        return ""
    metric = drawn[0].task.metric
    if drawn[0].task.name != "classification":
        if len(verdicts) > 1:
            return f"{metric.title} says the same, as it must: it is made of the same errors."
        ours, theirs = (metric.show(arm.test_metric) for arm in (drawn[0].arm, drawn[0].baseline))
        return f"{metric.title} says the same, as it must: {ours} against {theirs}, from the same errors."
    if len(verdicts) == 1:
        return _agreement_of_one(drawn[0])
    called = [verdict for verdict in drawn if verdict.outcome in CALLED]
    apart = [verdict.arm.name for verdict in called if disagrees(verdict)]
    if apart:
        names = listed(several.in_few_words(apart, several.marks_in(verdicts)))
        return f"Accuracy and loss disagree on {names}; see the losses."
    agree = sum(abs(_loss_change(verdict) or 0.0) >= LEVEL for verdict in called)
    return f"Accuracy and loss agree on {_of_called(agree, len(called))}." if agree else ""


def disagrees(verdict: Verdict) -> bool:
    """Whether an arm did better by the count of right examples and worse by the test loss, or the other way round."""
    change = _loss_change(verdict)
    if change is None or abs(change) < LEVEL:
        return False
    return (verdict.outcome in BETTER and change > 0) or (verdict.outcome in WORSE and change < 0)


def loss_words(verdict: Verdict) -> str:
    """How the arm's test loss compares with the baseline's: '−48 %', '±0 %'; empty if that is not known."""
    change = _loss_change(verdict)
    if change is None:
        return ""
    if abs(change) < LEVEL:
        return f"±0{NBSP}%"
    if change >= 10:
        return f"×{NBSP}{1 + change:,.0f}" if change < 1e5 else "far higher"
    digits = 0 if change > -0.99 else 1
    return "far lower" if change < -0.999 else f"{signed(f'{100 * change:+.{digits}f}')}{NBSP}%"


def ranked(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """By the metric on the test set, the best first; those that were not tested come last."""
    worst = float("-inf")
    return sorted(verdicts, key=lambda v: -(worst if v.arm.test_metric is None else v.arm.test_metric))


def _first(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The comparison that the headline tells: the best arm that is better, else the worst, else the largest."""
    drawn = [verdict for verdict in verdicts if verdict.p_value is not None]
    if not drawn:
        return None
    rank = {"better": 0, "worse": 1, "level": 2}
    return min(drawn, key=lambda verdict: (rank[_side(verdict)], -abs(verdict.difference or 0.0)))


def _side(verdict: Verdict) -> Literal["better", "worse", "level"]:
    return "better" if verdict.outcome in BETTER else "worse" if verdict.outcome in WORSE else "level"


def _named(verdict: Verdict) -> str:
    """The arm by its techniques; by its name where these are many, or were changed while it trained."""
    label = verdict.arm.label
    return label if len(label) <= LONGEST_LABEL and not verdict.interventions else f"the {verdict.arm.name} arm"


def _is_better(verdict: Verdict) -> str:
    side = f"is {_side(verdict)} here"
    return f"{side} by accuracy, not by loss" if disagrees(verdict) else side


def _undecided(verdict: Verdict) -> str:
    assert verdict.comparison is not None
    assert verdict.interval is not None
    examples = f"{verdict.comparison.total:,} test {verdict.examples}"
    if verdict.interval[0] > 0 or verdict.interval[1] < 0:
        return f"Not settled by {examples}"
    return f"No difference that {examples} can show"


def _numbers(verdict: Verdict) -> str:
    """By how much, with its interval, what the other number says, and what it cost."""
    assert verdict.comparison is not None
    assert verdict.interval is not None
    comparison = verdict.comparison
    value, low, high = (
        words.difference(comparison, number) for number in (verdict.difference or 0.0, *verdict.interval)
    )
    told = [f"{words.amount(comparison, value)} ({low} to {high})"]
    metric = verdict.task.metric
    if verdict.task.name == "classification":
        told += [f"test loss {loss}"] if (loss := loss_words(verdict)) else []
    elif verdict.arm.test_metric is not None and verdict.baseline.test_metric is not None:
        told.append(f"{metric.title} {metric.difference(verdict.arm.test_metric - verdict.baseline.test_metric)}")
    if verdict.cost_ratio is not None:
        an_epoch = "" if verdict.arm.epochs == verdict.baseline.epochs else " an epoch"
        told.append(f"{verdict.cost_ratio:.2f} × the time{an_epoch}")
    return f"{NBSP}· ".join(part.replace(" ", NBSP) for part in told)


def _of_several(verdicts: Sequence[Verdict], best: Verdict, numbers: str) -> str:
    count = len(verdicts)
    better, worse = (sum(v.outcome in side for v in verdicts) for side in (BETTER, WORSE))
    name = several.labelled(best.arm.name, several.marks_in(verdicts))
    others = f", {worse} worse" if worse else ""
    if better:
        found = f"{better} of {count} arms better{others}".replace(" ", NBSP)
        return f"{name} {_is_better(best)}: {numbers}{NBSP}· {found}"
    if worse:
        most = f"{name} is" if worse == 1 else f"{worse} are, {name} by the most"
        return f"No arm of {count} is better here, and {most} worse: {numbers}"
    assert best.comparison is not None
    examples = f"{best.comparison.total:,} test {best.examples}"
    return f"{NOTHING} No difference of {count} arms that {examples} can settle; the largest is {name}'s: {numbers}"


def _nothing_drawn(verdicts: Sequence[Verdict]) -> str:
    """Why there is no comparison, in a few words."""
    same = [verdict for verdict in verdicts if verdict.outcome == "same"]
    first = verdicts[0]
    if len(same) == len(verdicts) == 1 and first.comparison is not None:
        comparison = first.comparison
        by = words.amount(comparison, words.difference(comparison, comparison.difference)).replace(" ", NBSP)
        found = words.alike(comparison, f"{comparison.total:,} test {first.examples}") or f"{by} of chance alone"
        return f"Both arms are the same experiment ({first.arm.label}): {found}"
    if same:
        every = f"all {len(same)} arms are" if len(same) > 1 else f"{same[0].arm.name} is"
        return f"No comparison: {every} the same experiment as the baseline"
    return f"No comparison: {_why_in_few_words(verdicts)}"


def _why_in_few_words(verdicts: Sequence[Verdict]) -> str:
    first = verdicts[0]
    if all(verdict.diverged for verdict in verdicts):
        if first.baseline.diverged:
            all_of_them = all(verdict.arm.diverged for verdict in verdicts)
            every = "both arms" if len(verdicts) == 1 else "all arms"
            return f"{every} diverged" if all_of_them else "the baseline diverged"
        return f"{_named(first)} diverged" if len(verdicts) == 1 else "all arms diverged but the baseline"
    if first.status == "failed":
        return "the run failed"
    if _is_unmeasured(first):
        return "stopped before an epoch was measured"
    if first.unpaired_because and any(verdict.comparison is not None for verdict in verdicts):
        return "the arms are not a matched pair"
    return _not_finite(verdicts) or f"the test {first.examples} were not scored"


def _not_finite(verdicts: Sequence[Verdict]) -> str:
    """Whose test error is not finite, where that is why nothing is compared; empty if it is not."""
    first = verdicts[0]
    if any(verdict.comparison is not None for verdict in verdicts):
        return ""
    if first.baseline.has_no_finite_error:
        every = "both arms" if len(verdicts) == 1 else "all arms"
        of = every if all(verdict.arm.has_no_finite_error for verdict in verdicts) else "the baseline"
    elif not all(verdict.not_finite or verdict.diverged for verdict in verdicts):
        return ""
    elif len(verdicts) == 1:
        of = _named(first)
    elif all(verdict.not_finite for verdict in verdicts):
        of = "all arms but the baseline"
    else:
        return "each arm but the baseline diverged, or its test error is not finite"
    return f"the test error of {of} is not finite"


def _agreement_of_one(verdict: Verdict) -> str:
    change = _loss_change(verdict)
    if change is None:
        return "Accuracy alone was compared: a test loss was not measured, or not finite."
    losses = " against ".join(short(arm.test_loss) for arm in (verdict.arm, verdict.baseline))
    level = abs(change) < LEVEL
    side = f"the test loss is {'lower' if change < 0 else 'higher'}, {losses}"
    if verdict.outcome not in CALLED:
        return f"Accuracy is undecided{f', the test losses are level: {losses}' if level else f'; {side}'}."
    if level:
        return f"Accuracy decides alone: the test losses are level, {losses}."
    return f"Accuracy and loss {'disagree' if disagrees(verdict) else 'agree'}: {side}."


def _loss_change(verdict: Verdict) -> float | None:
    """The arm's test loss over the baseline's, minus 1; None where that is not known."""
    ours, theirs = verdict.arm.test_loss, verdict.baseline.test_loss
    if ours is None or theirs is None or not 0 < theirs < float("inf") or not ours < float("inf"):
        return None
    return ours / theirs - 1


def _of_called(agree: int, called: int) -> str:
    if agree < called:
        return f"{agree} of the {called} arms that differ"
    return "the one arm that differs" if called == 1 else f"all {called} arms that differ"


def _is_unmeasured(verdict: Verdict) -> bool:
    """Whether the run was stopped before there was anything to compare."""
    return verdict.status == "stopped" and verdict.baseline.epochs == 0


def _steered(verdict: Verdict) -> str:
    if not verdict.interventions:
        return ""
    changes = verdict.changes
    if not changes:
        return "steered once" if verdict.interventions == 1 else f"steered {verdict.interventions} times"
    more = f"; {len(changes) - MOST_CHANGES} more knobs" if len(changes) > MOST_CHANGES else ""
    return f"steered ({'; '.join(changes[:MOST_CHANGES])}{more})"


def _stopped(verdicts: Sequence[Verdict]) -> str:
    """That the user stopped the run, and after how many epochs of which arms; one that had ended was not stopped."""
    first, marks = verdicts[0], several.marks_in(verdicts)
    arms = (first.baseline, *(verdict.arm for verdict in verdicts))
    if first.status != "stopped" or not any(arm.epochs for arm in arms):
        return ""
    planned = f" of {first.conditions.epochs:,}" if first.conditions is not None else ""
    stopped: dict[str, list[str]] = {}
    for arm in arms:
        if arm.stop_reason == "stopped":
            name = arm.name if len(arms) == 2 else several.labelled(arm.name, marks)
            stopped.setdefault(_epochs(arm, planned), []).append(name)
    if len(stopped) == 1 and len(next(iter(stopped.values()))) == len(arms):
        return f"stopped by hand after {next(iter(stopped))}"
    after = "; ".join(f"{listed(names)} after {epochs}" for epochs, names in stopped.items())
    return f"stopped by hand ({after})" if after else "stopped by hand"


def _epochs(arm: ArmResult, planned: str) -> str:
    """How many epochs an arm has trained: '3 of 10 epochs, the last cut short'."""
    epochs = f"{arm.epochs:,}{planned} epoch{'' if arm.epochs == 1 and not planned else 's'}"
    return f"{epochs.replace(' ', NBSP)}, the last cut short" if arm.cut_short else epochs.replace(" ", NBSP)
