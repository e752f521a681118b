"""The reports of an arm to the trainer: plain data, because the arm may live in another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from regtui.protocol.events import LayerWeights
from regtui.runs.checkpoint import ArmFiles

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Built(NamedTuple):
    """An arm before its first step.

    Attributes:
        device: The arm's device.
        parameters: The number of trainable parameters.
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
    """An arm in evaluation mode: mean losses without penalties, accuracies as fractions, penalties, weights.

    Attributes:
        learning_rate: The learning rate of the last step.
        seconds: Time for training and validating this epoch.
    """

    train_loss: float
    val_loss: float
    train_accuracy: float
    val_accuracy: float
    penalties: dict[str, float]
    weights: dict[str, LayerWeights]
    learning_rate: float
    seconds: float


class Saved(NamedTuple):
    """An arm's part of a checkpoint: its files, or why they can't be written."""

    files: ArmFiles | None
    fault: str = ""


class ScoreReport(NamedTuple):
    """An arm on the test set, in the set's order.

    Attributes:
        loss: Mean loss.
        right: For each image whether it was classified correctly.
        predictions: What is kept of the outputs: 'probabilities', float16 [images, classes], and 'classes', uint8.
        targets: The right classes, uint8 [images].
    """

    loss: float
    right: list[bool]
    predictions: dict[str, NDArray[Any]]
    targets: NDArray[Any]
