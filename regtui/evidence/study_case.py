"""A study that has ended, as the rules of advice look at it."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from regtui.evidence.advice import Strength, varied
from regtui.evidence.over_seeds import Call
from regtui.evidence.run_case import FEWEST
from regtui.evidence.trend import NEAR
from regtui.evidence.what_if import WhatIf
from regtui.preset.arms import BASELINE

FEWEST_SEEDS = 4
"""Fewer seeds carry no sentence."""
MOST = 0.75
"""So large a share of the seeds must show it."""
LATE = 0.1
"""A lowest loss is late if it lies in the last tenth of the epochs."""


class ArmEnd(NamedTuple):
    """How one arm of one run ended.

    Attributes:
        epochs: That it trained.
        stop_reason: Why it ended.
        keeps_last: Whether the weights of its last epoch were tested.
        best_epoch: The epoch of its lowest validation loss.
        lowest: That loss.
        last: The validation loss of its last epoch.
        train: The training loss of the weights that it kept.
        val: Their validation loss.
    """

    epochs: int
    stop_reason: str
    keeps_last: bool
    best_epoch: int
    lowest: float
    last: float
    train: float
    val: float

    @property
    def is_late(self) -> bool:
        """Whether it trained all epochs, three or more, and its lowest loss lies in the last tenth of them."""
        return (
            self.epochs >= FEWEST
            and self.stop_reason == "max_epochs"
            and self.best_epoch > self.epochs - max(1, LATE * self.epochs)
        )

    @property
    def has_risen(self) -> bool:
        """Whether its last loss lies above its lowest by more than a twentieth, and that was before its last third."""
        return self.last > (1 + NEAR) * self.lowest and self.best_epoch <= self.epochs - max(2, self.epochs // 3)


@dataclass(frozen=True)
class ArmOverSeeds:
    """One arm of a study, over seeds.

    Attributes:
        name: What sentences call it: 'the baseline', 'A dropout 0.5'.
        ends: By seed: how it ended.
        call: What it comes to against the baseline.
        amount: The mean difference in words: '−0.31 points'.
        cost: Its time an epoch over the baseline's; None where not known.
        strength: How strong its one technique is; None if it has none, or several.
        patience: Of its early stopping; None without.
        is_plain: Whether it has no technique; beside the baseline, whether it has none but early stopping more.
        validation: By seed: the metric on the validation set, as it is shown.
        needed: How many seeds would probably be needed, where it is inconclusive.
        what_ifs: By seed: what other patiences would have done, of an arm with early stopping.
    """

    name: str
    ends: Mapping[int, ArmEnd]
    call: Call = "none"
    amount: str = ""
    cost: float | None = None
    strength: Strength | None = None
    patience: int | None = None
    is_plain: bool = False
    validation: Mapping[int, float] | None = None
    needed: int | None = None
    what_ifs: Mapping[int, WhatIf] | None = None

    def shows(self, test: Callable[[ArmEnd], bool]) -> int:
        """In how many seeds something holds; 0 where these are not enough to say it."""
        found = sum(map(test, self.ends.values()))
        return found if are_most(found, len(self.ends)) else 0

    def median(self, value: Callable[[ArmEnd], float]) -> float:
        """The median over seeds."""
        return statistics.median(map(value, self.ends.values()))


@dataclass(frozen=True)
class StudyCase:
    """A study that has ended, in its first cell.

    Attributes:
        arms: The baseline first, then those that are compared with it.
        diverged: By arm: in how many seeds it diverged; these are not in `arms`.
        epochs: That were planned.
        learning_rate: Of all arms.
        train_samples: Training examples.
        higher_is_better: Whether higher values of the metric are better.
        command: The words of the command that makes the study; empty if there is none.
        tables: Arms as they are in the preset, by the key of their table: "arms.l2"; without those made by varying.
        varied: The keys that vary.
        has_sensitivity: Whether other conditions are tried.
    """

    arms: Mapping[str, ArmOverSeeds]
    diverged: Mapping[str, int]
    epochs: int
    learning_rate: float
    train_samples: int
    higher_is_better: bool
    command: Sequence[str]
    tables: Mapping[str, str]
    varied: frozenset[str]
    has_sensitivity: bool

    @property
    def baseline(self) -> ArmOverSeeds:
        """The arm with which each other is compared."""
        return self.arms[BASELINE]

    @property
    def others(self) -> Mapping[str, ArmOverSeeds]:
        """The arms beside it."""
        return {name: arm for name, arm in self.arms.items() if name != BASELINE}

    def of(self, arm: ArmOverSeeds) -> str:
        """Whose something is, where there are several arms beside the baseline."""
        return f" of {arm.name}" if len(self.others) > 1 else ""

    def typed(self, *options: str) -> str:
        """The study's command with more options."""
        return shlex.join([*self.command, *options]) if self.command else ""

    def with_set(self, key: str, value: object) -> str:
        """The study's command with another value of a setting; empty where that setting varies."""
        words = self._without("--set", key)
        return shlex.join([*words, "--set", f"{key}={value}"]) if words and key not in self.varied else ""

    def with_values(self, strength: Strength, values: Sequence[float]) -> str:
        """The study's command with these values of an arm's strength in place of those that it has."""
        words = self._without("--vary", strength.key)
        return shlex.join([*words, *varied(strength.key, values)]) if words else ""

    def _without(self, option: str, key: str) -> list[str]:
        """The words of the study's command without what an option says of a key."""
        pairs = zip_longest(self.command, self.command[1:], fillvalue="")
        at = [i for i, (word, value) in enumerate(pairs) if word == option and value.startswith(f"{key}=")]
        return [word for i, word in enumerate(self.command) if i not in at and i - 1 not in at]

    def with_seeds(self, seeds: int) -> str:
        """The study's command with so many seeds."""
        words = list(self.command)
        if "--seeds" not in words or "--looks" in words:
            return ""
        words[words.index("--seeds") + 1] = str(seeds)
        return shlex.join(words)


def are_most(found: int, of: int) -> bool:
    """Whether so many seeds of all are enough to carry a sentence."""
    return of >= FEWEST_SEEDS and found >= MOST * of
