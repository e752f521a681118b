"""What the verdict on several arms claims, checked against what was logged; see `tests.rules`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import binomtest

from regtui.protocol.history import History
from regtui.tasks.comparison import RightWrong
from tests.rules import Rules, hold, sentences
from tests.rules_verdict import SIGNED, check_table, gap, kept, loss, tells, value

SEVERAL = Rules[History]()
NAMES = r"(?:[A-Q] )?[\w-]+(?:, (?:[A-Q] )?[\w-]+)*(?: and (?:[A-Q] )?[\w-]+)?"
DID = {
    "classified more of them correctly": "more",
    "classified fewer of them correctly": "fewer",
    "is undecided": "undecided",
    "are undecided": "undecided",
    "is not compared": "none",
    "are not compared": "none",
}


def tables(history: History) -> Mapping[str, RightWrong]:
    found = history.scored.comparisons if history.scored is not None else {}
    return {name: table for name, table in found.items() if isinstance(table, RightWrong)}


def adjusted(history: History) -> dict[str, float]:
    """Each arm's p-value after Holm, by the definition: the hypotheses are rejected one by one, the smallest first."""
    plain = {
        name: float(binomtest(min(t.only_arm, t.only_baseline), t.only_arm + t.only_baseline, 0.5).pvalue)
        if t.only_arm + t.only_baseline
        else 1.0
        for name, t in tables(history).items()
    }
    found, before = {}, 0.0
    for left, name in zip(range(len(plain), 0, -1), sorted(plain, key=plain.__getitem__), strict=True):
        before = found[name] = max(before, min(1.0, left * plain[name]))
    return found


def outcome(history: History, arm: str) -> str:
    if arm not in tables(history):
        return "none"
    low, high = tables(history)[arm].interval()
    if adjusted(history)[arm] >= 0.05 or low <= 0 <= high:
        return "undecided"
    return "more" if low > 0 else "fewer"


def named(history: History, text: str) -> list[str]:
    """The arms that a text lists, by letter and name or, if there are more than three, by their letters."""
    letters = dict(zip("ABCDEFGHIJKLMNPQ", history.others, strict=False))
    listed = [one.partition(" ") for one in re.split(r", | and ", text)]
    for letter, _, name in listed:
        hold(name == ("" if len(listed) > 3 else letters.get(letter, "")) or letter == "baseline", f"{letter} {name}?")
    return [letters.get(letter, letter) for letter, *_ in listed]


def is_p(history: History, arm: str, text: str) -> None:
    p = adjusted(history)[arm]
    text = text.replace("p ", "").replace("= ", "")
    hold(p < 0.001 if text == "< 0.001" else abs(p - value(text)) <= 0.006 * p + 1e-9, f"p of {arm} is {p}, not {text}")


def are_numbers(history: History, arm: str, did: str, points: str, low: str, high: str, p: str) -> None:
    """What a row of the table, or a sentence in its place, says of an arm."""
    table = tables(history)[arm]
    hold(did == outcome(history, arm), f"{arm} is not {did}")
    tells(points, 100 * table.difference)
    for text, limit in zip((low, high), table.interval(), strict=True):
        tells(text, 100 * limit)
    is_p(history, arm, p)


@SEVERAL.rule(
    r"On this split and seed, (\d+) networks against that of the baseline on ([\d,]+) MNIST test images: "
    r"((?:\d+ [a-z ]+ \([\w, -]+\)(?:; )?)+)\."
)
def _(history: History, g: Sequence[Any]) -> None:
    hold(int(g[0]) == len(history.others), "another number of arms")
    hold(all(value(g[1]) == table.total for table in tables(history).values()), "other test images")
    groups = re.findall(r"(\d+) ([a-z ]+) \(([\w, -]+)\)", g[2])
    told = {name: DID[did] for _, did, names in groups for name in named(history, names)}
    hold(told == {name: outcome(history, name) for name in history.others}, "other outcomes")
    hold(all(int(count) == len(named(history, names)) for count, _, names in groups), "another count")
    ranks = [("more", "fewer", "undecided", "none").index(did) for did in told.values()]
    hold(ranks == sorted(ranks), "what is settled does not come first")


@SEVERAL.rule(
    rf"[A-Q] ([\w-]+): (\w+), {SIGNED} points, 95 % interval {SIGNED} to {SIGNED}, adjusted (p [<=] [\d.e-]+), "
    r"([\d.]+ ×|–) the time an epoch\."
)
def _(history: History, g: Sequence[Any]) -> None:
    are_numbers(history, *g[:6])


@SEVERAL.rule(
    r"Each interval \(Tango's score interval\) is of its own comparison; the p-values \(exact McNemar\) are adjusted "
    r"for (\d+) comparisons after Holm\."
)
def _(history: History, g: Sequence[Any]) -> None:
    hold(int(g[0]) == len(tables(history)) > 1, "another number of comparisons")


@SEVERAL.rule(r"Interval: Tango's score interval; p: exact McNemar\.")
def _(history: History, g: Sequence[Any]) -> None:  # noqa: ARG001
    hold(len(tables(history)) == 1, "there are several")


@SEVERAL.rule(rf"Of ({NAMES}) the interval leaves out 0, but the (?:adjusted )?p is not below 0\.05\.")
def _(history: History, g: Sequence[Any]) -> None:
    unsettled = {
        name
        for name, table in tables(history).items()
        if adjusted(history)[name] >= 0.05 and not table.interval()[0] <= 0 <= table.interval()[1]
    }
    hold(set(named(history, g[0])) == unsettled, f"it is {unsettled}")


@SEVERAL.rule(
    rf"The gap of ({NAMES}) is smaller than the baseline's, yet the validation loss of the kept weights is higher: too "
    r"strong here, or too few epochs\."
)
def _(history: History, g: Sequence[Any]) -> None:
    base = kept(history.arms["baseline"])
    for name in named(history, g[0]):
        own = kept(history.arms[name])
        hold(outcome(history, name) == "fewer", "it did not classify fewer")
        hold(gap(own) < gap(base) and loss(own) > loss(base), "another gap or loss")


@SEVERAL.rule(rf"Not compared: ({NAMES}) diverged in epoch (\d+) \(training loss was not finite\)\.")
def _(history: History, g: Sequence[Any]) -> None:
    for name in named(history, g[0]):
        stopped = history.arms[name].stopped
        hold(stopped is not None and stopped.reason == "non_finite" and stopped.epoch == int(g[1]), f"not {name}")


@SEVERAL.rule(r"Lower (its|their) strength, or learning_rate, and run again\.")
def _(history: History, g: Sequence[Any]) -> None:
    diverged = [arm for arm in history.arms.values() if arm.stopped is not None and arm.stopped.diverged]
    hold((len(diverged) == 1) == (g[0] == "its"), "another number")


@SEVERAL.rule(
    r"One run of one seed \((\d+)\): intervals and p-values speak of these trained networks; another seed or split may "
    r"say otherwise, also of which arm comes first\."
)
def _(history: History, g: Sequence[Any]) -> None:
    assert history.started is not None
    hold(int(g[0]) == history.started.seed, "another seed")


@SEVERAL.rule(r"Whether a technique makes the difference, several seeds can tell\.")
def _(history: History, g: Sequence[Any]) -> None: ...


def check(history: History, lines: Sequence[str]) -> None:
    """Check all that a verdict on several arms says.

    Raises:
        UntrueError: A sentence or a cell does not hold, or has no rule.
    """
    said: list[str] = []
    for number, block in enumerate("\n".join(lines).split("\n\n")):
        if number == 1:
            check_table(history, block.split("\n"))
        elif block.split()[:2] == ["against", "accuracy"]:
            rows = block.split("\n")[2:]
            said += [_check_row(history, row) for row in rows]
        else:
            told = [
                one for part in re.split(r" (?=[A-Q] [\w-]+: )", " ".join(block.split())) for one in sentences(part)
            ]
            said += re.findall(r"[A-Q] ([\w-]+):", block)
            for sentence in told:
                SEVERAL.check(history, sentence)
    hold(sorted(said) == sorted(tables(history)), "an arm is missing, or is there twice")
    ranks = [
        (("more", "fewer", "undecided").index(outcome(history, name)), -abs(tables(history)[name].difference))
        for name in said
    ]
    hold(ranks == sorted(ranks), "the largest difference does not come first")


def _check_row(history: History, row: str) -> str:
    match = re.fullmatch(
        rf"[A-Q] ([\w-]+) +(\w+) +{SIGNED} +{SIGNED} to {SIGNED} +(< 0\.001|[\d.e-]+) +(?:[\d.]+ ×|–)", row
    )
    hold(match, f"another form: {row}")
    assert match is not None
    are_numbers(history, *match.groups())
    return match[1]
