"""What each sentence on bias and variance claims, recomputed from the predictions; see `tests.rules`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tests.rules import Rules, hold
from tests.rules_dose import D, N, is_near, read
from tests.rules_verdict import tells

Array = NDArray[Any]
JACKKNIFE = rf"{N} % jackknife interval {D} to {D}"
TERM = rf"(variance|squared bias|their sum)(?:, [^;]+?,)? (?:(falls|rises) from {N} to {N} \({D}, {JACKKNIFE}\)"
TERM = TERM + rf"|{N} against {N}, which these training sets don't tell apart \({JACKKNIFE}\))"


@dataclass(frozen=True)
class Predicted:
    """Probabilities of each arm, [sets, examples, classes], and the right classes."""

    arms: Mapping[str, Array]
    targets: Array

    def term(self, arm: str, name: str, left_out: int | None = None) -> float:
        """A term by its definition, unbiased, perhaps without one training set."""
        of = self.arms[arm] if left_out is None else np.delete(self.arms[arm], left_out, axis=0)
        right = np.eye(of.shape[2])[self.targets]
        variance = of.var(axis=0, ddof=1).sum(axis=1).mean()
        bias = ((of.mean(axis=0) - right) ** 2).sum(axis=1).mean() - variance / len(of)
        return float({"variance": variance, "squared bias": bias, "their sum": bias + variance}[name])

    def interval(self, arm: str, name: str, level: float) -> tuple[float, float]:
        count = len(self.arms[arm])
        left = np.array([self.term(arm, name, out) - self.term("baseline", name, out) for out in range(count)])
        error = np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum())
        middle = self.term(arm, name) - self.term("baseline", name)
        reach = stats.t.ppf(1 - level / 2, count - 1) * error
        return middle - reach, middle + reach

    def zero_one(self, arm: str) -> tuple[float, float, float]:
        """Expected error, bias, net variance."""
        classes = self.arms[arm].argmax(axis=2)
        main = np.array([np.bincount(column).argmax() for column in classes.T])
        error, bias = (classes != self.targets).mean(), (main != self.targets).mean()
        return float(error), float(bias), float(error - bias)


PARTS = Rules[Predicted]()
SETS = (
    r"Over (\d+) training sets, each with its own initial weights and order of batches, and on these ([\d,]+) test "
    r"images"
)


@PARTS.rule(rf"{SETS}, with (\w+): ({TERM}; {TERM}; {TERM})\.")
def _one(predicted: Predicted, groups: Sequence[Any]) -> None:
    sets, examples, arm, _, *rest = groups
    shape = predicted.arms[arm].shape
    hold((int(sets), read(examples)) == shape[:2], "so many")
    for begin in range(0, len(rest), 13):
        name, verb, before, after, by, percent, low, high, *level = rest[begin : begin + 13]
        ours, theirs = predicted.term(arm, name), predicted.term("baseline", name)
        if verb is None:
            after, before, percent, low, high = level
        is_near(after, ours)
        is_near(before, theirs)
        expected = predicted.interval(arm, name, 0.05)
        tells(percent, 95)
        is_near(low, expected[0])
        is_near(high, expected[1])
        if verb is None:
            hold(expected[0] <= 0 <= expected[1], "they can't be told apart")
        else:
            is_near(by, ours - theirs)
            hold(expected[1] < 0 if verb == "falls" else expected[0] > 0, f"it {verb}")


@PARTS.rule(
    rf"0-1 loss after Domingos, of which no test is made: expected error {N} % against {N} %; bias, the share whose "
    rf"main prediction is wrong, {N} % against {N} %; net variance {D} against {D} points\."
)
def _zero_one(predicted: Predicted, groups: Sequence[Any]) -> None:
    (arm,) = set(predicted.arms) - {"baseline"}
    for place, (ours, theirs) in enumerate(zip(predicted.zero_one(arm), predicted.zero_one("baseline"), strict=True)):
        is_near(groups[2 * place], 100 * ours)
        is_near(groups[2 * place + 1], 100 * theirs)


@PARTS.rule(
    rf"{SETS}, against the baseline: (.+) \(jackknife intervals over training sets, 95 % for all (\d+) arms together, "
    r"each term by itself; the sum is the expected squared error of the probabilities \(Brier\)\)\."
)
def _several(predicted: Predicted, groups: Sequence[Any]) -> None:
    sets, examples, told, count = groups
    arms = [arm for arm in predicted.arms if arm != "baseline"]
    hold((int(sets), read(examples), int(count)) == (*predicted.arms["baseline"].shape[:2], len(arms)), "so many")
    found: dict[tuple[str, str], str] = {}
    if told != "no term differs from the baseline's by more than these training sets can tell":
        for part in told.split("; "):
            name, _, rest = part.partition(" is ")
            for words in rest.split(" and higher with "):
                way = "lower" if words.startswith("lower") else "higher"
                names = words.removeprefix(f"{way} with ").replace(" and ", ", ").split(", ")
                found |= {(arm, name): way for arm in names}
    true: dict[tuple[str, str], str] = {}
    for arm in arms:
        for name in ("variance", "squared bias", "their sum"):
            low, high = predicted.interval(arm, name, 0.05 / len(arms))
            true |= {(arm, name): "higher" if low > 0 else "lower"} if low > 0 or high < 0 else {}
    hold(found == true, f"{true}")
