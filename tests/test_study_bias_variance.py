from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regtui.evidence.bias_variance import of_probabilities
from regtui.runs.predictions import FILE, Predictions, to_bytes
from regtui.study.bias_variance import bias_variance, shared_between_sets
from regtui.study.outcome import StudyOutcome, judge
from regtui.study.plan import StudyPlan
from regtui.study.varied import varied_blocks
from regtui.study.varied_numbers import varied_numbers, varied_tables
from regtui.study.words import StudyWords
from tests.made_scores import noisy, plan_of, scores_of

EXAMPLES, CLASSES = 50, 10
TARGETS = np.arange(EXAMPLES, dtype=np.uint8) % CLASSES


def predictions(seed: int, arms: list[str]) -> Predictions:
    random = np.random.default_rng(seed)
    found: dict[str, dict[str, Any]] = {}
    for number, arm in enumerate(arms):
        of = random.dirichlet(np.ones(CLASSES), EXAMPLES) + (2 + number) * np.eye(CLASSES)[TARGETS]
        of /= of.sum(axis=1, keepdims=True)
        found[arm] = {"probabilities": of.astype(np.float16), "classes": of.argmax(axis=1).astype(np.uint8)}
    return Predictions(TARGETS, found)


def study(folder: Path, plan: StudyPlan, names: list[str]) -> StudyOutcome:
    """A study whose runs have kept predictions."""
    scores = scores_of(plan, noisy(1.0))
    placed = {}
    for number, (job, run) in enumerate(scores.items()):
        placed[job] = run._replace(folder=folder / run.folder.name)
        placed[job].folder.mkdir()
        (placed[job].folder / FILE).write_bytes(to_bytes(predictions(number, names)))
    return judge(plan, placed, "finished")


def test_arms_are_taken_apart_over_the_training_sets_of_their_runs(tmp_path: Path) -> None:
    names = ["baseline", "regularized"]
    outcome = study(tmp_path, plan_of(seeds=4, resample="bootstrap"), names)
    found = bias_variance(outcome)
    assert list(found) == names
    every = [predictions(seed, names) for seed in range(4)]
    for arm in names:
        arrays = [of.arms[arm] for of in every]
        expected = of_probabilities([of["probabilities"] for of in arrays], [of["classes"] for of in arrays], TARGETS)
        assert found[arm] == expected
    numbers = varied_numbers(outcome)["bias_variance"][""]
    assert numbers["regularized"]["squared"] == found["regularized"].squared.terms._asdict()
    assert numbers["regularized"]["shifts"]["bias"]["difference"] == pytest.approx(
        numbers["regularized"]["squared"]["bias"] - numbers["baseline"]["squared"]["bias"]
    )
    ((name, head, rows),) = varied_tables(outcome)
    assert (name, [row[1] for row in rows], {len(row) for row in rows}) == ("bias_variance", names, {len(head)})
    assert rows[0][head.index("squared_variance")] == found["baseline"].squared.terms.variance
    told = "\n".join(line for block in varied_blocks(StudyWords(outcome), 80) for line in block)
    assert "squared bias" in told
    assert "Over 4 training sets" in told
    assert "bootstrap samples of a single one" in " ".join(told.split())


def test_a_verdict_over_one_split_says_so() -> None:
    plan = plan_of(seeds=3, resample="bootstrap")
    plan.preset["data"] |= {"seed": 7, "bootstrap": True}
    told = StudyWords(judge(plan, scores_of(plan, noisy(1.0)), "finished")).conditions()
    assert told.replace("\N{NO-BREAK SPACE}", " ").endswith("320 training images of split 7, drawn with replacement")


def test_without_resampling_predictions_or_a_second_set_nothing_is_taken_apart(tmp_path: Path) -> None:
    names = ["baseline", "regularized"]
    for place, (plan, kept) in enumerate(
        [
            (plan_of(seeds=3), names),
            (plan_of(seeds=1, resample="split"), names),
            (plan_of(seeds=3, resample="split"), names[:1]),
        ]
    ):
        folder = tmp_path / str(place)
        folder.mkdir()
        assert bias_variance(study(folder, plan, kept)) == {}
    outcome = study(tmp_path, plan_of(seeds=3, resample="split"), names)
    (tmp_path / "run-2-0" / FILE).unlink()
    assert bias_variance(outcome) == {}


def test_two_splits_share_as_much_as_the_training_part_is_of_the_whole() -> None:
    outcome = judge(plan := plan_of(seeds=3, resample="split"), scores_of(plan, noisy(1.0)), "finished")
    assert shared_between_sets(StudyWords(outcome)) == pytest.approx(320 / 60_000)
    plan = plan_of(seeds=3, resample="bootstrap")
    assert shared_between_sets(StudyWords(judge(plan, scores_of(plan, noisy(1.0)), "finished"))) is None
