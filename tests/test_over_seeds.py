"""Arms over several seeds: every number of a comparison against other computations, and what is called when."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from regtui.evidence.decided import Decided
from regtui.evidence.family import flips, simultaneous_level
from regtui.evidence.futility import after_look
from regtui.evidence.looks import LOOKS, LOOKS_LEVEL, level_at_looks
from regtui.evidence.over_seeds import Compared, Pairs, compare

PLAN = Decided("higher", 8)
SMALL_DATA = [1.32, 1.34, 1.21, 2.35, 1.91, 1.80, 0.42, 1.23]
"""Dropout minus baseline in points, eight seeds of the preset 'small-data'."""
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Fifteen pairs of cross- and self-fertilized maize, in eighths of an inch: R. A. Fisher, The Design of Experiments
(1935), sections 17 and 21; t = 2.148, and 863 of 32,768 sign vectors reach as far on one side."""


def pairs(differences: Sequence[float], level: float = 90.0, first: int = 0) -> Pairs:
    """A baseline that varies, and an arm with these differences to it."""
    baseline = {first + place: level + 0.25 * (place % 3) for place in range(len(differences))}
    return Pairs(baseline, {seed: baseline[seed] + d for seed, d in zip(baseline, differences, strict=True)})


def judged(differences: Sequence[float], decided: Decided | None = None) -> Compared:
    return compare({"arm": pairs(differences)}, decided or Decided("higher", len(differences)))["arm"]


def one_family(arms: int, seeds: int, seed: int, effect: float = 0.0, *, skewed: bool = False) -> dict[int, Pairs]:
    """Arms that share a baseline, all normal or all exponential with the same spread; the first arm has an effect."""
    random = np.random.default_rng(seed)
    values = random.standard_exponential((arms + 1, seeds)) if skewed else random.standard_normal((arms + 1, seeds))
    values[1] += effect * math.sqrt(2)
    return {arm: Pairs(dict(enumerate(values[0])), dict(enumerate(values[arm]))) for arm in range(1, arms + 1)}


# One comparison


@pytest.mark.parametrize("differences", [SMALL_DATA, [0.1, -0.4, 0.3], [3.0, 3.5], DARWIN], ids=len)
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_t_and_its_interval_are_scipys(differences: list[float], alpha: float) -> None:
    of = pairs(differences)
    expected = stats.ttest_rel(list(of.arm.values()), list(of.baseline.values()))
    found = compare({"arm": of}, Decided("higher", len(differences), alpha=alpha))["arm"]
    assert found.p_t == pytest.approx(expected.pvalue, rel=1e-6)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(1 - alpha)), rel=1e-6)
    assert (found.joint, found.p) == (found.interval, found.p_t)
    assert found.mean == pytest.approx(np.mean(differences))
    assert found.deviation == pytest.approx(np.std(differences, ddof=1))


@pytest.mark.parametrize("differences", [SMALL_DATA, [1.0, -1.0, 2.0, 2.0, 0.0, 1.0], [0.2, -0.1], DARWIN[:9]], ids=len)
def test_the_sign_flip_p_value_is_scipys_with_ties_counted(differences: list[float]) -> None:
    expected = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert judged(differences).p_flip == pytest.approx(expected.pvalue)


def test_fishers_example() -> None:
    found = judged(DARWIN)
    assert found.p_t is not None
    assert found.mean is not None
    assert found.deviation is not None
    assert found.mean / found.deviation * math.sqrt(15) == pytest.approx(2.148, abs=5e-4)
    assert found.p_flip == 2 * 863 / 32768
    assert (found.wins, found.ties) == (13, 0)
    assert found.disagree  # t says 0.0497, and sign-flip 0.0527


def test_more_seeds_than_can_be_enumerated_are_sampled() -> None:
    differences = np.random.default_rng(3).normal(0.4, 1, 26)
    found = judged(list(differences))
    resampled = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=50_000, random_state=1
    )
    assert found.p_flip == pytest.approx(resampled.pvalue, abs=0.01)
    assert judged([1.0 + d / 10 for d in differences]).p_flip == pytest.approx(2**-15)  # never 0


def test_what_pairing_gained_and_who_won() -> None:
    baseline, arm = [90.0, 91.0, 93.0, 92.0, 95.0], [91.0, 91.5, 92.5, 92.0, 96.0]
    found = compare({0: Pairs(dict(enumerate(baseline)), dict(enumerate(arm)))}, Decided("lower", 5))[0]
    assert found.correlation == pytest.approx(np.corrcoef(baseline, arm)[0, 1])
    differences = np.subtract(arm, baseline)
    assert found.gain == pytest.approx((np.var(baseline) + np.var(arm)) / np.var(differences))
    assert (found.wins, found.ties) == (1, 1)
    constant = compare({0: Pairs(dict.fromkeys(range(5), 1.0), dict(enumerate(arm)))}, Decided("lower", 5))[0]
    assert constant.correlation is None
    assert constant.gain == pytest.approx(1)


def test_seeds_are_joined_by_what_they_are() -> None:
    of = pairs(SMALL_DATA)
    shuffled = Pairs(
        dict(reversed(list(of.baseline.items()))), {**dict(sorted(of.arm.items(), key=lambda x: x[1])), 99: 0.0}
    )
    found, expected = compare({0: shuffled}, PLAN)[0], compare({0: of}, PLAN)[0]
    assert found == expected
    assert list(found.differences) == list(range(8))
    broken = Pairs({**of.baseline, 8: math.nan, 9: 1.0}, {**of.arm, 8: 1.0, 9: -math.inf})
    assert compare({0: broken}, PLAN)[0] == expected


# Calls


def test_calls_of_one_comparison() -> None:
    assert judged(SMALL_DATA).call == "helps"
    assert judged(SMALL_DATA, Decided("lower", 8)).call == "hurts"
    assert judged([-d for d in SMALL_DATA], Decided("lower", 8)).call == "helps"
    assert judged([0.1, -0.3, 0.4, -0.2, 0.1, 0.3]).call == "inconclusive"
    assert judged([0.1, -0.3, 0.4, -0.2, 0.1, 0.3], Decided("higher", 6, smallest=0.5)).call == "no difference"


def test_a_difference_may_be_shown_and_still_not_matter() -> None:
    found = judged([0.1, 0.11, 0.12, 0.1, 0.13, 0.1], Decided("higher", 6, smallest=0.5))
    assert (found.call, found.shown) == ("no difference", True)
    assert not judged([0.1, -0.1, 0.12, -0.1, 0.03, 0.1], Decided("higher", 6, smallest=0.5)).shown


@pytest.mark.parametrize("smallest", [0.9, 1.0, 1.9309, 1.94, 2.5])
def test_no_difference_is_two_one_sided_tests(smallest: float) -> None:
    of = pairs(SMALL_DATA)
    p, *_ = ttost_paired(np.array(list(of.arm.values())), np.array(list(of.baseline.values())), -smallest, smallest)
    is_inside = compare({0: of}, Decided("higher", 8, smallest=smallest))[0].call == "no difference"
    assert is_inside == (p < 0.025)


def test_no_seed_one_seed_and_two() -> None:
    none, one = judged([]), judged([0.4])
    assert (none.mean, none.deviation, none.call, none.p) == (None, None, "none", None)
    assert one.mean == pytest.approx(0.4)
    assert (one.deviation, one.interval, one.p_flip, one.call) == (None, None, None, "none")
    two = judged([0.4, 0.5])
    assert two.p_flip == 0.5
    assert two.interval is not None
    assert two.correlation is None
    assert two.call == "inconclusive"
    assert compare({}, PLAN) == {}


def test_equal_differences_have_no_interval_and_are_called_by_their_signs() -> None:
    few, more = judged([0.5] * 5), judged([0.5] * 6)
    assert (few.interval, few.joint, few.p_t, few.deviation, few.gain) == (None, None, None, 0.0, None)
    assert (few.call, few.needed, few.p) == ("inconclusive", 6, 0.0625)
    assert (more.call, more.p) == ("helps", 0.03125)
    assert judged([0.3] * 6, Decided("higher", 6, smallest=0.5)).call == "no difference"


def test_an_arm_that_is_the_baseline_makes_no_difference_however_it_is_counted() -> None:
    same = judged([0.0] * 8)
    assert (same.p, same.shown, same.ties, same.call, same.needed) == (1.0, False, 8, "inconclusive", None)
    assert judged([0.0] * 8, Decided("higher", 8, smallest=0.5)).call == "no difference"
    assert judged([0.0] * 2, Decided("higher", 2, smallest=0.5)).call == "inconclusive"
    rounded = Pairs(dict.fromkeys(range(8), 0.1 + 0.2), dict.fromkeys(range(8), 0.3))
    assert compare({0: rounded}, PLAN)[0].ties == 8
    beside = {"same": pairs([0.0] * 8), "arm": pairs(SMALL_DATA)}
    found = compare(beside, PLAN)
    assert (found["arm"].call, found["same"].call, found["same"].p) == ("helps", "inconclusive", 1.0)


def test_a_study_is_open_until_its_seeds_or_a_look() -> None:
    of = {0: pairs(SMALL_DATA)}
    assert compare(of, PLAN, range(7))[0].call == "open"
    assert len(compare(of, PLAN, range(7))[0].differences) == 7
    assert compare(of, PLAN, range(8))[0].call == "helps"
    looks = Decided("higher", 12, looks=LOOKS)
    calls = [compare(of, looks, range(done))[0].call for done in range(9)]
    assert calls == ["none", "none", *["open"] * 5, "helps", "open"]
    spoiled = {0: Pairs(of[0].baseline, {seed: value for seed, value in of[0].arm.items() if seed != 3})}
    assert compare(spoiled, looks, range(7))[0].call != "open"  # one of seven was left out, the look is the same


def test_needed_seeds_reach_the_power_that_they_promise() -> None:
    found = judged([0.5, -0.2, 0.9, 0.1, 0.4, -0.3])
    assert found.call == "inconclusive"
    assert found.needed is not None
    assert found.mean is not None
    assert found.deviation is not None
    drawn = np.random.default_rng(1).normal(found.mean, found.deviation, (20_000, found.needed))
    p = stats.ttest_1samp(drawn, 0, axis=1).pvalue
    assert np.mean(p <= 0.05) == pytest.approx(0.8, abs=0.03)
    narrow = judged([0.05, -0.25, 0.3, -0.1, 0.2, -0.3], Decided("higher", 6, smallest=0.25))
    assert narrow.call == "inconclusive"
    assert narrow.needed is not None
    without = judged([0.05, -0.25, 0.3, -0.1, 0.2, -0.3])
    assert without.needed is None or narrow.needed < without.needed


# Several


def test_step_down_max_t_is_what_it_is_defined_as() -> None:
    """Against loops over all sign vectors and all steps, with t itself."""
    family = one_family(4, 7, 5, 1.5)
    differences = {k: np.subtract(list(p.arm.values()), list(p.baseline.values())) for k, p in family.items()}

    def t(values: np.ndarray) -> float:
        return abs(float(np.mean(values) / np.std(values, ddof=1)))

    order = sorted(differences, key=lambda key: -t(differences[key]))
    expected: dict[int, float] = {}
    for place, key in enumerate(order):
        reached = [
            max(t(differences[other] * signs) for other in order[place:]) >= t(differences[key]) - 1e-9
            for signs in itertools.product((1, -1), repeat=7)
        ]
        expected[key] = max([float(np.mean(reached)), *expected.values()])
    found = compare(family, Decided("higher", 7))
    assert {key: one.p_joint for key, one in found.items()} == pytest.approx(expected)
    assert all(one.p == one.p_joint for one in found.values())
    assert all(one.p_joint >= one.p_flip for one in found.values() if one.p_joint and one.p_flip)


def test_a_real_effect_can_be_called_however_many_arms_stand_beside_it() -> None:
    found = compare(one_family(30, 8, 2, 8.0), PLAN)[1]
    assert found.p_joint == 2 / 2**8
    assert found.call == "helps"


def test_a_comparison_with_few_seeds_hides_no_other() -> None:
    lone = {0: pairs([1.0, 1.01], first=3), 1: pairs(SMALL_DATA), 2: pairs([0.3, -0.2, 0.4, 0.1, -0.5, 0.2, 0.1, -0.1])}
    found = compare(lone, PLAN)
    assert (found[1].p_joint, found[1].call) == (2 / 2**8, "helps")
    assert found[0].p_flip == 0.5
    assert len(found[0].differences) == 2
    with_one = compare({**lone, 3: pairs([4.0]), 4: pairs([])}, PLAN)
    assert with_one[1] == found[1]
    assert [with_one[key].call for key in (3, 4)] == ["none", "none"]


def test_a_seed_that_one_comparison_misses_contributes_nothing_to_it() -> None:
    whole = {0: dict(enumerate(SMALL_DATA)), 1: dict(enumerate(SMALL_DATA[::-1]))}
    part = {0: whole[0], 1: {seed: value for seed, value in whole[1].items() if seed != 2}}
    single, adjusted = flips(part)
    alone, _ = flips({1: part[1]})
    assert single[1] == alone[1] == 2 / 2**7
    assert adjusted[0] >= 2 / 2**8


def test_joint_intervals_lie_between_each_alone_and_bonferronis() -> None:
    for arms in (2, 5, 15):
        found = compare(one_family(arms, 8, arms), PLAN)
        for one in found.values():
            assert one.interval
            assert one.joint
            assert one.joint[0] < one.interval[0] < one.interval[1] < one.joint[1]
            assert 0.05 / arms <= one.together < 0.05
    twice = {0: dict(enumerate(SMALL_DATA)), 1: {seed: 2 * value for seed, value in enumerate(SMALL_DATA)}}
    assert simultaneous_level(twice, 0.05) == pytest.approx(0.05, abs=0.006)  # the same comparison once more


@pytest.mark.parametrize(("alpha", "looks"), [(0.05, (6, 9, 12)), (0.1, (4, 8))])
def test_the_level_at_looks_keeps_alpha(alpha: float, looks: tuple[int, ...]) -> None:
    found = level_at_looks(alpha, looks)
    values = np.random.default_rng(4).standard_normal((30_000, looks[-1]))
    reached = [stats.ttest_1samp(values[:, :look], 0, axis=1).pvalue <= found for look in looks]
    assert np.any(reached, axis=0).mean() == pytest.approx(alpha, abs=0.006)


def test_the_planned_looks_have_their_level_and_their_intervals() -> None:
    decided = Decided("higher", 12, looks=LOOKS)
    assert decided.level == LOOKS_LEVEL
    assert Decided("higher", 12, alpha=0.01, looks=LOOKS).level < 0.01
    found = judged([*SMALL_DATA, 1.0], decided)
    expected = stats.ttest_1samp([*SMALL_DATA, 1.0], 0).confidence_interval(1 - LOOKS_LEVEL)
    assert found.joint == pytest.approx(tuple(expected))
    assert found.p == found.p_joint == found.p_flip  # at looks the signs decide


# After a look


def states(differences: Sequence[float], decided: Decided, look: int) -> str:
    return after_look(compare({0: pairs(differences)}, decided, range(look)), decided, look)


def test_a_study_ends_at_a_look_where_all_is_called_or_nothing_more_can_be() -> None:
    looks = Decided("higher", 12, looks=LOOKS)
    assert states(SMALL_DATA, looks, 7) == "decided"
    assert states(SMALL_DATA, looks, 8) == "go on"
    assert states([0.5, -0.2, 0.9, 0.3, 0.4, -0.3, 0.6], looks, 7) == "go on"
    assert states([0.5, -0.4, 0.3, -0.3, 0.1, -0.2, 0.02, -0.3, 0.3], looks, 9) == "futile"
    wide = Decided("higher", 12, smallest=0.45, looks=LOOKS)
    assert states([0.5, -0.4, 0.3, -0.3, 0.1, -0.2, 0.02, -0.3, 0.3], wide, 9) in ("decided", "go on")
    both = {0: pairs(SMALL_DATA), 1: pairs([0.5, -0.4, 0.3, -0.3, 0.1, -0.2, 0.02])}
    assert after_look(compare(both, looks, range(7)), looks, 7) in ("go on", "futile")
    gone = {0: pairs(SMALL_DATA), 1: pairs([])}
    assert after_look(compare(gone, looks, range(7)), looks, 7) == "futile"  # an arm that always diverged
    assert states([0.0] * 7, looks, 7) == "futile"


def test_the_same_results_give_the_same_numbers() -> None:
    family = one_family(5, 9, 1)
    decided = Decided("higher", 12, 0.2, looks=LOOKS)
    assert compare(family, decided, range(9)) == compare(family, decided, range(9))


# Whole studies


def false_calls(studies: int, arms: int, decided: Decided, *, skewed: bool = False) -> float:
    """The share of studies without any difference that call one, at any look."""
    looks = decided.looks or (decided.seeds,)

    def calls(family: Mapping[int, Pairs], look: int) -> bool:
        if arms > 1 or decided.looks:  # what max-T does not find is not called: that is quick to see
            seen = {key: {seed: of.arm[seed] - of.baseline[seed] for seed in range(look)} for key, of in family.items()}
            if min(flips(seen)[1].values()) > decided.level:
                return False
        return any(found.call in ("helps", "hurts") for found in compare(family, decided, range(look)).values())

    families = (one_family(arms, decided.seeds, 10_000 * arms + study, skewed=skewed) for study in range(studies))
    return float(np.mean([any(calls(family, look) for look in looks) for family in families]))


def until_called(studies: int, arms: int, decided: Decided, effect: float, seed: int) -> tuple[float, float]:
    """The share of studies that call the one real effect, and the mean number of seeds when they do, or of all."""
    seeds = []
    for study in range(studies):
        family = one_family(arms, decided.seeds, 1000 * seed + study, effect)
        looks = decided.looks or (decided.seeds,)
        found = (look for look in looks if compare(family, decided, range(look))[1].call == "helps")
        seeds.append(next(found, math.inf))
    known = np.array(seeds)
    return float(np.isfinite(known).mean()), float(np.minimum(known, decided.seeds).mean())


WITH_LOOKS = Decided("higher", 12, looks=LOOKS)


@pytest.mark.parametrize("decided", [PLAN, WITH_LOOKS], ids=["fixed", "looks"])
@pytest.mark.parametrize("arms", [1, 5, 15])
@pytest.mark.parametrize("studies", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_studies_without_a_difference_call_one_at_most_as_often_as_planned(
    studies: int, arms: int, decided: Decided
) -> None:
    error = math.sqrt(0.05 * 0.95 / studies)
    assert false_calls(studies, arms, decided) <= 0.05 + 3 * error


@pytest.mark.parametrize("studies", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_skewed_values_call_no_more_where_an_arm_changes_nothing(studies: int) -> None:
    """Arm and baseline then have one distribution, so that their difference is as likely to have either sign."""
    error = math.sqrt(0.05 * 0.95 / studies)
    assert false_calls(studies, 3, PLAN, skewed=True) <= 0.05 + 3 * error
    assert false_calls(studies, 1, PLAN, skewed=True) <= 0.05 + 3 * error


@pytest.mark.parametrize(
    ("decided", "studies"),
    [
        (PLAN, 12),
        pytest.param(PLAN, 120, marks=pytest.mark.slow),
        pytest.param(WITH_LOOKS, 500, marks=pytest.mark.soak),
    ],
)
def test_a_real_effect_among_fifteen_arms_is_called(decided: Decided, studies: int) -> None:
    found, _ = until_called(studies, 15, decided, 2.5, 3)
    assert found >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / studies)


@pytest.mark.parametrize("effect", [2.0, 2.5])
@pytest.mark.parametrize("studies", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_looks_spare_seeds_where_the_effect_is_large(studies: int, effect: float) -> None:
    found, seeds = until_called(studies, 1, WITH_LOOKS, effect, 5)
    assert found > 0.95
    assert seeds <= 0.7 * 12


@pytest.mark.parametrize("seeds", [2, 3, 8])
def test_comparisons_that_are_the_same_hold_together_as_one_does(seeds: int) -> None:
    differences = {seed: 1.0 + 0.1 * seed for seed in range(seeds)}
    level = simultaneous_level({"one": differences, "two": differences}, 0.05)
    assert 0.04 < level <= 0.05


@pytest.mark.parametrize(
    "decided",
    [
        pytest.param(PLAN, marks=pytest.mark.slow, id="fixed"),
        pytest.param(WITH_LOOKS, marks=pytest.mark.soak, id="looks"),
    ],
)
def test_joint_intervals_hold_together_and_at_all_looks(decided: Decided) -> None:
    studies, hold = 250, 0
    for study in range(studies):
        family = one_family(5, decided.seeds, 90_000 + study)
        found = [one for look in decided.looks or (8,) for one in compare(family, decided, range(look)).values()]
        hold += all(one.joint is not None and one.joint[0] <= 0 <= one.joint[1] for one in found)
    assert hold / studies >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / studies)
