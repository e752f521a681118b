"""What the curves of a study's runs say that its verdict does not, one function a rule; the table is evidence/rules.py.

A rule holds where at least three quarters of the seeds, and four at least, show it: that is how noise is told from it.
"""

from __future__ import annotations

import math
import shlex
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from regtui.evidence.advice import Advice, Strength, varied
from regtui.evidence.over_seeds import Call
from regtui.evidence.rules_of_run import CLOSE, DEAR, FEWEST, SIMILAR, WASTE, WINDOW
from regtui.evidence.trend import FLAT, NEAR
from regtui.evidence.what_if import PatienceOutcome, WhatIf
from regtui.preset.arms import BASELINE
from regtui.text import capital_the, counted, number, short

FEWEST_SEEDS = 4
"""Fewer seeds carry no sentence."""
MOST = 0.75
"""So large a share of the seeds must show it."""
LATE = 0.1
"""A lowest loss is late if it lies in the last tenth of the epochs."""
MOST_SEEDS = 64
"""More seeds are not suggested."""
ERRORS = 2
"""A difference is more than noise if it is larger than so many standard errors."""


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
        return found if _are_most(found, len(self.ends)) else 0

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


def _are_most(found: int, of: int) -> bool:
    return of >= FEWEST_SEEDS and found >= MOST * of


def diverged(case: StudyCase) -> Advice | None:
    """An arm diverged in some seeds, which do not count."""
    if not case.diverged:
        return None
    name = max(case.diverged, key=lambda arm: case.diverged[arm])
    arm, count = case.arms[name], case.diverged[name]
    total = count + len(arm.ends)
    sentence = (
        f"{capital_the(arm.name)} diverged in {count} of {total} seeds at learning rate {case.learning_rate:g}: a "
        "tenth is worth a try."
    )
    return Advice("diverged", sentence, case.with_set("train.learning_rate", f"{case.learning_rate / 10:.3g}"))


def not_converged_equally(case: StudyCase) -> Advice | None:
    """An arm's lowest loss is late in most seeds, and the baseline's is not in most; or the other way round."""
    for late, settled in ((arm, case.baseline) for arm in case.others.values()):
        for one, other in ((late, settled), (settled, late)):
            count, past = one.shows(lambda end: end.is_late), other.shows(lambda end: not end.is_late)
            if count and past:
                epoch = f"{other.median(lambda end: end.best_epoch):.0f}"
                sentence = (
                    f"In {count} of {len(one.ends)} seeds {one.name} has its lowest validation loss in the last tenth "
                    f"of {case.epochs:,} epochs, while {other.name} has it at epoch {epoch} (median): they are "
                    "compared before both have settled."
                )
                return Advice("not converged equally", sentence, _twice_as_long(case))
    return None


def still_improving(case: StudyCase) -> Advice | None:
    """All arms have their lowest loss late, in most seeds."""
    counts, total = [arm.shows(lambda end: end.is_late) for arm in case.arms.values()], len(case.baseline.ends)
    if not all(counts):
        return None
    seeds = f"all {total} seeds" if min(counts) == total else f"{min(counts)} of {total} seeds or more"
    arms = "both arms have their" if len(counts) == 2 else "each arm has its"
    sentence = (
        f"In {seeds} {arms} lowest validation loss in the last tenth of {case.epochs:,} epochs: train longer before "
        "judging."
    )
    return Advice("still improving", sentence, _twice_as_long(case))


def _twice_as_long(case: StudyCase) -> str:
    return case.with_set("train.epochs", 2 * case.epochs)


def too_strong(case: StudyCase) -> Advice | None:
    """An arm hurts, and fits its training examples less well than the baseline in most seeds, and others too."""
    base = case.baseline.ends
    for arm in case.others.values():
        both = [(end, base[seed]) for seed, end in arm.ends.items() if seed in base]
        trains = sum(ours.train > theirs.train for ours, theirs in both)
        validates = sum(ours.val > theirs.val for ours, theirs in both)
        if arm.call != "hurts" or not (_are_most(trains, len(both)) and _are_most(validates, len(both))):
            continue
        losses = " against ".join(short(statistics.mean(end.train for end in ends)) for ends in zip(*both, strict=True))
        sentence = (
            f"{capital_the(arm.name)} underfits: its training loss is above the baseline's in {trains} of {len(both)} "
            f"seeds ({losses} on average), its validation loss in {validates}: too strong here, or "
            f"{counted(case.epochs, 'epoch')} too few."
        )
        strength = arm.strength
        command = case.with_values(strength, strength.weaker()) if strength is not None else _twice_as_long(case)
        return Advice("too strong", sentence, command)
    return None


def overfits(case: StudyCase) -> Advice | None:
    """The baseline's last weights are tested long after its lowest loss, in most seeds."""
    arm = case.baseline
    count = arm.shows(lambda end: end.has_risen and end.keeps_last)
    if not count:
        return None
    rise = statistics.mean(end.last / end.lowest - 1 for end in arm.ends.values() if end.has_risen)
    sentence = (
        f"In {count} of {len(arm.ends)} seeds the baseline overfits from epoch "
        f"{arm.median(lambda end: end.best_epoch):.0f} on (median), and its last weights are tested: its validation "
        f"loss is {number(100 * rise, '.0f')} % above its lowest by then."
    )
    return Advice("overfits", sentence, case.with_set("baseline.early_stopping.patience", max(5, case.epochs // 10)))


def too_weak(case: StudyCase) -> Advice | None:
    """The baseline overfits in most seeds, and an arm as much; no difference is called."""
    base = case.baseline
    if not base.shows(lambda end: end.has_risen and end.keeps_last):
        return None
    for arm in case.others.values():
        strength, count = arm.strength, arm.shows(lambda end: end.has_risen and end.keeps_last)
        if strength is None or not count or arm.call not in ("inconclusive", "no difference"):
            continue
        gap, theirs = (one.median(lambda end: end.val - end.train) for one in (arm, base))
        values = strength.stronger()
        if strength.key in case.varied or gap < SIMILAR * theirs or len(values) < 2:
            continue
        sentence = (
            f"{capital_the(arm.name)} holds little back: it overfits in {count} of {len(arm.ends)} seeds, with a gap "
            f"of {short(gap)} (median) between training and validation loss against the baseline's {short(theirs)}."
        )
        return Advice("too weak", sentence, case.with_values(strength, values))
    return None


def at_the_edge(case: StudyCase) -> Advice | None:
    """The best of several strengths, by validation, is the largest or the smallest that was tried."""
    strengths: dict[str, list[ArmOverSeeds]] = {}
    for arm in case.others.values():
        if arm.strength is not None and arm.strength.key in case.varied:
            strengths.setdefault(arm.strength.key, []).append(arm)
    for arms in strengths.values():
        ordered = sorted(arms, key=_strength)
        best, second = _best_two(ordered, higher=case.higher_is_better)
        if len(ordered) < 3 or best is None or best not in (ordered[0], ordered[-1]) or best.strength is None:
            continue
        if not _is_ahead(best, second):
            continue
        values = best.strength.stronger() if best is ordered[-1] else best.strength.weaker()
        if len(values) > 1:
            return Advice("at the edge", "", case.with_values(best.strength, values))
    return None


def _strength(arm: ArmOverSeeds) -> float:
    return arm.strength.value if arm.strength is not None else 0.0


def _best_two(arms: Sequence[ArmOverSeeds], *, higher: bool) -> tuple[ArmOverSeeds | None, ArmOverSeeds | None]:
    known = [arm for arm in arms if arm.validation]
    order = sorted(known, key=lambda arm: statistics.mean((arm.validation or {}).values()), reverse=higher)
    return (order[0], order[1]) if len(order) > 1 else (None, None)


def _is_ahead(best: ArmOverSeeds, second: ArmOverSeeds | None) -> bool:
    """Whether the best is ahead by more than two standard errors, over common seeds."""
    if second is None or not best.validation or not second.validation:
        return False
    ahead = [value - second.validation[seed] for seed, value in best.validation.items() if seed in second.validation]
    if len(ahead) < FEWEST_SEEDS:
        return False
    return abs(statistics.mean(ahead)) > ERRORS * statistics.stdev(ahead) / math.sqrt(len(ahead))


def underfits(case: StudyCase) -> Advice | None:
    """The plain baseline fits its training examples hardly better than others in most seeds, and has settled."""
    arm = case.baseline
    count = arm.shows(lambda end: end.val - end.train <= CLOSE * end.val and not end.is_late and not end.has_risen)
    if not arm.is_plain or not count or case.epochs < WINDOW:
        return None
    losses = " and ".join(short(arm.median(value)) for value in (lambda end: end.train, lambda end: end.val))
    sentence = (
        f"In {count} of {len(arm.ends)} seeds the baseline does not overfit: training and validation loss are {losses} "
        "(medians). A technique against overfitting has little to do here; with fewer training examples or a larger "
        "network it has more."
    )
    few = case.train_samples // 10
    return Advice("underfits", sentence, case.with_set("data.train_samples", few) if few >= 100 else "")


def patience_too_short(case: StudyCase) -> Advice | None:
    """An arm that only stops early misses a lower loss, which the baseline reaches later, in most seeds."""
    base = case.baseline.ends
    for name, arm in case.others.items():
        if arm.patience is None or not arm.is_plain:
            continue
        both = [(end, base[seed]) for seed, end in arm.ends.items() if seed in base]
        missed = [
            ours.lowest / theirs.lowest - 1
            for ours, theirs in both
            if ours.stop_reason == "early_stopping" and ours.lowest > (1 + FLAT) * theirs.lowest
        ]
        if not _are_most(len(missed), len(both)):
            continue
        sentence = (
            f"Patience {arm.patience}{case.of(arm)} was too short in {len(missed)} of {len(both)} seeds: the baseline, "
            f"equal up to there, came {number(100 * statistics.mean(missed), '.0f')} % lower on average."
        )
        key = f"{case.tables[name]}.early_stopping.patience" if name in case.tables else ""
        return Advice("patience too short", sentence, case.with_set(key, 2 * arm.patience) if key else "")
    return None


def patience_too_long(case: StudyCase) -> Advice | None:
    """An arm with early stopping waited long for nothing: a shorter patience keeps the same epoch in every seed."""
    for name, arm in case.others.items():
        tables = (arm.what_ifs or {}).values()
        chosen = [table.chosen for table in tables]
        if arm.patience is None or len(chosen) < FEWEST_SEEDS:
            continue
        if any(one is None or one.cost or one.stops_at is None for one in chosen):
            continue
        enough = max(one.patience for one in chosen if one is not None)
        outcomes = [table.outcomes[enough - 1] for table in tables]
        saved, trained = (sum(numbers) / len(chosen) for numbers in zip(*_saved(tables, outcomes), strict=True))
        same = all(one.stops_at is not None and not one.cost for one in outcomes)
        if not same or enough >= arm.patience or saved < WASTE * trained:
            continue
        sentence = (
            f"Patience {arm.patience}{case.of(arm)} waited long: {enough} would have kept the same epoch in all "
            f"{len(chosen)} seeds, and saved {saved:.1f} of {trained:.1f} epochs on average."
        )
        key = f"{case.tables[name]}.early_stopping.patience" if name in case.tables else ""
        return Advice("patience too long", sentence, case.with_set(key, enough) if key else "")
    return None


def _saved(tables: Iterable[WhatIf], outcomes: Iterable[PatienceOutcome]) -> list[tuple[int, int]]:
    """The epochs that each seed saves, and those that it trained."""
    return [(outcome.saved, table.epochs) for table, outcome in zip(tables, outcomes, strict=True)]


def costs_more(case: StudyCase) -> Advice | None:
    """An arm takes much longer an epoch, and hurts or makes no difference that matters."""
    dear = [
        arm for arm in case.others.values() if arm.cost and arm.cost >= DEAR and arm.call in ("hurts", "no difference")
    ]
    if not dear:
        return None
    arm = max(dear, key=lambda one: one.cost or 0.0)
    longer = round(case.epochs * (arm.cost or 1.0))
    found = "does worse" if arm.call == "hurts" else "makes no difference that matters"
    sentence = f"{capital_the(arm.name)} takes {arm.cost:.2f} times as long an epoch and {found} ({arm.amount})."
    command = "" if "train.epochs" in case.varied else case.typed("--vary", f"train.epochs={case.epochs},{longer}")
    return Advice("costs more than it brings", sentence, command)


def too_few_seeds(case: StudyCase) -> Advice | None:
    """It is inconclusive, and the verdict says how many seeds would probably do."""
    needed = [arm.needed for arm in case.others.values() if arm.call == "inconclusive" and arm.needed is not None]
    if not needed or min(needed) > MOST_SEEDS:
        return None
    return Advice("too few seeds", "", case.with_seeds(min(needed)))


def one_condition(case: StudyCase) -> Advice | None:
    """Something is called, and no other epochs and learning rates were tried."""
    called = any(arm.call in ("helps", "hurts", "no difference") for arm in case.others.values())
    return None if case.has_sensitivity or not called else Advice("one condition", "", case.typed("--sensitivity"))
