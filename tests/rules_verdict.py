"""What each sentence and cell of a verdict claims, checked against what was logged; see `tests.rules`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from scipy.stats import binomtest

from regtui.protocol.events import EpochDone
from regtui.protocol.history import ArmHistory, History
from regtui.tasks.comparison import RightWrong
from tests.rules import Rules, hold, sentences
from tests.telling import paired

VERDICT = Rules[History]()
SIGNED, NUMBER, PERCENT = r"([+−][\d.,]+(?:e[+−]?\d+)?)", r"([\d.,]+(?:e[+−]?\d+)?)", r"([<>]? ?[\d.]+) %"


def value(text: str) -> float:
    return float(text.replace("−", "-").replace(",", "").strip("<> "))


def tells(text: str, number: float) -> None:
    """The text tells the number to the digits it has."""
    digits = text.strip("<> ").replace(",", "").partition(".")[2]
    if text.startswith("<"):
        hold(0 < number < value(text), f"{text} is not {number}")
    elif text.startswith(">"):
        hold(number > value(text), f"{text} is not {number}")
    else:
        mantissa, _, power = digits.partition("e")
        half = 0.5 * 10.0 ** (-len(mantissa) + int(power.replace("−", "-") or 0))
        hold(abs(value(text) - number) <= half + 1e-9, f"{text} is not {number}")


def tells_share(text: str, share: float) -> None:
    """The text, without its sign, tells a share; only none is '0', and only all is '100'."""
    hold(text not in ("0", "100") or 100 * share == float(text), f"{text} % is not {share}")
    tells(text, 100 * share)


def counts(history: History) -> tuple[int, int, int, int]:
    scored = history.scored
    assert scored is not None
    table = paired(scored)
    return table.both_right, table.only_baseline, table.only_arm, table.both_wrong


def are_the_accuracies(history: History, ours: str, theirs: str, points: str, images: str) -> None:
    both, baseline, regularized, neither = counts(history)
    total = both + baseline + regularized + neither
    hold(value(images) == total, f"there are {total} test images")
    tells_share(ours, (both + regularized) / total)
    tells_share(theirs, (both + baseline) / total)
    tells(points, 100 * (regularized - baseline) / total)


def p_value(history: History) -> float:
    _, baseline, regularized, _ = counts(history)
    return exact_p(min(baseline, regularized), baseline + regularized)


@cache
def exact_p(fewer: int, differ: int) -> float:
    """The p-value of the exact McNemar test, of so many examples on which the arms differ."""
    return float(binomtest(fewer, differ, 0.5).pvalue) if differ else 1.0


def is_p(history: History, sign: str, text: str) -> None:
    p = p_value(history)
    if sign == "<":
        hold(p < value(text), f"p is {p}")
    else:
        hold(abs(p - value(text)) <= 0.006 * p + 1e-9, f"p is {p}")


NUMBERS = (
    rf"{PERCENT} against {PERCENT}, {SIGNED} points \(95 % interval {SIGNED} to {SIGNED}; Tango's score interval; "
    r"exact McNemar p ([<=]) ([\d.e-]+)\)\."
)
ON, BASE, IMAGES = "On this split and seed, ", r"the baseline(?: \(.+\))?", r"([\d,]+) [\w-]+ test images"


def are_numbers(history: History, images: str, g: Sequence[Any]) -> tuple[float, float]:
    """Checks the seven numbers of a headline; returns the interval as printed."""
    are_the_accuracies(history, g[0], g[1], g[2], images)
    is_p(history, g[5], g[6])
    low, high = value(g[3]), value(g[4])
    hold(low <= value(g[2]) <= high, "the difference is outside its interval")
    return low, high


@VERDICT.rule(
    rf"{ON}the network with .+ classified (more|fewer) of the {IMAGES} correctly than that of {BASE}: {NUMBERS}"
)
def _(history: History, g: Sequence[Any]) -> None:
    low, high = are_numbers(history, g[1], g[2:])
    hold(p_value(history) < 0.05, "p is not below 0.05")
    hold(low >= 0 if g[0] == "more" else high <= 0, "the other way, or not settled")
    _, baseline, regularized, _ = counts(history)
    hold((regularized > baseline) == (g[0] == "more"), "the other way")


@VERDICT.rule(rf"{ON}the network with .+ and that of {BASE} show no difference that {IMAGES} can resolve: {NUMBERS}")
def _(history: History, g: Sequence[Any]) -> None:
    low, high = are_numbers(history, g[0], g[1:])
    hold(low <= 0 <= high, "the interval leaves out 0")


@VERDICT.rule(r"Any difference in the interval fits these counts, 0 included\.")
def _(history: History, g: Sequence[Any]) -> None:  # noqa: ARG001
    hold(p_value(history) >= 0.01, "0 does not fit")


@VERDICT.rule(
    rf"{ON}{IMAGES} do not settle whether the network with .+ or that of {BASE} classifies more of their kind "
    rf"correctly: {NUMBERS}"
)
def _(history: History, g: Sequence[Any]) -> None:
    are_numbers(history, g[0], g[1:])
    hold(p_value(history) >= 0.05, "p is below 0.05")


@VERDICT.rule(r"The interval leaves out 0, but the exact test does not reach p < 0\.05\.")
def _(history: History, g: Sequence[Any]) -> None:  # noqa: ARG001
    hold(p_value(history) >= 0.05, "p is below 0.05")


# At a glance: the headline, what qualifies it, the interval, and whether the loss agrees

AMOUNTS = (
    rf"{SIGNED} points \({SIGNED} to {SIGNED}\)(?: · test loss (±0|[+−][\d,.]+) %)?"
    rf"(?: · {NUMBER} × the time( an epoch)?)?"
)


def are_amounts(history: History, g: Sequence[Any]) -> tuple[float, float]:
    """Checks the numbers of a headline; returns the interval as printed."""
    _, baseline, regularized, _ = counts(history)
    tells(g[0], 100 * (regularized - baseline) / sum(counts(history)))
    low, high = value(g[1]), value(g[2])
    hold(low <= value(g[0]) <= high, "the difference is outside its interval")
    ours, theirs = test_losses(history)
    change = 100 * (ours / theirs - 1)
    hold(g[3] is not None, "the test losses are known")
    if g[3] == "±0":
        hold(abs(change) < 0.5, f"it is {change} %")
    else:
        hold(abs(change) >= 0.5, "no change that is seen")
        tells(g[3], change)
    base, arm = history.arms.values()
    tells(g[4], seconds(history, arm) / seconds(history, base))
    hold((g[5] is None) == (base.epochs[-1].epoch == arm.epochs[-1].epoch), "time in all, or an epoch")
    return low, high


def test_losses(history: History) -> tuple[float, float]:
    """The arm's, and the baseline's."""
    baseline, regularized = (arm.test for arm in history.arms.values())
    assert baseline is not None
    assert regularized is not None
    return regularized.loss or 0.0, baseline.loss or 0.0


def disagree(history: History) -> bool:
    ours, theirs = test_losses(history)
    _, only_baseline, only_arm, _ = counts(history)
    return p_value(history) < 0.05 and abs(ours / theirs - 1) >= 0.005 and (only_arm > only_baseline) == (ours > theirs)


@VERDICT.rule(rf"◆ .+ is (better|worse) here( by accuracy, not by loss)?: {AMOUNTS}")
def _(history: History, g: Sequence[Any]) -> None:
    low, high = are_amounts(history, g[2:])
    hold(p_value(history) < 0.05, "p is not below 0.05")
    hold(low >= 0 if g[0] == "better" else high <= 0, "the other way, or not settled")
    hold(bool(g[1]) == disagree(history), "accuracy and loss agree, or not")


@VERDICT.rule(rf"◇ No difference that ([\d,]+) test images can show: {AMOUNTS}")
def _(history: History, g: Sequence[Any]) -> None:
    hold(value(g[0]) == sum(counts(history)), "another number of images")
    low, high = are_amounts(history, g[1:])
    hold(low <= 0 <= high, "the interval leaves out 0")


@VERDICT.rule(rf"◇ Not settled by ([\d,]+) test images: {AMOUNTS}")
def _(history: History, g: Sequence[Any]) -> None:
    hold(value(g[0]) == sum(counts(history)), "another number of images")
    are_amounts(history, g[1:])
    hold(p_value(history) >= 0.05, "p is below 0.05")


@VERDICT.rule(
    r"No clean comparison: (?:steered \((.+?)\))?(?:; )?(?:(stopped by hand)"
    r"(?: after (\d+) of (\d+) epochs(, the last cut short)?| \((.+)\))?)?\."
)
def _(history: History, g: Sequence[Any]) -> None:
    baseline, regularized = history.arms.values()
    assert history.started is not None
    changed = [c for c in history.controls if c.accepted and c.key]
    hold(bool(g[0]) == bool(changed), "steered or not")
    for told in g[0].split("; ") if g[0] else ():
        when = re.fullmatch(r"dropout (?:[\d.]+ → |set to )([\d.]+) at epoch (\d+)", told)
        hold(when, f"another form: {told}")
        assert when is not None
        hold((float(when[1]), int(when[2])) == (changed[-1].value, changed[-1].epoch), "another change")
    stopped = history.finished is not None and history.finished.status == "stopped"
    hold(stopped == bool(g[1]), "stopped or not")
    each: dict[str, Sequence[str]] = {"baseline": g[2:5], "regularized": g[2:5]} if g[2] else {}
    form = r"(baseline|regularized)(?: and (regularized))? after (\d+) of (\d+) epochs(, the last cut short)?"
    for first, second, *rest in re.findall(form, g[5] or ""):
        each |= {name: rest for name in (first, second) if name}
    for name, arm in (("baseline", baseline), ("regularized", regularized)):
        by_user = arm.stopped is not None and arm.stopped.reason == "stopped"
        hold((name in each) == (stopped and by_user), f"the {name} was stopped by the user, or not")
        if name in each:
            hold(int(each[name][0]) == arm.epochs[-1].epoch, "another epoch")
            hold(int(each[name][1]) == history.started.epochs, "other epochs were planned")
            hold(bool(each[name][2]) == arm.epochs[-1].partial, "cut short or not")


@VERDICT.rule(r"◇ No comparison: the test error of (both arms|the baseline|.+) is not finite")
def _(history: History, g: Sequence[Any]) -> None:
    are_not_finite(history, {"both arms": ["baseline", "regularized"], "the baseline": ["baseline"]}.get(g[0], g))


@VERDICT.rule(r"The predictions of (.+?)(?: and of (.+))? for the test images are too far off for a finite error\.")
def _(history: History, g: Sequence[Any]) -> None:
    are_not_finite(history, ["baseline" if one == "the baseline" else one for one in g if one])


def are_not_finite(history: History, named: Sequence[str]) -> None:
    """These arms, by name or techniques, are those whose error on the test set is not finite."""
    assert history.scored is not None
    hold(not history.scored.comparisons, "they were compared")
    names = ["regularized" if one == history.arms["regularized"].info.techniques else one for one in named]
    hold(names == [arm for arm, score in history.scored.arms.items() if score.loss is None], "it is that of others")


@VERDICT.rule(
    rf"one seed \((\d+)\) · ([\d,]+)(?:–([\d,]+))? epochs?(?: · learning rate {NUMBER})? · batch (\d+)"
    r"(?: · ([\d,]+) images)?"
)
def _(history: History, g: Sequence[Any]) -> None:
    are_conditions(history, g)


@VERDICT.rule(
    rf"one seed \((\d+)\) · (?!\d)(.+?) · ([\d,]+)(?:–([\d,]+))? epochs?(?: · learning rate {NUMBER})? · batch (\d+)"
    r"(?: · ([\d,]+) images)?"
)
def _(history: History, g: Sequence[Any]) -> None:
    hold(g[1] == history.arms["regularized"].info.techniques, "another technique or strength")
    hold(not history.interventions, "it was steered, so its strength was not one")
    are_conditions(history, [g[0], *g[2:]])


def are_conditions(history: History, g: Sequence[Any]) -> None:
    """Checks seed, epochs, batch size and examples."""
    started = history.started
    assert started is not None
    lengths = sorted(arm.epochs[-1].epoch for arm in history.arms.values() if arm.epochs)
    hold(int(g[0]) == started.seed, "another seed")
    hold([value(g[1]), value(g[2] or g[1])] == [lengths[0], lengths[-1]], "other epochs")
    hold(int(g[4]) == started.batch_size, "another batch size")
    hold((value(g[5]) if g[5] else None) == started.sizes.get("train"), "other training images")


@VERDICT.rule(rf"Accuracy and loss (agree|disagree): the test loss is (lower|higher), {NUMBER} against {NUMBER}\.")
def _(history: History, g: Sequence[Any]) -> None:
    ours, theirs = test_losses(history)
    hold(p_value(history) < 0.05, "accuracy is undecided")
    hold((g[0] == "disagree") == disagree(history), "they do, or they don't")
    hold((ours < theirs) == (g[1] == "lower"), "the other way")
    tells(g[2], ours)
    tells(g[3], theirs)


@VERDICT.rule(
    rf"Accuracy is undecided(?:; the test loss is (lower|higher)|, the test losses are level:),? {NUMBER} against "
    rf"{NUMBER}\."
)
def _(history: History, g: Sequence[Any]) -> None:
    ours, theirs = test_losses(history)
    hold(p_value(history) >= 0.05 or 0 in [round(v, 4) for v in (ours, theirs)], "accuracy is decided")
    hold((g[0] is None) == (abs(ours / theirs - 1) < 0.005), "level or not")
    hold(g[0] is None or (ours < theirs) == (g[0] == "lower"), "the other way")
    tells(g[1], ours)
    tells(g[2], theirs)


@VERDICT.rule(rf"Accuracy decides alone: the test losses are level, {NUMBER} against {NUMBER}\.")
def _(history: History, g: Sequence[Any]) -> None:
    ours, theirs = test_losses(history)
    hold(p_value(history) < 0.05, "accuracy is undecided")
    hold(abs(ours / theirs - 1) < 0.005, "they are not level")
    tells(g[0], ours)
    tells(g[1], theirs)


def check_bar(history: History, line: str, under: str) -> None:
    """Check where zero, the interval and the estimate of a bar stand, and what is written below its ends."""
    match = re.fullmatch(r"● ahead ([─━├┤◆0]+) ◆ ahead", line)
    hold(match, f"another form: {line}")
    assert match is not None
    bar = match[1]
    _, only_baseline, only_arm, _ = counts(history)
    low, high = interval(history)
    estimate = (only_arm - only_baseline) / sum(counts(history))
    middle, reach = (len(bar) - 1) / 2, 1.15 * max(abs(low), abs(high))
    for number, marks in ((low, "├◆"), (high, "┤◆"), (estimate, "◆"), (0.0, "0├┤◆")):
        at = middle + middle * number / reach
        hold(any(bar[cell] in marks for cell in (int(at), int(at + 0.5), int(at + 1)) if cell < len(bar)), f"{marks}?")
    told = re.fullmatch(rf"(?:95 %)? *{SIGNED} +{SIGNED}", under)
    hold(told, f"another form: {under}")
    assert told is not None
    for text, number in zip(told.groups(), (low, high), strict=True):
        tells(text, 100 * number)


def interval(history: History) -> tuple[float, float]:
    assert history.scored is not None
    return limits(paired(history.scored))


@cache
def limits(table: RightWrong) -> tuple[float, float]:
    """A comparison's interval."""
    return table.interval()


@VERDICT.rule(
    r"Test images: both right ([\d,]+) · only baseline ([\d,]+) · only regularized ([\d,]+) · both wrong ([\d,]+)\."
)
def _(history: History, g: Sequence[Any]) -> None:
    hold(tuple(map(value, g)) == counts(history), "other counts")


@VERDICT.rule(
    rf"Cost: {NUMBER} × the baseline's time per epoch \({NUMBER} s against {NUMBER} s\)"
    rf"(?:; in all (\d+) epochs against (\d+), {NUMBER} s against {NUMBER} s)?"
    r"(?:, ([\d,]+) parameters against ([\d,]+))?\."
)
def _(history: History, g: Sequence[Any]) -> None:
    baseline, regularized = history.arms.values()
    ours, theirs = seconds(history, regularized), seconds(history, baseline)
    tells(g[0], ours / theirs)
    tells(g[1], ours)
    tells(g[2], theirs)
    lengths = [regularized.epochs[-1].epoch, baseline.epochs[-1].epoch]
    hold((g[3] is None) == (lengths[0] == lengths[1]), "the epochs in all are told or not")
    if g[3] is not None:
        hold([int(g[3]), int(g[4])] == lengths, "other epochs")
        tells(g[5], sum(epoch.seconds for epoch in regularized.epochs))
        tells(g[6], sum(epoch.seconds for epoch in baseline.epochs))
    told = [value(text) for text in g[7:9] if text]
    parameters = [regularized.info.parameters, baseline.info.parameters]
    hold(told == ([] if parameters[0] == parameters[1] else parameters), "other parameters")


def seconds(history: History, arm: ArmHistory) -> float:
    """Time for an epoch, of the whole ones that the arm and the baseline trained; the baseline's with the longest."""
    lengths = {name: other.epochs[-1].epoch if other.epochs else 0 for name, other in history.arms.items()}
    own = next(name for name, other in history.arms.items() if other is arm)
    other = max(lengths[name] for name in history.others) if own == "baseline" else lengths[own]
    together = min(lengths["baseline"], other)
    whole = [epoch.seconds for epoch in arm.epochs if epoch.epoch <= together and not epoch.partial]
    return sum(whole) / len(whole)


@VERDICT.rule(
    r"Generalization gap \(validation − training loss\) of the kept weights, epoch (\d+) against epoch (\d+): "
    rf"{SIGNED} against {SIGNED}\."
)
def _(history: History, g: Sequence[Any]) -> None:
    baseline, regularized = history.arms.values()
    for epoch, text, arm in zip(g[:2], g[2:], (regularized, baseline), strict=True):
        hold(int(epoch) == kept(arm).epoch, "another epoch was tested")
        tells(text, gap(kept(arm)))


@VERDICT.rule(rf"The gap is smaller, yet their validation loss is higher \({NUMBER} against {NUMBER}\)\.")
def _(history: History, g: Sequence[Any]) -> None:
    baseline, regularized = history.arms.values()
    _, only_baseline, only_arm, _ = counts(history)
    hold(only_arm < only_baseline and p_value(history) < 0.05, "it did not classify fewer")
    hold(gap(kept(regularized)) < gap(kept(baseline)), "the gap is not smaller")
    hold(value(g[0]) > value(g[1]), "not higher")
    for text, arm in zip(g[:2], (regularized, baseline), strict=True):
        tells(text, loss(kept(arm)))  # a verdict compares the kept weights


@VERDICT.rule(
    r"One run of one seed \((\d+)\): interval and p-value speak of these two trained networks; another seed or "
    r"split may say otherwise\."
)
def _(history: History, g: Sequence[Any]) -> None:
    assert history.started is not None
    hold(int(g[0]) == history.started.seed, "another seed")


@VERDICT.rule(r"Of the test losses no test is made\.")
def _(history: History, g: Sequence[Any]) -> None:  # noqa: ARG001
    hold(history.task.name == "classification", "the loss is what is tested")


@VERDICT.rule(r"Whether the technique makes the difference, several seeds can tell\.")
def _(history: History, g: Sequence[Any]) -> None: ...


def kept(arm: ArmHistory) -> EpochDone:
    """The epoch whose weights were tested."""
    assert arm.test is not None
    return next(epoch for epoch in arm.epochs if epoch.epoch == arm.test.epoch)


def lowest(arm: ArmHistory) -> EpochDone:
    return min(arm.epochs, key=lambda epoch: (loss(epoch), epoch.epoch))


def loss(epoch: EpochDone) -> float:
    return math.inf if epoch.val_loss is None else epoch.val_loss


def gap(epoch: EpochDone) -> float:
    return loss(epoch) - (math.inf if epoch.train_loss is None else epoch.train_loss)


@dataclass(frozen=True)
class Cell:
    """A column of the table of the arms: its two lines of header, the form of its cells, what they claim."""

    header: tuple[str, str]
    form: str
    check: Callable[[History, ArmHistory, Sequence[str]], None]


def _test(of: Literal["accuracy", "loss"]) -> Callable[[History, ArmHistory, Sequence[str]], None]:
    def check(history: History, arm: ArmHistory, g: Sequence[str]) -> None:  # noqa: ARG001
        assert arm.test is not None
        if of == "accuracy":
            tells_share(g[0], arm.test.metric or 0.0)
        else:
            tells(g[0], arm.test.loss or 0.0)

    return check


def _of(number: Callable[[History, ArmHistory], float]) -> Callable[[History, ArmHistory, Sequence[str]], None]:
    return lambda history, arm, g: tells(g[0], number(history, arm))


CELLS = (
    Cell(("test", "accuracy"), PERCENT, _test("accuracy")),
    Cell(("test", "loss"), NUMBER, _test("loss")),
    Cell(("kept", "epoch"), r"(\d+)", _of(lambda _, arm: kept(arm).epoch)),
    Cell(("gap", "kept"), SIGNED, _of(lambda _, arm: gap(kept(arm)))),
    Cell(("best", "epoch"), r"(\d+)", _of(lambda _, arm: lowest(arm).epoch)),
    Cell(("best val", "loss"), NUMBER, _of(lambda _, arm: loss(lowest(arm)))),
    Cell(("weights", "zero"), PERCENT, lambda _, arm, g: tells_share(g[0], kept(arm).zero_weights)),
    Cell(("", "‖w‖"), NUMBER, _of(lambda _, arm: kept(arm).weight_norm or 0.0)),
    Cell(("", "s/epoch"), NUMBER, _of(seconds)),
)


def check_table(history: History, lines: Sequence[str]) -> None:
    """Check the verdict's table of the arms."""
    top, bottom, *rows = lines
    hold([row[2:].split()[0] for row in rows] == list(history.arms), "other arms")
    count = max(n for n in range(1, len(CELLS) + 1) if heads(0, n) == top.split() and heads(1, n) == bottom.split())
    form = r"\s+".join([r"[●◆A-Q] [\w-]+", *(cell.form for cell in CELLS[:count])])
    for row, arm in zip(rows, history.arms.values(), strict=True):
        if not arm.epochs:
            hold(row.split()[2:] == ["–"] * count, f"it was not measured: {row}")
            continue
        match = re.fullmatch(form, row)
        hold(match, f"another form: {row}")
        assert match is not None
        groups = list(match.groups())
        for cell in CELLS[:count]:
            own = [groups.pop(0) for _ in range(re.compile(cell.form).groups)]
            cell.check(history, arm, own)


def heads(line: int, count: int) -> list[str]:
    return " ".join(cell.header[line] for cell in CELLS[:count]).split()


HEAD, QUALIFIED, HERE = (
    r"[◆◇] .+?",
    r"(?:No clean comparison: |The predictions of ).+?\.",
    r"one seed \(\d+\) · .+? batch \d+(?: · [\d,]+ images)?",
)


def check_glance(history: History, block: Sequence[str]) -> None:
    """Check the headline, what qualifies it, the bar, and whether accuracy and loss agree."""
    lines = list(block)
    bars = [number for number, line in enumerate(lines) if line.startswith("● ahead")]
    for number in reversed(bars):
        check_bar(history, *lines[number : number + 2])
        del lines[number : number + 2]
    match = re.fullmatch(rf"({HEAD})(?: ({QUALIFIED}))? ({HERE})(?: (A.+))?", " ".join(lines))
    hold(match, f"another form: {lines}")
    assert match is not None
    hold(bool(match[4]) == bool(history.scored and history.scored.comparisons), "loss and metric agree, or not")
    for sentence in filter(None, match.groups()):
        VERDICT.check(history, sentence)


def check(history: History, lines: Sequence[str]) -> None:
    """Check all that a verdict says.

    Raises:
        UntrueError: A sentence or a cell does not hold, or has no rule.
    """
    blocks = [block.split("\n") for block in "\n".join(lines).split("\n\n")]
    for number, block in enumerate(blocks):
        if number == 0:
            check_glance(history, block)
        elif number == 1:
            check_table(history, block)
        else:
            for sentence in sentences(" ".join(block)):
                VERDICT.check(history, sentence)
