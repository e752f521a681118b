"""What the curves of a study's runs say beside its verdict, and what to try next; the rules are `evidence/rules.py`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from regtui.evidence.advice import Advice, Strength, strength_of
from regtui.evidence.rules import advice_on_case
from regtui.evidence.study_case import ArmEnd, ArmOverSeeds, StudyCase
from regtui.evidence.verdict import HOW_DIVERGED
from regtui.evidence.what_if import WhatIf, what_if
from regtui.preset.arms import BASELINE, REGULARIZED
from regtui.preset.model import Preset
from regtui.protocol.events import StepsDone
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.runs.summary import ArmSummary, read_summary
from regtui.study.outcome import ENDED, StudyOutcome
from regtui.study.plan import PlannedArm
from regtui.study.reproduce import command_of
from regtui.study.words import StudyWords

MOST_READ = 4_000
"""Of so many runs it is remembered what they came to."""
MOST_LOGS = 64
"""The logs of so many runs are read at most."""


def advice_on_study(outcome: StudyOutcome) -> list[Advice]:
    """What the rules find in a study's first cell, the most important first; nothing while the study goes on."""
    if outcome.state not in ENDED:
        return []
    return advice_on_case(_case(outcome, StudyWords(outcome)))


def _case(outcome: StudyOutcome, words: StudyWords) -> StudyCase:
    plan, preset, first = outcome.plan, words.preset, words.first
    names = [BASELINE, *first.arms]
    counted = {name: [*(first.baseline if name == BASELINE else first.arms[name].values)] for name in names}
    arms = {name: _arm(words, preset, name, counted[name]) for name in names}
    varied = {key for cell in plan.cells if cell.role == "verdict" for key in cell.settings}
    knobs = {f"{_table_of(arm)}.{key}" for arm in plan.arms for key in arm.settings}
    return StudyCase(
        arms=arms,
        diverged=_diverged(words),
        epochs=preset.train.epochs,
        learning_rate=preset.train.learning_rate,
        train_samples=preset.sizes.train,
        higher_is_better=outcome.metric.better == "higher",
        command=shlex.split(command_of(plan)),
        tables={arm.name: _table_of(arm) for arm in plan.arms if not arm.settings},
        varied=frozenset(varied | knobs),
        has_sensitivity=any(cell.role == "sensitivity" for cell in plan.cells),
    )


def _arm(words: StudyWords, preset: Preset, name: str, seeds: Sequence[int]) -> ArmOverSeeds:
    techniques = preset.arms()[name]
    ends = {seed: end for seed in seeds if (end := _end(words, name, seed)) is not None}
    if name == BASELINE:
        return ArmOverSeeds("the baseline", ends, is_plain=not techniques.active())
    of = words.first.arms[name]
    stopping = techniques.early_stopping
    rest = techniques.model_copy(update={"early_stopping": preset.baseline.early_stopping})
    return ArmOverSeeds(
        words.named(name).replace("\N{NO-BREAK SPACE}", " "),
        ends,
        call=of.score.call,
        amount=words.amount(of.score.mean).replace("\N{NO-BREAK SPACE}", " "),
        cost=of.cost,
        strength=_strength(words, preset, name),
        patience=None if stopping is None else stopping.patience,
        is_plain=rest == preset.baseline,
        validation=of.validation,
        needed=of.score.needed,
        what_ifs=_what_ifs(words, preset, name, seeds) if stopping is not None else None,
    )


def _strength(words: StudyWords, preset: Preset, name: str) -> Strength | None:
    """An arm's strength, by the key that it has in the preset from which the study was made."""
    found = strength_of(preset, name)
    arm = next(arm for arm in words.plan.arms if arm.name == name)
    knob = "" if found is None else found.key.removeprefix(f"{preset.table_of(name)}.")
    return None if found is None else found._replace(key=f"{_table_of(arm)}.{knob}")


def _table_of(arm: PlannedArm) -> str:
    """The dotted key of the arm of the preset from which an arm was made."""
    return arm.of if arm.of == REGULARIZED else f"arms.{arm.of}"


def _diverged(words: StudyWords) -> Mapping[str, int]:
    """In how many seeds of the first cell an arm diverged, where it did in some."""
    found: dict[str, int] = {}
    for folder in words.first.runs.values():
        for name, arm in _arms(folder).items():
            found[name] = found.get(name, 0) + (arm.stop_reason in HOW_DIVERGED)
    return {name: count for name, count in found.items() if count and (name == BASELINE or name in words.first.arms)}


def _end(words: StudyWords, name: str, seed: int) -> ArmEnd | None:
    """How an arm ended with a seed; None where its summary does not tell, as that of an earlier version."""
    folder = words.first.run_of(name, seed)
    arm = _arms(folder).get(name) if folder is not None else None
    if arm is None or arm.final is None or arm.at_kept is None or arm.best_epoch is None:
        return None
    losses = arm.best_val_loss, arm.final.val_loss, arm.at_kept.train_loss, arm.at_kept.val_loss
    lowest, last, train, val = losses
    if lowest is None or last is None or train is None or val is None:
        return None
    return ArmEnd(
        arm.epochs, arm.stop_reason or "", arm.kept_epoch == arm.epochs, arm.best_epoch, lowest, last, train, val
    )


@lru_cache(MOST_READ)
def _arms(folder: Path) -> Mapping[str, ArmSummary]:
    """What a run that has ended says of its arms."""
    summary = read_summary(folder)
    return {} if summary is None else summary.arms


def _what_ifs(words: StudyWords, preset: Preset, name: str, seeds: Sequence[int]) -> dict[int, WhatIf]:
    """What other patiences would have done, by seed; of so few seeds that reading their logs keeps nobody waiting."""
    folders = {seed: words.first.run_of(name, seed) for seed in seeds[:MOST_LOGS]}
    found = {seed: _what_if(folder, preset, name) for seed, folder in folders.items() if folder is not None}
    return {seed: table for seed, table in found.items() if table is not None}


def _what_if(folder: Path, preset: Preset, name: str) -> WhatIf | None:
    arm = _history(folder).arms.get(name)
    return None if arm is None else what_if(arm, preset.arms()[name].early_stopping, preset.train.epochs)


@lru_cache(MOST_LOGS)
def _history(folder: Path) -> History:
    """The history of a run that has ended, without its steps; an empty one if its log can't be read."""
    try:
        return History.of(event for event in read_events(folder) if not isinstance(event, StepsDone))
    except OSError:
        return History()
