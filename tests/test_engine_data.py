from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from regtui.arm.split import Data, Rows, load, normalize
from regtui.arm.streams import stream
from regtui.preset.model import DataTable

CPU = torch.device("cpu")
TRAIN, TEST = 1000, 50


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache file whose training images carry their own number in their first two pixels."""
    numbers = np.arange(TRAIN)
    images = np.stack([numbers // 256, numbers % 256, numbers % 7], axis=1).astype(np.uint8)
    arrays = {
        "train_images": images,
        "train_labels": (numbers % 10).astype(np.uint8),
        "test_images": np.full((TEST, 3), 255, np.uint8),
        "test_labels": np.full(TEST, 9, np.uint8),
    }
    file = tmp_path_factory.mktemp("data") / "cache.safetensors"
    save_file(arrays, file)
    return file


def split(
    path: Path,
    val_fraction: float = 0.2,
    train_samples: int | None = None,
    seed: int = 0,
    val_samples: int | None = None,
    data_seed: int | None = None,
    bootstrap: bool = False,
) -> Data:
    table = DataTable(
        val_fraction=val_fraction,
        train_samples=train_samples,
        val_samples=val_samples,
        seed=data_seed,
        bootstrap=bootstrap,
    )
    return load(path, table, seed, CPU)


def numbers(images: Rows) -> list[int]:
    return [256 * high + low for high, low, _ in images.read().tolist()]


def test_every_image_is_in_training_or_in_validation_and_keeps_its_label(path: Path) -> None:
    data = split(path)
    train, val = numbers(data.train_examples), numbers(data.val_examples)
    assert (len(train), len(val)) == (800, 200)
    assert sorted(train + val) == list(range(TRAIN))
    assert train != sorted(train)
    assert data.train_targets.tolist() == [number % 10 for number in train]
    assert data.val_targets.tolist() == [number % 10 for number in val]


def test_the_test_set_is_whole_and_types_are_small_for_images_and_int64_for_labels(path: Path) -> None:
    data = split(path)
    assert data.test_examples.read().shape == (TEST, 3)
    assert data.test_targets.tolist() == [9] * TEST
    assert {part.read().dtype for part in (data.train_examples, data.val_examples, data.test_examples)} == {torch.uint8}
    assert {data.train_targets.dtype, data.val_targets.dtype, data.test_targets.dtype} == {torch.int64}


def test_the_seed_decides_the_split(path: Path) -> None:
    assert numbers(split(path, seed=3).train_examples) == numbers(split(path, seed=3).train_examples)
    assert numbers(split(path, seed=3).train_examples) != numbers(split(path, seed=4).train_examples)


def test_without_the_keys_of_the_data_the_split_is_the_one_that_it_always_was(path: Path) -> None:
    order = torch.randperm(TRAIN, generator=stream(3, "split")).tolist()
    data = split(path, seed=3)
    assert (numbers(data.val_examples), numbers(data.train_examples)) == (order[:200], order[200:])


def test_the_datas_own_seed_decides_the_split_whatever_the_runs_seed(path: Path) -> None:
    fixed, other_seed = (split(path, seed=seed, data_seed=7) for seed in (0, 1))
    assert fixed.fingerprint == other_seed.fingerprint == split(path, seed=7).fingerprint
    assert fixed.fingerprint.split["training"] != split(path, seed=0).fingerprint.split["training"]
    assert fixed.fingerprint.split["training"] != split(path, seed=7, data_seed=0).fingerprint.split["training"]


def test_a_bootstrap_draws_as_many_with_replacement_by_the_runs_seed_from_the_training_part_alone(path: Path) -> None:
    part = split(path, train_samples=500, data_seed=7)
    drawn = [split(path, seed=seed, train_samples=500, data_seed=7, bootstrap=True) for seed in (0, 1, 0)]
    for data in drawn:
        few = set(numbers(data.train_examples))
        assert len(data.train_examples) == len(part.train_examples) == 500
        assert few <= set(numbers(part.train_examples))
        assert 0.55 < len(few) / 500 < 0.71  # 1 − 1/e is 0.63
        assert data.train_targets.tolist() == [number % 10 for number in numbers(data.train_examples)]
        assert numbers(data.val_examples) == numbers(part.val_examples)
    hashes = [data.fingerprint.split["training"] for data in drawn]
    assert hashes[0] == hashes[2]
    assert len({*hashes, part.fingerprint.split["training"]}) == 3


def test_fewer_training_samples_are_a_beginning_of_all_and_leave_validation_as_it_is(path: Path) -> None:
    every, few = split(path), split(path, train_samples=100)
    assert numbers(few.train_examples) == numbers(every.train_examples)[:100]
    assert few.train_targets.tolist() == every.train_targets.tolist()[:100]
    assert numbers(few.val_examples) == numbers(every.val_examples)


@pytest.mark.parametrize("few", [1, 50])
def test_fewer_validation_samples_are_a_beginning_of_all_and_leave_training_as_it_is(path: Path, few: int) -> None:
    every, some = split(path), split(path, val_samples=few)
    assert numbers(some.val_examples) == numbers(every.val_examples)[:few]
    assert some.val_targets.tolist() == every.val_targets.tolist()[:few]
    assert numbers(some.train_examples) == numbers(every.train_examples)
    assert some.fingerprint.split["training"] == every.fingerprint.split["training"]
    assert some.fingerprint.split["validation"] != every.fingerprint.split["validation"]


def test_rows_are_read_in_their_order_one_by_one_in_batches_and_on_another_device() -> None:
    tensor = torch.arange(20, dtype=torch.uint8).reshape(10, 2)
    rows = Rows(tensor, torch.tensor([7, 0, 3, 9, 4]))
    assert len(rows) == 5
    assert rows.read().tolist() == tensor[[7, 0, 3, 9, 4]].tolist()
    assert rows.read(torch.tensor([1, 1, 3])).tolist() == tensor[[0, 0, 9]].tolist()
    assert [batch.tolist() for batch in rows.batches(2)] == [
        tensor[[7, 0]].tolist(), tensor[[3, 9]].tolist(), tensor[[4]].tolist()
    ]  # fmt: skip
    assert torch.equal(rows.first(2).read(), rows.read()[:2])
    assert torch.equal(rows.first(6).read(), rows.read())
    there = rows.to(torch.device("meta"))
    assert (there.tensor.device.type, there.numbers.device.type, len(there.tensor)) == ("meta", "meta", 5)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="tells where the memory is from")
def test_images_stay_in_the_mapped_file(path: Path) -> None:
    data = split(path)
    for part in (data.train_examples, data.val_examples, data.test_examples):
        address = part.tensor.data_ptr()
        ranges = (line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines())
        (where,) = (words for words in ranges if _contains(words[0], address))
        assert where[5:] == [str(path)]


def _contains(span: str, address: int) -> bool:
    begin, end = (int(edge, 16) for edge in span.split("-"))
    return begin <= address < end


def test_normalize_rounds_as_the_formula_does() -> None:
    images = torch.arange(256, dtype=torch.uint8).reshape(16, 16)
    normal = normalize(images)
    assert torch.equal(normal, (images.to(torch.float32) / 255 - 0.5) / 0.5)
    assert normal.dtype == torch.float32
    assert (normal.min().item(), normal.max().item()) == (-1.0, 1.0)
    assert torch.equal(images, torch.arange(256, dtype=torch.uint8).reshape(16, 16))


def test_a_fingerprint_tells_other_data_and_other_splits_apart(path: Path, tmp_path: Path) -> None:
    data, again, seed, fewer = split(path), split(path), split(path, seed=1), split(path, train_samples=700)
    assert data.fingerprint == again.fingerprint
    assert data.fingerprint.data == seed.fingerprint.data == fewer.fingerprint.data
    for part in ("training", "validation"):
        assert data.fingerprint.split[part] != seed.fingerprint.split[part]
    assert data.fingerprint.split["test"] == seed.fingerprint.split["test"]
    assert data.fingerprint.split["training"] != fewer.fingerprint.split["training"]
    assert data.fingerprint.split["validation"] == fewer.fingerprint.split["validation"]
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        arrays = load_file(path)
        arrays[name].flat[-1] ^= 1
        save_file(arrays, tmp_path / "other.safetensors")
        assert split(tmp_path / "other.safetensors").fingerprint.data != data.fingerprint.data
