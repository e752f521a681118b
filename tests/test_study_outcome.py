"""What a study comes to: which runs count, when a verdict is due, how trials are chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from regtui.preset.arms import BASELINE
from regtui.study.outcome import end_at_look, judge
from regtui.study.plan import PlannedCell
from regtui.study.scores import ArmScores, RunScores
from tests.made_scores import made, noisy, plan_of, scores_of

ARM = "regularized"


def test_differences_are_joined_by_seed_in_points() -> None:
    plan = plan_of(seeds=8)
    scores = scores_of(plan, noisy(1.5))
    outcome = judge(plan, dict(reversed(scores.items())), "finished")
    score = outcome.cells[""].arms[ARM].score
    assert list(score.differences) == plan.seeds
    for seed, difference in score.differences.items():
        run = scores["", seed, 0].arms
        assert abs(difference - 100 * (run[ARM].test["accuracy"] - run[BASELINE].test["accuracy"])) < 1e-9
        assert outcome.cells[""].run_of(ARM, seed) == scores["", seed, 0].folder
    assert outcome.runs == (8, 8)
    assert score.call == "helps"


def test_the_loss_is_told_beside_and_does_not_make_the_call() -> None:
    plan = plan_of()
    scores = scores_of(plan, noisy(1.5, spread=0.2))
    for key, run in scores.items():  # the loss says the opposite
        arm = run.arms[ARM]
        test = {**arm.test, "loss": arm.test["loss"] + 1}
        scores[key] = run._replace(arms={**run.arms, ARM: arm._replace(test=test)})
    of = judge(plan, scores, "finished").cells[""].arms[ARM]
    assert of.loss is not None
    assert (of.score.call, of.loss.call) == ("helps", "hurts")


def test_a_metric_that_is_the_loss_is_better_when_lower() -> None:
    of = made(plan_of(metric="loss", smallest_effect=None), noisy(1.5)).cells[""].arms[ARM]
    assert of.loss is None
    assert of.score.mean is not None
    assert of.score.mean < 0
    assert of.score.call == "helps"


def test_a_study_that_was_not_finished_has_no_verdict() -> None:
    plan = plan_of(seeds=8)
    for state in ("running", "stopped", "interrupted"):
        for done in range(2, 8):
            of = made(plan, noisy(3.0, 0.1), state, done).cells[""].arms[ARM]
            assert of.score.call == "open"
            assert of.loss is not None
            assert of.loss.call == "open"
    assert made(plan, noisy(3.0, 0.1), "running", 8).cells[""].arms[ARM].score.call == "helps"


def test_a_call_is_made_at_looks_alone() -> None:
    plan = plan_of(seeds=12, looks=[7, 9, 12])
    calls = [made(plan, noisy(3.0, 0.1), "running", done).cells[""].arms[ARM].score.call for done in range(2, 13)]
    assert calls == ["helps" if done in plan.looks else "open" for done in range(2, 13)]


def test_at_a_look_that_is_not_the_last_nothing_is_inconclusive_while_the_study_goes_on() -> None:
    plan = plan_of(seeds=12, looks=[7, 9, 12], smallest_effect=None)
    assert made(plan, noisy(0.3, 0.6), "running", 7).cells[""].arms[ARM].score.call == "open"
    assert made(plan, noisy(0.3, 0.6), "futile", 7).cells[""].arms[ARM].score.call == "inconclusive"
    assert made(plan, noisy(0.3, 0.6), "running", 12).cells[""].arms[ARM].score.call == "inconclusive"


def test_a_study_ends_at_the_look_at_which_everything_is_called() -> None:
    plan = plan_of(seeds=12, looks=[7, 9, 12])
    assert end_at_look(made(plan, noisy(3.0, 0.1), "running", 6)) is None
    assert end_at_look(made(plan, noisy(3.0, 0.1), "running", 7)) == "decided"


def test_seeds_begun_before_the_end_at_a_look_do_not_move_its_verdict() -> None:
    plan = plan_of(seeds=12, looks=[7, 9, 12])
    at_look = made(plan, noisy(2.0), "decided", 7).cells[""].arms[ARM].score
    outcome = made(plan, noisy(2.0), "decided", 8)
    assert outcome.seeds == tuple(range(7))
    assert outcome.cells[""].arms[ARM].score == at_look
    assert outcome.cells[""].left_out == ("seed 7: it was begun before the study ended at a look",)


def test_runs_that_do_not_count_are_left_out_and_named() -> None:
    plan = plan_of(2, seeds=8)
    scores = scores_of(plan, noisy(1.5))
    scores["", 3, 0] = scores["", 3, 0]._replace(why_not="it was steered")
    diverged = ArmScores({}, {}, 1.0, 2, "it diverged")
    scores["", 5, 0] = scores["", 5, 0]._replace(arms={**scores["", 5, 0].arms, "rate-0_1": diverged})
    del scores["", 6, 0]
    cell = judge(plan, scores, "finished").cells[""]
    assert list(cell.arms["rate-0_1"].score.differences) == [0, 1, 2, 4, 7]
    assert list(cell.arms["rate-0_2"].score.differences) == [0, 1, 2, 4, 5, 7]
    assert cell.left_out == (
        "seed 3: it was steered",
        "seed 5, rate-0_1: it diverged",
        "seed 6: there is no run of it that ended",
    )
    assert cell.arms["rate-0_2"].score.call in ("helps", "inconclusive")


def test_a_baseline_that_diverged_spoils_its_seed_for_all_arms() -> None:
    plan = plan_of(2, seeds=4)
    scores = scores_of(plan, noisy(1.5))
    scores["", 1, 0] = scores["", 1, 0]._replace(
        arms={**scores["", 1, 0].arms, BASELINE: ArmScores({}, {}, 1.0, 2, "it diverged")}
    )
    cell = judge(plan, scores, "finished").cells[""]
    assert all(list(of.score.differences) == [0, 2, 3] for of in cell.arms.values())
    assert cell.left_out == ("seed 1, baseline: it diverged",)


def test_the_trial_with_the_best_validation_loss_counts_whatever_its_test_says() -> None:
    plan = plan_of(seeds=3, tune={"train.epochs": [1, 2, 3]})
    best = {BASELINE: 2, ARM: 0}
    scores = scores_of(plan, noisy(0.0))
    for (cell, seed, trial), run in scores.items():
        arms = {
            arm: of._replace(validation={"loss": 0.5 if trial == best[arm] else 1.0, "accuracy": 0.8})
            for arm, of in run.arms.items()
        }
        scores[cell, seed, trial] = run._replace(arms=arms)
    cell_of = judge(plan, scores, "finished").cells[""]
    assert set(cell_of.arms[ARM].chosen.values()) == {0}
    assert set(cell_of.baseline_chosen.values()) == {2}
    for seed in plan.seeds:
        assert cell_of.arms[ARM].values[seed] == 100 * scores["", seed, 0].arms[ARM].test["accuracy"]
        assert cell_of.baseline[seed] == 100 * scores["", seed, 2].arms[BASELINE].test["accuracy"]
        assert cell_of.run_of(BASELINE, seed) == scores["", seed, 2].folder


def test_a_seed_with_a_missing_or_a_steered_trial_does_not_count() -> None:
    plan = plan_of(seeds=4, tune={"train.epochs": [1, 2]})
    scores = scores_of(plan, noisy(1.0))
    del scores["", 1, 1]
    scores["", 2, 0] = scores["", 2, 0]._replace(why_not="it was steered")
    outcome = judge(plan, scores, "running")
    assert list(outcome.cells[""].arms[ARM].score.differences) == [0, 3]
    assert outcome.cells[""].left_out == ("seed 2, trial 1: it was steered",)


def test_a_trial_that_diverged_is_lost_and_no_more() -> None:
    plan = plan_of(seeds=2, tune={"train.learning_rate": [0.1, 0.001]})
    scores = scores_of(plan, noisy(1.0))
    scores["", 0, 0] = scores["", 0, 0]._replace(
        arms={**scores["", 0, 0].arms, ARM: ArmScores({}, {}, 1.0, 1, "it diverged")}
    )
    cell = judge(plan, scores, "finished").cells[""]
    assert cell.arms[ARM].chosen[0] == 1
    assert cell.left_out == ()


def test_cells_of_the_verdict_are_one_family_and_each_other_condition_one_of_its_own() -> None:
    held = PlannedCell(name="e", settings={"train.epochs": 6}, role="sensitivity")
    one = made(plan_of(cells=[PlannedCell(name=""), held]), noisy(1.5))
    assert one.cells[""].arms[ARM].score.p == one.cells[""].arms[ARM].score.p_t
    assert one.cells["e"].arms[ARM].score.p == one.cells["e"].arms[ARM].score.p_t
    two = made(plan_of(cells=[PlannedCell(name=""), held.model_copy(update={"role": "verdict"})]), noisy(1.5))
    assert two.cells[""].arms[ARM].score.p == two.cells[""].arms[ARM].score.p_joint
    assert one.cells[""].arms[ARM].score.interval == two.cells[""].arms[ARM].score.interval
    assert one.cells[""].arms[ARM].score.joint != two.cells[""].arms[ARM].score.joint


def test_seeds_beyond_the_plan_move_nothing_and_bear_no_verdict() -> None:
    plan = plan_of(seeds=8)
    planned = made(plan, noisy(1.5))
    more = judge(plan, scores_of(plan, noisy(1.5), added=[8, 9]), "finished", added=[8, 9])
    assert more.cells[""].arms[ARM].score == planned.cells[""].arms[ARM].score
    assert more.runs == planned.runs
    exploratory = more.cells[""].exploratory[ARM]
    assert list(exploratory.differences) == list(range(10))
    assert exploratory.call == "open"
    assert planned.cells[""].exploratory == {}


def test_cost_is_the_time_of_an_epoch_over_the_baselines() -> None:
    plan = plan_of(seeds=2)
    scores = scores_of(plan, noisy(1.0))
    arms = {
        BASELINE: replace_time(scores["", 0, 0], BASELINE, 10.0, 5),
        ARM: replace_time(scores["", 0, 0], ARM, 9.0, 3),
    }
    scores = {key: RunScores(Path("r"), arms) for key in scores}
    cost = judge(plan, scores, "finished").cells[""].arms[ARM].cost
    assert cost is not None
    assert abs(cost - 1.5) < 1e-9


def replace_time(run: RunScores, arm: str, seconds: float, epochs: int) -> ArmScores:
    return run.arms[arm]._replace(seconds=seconds, epochs=epochs)


def test_an_outcome_without_any_run_can_be_told() -> None:
    outcome = judge(plan_of(2), {}, "running")
    assert outcome.runs == (0, 8)
    assert {of.score.call for of in outcome.cells[""].arms.values()} <= {"open", "none"}
    assert replace(outcome, state="finished").state == "finished"
