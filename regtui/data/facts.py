"""The data sets that regtui knows, as facts: what a preset may ask of them can be checked before anything is loaded."""

from __future__ import annotations

from typing import Literal, NamedTuple

from regtui.tasks.facts import TaskName

DatasetName = Literal["mnist", "fashion-mnist", "kmnist", "cifar10", "diabetes"]


class Dataset(NamedTuple):
    """The sizes of a data set, and what it is for.

    Attributes:
        title: Its name as people write it.
        train: Examples in its training set, which a run splits into training and validation.
        test: Examples in its test set.
        shape: Height, width and channels of an image; (28, 28) has one channel and no third number. (10,) is a row
            of ten numbers.
        outputs: How many numbers a network says of an example: one for each class, or one where a number is predicted.
        task: What its targets are fit for.
        examples: What its examples are called.
    """

    title: str
    train: int
    test: int
    shape: tuple[int, ...]
    outputs: int
    task: TaskName = "classification"
    examples: str = "images"

    @property
    def features(self) -> int:
        """Numbers in one example: the width of a network's input."""
        product = 1
        for size in self.shape:
            product *= size
        return product


DATASETS: dict[DatasetName, Dataset] = {
    "mnist": Dataset("MNIST", 60_000, 10_000, (28, 28), 10),
    "fashion-mnist": Dataset("Fashion-MNIST", 60_000, 10_000, (28, 28), 10),
    "kmnist": Dataset("KMNIST", 60_000, 10_000, (28, 28), 10),
    "cifar10": Dataset("CIFAR-10", 50_000, 10_000, (32, 32, 3), 10),
    "diabetes": Dataset("Diabetes", 331, 111, (10,), 1, "regression", "patients"),
}
