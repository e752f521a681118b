"""What each sentence of diagnosis claims, checked against what was logged; see `tests.rules`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import typer
from scipy.stats import theilslopes

from regtui.cli.main import app
from regtui.preset.file import load
from regtui.preset.model import Preset
from regtui.protocol.history import ArmHistory, History
from regtui.study.design import Wishes, make_plan
from tests.rules import Rules, hold, is_loss
from tests.rules_verdict import tells, value

ADVICE = Rules[tuple[History, Preset]]()
About = tuple[History, Preset]
L, E, ARM = r"([\d.,]+(?:e[−+]?\d+)?)", r"(\d+)", r"(Baseline|Regularized|baseline|regularized|[A-Q] [\w-]+)"


def arm_of(about: About, name: str) -> ArmHistory:
    return about[0].arms[name.split(" ")[-1] if " " in name else name.lower()]


def losses(arm: ArmHistory) -> dict[int, float]:
    return {done.epoch: done.val_loss for done in arm.epochs if done.val_loss is not None}


def lowest(arm: ArmHistory) -> tuple[int, float]:
    own = losses(arm)
    epoch = min(own, key=lambda e: (own[e], e))
    return epoch, own[epoch]


def window(arm: ArmHistory) -> tuple[list[int], list[float]]:
    own = sorted(losses(arm).items())[-max(6, len(losses(arm)) // 3) :]
    return [epoch for epoch, _ in own], [loss for _, loss in own]


def fell(arm: ArmHistory) -> float:
    """By what share the end of a curve falls, by the slope of Theil and Sen."""
    epochs, values = window(arm)
    slope = theilslopes(values, epochs).slope
    start = np.median(np.array(values) - slope * (np.array(epochs) - epochs[0]))
    return float(-slope * (epochs[-1] - epochs[0]) / start) if start > 0 else 0.0


def still_falls(about: About, name: str, percent: str, epochs: str) -> None:
    arm = arm_of(about, name)
    tells(percent, 100 * fell(arm))
    hold(fell(arm) > 0.02, "it hardly falls")
    hold(window(arm)[0][-1] - window(arm)[0][0] == int(epochs), "another part of the curve")
    values = window(arm)[1]
    rises = sum(b >= a for i, a in enumerate(values) for b in values[i + 1 :])
    hold(rises < len(values) * (len(values) - 1) / 4, "as many pairs rise as fall")
    hold(len(arm.epochs) == about[1].train.epochs, "it has not trained all epochs")


FELL = rf"validation loss fell by {L} % over the last {E} epochs"


@ADVICE.rule(rf"{ARM} still improves: its {FELL}, while {ARM}'s was lowest at epoch {E}: after ([\d,]+) epochs the "
             r"arms are compared before both have settled\.")  # fmt: skip
def _(about: About, g: Sequence[Any]) -> None:
    still_falls(about, *g[:3])
    settled = arm_of(about, g[3])
    hold(lowest(settled)[0] == int(g[4]) < window(settled)[0][0], "another epoch, or a late one")
    hold(fell(settled) <= 0, "it falls too")
    hold(value(g[5]) == about[1].train.epochs, "other epochs")


@ADVICE.rule(rf"(Both|All \d+) arms still improve: {ARM}'s {FELL}: train longer before judging\.")
def _(about: About, g: Sequence[Any]) -> None:
    still_falls(about, *g[1:])
    hold(all(fell(arm) > 0.02 for arm in about[0].arms.values()), "one does not fall")


@ADVICE.rule(rf"{ARM} underfits: the training loss of the kept weights, {L}, is above the baseline's, {L}, and so is "
             rf"the validation loss: (.+) is too strong here, or ([\d,]+) epochs? too few\.")  # fmt: skip
def _(about: About, g: Sequence[Any]) -> None:
    ours, theirs = arm_of(about, g[0]).kept, about[0].arms["baseline"].kept
    assert ours is not None
    assert theirs is not None
    for text, own in ((g[1], ours), (g[2], theirs)):
        is_loss(text, own.train_loss or 0.0)
    hold((ours.train_loss or 0.0) > (theirs.train_loss or 0.0), "not above")
    hold((ours.val_loss or 0.0) > (theirs.val_loss or 0.0), "not above in validation")
    scored = about[0].scored
    assert scored is not None
    found = scored.comparisons["regularized" if " " not in g[0] else g[0].split(" ")[-1]]
    hold(found.p_value() < 0.05 and found.difference * (1 if found.better == "higher" else -1) < 0, "not worse")
    hold(value(g[4]) == about[1].train.epochs, "other epochs")


@ADVICE.rule(rf"{ARM} overfits from epoch {E} on, and its last weights are tested: validation loss {L} → {L} "
             rf"\(\+{L} %\)\.(?: (.+) (?:does|do) so too\.)?")  # fmt: skip
def _(about: About, g: Sequence[Any]) -> None:
    arm = arm_of(about, g[0])
    epoch, low = lowest(arm)
    last = losses(arm)[max(losses(arm))]
    hold(epoch == int(g[1]), "another epoch")
    is_loss(g[2], low)
    is_loss(g[3], last)
    tells(g[4], 100 * (last / low - 1))
    hold(last > 1.05 * low, "it is near its lowest")
    hold(arm.test is None or arm.test.kept == "last", "its best weights are tested")
    train = {done.epoch: done.train_loss or 0.0 for done in arm.epochs}
    hold(train[max(train)] < train[epoch], "the training loss has not fallen")


@ADVICE.rule(rf"(.+) holds little back: {ARM} overfits as the baseline does, with a gap of {L} between training and "
             rf"validation loss against {L}\.")  # fmt: skip
def _(about: About, g: Sequence[Any]) -> None:
    gaps = [arm_of(about, name).epochs[-1].gap or 0.0 for name in (g[1], "baseline")]
    for text, gap in zip(g[2:], gaps, strict=True):
        is_loss(text, gap)
    hold(gaps[0] >= 0.8 * gaps[1] > 0, "the gap is smaller")
    both = [arm_of(about, name) for name in (g[1], "baseline")]
    hold(all(losses(arm)[len(arm.epochs)] > 1.05 * lowest(arm)[1] for arm in both), "one does not overfit")


@ADVICE.rule(rf"The baseline does not overfit: its training loss, {L}, is close to its validation loss, {L}, and "
             r"that falls no more\. A technique against overfitting has little to do here; with fewer training "
             r"examples or a larger network it has more\.")  # fmt: skip
def _(about: About, g: Sequence[Any]) -> None:
    kept = about[0].arms["baseline"].kept
    assert kept is not None
    train, val = kept.train_loss or 0.0, kept.val_loss or 0.0
    is_loss(g[0], train)
    is_loss(g[1], val)
    hold(val - train <= 0.05 * val, "not close")


PATIENCE = r"Patience (\d+)"


@ADVICE.rule(rf"{PATIENCE} was too short: it kept epoch {E} with validation loss {L}; the baseline, equal up to there, "
             rf"reached {L} at epoch {E}, for which patience {E} is needed\.")  # fmt: skip
def _(about: About, g: Sequence[Any]) -> None:
    history = about[0]
    own = losses(history.arms["baseline"])
    hold(int(g[4]) == lowest(history.arms["baseline"])[0], "another epoch is lowest")
    is_loss(g[2], own[int(g[1])])
    is_loss(g[3], own[int(g[4])])
    hold(own[int(g[1])] > 1.02 * own[int(g[4])], "hardly lower")
    hold(reached(own, int(g[5])) == int(g[4]) and reached(own, int(g[5]) - 1) != int(g[4]), "another patience")


@ADVICE.rule(rf"{PATIENCE} waited long in {ARM}: {E}, twice the shortest that does, would have kept the same epoch, "
             rf"{E}, and saved {E} of {E} epochs\.")  # fmt: skip
def _(about: About, g: Sequence[Any]) -> None:
    arm = arm_of(about, g[1])
    own = losses(arm)
    short = int(g[2]) // 2
    hold(2 * short == int(g[2]) < int(g[0]), "not twice, or not shorter")
    hold(reached(own, short) == reached(own, int(g[2])) == lowest(arm)[0] == int(g[3]), "another epoch")
    hold(short == 1 or reached(own, short - 1) != int(g[3]), "a shorter one does")
    hold(int(g[5]) == len(arm.epochs) and int(g[4]) == len(arm.epochs) - stops(own, int(g[2])), "other epochs")


def stops(own: dict[int, float], patience: int) -> int:
    best = min(own)
    for epoch in own:
        best = epoch if own[epoch] < own[best] else best
        if epoch - best >= patience:
            return epoch
    return max(own)


def reached(own: dict[int, float], patience: int) -> int:
    """The epoch whose weights are kept with a patience."""
    seen = {epoch: loss for epoch, loss in own.items() if epoch <= stops(own, patience)}
    return min(seen, key=lambda e: (seen[e], e))


@ADVICE.rule(rf"{ARM} took ([\d.]+) times as long an epoch and (did worse|was not shown to do better) \((.+)\)\.")
def _(about: About, g: Sequence[Any]) -> None:
    arm, baseline = arm_of(about, g[0]), about[0].arms["baseline"]
    together = min(len(arm.epochs), len(baseline.epochs))
    ours, theirs = (sum(done.seconds for done in one.epochs[:together]) for one in (arm, baseline))
    tells(g[1], ours / theirs)
    hold(ours / theirs >= 1.25, "hardly longer")


@ADVICE.rule(rf"Plateau: over the last {E} of {E} epochs the validation losses stayed within 2 %; {E} epochs would "
             r"probably have told the same\.")  # fmt: skip
def _(about: About, g: Sequence[Any]) -> None:
    calm = int(g[0])
    for arm in about[0].arms.values():
        values = list(losses(arm).values())[-calm:]
        hold(max(values) <= 1.02 * min(values), "they moved")
    hold(int(g[1]) == about[1].train.epochs and int(g[2]) == about[1].train.epochs - calm + 6, "other epochs")
    hold(calm >= max(10, about[1].train.epochs / 3), "not long")


@ADVICE.rule(rf"The learning rate was {L}: a tenth is worth a try\.")
def _(about: About, g: Sequence[Any]) -> None:
    tells(g[0], about[1].train.learning_rate)
    hold(any(arm.diverged for arm in about[0].arms.values()), "nothing diverged")


@ADVICE.rule(rf"The baseline did not diverge at learning rate {L}, so {ARM}'s (.+), {L}, is likely too much: a tenth "
             r"is worth a try\.")  # fmt: skip
def _(about: About, g: Sequence[Any]) -> None:
    tells(g[0], about[1].train.learning_rate)
    hold(not about[0].arms["baseline"].diverged and arm_of(about, g[1]).diverged, "the other way round")


@cache
def check_command(command: str) -> None:
    """The command line takes it, and what it asks for is a valid preset or plan of a study."""
    program, *words = shlex.split(command)
    hold(program == "regtui", "another program")
    main = typer.main.get_command(app)
    if words[0] == "study":
        asked = main.commands["study"].make_context("study", words[1:]).params  # type: ignore[attr-defined]
        seeds = asked["seeds"][0] if asked["seeds"] else None
        if asked["resume"] is None:
            wishes = Wishes(seeds, asked["vary"] or (), sensitivity=asked["sensitivity"])
            make_plan(load(asked["preset"], asked["settings"] or ()), wishes)
        return
    asked = main.make_context("regtui", words, resilient_parsing=False).params
    options = {"train.epochs": asked["epochs"], "train.seed": asked["seed"]}
    load(asked["preset"], asked["settings"] or (), options)


def check_sentences(about: About, said: Sequence[str]) -> None:
    """Check each sentence of some advice."""
    for sentence in said:
        ADVICE.check(about, re.sub(r"\s+", " ", sentence))
