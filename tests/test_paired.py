"""The statistics of one run against published figures, scipy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from regtui.tasks.comparison import RightWrong

# Complete response before and after consolidation therapy (Cavo et al., 2012), the worked example of chapter 8 in
# Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables (2017); their R package `contingencytables`
# prints the figures below. "After" stands for the baseline here, since 16 − 6 made their difference negative.
CAVO = RightWrong(both_right=59, only_baseline=16, only_arm=6, both_wrong=80)

TABLES = [
    CAVO,
    RightWrong(9_712, 49, 90, 149),
    RightWrong(9_700, 80, 80, 140),
    RightWrong(36, 2, 12, 0),
    RightWrong(1, 7, 1, 12),
    RightWrong(0, 0, 0, 5),
    RightWrong(5, 0, 0, 0),
    RightWrong(0, 0, 1, 0),
    RightWrong(1, 0, 0, 0),
    RightWrong(0, 0, 30, 0),
    RightWrong(0, 15, 15, 0),
]


def swapped(table: RightWrong) -> RightWrong:
    return RightWrong(table.both_right, table.only_arm, table.only_baseline, table.both_wrong)


def test_total_and_difference_are_those_of_the_two_accuracies() -> None:
    table = RightWrong(9_712, 49, 90, 149)
    assert table.total == 10_000
    assert table.difference == pytest.approx((9_712 + 90) / 10_000 - (9_712 + 49) / 10_000)


def test_published_figures() -> None:
    assert CAVO.p_value() == pytest.approx(0.052479, abs=5e-7)
    assert CAVO.interval() == pytest.approx((-0.1240, -0.0054), abs=5e-5)


@pytest.mark.parametrize("table", [*TABLES, RightWrong(0, 3_000, 3_200, 0), RightWrong(0, 10, 4_000, 0)])
def test_mcnemar_agrees_with_scipy(table: RightWrong) -> None:
    discordant = table.only_baseline + table.only_arm
    expected = binomtest(table.only_arm, discordant, 0.5).pvalue if discordant else 1.0
    assert table.p_value() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("table", TABLES)
def test_interval_contains_the_difference_and_stays_in_range(table: RightWrong) -> None:
    low, high = table.interval()
    assert -1 <= low <= table.difference <= high <= 1
    assert low < high


@pytest.mark.parametrize("table", TABLES)
def test_swapping_the_arms_mirrors_both_results(table: RightWrong) -> None:
    low, high = table.interval()
    assert swapped(table).interval() == pytest.approx((-high, -low), abs=1e-12)
    assert swapped(table).p_value() == table.p_value()


@pytest.mark.parametrize("table", TABLES)
def test_more_confidence_is_a_wider_interval(table: RightWrong) -> None:
    low, high = table.interval(confidence=0.95)
    lower, higher = table.interval(confidence=0.99)
    assert lower < low or low == -1
    assert higher > high or high == 1


@pytest.mark.parametrize("n", [1, 10, 10_000])
def test_without_a_discordant_image_the_interval_is_the_closed_form(n: int) -> None:
    z_squared = 1.959963984540054**2
    half_width = z_squared / (n + z_squared)  # the score inequality with b = c = 0, solved by hand
    assert RightWrong(n, 0, 0, 0).interval() == pytest.approx((-half_width, half_width), abs=1e-9)


def test_all_images_discordant_for_one_arm_reaches_the_end_of_the_range() -> None:
    low, high = RightWrong(0, 0, 30, 0).interval()
    assert high == 1
    assert 0.5 < low < 1


@pytest.mark.parametrize(
    ("n", "only_baseline", "only_arm"),
    [
        (10_000, 0.005, 0.005),
        (10_000, 0.005, 0.009),
        (10_000, 0.010, 0.020),
        (1_000, 0.010, 0.020),
        (200, 0.05, 0.05),
        (50, 0.10, 0.20),
    ],
)
def test_the_interval_covers_the_true_difference_about_95_times_in_100(
    n: int, only_baseline: float, only_arm: float
) -> None:
    truth = only_arm - only_baseline
    concordant = 1 - only_baseline - only_arm
    draws = np.random.default_rng(0).multinomial(n, [concordant, only_baseline, only_arm], size=4_000)
    covered = 0
    # Equal draws are counted together: with few discordant images the same table comes up again and again.
    tables, counts = np.unique(draws, axis=0, return_counts=True)
    for (same, baseline, regularized), count in zip(tables.tolist(), counts.tolist(), strict=True):
        low, high = RightWrong(same, baseline, regularized, 0).interval()
        covered += count * (low <= truth <= high)
    assert 0.93 <= covered / len(draws) <= 0.975


def test_under_no_difference_the_exact_test_rejects_at_most_5_times_in_100() -> None:
    counts = np.random.default_rng(0).multinomial(10_000, [0.98, 0.01, 0.01], size=4_000).tolist()
    rejected = sum(RightWrong(same, baseline, other, 0).p_value() < 0.05 for same, baseline, other in counts)
    assert rejected / len(counts) <= 0.05
