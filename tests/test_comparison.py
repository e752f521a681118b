"""What differs between saved runs, which of them are seeds of one preset, and what those say together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest

from regtui.evidence.over_seeds import Compared
from regtui.evidence.seeds import describe_seeds, describe_several, judge_seeds
from regtui.runs.comparison import Seeds, differing, seeds, why_not_counted
from regtui.runs.files import Field
from regtui.runs.info import RunInfo, RunStatus
from regtui.runs.settings import settings
from regtui.tasks import METRICS


def info(seed: int, difference: float | None, status: RunStatus = "finished", **fields: Field) -> RunInfo:
    known: dict[str, Field] = {
        "preset": "small",
        "title": f"with seed {seed}",
        "seed": seed,
        "train.seed": seed,
        "train.epochs": 3,
        "regularized.dropout.rate": 0.5,
        "pairing.unpaired_because": "",
        "interventions": 0,
        "arms.baseline.parameters": 10,
        "arms.regularized.parameters": 10,
        "arms": "baseline regularized",
    }
    if difference is not None:
        known["test.difference"] = difference
    named = {key.replace("__", "."): value for key, value in fields.items()}
    return RunInfo(Path(f"logs/{seed}"), datetime(2026, 1, 1 + seed, tzinfo=UTC), status, fields={**known, **named})


def differences(group: Seeds) -> dict[int, float]:
    return dict(group.arms["regularized"].differences)


def test_only_settings_that_differ_are_told_whatever_the_runs_are_called() -> None:
    assert differing([info(0, 1.0), info(0, 2.0, title="x", preset="y")]) == []
    unreadable = RunInfo(Path("logs/x"), datetime(2026, 1, 1, tzinfo=UTC), "finished", "preset.toml is damaged")
    assert differing([info(0, 1.0), unreadable]) == []
    runs = [info(0, 1.0), info(1, 1.0, regularized__dropout__rate=0.2), info(2, 1.0, baseline__l1__strength=0.1)]
    assert differing(runs) == ["train.seed", "baseline.l1.strength", "baseline.l1.mode", "regularized.dropout.rate"]


def test_seeds_of_one_preset_are_judged_together_and_others_apart() -> None:
    strong = [info(seed, seed / 10, regularized__dropout__rate=0.8) for seed in (3, 4)]
    groups = seeds([info(0, 1.0), info(1, 2.0), *strong, info(9, 5.0, train__epochs=7)])
    assert [differences(group) for group in groups] == [{0: 1.0, 1: 2.0}, {3: 0.3, 4: 0.4}]


def test_a_setting_that_came_later_than_a_run_had_its_default_then() -> None:
    old = info(0, 1.0, data__dataset="mnist", model__kind="mlp", model__hidden="[256,128]")
    new = info(
        1, 2.0, data__dataset="mnist", data__val_fraction=0.2, model__kind="mlp", model__hidden="[256,128]",
        model__activation="relu", train__schedule="constant", train__warmup_epochs=0, train__weight_decay=0.0,
        regularized__dropout__input_rate=0.0,
    )  # fmt: skip
    assert differing([old, new]) == ["train.seed"]
    assert [differences(group) for group in seeds([old, new])] == [{0: 1.0, 1: 2.0}]
    assert settings(old)["train.schedule"] == settings(new)["train.schedule"] == "constant"
    assert "data.train_samples" not in settings(new), "it has no value where it is left out"
    assert "baseline.dropout.rate" not in settings(new), "a technique that is not used has no knobs"
    assert settings(old)["data.bootstrap"] == "false"
    later = replace(new, fields={**new.fields, "data.bootstrap": "false"})
    assert differing([old, later]) == ["train.seed"]
    for key, value in (
        ("model.activation", "gelu"),
        ("train.clip_norm", 1.0),
        ("train.schedule", "cosine"),
        ("data.seed", 0),
        ("data.bootstrap", "true"),
    ):
        other = replace(new, fields={**new.fields, key: value})
        assert set(differing([old, other])) == {key, "train.seed"}
        assert seeds([old, other]) == []


def test_settings_of_one_more_kind_or_technique_than_are_known_stay_as_they_are() -> None:
    odd = info(0, 1.0, model__kind="transformer", model__heads=3, regularized__mixup__share=0.5)
    assert {key for key in settings(odd) if key.startswith("model.")} == {"model.kind", "model.heads"}
    assert settings(odd)["regularized.mixup.share"] == 0.5
    assert settings(RunInfo(Path("x"), datetime(2026, 1, 1, tzinfo=UTC), "finished", "no preset.toml")) == {}


def test_the_settings_of_named_arms_are_told_from_their_results() -> None:
    named = info(0, 1.0, arms__both__l2__strength=0.1, arms__both__test__loss=0.5, arms__both__epochs=3)
    assert {key for key in settings(named) if key.startswith("arms.")} == {"arms.both.l2.strength"}


def test_test_losses_are_judged_if_they_are_known_of_all_seeds() -> None:
    def scored(seed: int, theirs: float, ours: float) -> RunInfo:
        return info(seed, 1.0, arms__baseline__test__loss=theirs, arms__regularized__test__loss=ours)

    runs = [scored(0, 0.5, 0.25), scored(1, 0.5, 1.0)]
    assert dict(seeds(runs)[0].arms["regularized"].losses) == {0: -0.25, 1: 0.5}
    assert dict(seeds([*runs, info(2, 1.0)])[0].arms["regularized"].losses) == {}


def test_a_seed_that_ran_twice_counts_once_as_its_last_run_has_it() -> None:
    again = RunInfo(Path("logs/later"), datetime(2026, 3, 1, tzinfo=UTC), "finished", fields=info(0, 3.0).fields)
    assert seeds([again, info(0, 1.0)]) == []
    assert differences(seeds([again, info(0, 1.0), info(1, 2.0)])[0]) == {0: 3.0, 1: 2.0}


def test_a_network_of_another_size_is_no_seed_of_the_same_preset() -> None:
    assert seeds([info(0, 1.0), info(1, 2.0, arms__baseline__parameters=11)]) == []


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (info(0, 1.0), ""),
        (info(0, 1.0, status="stopped"), "stopped"),
        (info(0, None, status="running"), "goes on"),
        (info(0, None, status="interrupted"), "interrupted"),
        (info(0, 1.0, interventions=2), "steered"),
        (info(0, 1.0, pairing__unpaired_because="other batches"), "no matched pair"),
        (info(0, 1.0, verdict="same"), "same experiment"),
        (info(0, None), "no test score"),
        (RunInfo(Path("x"), datetime(2026, 1, 1, tzinfo=UTC), "finished", "no preset.toml"), "damaged"),
    ],
)
def test_a_run_that_is_no_clean_comparison_is_left_out_and_says_why(run: RunInfo, why: str) -> None:
    assert why in why_not_counted(run)
    assert bool(why_not_counted(run)) == bool(why)
    assert bool(differences(seeds([run, info(7, 1.0), info(8, 1.0)])[0]).keys() - {7, 8}) == (not why)


ACCURACY = METRICS["accuracy"]


def one(differences: list[float], better: Literal["higher", "lower"] = "higher") -> Compared:
    return judge_seeds({"arm": dict(enumerate(differences))}, better)["arm"]


def words(accuracies: list[float], losses: list[float] | None = None) -> str:
    loss = None if losses is None else one(losses, "lower")
    return " ".join(describe_seeds("small", "regularized", ACCURACY, one(accuracies), loss, 60))


UP, DOWN, OPEN = [1.0, 1.1, 0.9], [-1.0, -1.1, -0.9], [1.0, -0.5, 0.2]


@pytest.mark.parametrize(
    ("accuracies", "losses", "expected"),
    [
        (UP, None, "the regularized arm is better by accuracy."),
        (DOWN, None, "the baseline is better by accuracy."),
        (UP, DOWN, "the regularized arm is better, by accuracy and by loss."),
        (DOWN, UP, "the baseline is better, by accuracy and by loss."),
        (UP, UP, "the regularized arm is better by accuracy, but the baseline by loss."),
        (DOWN, DOWN, "the baseline is better by accuracy, but the regularized arm by loss."),
        (UP, OPEN, "the regularized arm is better by accuracy; by loss that is not settled."),
        (OPEN, DOWN, "the regularized arm is better by loss; by accuracy that is not settled."),
        (OPEN, OPEN, "neither arm is shown to be better, by accuracy or by loss."),
        (OPEN, None, "neither arm is shown to be better, by accuracy."),
    ],
)
def test_the_words_name_the_measure_and_claim_no_more_than_its_interval(
    accuracies: list[float], losses: list[float] | None, expected: str
) -> None:
    said = words(accuracies, losses)
    assert f"Over these seeds and on this test set {expected}" in said
    assert ("That holds if their number was decided on beforehand" in said) == ("is better" in said)
    assert ("decide on" in said) == (accuracies is OPEN)


def test_equal_differences_have_no_interval() -> None:
    assert "the same for every seed, which gives no interval (sign-flip p = 0.25)" in words([0.5, 0.5, 0.5])
    assert "neither arm is shown to be better" in words([0.5] * 5)
    assert "the regularized arm is better" in words([0.5] * 6)
    assert "ahead with 2, ● with 1" in words(OPEN)
    assert "ahead with 1, ● with 1" in words([1.0, -1.0, 0.0])


def test_seeds_that_settle_nothing_are_no_reason_to_add_some() -> None:
    said = words(OPEN)
    assert "narrow" not in said
    assert "decide on 84 new seeds beforehand and judge those alone" in said
    assert "more than 1,000 new seeds" in words([0.5, -0.5, 0.001])


def test_it_is_said_where_t_and_sign_flip_disagree() -> None:
    few = "It rests on t, which assumes normal differences: sign-flip needs 6 seeds for p below 0.05."
    assert few in words(UP)
    assert few not in words(OPEN)
    skewed = [0.1, 0.12, 0.11, 0.1, 0.13, 0.09, 3.0, 0.1]  # p = 0.2 by t, and 0.008 by sign-flip
    assert "By accuracy t and sign-flip disagree: look at each seed's difference" in words(skewed)
    assert "By accuracy and loss t and sign-flip disagree" in words(skewed, skewed)
    assert "disagree" not in words([1.0, 1.1, 0.9, 1.2, 0.8, 1.0])


def test_no_line_is_wider_than_asked_for() -> None:
    of = one([1.0, -2.0])
    for width in (20, 40, 80):
        assert max(map(len, describe_seeds("small", "regularized", ACCURACY, of, of, width))) <= width


# Several arms


def of_arms(seed: int, differences: dict[str, float]) -> RunInfo:
    told: dict[str, Field] = {f"test.difference.{arm}": value for arm, value in differences.items()}
    told |= {f"verdict.{arm}": "undecided" for arm in differences}
    told |= {f"arms.{arm}.parameters": 10 for arm in differences} | {"arms": " ".join(["baseline", *differences])}
    told |= {f"arms.{arm}.test.loss": 0.5 - value / 10 for arm, value in differences.items()}
    run = info(seed, None, verdict="several", arms__baseline__test__loss=0.5)
    known = {key: value for key, value in run.fields.items() if not key.startswith(("regularized", "arms.regularized"))}
    return replace(run, fields=known | told)


STRONG = {0: 1.0, 1: 1.1, 2: 0.9, 3: 1.05}
WEAK = {0: 0.5, 1: -0.4, 2: 0.3, 3: -0.2}


def test_seeds_of_several_arms_are_judged_arm_by_arm() -> None:
    runs = [of_arms(seed, {"one": STRONG[seed], "two": WEAK[seed]}) for seed in STRONG]
    (group,) = seeds(runs)
    assert {arm: dict(found.differences) for arm, found in group.arms.items()} == {"one": STRONG, "two": WEAK}
    assert group.arms["one"].losses == pytest.approx({seed: -value / 10 for seed, value in STRONG.items()})
    assert not any(map(why_not_counted, runs))


def test_an_arm_that_is_the_baseline_s_experiment_is_left_out_of_the_seeds_alone() -> None:
    runs = [of_arms(seed, {"one": STRONG[seed], "two": 0.1}) for seed in STRONG]
    runs = [replace(run, fields={**run.fields, "verdict.two": "same"}) for run in runs]
    (group,) = seeds(runs)
    assert list(group.arms) == ["one"]
    both = [replace(run, fields={**run.fields, "verdict.one": "same"}) for run in runs]
    assert seeds(both) == []
    assert "the same experiment" in why_not_counted(both[0])


STEADY = {seed: 1.0 + 0.05 * (seed % 3) for seed in range(7)}
NEARLY = {0: 0.5, 1: 0.3, 2: 0.1, 3: 0.6, 4: -0.1, 5: 0.35, 6: 0.2}  # alone p = 0.021 by t, 0.031 by sign-flip
LOST = {0: 0.5, 1: -0.4, 2: 0.3, 3: -0.2, 4: 0.1, 5: -0.3, 6: 0.2}


def test_the_words_on_several_arms_adjust_for_their_number_and_put_what_is_settled_first() -> None:
    arms = {"weak": LOST, "close": NEARLY, "strong": STEADY}
    scores = judge_seeds(arms)
    assert [scores[arm].call for arm in arms] == ["inconclusive", "inconclusive", "helps"]
    assert one(list(NEARLY.values())).call == "helps"
    losses = judge_seeds({arm: {seed: -d for seed, d in of.items()} for arm, of in arms.items()}, "lower")
    lines = describe_several("p", ACCURACY, scores, losses, 80)
    assert max(map(len, lines)) <= 80
    text = " ".join(lines)
    assert "p, 7 seeds, 3 arms, each against the baseline on this test set" in text
    assert "adjusted for 3 comparisons by step-down max-T" in text
    low, high = scores["strong"].joint or (0, 0)
    assert f"accuracy in points: settled strong +1.04 (+{low:.2f} to +{high:.2f}, p = 0.0156); not settled" in text
    assert "close +0.28 (" in text
    assert text.index("close +") < text.index("weak +")
    assert "In test loss: settled strong −1.0429" in text
    assert "decided on beforehand" in text
    assert "disagree" not in text


def test_few_seeds_of_several_arms_settle_nothing_and_say_so() -> None:
    text = " ".join(describe_several("p", ACCURACY, judge_seeds({"one": STRONG, "two": WEAK}), {}, 200))
    assert "Fewer than 6 seeds can settle nothing here, however large the differences are." in text
    assert "settled one" not in text.replace("not settled one", "")


def test_several_arms_of_which_t_and_sign_flip_disagree_are_named() -> None:
    skewed = dict(enumerate([0.1, 0.12, 0.11, 0.1, 0.13, 0.09, 3.0]))
    text = " ".join(describe_several("p", ACCURACY, judge_seeds({"odd": skewed, "strong": STEADY}), {}, 200))
    assert "For odd alone, t and sign-flip disagree" in text


def test_the_only_other_arm_is_called_by_its_name() -> None:
    lines = describe_seeds("p", "dropout", ACCURACY, one(list(STRONG.values())), None, 200)
    assert "the dropout arm is better by accuracy" in " ".join(lines)


def test_equal_differences_of_an_arm_beside_others() -> None:
    scores = judge_seeds({"equal": {0: 1.0, 1: 1.0}, "other": STRONG})
    assert "equal +1.00 (the same for every seed, p = 0.5)" in " ".join(describe_several("p", ACCURACY, scores, {}, 90))
