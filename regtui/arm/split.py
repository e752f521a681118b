"""A run's examples and targets: split by the seed, left where they lie on disk, normalized batch by batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from regtui.errors import InputError
from regtui.preset.model import DataTable


class Fingerprint(NamedTuple):
    """Hashes of the data and its split; arms with equal hashes have the same data, split in the same way.

    Attributes:
        data: Of all images and labels of the data set, as they were read.
        split: Of the numbers of the images of each part: 'training', 'validation', 'test'.
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
        train_images: uint8 [train, features], an image flattened as height, width, channels; of a table float32.
        train_labels: int64 [train], class numbers; of a regression float32.
        val_images: [validation, features].
        val_labels: [validation].
        test_images: [test, features].
        test_labels: [test].
    """

    fingerprint: Fingerprint
    train_images: Rows
    train_labels: Tensor
    val_images: Rows
    val_labels: Tensor
    test_images: Rows
    test_labels: Tensor


def load(path: Path, data: DataTable, generator: torch.Generator, device: torch.device) -> Data:
    """Load a cache file and split its training set at random.

    A permutation of the training set is drawn; its beginning is for validation, the rest for training. If fewer images
    are wanted, the first of each part are taken, so that the size of one part does not affect the other.

    Args:
        path: A cache file, as `regtui.data.source.ensure` returns it.
        data: How to split; the preset guarantees that both parts have images.
        generator: Draws the permutation; on the CPU, so that a seed gives the same split on every device.
        device: The device for the tensors.

    Returns:
        The examples and targets for work on `device`. Images are still uint8; the columns of a table, its target among
        them, are standardized by what is trained on, so that a loss of 1 is what predicting the mean would score.

    Raises:
        InputError: The target is the same in all examples that are trained on, or a number is not finite.
    """
    tensors = load_file(path)  # which maps the file and reads nothing yet
    images, labels = tensors["train_images"], tensors["train_labels"]
    test_images, test_labels = tensors["test_images"], tensors["test_labels"]
    order = torch.randperm(len(images), generator=generator)
    kept = data.kept_for_validation(len(images))
    val, train = order[:kept][: data.val_samples], order[kept:][: data.train_samples]
    parts = {"training": train, "validation": val, "test": torch.arange(len(test_images))}
    if images.is_floating_point():
        images, test_images = _standardized(images, test_images, train)
    if labels.is_floating_point():
        _check_target(data.dataset, labels, test_labels, train)
        labels, test_labels = _standardized(labels, test_labels, train)
    else:
        labels, test_labels = labels.long(), test_labels.long()
    return Data(
        fingerprint=Fingerprint(
            hash_of(*(tensors[name] for name in sorted(tensors))),
            {name: hash_of(numbers) for name, numbers in parts.items()},
        ),
        train_images=Rows(images, train).to(device),
        train_labels=labels[train].to(device),
        val_images=Rows(images, val).to(device),
        val_labels=labels[val].to(device),
        test_images=Rows.all(test_images).to(device),
        test_labels=test_labels.to(device),
    )


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


def normalize(images: Tensor) -> Tensor:
    """Bring pixels from 0..255 to -1..1: (x / 255 - 0.5) / 0.5; numbers of a table are standardized already.

    Args:
        images: uint8 or float32, any shape.

    Returns:
        float32, the same shape.
    """
    if images.is_floating_point():
        return images
    # Doubling is exact in floating point, so this rounds like the formula, with one pass less over the batch.
    return images.div(127.5).sub_(1.0)
