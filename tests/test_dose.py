from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from scipy import stats

from regtui.evidence.decided import Decided
from regtui.evidence.dose import DoseResponse, KeptLosses, OverSeeds, dose_response
from regtui.evidence.dose_words import dose_sentences, dose_table, gain_sentences, map_table
from regtui.evidence.effect_map import EffectMap
from regtui.evidence.gain import Gain, gains_over
from regtui.evidence.over_seeds import Compared, Pairs, compare
from regtui.evidence.student import mean_interval
from regtui.tasks import LOSS, METRICS, Metric
from tests.rules_dose import DOSE, GAIN, Doses, Trends

ACCURACY = METRICS["accuracy"]
SEEDS = range(8)


def measured(test: float, validation: float, train: float = 0.1, val: float = 0.3, lowest: float = 0.3) -> OverSeeds:
    """An arm over eight seeds that scatters around these values, with the same noise for all arms."""
    noise = {seed: math.sin(seed + 100 * test) for seed in SEEDS}
    return OverSeeds(
        {seed: test + 0.2 * noise[seed] for seed in SEEDS},
        {seed: validation + 0.1 * noise[seed] for seed in SEEDS},
        {seed: KeptLosses(train + 0.001 * noise[seed], val + 0.002 * noise[seed], lowest) for seed in SEEDS},
    )


def differences(baseline: OverSeeds, arms: Mapping[str, OverSeeds]) -> dict[str, Compared]:
    return compare({arm: Pairs(baseline.test, of.test) for arm, of in arms.items()}, Decided("higher", 8, 0.5))


def response(doses: Mapping[float, OverSeeds], baseline: OverSeeds, key: str = "dropout.rate") -> DoseResponse:
    named = {f"arm-{value:g}": of for value, of in doses.items()}
    found = differences(baseline, named)
    values = dict(zip(named, doses, strict=True))
    return dose_response(
        key, "regularized", ACCURACY, baseline, {arm: (values[arm], of, found[arm]) for arm, of in named.items()}
    )


BASELINE = measured(90, 91, train=0.01, val=0.5, lowest=0.3)
DOSES = {
    0.75: measured(88.5, 89, train=0.6, val=0.65, lowest=0.65),
    0.25: measured(91, 92, train=0.05, val=0.36, lowest=0.3),
    0.5: measured(91.2, 91.9, train=0.2, val=0.301, lowest=0.3),
}


def test_doses_are_in_order_and_each_has_mean_interval_and_dots_of_its_seeds() -> None:
    found = response(DOSES, BASELINE)
    assert [dose.value for dose in found.doses] == [0.25, 0.5, 0.75]
    for dose in found.doses:
        values = list(DOSES[dose.value].test.values())
        assert dose.level.test == DOSES[dose.value].test
        assert dose.level.mean == pytest.approx(statistics.fmean(values))
        expected = stats.t.interval(0.95, 7, np.mean(values), stats.sem(values))
        assert dose.level.interval == pytest.approx(expected)
    assert found.baseline.mean == pytest.approx(statistics.fmean(BASELINE.test.values()))


def test_the_best_is_chosen_on_validation_and_not_on_test() -> None:
    found = response(DOSES, BASELINE)
    assert found.best is not None
    assert found.best.value == 0.25
    assert max(found.doses, key=lambda dose: dose.level.mean or 0).value == 0.5
    assert found.runner is not None
    assert found.runner.value == 0.5
    behind = [DOSES[0.25].validation[seed] - DOSES[0.5].validation[seed] for seed in SEEDS]
    assert found.runner.behind == pytest.approx(statistics.fmean(behind))
    assert found.runner.interval == pytest.approx(stats.t.interval(0.95, 7, np.mean(behind), stats.sem(behind)))


def test_the_best_is_chosen_over_the_seeds_that_all_values_have() -> None:
    lucky = {**DOSES[0.5].validation, 9: 100.0}
    found = response({**DOSES, 0.5: DOSES[0.5]._replace(validation=lucky)}, BASELINE)
    assert found.best is not None
    assert (found.best.value, found.chosen_over) == (0.25, 8)
    gone = response({**DOSES, 0.75: OverSeeds({}, {}, {})}, BASELINE)
    assert gone.best is not None
    assert (gone.best.value, gone.chosen_over, gone.is_open) == (0.25, 8, False)
    none = {value: of._replace(validation={}) for value, of in DOSES.items()}
    assert response(none, BASELINE).best is None
    assert response(none, BASELINE).runner is None


def test_of_a_metric_that_is_better_where_it_is_lower_the_best_is_the_lowest() -> None:
    arms = {"a": (0.1, measured(0.4, 0.3)), "b": (0.2, measured(0.3, 0.4))}
    found = differences(BASELINE, {arm: of for arm, (_, of) in arms.items()})
    lower = dose_response(
        "l2.strength", "regularized", LOSS, BASELINE, {arm: (*of, found[arm]) for arm, of in arms.items()}
    )
    assert lower.best is not None
    assert lower.runner is not None
    assert lower.best.arm == "a"
    assert lower.runner.behind > 0


def test_it_underfits_where_both_losses_are_higher_and_the_gap_is_smaller_and_nowhere_else() -> None:
    found = response(DOSES, BASELINE)
    assert {dose.value: dose.underfits for dose in found.doses} == {0.25: False, 0.5: False, 0.75: True}
    wide = measured(88.5, 89, train=0.6, val=1.2, lowest=1.2)  # both higher, but the gap as well
    assert not any(dose.underfits for dose in response({0.5: wide, 0.75: wide}, BASELINE).doses)
    unknown = {value: of._replace(losses={}) for value, of in DOSES.items()}
    assert not any(dose.underfits or dose.level.overfits for dose in response(unknown, BASELINE).doses)


def test_a_strong_dose_underfits_beside_the_best_one_though_the_baseline_overfits_more() -> None:
    strong = measured(88.5, 89, train=0.25, val=0.45, lowest=0.45)
    found = response({0.25: DOSES[0.25], 0.5: DOSES[0.5], 0.75: strong}, BASELINE)
    assert [(dose.underfits, dose.than) for dose in found.doses] == [(False, None), (False, None), (True, 0.25)]
    told = [sentence for sentence in dose_sentences(found) if sentence.startswith("It underfits")]
    assert len(told) == 1
    assert "higher than those at 0.25" in told[0]


def test_it_overfits_where_the_validation_loss_ends_well_above_its_lowest() -> None:
    found = response(DOSES, BASELINE)
    assert {dose.value: dose.level.overfits for dose in found.doses} == {0.25: True, 0.5: False, 0.75: False}
    assert found.baseline.overfits
    rises = [of.val / of.lowest - 1 for of in BASELINE.losses.values()]
    assert found.baseline.rise == pytest.approx(statistics.fmean(rises))


@pytest.mark.parametrize(
    ("key", "is_log"),
    [("dropout.rate", False), ("l2.strength", True), ("early_stopping.patience", False), ("unknown.knob", False)],
)
def test_the_knobs_own_scale_decides_on_the_axis(key: str, is_log: bool) -> None:
    found = response({1e-4: DOSES[0.25], 1e-3: DOSES[0.5], 0.0: DOSES[0.75]}, BASELINE, key)
    assert found.is_log == is_log
    places = [found.place(dose.value) for dose in found.doses]
    assert places == sorted(places)
    assert places == pytest.approx([-5, -4, -3] if is_log else [0, 1e-4, 1e-3])


def test_an_interval_needs_two_values_that_differ() -> None:
    assert mean_interval([], 0.05) is mean_interval([1.0], 0.05) is mean_interval([1.0, 1.0], 0.05) is None
    assert mean_interval([1.0, math.inf], 0.05) is None


def gain(value: float, differences: Sequence[float]) -> Gain:
    pairs = {"": Pairs(dict.fromkeys(range(len(differences)), 0.0), dict(enumerate(differences)))}
    return Gain(value, compare(pairs, Decided("higher", len(differences)))[""], 91.0, 90.0)


FALLING: dict[float, list[float]] = {500: [2.0, 2.3, 1.8, 2.4], 1000: [1.1, 1.4, 0.9, 1.3], 4000: [0.2, 0.3, -0.3, 0.4]}


def test_the_trend_of_a_gain_is_that_of_each_seeds_slope_over_the_logarithm() -> None:
    found = gains_over("data.train_samples", ACCURACY, {"a": {size: gain(size, of) for size, of in FALLING.items()}})
    (trend,) = found.trends
    slopes = [np.polyfit(np.log2(list(FALLING)), [of[seed] for of in FALLING.values()], 1)[0] for seed in range(4)]
    assert trend.slope == pytest.approx(np.mean(slopes))
    assert trend.p == pytest.approx(stats.ttest_1samp(slopes, 0).pvalue)
    assert trend.interval == pytest.approx(stats.t.interval(0.95, 3, np.mean(slopes), stats.sem(slopes)))
    assert trend.is_shown
    assert [gain.value for gain in trend.gains] == [500, 1000, 4000]


def test_a_trend_of_several_arms_is_adjusted_for_all_of_them() -> None:
    sizes = {size: gain(size, of) for size, of in FALLING.items()}
    noisy = {size: gain(size, [1.0, -1.0 * place, 0.5, 0.4]) for place, size in enumerate(FALLING)}
    found = gains_over("data.train_samples", ACCURACY, {"a": sizes, "b": noisy})
    alone = gains_over("data.train_samples", ACCURACY, {"a": sizes}).trends[0].p
    assert alone is not None
    assert found.trends[0].p == pytest.approx(2 * alone)
    assert not found.trends[1].is_shown


def test_a_trend_uses_the_seeds_that_all_values_have_and_needs_two_and_values_above_zero() -> None:
    fewer = {500.0: gain(500, FALLING[500]), 1000.0: gain(1000, FALLING[1000][:1])}
    (trend,) = gains_over("data.train_samples", ACCURACY, {"a": fewer}).trends
    assert (trend.seeds, trend.slope, trend.p, trend.is_shown) == (1, None, None, False)
    zero = {0.0: gain(0, FALLING[500]), 1e-3: gain(1e-3, FALLING[4000])}
    assert not gains_over("train.weight_decay", ACCURACY, {"a": zero}).is_log
    assert gains_over("train.weight_decay", ACCURACY, {"a": zero}).trends[0].slope is None


def test_every_sentence_on_doses_is_as_the_seeds_have_it() -> None:
    chance = random.Random(3)
    said = Counter[str]()
    for _ in range(20):
        metric, unit = chance.choice([(ACCURACY, 1.0), (LOSS, 0.02)])
        better = 1 if metric is ACCURACY else -1
        count = chance.choice([3, 8])
        base = made(chance, count, 90 * unit, 0.0, unit)
        doses = {
            value: made(chance, count, (90 + better * chance.choice([-2, 0, 1.5, 1.6])) * unit, index / 3, unit)
            for index, value in enumerate(sorted(chance.sample([0.0, 1e-4, 0.25, 0.5, 0.75], chance.choice([2, 3, 4]))))
        }
        if chance.random() < 0.3:  # the strongest diverged with every seed
            doses[max(doses)] = OverSeeds({}, {}, {})
        judged = compare(
            {value: Pairs(base.test, of.test) for value, of in doses.items()},
            Decided(metric.better, count, unit * chance.choice([0.5, 3])),
        )
        found = dose_response(
            "dropout.rate",
            "regularized",
            metric,
            base,
            {f"{value}": (value, of, judged[value]) for value, of in doses.items()},
        )
        for sentence in dose_sentences(found):
            DOSE.check(Doses(metric, base, doses, judged), sentence.replace("\N{NO-BREAK SPACE}", " "))
            said["beside the best" if "those at" in sentence else sentence[:14]] += 1
    begins = (
        "Of the ",
        "Validation",
        "On the test",
        "dropout",
        "It underfits",
        "It overfits",
        "beside the best",
        "On validation",
    )
    for begin in begins:
        assert any(words.startswith(begin) for words in said), begin


def made(chance: random.Random, count: int, test: float, strength: float, unit: float) -> OverSeeds:
    """A stronger technique fits the training set less and its validation loss rises less after its lowest."""
    seeds = range(count)
    lowest = 0.3 + 0.2 * strength**2
    return OverSeeds(
        {seed: test + unit * (math.sin(seed) + chance.gauss(0, 0.3)) for seed in seeds},
        {seed: test + unit * (math.sin(seed) + chance.gauss(0, 0.3)) for seed in seeds},
        {
            seed: KeptLosses(
                0.01 + 0.4 * strength + chance.gauss(0, 0.002),
                lowest * (1 + max(0.0, 0.4 - strength) + abs(chance.gauss(0, 0.01))),
                lowest,
            )
            for seed in seeds
        },
    )


def test_every_sentence_on_a_trend_is_as_the_seeds_have_it() -> None:
    chance = random.Random(4)
    said = Counter[str]()
    for _ in range(30):
        metric, unit = chance.choice([(ACCURACY, 1.0), (LOSS, 0.02)])
        key, values = chance.choice(
            [
                ("data.train_samples", [500.0, 1000, 4000]),
                ("train.epochs", [10.0, 60]),
                ("model.x", [1e-3, 0.5]),
            ]
        )
        arms = {
            arm: {
                value: {seed: unit * (begin + slope * place + chance.gauss(0, 0.5)) for seed in range(6)}
                for place, value in enumerate(values)
            }
            for arm in ("a", "b")[: chance.choice([1, 2])]
            for begin, slope in [chance.choice([(4, -1), (0, 2), (1, 0), (-1, 3), (-4, 1)])]
        }
        found = gains_over(
            key,
            metric,
            {
                arm: {value: Gain(value, judged(of, metric), None, None) for value, of in by_value.items()}
                for arm, by_value in arms.items()
            },
        )
        for sentence in gain_sentences(found, {}):
            GAIN.check(Trends(metric, key, arms), sentence.replace("\N{NO-BREAK SPACE}", " "))
            said.update(
                word for word in ("gain", "difference", "grows", "shrinks", "rises", "falls") if word in sentence
            )
    assert len(said) == 6, said


def judged(differences: Mapping[int, float], metric: Metric) -> Compared:
    pairs = {"": Pairs(dict.fromkeys(differences, 0.0), differences)}
    return compare(pairs, Decided(metric.better, len(differences)))[""]


def test_nothing_is_said_between_looks_and_where_no_trend_is_shown() -> None:
    early = {seed: 2.0 + 0.1 * seed for seed in range(5)}
    pairs = {"": Pairs(dict.fromkeys(early, 0.0), early)}
    (between,) = compare(pairs, Decided("higher", 12, looks=(7, 9, 12)), range(5)).values()
    assert between.call == "open"
    arms = {"a": (0.1, measured(91, 92), between), "b": (0.2, measured(91, 91), between)}
    assert dose_sentences(dose_response("dropout.rate", "regularized", ACCURACY, BASELINE, arms)) == []
    falling = {size: Gain(size, between, None, None) for size in FALLING}
    assert gain_sentences(gains_over("data.train_samples", ACCURACY, {"a": falling}), {}) == []
    flat = {size: gain(size, [1.0, 1.2, 0.9, 1.1 + size / 1e6]) for size in FALLING}
    assert gain_sentences(gains_over("data.train_samples", ACCURACY, {"a": flat}), {}) == []


def test_tables_have_a_row_for_each_value_and_a_dash_where_nothing_was_run() -> None:
    head, rows = dose_table(response(DOSES, BASELINE))
    assert [row[0] for row in rows] == ["baseline", "0.25", "0.5", "0.75"]
    assert {len(row) for row in rows} == {len(head)}
    sizes = {size: gain(size, of) for size, of in FALLING.items()}
    effects = EffectMap(
        "dropout.rate", "data.train_samples", [0.1, 0.5], [500.0, 1000.0],
        {(0.1, 500.0): sizes[500].difference, (0.5, 1000.0): sizes[1000].difference}, {}, ACCURACY,
    )  # fmt: skip
    assert map_table(effects)[1] == [["0.1", "+2.12", "–"], ["0.5", "–", "+1.18"]]
    assert effects.reach == pytest.approx(2.125)
