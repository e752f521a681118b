"""The verdict on a run of several arms."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from regtui.evidence.from_history import judge_run
from regtui.evidence.lines import verdict_lines
from regtui.evidence.verdict import ArmResult, judge
from regtui.preset.arms import MOST_ARMS
from regtui.tasks import TASKS
from regtui.tasks.comparison import ErrorDifference, RightWrong, holm
from tests import rules_several
from tests.conftest import small_preset
from tests.telling import Telling

TOTAL = 1_000
LONG = "a-name-of-24-characters-"


def names(count: int) -> list[str]:
    """Names of which the second is as long as one may be."""
    return [f"{LONG}"[:24] if number == 1 else f"arm-{number}" for number in range(count)]


def telling(arms: list[str], epochs: int = 2) -> Telling:
    tables = {name: {"dropout": {"rate": 0.1 + 0.8 * number / MOST_ARMS}} for number, name in enumerate(arms)}
    return Telling(small_preset(arms=tables, train={"epochs": epochs})).start()


def lines(told: Telling, width: int = 80) -> list[str]:
    return verdict_lines(judge_run(told.history, told.preset), width)


def text(told: Telling, width: int = 80) -> str:
    return " ".join(" ".join(lines(told, width)).split())


counts = st.tuples(st.integers(0, 120), st.integers(0, 120)).map(
    lambda differ: RightWrong(TOTAL - 100 - sum(differ), differ[0], differ[1], 100)
)


@settings(max_examples=30)
@given(
    st.lists(counts, min_size=2, max_size=MOST_ARMS), st.sampled_from([40, 60, 80, 110]), st.booleans(), st.randoms()
)
def test_the_verdict_on_several_arms_is_true(
    tables: list[RightWrong], width: int, diverges: bool, random: Random
) -> None:
    arms = names(len(tables) + diverges)[:MOST_ARMS]
    told = telling(arms)
    sound = arms[: len(arms) - diverges]
    for name in ("baseline", *sound):
        for _ in range(2):
            told.epoch(name, random.uniform(0.01, 2), train=random.uniform(0.01, 2))
        told.stop(name, "max_epochs")
    for name in arms[len(sound) :]:
        told.stop(name, "non_finite")
    told.score(dict(zip(sound, tables, strict=False))).finish("diverged" if diverges else "finished")
    said = lines(told, width)
    assert max(map(len, said)) <= width
    rules_several.check(told.history, said)


def test_a_rule_of_these_tests_fails_for_a_wrong_number() -> None:
    told = telling(names(3))
    for name in ("baseline", *names(3)):
        told.epoch(name, 0.5).stop(name, "max_epochs")
    told.score({name: RightWrong(900, 10, 30 + 9 * n, 51 - 9 * n) for n, name in enumerate(names(3))}).finish()
    said = lines(told)
    rules_several.check(told.history, said)
    changed = [line.replace("+3.", "+2.") for line in said]
    assert changed != said
    with pytest.raises(AssertionError):
        rules_several.check(told.history, changed)


def test_one_arm_that_diverged_leaves_the_others_compared() -> None:
    told = telling(["one", "two", "three"])
    for name in ("baseline", "one", "three"):
        told.epoch(name, 0.5).epoch(name, 0.4).stop(name, "max_epochs")
    told.stop("two", "exploded")
    told.score({"one": RightWrong(800, 10, 60, 130), "three": RightWrong(800, 30, 30, 140)}).finish("diverged")
    assert {name: v.outcome for name, v in judge_run(told.history, told.preset).items()} == {
        "one": "more", "two": "none", "three": "undecided",
    }  # fmt: skip
    assert "1 is not compared (B two)" in text(told)
    assert (
        "Not compared: B two diverged in epoch 1 (training loss was far above that of guessing). Lower its strength,"
        in text(told)
    )
    assert "adjusted for 2 comparisons" in text(told)


@pytest.mark.parametrize("count", [2, 7, MOST_ARMS])
def test_a_reason_that_all_arms_share_is_told_once(count: int) -> None:
    stopped = telling(names(count)).finish("stopped")
    assert text(stopped).count("stopped before an epoch was measured") == 1
    diverged = telling(names(count))
    for name in ("baseline", *names(count)):
        diverged.stop(name, "non_finite")
    diverged.finish("diverged")
    assert text(diverged).count("diverged in epoch 1") == 1
    assert "Lower learning_rate and run again." in text(diverged)
    unpaired = telling(names(count))
    for name in unpaired.history.arms:
        unpaired.history.arms[name].info = unpaired.history.arms[name].info.model_copy(update={"initial_weights": name})
        unpaired.epoch(name, 0.5).stop(name, "max_epochs")
    unpaired.score(dict.fromkeys(names(count), RightWrong(800, 10, 60, 130))).finish()
    assert text(unpaired).count("started from different weights") == 1


def test_what_clouds_all_arms_comparisons_is_told_once() -> None:
    told = telling(["one", "two", "early"], epochs=5)
    for name in ("baseline", "one", "two"):
        told.epoch(name, 0.5).epoch(name, 0.4).stop(name, "stopped")
    told.epoch("early", 0.5).stop("early", "early_stopping")
    told.control("one", "dropout.rate", 0.3).score(dict.fromkeys(["one", "two", "early"], RightWrong(800, 9, 9, 182)))
    told.finish("stopped")
    assert (
        "No clean comparison: steered (A one: dropout 0.1 → 0.3 at epoch 1); stopped by hand (baseline, A one and B "
        "two after 2 of 5 epochs). one seed"
    ) in text(told)
    assert text(told).count("stopped by hand") == 1
    alike = telling(["one", "two"], epochs=5)
    for name in ("baseline", "one", "two"):
        alike.epoch(name, 0.5).stop(name, "stopped")
    alike.score(dict.fromkeys(["one", "two"], RightWrong(800, 9, 9, 182))).finish("stopped")
    assert "No clean comparison: stopped by hand after 1 of 5 epochs. one seed" in text(alike)


def test_arms_that_do_what_the_baseline_does_are_no_comparison_and_adjust_none() -> None:
    preset = small_preset(arms={"nothing": {"l2": {"strength": 0.0}}, "one": {"dropout": {}}, "two": {"l1": {}}})
    told = Telling(preset).start()
    for name in ("baseline", "nothing", "one", "two"):
        told.epoch(name, 0.5).stop(name, "max_epochs")
    told.score(dict.fromkeys(["nothing", "one", "two"], RightWrong(800, 9, 40, 151))).finish()
    assert "1 is the same experiment as the baseline (A nothing)" in text(told)
    assert "adjusted for 2 comparisons" in text(told)
    assert len(re.findall("A nothing ", text(told))) == 2, "only in the ranking and the table of the arms"


def test_a_regression_of_several_arms_speaks_of_errors_and_adjusts_the_t_tests() -> None:
    arms = ["lower", "higher", "level"]
    differences = {  # mean and deviation over 100 examples: t of −4, 3 and 0.5
        "lower": ErrorDifference(100, -0.04, 0.1, 0.5),
        "higher": ErrorDifference(100, 0.03, 0.1, 0.5),
        "level": ErrorDifference(100, 0.005, 0.1, 0.5),
    }
    verdicts = {}
    p_values = holm([of.p_value() for of in differences.values()])
    for name, p in zip(arms, p_values, strict=True):
        result = ArmResult(
            name, name, name == "baseline", 1, 1, 0.5, 0.1, 0.5, 1, 1.0, 1.0, 10, 0.0, 1.0, 0.1, 0.1, "max_epochs"
        )
        verdicts[name] = judge(
            replace(result, name="baseline", label="baseline", is_plain=True), result, differences[name], same=False,
            unpaired_because="", interventions=0, status="finished", seed=0, dataset="Diabetes", examples="patients",
            task=TASKS["regression"], adjusted=p, comparisons=3,
        )  # fmt: skip
    assert [verdict.outcome for verdict in verdicts.values()] == ["closer", "farther", "undecided"]
    lines = verdict_lines(verdicts, 80)
    said = " ".join(" ".join(lines).split())
    assert said.startswith("A lower is better here: squared error −0.0400 (−0.0598 to −0.0202) · R² ")
    assert (
        "On this split and seed, 3 networks against that of the baseline on 100 Diabetes test patients: 1 has a lower "
        "mean squared error on them (A lower); 1 has a higher mean squared error on them (B higher); 1 is "
        "undecided (C level)."
    ) in said
    expected = 3 * 2 * stats.t.sf(4, 99), 2 * 2 * stats.t.sf(3, 99)
    assert p_values[:2] == pytest.approx(expected)
    (row,) = (line for line in lines if line.startswith("B higher") and "to" in line)
    reach = stats.t.ppf(0.975, 99) * 0.01
    assert row.split() == [
        "B", "higher", "farther", "+0.0300", f"+{0.03 - reach:.4f}", "to", f"+{0.03 + reach:.4f}", f"{expected[1]:.3g}",
        "1.00", "×",
    ]  # fmt: skip
    assert "Each interval (Student's t) is of its own comparison; the p-values (paired t test) are adjusted" in said
