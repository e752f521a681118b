"""Diagnosis of a study: what is told of the curves of its runs is so in most seeds, and its commands work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import Any

import pytest

from regtui.evidence.advice import Advice, Strength
from regtui.evidence.rules import RULES, advice_on_case
from regtui.evidence.study_case import ArmEnd, ArmOverSeeds, StudyCase
from regtui.evidence.what_if import WhatIf, what_if
from regtui.preset.file import load
from regtui.study.design import Wishes, make_plan
from regtui.study.diagnosis import advice_on_study
from regtui.study.outcome import judge
from regtui.techniques.early_stopping import EarlyStopping
from tests import curves
from tests.conftest import small_preset
from tests.curves import CurveRun
from tests.made_scores import noisy, scores_of, write_study
from tests.rules import Rules, hold
from tests.rules_advice import check_command
from tests.rules_verdict import tells
from tests.telling import Telling

SAYS = Rules[StudyCase]()
End = Callable[[int], ArmEnd]


def late(seed: int) -> ArmEnd:
    """Its lowest validation loss is its last, or the one before."""
    return ArmEnd(60, "max_epochs", True, 59 + seed % 2, 0.30, 0.305, 0.1, 0.30)


def risen(seed: int) -> ArmEnd:
    return ArmEnd(60, "max_epochs", True, 12 + seed, 0.40, 0.60 + seed / 100, 0.001, 0.60 + seed / 100)


def settled(seed: int) -> ArmEnd:
    return ArmEnd(60, "max_epochs", True, 40 + seed, 0.40, 0.404, 0.2, 0.404)


def close(seed: int) -> ArmEnd:
    return ArmEnd(60, "max_epochs", True, 40 + seed, 0.50, 0.501, 0.49, 0.501)


def weak(seed: int) -> ArmEnd:
    return ArmEnd(60, "max_epochs", True, 40 + seed, 0.60, 0.61, 0.5, 0.61)


def brief(seed: int) -> ArmEnd:
    return ArmEnd(2, "max_epochs", True, 2, 0.30 + seed / 100, 0.30 + seed / 100, 0.1, 0.30 + seed / 100)


def early(seed: int) -> ArmEnd:
    return ArmEnd(20, "early_stopping", False, 12 + seed % 2, 0.45, 0.47, 0.2, 0.45)


def waits(longest: int) -> dict[int, WhatIf]:
    """Curves that fall for ten epochs, with a rise of up to so many epochs among them, and then rise for ten."""
    found = {}
    for seed in range(8):
        rise = 1 + seed % longest
        losses = [1.0 - 0.05 * i for i in range(8)] + [0.7] * rise + [0.5] + [0.6 + 0.01 * i for i in range(10)]
        telling = Telling(small_preset(train={"epochs": 60})).start()
        for loss in losses:
            telling.epoch("baseline", loss)
        found[seed] = what_if(telling.history.arms["baseline"], EarlyStopping(patience=10), 60)
    return found


def mixed(one: End, other: End, share: float) -> End:
    return lambda seed: one(seed) if seed < 8 * share else other(seed)


def case(baseline: End, arm: End, seeds: int = 8, **of_arm: Any) -> StudyCase:
    strength = Strength("regularized.dropout.rate", 0.5, "share")
    arms = {
        "baseline": ArmOverSeeds("the baseline", {s: baseline(s) for s in range(seeds)}, is_plain=True),
        "regularized": ArmOverSeeds(
            "dropout 0.5", {s: arm(s) for s in range(seeds)}, **{"call": "inconclusive", "strength": strength, **of_arm}
        ),
    }
    return StudyCase(
        arms, {}, 60, 1e-3, 1000, True, shlex.split("regtui study small-data --seeds 8"),
        {"regularized": "regularized"}, frozenset(), False,
    )  # fmt: skip


def found(about: StudyCase) -> list[str]:
    """The names of what is found; each sentence is checked against the numbers, each command by the command line."""
    told = []
    for rule in RULES:
        one = rule.in_study(about) if rule.in_study is not None else None
        if one is not None:
            told.append(one.rule)
            if one.sentence:
                SAYS.check(about, one.sentence)
            if one.command:
                check_command(one.command)
    shown = advice_on_case(about)
    assert sum(bool(one.sentence) for one in shown) <= 2
    assert sum(bool(one.command) for one in shown) <= 1
    return told


def ends(about: StudyCase, name: str) -> list[ArmEnd]:
    return list(next(arm for arm in about.arms.values() if arm.name == name).ends.values())


N, K, E, L = r"(\d+)", r"(\d+) of (\d+)", r"([\d,]+)", r"([\d.,]+(?:e[−+]?\d+)?)"


def is_count(about: StudyCase, name: str, count: str, total: str, test: Callable[[ArmEnd], bool]) -> list[ArmEnd]:
    own = ends(about, name)
    hold(len(own) == int(total) and sum(map(test, own)) == int(count) >= max(0.75 * len(own), 1), "another count")
    hold(len(own) >= 4, "too few seeds")
    return [end for end in own if test(end)]


def in_last_tenth(end: ArmEnd) -> bool:
    return end.epochs - end.best_epoch < max(1, end.epochs / 10)


@SAYS.rule(rf"In {K} seeds (.+) has its lowest validation loss in the last tenth of {E} epochs, while (.+) has it at "
           rf"epoch {N} \(median\): they are compared before both have settled\.")  # fmt: skip
def _(about: StudyCase, g: Sequence[Any]) -> None:
    is_count(about, g[2], g[0], g[1], in_last_tenth)
    hold(int(g[3]) == about.epochs, "other epochs")
    hold(abs(median(end.best_epoch for end in ends(about, g[4])) - int(g[5])) <= 0.5, "another epoch")
    hold(sum(map(in_last_tenth, ends(about, g[4]))) <= len(ends(about, g[4])) / 4, "it is late too")


@SAYS.rule(rf"In (?:{K} seeds or more|all {N} seeds) (?:both arms have their|each arm has its) lowest validation loss "
           rf"in the last tenth of {E} epochs: train longer before judging\.")  # fmt: skip
def _(about: StudyCase, g: Sequence[Any]) -> None:
    least = min(sum(map(in_last_tenth, arm.ends.values())) for arm in about.arms.values())
    hold(least == int(g[0] or g[2]), "another count")
    hold(int(g[1] or g[2]) == len(about.arms["baseline"].ends) and int(g[3]) == about.epochs, "another number")


@SAYS.rule(rf"(.+) underfits: its training loss is above the baseline's in {K} seeds \({L} against {L} on average\), "
           rf"its validation loss in {N}: too strong here, or {E} epochs? too few\.")  # fmt: skip
def _(about: StudyCase, g: Sequence[Any]) -> None:
    both = list(zip(ends(about, g[0]), ends(about, "the baseline"), strict=True))
    hold(sum(a.train > b.train for a, b in both) == int(g[1]) and len(both) == int(g[2]), "another count")
    tells(g[3], mean(a.train for a, _ in both))
    tells(g[4], mean(b.train for _, b in both))
    hold(sum(a.val > b.val for a, b in both) == int(g[5]), "another count")
    hold(next(arm for arm in about.arms.values() if arm.name == g[0]).call == "hurts", "it does not hurt")


@SAYS.rule(rf"In {K} seeds the baseline overfits from epoch {N} on \(median\), and its last weights are tested: its "
           rf"validation loss is {N} % above its lowest by then\.")  # fmt: skip
def _(about: StudyCase, g: Sequence[Any]) -> None:
    own = is_count(about, "the baseline", g[0], g[1], lambda end: end.last > 1.05 * end.lowest)
    hold(abs(median(end.best_epoch for end in ends(about, "the baseline")) - int(g[2])) <= 0.5, "another epoch")
    tells(g[3], 100 * mean(end.last / end.lowest - 1 for end in own))


@SAYS.rule(rf"(.+) holds little back: it overfits in {K} seeds, with a gap of {L} \(median\) between training and "
           rf"validation loss against the baseline's {L}\.")  # fmt: skip
def _(about: StudyCase, g: Sequence[Any]) -> None:
    is_count(about, g[0], g[1], g[2], lambda end: end.last > 1.05 * end.lowest)
    gaps = [median(end.val - end.train for end in ends(about, name)) for name in (g[0], "the baseline")]
    tells(g[3], gaps[0])
    tells(g[4], gaps[1])
    hold(gaps[0] >= 0.8 * gaps[1], "it holds back")


@SAYS.rule(rf"In {K} seeds the baseline does not overfit: training and validation loss are {L} and {L} \(medians\)\. A "
           r"technique against overfitting has little to do here; with fewer training examples or a larger network it "
           r"has more\.")  # fmt: skip
def _(about: StudyCase, g: Sequence[Any]) -> None:
    own = is_count(about, "the baseline", g[0], g[1], lambda end: end.val - end.train <= 0.05 * end.val)
    tells(g[2], median(end.train for end in own))
    tells(g[3], median(end.val for end in own))


@SAYS.rule(rf"Patience {N}(?: of (.+))? was too short in {K} seeds: the baseline, equal up to there, came {N} % lower "
           r"on average\.")  # fmt: skip
def _(about: StudyCase, g: Sequence[Any]) -> None:
    both = list(zip(ends(about, g[1] or "dropout 0.5"), ends(about, "the baseline"), strict=True))
    missed = [a.lowest / b.lowest - 1 for a, b in both if a.lowest > 1.02 * b.lowest]
    hold(len(missed) == int(g[2]) and len(both) == int(g[3]), "another count")
    tells(g[4], 100 * mean(missed))


@SAYS.rule(rf"Patience {N}(?: of (.+))? waited long: {N} would have kept the same epoch in all {N} seeds, and saved "
           r"([\d.]+) of ([\d.]+) epochs on average\.")  # fmt: skip
def _(about: StudyCase, g: Sequence[Any]) -> None:
    arm = next(arm for arm in about.arms.values() if arm.name in (g[1] or "dropout 0.5"))
    tables = list((arm.what_ifs or {}).values())
    kept = [(table.outcomes[int(g[2]) - 1].keeps, table.best_epoch) for table in tables]
    hold(len(kept) == int(g[3]) >= 4 and all(ours == best for ours, best in kept), "another epoch is kept")
    tells(g[4], mean(table.outcomes[int(g[2]) - 1].saved for table in tables))
    tells(g[5], mean(table.epochs for table in tables))
    hold(int(g[2]) < int(g[0]), "not shorter")


@SAYS.rule(r"(.+) takes ([\d.]+) times as long an epoch and (does worse|makes no difference that matters) \((.+)\)\.")
def _(about: StudyCase, g: Sequence[Any]) -> None:
    arm = next(arm for arm in about.arms.values() if arm.name == g[0])
    tells(g[1], arm.cost or 0.0)
    hold(arm.call == ("hurts" if g[2] == "does worse" else "no difference") and g[3] == arm.amount, "another outcome")


@SAYS.rule(rf"(.+) diverged in {K} seeds at learning rate {L}: a tenth is worth a try\.")
def _(about: StudyCase, g: Sequence[Any]) -> None:
    hold(int(g[1]) in about.diverged.values(), "another count")
    tells(g[3], about.learning_rate)


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (case(risen, late), "not converged equally"),
        (case(late, settled), "not converged equally"),
        (case(late, late), "still improving"),
        (case(late, mixed(late, settled, 0.8)), "still improving"),
        (case(settled, weak, call="hurts"), "too strong"),
        (case(risen, settled, call="helps"), "overfits"),
        (case(risen, risen), "too weak"),
        (case(close, close), "underfits"),
        (case(settled, early, patience=5, is_plain=True), "patience too short"),
        (case(settled, settled, call="no difference", cost=1.5, amount="+0.01 points"), "costs more than it brings"),
        (case(settled, early, patience=10, what_ifs=waits(3)), "patience too long"),
        (case(settled, settled, needed=20), "too few seeds"),
        (case(settled, settled, call="helps"), "one condition"),
        (replace(case(settled, settled), diverged={"regularized": 2}), "diverged"),
    ],
)
def test_it_is_found_where_most_seeds_show_it(about: StudyCase, expected: str) -> None:
    assert expected in found(about)


@pytest.mark.parametrize(
    ("about", "silent"),
    [
        (case(late, late, seeds=3), {"still improving"}),
        (case(brief, brief), {"still improving"}),
        (case(mixed(late, settled, 0.6), late), {"still improving", "not converged equally"}),
        (case(mixed(risen, settled, 0.6), mixed(risen, settled, 0.6)), {"overfits", "too weak"}),
        (case(risen, risen, call="helps"), {"too weak"}),
        (case(risen, settled), {"too weak"}),
        (case(settled, weak), {"too strong"}),
        (case(settled, mixed(weak, late, 0.6), call="hurts"), {"too strong"}),
        (case(mixed(close, settled, 0.6), close), {"underfits"}),
        (case(settled, early, patience=5), {"patience too short"}),
        (case(settled, early, patience=10, what_ifs=waits(9)), {"patience too long"}),
        (case(settled, early, patience=4, what_ifs=waits(3)), {"patience too long"}),
        (case(settled, settled, cost=1.5), {"costs more than it brings", "one condition", "too few seeds"}),
        (case(settled, settled, call="no difference", cost=1.2), {"costs more than it brings"}),
        (case(settled, settled, needed=500), {"too few seeds"}),
        (replace(case(settled, settled, call="helps"), has_sensitivity=True), {"one condition"}),
    ],
)
def test_it_is_silent_where_too_few_seeds_do(about: StudyCase, silent: set[str]) -> None:
    assert not silent & set(found(about))


def recorded(preset: str) -> StudyCase:
    """The recorded seeds of a preset, as if they were a study that is inconclusive."""
    runs = [run for run in curves.runs() if run.facts["preset"] == preset]
    meant = load(preset)

    def end(run: CurveRun, arm: str) -> ArmEnd:
        losses, trains = run.arms[arm]["val_loss"], run.arms[arm]["train_loss"]
        lowest = min(losses)
        restores = arm == "regularized" and meant.regularized.early_stopping is not None
        kept = losses.index(lowest) if restores else len(losses) - 1
        return ArmEnd(
            len(losses), run.facts["stopped"][arm], not restores, 1 + losses.index(lowest), lowest, losses[-1],
            trains[kept], losses[kept],
        )  # fmt: skip

    of = {arm: {run.facts["seed"]: end(run, arm) for run in runs} for arm in curves.ARMS}
    arms = {
        "baseline": ArmOverSeeds("the baseline", of["baseline"], is_plain=True),
        "regularized": ArmOverSeeds(meant.regularized.label(), of["regularized"], call="inconclusive"),
    }
    return StudyCase(
        arms, {}, meant.train.epochs, 1e-3, meant.sizes.train, True, ["regtui", "study", preset, "--seeds", "5"],
        {"regularized": "regularized"}, frozenset(), False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("preset", "told"),
    [
        ("small-data", {"not converged equally", "overfits"}),
        ("combined", {"overfits"}),
        ("early-stopping", {"overfits"}),
        ("fashion-dropout", {"overfits"}),
        ("l2", {"not converged equally", "overfits"}),
        ("label-smoothing", {"overfits"}),
        ("smoke", {"still improving"}),
        ("cnn", set()),
        ("batch-norm", set()),
        ("dropout", set()),
        ("l1", set()),
    ],
)
def test_what_is_told_of_recorded_seeds_is_true(preset: str, told: set[str]) -> None:
    assert told <= set(found(recorded(preset)))
    assert not {"underfits", "too weak", "patience too long"} & set(found(recorded(preset)))


@pytest.mark.parametrize(("spread", "best", "told"), [(0.1, 2, True), (0.1, 0, True), (0.1, 1, False), (8.0, 2, False)])
def test_a_best_strength_at_the_edge_is_told_if_it_leads_by_more_than_noise(
    spread: float, best: int, told: bool
) -> None:
    of = case(settled, settled)
    rates = [0.1, 0.2, 0.4]
    arms = {
        f"rate-{place}": replace(
            of.arms["regularized"],
            name=f"dropout {rate}",
            strength=Strength("regularized.dropout.rate", rate, "share"),
            validation={s: 90 - abs(place - best) + spread * (-1) ** (s * (place + 1)) for s in range(8)},
        )
        for place, rate in enumerate(rates)
    }
    vary = "regularized.dropout.rate=0.1,0.2,0.4"
    about = replace(
        of, arms={"baseline": of.arms["baseline"], **arms}, varied=frozenset({"regularized.dropout.rate"}),
        command=[*of.command, "--vary", vary],
    )  # fmt: skip
    assert ("at the edge" in found(about)) == told
    told_of = next((rule.in_study(about) for rule in RULES if rule.name == "at the edge" and rule.in_study), None)
    assert told_of is None or told_of.command.count("--vary") == 1


def test_a_command_changes_the_study_s_own() -> None:
    about = replace(case(late, late), command=shlex.split("regtui study small-data --seeds 8 --set train.epochs=60"))
    (told,) = [one for one in advice_on_case(about) if one.command]
    assert told.command == "regtui study small-data --seeds 8 --set train.epochs=120"
    varied = replace(about, varied=frozenset({"train.epochs"}))
    assert not [one for one in advice_on_case(varied) if one.command]


def test_a_study_on_disk_is_told_of_and_one_that_goes_on_is_not(tmp_path: Path) -> None:
    plan = make_plan(load("small-data"), Wishes("8"))
    folder = write_study(plan, noisy(2.0), tmp_path)
    outcome = judge(plan, scores_of(plan, noisy(2.0)), "finished")
    assert advice_on_study(outcome) == [Advice("one condition", "", "regtui study small-data --seeds 8 --sensitivity")]
    assert advice_on_study(replace(outcome, state="running")) == []
    assert folder is not None


def test_every_rule_of_a_study_has_a_test_that_it_fires() -> None:
    written = Path(__file__).read_text("utf-8")
    for rule in RULES:
        assert rule.in_study is None or re.search(rf'"{rule.name}"', written), rule.name
