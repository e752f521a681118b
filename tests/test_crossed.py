"""New seeds and new examples: mean squares of a published table, and how often the interval holds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from regtui.evidence.crossed import crossed

RATINGS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
"""Six targets rated by four judges: P. E. Shrout and J. L. Fleiss, Psychological Bulletin 86 (1979) 420-428, table 2;
their table 3 has the mean squares 11.24 between targets, 32.49 between judges and 1.02 for the rest."""


def simulated(random: np.random.Generator, seeds: int, examples: int, of_seed: float, of_example: float) -> np.ndarray:
    """Differences −1, 0 and 1 with a true mean of 0: arms are right where a latent value exceeds a limit."""
    shift = of_seed * random.standard_normal((seeds, 1)) + of_example * random.standard_normal(examples)
    drawn = random.random((seeds, examples))
    return np.where(drawn < 0.04 * np.exp(shift), 1, 0) - np.where(drawn > 1 - 0.04 * np.exp(-shift), 1, 0)


def holds(studies: int, seeds: int, examples: int, of_seed: float, of_example: float) -> tuple[float, float]:
    """How often the interval for both scopes holds the true mean, and how often that for these examples does."""
    random = np.random.default_rng(8)
    both, these = 0, 0
    for _ in range(studies):
        differences = simulated(random, seeds, examples, of_seed, of_example)
        found = crossed(differences)
        assert found is not None
        both += found.interval[0] <= 0 <= found.interval[1]
        low, high = stats.ttest_1samp(differences.mean(axis=1), 0).confidence_interval()
        these += low <= 0 <= high
        assert found.interval[0] <= low + 1e-12
        assert high - 1e-12 <= found.interval[1]
    return both / studies, these / studies


def test_mean_squares_and_interval_of_a_published_table() -> None:
    found = crossed(RATINGS)
    assert found is not None
    assert (found.of_seeds, found.of_examples, found.of_rest) == pytest.approx((11.24, 32.49, 1.02), abs=0.005)
    assert found.mean == pytest.approx(np.mean(RATINGS))
    total = 11.2417 + 32.4861 - 1.0194
    assert found.error == pytest.approx(math.sqrt(total / 24), rel=1e-4)
    assert found.freedom == pytest.approx(total**2 / (11.2417**2 / 5 + 32.4861**2 / 3 + 1.0194**2 / 15), rel=1e-4)
    expected = stats.t.interval(0.95, found.freedom, found.mean, found.error)
    assert found.interval == pytest.approx(tuple(expected))


def test_seeds_are_read_one_at_a_time() -> None:
    read: list[int] = []

    def rows() -> object:
        for place, row in enumerate(RATINGS):
            read.append(place)
            yield np.array(row)

    assert crossed(rows()) == crossed(RATINGS)  # type: ignore[arg-type]
    assert read == list(range(6))


def test_no_variance_is_negative() -> None:
    alternating = [[1, -1, 1, -1], [-1, 1, -1, 1], [1, -1, 1, -1], [-1, 1, -1, 1]]
    found = crossed(alternating)  # seeds and examples vary less than the rest
    assert found is not None
    assert found.of_seeds == 0 == found.of_examples
    assert found.error == pytest.approx(math.sqrt(found.of_rest / 16))


@pytest.mark.parametrize("rows", [[], [[1, 0, 1]], [[1], [0]], [[], []], [[0.1] * 3] * 4, [[1, math.nan], [0, 1]]])
def test_without_a_spread_there_is_no_interval(rows: list[list[float]]) -> None:
    assert crossed(rows) is None


def test_other_numbers_of_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="different numbers"):
        crossed([[1, 0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("studies", "seeds", "examples"),
    [
        (150, 8, 500),
        pytest.param(500, 8, 500, marks=pytest.mark.slow),
        pytest.param(500, 5, 2000, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(("of_seed", "of_example"), [(0.02, 0.8), (0.3, 0.8), (0.3, 0.0)])
def test_the_interval_holds_as_often_as_it_says(
    studies: int, seeds: int, examples: int, of_seed: float, of_example: float
) -> None:
    both, these = holds(studies, seeds, examples, of_seed, of_example)
    assert both >= these
    assert both >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / studies)
