"""What the curves of a study's runs say that its verdict does not, one function a rule; the table is evidence/rules.py.

A rule holds where at least three quarters of the seeds, and four at least, show it: that is how noise is told from it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from regtui.evidence.advice import Advice
from regtui.evidence.rules_of_run import CLOSE, DEAR, SIMILAR, WASTE
from regtui.evidence.run_case import WINDOW
from regtui.evidence.study_case import FEWEST_SEEDS, ArmOverSeeds, StudyCase, are_most
from regtui.evidence.trend import FLAT
from regtui.evidence.what_if import PatienceOutcome, WhatIf
from regtui.text import capital_the, counted, number, short

MOST_SEEDS = 64
"""More seeds are not suggested."""
ERRORS = 2
"""A difference is more than noise if it is larger than so many standard errors."""


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
        if arm.call != "hurts" or not (are_most(trains, len(both)) and are_most(validates, len(both))):
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
        if not are_most(len(missed), len(both)):
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
