"""A run's examples and targets: split by the seed, left where they lie on disk, normalized batch by batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from regtui.arm.streams import stream
from regtui.errors import InputError
from regtui.preset.model import DataTable


class Fingerprint(NamedTuple):
    """Hashes of the data and its split; arms with equal hashes have the same data, split in the same way.

    Attributes:
        data: Of all examples and targets of the data set, as they were read.
        split: Of the numbers of the examples of each part: 'training', 'validation', 'test'.
    """

    data: str
    split: dict[str, str]


@dataclass(frozen=True)
class Rows:
    """Some rows of a tensor, copied only when they are read.

    On a CPU the tensor is a file that is mapped into memory, so that the processes of all arms share it.

    Attributes:
        tensor: [any number, features].
        numbers: int64 [rows], the selected rows in order.
    """

    tensor: Tensor
    numbers: Tensor

    @classmethod
    def all(cls, tensor: Tensor) -> Rows:
        """All rows of `tensor`, in its order."""
        return cls(tensor, torch.arange(len(tensor), device=tensor.device))

    def __len__(self) -> int:
        return len(self.numbers)

    def read(self, which: Tensor | None = None) -> Tensor:
        """A copy of the rows at the places `which`, int64, or of all; [rows, features]."""
        return self.tensor.index_select(0, self.numbers if which is None else self.numbers.index_select(0, which))

    def first(self, count: int) -> Rows:
        """The first `count` rows, or all if there are fewer."""
        return Rows(self.tensor, self.numbers[:count])

    def batches(self, size: int) -> Iterator[Tensor]:
        """All rows, read `size` at a time."""
        for numbers in torch.split(self.numbers, size):
            yield self.tensor.index_select(0, numbers)

    def to(self, device: torch.device) -> Rows:
        """The same rows for work on `device`; one with memory of its own gets these rows alone."""
        return self if device == self.tensor.device else Rows.all(self.read().to(device))


@dataclass(frozen=True)
class Data:
    """Examples and their targets, for work on one device.

    Attributes:
        fingerprint: Tells them from others.
        train_examples: [train, features]: of images uint8, flattened as height, width, channels; of a table float32.
        train_targets: [train]: class numbers as int64, or values as float32.
        val_examples: [validation, features].
        val_targets: [validation].
        test_examples: [test, features].
        test_targets: [test].
    """

    fingerprint: Fingerprint
    train_examples: Rows
    train_targets: Tensor
    val_examples: Rows
    val_targets: Tensor
    test_examples: Rows
    test_targets: Tensor


def load(path: Path, data: DataTable, seed: int, device: torch.device) -> Data:
    """Load a cache file and split its training set at random.

    A permutation of the training set is drawn; its beginning is for validation, the rest for training. If fewer
    examples are wanted, the first of each part are taken, so that the size of one part does not affect the other. With
    `bootstrap` as many are then drawn with replacement from those for training.

    Args:
        path: A cache file, as `regtui.data.source.ensure` returns it.
        data: How to split; the preset guarantees that both parts have examples.
        seed: The run's. The split follows it unless `data` has a seed of its own; what is drawn with replacement
            always does. Both are drawn on the CPU, so that a seed gives the same on every device.
        device: The device for the tensors.

    Returns:
        The examples and targets for work on `device`. Images are still uint8; the columns of a table, its target among
        them, are standardized by what is trained on, so that a loss of 1 is what predicting the mean would score.

    Raises:
        InputError: The target is the same in all examples that are trained on, or a number is not finite.
    """
    tensors, hash_of_all = _read(path, path.stat().st_mtime_ns)
    examples, targets = tensors["train_images"], tensors["train_labels"]
    test_examples, test_targets = tensors["test_images"], tensors["test_labels"]
    order = torch.randperm(len(examples), generator=stream(seed if data.seed is None else data.seed, "split"))
    kept = data.kept_for_validation(len(examples))
    val, train = order[:kept][: data.val_samples], order[kept:][: data.train_samples]
    if data.bootstrap:
        train = train[torch.randint(len(train), (len(train),), generator=stream(seed, "bootstrap"))]
    parts = {"training": train, "validation": val, "test": torch.arange(len(test_examples))}
    if examples.is_floating_point():
        examples, test_examples = _standardized(examples, test_examples, train)
    if targets.is_floating_point():
        _check_target(data.dataset, targets, test_targets, train)
        targets, test_targets = _standardized(targets, test_targets, train)
    else:
        targets, test_targets = targets.long(), test_targets.long()
    return Data(
        fingerprint=Fingerprint(
            hash_of_all,
            {name: hash_of(numbers) for name, numbers in parts.items()},
        ),
        train_examples=Rows(examples, train).to(device),
        train_targets=targets[train].to(device),
        val_examples=Rows(examples, val).to(device),
        val_targets=targets[val].to(device),
        test_examples=Rows.all(test_examples).to(device),
        test_targets=test_targets.to(device),
    )


@lru_cache(maxsize=1)
def _read(path: Path, changed: int) -> tuple[dict[str, Tensor], str]:  # noqa: ARG001
    """The tensors of a file, mapped into memory, and their hash; kept for the next run in this process.

    Args:
        path: The file.
        changed: When it was changed last; after a change it is read again.
    """
    tensors = load_file(path)
    return tensors, hash_of(*(tensors[name] for name in sorted(tensors)))


def hash_of(*tensors: Tensor) -> str:
    """A hash of the tensors' content in 16 hexadecimal digits."""
    digest = hashlib.sha256()  # processors have instructions for it
    for tensor in tensors:
        digest.update(tensor.contiguous().cpu().numpy().data)
    return digest.hexdigest()[:16]


def _standardized(values: Tensor, test: Tensor, train: Tensor) -> tuple[Tensor, Tensor]:
    """Each column minus its mean over its standard deviation, both taken over the rows `train` of `values` alone.

    A column that is the same in all of them becomes 0 there instead of a division by 0.
    """
    chosen = values[train].double()
    mean, deviation = chosen.mean(0), chosen.std(0, correction=0)
    deviation = torch.where(deviation > 0, deviation, 1.0)
    return tuple(((part.double() - mean) / deviation).float() for part in (values, test))  # type: ignore[return-value]


def _check_target(name: str, targets: Tensor, test: Tensor, train: Tensor) -> None:
    if not (targets.isfinite().all() and test.isfinite().all()):
        raise InputError(f"data.dataset: a target of {name} is not finite; remove that row or fill it in")
    chosen = targets[train]
    if chosen.min() == chosen.max():
        raise InputError(
            f"data.dataset: the target of {name} is {chosen[0]:g} in all {len(chosen):,} examples that are trained on, "
            "so there is nothing to learn; take other data, more of it, or another seed"
        )


def normalize(examples: Tensor) -> Tensor:
    """Bring pixels from 0..255 to -1..1: (x / 255 - 0.5) / 0.5; numbers of a table are standardized already.

    Args:
        examples: Pixels as uint8, or numbers as float32; any shape.

    Returns:
        float32, the same shape.
    """
    if examples.is_floating_point():
        return examples
    # Doubling is exact in floating point, so this rounds like the formula, with one pass less over the batch.
    return examples.div(127.5).sub_(1.0)
