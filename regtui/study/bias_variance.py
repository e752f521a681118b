"""Bias and variance of a study over resampled training sets, from the predictions that its runs have kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from regtui.errors import RegtuiError
from regtui.evidence.bias_variance import Decomposition
from regtui.preset.arms import BASELINE
from regtui.study.outcome import CellOutcome, StudyOutcome
from regtui.study.words import StudyWords

if TYPE_CHECKING:
    from regtui.runs.predictions import Predictions

REMEMBERED = 64
"""So many cells of studies are not worked out again."""


def bias_variance(outcome: StudyOutcome, cell: CellOutcome | None = None) -> Mapping[str, Decomposition]:
    """The error of each arm taken apart, the baseline's first, over the training sets that all arms have.

    An arm with fewer than two, since it diverged, is left out. Empty unless the study resamples its training sets, and
    where predictions are missing or fewer than two training sets are done.

    Args:
        outcome: The study.
        cell: One of its cells; None for the first.
    """
    cell = next(iter(outcome.cells.values())) if cell is None else cell
    if outcome.plan.resample is None:
        return {}
    done = {arm: set(of.score.differences) for arm, of in cell.arms.items() if len(of.score.differences) > 1}
    seeds = sorted(set.intersection(*done.values())) if done else []
    arms = (BASELINE, *done)
    folders = tuple(tuple(cell.run_of(arm, seed) for arm in arms) for seed in seeds)
    return _decomposed(arms, folders) if len(seeds) > 1 else {}


@lru_cache(REMEMBERED)
def _decomposed(arms: tuple[str, ...], folders: tuple[tuple[Path | None, ...], ...]) -> Mapping[str, Decomposition]:
    """Take apart what arms predicted; `folders` has a row for each training set, in it the run of each arm."""
    read = []
    for of_set in folders:
        known = {folder: _read(folder) for folder in dict.fromkeys(of_set)}
        found = [known[folder] for folder in of_set]
        if any(of is None or arm not in of.arms for arm, of in zip(arms, found, strict=True)):
            return {}
        read.append([of for of in found if of is not None])
    parts = {arm: _of_arm(arm, [of_set[place] for of_set in read]) for place, arm in enumerate(arms)}
    known_parts = {arm: of for arm, of in parts.items() if of is not None}
    return known_parts if len(known_parts) == len(parts) else {}


def _read(folder: Path | None) -> Predictions | None:
    from regtui.runs.predictions import read_predictions  # numpy, 0.2 s, of which lists of studies have no need

    try:
        return read_predictions(folder) if folder is not None else None
    except RegtuiError:
        return None


def _of_arm(arm: str, sets: Sequence[Predictions]) -> Decomposition | None:
    """One arm over its training sets; None where what was kept can't be taken apart."""
    import numpy as np

    from regtui.evidence.bias_variance import of_probabilities, of_values

    kept, targets = [of.arms[arm] for of in sets], [of.targets for of in sets]
    try:
        if all("values" in of for of in kept):
            return of_values([of["values"] for of in kept], targets)
        if all(np.array_equal(own, targets[0]) for own in targets[1:]):
            return of_probabilities([of["probabilities"] for of in kept], [of["classes"] for of in kept], targets[0])
    except (KeyError, ValueError, IndexError):  # of a damaged file, or of another test set
        return None
    return None


def shared_between_sets(words: StudyWords) -> float | None:
    """Which share of its examples a training set has in common with another; None where all are drawn from one."""
    if words.plan.resample == "bootstrap":
        return None
    return words.preset.sizes.train / words.preset.dataset.train
