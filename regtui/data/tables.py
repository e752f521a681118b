"""Data in tables: rows of numbers with one number to predict. The bundled ones are read from their CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from regtui.data.facts import DATASETS
from regtui.errors import RegtuiError

if TYPE_CHECKING:
    from regtui.data.cache import Arrays

DIABETES = Path(__file__).parent / "diabetes" / "diabetes.csv"


def read_diabetes(path: Path = DIABETES) -> Arrays:
    """The bundled table: its first rows are the training set, the last ones the test set; float32 throughout.

    Raises:
        RegtuiError: The file is damaged.
    """
    import numpy as np

    dataset = DATASETS["diabetes"]
    shape = (dataset.train + dataset.test, dataset.features + 1)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
        rows = np.array([line.split(",") for line in lines], np.float32)
        if rows.shape != shape or not np.isfinite(rows).all():
            raise ValueError(f"it is no table of {shape[0]} rows and {shape[1]} columns of numbers")
    except (OSError, ValueError) as error:
        raise RegtuiError(f"The bundled file {path} is damaged ({error}): install regtui again.") from error
    features, targets = np.ascontiguousarray(rows[:, :-1]), np.ascontiguousarray(rows[:, -1])
    return {
        "train_images": features[: dataset.train],
        "train_labels": targets[: dataset.train],
        "test_images": features[dataset.train :],
        "test_labels": targets[dataset.train :],
    }
