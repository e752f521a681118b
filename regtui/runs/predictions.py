"""The predictions of each arm on the test set, with the weights it keeps, in one file for any statistics.

targets                     the right answers, once: [examples]
ARM.probabilities           float16, [examples, classes]
ARM.classes                 uint8, the most probable class, [examples]; rounding can make probabilities equal
ARM.values                  float32, of a regression instead of the two, the predicted values, [examples]

An arm that diverged is not tested and has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from regtui.errors import RegtuiError
from regtui.runs.tensors import read_tensors

FILE = "predictions.safetensors"
TARGETS = "targets"
MAX_BYTES = 2**28
"""Largest file that is read, in bytes: a hundred times that of seven arms and 10,000 images."""

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of all arms for the same examples, in the test set's order.

    Attributes:
        targets: The right answers, [examples].
        arms: For each arm, arrays by name, [examples] or [examples, classes].
    """

    targets: Array
    arms: Mapping[str, Mapping[str, Array]]


def to_bytes(predictions: Predictions) -> bytes:
    """The content of the file."""
    arrays = {f"{arm}.{name}": array for arm, named in predictions.arms.items() for name, array in named.items()}
    return save({TARGETS: predictions.targets, **arrays})


def read_predictions(run_folder: Path) -> Predictions | None:
    """Read the predictions of a run; None if it has none, because it was not tested or is of an earlier version.

    Raises:
        RegtuiError: They can't be read, or are damaged.
    """
    path = run_folder / FILE
    arrays = read_tensors(path, MAX_BYTES, "predictions")
    if arrays is None:
        return None
    targets = arrays.pop(TARGETS, None)
    if targets is None or targets.ndim != 1 or targets.size == 0 or targets.dtype.kind not in "uif":
        raise RegtuiError(f"{path} is damaged: it has no targets.")
    arms: dict[str, dict[str, Array]] = {}
    for key, array in arrays.items():
        arm, _, name = key.rpartition(".")
        fault = _fault(array, targets) if arm else "it is of no arm"
        if fault:
            raise RegtuiError(f"{path} is damaged: {key!r}: {fault}.")
        arms.setdefault(arm, {})[name] = array
    if not arms:
        raise RegtuiError(f"{path} is damaged: it has no predictions.")
    return Predictions(targets, arms)


def _fault(array: Array, targets: Array) -> str:
    """What is wrong with an array of predictions; empty if nothing is."""
    if array.dtype.kind not in "uif" or array.ndim not in {1, 2}:
        return f"{array.dtype} {list(array.shape)} is no predictions"
    if len(array) != len(targets):
        return f"it has {len(array):,} examples, and there are {len(targets):,} targets"
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return "not all of them are finite"
    return ""
