"""What each sentence on a study claims, checked against the differences of its seeds.

Written from the words alone, without the code that speaks. Every sentence must match exactly one rule as a whole.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regtui.evidence.over_seeds import Compared
from regtui.study.outcome import ArmOutcome, CellOutcome, StudyOutcome
from tests.rules import Rules, hold, is_loss

VERDICT = re.compile(
    r"(?i)\b(helps?|hurts?|better|worse|no difference|without a difference|inconclusive|significan\w*|holds at|reverses"
    r"|fades|disagree|real|settle it)\b"
)
"""What no text may say where no verdict is due."""


@dataclass(frozen=True)
class Told:
    """An outcome, and which arm the sentences mean by which name."""

    outcome: StudyOutcome
    names: Mapping[str, str]

    @property
    def first(self) -> CellOutcome:
        return next(iter(self.outcome.cells.values()))

    def arm(self, name: str) -> ArmOutcome:
        return self.first.arms[self.names[name]]


STUDY = Rules[Told]()
rule = STUDY.rule
D = r"([+−][\d.,]+|0\.0+)"
NUMBERS = (
    rf"{D} points \({D} to {D}\)(?: · (better|worse) in (\d+) of (\d+) seeds)?(?: · ([\d.]+) × the time an epoch)?"
)
COUNTS = (
    r"(\d+ (?:helps?|hurts?|without a difference that matters|inconclusive|open|not compared)"
    r"(?:, \d+ (?:helps?|hurts?|without a difference that matters|inconclusive|open|not compared))*)"
)
CALLED = {
    "HELPS": "helps",
    "HURTS": "hurts",
    "NO DIFFERENCE THAT MATTERS": "no difference",
    "INCONCLUSIVE": "inconclusive",
}
IN_COUNTS = {
    "help": "helps", "helps": "helps", "hurt": "hurts", "hurts": "hurts", "inconclusive": "inconclusive", "open": "open",  # noqa: E501
    "without a difference that matters": "no difference", "not compared": "none",
}  # fmt: skip


def is_value(text: str, value: float | None) -> None:
    assert value is not None
    is_loss(text.replace("+", ""), value)


def is_mean(text: str, compared: Compared) -> None:
    is_value(text, statistics.fmean(compared.differences.values()))


def are_numbers(told: Told, arm: ArmOutcome, g: Sequence[Any]) -> None:
    """Mean, interval, wins and cost of an arm."""
    score = arm.score
    is_mean(g[0], score)
    assert score.joint is not None
    is_value(g[1], score.joint[0])
    is_value(g[2], score.joint[1])
    if g[3] is not None:
        won = sum((d > 0) == (g[3] == "better") and d != 0 for d in score.differences.values())
        hold((int(g[4]), int(g[5])) == (won, len(score.differences)), "not so many seeds")
    if g[6] is not None:
        is_value(g[6], arm.cost)
    hold(told.outcome.metric.better == "higher", "points are of accuracy")


def is_called(arm: ArmOutcome, word: str, smallest: float | None) -> None:
    """The call is what the interval bears out."""
    score = arm.score
    assert score.joint is not None
    low, high = score.joint
    hold(score.call == CALLED[word], f"it is {score.call}")
    if word == "HELPS":
        hold(low > 0, "the interval reaches below zero")
    elif word == "HURTS":
        hold(high < 0, "the interval reaches above zero")
    elif word == "NO DIFFERENCE THAT MATTERS":
        hold(smallest is not None and -smallest < low and high < smallest, "the interval reaches beyond what matters")
    else:
        hold(score.p is None or score.p > score.level or low <= 0 <= high, "it is settled")


def are_counts(told: Told, text: str) -> None:
    calls = [arm.score.call for arm in told.first.arms.values()]
    counted = {IN_COUNTS[part.split(" ", 1)[1]]: int(part.split(" ", 1)[0]) for part in text.split(", ")}
    hold(counted == {call: calls.count(call) for call in set(calls)}, f"the calls are {calls}")


# Headlines


@rule(rf"◆ (.+) (HELPS|HURTS): {NUMBERS}")
def _(told: Told, g: Sequence[Any]) -> None:
    arm = told.arm(g[0])
    is_called(arm, g[1], told.outcome.plan.smallest_effect)
    hold(g[5] == {"HELPS": "better", "HURTS": "worse"}[g[1]], "the other side")
    are_numbers(told, arm, g[2:])


@rule(rf"◇ (NO DIFFERENCE THAT MATTERS|INCONCLUSIVE): (.+) against the baseline {NUMBERS}")
def _(told: Told, g: Sequence[Any]) -> None:
    is_called(told.arm(g[1]), g[0], told.outcome.plan.smallest_effect)
    are_numbers(told, told.arm(g[1]), g[2:])


@rule(rf"([A-Z] .+) (HELPS|HURTS)( BY THE MOST)?: {NUMBERS} · of (\d+) arms {COUNTS}")
def _(told: Told, g: Sequence[Any]) -> None:
    arm = told.arm(g[0])
    is_called(arm, g[1], told.outcome.plan.smallest_effect)
    are_numbers(told, arm, g[3:])
    hold(int(g[10]) == len(told.first.arms), "not so many arms")
    are_counts(told, g[11])
    same = [other for other in told.first.arms.values() if other.score.call == CALLED[g[1]]]
    hold(bool(g[2]) == (len(same) > 1), "the only one")
    hold(all(abs(other.score.mean or 0) <= abs(arm.score.mean or 0) for other in same), "not the largest")
    if g[1] == "HURTS":
        hold(all(other.score.call != "helps" for other in told.first.arms.values()), "one helps")


@rule(
    rf"◇ (?:(NO DIFFERENCE THAT MATTERS|INCONCLUSIVE)|{COUNTS}) of (\d+) arms; the largest mean is that of (.+): {NUMBERS}"  # noqa: E501
)
def _(told: Told, g: Sequence[Any]) -> None:
    if g[0]:
        hold({arm.score.call for arm in told.first.arms.values()} == {CALLED[g[0]]}, "not all")
    else:
        are_counts(told, g[1])
    hold(int(g[2]) == len(told.first.arms), "not so many arms")
    hold(all(arm.score.call not in ("helps", "hurts") for arm in told.first.arms.values()), "one is called")
    are_numbers(told, told.arm(g[3]), g[4:])
    same = [other for other in told.first.arms.values() if other.score.call == told.arm(g[3]).score.call]
    hold(all(abs(other.score.mean or 0) <= abs(told.arm(g[3]).score.mean or 0) for other in same), "not the largest")


@rule(
    rf"◇ (\d+) of (\d+) seeds are done, a verdict is due at (\d+) of them: (.+?) {D} points(, the largest,)? on average so far"  # noqa: E501
)
def _(told: Told, g: Sequence[Any]) -> None:
    plan, done = told.outcome.plan, len(told.outcome.seeds)
    hold((int(g[0]), int(g[1])) == (done, len(plan.seeds)), "not so many seeds")
    hold(int(g[2]) == next((look for look in plan.looks if look > done), len(plan.seeds)), "not the next look")
    is_mean(g[4], told.arm(g[3]).score)
    is_open(told)
    means = [abs(statistics.fmean(arm.score.differences.values())) for arm in told.first.arms.values()]
    hold(max(means) == abs(statistics.fmean(told.arm(g[3]).score.differences.values())), "not the largest")


@rule(rf"◇ One seed \((\d+)\) has no verdict: (.+?) {D} points; another seed may say otherwise")
def _(told: Told, g: Sequence[Any]) -> None:
    hold(list(told.arm(g[1]).score.differences) == [int(g[0])], "not that one seed")
    is_mean(g[2], told.arm(g[1]).score)
    is_open(told)


@rule(r"◇ (?:No seed is done|None of (\d+) seeds? counts)")
def _(told: Told, g: Sequence[Any]) -> None:
    hold(int(g[0] or 0) == len(told.outcome.seeds), "not so many seeds")
    hold(all(not arm.score.differences for arm in told.first.arms.values()), "there is one")


def is_open(told: Told) -> None:
    hold({arm.score.call for arm in told.first.arms.values()} <= {"open", "none"}, "something is called")


# What qualifies it


@rule(
    r"(.+): Student's t \(p (?:= |< )([\d.e−-]+)\) and the exact sign-flip \(p (?:= |< )([\d.e−-]+)\) fall on different sides of ([\d.]+): (.+)\."  # noqa: E501
)
def _(told: Told, g: Sequence[Any]) -> None:
    score = told.arm(g[0]).score
    assert score.p_t is not None
    assert score.p_flip is not None
    hold((score.p_t <= score.level) != (score.p_flip <= score.level), "they agree")
    is_value(g[3], score.level)
    count = len(score.differences)
    if "can't go below" in g[4]:
        hold(f"with {count} seeds" in g[4], "not so many seeds")
        hold(2 / 2**count > score.level, "it could")
        is_value(g[4].rpartition(" ")[2], 2 / 2**count)


@rule(r"(.+) (?:is|are) the same experiment as the baseline: what sets them apart is chance\.")
def _(told: Told, g: Sequence[Any]) -> None:
    tables = told.outcome.plan.preset
    for name in re.split(r", | and ", g[0]):
        arm = told.names[name]
        table = tables["arms"][arm] if arm in tables.get("arms", {}) else tables[arm]
        hold(table.get("dropout", {}).get("rate", 0) == 0, "it has dropout")


@rule(
    r"With (\d+) seeds no sign-flip p can go below ([\d.]+), so that neither HELPS nor HURTS can be called at "
    r"([\d.]+); (\d+) seeds or more can do that\."
)
def _(told: Told, g: Sequence[Any]) -> None:
    count, level = int(g[0]), float(g[2])
    scores = [arm.score for cell in told.outcome.cells.values() for arm in cell.arms.values()]
    hold(count == max(len(score.differences) for score in scores), "not so many seeds")
    is_value(g[1], 2 / 2**count)
    hold(level == scores[0].level, "another level")
    hold(2 / 2**count > level >= 2 / 2 ** int(g[3]), "it could")
    hold(2 / 2 ** (int(g[3]) - 1) > level, "fewer could")
    hold(all(arm.score.call not in ("helps", "hurts") for arm in told.first.arms.values()), "something is called")


@rule(
    r"Not finished: (\d+) of (\d+) seeds are done\. A study that ends when one likes finds what is not there; 'regtui study --resume' goes on\."  # noqa: E501
)
def _(told: Told, g: Sequence[Any]) -> None:
    hold(told.outcome.state in ("stopped", "interrupted"), "it was not stopped")
    hold((int(g[0]), int(g[1])) == (len(told.outcome.seeds), len(told.outcome.plan.seeds)), "not so many seeds")
    is_open(told)


@rule(
    r"(\d+) seeds?(?: \((.+?)\))? · (?:up to )?(\d+) epochs? · learning rate ([\d.]+) · batch (\d+)(?: · (.+?))? · ([\d,]+) training images"  # noqa: E501
)
def _(told: Told, g: Sequence[Any]) -> None:
    plan = told.outcome.plan
    counted = [seed for seed in told.outcome.seeds if seed in told.first.baseline]
    hold(int(g[0]) == len(counted), "not so many seeds")
    if g[1] and "–" in g[1]:
        low, high = map(int, g[1].split("–"))
        hold(counted == list(range(low, high + 1)), "not these seeds")
    elif g[1] and "…" not in g[1]:
        hold(counted == [int(seed) for seed in g[1].split(", ")], "not these seeds")
    settings = told.first.cell.settings
    hold(int(g[2]) == settings.get("train.epochs", plan.preset["train"]["epochs"]), "not so many epochs")
    is_value(g[3], float(settings.get("train.learning_rate", plan.preset["train"]["learning_rate"])))
    hold(int(g[4]) == plan.preset["train"]["batch_size"], "another batch")
    if g[5]:
        hold(g[5] in told.names, "another arm")
    hold(
        int(g[6].replace(",", "")) == settings.get("data.train_samples", plan.preset["data"]["train_samples"]), "others"
    )


@rule(rf"Of (\d+) comparisons in (\d+) settings(?: and (\d+) arms)?, judged together: {COUNTS}\.")
def _(told: Told, g: Sequence[Any]) -> None:
    cells = [cell for cell in told.outcome.cells.values() if cell.cell.role == "verdict"]
    calls = [arm.score.call for cell in cells for arm in cell.arms.values()]
    hold((int(g[0]), int(g[1]), int(g[2] or 1)) == (len(calls), len(cells), len(told.first.arms)), "not so many")
    counted = {IN_COUNTS[part.split(" ", 1)[1]]: int(part.split(" ", 1)[0]) for part in g[3].split(", ")}
    hold(counted == {call: calls.count(call) for call in set(calls)}, f"the calls are {calls}")


@rule(r"(.+): the difference is real, but smaller than the ([\d.]+) points that matter\.")
def _(told: Told, g: Sequence[Any]) -> None:
    smallest = told.outcome.plan.smallest_effect
    is_value(g[1], smallest)
    for name in re.split(r", | and ", g[0]):
        score = told.arm(name).score
        hold(score.shown and score.joint is not None, "it is not shown")
        assert score.joint is not None
        assert smallest is not None
        hold(max(map(abs, score.joint)) < smallest, "it is not smaller")
        hold(score.joint[0] > 0 or score.joint[1] < 0, "zero is inside")


@rule(r"Seeds that would probably settle it, all of them new: (.+)\.")
def _(told: Told, g: Sequence[Any]) -> None:
    for part in g[0].split(", "):
        name, _, count = part.rpartition("about ")
        score = told.arm(name.strip() or next(iter(told.names))).score
        hold(score.call == "inconclusive", "it is called")
        hold(score.needed == int(count), "not so many")


@rule(r"No smallest effect that matters was named, so that no difference can be called too small\.")
def _(told: Told, g: Sequence[Any]) -> None:  # noqa: ARG001
    hold(told.outcome.plan.smallest_effect is None, "one was named")


@rule(r"Left out(?: \(.+\))?: (.+)\.")
def _(told: Told, g: Sequence[Any]) -> None:
    parts = re.split(r"; and \d+ more, which --json names", g[0])[0].split("; ")
    hold(any(all(part in cell.left_out for part in parts) for cell in told.outcome.cells.values()), "it was not")


@rule(
    r"Ended at the look at (\d+) of at most (\d+) seeds: (every comparison is called|no later look would probably call the rest)\."  # noqa: E501
)
def _(told: Told, g: Sequence[Any]) -> None:
    hold((int(g[0]), int(g[1])) == (len(told.outcome.seeds), len(told.outcome.plan.seeds)), "not so many seeds")
    hold(int(g[0]) in told.outcome.plan.looks, "no look")
    calls = {arm.score.call for arm in told.first.arms.values()}
    hold(
        (calls <= {"helps", "hurts", "no difference"}) == (g[2] == "every comparison is called"),
        f"the calls are {calls}",
    )


# Details


@rule(
    r"(.+): ahead in (\d+) of (\d+) seeds(?:, level in (\d+))?(?:; Student's t p ([=<]) ([\d.e-]+))?"
    r"(?:; sign-flip p ([=<]) ([\d.e-]+))?(?:; step-down max-T p ([=<]) ([\d.e-]+))?"
    r"(?:; the values correlate (−?[\d.]+) with the baseline's, and unpaired the variance would be ([\d.e+]+) ×)?\."
)
def _(told: Told, g: Sequence[Any]) -> None:
    score = told.arm(g[0]).score
    values = list(score.differences.values())
    hold(
        (int(g[1]), int(g[2]), int(g[3] or 0)) == (sum(v > 0 for v in values), len(values), values.count(0)),
        "not so many",
    )
    for sign, text, p in zip(g[4:10:2], g[5:10:2], (score.p_t, score.p_flip, score.p_joint), strict=True):
        if sign is not None:
            assert p is not None
            hold((p < 0.001) == (sign == "<"), "the other sign")
            hold(sign == "<" or abs(float(text) - p) <= 0.006 * p, f"{text} is not {p}")
            hold(score.call not in ("open", "none"), "nothing is called")
    if g[10] is not None:
        pairs = [(told.first.baseline[seed], told.arm(g[0]).values[seed]) for seed in score.differences]
        base, own = zip(*pairs, strict=True)
        is_value(g[10], statistics.correlation(base, own))
        gain = (statistics.variance(base) + statistics.variance(own)) / statistics.variance(values)
        hold(abs(float(g[11]) - gain) <= 0.06 * gain, f"the gain is {gain}")


@rule(
    r"Called at (Student's t|step-down max-T) p ≤ ([\d.]+)(?: at each of the looks at (.+) seeds)?(?: with an "
    r"interval on one side of 0)?; "
    r"(?:interval 95 %|the 95 % intervals hold together(?: for (\d+) comparisons)?)\.(?: Differences within ±([\d.]+) points do not matter\.)?"  # noqa: E501
)
def _(told: Told, g: Sequence[Any]) -> None:
    plan = told.outcome.plan
    count = sum(len(cell.arms) for cell in told.outcome.cells.values() if cell.cell.role == "verdict")
    hold((g[0] == "Student's t") == (count == 1 and not plan.looks), "another test")
    is_value(g[1], next(iter(told.first.arms.values())).score.level)
    hold(bool(g[2]) == bool(plan.looks), "looks or none")
    hold(int(g[3] or 1) == count, "not so many comparisons")
    hold(float(g[4]) == plan.smallest_effect if g[4] else plan.smallest_effect is None, "another smallest effect")


@rule(rf"New seeds, these 10,000 test images: {D} to {D} points\.")
def _(told: Told, g: Sequence[Any]) -> None:
    score = next(iter(told.first.arms.values())).score
    assert score.joint is not None
    is_value(g[0], score.joint[0])
    is_value(g[1], score.joint[1])


@rule(rf"New seeds and new images: (?:not known, for want of predictions|{D} to {D} points)\.")
def _(told: Told, g: Sequence[Any]) -> None:
    both = next(iter(told.first.arms.values())).both_scopes
    hold((both is None) == (g[0] is None), "known or not")
    if both is not None:
        is_value(g[0], both[0])
        is_value(g[1], both[1])


@rule(rf"Test loss, (.+): {D}(?: on average| \({D} to {D}\), p ([=<]) ([\d.e-]+): (lower|higher|not settled))\.")
def _(told: Told, g: Sequence[Any]) -> None:
    is_loss_line(told, g)
    if g[6] is not None:
        loss = told.arm(g[0]).loss
        assert loss is not None
        assert loss.joint is not None
        found = {"lower": loss.joint[1] < 0, "higher": loss.joint[0] > 0, "not settled": not loss.shown}
        hold(found[g[6]], "the loss says otherwise")
        hold({told.arm(g[0]).score.call, loss.call} != {"helps", "hurts"}, "they disagree")


@rule(rf"Accuracy and loss disagree on (.+): test loss {D} \({D} to {D}\), p ([=<]) ([\d.e-]+)()\.")
def _(told: Told, g: Sequence[Any]) -> None:
    is_loss_line(told, g)
    loss = told.arm(g[0]).loss
    assert loss is not None
    hold({told.arm(g[0]).score.call, loss.call} == {"helps", "hurts"}, "they agree")


def is_loss_line(told: Told, g: Sequence[Any]) -> None:
    loss = told.arm(g[0]).loss
    assert loss is not None
    is_mean(g[1], loss)
    if g[2] is not None:
        assert loss.joint is not None
        assert loss.p is not None
        is_value(g[2], loss.joint[0])
        is_value(g[3], loss.joint[1])
        hold((loss.p < 0.001) == (g[4] == "<"), "the other sign")
        hold(g[4] == "<" or abs(float(g[5]) - loss.p) <= 0.006 * loss.p, "another p")


@rule(r"(.+): ((?:holds|reverses|helps|hurts|fades|no difference that matters|inconclusive|not known yet) at .+)\.")
def _(told: Told, g: Sequence[Any]) -> None:
    base = told.arm(g[0]).score.call
    cells = [cell for cell in told.outcome.cells.values() if cell.cell.role == "sensitivity"]
    told_of = 0
    for part in g[1].split("; "):
        word, _, places = part.partition(" at ")
        for where, mean in re.findall(rf"((?:\d+ epochs?|learning rate [\d.]+))(?: \({D}\))?", places):
            value = float(re.findall(r"[\d.]+", where)[0])
            key = "train.epochs" if "epoch" in where else "train.learning_rate"
            cell = next(cell for cell in cells if cell.cell.settings.get(key) == value)
            score = cell.arms[told.names[g[0]]].score
            told_of += 1
            if mean:
                is_mean(mean, score)
            meant = {
                "holds": score.call == base,
                "reverses": {score.call, base} == {"helps", "hurts"},
                "fades": base in ("helps", "hurts") and score.call in ("no difference", "inconclusive"),
                "no difference that matters": score.call == "no difference",
                "not known yet": score.call in ("open", "none"),
            }
            hold(meant.get(word, score.call == word), f"there it is {score.call}, and {base}")
    hold(told_of == len(cells), "not all conditions")


@rule(
    r"Each arm, the baseline too, had (\d+) trials a seed \((.+?)(; arms without a tuned knob of their own differ by chance)?\), chosen by the validation loss of the weights it keeps; only the chosen one's test counts\."  # noqa: E501
)
def _(told: Told, g: Sequence[Any]) -> None:
    hold(int(g[0]) == len(told.outcome.plan.trials), "not so many trials")
    for part in g[1].split("; "):
        key, _, values = part.partition(" = ")
        hold([float(v) for v in values.split(", ")] == [float(v) for v in told.outcome.plan.tune[key]], "other values")


@rule(
    rf"Exploratory, with the seeds (.+) that were added beyond the plan: (.+?) {D} points(?: \({D} to {D}\))? over (\d+) seeds\. They are not in the plan, so they settle nothing\."  # noqa: E501
)
def _(told: Told, g: Sequence[Any]) -> None:
    of = told.first.exploratory[told.names[g[1]]]
    hold(int(g[5]) == len(of.differences), "not so many seeds")
    is_mean(g[2], of)
