"""Means of runs that nothing joins: Welch's test, against scipy's."""

from __future__ import annotations

import pytest
from scipy import stats

from regtui.evidence.unpaired import welch


@pytest.mark.parametrize(
    ("baseline", "arm"),
    [
        ([27.5, 21.0, 19.0, 23.6, 17.0, 17.9], [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0]),
        ([1.0, 1.0, 1.1], [1.5, 1.7]),
        ([0.31, 0.29], [3.0, -4.0, 12.0]),
        ([1e-9, 2e-9, 1.5e-9], [3e-9, 2.5e-9, 4e-9]),
    ],
)
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_means_of_unpaired_runs_are_compared_as_scipy_does(
    baseline: list[float], arm: list[float], alpha: float
) -> None:
    expected = stats.ttest_ind(arm, baseline, equal_var=False)
    found = welch(baseline, arm, alpha)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(1 - alpha)), rel=1e-9)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.freedom == pytest.approx(expected.df)


@pytest.mark.parametrize(("baseline", "arm"), [([1.0], [2.0, 3.0]), ([1.0, 2.0], [2.5]), ([1.0, 1.0], [2.0, 2.0])])
def test_without_a_spread_there_is_a_difference_but_no_interval(baseline: list[float], arm: list[float]) -> None:
    found = welch(baseline, arm)
    assert found.difference == sum(arm) / len(arm) - sum(baseline) / len(baseline)
    assert (found.interval, found.p, found.freedom) == (None, None, None)
