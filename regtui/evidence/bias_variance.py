"""Bias and variance: how the error of a network, trained on many training sets, is made up.

The training sets are those of a study that resamples them; with each comes its own seed, so that variance here is over
training sets, initial weights and the order of batches together. There is one label for each test example: noise in the
labels can't be told from bias and is part of it.

Squared error, of probabilities (Brier) or of values, for one example with target y and predictions p₁ … p_S:

    mean over s of ‖p_s − y‖²  =  ‖p̄ − y‖²  +  mean over s of ‖p_s − p̄‖²
    expected squared error     =  bias²     +  variance

where y is the vector with a 1 for the right class, and p̄ the mean prediction. It holds exactly for each example and for
the mean over examples. Both terms on the right are estimates from S sets: p̄ still varies by variance/S, which the first
term has too much and the second too little. With v = S/(S − 1) · variance the corrected bias² − v/S and v are unbiased,
and have the same sum; a bias of almost 0 may then come out slightly negative.

0-1 loss, for one example with right class y and predicted classes: the main prediction is the most frequent one. Bias
is 1 if that is wrong, else 0, and variance the share of predictions that differ from it. Where the main prediction is
right variance adds to the error; where it is wrong those that differ from it and hit y take from it:

    expected error = bias + (variance where unbiased) − (share that is right where biased) = bias + net variance

Sources: G. W. Brier, Monthly Weather Review 78 (1950) 1-3; S. Geman, E. Bienenstock and R. Doursat, Neural Computation
4 (1992) 1-58; P. Domingos, A Unified Bias-Variance Decomposition and its Applications, ICML (2000) 231-238.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from regtui.evidence.student import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Term = Literal["error", "bias", "variance"]
TERMS: Sequence[Term] = ("error", "bias", "variance")
AT_ONCE = 200_000
"""Numbers of one training set that are worked on at once, in double precision."""
SAME = 1e-3
"""Standardized targets of two runs are the same where they differ by less; they were saved as float32."""


class Terms(NamedTuple):
    """Means over the test examples, unbiased: `bias` is the squared one; `error` is the sum of the other two."""

    error: float
    bias: float
    variance: float


@dataclass(frozen=True)
class SquaredParts:
    """Squared error, taken apart.

    Attributes:
        terms: Over all training sets, corrected as above.
        plug_in: The same without the correction.
        without: The corrected terms without each training set in turn, from which intervals follow.
    """

    terms: Terms
    plug_in: Terms
    without: Sequence[Terms]


@dataclass(frozen=True)
class ZeroOneParts:
    """0-1 loss, taken apart; all are means over the test examples, from 0 to 1.

    Attributes:
        error: The expected share of wrong predictions.
        bias: The share of examples whose main prediction is wrong; of equally frequent classes it is the lowest number.
        variance: The expected share of predictions that differ from the main one.
        unbiased: The part of it where the main prediction is right; it adds to the error.
        biased: The share of predictions that are right although the main one is wrong; it takes from the error.
    """

    error: float
    bias: float
    variance: float
    unbiased: float
    biased: float

    @property
    def net(self) -> float:
        """Net variance: what variance adds to the error in all, which may be negative."""
        return self.unbiased - self.biased


@dataclass(frozen=True)
class Decomposition:
    """The error of one arm over training sets.

    Attributes:
        sets: How many training sets.
        examples: How many test examples.
        squared: Of probabilities, from 0 to 2; of values in units of the variance of the test targets, 1 − R².
        zero_one: Of classes; None for values.
    """

    sets: int
    examples: int
    squared: SquaredParts
    zero_one: ZeroOneParts | None


class Shift(NamedTuple):
    """How a term differs between two arms: by how much, and an interval for that over training sets."""

    difference: float
    interval: Interval | None


def of_probabilities(runs: Sequence[Array], classes: Sequence[Array], targets: Array) -> Decomposition:
    """Take apart the error of predicted probabilities and classes.

    Args:
        runs: For each training set the probabilities [examples, classes], of any floating type.
        classes: For each the predicted classes, [examples].
        targets: The right classes, [examples].

    Raises:
        ValueError: There are fewer than two training sets, or their shapes differ.
    """
    import numpy as np

    gram, cross = _products(runs, targets)
    squared = _squared(gram, cross, float(len(targets)), len(targets))
    return Decomposition(len(runs), len(targets), squared, _zero_one(np.stack(classes), targets))


def of_values(runs: Sequence[Array], targets: Sequence[Array]) -> Decomposition | None:
    """Take apart the squared error of predicted values.

    A run's values and targets are in units of its own training set. They are brought to a common one by the mean and
    standard deviation of its test targets, which are the same examples in every run.

    Args:
        runs: For each training set the predicted values, [examples].
        targets: For each the right ones, in the same unit, [examples].

    Returns:
        None where the test targets are all equal, or not those of the same examples.

    Raises:
        ValueError: There are fewer than two training sets.
    """
    import numpy as np

    if len(runs) < 2:
        raise ValueError("one training set has no variance")
    common = []
    right: Array | None = None
    for values, own in zip(runs, targets, strict=True):
        of = own.astype(np.float64)
        mean, deviation = of.mean(), of.std()
        if deviation == 0:
            return None
        standard = (of - mean) / deviation
        right = standard if right is None else right
        if right.shape != standard.shape or np.abs(standard - right).max() > SAME:
            return None
        common.append((values.astype(np.float64) - mean) / deviation)
    assert right is not None
    predicted = np.stack(common)
    squared = _squared(predicted @ predicted.T, predicted @ right, float(right @ right), len(right))
    return Decomposition(len(runs), len(right), squared, None)


def shift(baseline: SquaredParts, arm: SquaredParts, term: Term, level: float = 0.05) -> Shift:
    """How a term of an arm differs from the baseline's, over the same training sets in the same order.

    The interval is difference ± t · √((S − 1)/S · Σ (d₍ₛ₎ − d̄)²), where d₍ₛ₎ is the difference without training set s,
    d̄ their mean, and t the 1 − level/2 quantile of Student's distribution with S − 1 degrees of freedom. Its variance
    is that of the jackknife, which is too large rather than too small on average (B. Efron and C. Stein, Annals of
    Statistics 9 (1981) 586-596). It speaks of new training sets and these test examples. None for two training sets,
    of which a single one is left without the other.
    """
    from scipy.special import stdtrit  # 0.3 to 0.5 s

    difference = getattr(arm.terms, term) - getattr(baseline.terms, term)
    pairs = list(zip(arm.without, baseline.without, strict=True))
    left = [getattr(ours, term) - getattr(theirs, term) for ours, theirs in pairs]
    if len(left) < 3:
        return Shift(difference, None)
    mean = math.fsum(left) / len(left)
    error = math.sqrt((len(left) - 1) / len(left) * math.fsum((value - mean) ** 2 for value in left))
    reach = float(stdtrit(len(left) - 1, 1 - level / 2)) * error
    return Shift(difference, (difference - reach, difference + reach))


def _products(runs: Sequence[Array], targets: Array) -> tuple[Array, Array]:
    """Sums over examples: the products of each two runs' predictions, and what each gives to the right classes."""
    import numpy as np

    if len(runs) < 2:
        raise ValueError("one training set has no variance")
    shape = runs[0].shape
    if any(run.shape != shape for run in runs) or len(targets) != shape[0]:
        raise ValueError("the training sets have predictions of different shapes")
    gram, cross = np.zeros((len(runs), len(runs))), np.zeros(len(runs))
    step = max(1, AT_ONCE // max(1, shape[1]))
    for begin in range(0, shape[0], step):
        part = np.stack([run[begin : begin + step] for run in runs]).astype(np.float64)
        flat = part.reshape(len(runs), -1)
        gram += flat @ flat.T
        right = targets[begin : begin + step].astype(np.int64)
        cross += part[:, np.arange(part.shape[1]), right].sum(axis=1)
    return gram, cross


def _squared(gram: Array, cross: Array, constant: float, examples: int) -> SquaredParts:
    """All terms follow from sums over examples: of ⟨pₛ, pₜ⟩, of ⟨pₛ, y⟩ and of ‖y‖²."""
    import numpy as np

    plug_in = _plug_in(gram, cross, constant, examples)
    keep = [np.arange(len(gram)) != left_out for left_out in range(len(gram))] if len(gram) > 2 else []
    without = [
        _corrected(_plug_in(gram[np.ix_(kept, kept)], cross[kept], constant, examples), len(gram) - 1) for kept in keep
    ]
    return SquaredParts(_corrected(plug_in, len(gram)), plug_in, without)


def _plug_in(gram: Array, cross: Array, constant: float, examples: int) -> Terms:
    toward, own, mean = 2 * float(cross.mean()), float(gram.diagonal().mean()), float(gram.mean())
    return Terms((own - toward + constant) / examples, (mean - toward + constant) / examples, (own - mean) / examples)


def _corrected(plug_in: Terms, sets: int) -> Terms:
    variance = plug_in.variance * sets / (sets - 1)
    return Terms(plug_in.error, plug_in.bias - variance / sets, variance)


def _zero_one(classes: Array, targets: Array) -> ZeroOneParts:
    import numpy as np

    most = int(max(classes.max(), targets.max())) + 1
    counts = np.stack([(classes == number).sum(axis=0) for number in range(most)])  # [classes, examples]
    every = np.arange(len(targets))
    main = counts.argmax(axis=0)
    right = counts[targets.astype(np.int64), every] / len(classes)  # the share of sets that are right
    differ = 1 - counts[main, every] / len(classes)
    is_biased = main != targets
    return ZeroOneParts(
        error=float((1 - right).mean()),
        bias=float(is_biased.mean()),
        variance=float(differ.mean()),
        unbiased=float(np.where(is_biased, 0.0, differ).mean()),
        biased=float(np.where(is_biased, right, 0.0).mean()),
    )
