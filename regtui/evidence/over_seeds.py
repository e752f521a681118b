"""Arms against a baseline over several seeds, paired by seed: the numbers a study's verdict is made of.

All differences are the arm's value minus the baseline's, in the unit in which people read the quantity: accuracies in
percentage points, losses as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Call = Literal["helps", "hurts", "no difference", "inconclusive", "open", "none"]
"""What a comparison comes to; "no difference" means none that matters, "open" that the study is between two looks,
"none" that there are fewer than two seeds."""
Interval = tuple[float, float]


@dataclass(frozen=True)
class Decided:
    """What was decided on before the first run.

    Attributes:
        better: Whether higher or lower values of the quantity are better.
        seeds: How many were planned.
        smallest: The smallest difference that matters, positive; None where nobody said.
        alpha: The share of studies without any difference that may call one.
        looks: Numbers of seeds at which a call may be made, the last being all; empty for one look at the end.
    """

    better: Literal["higher", "lower"]
    seeds: int
    smallest: float | None = None
    alpha: float = 0.05
    looks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Pairs:
    """One arm and the baseline in one quantity: the value of each seed. A seed that only one has does not count."""

    baseline: Mapping[int, float]
    arm: Mapping[int, float]


@dataclass(frozen=True)
class Compared:
    """One arm against the baseline over seeds, in one quantity.

    Attributes:
        differences: By seed, in the order of the seeds.
        mean: Of the differences.
        deviation: Their standard deviation, with n − 1 in the denominator.
        interval: Student's t interval at 1 − alpha for the mean of this comparison alone; None where there is none.
        joint: The interval that holds for all comparisons of the family together and at each planned look; equal to
            `interval` where there is one comparison and no look.
        p_t: Student's two-sided p-value.
        p_flip: The exact sign-flip p-value of this comparison alone.
        p_joint: Adjusted for the family by step-down max-T; that of the decision where there are several arms or looks.
        wins: Seeds for which the arm is better.
        ties: Seeds for which both are equal.
        correlation: Of the arm's values with the baseline's, over seeds; None where one does not vary.
        gain: How many times larger the variance of the difference would be without pairing.
        call: What it comes to.
        needed: Where it is inconclusive, how many seeds would probably be needed, at 80 % power for a difference as
            large as the mean, or to call it no difference that matters, whichever is fewer; None where not known.
        disagree: Whether t and sign-flip fall on different sides of alpha.
    """

    differences: Mapping[int, float]
    mean: float
    deviation: float
    interval: Interval | None
    joint: Interval | None
    p_t: float | None
    p_flip: float | None
    p_joint: float | None
    wins: int
    ties: int
    correlation: float | None
    gain: float | None
    call: Call
    needed: int | None
    disagree: bool
