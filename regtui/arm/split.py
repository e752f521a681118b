"""A run's images and labels: split by the seed, left where they lie on disk, copied and normalized batch by batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from regtui.preset.model import DataTable


class Fingerprint(NamedTuple):
    """Hashes of what an arm learns from: arms of which they are equal have the same data, split alike.

    Attributes:
        data: Of all images and labels of the data set, as they were read.
        split: Of the numbers of the images of each part: 'training', 'validation', 'test'.
    """

    data: str
    split: dict[str, str]


@dataclass(frozen=True)
class Rows:
    """Some rows of a tensor, copied only as they are asked for.

    On a CPU the tensor is a file that is mapped into memory, so that the processes of all arms share it.

    Attributes:
        tensor: [any number, features].
        numbers: int64 [rows], which of them, and in which order.
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
        """The first `count`, or all where there are not so many."""
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
    """Images and labels, for work on one device.

    Attributes:
        fingerprint: Tells them from others.
        train_images: uint8 [train, features], an image flattened as height, width, channels.
        train_labels: int64 [train].
        val_images: uint8 [validation, features].
        val_labels: int64 [validation].
        test_images: uint8 [test, features].
        test_labels: int64 [test].
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

    A permutation of the training set is drawn: its beginning is for validation, what follows for training. Of each part
    the first are taken, so that fewer of one change nothing of the other.

    Args:
        path: A cache file, as `regtui.data.source.ensure` returns it.
        data: How to split; that both parts have images, the preset has seen to.
        generator: Draws the permutation; on the CPU, so that a seed means the same split on every device.
        device: Where the tensors are to be.

    Returns:
        The images, still uint8, and labels for work on `device`.
    """
    tensors = load_file(path)  # which maps the file and reads nothing yet
    images, labels = tensors["train_images"], tensors["train_labels"].long()
    order = torch.randperm(len(images), generator=generator)
    kept = data.kept_for_validation(len(images))
    val, train = order[:kept][: data.val_samples], order[kept:][: data.train_samples]
    parts = {"training": train, "validation": val, "test": torch.arange(len(tensors["test_images"]))}
    return Data(
        fingerprint=Fingerprint(
            hash_of(*(tensors[name] for name in sorted(tensors))),
            {name: hash_of(numbers) for name, numbers in parts.items()},
        ),
        train_images=Rows(images, train).to(device),
        train_labels=labels[train].to(device),
        val_images=Rows(images, val).to(device),
        val_labels=labels[val].to(device),
        test_images=Rows.all(tensors["test_images"]).to(device),
        test_labels=tensors["test_labels"].to(device, torch.int64),
    )


def hash_of(*tensors: Tensor) -> str:
    """16 hexadecimal digits that no other content of these tensors is likely to have."""
    digest = hashlib.sha256()  # which processors compute faster than others
    for tensor in tensors:
        digest.update(tensor.contiguous().cpu().numpy().data)
    return digest.hexdigest()[:16]


def normalize(images: Tensor) -> Tensor:
    """Bring pixels from 0..255 to -1..1: (x / 255 - 0.5) / 0.5.

    Args:
        images: uint8, any shape.

    Returns:
        float32, the same shape.
    """
    # Doubling is exact in floating point, so this rounds as the formula does, with one pass less over the batch.
    return images.div(127.5).sub_(1.0)
