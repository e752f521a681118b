"""Bias and variance in sentences and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from regtui.evidence.bias_variance import Decomposition, Shift, Term, shift
from regtui.preset.arms import BASELINE
from regtui.text import NBSP, counted, listed, loss, number, share

TITLES: Mapping[Term, str] = {"variance": "variance", "bias": "squared bias", "error": "their sum"}


def parts_sentences(
    parts: Mapping[str, Decomposition], labels: Mapping[str, str], examples: str, alpha: float = 0.05
) -> list[str]:
    """What bias and variance say of the arms against the baseline; empty where an arm has no interval.

    Args:
        parts: Of the baseline and the arms beside it, over the same training sets.
        labels: What each arm is called.
        examples: What the test set consists of: "images".
        alpha: The intervals of one term hold for all arms together with probability 1 − alpha at least.
    """
    base, arms = parts[BASELINE], {arm: of for arm, of in parts.items() if arm != BASELINE}
    if base.sets < 3 or not arms:
        return []
    shifts = {
        arm: {term: shift(base.squared, of.squared, term, alpha / len(arms)) for term in TITLES}
        for arm, of in arms.items()
    }
    what = "the expected squared error of the probabilities (Brier)"
    if base.zero_one is None:
        what = "the expected squared error as a share of the test targets' variance (1 − R²)"
    sets = (
        f"Over {counted(base.sets, 'training set')}, each with its own initial weights and order of batches, and on "
        f"these {base.examples:,} test {examples}"
    )
    if len(arms) == 1:
        ((arm, of),) = arms.items()
        told = [_one(term, base, of, shifts[arm][term], alpha) for term in TITLES]
        told[-1] = told[-1].replace(TITLES["error"], f"{TITLES['error']}, {what},", 1)
        return [f"{sets}, with {labels.get(arm, arm)}: {'; '.join(told)}.", *_zero_one(base, of)]
    told = [words for term in TITLES if (words := _several(term, shifts, labels))]
    percent = f"{100 * (1 - alpha):.4g}{NBSP}%"
    found = "; ".join(told) or "no term differs from the baseline's by more than these training sets can tell"
    return [
        f"{sets}, against the baseline: {found} (jackknife intervals over training sets, {percent} for all "
        f"{len(arms)} arms together, each term by itself; the sum is {what})."
    ]


def overlap_sentence(share_of_pool: float | None) -> str:
    """How the training sets hang together: what two of them share, None where all are drawn from a single one."""
    if share_of_pool is None:
        return "The training sets are bootstrap samples of a single one, so this speaks of chance within that one."
    if share_of_pool < 0.1:
        return ""
    return (
        f"Two of these training sets share {share(share_of_pool, 0, NBSP)} of their examples on average; independent "
        "ones would probably differ more, and with them the variance."
    )


def _one(term: Term, base: Decomposition, arm: Decomposition, by: Shift, alpha: float) -> str:
    ours, theirs = (loss(getattr(of.squared.terms, term)) for of in (arm, base))
    interval = _interval(by, alpha)
    if (sign := _sign(by)) == 0:
        return f"{TITLES[term]} {ours} against {theirs}, which these training sets don't tell apart ({interval})"
    verb = "rises" if sign > 0 else "falls"
    return f"{TITLES[term]} {verb} from {theirs} to {ours} ({loss(by.difference, '+.4f')}, {interval})"


def _interval(by: Shift, alpha: float) -> str:
    assert by.interval is not None
    low, high = (loss(limit, "+.4f") for limit in by.interval)
    return f"{100 * (1 - alpha):.4g}{NBSP}% jackknife interval {low}{NBSP}to{NBSP}{high}"


def _sign(by: Shift) -> int:
    """+1 or −1 where the interval leaves out 0."""
    assert by.interval is not None
    return (by.interval[0] > 0) - (by.interval[1] < 0)


def _several(term: Term, shifts: Mapping[str, Mapping[Term, Shift]], labels: Mapping[str, str]) -> str:
    """Of which arms a term is lower or higher; empty where of none."""
    told = []
    for sign, word in ((-1, "lower"), (1, "higher")):
        arms = [labels.get(arm, arm) for arm, of in shifts.items() if _sign(of[term]) == sign]
        told += [f"{word} with {listed(arms)}"] if arms else []
    return f"{TITLES[term]} is {' and '.join(told)}" if told else ""


def _zero_one(base: Decomposition, arm: Decomposition) -> list[str]:
    """0-1 loss as numbers, of which no interval is known."""
    if base.zero_one is None or arm.zero_one is None:
        return []
    ours, theirs = arm.zero_one, base.zero_one
    of_error, of_bias = (
        f"{share(own, 2, NBSP)} against {share(other, 2, NBSP)}"
        for own, other in ((ours.error, theirs.error), (ours.bias, theirs.bias))
    )
    return [
        f"0-1 loss after Domingos, of which no test is made: expected error {of_error}; bias, the share whose main "
        f"prediction is wrong, {of_bias}; net variance {_points(ours.net)} against {_points(theirs.net)} points."
    ]


def _points(value: float) -> str:
    return number(100 * value, "+.2f")


def parts_table(parts: Mapping[str, Decomposition], labels: Mapping[str, str]) -> tuple[Sequence[str], list[list[str]]]:
    """The head and the rows of a table: each arm's terms, the baseline first."""
    squared = ["", "squared bias", "variance", "sum"]
    with_classes = parts[BASELINE].zero_one is not None
    head = [*squared, "0-1 error", "0-1 bias", "net variance"] if with_classes else squared
    rows = []
    for arm, of in parts.items():
        terms = of.squared.terms
        row = [labels.get(arm, arm), *map(loss, (terms.bias, terms.variance, terms.error))]
        if of.zero_one is not None:
            row += [
                share(of.zero_one.error, 2, NBSP),
                share(of.zero_one.bias, 2, NBSP),
                f"{_points(of.zero_one.net)}{NBSP}%",
            ]
        rows.append(row)
    return head, rows
