"""What each sentence about a run claims, checked against the numbers that were logged.

Written from the words alone, without the code that speaks. Every sentence must match exactly one rule as a whole, so
that new words need a new rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Generic, TypeVar

Losses = dict[int, float]
"""Finite losses by epoch."""


@dataclass(frozen=True)
class Logged:
    """What was logged of one arm until now: losses by epoch, and how it ended."""

    val: Losses
    train: Losses
    last_epoch: int
    stopped: str = ""
    partial: bool = False

    @property
    def lowest(self) -> tuple[int, float]:
        """The earliest epoch with the lowest validation loss, and that."""
        epoch = min(self.val, key=lambda e: (self.val[e], e))
        return epoch, self.val[epoch]

    @property
    def newest(self) -> tuple[int, float]:
        """The last epoch that has a finite validation loss, and that."""
        return max(self.val), self.val[max(self.val)]

    def recent(self, count: int) -> list[float]:
        """The newest losses."""
        return [self.val[epoch] for epoch in sorted(self.val)[-count:]]


@dataclass(frozen=True)
class Run:
    """What was logged of a run until now."""

    arms: dict[str, Logged]
    planned: int
    status: str = ""
    controls: Sequence[tuple[str, str | None, float | None, int]] = field(default_factory=tuple)
    """Arm, knob, value and epoch of each that was applied."""


class UntrueError(AssertionError):
    """A sentence that does not hold."""


def hold(what: object, why: str) -> None:
    if not what:
        raise UntrueError(why)


def is_loss(text: str, value: float) -> None:
    """The text tells the value to the digits it has."""
    text = text.replace("−", "-").replace(",", "")
    half = 0.5 * 10.0 ** -len(text.partition(".")[2]) if "e" not in text else 0.051 * abs(float(text))
    if "e" in text and "." not in text:
        half = 0.51 * 10.0 ** float(text.partition("e")[2])
    hold(abs(float(text) - value) <= half * (1 + 1e-9) + 1e-12, f"{text} is not {value}")


def is_percent(text: str, share: float) -> None:
    """The text, without its sign, tells a share to the digits it has."""
    if text.startswith("< "):
        hold(0 < 100 * share < float(text[2:]), f"{text} % is not {share}")
        return
    text = text.replace(",", "")
    half = 0.5 * 10.0 ** -len(text.partition(".")[2])
    hold(abs(float(text) - 100 * share) <= half + 1e-6, f"{text} % is not {share}")


def seen(value: float) -> float:
    """The value as a table shows it."""
    if 0 < abs(value) < 0.01:
        return float(f"{value:.2e}")
    return round(value, 4) if abs(value) < 10 else round(value, 2)


def above(arm: Logged) -> float:
    lowest = arm.lowest[1]
    return arm.newest[1] / lowest - 1 if lowest > 0 else (0.0 if arm.newest[1] == 0 else float("inf"))


def spread(losses: Sequence[float]) -> float:
    return max(losses) / min(losses) - 1 if min(losses) > 0 else (0.0 if max(losses) == 0 else float("inf"))


def is_lowest(arm: Logged, loss: str, epoch: str) -> None:
    hold(int(epoch) == arm.lowest[0], f"the lowest is at epoch {arm.lowest[0]}")
    is_loss(loss, arm.lowest[1])


def is_newest(arm: Logged, loss: str, epoch: str) -> None:
    hold(int(epoch) == arm.newest[0], f"the newest is epoch {arm.newest[0]}")
    is_loss(loss, arm.newest[1])


L, E, P = r"([\d.,]+(?:e[−+]?\d+)?)", r"(\d+)", r"((?:< )?[\d.,]+)"
ARM = r"(Baseline|Regularized)"
ABOVE = rf"(?:{P} % above its lowest|far above its lowest|as low as its lowest|at its lowest), {L} at epoch {E}"
VERSUS = rf"(?:Regularized is {L} (above|below) the baseline|The arms are (level)) in"


T = TypeVar("T")


class Rules(Generic[T]):
    """The forms that sentences of one kind can have, each with a check of what it claims about a T."""

    def __init__(self) -> None:
        self._rules: list[tuple[re.Pattern[str], Callable[[T, Sequence[Any]], None]]] = []

    def rule(self, pattern: str) -> Callable[[Callable[[T, Sequence[Any]], None]], Callable[[T, Sequence[Any]], None]]:
        """The check of a sentence of this form; it gets the pattern's groups."""

        def add(check: Callable[[T, Sequence[Any]], None]) -> Callable[[T, Sequence[Any]], None]:
            self._rules.append((re.compile(pattern), check))
            return check

        return add

    def check(self, about: T, sentence: str) -> None:
        """Check one sentence.

        Raises:
            UntrueError: It does not hold, has no rule, or more than one.
        """
        found = [(match, holds) for pattern, holds in self._rules if (match := pattern.fullmatch(sentence))]
        if len(found) != 1:
            raise UntrueError(f"{len(found)} rules for: {sentence}")
        match, holds = found[0]
        try:
            holds(about, match.groups())
        except UntrueError as why:
            raise UntrueError(f"{sentence} ({why})") from None


TREND = Rules[Run]()
rule = TREND.rule


def arm_of(run: Run, name: str) -> Logged:
    return run.arms[name.lower()]


def is_above(arm: Logged, percent: str | None, loss: str, epoch: str, words: str) -> None:
    is_lowest(arm, loss, epoch)
    if "far above" in words:
        hold(above(arm) >= 100, "not far")
    elif "as low as" in words:
        same = seen(arm.newest[1]) == seen(arm.lowest[1])
        hold(same or (arm.lowest[1] >= 1000 and above(arm) < 0.005), "not as low")
    elif percent is None:
        hold(arm.newest[0] == arm.lowest[0], "not at its lowest")
    else:
        is_percent(percent, above(arm))
        hold(arm.newest[1] > arm.lowest[1], "not above")


def is_versus(baseline: float, regularized: float, value: str | None, side: str | None, level: str | None) -> None:
    difference = regularized - baseline
    if level:
        hold(abs(difference) <= 0.005 * baseline * (1 + 1e-9), "not level")
    else:
        is_loss(str(value), abs(difference))
        hold((difference > 0) == (side == "above"), "the other side")
        hold(abs(difference) > 0.005 * baseline, "that is level")


@rule(rf"{VERSUS} validation loss at epoch {E}(?:, within 0\.5 %)?\.")
def _(run: Run, g: Sequence[Any]) -> None:
    at, baseline, regularized = int(g[3]), run.arms["baseline"].val, run.arms["regularized"].val
    hold(at == max(baseline.keys() & regularized.keys()), "there is a newer epoch that both have")
    hold(not any(arm.stopped for arm in run.arms.values()), "one has stopped")
    is_versus(baseline[at], regularized[at], *g[:3])


@rule(rf"{VERSUS} lowest validation loss so far(?:, within 0\.5 %)?\.")
def _(run: Run, g: Sequence[Any]) -> None:
    hold(any(arm.stopped for arm in run.arms.values()), "none has stopped")
    is_versus(run.arms["baseline"].lowest[1], run.arms["regularized"].lowest[1], *g)


# Sentences on a run that goes on


@rule(rf"The first of {L} epochs is measured\.")
def _(run: Run, g: Sequence[Any]) -> None:
    hold(int(g[0].replace(",", "")) == run.planned, "not so many planned")
    hold(all(arm.last_epoch == 1 for arm in run.arms.values()), "not the first")


def still_falls(arm: Logged) -> None:
    hold(arm.newest[0] == arm.lowest[0], "the last one is not the lowest")
    hold(len(arm.val) > 1, "one epoch falls nowhere")
    before, last = arm.recent(2)
    hold(last < before, "it rose")
    hold(arm.recent(5)[0] / last - 1 > 0.02, "it hardly fell")


def hardly_moves(arm: Logged, epochs: str) -> None:
    hold(int(epochs) >= 3, "too few to be flat")
    hold(spread(arm.recent(int(epochs))) <= 0.02 * (1 + 1e-9), "not within 2 %")
    hold(len(arm.val) == int(epochs) or spread(arm.recent(int(epochs) + 1)) > 0.02 * (1 - 1e-9), "flat for longer")


@rule(r"Both validation losses still fall\.")
def _(run: Run, g: Sequence[Any]) -> None:  # noqa: ARG001
    for arm in run.arms.values():
        still_falls(arm)


@rule(rf"Both validation losses are flat, within 2 % over {E} epochs\.")
def _(run: Run, g: Sequence[Any]) -> None:
    for arm in run.arms.values():
        hardly_moves(arm, g[0])


@rule(rf"{ARM} overfitting since epoch {E}: validation loss (?:\+{P} %|far up) \({L} → {L}\)\.")
def _(run: Run, g: Sequence[Any]) -> None:
    arm = arm_of(run, g[0])
    overfits(arm, int(g[1]), g[2])
    is_loss(g[3], arm.lowest[1])
    is_loss(g[4], arm.newest[1])


def overfits(arm: Logged, epoch: int, percent: str | None) -> None:
    hold(epoch == arm.lowest[0], "not the epoch of the lowest loss")
    if percent is None:
        hold(above(arm) >= 100, "not far up")
    else:
        is_percent(percent, above(arm))
    hold(arm.newest[0] - epoch >= 3, "too early to say")
    hold(all(loss > arm.lowest[1] * 1.05 for loss in arm.recent(3)), "not more than 5 % above for three epochs")
    now, then = arm.train[arm.newest[0]], arm.train[epoch]
    hold(seen(now) < seen(then), "the training loss has not fallen")
    hold(arm.newest[1] - now > arm.lowest[1] - then, "the gap has not grown")


def rose(arm: Logged, epoch: int) -> bool:
    """Whether the loss of an epoch is seen to be higher than that of the one before."""
    return {epoch - 1, epoch} <= arm.val.keys() and seen(arm.val[epoch]) > seen(arm.val[epoch - 1])


@rule(rf"{ARM}: validation loss has risen for {E} epochs, ({ABOVE})\.")
def _(run: Run, g: Sequence[Any]) -> None:
    arm = arm_of(run, g[0])
    count, last = int(g[1]), arm.newest[0]
    hold(count >= 2, "one epoch is no rise")
    for epoch in range(last - count + 1, last + 1):
        hold(rose(arm, epoch), f"not in epoch {epoch}")
    hold(not rose(arm, last - count), "it rose for longer")
    is_above(arm, g[3], g[4], g[5], g[2])


@rule(rf"{ARM}: validation loss falls, but is ({ABOVE})\.")
def _(run: Run, g: Sequence[Any]) -> None:
    arm = arm_of(run, g[0])
    before, last = arm.recent(2)
    hold(last < before, "it rose")
    hold(above(arm) > 0.05, "it is near its lowest")
    hold(arm.recent(5)[0] > last or len(arm.val) < 6, "it is no lower than five epochs ago")
    is_above(arm, g[2], g[3], g[4], g[1])


@rule(rf"{ARM}: validation loss is ({ABOVE})\.")
def _(run: Run, g: Sequence[Any]) -> None:
    arm = arm_of(run, g[0])
    is_above(arm, g[2], g[3], g[4], g[1])


@rule(rf"{ARM}: validation loss is flat, within 2 % over {E} epochs, ({ABOVE})\.")
def _(run: Run, g: Sequence[Any]) -> None:
    arm = arm_of(run, g[0])
    hardly_moves(arm, g[1])
    is_above(arm, g[3], g[4], g[5], g[2])


@rule(rf"{ARM}: validation loss hardly falls any more, within 2 % over {E} epochs: {L} at epoch {E}\.")
def _(run: Run, g: Sequence[Any]) -> None:
    arm = arm_of(run, g[0])
    hardly_moves(arm, g[1])
    is_newest(arm, g[2], g[3])
    hold(arm.newest[0] == arm.lowest[0], "not its lowest")


@rule(rf"{ARM}: validation loss wavers within 5 % of its lowest, {L} at epoch {E}\.")
def _(run: Run, g: Sequence[Any]) -> None:
    arm = arm_of(run, g[0])
    is_lowest(arm, g[1], g[2])
    recent = arm.recent(5)
    hold(all(loss <= arm.lowest[1] * 1.05 * (1 + 1e-9) for loss in recent), "further than 5 % away")
    steps = [after - before for before, after in pairwise(recent)]
    hold(min(steps) < 0 < max(steps), "it goes one way only")


@rule(rf"{ARM}: validation loss still falls, {L} at epoch {E}\.")
def _(run: Run, g: Sequence[Any]) -> None:
    arm = arm_of(run, g[0])
    still_falls(arm)
    is_newest(arm, g[1], g[2])


@rule(rf"{ARM}: validation loss is {L} at epoch {E}\.")
def _(run: Run, g: Sequence[Any]) -> None:
    arm = arm_of(run, g[0])
    is_newest(arm, g[1], g[2])
    hold(len(arm.val) == 1, "there are others to compare with")


@rule(rf"{ARM}: the validation loss of epoch {E} is not finite\.")
def _(run: Run, g: Sequence[Any]) -> None:
    arm = arm_of(run, g[0])
    hold(int(g[1]) == arm.last_epoch, "not the last epoch")
    hold(arm.last_epoch not in arm.val, "it is finite")


@rule(
    rf"{ARM} (stopped early|stopped|has trained all its epochs)(?: (after|in) epoch {E})?"
    rf"; its lowest validation loss was {L} at epoch {E}; (baseline|regularized) goes on alone\."
)
def _(run: Run, g: Sequence[Any]) -> None:
    arm = arm_of(run, g[0])
    words = {"early_stopping": "stopped early", "stopped": "stopped", "max_epochs": "has trained all its epochs"}
    hold(words[arm.stopped] == g[1], "it ended otherwise")
    hold(g[3] is None or int(g[3]) == arm.last_epoch, "it ended elsewhere")
    hold(
        g[2] is None or (g[2] == "in") == arm.partial,
        "its last epoch was whole" if g[2] == "in" else "it was cut short",
    )
    is_lowest(arm, g[4], g[5])
    hold(g[6] != g[0].lower(), "it goes on itself")
    hold(not run.arms[g[6]].stopped, "the other has ended too")


@rule(r"All arms have stopped; the run is coming to its end\.")
def _(run: Run, g: Sequence[Any]) -> None:  # noqa: ARG001
    hold(all(arm.stopped for arm in run.arms.values()), "one goes on")
    hold(not run.status, "it has ended")


# Sentences on a run that has ended


@rule(
    rf"(Finished|Stopped|The log breaks off) (?:(after) {E} epochs?|(in) epoch {E}|after epoch {E}(, cut short,)? "
    rf"\(baseline\) and epoch {E}(, cut short,)? \(regularized\))"
    rf": lowest validation loss {L} at epoch {E} \(baseline\), {L} at epoch {E} \(regularized\)\."
)
def _(run: Run, g: Sequence[Any]) -> None:
    hold({"Finished": "finished", "Stopped": "stopped", "The log breaks off": ""}[g[0]] == run.status, "not so")
    baseline, regularized = run.arms["baseline"], run.arms["regularized"]
    told = [int(e) for e in (g[2] or g[4] or g[5], g[2] or g[4] or g[7])]
    hold(told == [baseline.last_epoch, regularized.last_epoch], "other epochs")
    cut = [bool(g[3] or g[6]), bool(g[3] or g[8])]
    hold(cut == [baseline.partial, regularized.partial], "cut short or not")
    is_lowest(baseline, g[9], g[10])
    is_lowest(regularized, g[11], g[12])


ONE = rf"(?:baseline|regularized) from epoch \d+ on, validation loss (?:\+{P[1:-1]} %|far up) at its end"


@rule(rf"Overfitted: ({ONE}(?:; {ONE})?)\.")
def _(run: Run, g: Sequence[Any]) -> None:
    for part in g[0].split("; "):
        name, epoch, percent = re.fullmatch(
            rf"(\w+) from epoch (\d+) on, validation loss (?:\+{P} %|far up) at its end", part
        ).groups()  # type: ignore[union-attr]
        overfits(run.arms[name], int(epoch), percent)


# What the user did


@rule(
    rf"(Patience|Early stopping) of (both arms|baseline|regularized) was (?:set to {E}|(switched off)) in epoch {E}\."
)
def _(run: Run, g: Sequence[Any]) -> None:
    epoch = int(g[4])
    changed = {arm: value for arm, knob, value, at in run.controls if knob == "patience" and at == epoch}
    hold(set(changed) == ({"baseline", "regularized"} if g[1] == "both arms" else {g[1]}), "other arms")
    hold(set(changed.values()) == {None if g[3] else float(g[2])}, "another value")


@rule(rf"Dropout rate of (baseline|regularized) was set to ([\d.]+) in epoch {E}(?:, the last of {E} changes)?\.")
def _(run: Run, g: Sequence[Any]) -> None:
    arm, knob, value, epoch = run.controls[-1]
    hold((arm, knob, value, epoch) == (g[0], "dropout.rate", float(g[1]), int(g[2])), "not the last change")
    hold(g[3] is None or int(g[3]) == len({(k, at) for _, k, _, at in run.controls}), "another number of changes")


@rule(rf"Paused after epoch {E}\.")
def _(run: Run, g: Sequence[Any]) -> None:
    hold(int(g[0]) == max(arm.last_epoch for arm in run.arms.values()), "elsewhere")


def sentences(text: str) -> list[str]:
    """A text's sentences."""
    return re.split(r"(?<=\.) (?=[A-Z])", text)


def check(run: Run, text: str) -> None:
    """Check every sentence of a text on how a run goes.

    Raises:
        UntrueError: One does not hold, has no rule, or more than one.
    """
    for sentence in sentences(text):
        TREND.check(run, sentence)
