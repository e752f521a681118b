"""How far a study's difference reaches beyond these test examples: the interval for new seeds and new examples."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regtui.errors import RegtuiError
from regtui.evidence.over_seeds import Compared
from regtui.evidence.student import Interval
from regtui.preset.arms import BASELINE
from regtui.tasks import LOSS, Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

TARGETS = ""
"""Beside the arms' names, the right answers."""
SAME = 1e-4
"""So far, as a share, may the mean over examples be from the difference of the scores, which were rounded otherwise."""
MOST_KEPT = 2_000
"""So many runs' examples are remembered; a run of seven arms and 10,000 images takes 70 kB."""


def both_scopes(folders: Mapping[int, tuple[Path, Path]], arm: str, metric: Metric, score: Compared) -> Interval | None:
    """The interval for the difference over new seeds and new test examples.

    It holds with the same probability as `score.joint`, the one over new seeds on these examples.

    Args:
        folders: By seed: the folders of the runs in which the baseline's and the arm's values were measured.
        arm: The arm beside the baseline.
        metric: What is judged.
        score: What was found over seeds.

    Returns:
        In the metric's shown unit; None where predictions are missing or say something else than the scores, or the
        metric is no mean over examples that they tell: of a classification the loss, whose probabilities are rounded.
    """
    from regtui.evidence.crossed import crossed

    try:
        found = crossed((_differences(*pair, arm, metric) for pair in folders.values()), score.together)
    except (_UnknownError, ValueError):
        return None
    if found is None or score.mean is None or abs(found.mean - score.mean) > SAME * max(1.0, abs(score.mean)):
        return None
    return found.interval


class _UnknownError(Exception):
    """A run's predictions don't tell the metric of each example."""


def _differences(base_folder: Path, arm_folder: Path, arm: str, metric: Metric) -> Array:
    """The arm's result minus the baseline's for each test example of one seed, in the metric's shown unit."""
    import numpy as np

    theirs, ours = _of_run(base_folder), _of_run(arm_folder)
    if theirs is None or ours is None or BASELINE not in theirs or arm not in ours:
        raise _UnknownError
    if not np.array_equal(theirs[TARGETS], ours[TARGETS]):
        raise _UnknownError
    base, own = theirs[BASELINE], ours[arm]
    is_right = own.dtype == bool
    if is_right and metric is LOSS:
        raise _UnknownError
    difference = own.astype(np.float64) - base.astype(np.float64)
    if not is_right and metric is not LOSS:  # R² is 1 less the mean squared error over the targets' variance
        difference = -difference / float(np.var(ours[TARGETS], dtype=np.float64))
    return metric.factor * difference


def _of_run(folder: Path) -> Mapping[str, Array] | None:
    try:
        file = os.stat(folder / "predictions.safetensors")  # noqa: PTH116
    except OSError:
        return None
    return _read(folder, file.st_size, file.st_mtime_ns)


@lru_cache(MOST_KEPT)
def _read(folder: Path, _size: int, _changed: int) -> Mapping[str, Array] | None:
    """Of each arm, example by example, whether it was right, or its squared error; and the targets."""
    from regtui.runs.predictions import read_predictions

    try:
        found = read_predictions(folder)
    except RegtuiError:
        return None
    if found is None:
        return None
    marks: dict[str, Array] = {TARGETS: found.targets}
    for arm, arrays in found.arms.items():
        if "classes" in arrays:
            marks[arm] = arrays["classes"] == found.targets
        elif "values" in arrays:
            marks[arm] = (arrays["values"] - found.targets) ** 2
    return marks
