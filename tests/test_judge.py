"""`regtui judge`: what two sides of logs come to, against scipy.stats, and what is refused in one sentence."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from regtui.cli import completion
from regtui.errors import InputError
from regtui.evidence.over_seeds_words import TITLES
from regtui.foreign.judged import JudgedLogs, JudgeWishes, judge
from regtui.foreign.series import LoggedRun, Point
from regtui.foreign.words import headline, markdown, table, to_json, verdict_lines
from tests import foreign_logs as logs
from tests.command import Outcome, call
from tests.hostile import HOSTILE, assert_harmless

Judge = Callable[..., Outcome]
GOSSET = {
    "base": [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    "drop": [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
}
"""Hours of sleep gained with two drugs by ten patients: Student, Biometrika 6 (1908) 1-25. The differences have mean
1.58 and standard deviation 1.23; t = 4.06, p = 0.0028, 95 % interval 0.70 to 2.46. Welch's test of them: p = 0.079."""


@pytest.fixture
def judged(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Calls the command in a folder of two sides of five seeds each."""
    logs.two_sides(tmp_path)
    monkeypatch.chdir(tmp_path)
    return lambda *args: call(["judge", *args], capsys, monkeypatch)


SIDES = ("--baseline", "base_*/metrics.csv", "--regularized", "drop_*/metrics.csv")


def last(path: Path, metric: str = "val_acc") -> float:
    """The last number of a column, read in another way."""
    rows = [line.split(",") for line in path.read_text().split()]
    column = rows[0].index(metric)
    return float(next(row[column] for row in reversed(rows) if row[column]))


def made(side: dict[str, list[float]], metric: str = "val_score") -> list[LoggedRun]:
    return [
        LoggedRun(name, Path("/nowhere") / name, {metric: [Point(e, None, v) for e, v in enumerate(values)]})
        for name, values in side.items()
    ]


def of_values(base: list[float], drop: list[float], *, seeds: bool, wishes: JudgeWishes) -> JudgedLogs:
    """Two sides whose runs have two values each, of which the last counts."""
    names = ["{}_seed{}" if seeds else "{}-{}-x" for _ in range(2)]
    words = "abcdefghijklmnopqrstuvwxyz"
    sides = [
        {
            form.format(side, index if seeds else words[index] + words[-1 - index] * (side == "drop")): [0.0, value]
            for index, value in enumerate(values)
        }
        for form, side, values in zip(names, ("base", "drop"), (base, drop), strict=True)
    ]
    return judge(made(sides[0]), made(sides[1]), wishes)


HIGHER = JudgeWishes(better="higher", metric="val_score")


# Numbers


def test_student_s_own_example() -> None:
    found = of_values(GOSSET["base"], GOSSET["drop"], seeds=True, wishes=HIGHER)
    assert found.call == "helps"
    assert found.difference == pytest.approx(1.58)
    assert found.interval == pytest.approx((0.70, 2.46), abs=0.005)
    assert found.p == pytest.approx(0.00283, abs=1e-5)
    words = " ".join(verdict_lines(found, 200))
    assert "HELPS: val_score +1.5800 (95 % interval +0.7001 to +2.4599, p = 0.00283)" in words
    assert "better for 9 of 10, level for 1" in words
    unpaired = of_values(GOSSET["base"], GOSSET["drop"], seeds=False, wishes=HIGHER)
    assert unpaired.call == "inconclusive"
    assert unpaired.p == pytest.approx(0.0794, abs=1e-4)
    assert "Welch's t with 17.8 degrees of freedom" in " ".join(verdict_lines(unpaired, 200))


def test_the_files_values_are_compared_as_scipy_compares_them(judged: Judge, tmp_path: Path) -> None:
    outcome = judged(*SIDES, "--json")
    told = json.loads(outcome.out)
    base, drop = (
        [100 * last(tmp_path / f"{side}_seed{n}" / "metrics.csv") for n in range(5)] for side in ("base", "drop")
    )
    expected = stats.ttest_rel(drop, base)
    assert told["p"] == pytest.approx(expected.pvalue)
    assert told["interval"] == pytest.approx(tuple(expected.confidence_interval(0.95)))
    flip = stats.permutation_test((np.subtract(drop, base),), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert told["p_sign_flip"] == pytest.approx(flip.pvalue)
    assert [run["value"] for run in told["baseline"]] == pytest.approx(base)
    assert [run["key"] for run in told["regularized"]] == [0, 1, 2, 3, 4]
    assert (told["call"], told["metric"], told["unit"], told["paired"]) == ("helps", "val_acc", "%", "not proven")
    assert told["joined_by"] == "seed"


values = st.lists(st.integers(-50, 50).map(lambda n: n / 10), min_size=2, max_size=8)


@pytest.mark.filterwarnings("ignore:Precision loss")
@settings(max_examples=25)
@given(base=values, drop=values, seeds=st.booleans(), higher=st.booleans(), smallest=st.sampled_from([None, 0.5, 9.0]))
def test_every_sentence_s_numbers_are_those_of_scipy(
    base: list[float], drop: list[float], seeds: bool, higher: bool, smallest: float | None
) -> None:
    wishes = JudgeWishes(metric="val_score", better="higher" if higher else "lower", smallest=smallest)
    if seeds:
        base, drop = base[: len(drop)], drop[: len(base)]
    found = of_values(base, drop, seeds=seeds, wishes=wishes)
    told = headline(found).replace("\N{NO-BREAK SPACE}", " ")
    word, rest = told.split(": ", 1)
    assert rest.endswith(" · NOT PROVEN PAIRED")
    mean = np.mean(drop) - np.mean(base)
    assert number(rest.split()[1]) == pytest.approx(mean, abs=6e-5)
    interval = re.search(r"interval (\S+) to ([^,]+),", rest)
    spread = np.std(np.subtract(drop, base)) if seeds else np.std(drop) + np.std(base)
    assert (interval is None) == bool(spread < 1e-9)
    call = found.call
    assert word == TITLES[call]
    if interval is None:
        return
    test = stats.ttest_rel(drop, base) if seeds else stats.ttest_ind(drop, base, equal_var=False)
    low, high = test.confidence_interval(0.95)
    assert [number(end) for end in interval.groups()] == pytest.approx([low, high], abs=6e-5)
    is_small = smallest is not None and -smallest < low and high < smallest
    assert (call == "no difference") == is_small
    if not is_small:
        assert (call == "inconclusive") == (test.pvalue > 0.05)
        assert call == "inconclusive" or (call == "helps") == ((mean > 0) == higher)


def number(text: str) -> float:
    return float(text.replace("−", "-"))


@settings(max_examples=25)
@given(base=values, drop=values)
def test_the_table_and_the_means_are_what_was_logged(base: list[float], drop: list[float]) -> None:
    base, drop = base[: len(drop)], drop[: len(base)]
    found = of_values(base, drop, seeds=True, wishes=HIGHER)
    rows = [[number(cell) for cell in line.split()] for line in table(found)[1:]]
    assert rows == [pytest.approx([n, b, d, d - b], abs=6e-5) for n, (b, d) in enumerate(zip(base, drop, strict=True))]
    told = re.search(r"baseline (\S+), regularized (\S+) on average", " ".join(verdict_lines(found, 900)))
    assert told is not None
    assert list(map(number, told.groups())) == pytest.approx([np.mean(base), np.mean(drop)], abs=6e-5)
    ahead = re.search(r"better for (\d+) of (\d+)", " ".join(verdict_lines(found, 900)))
    assert ahead is not None
    assert list(map(int, ahead.groups())) == [sum(d > b for b, d in zip(base, drop, strict=True)), len(base)]


anything = st.floats() | st.sampled_from([0.5, 1e308, -1e308, 1e-320, 1e99])
when = st.none() | st.sampled_from([0.0, 1.0, 2.0, -1.0, 0.5, 1e300])
metrics = st.sampled_from(["val_acc", "val_loss", "test_acc", "score", "train_acc"])
some_runs = st.lists(
    st.dictionaries(metrics, st.lists(st.builds(Point, when, when, anything), min_size=1, max_size=4), min_size=1),
    max_size=4,
)


@settings(max_examples=25)
@given(
    base=some_runs,
    drop=some_runs,
    name=st.sampled_from(["{}_seed{}", "{}_{}", "{}{}x"]),
    metric=st.none() | metrics,
    at=st.none() | st.sampled_from(["last", "best", 1.0]),
    smallest=st.sampled_from([None, 1e-300, 0.5, 1e300]),
)
def test_whatever_was_logged_is_judged_or_refused_in_a_sentence(
    base: Any, drop: Any, name: str, metric: str | None, at: Any, smallest: float | None
) -> None:
    sides = [
        [LoggedRun(name.format(side, n), Path("/nowhere") / name.format(side, n), run) for n, run in enumerate(runs)]
        for side, runs in (("base", base), ("drop", drop))
    ]
    try:
        found = judge(sides[0], sides[1], JudgeWishes(metric, None, at, smallest))
    except InputError:
        return
    assert headline(found)
    assert all(line.isprintable() for line in verdict_lines(found, 60))
    json.dumps(to_json(found), allow_nan=False)
    assert markdown(found)


# What is said


def test_what_a_verdict_holds_for(judged: Judge) -> None:
    code, out, err = judged(*SIDES)
    words = " ".join(out.split())
    assert (code, err) == (0, "")
    assert words.startswith("HELPS: val_acc +")
    assert "· NOT PROVEN PAIRED" in words
    assert "5 pairs of runs joined by seed (0–4)" in words
    assert "the last of 6 values of val_acc in each log, at epoch 5" in words
    assert "chosen here as --metric was left out" in words
    assert "same data, split, initial weights and order" in words
    assert max(map(len, out.splitlines())) <= 80


def test_a_loss_is_judged_as_a_loss(judged: Judge) -> None:
    words = " ".join(judged(*SIDES, "--metric", "val_loss").out.split())
    assert words.startswith("HELPS: val_loss −0.0")
    assert "(lower is better)" in words
    assert "No smallest effect was named" in words
    assert "chosen here" not in words


@pytest.mark.parametrize(("more", "code"), [((), 0), (("--smallest-effect", "50"), 10), (("--better", "lower"), 11)])
def test_the_exit_code_tells_the_verdict(judged: Judge, more: tuple[str, ...], code: int) -> None:
    assert judged(*SIDES, "--verdict-exit", *more).code == code
    assert judged(*SIDES, *more).code == 0


def test_a_difference_smaller_than_what_matters_is_told_so(judged: Judge) -> None:
    words = " ".join(judged(*SIDES, "--smallest-effect", "5").out.split())
    assert words.startswith("NO DIFFERENCE THAT MATTERS: val_acc +")
    assert "is shown, but it is smaller than the 5 points that matter" in words


def test_the_best_of_the_values_is_called_optimistic(judged: Judge) -> None:
    words = " ".join(judged(*SIDES, "--at", "best").out.split())
    assert "the best of 6 values of val_acc in each log" in words
    assert "The best value of a run is optimistic: it was picked by the val_acc that is judged" in words
    assert "optimistic" not in " ".join(judged(*SIDES).out.split())


def test_files_as_a_shell_makes_them_of_a_pattern(judged: Judge) -> None:
    base, drop = ([f"{side}_seed{n}/metrics.csv" for n in range(5)] for side in ("base", "drop"))
    whole = judged(*SIDES)
    assert judged("--baseline", *base, "--regularized", *drop) == whole
    assert judged(f"--baseline={base[0]}", *base[1:], "--at", "last", "--regularized", *drop).code == 0
    repeated = [part for file in base for part in ("--baseline", file)]
    assert judged(*repeated, "--regularized", "drop_*/metrics.csv") == whole
    assert judged("--baseline", "base_*", "--regularized", "drop_*") == whole


def test_a_block_of_markdown(judged: Judge) -> None:
    out = judged(*SIDES, "--markdown").out
    assert out.startswith("**HELPS: val\\_acc +")
    assert "| seed | baseline | regularized | difference |\n| ---: | ---: | ---: | ---: |\n| 0 | " in out
    unpaired = of_values([1.0, 2.0, 3.0], [4.0, 6.0], seeds=False, wishes=HIGHER)
    assert markdown(unpaired).splitlines()[-1] == "| 3 | 3.0000 |  |"


@pytest.mark.parametrize("kind", ["hugging face", "json", "tensorboard", "wandb", "own"])
def test_every_format_gives_the_same_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = {
        f"{side}_seed{seed}": logs.curves(level, seed + 10 * (side == "drop"))
        for side, level in (("base", 0.9), ("drop", 0.92))
        for seed in range(4)
    }
    sides, metric = ["base_*", "drop_*"], "val_acc"
    for name, of in runs.items():
        if kind == "hugging face":
            logs.hugging_face(tmp_path / name / "checkpoint-150" / "trainer_state.json", of)
            metric = "eval_accuracy"
        elif kind == "json":
            logs.json_lines(tmp_path / f"{name}.jsonl", of)
        elif kind == "tensorboard":
            logs.tensorboard(tmp_path / name, of, tag=lambda tag: tag.replace("_", "/"))
            metric = "val/acc"
    if kind == "wandb":
        logs.wandb_chart(tmp_path / "chart.csv", {name: of["val_acc"] for name, of in runs.items()})
        sides = ["chart.csv::base_*", "chart.csv::drop_*"]
    if kind == "own":
        for seed in range(4):
            arms = {"baseline": runs[f"base_seed{seed}"], "dropout": runs[f"drop_seed{seed}"]}
            logs.own_events(tmp_path / "logs" / f"run{seed + 40}", seed, arms)
        sides, metric = ["logs/*::baseline", "logs/*::dropout"], "val_accuracy"
    outcome = call(["judge", "--baseline", sides[0], "--regularized", sides[1], "--json"], capsys, monkeypatch)
    assert outcome.code == 0, outcome
    told = json.loads(outcome.out)
    expected = [100 * of["val_acc"][-1] for of in runs.values()]
    assert [run["value"] for run in told["baseline"] + told["regularized"]] == pytest.approx(expected, abs=1e-5)
    assert (told["metric"], told["joined_by"], told["unit"]) == (metric, "seed", "%")
    assert [run["key"] for run in told["baseline"]] == [0, 1, 2, 3]


def test_a_shell_completes_the_metrics_that_a_run_has(judged: Judge) -> None:
    assert judged(*SIDES).code == 0  # the folder has runs
    context: Any = SimpleNamespace(params={"baseline": ("base_*",)})
    assert completion.logged_metrics(context, "val") == ["val_acc", "val_loss"]
    context.params = {"baseline": ("none",)}
    assert completion.logged_metrics(context, "") == []


# Units


def test_a_small_difference_has_digits_enough_to_be_seen() -> None:
    draw = random.Random(1)
    base = [1e-5 + draw.gauss(0, 1e-7) for _ in range(6)]
    found = of_values(base, [value - 3e-6 + draw.gauss(0, 1e-8) for value in base], seeds=True, wishes=HIGHER)
    assert headline(found).startswith("HURTS: val_score −0.0000030")
    assert "0.0000100" in table(found)[1] or "0.0000099" in table(found)[1] or "0.0000101" in table(found)[1]


def test_percentages_are_not_taken_for_shares(judged: Judge, tmp_path: Path) -> None:
    shares = json.loads(judged(*SIDES, "--json").out)
    for path in tmp_path.glob("*/metrics.csv"):
        rows = [line.split(",") for line in path.read_text().split()]
        column = rows[0].index("val_acc")
        for row in rows[1:]:
            row[column] = row[column] and repr(100 * float(row[column]))
        path.write_text("\n".join(map(",".join, rows)))
    percents = json.loads(judged(*SIDES, "--json").out)
    assert percents["difference"] == pytest.approx(shares["difference"])
    assert percents["unit"] == "%"


def test_an_accuracy_in_two_units_is_refused() -> None:
    with pytest.raises(InputError, match=r"is a share from 0 to 1 in a1 and a percentage in b1$"):
        judge(
            made({"a1": [0.5, 0.9], "a2": [0.5, 0.8]}, "val_acc"),
            made({"b1": [50.0, 91.0], "b2": [50, 92]}, "val_acc"),
            JudgeWishes(),
        )


def test_what_only_looks_like_a_share_is_shown_as_it_is() -> None:
    found = judge(
        made({"a1": [0.5, 0.9], "a2": [0.5, 0.8]}, "val_f1"),
        made({"b1": [0, 0.7], "b2": [0, 0.9]}, "val_f1"),
        JudgeWishes(),
    )
    assert found.metric.points == ""
    assert found.smallest is None


# What is left out, and what is not joined


def test_seeds_of_one_side_are_named_and_left_out(judged: Judge, tmp_path: Path) -> None:
    (tmp_path / "drop_seed4" / "metrics.csv").unlink()
    out = " ".join(judged(*SIDES).out.split())
    assert "4 pairs of runs joined by seed (0–3)" in out
    assert "Left out: base_seed4/metrics.csv: seed 4 is not on the other side." in out


def test_a_run_that_diverged_is_left_out_and_its_partner_too(judged: Judge, tmp_path: Path) -> None:
    curves = logs.curves(0.9, 2)
    logs.lightning(
        tmp_path / "drop_seed2" / "metrics.csv", curves | {"val_acc": [*curves["val_acc"][:-1], float("nan")]}
    )
    out = " ".join(judged(*SIDES).out.split())
    assert "drop_seed2/metrics.csv: its val_acc is not finite there" in out
    assert "base_seed2/metrics.csv: seed 2 is not on the other side" in out
    assert "4 pairs of runs joined by seed (0, 1, 3, 4)" in out


def test_fewer_than_two_common_seeds_are_compared_unpaired(judged: Judge, tmp_path: Path) -> None:
    for seed in range(1, 5):
        (tmp_path / f"drop_seed{seed}").rename(tmp_path / f"drop_seed{seed + 10}")
    out = " ".join(judged(*SIDES).out.split())
    assert "Not joined, for only seed 0 is on both sides; Welch's t" in out
    assert "5 runs of the baseline and 5 regularized ones, not joined" in out


def test_a_few_runs_that_nothing_joins_show_a_difference_only_of_normal_values() -> None:
    few = of_values([1.0, 1.1], [2.0, 2.1], seeds=False, wishes=HIGHER)
    assert few.call == "helps"
    words = " ".join(verdict_lines(few, 900))
    exact = stats.permutation_test(([2.0, 2.1], [1.0, 1.1]), lambda a, b: np.mean(a) - np.mean(b))
    assert f"no p-value could be below {exact.pvalue:.2g}" in words
    more = of_values([1.0, 1.1, 1.2, 1.1], [2.0, 2.1, 2.2, 2.3], seeds=False, wishes=HIGHER)
    assert "So few runs" not in " ".join(verdict_lines(more, 900))


def test_copies_of_a_run_are_noticed(judged: Judge, tmp_path: Path) -> None:
    (tmp_path / "base_seed1" / "metrics.csv").write_bytes((tmp_path / "base_seed0" / "metrics.csv").read_bytes())
    out = " ".join(judged(*SIDES).out.split())
    assert "base_seed0/metrics.csv, base_seed1/metrics.csv have the same val_acc throughout" in out


def test_other_steps_in_the_same_epochs_are_told(judged: Judge, tmp_path: Path) -> None:
    logs.lightning(tmp_path / "drop_seed3" / "metrics.csv", logs.curves(0.92, 3), steps=50)
    out = " ".join(judged(*SIDES).out.split())
    assert "the same epochs took 149 steps in base_seed0/metrics.csv and 299 in drop_seed3/metrics.csv" in out


# Refusals


def refused(outcome: Outcome) -> str:
    (fault,) = outcome.faults()
    return fault


def test_runs_of_other_lengths_compare_by_the_best_or_at_an_epoch(judged: Judge, tmp_path: Path) -> None:
    logs.lightning(tmp_path / "drop_seed3" / "metrics.csv", logs.curves(0.92, 3, epochs=4))
    assert refused(judged(*SIDES)) == (
        "the runs end at different epochs: base_seed0/metrics.csv at epoch 5 and drop_seed3/metrics.csv at epoch 3; "
        "add --at best for the best value of each, or --at 3 for epoch 3, which all have"
    )
    best = " ".join(judged(*SIDES, "--at", "best").out.split())
    assert "the best of 4 to 6 values" in best
    assert "has more values" in best
    assert "the value of val_acc in each log at epoch 3, of 4 to 6" in " ".join(judged(*SIDES, "--at", "3").out.split())
    assert "no 'val_acc' at epoch 5; its epochs with one go from 0 to 3" in refused(judged(*SIDES, "--at", "5"))


def test_a_test_metric_that_each_run_has_once_needs_no_common_end(judged: Judge, tmp_path: Path) -> None:
    for path in tmp_path.glob("*/metrics.csv"):
        epoch = random.Random(path.parent.name).randrange(3, 9)
        path.write_text(path.read_text().replace("train_loss", "test_acc,train_loss").replace("\n0,", "\n0,,"))
        path.write_text(f"epoch,step,test_acc\n{epoch},99,{random.Random(path.parent.name).random()}\n")
    words = " ".join(judged(*SIDES).out.split())
    assert "the only value of test_acc in each log, at epochs" in words


def test_one_row_is_no_run(judged: Judge, tmp_path: Path) -> None:
    logs.lightning(tmp_path / "drop_seed3" / "metrics.csv", logs.curves(0.9, 3, epochs=1))
    assert "different epochs" in refused(judged(*SIDES))
    for side in ("base", "drop"):
        for seed in range(5):
            logs.lightning(tmp_path / f"{side}_seed{seed}" / "metrics.csv", logs.curves(0.9, seed, epochs=1))
    fault = refused(judged(*SIDES))
    assert fault.startswith("base_seed0/metrics.csv has one row with 'val_acc' alone, as do 9 more")
    assert judged(*SIDES, "--at", "last").code == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((*SIDES, "--metric", "val_ac"), "has no metric 'val_ac'; did you mean 'val_acc'?"),
        ((*SIDES, "--metric", "zzz"), "has no metric 'zzz'; it has 'train_loss', 'val_acc' and 'val_loss'"),
        (("--baseline", "no_*", "--regularized", "drop_*"), "--baseline 'no_*': nothing has a name of that pattern"),
        (("--baseline", "base_*", "--regularized", "base_*"), "is on both sides, and 4 more are"),
        (("--baseline", "base_*", "--regularized", "base_seed1"), "base_seed1/metrics.csv is on both sides"),
        (("--baseline", "base_seed1", "--regularized", "drop_seed1"), "--baseline has one run: a verdict needs two"),
        (("--baseline", "base_*", "--regularized", "drop_seed1"), "--regularized has one run: a verdict needs two"),
        ((*SIDES, "--at", "sometimes"), "--at 'sometimes': it is last, best, or the number"),
        ((*SIDES, "--at", "nan"), "--at 'nan'"),
        ((*SIDES, "--better", "up"), "--better 'up': it is higher or lower"),
        ((*SIDES, "--alpha", "0"), "--alpha 0: the share of false calls is above 0"),
        ((*SIDES, "--alpha", "nan"), "--alpha nan"),
        ((*SIDES, "--smallest-effect", "-1"), "--smallest-effect -1"),
        ((*SIDES, "--json", "--markdown"), "leave one out"),
    ],
)  # fmt: skip
def test_what_can_t_be_judged_is_one_sentence(judged: Judge, args: tuple[str, ...], words: str) -> None:
    assert words in refused(judged(*args))


def test_a_seed_twice_on_one_side_is_refused(judged: Judge, tmp_path: Path) -> None:
    logs.lightning(tmp_path / "base_again_seed2" / "metrics.csv", logs.curves(0.9, 9))
    assert refused(judged(*SIDES)) == (
        "base_again_seed2/metrics.csv and base_seed2/metrics.csv both have seed 2; a seed counts once: leave one out"
    )


def test_a_metric_whose_name_does_not_tell_what_is_better(judged: Judge, tmp_path: Path) -> None:
    for path in tmp_path.glob("*/metrics.csv"):
        path.write_text(path.read_text().replace("val_acc", "val_score").replace("val_loss", "val_goodness"))
    assert refused(judged(*SIDES)) == (
        "no metric that all runs have is plainly the one to judge by; add --metric with one of 'train_loss', "
        "'val_score' and 'val_goodness'"
    )
    assert "add --better higher or lower" in refused(judged(*SIDES, "--metric", "val_score"))
    assert judged(*SIDES, "--metric", "val_score", "--better", "higher").code == 0


def test_several_metrics_that_may_be_meant_are_listed(judged: Judge, tmp_path: Path) -> None:
    for path in tmp_path.glob("*/metrics.csv"):
        path.write_text(path.read_text().replace("val_acc", "val_top1").replace("val_loss", "val_top5"))
    assert refused(judged(*SIDES)) == "several metrics may be meant: add --metric with one of 'val_top1' and 'val_top5'"


def test_runs_that_share_no_metric(judged: Judge, tmp_path: Path) -> None:
    for seed in range(5):
        (tmp_path / f"drop_seed{seed}" / "metrics.csv").write_text("epoch,other\n0,1\n1,2\n")
    assert "the runs share no metric: base_seed0/metrics.csv has" in refused(judged(*SIDES))


def test_an_unreadable_file(judged: Judge, tmp_path: Path) -> None:
    (tmp_path / "base_seed2" / "metrics.csv").unlink()
    (tmp_path / "base_seed2" / "metrics.csv").symlink_to("nowhere")
    assert "base_seed2/metrics.csv can't be read" in refused(judged("--baseline", "base_seed2/metrics.csv", *SIDES))


def test_hostile_names_do_no_harm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = HOSTILE.replace("/", "").replace("\x00", "").replace("\r\n", "")
    for side in ("base", "drop"):
        for seed in range(3):
            logs.json_lines(
                tmp_path / f"{side}_seed{seed}{text[:60]}.jsonl", {f"val_acc {text}": [0.5, 0.6 + seed / 90]}
            )
    for more in ((), ("--json",), ("--markdown",), ("--at", "7")):
        outcome = call(["judge", "--baseline", "base*", "--regularized", "drop*", *more], capsys, monkeypatch)
        assert_harmless(outcome.out + outcome.err)
        assert (outcome.code == 0) == (more != ("--at", "7"))


def test_neither_torch_nor_a_screen_nor_pandas_is_imported(tmp_path: Path) -> None:
    logs.two_sides(tmp_path)
    heavy = ("torch", "textual", "plotext", "pandas", "scipy.stats", "tensorboard")
    script = (
        "import sys\nfrom regtui.cli.main import main\n"
        f"sys.argv = ['regtui', 'judge', *{SIDES!r}]\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
