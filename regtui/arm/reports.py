"""What an arm reports to the trainer: plain numbers, so that an arm may live in another process."""

from __future__ import annotations

from typing import NamedTuple

from regtui.protocol.events import LayerWeights
from regtui.runs.checkpoint import ArmFiles


class Built(NamedTuple):
    """An arm before its first step.

    Attributes:
        device: Where it is.
        parameters: How many numbers training changes.
        tensors: A hash of each tensor's initial values.
        data: A hash of the data set as it was read.
        split: A hash of the images' numbers of each part.
    """

    device: str
    parameters: int
    tensors: dict[str, str]
    data: str
    split: dict[str, str]


class Measured(NamedTuple):
    """An arm in evaluation mode: mean losses without penalties, accuracies as fractions, penalties, weights."""

    train_loss: float
    val_loss: float
    train_accuracy: float
    val_accuracy: float
    penalties: dict[str, float]
    weights: dict[str, LayerWeights]
    seconds: float


class Saved(NamedTuple):
    """An arm's part of a checkpoint: the files that it is in, or what keeps them from being written, and where."""

    files: ArmFiles | None
    fault: str = ""


class ScoreReport(NamedTuple):
    """An arm on the test set: mean loss, and for each image in the set's order whether it was classified correctly."""

    loss: float
    right: list[bool]
