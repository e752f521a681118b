"""Plans of studies: what is asked for becomes a plan, and what can't be done is one sentence before anything starts."""

from __future__ import annotations

import pytest

from regtui.errors import InputError
from regtui.preset.file import load
from regtui.study.design import Wishes, make_plan, seeds_beyond


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        (Wishes("1"), "a study needs two seeds or more"),
        (Wishes("0"), "a study needs two seeds or more"),
        (Wishes("-3"), "a study needs two seeds or more"),
        (Wishes("eight"), "how many seeds, such as 8"),
        (Wishes("1,2,1"), "seed 1 twice"),
        (Wishes("1,-2"), "-2 is no seed"),
        (Wishes(str(10**9)), "at most 100,000 seeds"),
        (Wishes("8", looks=True), "with --looks a study has 12 seeds"),
        (Wishes(vary=["train.epoch=1,2"]), "did you mean 'epochs'?"),
        (Wishes(vary=["regularised.dropout.rate=0.1,0.2"]), "did you mean 'regularized'?"),
        (Wishes(vary=["arms.x.dropout.rate=0.1,0.2"]), "this preset has no arm 'x'"),
        (Wishes(vary=["regularized.dropout.rat=0.1,0.2"]), "did you mean 'rate'?"),
        (Wishes(vary=["regularized.dropout=0.1,0.2"]), "name a knob of a technique"),
        (Wishes(vary=["train.epochs=3"]), "has one value"),
        (Wishes(vary=["train.epochs="]), "a value is missing"),
        (Wishes(vary=["train.epochs=3,,4"]), "a value is missing"),
        (Wishes(vary=["train.epochs"]), "write it as KEY=V1,V2"),
        (Wishes(vary=["=1,2"]), "write it as KEY=V1,V2"),
        (Wishes(vary=["train.epochs=3,3"]), "'3' is there twice"),
        (Wishes(vary=["train.epochs=3,many"]), "must be a whole number"),
        (Wishes(vary=["train.epochs=3,0"]), "must be at least 1"),
        (Wishes(vary=["regularized.dropout.rate=0.1,1.5"]), "must be less than 1"),
        (Wishes(vary=["model.hidden=[8],[16]"]), "is no number, word, true or false"),
        (Wishes(vary=["train.epochs=1,2", "train.epochs=3,4"]), "is there twice"),
        (Wishes(vary=["train.seed=1,2"]), "--seeds N"),
        (Wishes(vary=["data.seed=1,2"]), "--resample bootstrap"),
        (Wishes(vary=["train.device=cpu,cuda"]), "changes no result"),
        (Wishes(vary=["name=a,b"]), "changes no result"),
        (Wishes(vary=["train.epochs.more=1,2"]), "is a value in this preset"),
        (Wishes(vary=["regularized.dropout.rate=" + ",".join(f"0.{n:02}" for n in range(1, 18))]), "makes 17 arms"),
        (Wishes(vary=["train.epochs=1,2"], tune=["train.epochs=1,2"]), "it is varied as well"),
        (Wishes(tune=["data.train_samples=10,20"]), "trials with other data"),
        (
            Wishes(vary=["regularized.dropout.rate=0.1,0.2"], tune=["regularized.l2.strength=0.1,0.2"]),
            "--vary has made several arms",
        ),
        (Wishes(resample="jackknife"), "it is split or bootstrap"),
        (Wishes(metric="r2"), "is judged by accuracy or loss"),
        (Wishes(smallest_effect=0.0), "is above 0"),
        (Wishes(smallest_effect=float("nan")), "is above 0"),
        (Wishes(alpha=0.0), "is above 0"),
        (Wishes(alpha=1.0), "at most 0.2"),
        (Wishes(alpha=float("nan")), "at most 0.2"),
    ],
    ids=str,
)
def test_what_can_not_be_planned_is_one_sentence(wishes: Wishes, words: str) -> None:
    with pytest.raises(InputError) as error:
        make_plan(load("smoke"), wishes)
    assert words in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_an_arms_knob_makes_arms_and_training_makes_cells() -> None:
    wishes = Wishes("3", vary=["regularized.dropout.rate=0.1,0.3", "train.epochs=1,2", "data.train_samples=100,200"])
    plan = make_plan(load("smoke", ["train.seed=5"]), wishes)

    assert plan.seeds == [5, 6, 7]
    assert [arm.name for arm in plan.arms] == ["rate-0_1", "rate-0_3"]
    assert len(plan.cells) == 4
    jobs = plan.jobs()
    assert len(jobs) == 12
    assert len({job.key for job in jobs}) == 12
    assert [job.seed for job in jobs[:5]] == [5, 5, 5, 5, 6], "all cells fill evenly"
    first = jobs[0].preset
    assert (first.train.epochs, first.data.train_samples, first.train.seed) == (1, 100, 5)
    assert [arm.dropout.rate for arm in list(first.arms().values())[1:] if arm.dropout] == [0.1, 0.3]


def test_several_knobs_of_one_of_several_arms_make_every_combination_of_them() -> None:
    preset = load("techniques")
    wishes = Wishes(vary=["arms.dropout.dropout.rate=0.1,0.2", "arms.dropout.l2.strength=1e-4,1e-3"])
    plan = make_plan(preset, wishes)

    others = [name for name in list(preset.arms())[1:] if name != "dropout"]
    names = [arm.name for arm in plan.arms]
    assert [name for name in names if name in others] == others
    assert len(names) == len(set(names)) == len(others) + 4
    assert list(plan.jobs(plan.seeds[:1])[0].preset.arms())[1:] == names


def test_names_that_would_be_too_long_are_numbered() -> None:
    key = "regularized.dropout.input_rate"
    wishes = Wishes(vary=["regularized.dropout.rate=0.123456789,0.2234567891", f"{key}=0.123456789,0.2234567891"])
    names = [arm.name for arm in make_plan(load("smoke"), wishes).arms]
    assert names == ["regularized-1", "regularized-2", "regularized-3", "regularized-4"]


def test_sensitivity_halves_and_doubles_epochs_and_learning_rate_once_each() -> None:
    plan = make_plan(load("smoke"), Wishes(sensitivity=True, vary=["train.epochs=2,4"]))
    found = [(cell.role, *cell.settings.values()) for cell in plan.cells]
    assert found == [
        ("verdict", 2),
        ("verdict", 4),  # twice the first one's, and so none of sensitivity
        ("sensitivity", 1),
        ("sensitivity", 2, 0.0005),
        ("sensitivity", 2, 0.002),
    ]


def test_every_arm_has_as_many_trials_and_those_of_a_knob_keep_split_and_test_set() -> None:
    plan = make_plan(load("smoke"), Wishes("2", tune=["regularized.dropout.rate=0.1,0.2,0.3"]))
    jobs = plan.jobs()
    assert [(job.seed, job.trial) for job in jobs] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert {job.preset.data.seed for job in jobs[:3]} == {0}
    assert {job.preset.data.seed for job in jobs[3:]} == {1}
    assert len({job.preset.train.seed for job in jobs}) == 6
    assert [job.preset.regularized.dropout.rate for job in jobs[:3] if job.preset.regularized.dropout] == [
        0.1,
        0.2,
        0.3,
    ]

    train = make_plan(load("smoke"), Wishes("2", tune=["train.epochs=1,2"])).jobs()
    assert [(job.preset.train.seed, job.preset.train.epochs) for job in train] == [(0, 1), (0, 2), (1, 1), (1, 2)]


def test_seeds_beyond_a_plan_are_those_that_it_has_not() -> None:
    plan = make_plan(load("smoke", ["train.seed=3"]), Wishes("2"))
    assert seeds_beyond(plan, "4") == [5, 6]
    assert seeds_beyond(plan, "2") == []
    assert seeds_beyond(plan, "4,9") == [9]
    with pytest.raises(InputError, match="the plan has 3 seeds"):
        seeds_beyond(make_plan(load("smoke"), Wishes("3")), "2")


def test_a_bootstrap_keeps_one_split_for_all_seeds() -> None:
    jobs = make_plan(load("smoke"), Wishes("2", resample="bootstrap")).jobs()
    assert [(job.preset.data.seed, job.preset.data.bootstrap) for job in jobs] == [(0, True), (0, True)]
