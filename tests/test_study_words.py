"""Every sentence on a study holds by its numbers, and none is a verdict where none is due."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator
from dataclasses import replace

import pytest

from regtui.evidence.glance import text_of
from regtui.preset.file import to_table
from regtui.study.details import table, verdict_lines
from regtui.study.glance import glance
from regtui.study.markdown import markdown
from regtui.study.naming import span
from regtui.study.outcome import State, StudyOutcome, end_at_look, judge
from regtui.study.plan import PlannedArm, PlannedCell, StudyPlan
from regtui.study.record import to_json
from regtui.study.scores import ArmScores
from regtui.study.words import StudyWords, verdict_exit
from regtui.text import NBSP
from tests.conftest import small_preset
from tests.made_scores import made, noisy, plan_of, scores_of
from tests.rules import UntrueError
from tests.rules_study import STUDY, VERDICT, Told, is_value

HELD = [
    PlannedCell(name=f"e{epochs}", settings={"train.epochs": epochs}, role="sensitivity") for epochs in (30, 120)
] + [PlannedCell(name="lr", settings={"train.learning_rate": 0.0005}, role="sensitivity")]


def outcomes(count: int) -> Iterator[StudyOutcome]:
    """Studies of all shapes, with effects of all sizes, in all states."""
    for number in range(count):
        chance = random.Random(number)
        looks = chance.random() < 0.3
        seeds = 12 if looks else chance.choice([1, 2, 3, 5, 8])
        cells = [PlannedCell(name="")]
        if chance.random() < 0.25:
            cells = [PlannedCell(name=f"n{n}", settings={"data.train_samples": n}) for n in (100, 320)]
        if chance.random() < 0.3:
            cells += HELD
        plan = plan_of(
            chance.choice([1, 1, 2, 5]), seeds, cells,
            smallest_effect=chance.choice([0.5, 1.0, None]), looks=[7, 9, 12] if looks else [],
            tune={"train.batch_size": [16, 32]} if chance.random() < 0.15 else {},
        )  # fmt: skip
        yield _outcome(plan, chance, number)


def _outcome(plan: StudyPlan, chance: random.Random, number: int) -> StudyOutcome:
    spread = chance.choice([0.05, 0.3, 1.0])
    means = {arm.name: chance.choice([-2.0, -0.3, 0.0, 0.2, 1.5]) for arm in plan.arms}
    shift = {cell.name: chance.choice([0.0, 0.0, -3.0]) for cell in plan.cells}
    value = noisy(means, spread, number)

    def shifted(cell: str, arm: str, seed: int, trial: int) -> float:
        return value(cell, arm, seed, trial) + (shift[cell] if arm != "baseline" else 0.0)

    done = chance.choice([len(plan.seeds), len(plan.seeds), chance.randint(0, len(plan.seeds))])
    state: State = "finished" if done == len(plan.seeds) else chance.choice(["running", "stopped", "interrupted"])
    added = [100, 101] if state == "finished" and chance.random() < 0.2 else []
    scores = scores_of(plan, shifted, done, added)
    if chance.random() < 0.3 and done > 1:
        key = chance.choice(list(scores))
        scores[key] = scores[key]._replace(why_not="it was steered")
    if chance.random() < 0.2 and done > 1:
        key = chance.choice(list(scores))
        arms = dict(scores[key].arms)
        arms[plan.arms[0].name] = ArmScores({}, {}, 1.0, 2, "it diverged")
        scores[key] = scores[key]._replace(arms=arms)
    outcome = judge(plan, scores, state, added=added)
    if plan.looks and len(outcome.seeds) in plan.looks and (end := end_at_look(outcome)) is not None:
        return judge(plan, scores, end)
    return outcome


def sentences(words: StudyWords) -> Iterator[str]:
    yield words.headline()
    yield from words.warnings()
    yield words.conditions()
    yield words.over_cells()
    yield from words.limits()
    yield from words.left_out()
    yield words.method()
    yield words.ended()
    yield words.trials()
    yield words.arms()
    yield from words.exploratory()
    for arm in words.first.arms:
        yield words.loss(words.first, arm)
        yield words.statistics(words.first, arm)
        yield words.sensitivity(arm)
        if not words.several:
            yield from words.scopes(words.first, arm)


MADE = list(outcomes(110))


def test_every_sentence_holds() -> None:
    for outcome in MADE:
        words = StudyWords(outcome)
        names = {words.named(arm.name).replace(NBSP, " "): arm.name for arm in outcome.plan.arms}
        for sentence in sentences(words):
            if sentence and not outcome.plan.tune:
                STUDY.check(Told(outcome, names), sentence.replace(NBSP, " "))


def test_no_verdict_is_told_where_none_is_due() -> None:
    silent = [
        o for o in MADE if all(of.score.call in ("open", "none") for c in o.cells.values() for of in c.arms.values())
    ]
    assert len(silent) > 20
    for outcome in silent:
        told = [*verdict_lines(outcome, 100), *markdown(outcome, "name").splitlines()[1:]]
        told.append(str(to_json(outcome, "name")["verdict"]["headline"]))
        for line in told:
            line = line.replace("No verdict", "").replace("has no verdict", "")
            assert not VERDICT.search(line), line
    for outcome in MADE:
        for sentence in StudyWords(outcome).exploratory():
            assert not VERDICT.search(sentence)


def test_the_made_studies_have_every_call_and_every_kind_of_sentence() -> None:
    calls = {of.score.call for outcome in MADE for of in next(iter(outcome.cells.values())).arms.values()}
    assert calls == {"helps", "hurts", "no difference", "inconclusive", "open", "none"}
    told = "\n".join(sentence for outcome in MADE for sentence in sentences(StudyWords(outcome)))
    for words in ("BY THE MOST", "reverses", "fades", "holds", "is real", "Exploratory", "Ended at", "Not finished",
                  "different sides", "Left out", "judged together", "settle it"):  # fmt: skip
        assert words in told, words


def test_a_false_sentence_is_noticed() -> None:
    outcome = made(plan_of(), noisy(1.5))
    told = Told(outcome, {"dropout 0.5": "regularized"})
    true = StudyWords(outcome).headline().replace(NBSP, " ")
    STUDY.check(told, true)
    for false in (true.replace("HELPS", "HURTS"), true.replace("+1.", "+2."), f"{true} really"):
        with pytest.raises(UntrueError):
            STUDY.check(told, false)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for outcome in MADE[:60]:
        for row in glance(outcome, width):
            assert len(text_of(row)) <= width


def test_the_exit_code_is_that_of_the_best_arm() -> None:
    by_call = {"helps": 0, "hurts": 11}
    for outcome in MADE:
        calls = [of.score.call for of in next(iter(outcome.cells.values())).arms.values()]
        wanted = next((by_call[call] for call in ("helps", "hurts") if call in calls), 10)
        assert verdict_exit(outcome) == wanted


def test_accuracy_and_loss_that_disagree_are_told() -> None:
    plan = plan_of()
    scores = scores_of(plan, noisy(1.5, 0.2))
    for key, run in scores.items():
        arm = run.arms["regularized"]
        moved = arm._replace(test={**arm.test, "loss": arm.test["loss"] + 0.5})
        scores[key] = run._replace(arms={**run.arms, "regularized": moved})
    outcome = judge(plan, scores, "finished")
    words = StudyWords(outcome)
    told = words.loss(words.first, "regularized")
    assert told.startswith("Accuracy and loss disagree on dropout 0.5: ")
    STUDY.check(Told(outcome, {"dropout 0.5": "regularized"}), told.replace(NBSP, " "))
    assert any(part.role == "warning" and "disagree" in part.text for row in glance(outcome, 80) for part in row)


def test_seeds_are_told_as_a_span() -> None:
    assert span([0, 1, 2, 3]) == "0–3"
    assert span([5, 3]) == "3, 5"
    assert span([1, 2]) == "1, 2"
    assert span(range(0, 40, 2)) == "0, 2, 4, 6, 8, 10, …"


def test_hostile_labels_are_shown_on_one_line() -> None:
    outcome = made(plan_of(seeds=3), noisy(1.0))
    table = {**outcome.plan.preset, "name": "n"}
    told = replace(outcome, strangers=("a\x1b[31mb",), plan=outcome.plan.model_copy(update={"preset": table}))
    assert all("\x1b" not in line for line in markdown(told, "x\x1b[31m").splitlines())


def test_what_is_tuned_is_told_instead_of_the_value_it_had() -> None:
    outcome = made(plan_of(seeds=3, tune={"regularized.dropout.rate": [0.3, 0.6]}), noisy(1.0))
    words = StudyWords(outcome)
    assert words.labels == {"regularized": "dropout (rate tuned)"}
    assert "0.3, 0.6; arms without a tuned knob of their own differ by chance" in words.trials()
    STUDY.check(Told(outcome, {"dropout (rate tuned)": "regularized"}), words.trials().replace(NBSP, " "))


def test_arms_that_go_by_their_names_are_told() -> None:
    tables = {"one": {"dropout": {"rate": 0.5}}, "two": {"dropout": {"rate": 0.5}}}
    plan = plan_of(2).model_copy(
        update={
            "preset": to_table(small_preset(arms=tables)),
            "arms": [PlannedArm(name=name, of=name) for name in tables],
        }
    )
    words = StudyWords(made(plan, noisy(1.0)))
    assert words.arms().replace(NBSP, " ") == "Arms: A one: dropout 0.5; B two: dropout 0.5."


def test_between_looks_dots_the_mean_and_the_bounds_are_drawn_and_no_interval() -> None:
    plan = plan_of(seeds=12, looks=[7, 9, 12])
    for done, has_interval in ((8, False), (9, True)):
        rows = [text_of(row) for row in glance(made(plan, noisy(2.0, 0.5), "running", done), 80)]
        bar = next(row for row in rows if "◆ ahead" in row)
        assert ("├" in bar) is has_interval
        assert bar.count("┆") >= 1
        above = rows[rows.index(bar) - 1]
        assert sum({"•": 1, ":": 2}.get(mark, int(mark) if mark.isdigit() else 0) for mark in above) == done


@pytest.mark.parametrize("difference", [0.0, 1.0])
@pytest.mark.parametrize(("arms", "looks"), [(1, []), (2, []), (1, [7, 9, 12])])
def test_differences_that_are_all_equal_can_be_told(difference: float, arms: int, looks: list[int]) -> None:
    plan = plan_of(arms, 12, looks=looks)
    outcome = made(plan, lambda _cell, arm, seed, _trial: 80.0 + seed + (difference if arm != "baseline" else 0.0))
    score = next(iter(outcome.cells[""].arms.values())).score
    assert (score.joint, score.call) == (None, "helps" if difference else "no difference")
    lines = "\n".join(verdict_lines(outcome, 80))
    assert ("HELPS" if difference else "NO DIFFERENCE") in lines
    assert "nan" not in lines.lower().replace("inconclusive", "")
    markdown(outcome, "name")


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_whatever_is_judged_can_be_told(metric: str) -> None:
    outcome = made(plan_of(2, metric=metric, smallest_effect=None), noisy(1.5))
    text = "\n".join([*verdict_lines(outcome, 100), markdown(outcome, "name")])
    assert f"test {metric}" in text
    assert ("points" in text) is (metric == "accuracy")


def test_an_arm_that_does_what_the_baseline_does_is_told() -> None:
    plan = plan_of(seeds=6)
    preset = to_table(small_preset(regularized={"dropout": {"rate": 0.0}}))
    outcome = made(plan.model_copy(update={"preset": preset}), noisy(0.0))
    (told,) = [line for line in StudyWords(outcome).warnings() if "same experiment" in line]
    STUDY.check(Told(outcome, {"dropout 0": "regularized", "dropout 0.0": "regularized"}), told.replace(NBSP, " "))


def test_every_number_of_the_table_is_that_of_its_seeds() -> None:
    for outcome in MADE:
        columns = {f"{top} {bottom}".strip(): cells for top, bottom, cells in table(StudyWords(outcome))}
        ours = [(cell, arm) for cell in outcome.cells.values() for arm in cell.arms.values()]
        for row, (cell, arm) in enumerate(ours):
            values = list(arm.score.differences.values())
            assert columns["seeds ahead"][row] == f"{sum(v > 0 for v in values)}/{len(values)}"
            if not values:
                assert columns["Δ points"][row] == "–"
                continue
            is_value(columns["Δ points"][row], statistics.fmean(values))
            interval = columns["95 % interval"][row].replace(NBSP, " ")
            if arm.score.call == "open" or arm.score.joint is None:
                assert interval == "–"
                assert columns["p"][row] == "–" or arm.score.joint is None
            else:
                for text, end in zip(interval.split(" to "), arm.score.joint, strict=True):
                    is_value(text, end)
            is_value(columns["test accuracy"][row].removesuffix(f"{NBSP}%"), statistics.fmean(arm.values.values()))
            is_value(columns["baseline"][row].removesuffix(f"{NBSP}%"), statistics.fmean(cell.baseline.values()))
