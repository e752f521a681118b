"""What seeds can find: against statsmodels, against simulated studies, and in words."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from regtui.evidence.decided import Decided
from regtui.evidence.looks import LOOKS
from regtui.evidence.over_seeds import Pairs, compare
from regtui.evidence.power import joint_level, reach
from regtui.evidence.t_power import (
    MOST_SEEDS,
    power_to_exclude,
    power_to_find,
    seeds_for_flips,
    seeds_to_exclude,
    seeds_to_find,
)


@pytest.mark.parametrize("seeds", [2, 3, 5, 8, 12, 30, 300])
@pytest.mark.parametrize("effect", [0.1, 0.5, -1.0, 2.5])
@pytest.mark.parametrize("level", [0.05, 0.0227])
def test_power_is_that_of_statsmodels(seeds: int, effect: float, level: float) -> None:
    expected = TTestPower().power(abs(effect), seeds, level / 2, alternative="larger")
    assert power_to_find(effect, seeds, level) == pytest.approx(expected, abs=2e-4)


def test_large_effects_have_a_power_too() -> None:
    assert power_to_find(50, 10, 0.05) == power_to_find(13, 100, 0.001) == 1.0


@pytest.mark.parametrize(
    ("seeds", "effect"), [(5, 1.69), (6, 1.44), (8, 1.16), (10, 1.00), (12, 0.89), (20, 0.66), (29, 0.54)]
)
def test_the_smallest_effect_is_that_of_statsmodels(seeds: int, effect: float) -> None:
    found = reach(Decided("higher", seeds))
    expected = TTestPower().solve_power(nobs=seeds, alpha=0.05, power=0.8)
    assert expected == pytest.approx(effect, abs=0.01)
    assert found.effect == pytest.approx(expected, rel=0.006)
    assert (found.least, found.comparisons) == (None, 1)


@pytest.mark.parametrize(("mean", "level"), [(2.5, 0.05), (1.0, 0.05), (0.5, 0.05), (0.5, 0.01), (0.1, 0.05)])
def test_the_fewest_seeds_are_those_of_statsmodels(mean: float, level: float) -> None:
    expected = TTestPower().solve_power(effect_size=mean, alpha=level, power=0.8)
    assert seeds_to_find(-mean, level) == math.ceil(expected)
    assert seeds_to_find(0.001, level) is None


@pytest.mark.parametrize(("seeds", "rope", "power"), [(6, 2.0, 0.94), (8, 1.5, 0.90), (12, 1.0, 0.76), (20, 1.0, 0.98)])
def test_how_often_no_difference_is_called(seeds: int, rope: float, power: float) -> None:
    assert power_to_exclude(0, rope, seeds, 0.05) == pytest.approx(power, abs=0.01)
    for effect in (0.0, 0.4):
        drawn = np.random.default_rng(2).normal(effect, 1, (20_000, seeds))
        interval = stats.ttest_1samp(drawn, 0, axis=1).confidence_interval()
        simulated = np.mean((interval.low > -rope) & (interval.high < rope))
        assert power_to_exclude(effect, rope, seeds, 0.05) == pytest.approx(simulated, abs=0.012)


def test_the_fewest_seeds_to_exclude_what_matters() -> None:
    found = seeds_to_exclude(0.2, 0.8, 0.05)
    assert found is not None
    assert power_to_exclude(0.2, 0.8, found, 0.05) >= 0.8 > power_to_exclude(0.2, 0.8, found - 1, 0.05)
    assert seeds_to_exclude(0.8, 0.8, 0.05) is None
    assert seeds_to_exclude(0.0, 0.01, 0.05) is None


@pytest.mark.parametrize(("level", "seeds"), [(0.05, 6), (0.0227, 8), (0.03125, 6), (0.0156, 8), (0.01, 8)])
def test_sign_flip_needs_so_many_seeds(level: float, seeds: int) -> None:
    fewest = seeds_for_flips(level)
    assert 2 / 2**fewest <= level < 2 / 2 ** (fewest - 1)
    assert fewest <= seeds


def called(decided: Decided, arms: int, effect: float, studies: int) -> float:
    """The share of simulated studies that call the one real effect, by the rule itself."""
    random = np.random.default_rng(11)
    found = 0
    for _ in range(studies):
        values = random.standard_normal((arms + 1, decided.seeds))
        values[1] += effect * math.sqrt(2)
        family = {arm: Pairs(dict(enumerate(values[0])), dict(enumerate(values[arm]))) for arm in range(1, arms + 1)}
        looks = decided.looks or (decided.seeds,)
        found += any(compare(family, decided, range(look))[1].call == "helps" for look in looks)
    return found / studies


@pytest.mark.parametrize(
    ("decided", "arms", "studies"),
    [
        (Decided("higher", 8), 3, 50),
        pytest.param(Decided("higher", 6), 3, 200, marks=pytest.mark.slow),
        pytest.param(Decided("higher", 8), 15, 100, marks=pytest.mark.slow),
        pytest.param(Decided("higher", 12, looks=LOOKS), 1, 200, marks=pytest.mark.slow),
        pytest.param(Decided("higher", 12, looks=LOOKS), 5, 100, marks=pytest.mark.slow),
    ],
)
def test_the_effect_is_found_with_its_power_by_the_rule_itself(decided: Decided, arms: int, studies: int) -> None:
    effect = reach(decided, arms).effect
    assert effect is not None
    error = math.sqrt(0.8 * 0.2 / studies) + math.sqrt(0.8 * 0.2 / 400)
    assert called(decided, arms, effect, studies) == pytest.approx(0.8, abs=3 * error)


def test_more_comparisons_and_looks_find_less() -> None:
    effects = [reach(Decided("higher", 8), arms) for arms in (1, 2, 5)]
    for fewer, more in itertools.pairwise(effects):
        assert fewer.effect
        assert more.effect
        assert fewer.rope
        assert more.rope
        assert fewer.effect < more.effect
        assert fewer.rope < more.rope
    for arms in (2, 15):
        assert 0.05 / arms * 0.95 < joint_level(0.05, 8, arms) < 0.05
    assert reach(Decided("higher", 12, looks=LOOKS)).effect > reach(Decided("higher", 12)).effect  # type: ignore[operator]


def test_too_few_seeds_can_show_nothing() -> None:
    strict = reach(Decided("higher", 2, alpha=0.001))
    assert strict.sentence() == "2 seeds can't show a difference, however large it is; 3 or more can."
    found = reach(Decided("higher", 5), 3)
    assert (found.effect, found.least) == (None, 6)
    assert (
        found.sentence()
        == "5 seeds can't show a difference in any of 3 comparisons, however large it is; 6 or more can."
    )


def test_what_can_be_found_in_words() -> None:
    unknown = reach(Decided("higher", 8, smallest=0.5))
    assert unknown.sentence() == (
        "With 80 % power 8 seeds find a difference of 1.2 or more, and call a true difference of 0 too small to matter "
        "where 1.3 or more matters, in standard deviations of the differences over seeds, which no earlier run tells."
    )
    known = reach(Decided("higher", 8, smallest=0.5), 2, spread=0.58)
    assert known.effect is not None
    assert known.rope is not None
    told = [float(part) for part in re.findall(r"(\d+\.\d+) points", known.sentence(" points"))]
    assert told == pytest.approx([known.effect * 0.58, known.rope * 0.58, 0.58, 0.5], abs=0.005)
    assert known.sentence(" points").endswith(f"Where 0.50 points matters, that takes about {known.needed} seeds.")
    assert "that takes" not in reach(Decided("higher", 30, smallest=0.5), 2, spread=0.58).sentence(" points")
    hopeless = reach(Decided("higher", 8, smallest=0.001), spread=1.0)
    assert hopeless.needed is None
    assert f"more than {MOST_SEEDS:,} seeds" in hopeless.sentence()
