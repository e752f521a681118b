"""The data sets that regtui knows, as facts: what a preset may ask of them can be checked before anything is loaded."""

from __future__ import annotations

from typing import Literal, NamedTuple

DatasetName = Literal["mnist", "fashion-mnist", "kmnist", "cifar10"]


class Dataset(NamedTuple):
    """The sizes of a data set of images.

    Attributes:
        title: Its name as people write it.
        train: Images in its training set, which a run splits into training and validation.
        test: Images in its test set.
        shape: Height, width and channels of an image; (28, 28) has one channel and no third number.
        classes: How many classes its labels tell apart.
    """

    title: str
    train: int
    test: int
    shape: tuple[int, ...]
    classes: int

    @property
    def features(self) -> int:
        """Numbers in one image: the width of a network's input."""
        product = 1
        for size in self.shape:
            product *= size
        return product


DATASETS: dict[DatasetName, Dataset] = {
    "mnist": Dataset("MNIST", 60_000, 10_000, (28, 28), 10),
    "fashion-mnist": Dataset("Fashion-MNIST", 60_000, 10_000, (28, 28), 10),
    "kmnist": Dataset("KMNIST", 60_000, 10_000, (28, 28), 10),
    "cifar10": Dataset("CIFAR-10", 50_000, 10_000, (32, 32, 3), 10),
}
