from __future__ import annotations

import statistics
from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from regtui.evidence.bias_variance import Decomposition, of_probabilities, of_values, shift
from regtui.evidence.bias_variance_words import overlap_sentence, parts_sentences, parts_table
from tests.rules_bias_variance import PARTS, Predicted

Array = NDArray[Any]
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.3, 0.4, 0.3], [0.1, 0.1, 0.8], [0.25, 0.5, 0.25]])
"""What a method says of four examples on average over training sets."""
TARGETS = np.array([0, 0, 2, 1], np.uint8)
NOISE = 0.05
TRUE_BIAS = float(((PROBABILITIES - np.eye(3)[TARGETS]) ** 2).sum(axis=1).mean())
TRUE_VARIANCE = 3 * NOISE**2


def drawn(random: np.random.Generator, sets: int, noise: float = NOISE) -> list[Array]:
    """Predictions whose bias and variance are known: each probability has noise of its own."""
    return [PROBABILITIES + noise * random.standard_normal(PROBABILITIES.shape) for _ in range(sets)]


def decomposed(runs: list[Array], targets: Array = TARGETS) -> Decomposition:
    return of_probabilities(runs, [run.argmax(axis=1).astype(np.uint8) for run in runs], targets)


@pytest.mark.parametrize("examples", [1, 7, 20])
def test_the_parts_are_those_of_the_definition_for_each_example_and_add_up_to_the_error(
    examples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regtui.evidence.bias_variance.AT_ONCE", 25)  # five examples at once
    random = np.random.default_rng(1)
    runs = [random.dirichlet(np.ones(5), examples).astype(np.float16) for _ in range(4)]
    targets = random.integers(0, 5, examples).astype(np.uint8)
    found = decomposed(list(runs), targets)
    each = np.stack(runs).astype(np.float64)
    mean, right = each.mean(axis=0), np.eye(5)[targets]
    error = ((each - right) ** 2).sum(axis=2).mean(axis=0)
    bias, variance = ((mean - right) ** 2).sum(axis=1), ((each - mean) ** 2).sum(axis=2).mean(axis=0)
    assert error == pytest.approx(bias + variance, abs=1e-12)
    assert found.squared.plug_in == pytest.approx((error.mean(), bias.mean(), variance.mean()), abs=1e-12)
    terms = found.squared.terms
    assert terms.error == pytest.approx(terms.bias + terms.variance, abs=1e-12)
    assert terms.variance == pytest.approx(each.var(axis=0, ddof=1).sum(axis=1).mean())
    assert (found.sets, found.examples) == (4, examples)


def test_on_a_toy_the_corrected_parts_are_right_on_average_and_the_plug_in_ones_are_off_by_variance_over_s() -> None:
    random, sets = np.random.default_rng(2), 3
    found = [decomposed(drawn(random, sets)).squared for _ in range(1200)]
    for part, true in (("bias", TRUE_BIAS), ("variance", TRUE_VARIANCE)):
        values = [getattr(of.terms, part) for of in found]
        assert abs(statistics.fmean(values) - true) < 4 * float(stats.sem(values))
    off = [of.plug_in.bias - TRUE_BIAS for of in found]
    assert abs(statistics.fmean(off) - TRUE_VARIANCE / sets) < 4 * float(stats.sem(off))
    assert statistics.fmean(off) > 3 * float(stats.sem(off))


def test_of_values_each_in_the_units_of_its_own_training_set_the_parts_are_right() -> None:
    random, sets, examples = np.random.default_rng(3), 3, 6
    true = random.normal(100, 20, examples)
    means = true + random.normal(0, 10, examples)
    found = []
    for _ in range(400):
        runs, targets = [], []
        for _ in range(sets):
            mean, deviation = random.normal(100, 5), random.uniform(15, 25)
            runs.append(((means + 8 * random.standard_normal(examples) - mean) / deviation).astype(np.float32))
            targets.append(((true - mean) / deviation).astype(np.float32))
        of = of_values(runs, targets)
        assert of is not None
        assert of.zero_one is None
        found.append(of.squared.terms)
    unit = float(np.var(true))
    for part, value in (("bias", float(((means - true) ** 2).mean())), ("variance", 64.0)):
        values = [unit * getattr(of, part) for of in found]
        assert abs(statistics.fmean(values) - value) < 4 * float(stats.sem(values))


def test_values_of_other_examples_and_targets_without_spread_have_no_parts() -> None:
    values, targets = np.arange(4.0), np.array([1.0, 2.0, 4.0, 3.0])
    assert of_values([values, values], [targets, targets[::-1]]) is None
    assert of_values([values, values], [np.ones(4), np.ones(4)]) is None
    assert of_values([values, values[:3]], [targets, targets[:3]]) is None


def test_one_training_set_has_no_variance_and_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="one training set"):
        decomposed([PROBABILITIES])
    with pytest.raises(ValueError, match="one training set"):
        of_values([np.arange(3.0)], [np.arange(3.0)])
    with pytest.raises(ValueError, match="different shapes"):
        decomposed([PROBABILITIES, PROBABILITIES[:2]])


def test_0_1_loss_is_as_domingos_defines_it_example_by_example() -> None:
    random = np.random.default_rng(4)
    classes = random.integers(0, 3, (7, 40)).astype(np.uint8)
    targets = random.integers(0, 4, 40).astype(np.uint8)  # one class is never predicted
    runs = [np.eye(4)[row] for row in classes]
    found = of_probabilities(runs, list(classes), targets).zero_one
    assert found is not None
    sums = Counter[str]()
    for predictions, right in zip(classes.T.tolist(), targets.tolist(), strict=True):
        counts = Counter(predictions)
        main = min(counts, key=lambda number: (-counts[number], number))
        bias = int(main != right)
        variance = statistics.fmean(prediction != main for prediction in predictions)
        differing = [prediction for prediction in predictions if prediction != main]
        # c is 1 where the main prediction is right, else minus the chance to hit y when missing the main prediction
        c = 1.0 if not bias else -statistics.fmean(p == right for p in differing) if differing else 0.0
        error = statistics.fmean(prediction != right for prediction in predictions)
        assert error == pytest.approx(bias + c * variance)
        sums.update({"error": error, "bias": bias, "variance": variance, "net": c * variance})
    for part in ("error", "bias", "variance", "net"):
        assert getattr(found, part) == pytest.approx(sums[part] / 40)
    assert found.error == pytest.approx(found.bias + found.unbiased - found.biased)


def test_of_two_classes_variance_adds_where_unbiased_and_takes_away_as_much_where_biased() -> None:
    classes = np.array([[0, 1], [0, 1], [1, 0]], np.uint8)  # both main predictions have two votes of three
    found = of_probabilities([np.eye(2)[row] for row in classes], list(classes), np.array([0, 0])).zero_one
    assert found is not None
    assert (found.bias, found.variance) == pytest.approx((0.5, 1 / 3))
    assert (found.unbiased, found.biased) == pytest.approx((1 / 6, 1 / 6))
    assert (found.net, found.error) == pytest.approx((0, 0.5))


def test_the_interval_of_a_shift_is_the_jackknife_over_training_sets() -> None:
    random = np.random.default_rng(5)
    base, arm = drawn(random, 6), drawn(random, 6, noise=0.02)
    found = shift(decomposed(base).squared, decomposed(arm).squared, "variance", 0.1)
    left = [
        decomposed([run for place, run in enumerate(arm) if place != out]).squared.terms.variance
        - decomposed([run for place, run in enumerate(base) if place != out]).squared.terms.variance
        for out in range(6)
    ]
    error = float(np.sqrt(5 / 6 * ((np.array(left) - np.mean(left)) ** 2).sum()))
    reach = stats.t.ppf(0.95, 5) * error
    assert found.interval == pytest.approx((found.difference - reach, found.difference + reach))
    # The expected error is a mean over training sets, for which this is Student's interval.
    of_error = shift(decomposed(base).squared, decomposed(arm).squared, "error")
    right = np.eye(3)[TARGETS]
    errors = [
        ((ours - right) ** 2).sum() / 4 - ((theirs - right) ** 2).sum() / 4
        for theirs, ours in zip(base, arm, strict=True)
    ]
    assert of_error.interval == pytest.approx(stats.t.interval(0.95, 5, np.mean(errors), stats.sem(errors)))
    assert shift(decomposed(base[:2]).squared, decomposed(arm[:2]).squared, "bias").interval is None


def test_intervals_hold_about_as_often_as_they_say() -> None:
    random, held = np.random.default_rng(6), Counter[str]()
    base_variance, arm_variance = TRUE_VARIANCE, 3 * 0.03**2
    for _ in range(200):
        base, arm = decomposed(drawn(random, 8)).squared, decomposed(drawn(random, 8, noise=0.03)).squared
        for term, true in (("variance", arm_variance - base_variance), ("bias", 0.0)):
            interval = shift(base, arm, term).interval  # type: ignore[arg-type]
            assert interval is not None
            held[term] += interval[0] <= true <= interval[1]
    assert all(count / 200 >= 0.88 for count in held.values()), held


def predicted(random: np.random.Generator, spreads: dict[str, tuple[float, float]], sets: int) -> Predicted:
    """Arms whose probabilities scatter over training sets, and lie away from the right class, by these amounts."""
    targets = random.integers(0, 3, 30).astype(np.uint8)
    middle, right = random.dirichlet(np.ones(3), 30), np.eye(3)[targets]
    arms = {}
    for arm, (scatter, away) in spreads.items():
        of = away * middle + (1 - away) * right + scatter * random.standard_normal((sets, 30, 3))
        arms[arm] = np.clip(of, 0, None) / np.clip(of, 1e-9, None).sum(axis=2, keepdims=True)
    return Predicted(arms, targets)


@pytest.mark.parametrize("more", [1, 3])
def test_every_sentence_on_bias_and_variance_is_as_the_predictions_have_it(more: int) -> None:
    random, said = np.random.default_rng(7), Counter[str]()
    for _ in range(12):
        spreads = {"baseline": (0.1, 0.8)}
        for number in range(more):
            spreads[f"arm{number}"] = (random.choice([0.05, 0.1, 0.2]), random.choice([0.7, 0.8, 0.9]))
        about = predicted(random, spreads, int(random.choice([3, 8])))
        parts = {arm: decomposed(list(of), about.targets) for arm, of in about.arms.items()}
        for sentence in parts_sentences(parts, {}, "images"):
            words = sentence.replace("\N{NO-BREAK SPACE}", " ")
            PARTS.check(about, words)
            said.update(word for word in ("falls", "rises", "apart", "lower", "higher", "Domingos") if word in words)
        head, rows = parts_table(parts, {})
        assert [row[0] for row in rows] == list(about.arms)
        assert {len(row) for row in rows} == {len(head)}
    expected = {"falls", "rises", "apart", "Domingos"} if more == 1 else {"lower", "higher"}
    assert expected <= set(said), said


def test_two_training_sets_and_no_arm_have_no_sentence() -> None:
    random = np.random.default_rng(8)
    about = predicted(random, {"baseline": (0.1, 0.8), "arm": (0.1, 0.8)}, 2)
    parts = {arm: decomposed(list(of), about.targets) for arm, of in about.arms.items()}
    assert parts_sentences(parts, {}, "images") == parts_sentences({"baseline": parts["baseline"]}, {}, "images") == []


def test_how_training_sets_hang_together_is_said_where_they_do() -> None:
    assert overlap_sentence(0.05) == ""
    assert "share 80\N{NO-BREAK SPACE}% of their examples" in overlap_sentence(0.8)
    assert "samples of a single one" in overlap_sentence(None)
