"""Data in tables: the bundled one, and how a split standardizes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from regtui.arm.split import load
from regtui.data import source
from regtui.data.cache import Arrays, is_good
from regtui.data.tables import DIABETES, read_diabetes
from regtui.errors import InputError, RegtuiError
from regtui.preset.model import DataTable

CPU = torch.device("cpu")


def test_the_bundled_table_is_read_as_measured_and_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGTUI_CACHE", str(tmp_path))
    arrays = load_file(source.ensure("diabetes"))
    assert {key: array.shape for key, array in arrays.items()} == {
        "train_images": (331, 10), "train_labels": (331,), "test_images": (111, 10), "test_labels": (111,),
    }  # fmt: skip
    first = DIABETES.read_text().splitlines()[1].split(",")
    assert [*arrays["train_images"][0], arrays["train_labels"][0]] == [np.float32(value) for value in first]
    # The table's published moments: Efron et al. 2004 give 152.1 as the mean of the response.
    targets = np.concatenate([arrays["train_labels"], arrays["test_labels"]])
    assert targets.mean() == pytest.approx(152.1, abs=0.05)
    assert source.ensure("diabetes").parent == tmp_path


def test_a_table_is_read_from_its_csv_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGTUI_CACHE", str(tmp_path))
    path = source.ensure("diabetes")
    assert is_good(path, "diabetes")
    written = path.stat().st_mtime_ns
    assert source.ensure("diabetes").stat().st_mtime_ns == written


@pytest.mark.parametrize("damage", ["", "age,bmi\n1,2\n", "words\nare,no,numbers\n"])
def test_a_damaged_table_is_a_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(damage)
    with pytest.raises(RegtuiError, match="install regtui again"):
        read_diabetes(path)


def test_columns_are_standardized_by_what_is_trained_on_alone(tmp_path: Path) -> None:
    data = load(_cache(tmp_path), DataTable(dataset="diabetes"), 1, CPU)
    for part in (data.train_examples.read(), data.train_targets[:, None]):
        assert torch.allclose(part.mean(0), torch.zeros(part.shape[1]), atol=1e-5)
        assert torch.allclose(part.std(0, correction=0), torch.ones(part.shape[1]), atol=1e-4)
    assert abs(data.val_examples.read().mean(0)).max() > 1e-3, "validation rows have no part in the mean"
    assert (len(data.train_examples), len(data.val_examples), len(data.test_examples)) == (265, 66, 111)


def test_a_column_that_never_changes_is_no_division_by_zero(tmp_path: Path) -> None:
    arrays = dict(read_diabetes())
    arrays["train_images"] = arrays["train_images"].copy()
    arrays["train_images"][:, 3] = 7
    data = load(_cache(tmp_path, arrays), DataTable(dataset="diabetes"), 1, CPU)
    assert not data.train_examples.read()[:, 3].any()
    assert data.test_examples.read().isfinite().all()


@pytest.mark.parametrize(("value", "words"), [(np.float32(5), "nothing to learn"), (np.float32("nan"), "not finite")])
def test_a_target_that_is_constant_or_not_finite_is_a_sentence(tmp_path: Path, value: np.float32, words: str) -> None:
    arrays = dict(read_diabetes())
    arrays["train_labels"] = np.full_like(arrays["train_labels"], value)
    with pytest.raises(InputError, match=words):
        load(_cache(tmp_path, arrays), DataTable(dataset="diabetes"), 1, CPU)


def _cache(folder: Path, arrays: Arrays | None = None) -> Path:
    path = folder / "cache.safetensors"
    save_file({key: np.ascontiguousarray(array) for key, array in (arrays or read_diabetes()).items()}, path)
    return path
