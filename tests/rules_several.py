"""What the verdict on several arms claims, checked against what was logged; see `tests.rules`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from regtui.protocol.history import History
from regtui.tasks.comparison import RightWrong
from tests.rules import Rules, hold, sentences
from tests.rules_verdict import SIGNED, check_table, exact_p, gap, kept, limits, loss, tells, value

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
        name: exact_p(min(table.only_arm, table.only_baseline), table.only_arm + table.only_baseline)
        for name, table in tables(history).items()
    }
    found, before = {}, 0.0
    for left, name in zip(range(len(plain), 0, -1), sorted(plain, key=plain.__getitem__), strict=True):
        before = found[name] = max(before, min(1.0, left * plain[name]))
    return found


def outcome(history: History, arm: str) -> str:
    if arm not in tables(history):
        return "none"
    low, high = limits(tables(history)[arm])
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
    for text, limit in zip((low, high), limits(table), strict=True):
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
        if adjusted(history)[name] >= 0.05 and not limits(table)[0] <= 0 <= limits(table)[1]
    }
    hold(set(named(history, g[0])) == unsettled, f"it is {unsettled}")


@SEVERAL.rule(
    rf"The gap of ({NAMES}) is smaller than the baseline's, yet the validation loss of the kept weights is higher\."
)
def _(history: History, g: Sequence[Any]) -> None:
    base = kept(history.arms["baseline"])
    for name in named(history, g[0]):
        own = kept(history.arms[name])
        hold(outcome(history, name) == "fewer", "it did not classify fewer")
        hold(gap(own) < gap(base) and loss(own) > loss(base), "another gap or loss")


@SEVERAL.rule(rf"Not compared: ({NAMES}) diverged in epoch (\d+) \(numbers were no longer finite\)\.")
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


@SEVERAL.rule(r"Of the test losses no test is made\.")
def _(history: History, g: Sequence[Any]) -> None:  # noqa: ARG001
    hold(history.task.name == "classification", "the loss is what is tested")


@SEVERAL.rule(r"Whether a technique makes the difference, several seeds can tell\.")
def _(history: History, g: Sequence[Any]) -> None: ...


MARKED = r"[A-Q] [\w-]+"
NUMBERS = rf"({SIGNED} points \({SIGNED} to {SIGNED}\)(?: · test loss ±0 %)?(?: · [\d.]+ × the time(?: an epoch)?)?)"


def are_of(history: History, arm: str, numbers: str) -> None:
    """What the headline says of the arm that it names."""
    points, low, high = re.findall(SIGNED, numbers)[:3]
    table = tables(history)[arm]
    tells(points, 100 * table.difference)
    for text, limit in zip((low, high), limits(table), strict=True):
        tells(text, 100 * limit)


def found(history: History, outcomes: str) -> list[str]:
    return [name for name in history.others if outcome(history, name) in outcomes.split()]


@SEVERAL.rule(rf"({MARKED}) is better here: {NUMBERS} · (\d+) of (\d+) arms better(?:, (\d+) worse)?")
def _(history: History, g: Sequence[Any]) -> None:
    (arm,) = named(history, g[0])
    are_of(history, arm, g[1])
    better, worse = found(history, "more"), found(history, "fewer")
    hold([int(g[5]), int(g[6]), int(g[7] or 0)] == [len(better), len(history.others), len(worse)], "other counts")
    hold(tables(history)[arm].difference == max(tables(history)[name].difference for name in better), "not the best")


@SEVERAL.rule(
    rf"No arm of (\d+) is better here, and (?:({MARKED}) is|(\d+) are, ({MARKED}) by the most) worse: {NUMBERS}"
)
def _(history: History, g: Sequence[Any]) -> None:
    (arm,) = named(history, g[1] or g[3])
    are_of(history, arm, g[4])
    worse = found(history, "fewer")
    hold(not found(history, "more"), "one is better")
    hold((int(g[0]), int(g[2] or 1)) == (len(history.others), len(worse)), "other counts")
    hold(tables(history)[arm].difference == min(tables(history)[name].difference for name in worse), "not the worst")


@SEVERAL.rule(
    rf"◇ No difference of (\d+) arms that ([\d,]+) test images can settle; the largest is ({MARKED})'s: {NUMBERS}"
)
def _(history: History, g: Sequence[Any]) -> None:
    (arm,) = named(history, g[2])
    are_of(history, arm, g[3])
    hold(not found(history, "more fewer"), "one is settled")
    hold(int(g[0]) == len(history.others), "another number")
    hold(all(value(g[1]) == table.total for table in tables(history).values()), "other test images")
    largest = max(abs(table.difference) for table in tables(history).values())
    hold(abs(tables(history)[arm].difference) == largest, "another is larger")


@SEVERAL.rule(r"one seed \((\d+)\) · (?:([A-F] .+?) · )?(\d+) epochs? · learning rate ([\d.]+) · batch (\d+)")
def _(history: History, g: Sequence[Any]) -> None:
    told = dict(part.split(" ", 1) for part in g[1].split(" · ")) if g[1] else {}
    others = len(history.arms) - 1
    hold(not told or others <= 6, "the arms have no room")
    hold(not told or [*told] == [mark for mark in "ABCDEF"[:others] if mark in told], f"others: {told}")
    hold(all(re.search(r"\d", label) for label in told.values()), f"no strength: {told}")
    g = [g[0], *g[2:]]
    assert history.started is not None
    lengths = {arm.epochs[-1].epoch for arm in history.arms.values() if arm.epochs}
    hold({int(g[1])} == lengths, "other epochs")
    hold((int(g[0]), int(g[3])) == (history.started.seed, history.started.batch_size), "another seed or batch")


def check_ranking(history: History, rows: Sequence[str], width: int) -> None:
    """Check the rows below the headline: their order, what they tell, and where the intervals stand."""
    order, zeros = [], set()
    for row in rows:
        mark, name = re.match(r"(\S) ([\w-]+)", row).groups()  # type: ignore[union-attr]
        whole = [arm for arm in history.arms if arm == name or ("…" in row and arm.startswith(name))]
        hold(len(whole) == 1, f"{name}?")
        arm = whole[0]
        order.append(arm)
        bar = re.search(r"[─━├┤0●A-Q]{11,}", row)
        if bar:
            zeros |= {bar.start() + at for at, mark in enumerate(bar[0]) if mark in "0●"}
        if arm == "baseline":
            continue
        did = outcome(history, arm)
        hold(("diverged" if did == "none" else did) in row.split(), f"{arm} is {did}")
        if arm in tables(history):
            points = re.search(SIGNED, row)
            hold(points, "no difference")
            assert points is not None
            tells(points[1], 100 * tables(history)[arm].difference)
            hold(not bar or mark in bar[0], f"{arm} has no mark in its bar")
    hold(len(zeros) <= 1, "zero stands elsewhere in each row")
    tested = {name: 0.5 + table.difference for name, table in tables(history).items()} | {"baseline": 0.5}
    values = [tested.get(arm, -1.0) for arm in order]
    hold(values == sorted(values, reverse=True), "the best does not come first")
    hold(sorted(order) == sorted(history.arms), "an arm is missing")
    hold(all(len(row) <= width for row in rows), "too wide")


def check_glance(history: History, block: Sequence[str]) -> None:
    """Check the headline, what qualifies it, and the ranking."""
    start = next(number for number, line in enumerate(block) if line.startswith("by test accuracy"[: len(line)]))
    count = len(history.arms)
    check_ranking(history, block[start + 1 : start + 1 + count], max(map(len, block)))
    text = " ".join([*block[:start], *block[start + 1 + count :]])
    match = re.fullmatch(r"(.+?)(?: (Not compared: .+?run again\.))? (one seed .+?batch \d+)", text)
    hold(match, f"another form: {text}")
    assert match is not None
    for part in filter(None, match.groups()):
        for sentence in sentences(part):
            SEVERAL.check(history, sentence)


def check(history: History, lines: Sequence[str]) -> None:
    """Check all that a verdict on several arms says.

    Raises:
        UntrueError: A sentence or a cell does not hold, or has no rule.
    """
    said: list[str] = []
    for number, block in enumerate("\n".join(lines).split("\n\n")):
        if number == 0:
            check_glance(history, block.split("\n"))
        elif number == 1:
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
