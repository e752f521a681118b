"""What a run's verdict says, and what it must never say."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import pytest

from regtui.evidence.lines import verdict_lines
from regtui.evidence.verdict import ArmResult, Outcome, Verdict, judge
from regtui.protocol.events import Status
from regtui.tasks.comparison import RightWrong

BASELINE = ArmResult(
    name="baseline",
    label="baseline",
    is_plain=True,
    epochs=10,
    best_epoch=5,
    test_metric=0.9761,
    test_loss=0.0856,
    kept_epoch=10,
    seconds_per_epoch=1.41,
    seconds=14.1,
    parameters=235_146,
    zero_weights=0.0,
    weight_norm=41.3,
    best_val_loss=0.0801,
    gap_at_kept=0.0811,
    val_loss_at_kept=0.0923,
    stop_reason="max_epochs",
)
DROPOUT = replace(
    BASELINE,
    name="regularized",
    label="dropout 0.5",
    is_plain=False,
    best_epoch=7,
    test_metric=0.9802,
    test_loss=0.0712,
    kept_epoch=7,
    seconds_per_epoch=1.52,
    seconds=13.7,
    weight_norm=38.9,
    best_val_loss=0.0722,
    gap_at_kept=0.0242,
    val_loss_at_kept=0.0722,
)
UNPAIRED = "the arms saw different batches in epoch 3"
MORE = RightWrong(9_712, 49, 90, 149)
FEWER = RightWrong(9_712, 90, 49, 149)
LEVEL = RightWrong(9_700, 61, 70, 169)
BORDERLINE = RightWrong(59, 6, 16, 80)  # the interval leaves out 0, the exact test says p = 0.052
IDENTICAL = RightWrong(9_800, 0, 0, 200)


def verdict(
    table: RightWrong | None = MORE,
    baseline: ArmResult = BASELINE,
    regularized: ArmResult = DROPOUT,
    *,
    same: bool = False,
    unpaired_because: str = "",
    interventions: int = 0,
    status: Status = "finished",
) -> Verdict:
    return judge(
        baseline,
        regularized,
        table,
        same=same,
        unpaired_because=unpaired_because,
        interventions=interventions,
        status=status,
        seed=7,
        dataset="MNIST",
    )


def told(judged: Verdict) -> list[str]:
    return verdict_lines({judged.arm.name: judged})


def words(judged: Verdict) -> str:
    return " ".join(" ".join(told(judged)).split())


DIVERGED = replace(
    DROPOUT,
    epochs=3,
    best_epoch=None,
    test_metric=None,
    test_loss=float("inf"),
    weight_norm=float("nan"),
    zero_weights=float("nan"),
    best_val_loss=None,
    kept_epoch=None,
    gap_at_kept=None,
    val_loss_at_kept=None,
    stop_reason="non_finite",
)
LONG = replace(DROPOUT, label="dropout 0.5 after layers 1, 2, 3 + proximal L1 1e-4 + " + "batch_norm_" * 12)
EXTREME = replace(
    DROPOUT,
    label="x" * 230,
    epochs=10_000,
    best_epoch=9_999,
    test_loss=9.9e30,
    best_val_loss=1.5e12,
    gap_at_kept=-9_999.123456,
    weight_norm=9_999.99,
    seconds_per_epoch=9_999.99,
    zero_weights=1.0,
)
EVERY_VERDICT = [
    verdict(MORE),
    verdict(FEWER),
    verdict(LEVEL),
    verdict(BORDERLINE),
    verdict(IDENTICAL),
    verdict(RightWrong(1, 0, 0, 0)),
    verdict(MORE, regularized=LONG, interventions=12, status="stopped"),
    verdict(LEVEL, baseline=replace(LONG, name="baseline"), regularized=EXTREME),
    verdict(None, regularized=DIVERGED, status="diverged"),
    verdict(None, baseline=replace(LONG, name="baseline"), regularized=DIVERGED, status="diverged"),
    verdict(None, status="failed"),
    verdict(None, status="stopped"),
    verdict(MORE, unpaired_because=UNPAIRED, interventions=2),
    verdict(MORE, same=True),
    verdict(IDENTICAL, same=True, status="stopped"),
]


@pytest.mark.parametrize(
    ("table", "outcome"),
    [
        (MORE, "more"),
        (FEWER, "fewer"),
        (LEVEL, "undecided"),
        (BORDERLINE, "undecided"),
        (IDENTICAL, "undecided"),
        (RightWrong(0, 0, 1, 0), "undecided"),
    ],
)
def test_each_outcome_follows_from_its_table(table: RightWrong, outcome: Outcome) -> None:
    judged = verdict(table)
    assert judged.outcome == outcome
    assert judged.difference == table.difference
    assert judged.interval is not None
    assert judged.interval[0] <= table.difference <= judged.interval[1]


@pytest.mark.parametrize(
    ("judged", "reason"),
    [
        (verdict(MORE, regularized=DIVERGED, status="diverged"), "dropout 0.5 diverged in epoch 3"),
        (verdict(None, status="failed"), "the run failed"),
        (verdict(None, status="stopped"), "the test images were not scored"),
        (verdict(MORE, unpaired_because=UNPAIRED), f"the arms are not a matched pair: {UNPAIRED}, so more than"),
    ],
)
def test_without_a_comparison_there_is_a_reason_and_no_number(judged: Verdict, reason: str) -> None:
    assert judged.outcome == "none"
    assert (judged.p_value, judged.difference, judged.interval) == (None, None, None)
    text = words(judged)
    assert text.startswith("◇ No comparison: ")
    assert reason.lower() in text.lower()
    for claim in ("McNemar", "interval", "against", "only regularized"):
        assert claim not in text


def test_the_headline_has_every_number_it_rests_on() -> None:
    assert words(verdict(MORE)).startswith(
        "◆ dropout 0.5 is better here: +0.41 points (+0.18 to +0.65) · test loss −17 % · 1.08 × the time one seed (7) "
    )
    assert (
        "On this split and seed, the network with dropout 0.5 classified more of the 10,000 MNIST test images "
        "correctly than that of the baseline: 98.02 % against 97.61 %, +0.41 points (95 % interval +0.18 to +0.65; "
        "Tango's score interval; "
        "exact McNemar p < 0.001)."
    ) in words(verdict(MORE))
    assert "classified fewer" in words(verdict(FEWER))
    assert "−0.41 points" in words(verdict(FEWER))
    assert "exact McNemar p = 0.485" in words(verdict(LEVEL))
    assert "both right 9,712 · only baseline 49 · only regularized 90 · both wrong 149" in words(verdict(MORE))


def test_undecided_is_not_said_to_be_equal() -> None:
    assert "no difference that 10,000 MNIST test images can resolve" in words(verdict(LEVEL))
    assert "Any difference in the interval fits these counts, 0 included" in words(verdict(LEVEL))
    borderline = words(verdict(BORDERLINE))
    assert "do not settle" in borderline
    assert "The interval leaves out 0, but the exact test does not reach p < 0.05" in borderline


def test_a_large_test_set_is_shown_to_the_image() -> None:
    assert "+0.137 points" in words(verdict(RightWrong(58_000, 200, 282, 1_518)))


@pytest.mark.parametrize("judged", EVERY_VERDICT)
def test_no_verdict_claims_more_than_one_split_and_seed(judged: Verdict) -> None:
    text = words(judged).lower()
    assert "one seed (7)" in text
    assert not re.search(
        r"\b(prov\w+|significan\w+|always|never|certain\w*|guarantee\w*|equal|works|helps|hurts)\b", text
    )
    headline, here, rest = text.partition(" one seed (7)")
    assert here
    assert not re.search(r"\b(better|worse)\b", re.sub(r"(better|worse) here", "", headline) + rest)
    assert ("another seed or split may say otherwise" in text) == (judged.outcome not in ("none", "same"))


@pytest.mark.parametrize("judged", EVERY_VERDICT)
def test_the_text_fits_100_columns_and_is_plain(judged: Verdict) -> None:
    lines = told(judged)
    assert max(map(len, lines)) <= 100
    assert lines[0]
    assert lines[-1]
    for line in lines:
        assert line == line.rstrip()
        assert line.isprintable()
        assert "\N{NO-BREAK SPACE}" not in line
        assert not re.search(r"nan|inf\b|None", line)


def test_the_arms_stand_under_each_other() -> None:
    baseline, regularized = (line for line in told(verdict()) if line.startswith(("● baseline", "◆ regularized")))
    assert baseline.split()[:6] == ["●", "baseline", "97.61", "%", "0.0856", "10"]
    assert regularized.split()[:6] == ["◆", "regularized", "98.02", "%", "0.0712", "7"]
    assert len(baseline) == len(regularized)


def test_cost_names_time_epochs_and_parameters() -> None:
    assert verdict().cost_ratio == pytest.approx(1.52 / 1.41)
    assert "Cost: 1.08 × the baseline's time per epoch (1.52 s against 1.41 s)." in words(verdict())
    wider = replace(DROPOUT, epochs=8, parameters=235_914)
    assert "in all 8 epochs against 10, 13.7 s against 14.1 s, 235,914 parameters against 235,146." in words(
        verdict(regularized=wider)
    )
    unmeasured = verdict(baseline=replace(BASELINE, seconds_per_epoch=0.0))
    assert unmeasured.cost_ratio is None
    assert "Cost" not in words(unmeasured)


def test_the_gap_is_that_of_the_weights_each_arm_kept() -> None:
    assert (
        "(validation − training loss) of the kept weights, epoch 7 against epoch 10: +0.0242 against +0.0811."
        in words(verdict())
    )
    same = replace(DROPOUT, gap_at_kept=0.08111)
    assert "Generalization gap" not in words(verdict(regularized=same))


def test_a_smaller_gap_with_worse_losses_is_not_praised() -> None:
    strong = replace(DROPOUT, label="dropout 0.9", val_loss_at_kept=0.0924)
    told = "The gap is smaller, yet their validation loss is higher (0.0924 against"
    assert told in words(verdict(FEWER, regularized=strong))
    assert "The gap is smaller" not in words(verdict(MORE, regularized=strong))
    # The baseline's best epoch is not what was tested: it kept its last, whose loss is higher.
    overfit = replace(strong, val_loss_at_kept=0.0901)
    assert "The gap is smaller" not in words(verdict(FEWER, regularized=overfit))


def test_what_clouds_the_comparison_stands_below_the_headline() -> None:
    assert "clean comparison" not in words(verdict())
    once, thrice = verdict(interventions=1), verdict(interventions=3, unpaired_because=UNPAIRED)
    assert "No clean comparison: steered once. one seed (7)" in words(once)
    assert "Steered 3 times. The arms are not a matched pair" in words(thrice)
    shorter = [replace(BASELINE, epochs=5, stop_reason="stopped"), replace(DROPOUT, epochs=4, stop_reason="stopped")]
    stopped = words(verdict(MORE, *shorter, status="stopped", interventions=2))
    assert (
        "No clean comparison: steered 2 times; stopped by hand (baseline after 5 epochs; regularized after 4 epochs). "
        in stopped
    )
    alone = words(verdict(MORE, replace(BASELINE, stop_reason="early_stopping"), shorter[1], status="stopped"))
    assert "No clean comparison: stopped by hand (regularized after 4 epochs). one seed" in alone
    assert "No clean comparison: stopped by hand. one seed" in words(verdict(MORE, status="stopped"))
    assert "the baseline (l2 0.001)" in words(verdict(baseline=replace(BASELINE, label="l2 0.001", is_plain=False)))


def test_a_part_of_an_epoch_is_not_told_as_a_whole_one() -> None:
    cut = [replace(arm, epochs=3, cut_short=True, stop_reason="stopped") for arm in (BASELINE, DROPOUT)]
    assert "stopped by hand after 3 epochs, the last cut short." in words(verdict(MORE, *cut, status="stopped"))


@pytest.mark.parametrize("table", [MORE, FEWER, LEVEL])
def test_two_arms_of_one_experiment_get_no_interval_and_no_p_value(table: RightWrong) -> None:
    judged = verdict(table, replace(BASELINE, label="dropout 0.5", is_plain=False), same=True)
    assert (judged.outcome, judged.interval, judged.p_value) == ("same", None, None)
    text = words(judged)
    assert text.startswith("◇ Both arms are the same experiment (dropout 0.5): ")
    assert "Both arms are the same experiment on this split and seed (dropout 0.5)" in text
    assert f"{100 * table.difference:+.2f} points".replace("-", "−") in text
    assert not re.search(r"McNemar|95 %|\bp [<=]|classified more|classified fewer|too strong", text)


def test_arms_whose_techniques_do_nothing_are_named_and_identical_networks_said_to_be_so() -> None:
    idle = words(verdict(IDENTICAL, regularized=replace(DROPOUT, label="dropout 0"), same=True))
    assert "(dropout 0 does here what no technique does)" in idle
    assert "both networks are right on the same of the 10,000 MNIST test images" in idle


def test_both_arms_times_have_the_same_digits() -> None:
    short = verdict(
        baseline=replace(BASELINE, seconds_per_epoch=0.0974), regularized=replace(DROPOUT, seconds_per_epoch=0.1)
    )
    assert "(0.1000 s against 0.0974 s)" in words(short)


def test_where_only_the_technique_diverged_its_strength_is_named() -> None:
    alone = words(verdict(None, BASELINE, DIVERGED, status="diverged"))
    assert "Lower its strength, or learning_rate, and run again." in alone


def test_a_diverged_run_names_each_arm_its_epoch_and_a_remedy() -> None:
    both = verdict(None, replace(BASELINE, epochs=2, stop_reason="non_finite"), DIVERGED, status="diverged")
    assert "baseline diverged in epoch 2 (its numbers were no longer finite) and dropout 0.5 diverged in" in words(both)
    assert "Lower learning_rate" in words(both)


def test_a_verdict_needs_no_slow_import() -> None:
    script = """
import sys
from regtui.evidence.lines import verdict_lines
from regtui.evidence.verdict import ArmResult, judge
from regtui.tasks.comparison import RightWrong
arm = ArmResult("a", "a", False, 1, 1, 0.1, 0.5, 0.1, 1, 1.0, 1.0, 10, 0.0, 1.0, 0.1, 0.1, "max_epochs")
verdict = judge(arm, arm, RightWrong(5, 1, 2, 2), same=False, unpaired_because="", interventions=0, status="finished",
                seed=0, dataset="d")
verdict_lines({"a": verdict})
heavy = {"scipy.stats", "torch", "pydantic", "textual"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True)
