"""What a comparison of two arms on the same test examples says in words, one set a task."""

from __future__ import annotations

import math
from typing import Literal

from regtui.tasks.comparison import Comparison, RightWrong
from regtui.tasks.facts import TASKS
from regtui.text import NBSP, signed

Sign = Literal["", "+"]


Found = Literal["more", "fewer", "closer", "farther"]
"""More examples classified correctly, or fewer; predictions closer to the truth, or farther from it."""


UNTESTED = "Of the test losses no test is made."
"""Where examples are right or wrong, that is what is tested."""


def found(comparison: Comparison) -> tuple[Found, Found]:
    """What an arm did compared with the baseline, by how its difference reads: above 0, and below."""
    return ("more", "fewer") if isinstance(comparison, RightWrong) else ("farther", "closer")


def headline(comparison: Comparison, word: str, arm: str, base: str, examples: str) -> str:
    """That the arm's network did more or fewer, or had a higher or lower error: all but the numbers."""
    if isinstance(comparison, RightWrong):
        return f"the network with {arm} classified {word} of the {examples} correctly than that of {base}"
    error = "lower" if word == "closer" else "higher"
    return f"the network with {arm} has a {error} mean squared error on the {examples} than that of {base}"


def unsettled(comparison: Comparison, arm: str, base: str, examples: str) -> str:
    """That the interval leaves out 0, but the test does not reach its bound."""
    what = (
        "classifies more of their kind correctly"
        if isinstance(comparison, RightWrong)
        else "has the lower squared error on their kind"
    )
    return f"{examples} do not settle whether the network with {arm} or that of {base} {what}"


def of_several(outcome: str, count: int) -> str:
    """What so many of several arms' networks did, compared with the baseline's."""
    are = "is" if count == 1 else "are"
    did = {
        "more": "classified more of them correctly",
        "fewer": "classified fewer of them correctly",
        "closer": f"{'has' if count == 1 else 'have'} a lower mean squared error on them",
        "farther": f"{'has' if count == 1 else 'have'} a higher mean squared error on them",
        "undecided": f"{are} undecided",
        "same": f"{are} the same experiment as the baseline",
        "none": f"{are} not compared",
    }
    return f"{count} {did[outcome]}"


def head_of_difference(comparison: Comparison) -> tuple[str, str]:
    """The two lines above a column of differences."""
    return ("accuracy", "points") if isinstance(comparison, RightWrong) else ("squared", "error")


def unit_of_difference(comparison: Comparison) -> str:
    """What stands behind a difference that is shown."""
    return f"{NBSP}points" if isinstance(comparison, RightWrong) else " in squared error"


def amount(comparison: Comparison, value: str) -> str:
    """A difference as a headline has it: '+1.51 points', 'squared error −0.0908'."""
    return f"{value} points" if isinstance(comparison, RightWrong) else f"squared error {value}"


def alike(comparison: Comparison, examples: str) -> str:
    """That two networks do not differ on any example; empty if they do."""
    if isinstance(comparison, RightWrong):
        differ = comparison.only_baseline + comparison.only_arm
        return "" if differ else f"both networks are right on the same of the {examples}"
    equal = comparison.mean == comparison.deviation == 0
    return "" if not equal else f"both networks have the same error on each of the {examples}"


def evidence(comparison: Comparison) -> str:
    """What the numbers rest on."""
    return "counts" if isinstance(comparison, RightWrong) else "errors"


def values(comparison: Comparison) -> str:
    """What the arm and the baseline came to, and their difference."""
    if isinstance(comparison, RightWrong):
        metric, digits = TASKS["classification"].metric, _digits(comparison)
        rights = (comparison.both_right + one for one in (comparison.only_arm, comparison.only_baseline))
        ours, theirs = (metric.show(right / comparison.total, digits) for right in rights)
        return f"{ours} against {theirs}, {difference(comparison, comparison.difference)}{NBSP}points"
    ours = _number(comparison.baseline + comparison.mean, comparison)
    theirs = _number(comparison.baseline, comparison)
    return f"{ours} against {theirs}, {difference(comparison, comparison.mean)}"


def difference(comparison: Comparison, value: float) -> str:
    """A difference as it is shown, with its sign, without its unit: of percentages in points, of errors as it is."""
    return _number(100 * value if isinstance(comparison, RightWrong) else value, comparison, "+")


def details(comparison: Comparison, arm: str, examples: str) -> str:
    """What else there is to tell of the examples, in a sentence."""
    if isinstance(comparison, RightWrong):
        counts = {
            "both right": comparison.both_right,
            "only baseline": comparison.only_baseline,
            f"only {arm}": comparison.only_arm,
            "both wrong": comparison.both_wrong,
        }
        cells = (f"{name} {count:,}".replace(" ", NBSP) for name, count in counts.items())
        return f"Test {examples}: {' · '.join(cells)}."
    return (
        f"Squared error of each of the {comparison.examples:,} test {examples}, {arm} − baseline: mean "
        f"{_number(comparison.mean, comparison, '+')}, standard deviation {_number(comparison.deviation, comparison)}."
    )


def table(comparison: Comparison, arm: str) -> tuple[list[str], list[list[object]]]:
    """A table's header and rows, with all that the comparison rests on."""
    if isinstance(comparison, RightWrong):
        return ["", "baseline right", "baseline wrong"], [
            [f"{arm} right", comparison.both_right, comparison.only_arm],
            [f"{arm} wrong", comparison.only_baseline, comparison.both_wrong],
        ]
    return [f"squared error, {arm} − baseline", ""], [
        ["examples", comparison.examples],
        ["mean", comparison.mean],
        ["standard deviation", comparison.deviation],
    ]


def _digits(comparison: RightWrong) -> int:
    """Of a percentage, enough to tell one test example."""
    return max(2, math.ceil(math.log10(comparison.total)) - 2)


def _number(value: float, comparison: Comparison, sign: Sign = "") -> str:
    """Of percentages with the digits that tell one example; of errors with four significant ones of the baseline's."""
    if isinstance(comparison, RightWrong):
        digits = _digits(comparison)
    else:
        size = abs(comparison.baseline)
        digits = max(0, 3 - math.floor(math.log10(size))) if size > 0 else 4
        if size >= 1e5 or digits > 8:
            return signed(f"{value:{sign}.3e}")
    return signed(f"{value:{sign},.{digits}f}")
