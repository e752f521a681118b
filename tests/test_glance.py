"""A verdict at a glance: every outcome, clean or not, of classes and of values, of one arm and of many."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import pytest

from regtui.evidence import bars
from regtui.evidence.glance import Part, glance, text_of
from regtui.evidence.headline import Tone, agreement, conditions, headline, loss_words, ranked, tone, warnings
from regtui.evidence.lines import verdict_lines
from regtui.evidence.verdict import ArmResult, Conditions, Verdict, judge
from regtui.protocol.events import Status
from regtui.tasks import TASKS
from regtui.tasks.comparison import Comparison, ErrorDifference, RightWrong, holm
from regtui.tui.look import plain
from tests.test_verdict import BASELINE, DROPOUT

CLASSES: dict[str, Comparison] = {
    "better": RightWrong(9_000, 100, 250, 650),
    "worse": RightWrong(9_000, 250, 100, 650),
    "level": RightWrong(9_000, 170, 180, 650),
}
VALUES: dict[str, Comparison] = {
    "better": ErrorDifference(111, -0.09, 0.2, 0.5),
    "worse": ErrorDifference(111, 0.09, 0.2, 0.5),
    "level": ErrorDifference(111, 0.001, 0.2, 0.5),
}
HELD = Conditions(epochs=10, learning_rate=0.001, batch_size=64, train_examples=48_000)
CLOUDS = ("clean", "steered", "stopped", "unpaired", "diverged")
AGREES = {"better": 0.05, "worse": 0.12, "level": 0.0856}
"""Test losses in line with each outcome; the baseline's is 0.0856."""


def run(outcomes: list[str], cloud: str = "clean", task: str = "classification") -> dict[str, Verdict]:
    """The verdicts on arms with these outcomes; the last of several diverges where the run does."""
    tables = CLASSES if task == "classification" else VALUES
    status: Status = "stopped" if cloud == "stopped" else "diverged" if cloud == "diverged" else "finished"
    found: list[tuple[ArmResult, Comparison | None]] = []
    for number, outcome in enumerate(outcomes):
        name = "regularized" if len(outcomes) == 1 else f"arm-{number}"
        table: Comparison | None = tables[outcome]
        metric = 0.9 + tables[outcome].difference * (1 if task == "classification" else -1)
        arm = replace(DROPOUT, name=name, test_metric=metric, test_loss=AGREES[outcome])
        if cloud == "stopped":
            arm = replace(arm, epochs=4, stop_reason="stopped")
        if cloud == "diverged" and number == len(outcomes) - 1:
            arm, table = replace(arm, stop_reason="non_finite", epochs=2, test_metric=None, test_loss=None), None
        found.append((arm, table))
    base = replace(BASELINE, test_metric=0.9)
    if cloud == "stopped":
        base = replace(base, epochs=4, stop_reason="stopped")
    adjusted = iter(holm([table.p_value() for _, table in found if table is not None]))
    return {
        arm.name: judge(
            base,
            arm,
            table,
            same=False,
            unpaired_because="the arms started from different weights" if cloud == "unpaired" else "",
            interventions=int(cloud == "steered"),
            status=status,
            seed=0,
            dataset="MNIST" if task == "classification" else "Diabetes",
            examples="images" if task == "classification" else "patients",
            task=TASKS[task],
            adjusted=next(adjusted) if table is not None else None,
            comparisons=len(outcomes),
            conditions=HELD,
            changes=("dropout 0.5 → 0.6 at epoch 7",) if cloud == "steered" else (),
        )
        for arm, table in found
    }


def test_a_verdict_over_examples_drawn_with_replacement_names_that() -> None:
    (plain,) = run(["better"]).values()
    drawn = replace(plain, conditions=replace(HELD, bootstrap=True))
    told = {conditions([verdict]).replace("\N{NO-BREAK SPACE}", " ") for verdict in (plain, drawn)}
    line = "one seed (0) · 10 epochs · learning rate 0.001 · batch 64 · 48,000 images"
    assert told == {line, f"{line} drawn with replacement"}


ARMS = {"1": 1, "2": 2, "16": 16}


@pytest.mark.parametrize(("outcome", "cloud"), list(product(CLASSES, CLOUDS)))
@pytest.mark.parametrize("task", TASKS)
def test_each_outcome_is_told_with_what_qualifies_it(outcome: str, cloud: str, task: str) -> None:
    for count in ARMS.values():
        told = run([outcome] * count, cloud, task)
        lines = [text_of(row) for row in glance(told, 77)]
        roles = [row[0].role for row in glance(told, 77)]
        first, text = headline(list(told.values())).replace("\N{NO-BREAK SPACE}", " "), " ".join(lines)
        drawn = cloud != "unpaired" and not (cloud == "diverged" and count == 1)
        assert max(map(len, lines)) <= 77
        assert roles[0] == "headline"
        assert ("warning" in roles) == (cloud != "clean")
        clean: Tone = outcome if drawn else "level"  # type: ignore[assignment]
        assert tone(list(told.values())) == ("warning" if cloud != "clean" else clean)
        assert ("better here" in first) == ((drawn and outcome == "better") or "No arm" in first)
        assert ("worse" in first) == (drawn and outcome == "worse")
        assert first.startswith("◇") == (not drawn or outcome == "level")
        qualified = {
            "clean": "",
            "steered": "No clean comparison: steered (dropout 0.5 → 0.6 at epoch 7).",
            "stopped": "No clean comparison: stopped by hand after 4 of 10 epochs.",
            "unpaired": "the arms started from different weights",
            "diverged": "diverged in epoch 2",
        }[cloud]
        assert qualified in text
        assert "one seed (0) · " in text
        assert "learning rate 0.001 · batch 64 · 48,000" in text
        assert glance(told, 77)[0][0].text in "\n".join(verdict_lines(told, 77))


@pytest.mark.parametrize("width", [40, 60, 77, 110])
@pytest.mark.parametrize("task", TASKS)
def test_the_bar_stands_where_the_interval_is(width: int, task: str) -> None:
    for outcome, cloud in product(CLASSES, ("clean", "steered")):
        (verdict,) = run([outcome], cloud, task).values()
        rows = [row for row in glance({"regularized": verdict}, width) if "ahead" in text_of(row)]
        (bar,) = rows
        axis = "".join(part.text for part in bar[1:-1])
        assert verdict.interval is not None
        zero, low, high = axis.find("0"), axis.index("├"), axis.index("┤")
        reach = 1.15 * max(map(abs, verdict.interval)) / ((len(axis) - 1) / 2)
        for cell, number in (
            (low, verdict.interval[0]),
            (high, verdict.interval[1]),
            (axis.index("◆"), verdict.difference),
        ):
            assert abs((cell - (len(axis) - 1) / 2) * reach - (number or 0)) <= reach
        assert zero in (-1, (len(axis) - 1) // 2), "zero may lie below the estimate"
        ahead = bar[-1].text if high > low > zero else bar[0].text if high < zero else ""
        if outcome != "level":
            assert ("◆" in ahead) == (outcome == "better"), "the words at the end say who is ahead"
        colours = {part.role for part in bar if "━" in part.text}
        assert colours == {"warning" if cloud == "steered" else outcome}


def test_bars_read_in_ascii() -> None:
    (verdict,) = run(["better"]).values()
    bar = next(text_of(row) for row in glance({"regularized": verdict}, 60) if "ahead" in text_of(row))
    assert re.fullmatch(r"O ahead -+0-+\|=+X=+\|-+ X ahead", plain(bar)), plain(bar)


def test_ends_are_labelled_outside_of_the_interval_where_there_is_room() -> None:
    ruler = bars.around_zero((-0.4, 0.2), 41)
    assert bars.labels((-0.4, 0.2), ("−0.40", "+0.20"), ruler) == "−0.40" + " " * 24 + "+0.20"
    near = bars.around_zero((0.99, 1.0), 21)
    assert bars.labels((0.99, 1.0), ("+0.99", "+1.00"), near).split() == ["+0.99", "+1.00"]


def test_an_interval_without_ends_has_no_bar() -> None:
    one = judge(
        BASELINE, DROPOUT, ErrorDifference(1, 0.1, 0.0, 0.5), same=False, unpaired_because="", interventions=0,
        status="finished", seed=0, dataset="d", task=TASKS["regression"],
    )  # fmt: skip
    assert not any("ahead" in text_of(row) for row in glance({"regularized": one}, 77))


def test_a_ranking_has_the_best_first_and_the_baseline_at_its_place() -> None:
    told = run(["worse", "better", "level"])
    rows = [text_of(row) for row in glance(told, 77)]
    start = next(number for number, row in enumerate(rows) if row.startswith("by test accuracy"))
    assert [row.split()[1] for row in rows[start + 1 : start + 5]] == ["arm-1", "arm-2", "baseline", "arm-0"]
    assert [verdict.arm.name for verdict in ranked(list(told.values()))] == ["arm-1", "arm-2", "arm-0"]
    assert [row.split()[-3] for row in rows[start + 1 : start + 5] if "×" in row] == ["more", "undecided", "fewer"]
    assert len({row.index("0", 30) if "0" in row[30:60] else 0 for row in rows[start + 1 : start + 5]}) <= 2
    marked = [[part.arm for part in row if part.role == "arm"] for row in glance(told, 77)[start + 1 : start + 5]]
    assert marked == [[name, name] for name in ("arm-1", "arm-2", "baseline", "arm-0")]


@pytest.mark.parametrize(
    ("outcome", "loss", "said", "disagrees"),
    [
        ("better", 0.05, "Accuracy and loss agree: the test loss is lower, 0.0500 against 0.0856.", False),
        ("better", 0.12, "Accuracy and loss disagree: the test loss is higher, 0.1200 against 0.0856.", True),
        ("worse", 0.05, "Accuracy and loss disagree: the test loss is lower, 0.0500 against 0.0856.", True),
        ("worse", 0.0857, "Accuracy decides alone: the test losses are level, 0.0857 against 0.0856.", False),
        ("level", 0.05, "Accuracy is undecided; the test loss is lower, 0.0500 against 0.0856.", False),
        ("level", 0.0856, "Accuracy is undecided, the test losses are level: 0.0856 against 0.0856.", False),
        ("better", None, "Accuracy alone was compared: a test loss was not measured, or not finite.", False),
    ],
)
def test_accuracy_and_loss_agree_in_words_or_not(
    outcome: str, loss: float | None, said: str, *, disagrees: bool
) -> None:
    (verdict,) = run([outcome]).values()
    verdict = replace(verdict, arm=replace(verdict.arm, test_loss=loss))
    assert agreement([verdict]) == said
    assert ("by accuracy, not by loss" in headline([verdict])) == disagrees
    assert (tone([verdict]) == "warning") == disagrees
    rows = glance({"regularized": verdict}, 77)
    assert rows[-1] == [Part(said, "warning" if disagrees else "")]
    several = run([outcome, outcome])
    two = [replace(v, arm=replace(v.arm, test_loss=loss)) for v in several.values()]
    assert ("disagree on A arm-0 and B arm-1" in agreement(two)) == disagrees


@pytest.mark.parametrize(
    ("loss", "said"),
    [(0.0445, "−48 %"), (0.0858, "±0 %"), (0.2568, "+200 %"), (0.0001, "−99.9 %"), (8.56e-6, "far lower"),
     (8.56, "× 100"), (1e9, "far higher"), (None, ""), (float("inf"), "")],
)  # fmt: skip
def test_a_change_of_the_test_loss_fits_into_a_headline(loss: float | None, said: str) -> None:
    (verdict,) = run(["better"]).values()
    assert (
        loss_words(replace(verdict, arm=replace(verdict.arm, test_loss=loss))).replace("\N{NO-BREAK SPACE}", " ")
        == said
    )


def test_r_squared_says_the_same_as_the_errors_it_is_made_of() -> None:
    assert agreement(list(run(["better"], task="regression").values())) == (
        "R² says the same, as it must: 0.9900 against 0.9000, from the same errors."
    )
    assert "squared error −0.0900 (" in headline(list(run(["better"], task="regression").values())).replace(
        "\N{NO-BREAK SPACE}", " "
    )


def test_a_learning_rate_that_was_steered_is_no_condition() -> None:
    (verdict,) = run(["better"], "steered").values()
    lowered = replace(verdict, changes=("learning rate 0.001 → 0.0005 at epoch 3",))
    text = " ".join(text_of(row) for row in glance({"regularized": lowered}, 77))
    assert text.count("learning rate") == 1
    assert "steered (learning rate 0.001 → 0.0005 at epoch 3)." in text


def told_of(outcome: Comparison | None, *arms: ArmResult, same: bool = False, status: Status = "finished") -> str:
    base, *others = arms
    verdicts = [judged(outcome, base, arm, same=same, status=status) for arm in others]
    return headline(verdicts).replace("\N{NO-BREAK SPACE}", " ")


def judged(
    outcome: Comparison | None, base: ArmResult, arm: ArmResult, *, same: bool = False, status: Status = "finished"
) -> Verdict:
    return judge(
        base, arm, outcome, same=same, unpaired_because="", interventions=0, status=status, seed=0, dataset="MNIST"
    )


def test_why_nothing_is_compared_is_told_in_a_few_words() -> None:
    lost, base = replace(DROPOUT, stop_reason="non_finite"), replace(BASELINE, stop_reason="non_finite")
    diverged: Status = "diverged"
    assert told_of(None, BASELINE, lost, status=diverged) == "◇ No comparison: dropout 0.5 diverged"
    assert told_of(None, base, DROPOUT, status=diverged) == "◇ No comparison: the baseline diverged"
    assert told_of(None, base, lost, status=diverged) == "◇ No comparison: both arms diverged"
    assert told_of(None, base, lost, lost, status=diverged) == "◇ No comparison: all arms diverged"
    assert told_of(None, BASELINE, lost, lost, status=diverged).endswith("all arms diverged but the baseline")
    assert told_of(None, BASELINE, DROPOUT, status="failed") == "◇ No comparison: the run failed"
    assert told_of(None, BASELINE, DROPOUT) == "◇ No comparison: the test images were not scored"
    unmeasured = replace(BASELINE, epochs=0)
    assert told_of(None, unmeasured, DROPOUT, status="stopped").endswith("stopped before an epoch was measured")
    alike, apart = RightWrong(9_000, 0, 0, 1_000), RightWrong(9_000, 10, 15, 975)
    assert told_of(alike, BASELINE, DROPOUT, same=True) == (
        "◇ Both arms are the same experiment (dropout 0.5): "
        "both networks are right on the same of the 10,000 test images"
    )
    assert told_of(apart, BASELINE, DROPOUT, same=True).endswith("(dropout 0.5): +0.05 points of chance alone")
    assert told_of(apart, BASELINE, DROPOUT, DROPOUT, same=True).endswith(
        "all 2 arms are the same experiment as the baseline"
    )


def test_whose_test_error_is_not_finite_is_told_where_that_is_why_nothing_is_compared() -> None:
    base, arm = (replace(one, test_loss=None, test_metric=None) for one in (BASELINE, DROPOUT))
    diverged, untested = replace(DROPOUT, stop_reason="non_finite"), replace(arm, kept_epoch=None)
    finite = (BASELINE, DROPOUT)
    assert told_of(None, BASELINE, arm) == "◇ No comparison: the test error of dropout 0.5 is not finite"
    assert told_of(None, base, DROPOUT) == "◇ No comparison: the test error of the baseline is not finite"
    assert told_of(None, base, arm) == "◇ No comparison: the test error of both arms is not finite"
    assert told_of(None, base, arm, arm) == "◇ No comparison: the test error of all arms is not finite"
    assert told_of(None, base, arm, DROPOUT).endswith("the test error of the baseline is not finite")
    assert told_of(None, BASELINE, arm, arm).endswith("the test error of all arms but the baseline is not finite")
    assert told_of(None, BASELINE, arm, diverged, status="diverged").endswith(
        "each arm but the baseline diverged, or its test error is not finite"
    )
    for arms in (finite, (BASELINE, untested), (replace(base, kept_epoch=None), DROPOUT)):
        assert told_of(None, *arms).endswith("the test images were not scored")
    alike = RightWrong(9_000, 0, 0, 1_000)
    assert "finite" not in told_of(alike, base, arm), "right and wrong are compared whatever the loss is"
    (line,) = warnings([judged(None, BASELINE, arm)])
    assert line == "The predictions of dropout 0.5 for the test images are too far off for a finite error."


def test_the_conditions_name_the_strength_where_the_headline_does_not() -> None:
    def said(count: int, outcome: str, label: str = "dropout 0.5") -> str:
        told = run([outcome] * count, "clean", "classification")
        named = {name: replace(one, arm=replace(one.arm, label=label)) for name, one in told.items()}
        return conditions(list(named.values())).replace("\N{NO-BREAK SPACE}", " ")

    assert said(1, "level").startswith("one seed (0) · dropout 0.5 · ")
    assert "dropout" not in said(1, "better")  # whose headline has it
    assert said(1, "better", "x" * 50 + " + dropout 0.5").startswith("one seed (0) · ")
    assert "A dropout 0.5 · B dropout 0.5 · C dropout 0.5" in said(3, "better")
    assert "batch" in said(3, "better", "batch norm")
    assert " A batch norm" not in said(3, "better", "batch norm")
    assert "dropout" not in said(16, "better")
