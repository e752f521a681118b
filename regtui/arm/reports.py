"""The reports of an arm to the trainer: plain data, because the arm may live in another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from regtui.protocol.events import LayerWeights, NotFinite
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
        split: A hash of the examples' numbers of each part.
    """

    device: str
    parameters: int
    tensors: dict[str, str]
    data: str
    split: dict[str, str]


class Trained(NamedTuple):
    """Training steps that an arm has made.

    Attributes:
        losses: The data loss of each, without penalties.
        not_finite: What is not finite after the last of them, or, if there are none, after the last before; that then
            is the arm's last step. None if everything is finite.
    """

    losses: list[float]
    not_finite: NotFinite | None = None


class Measured(NamedTuple):
    """An arm in evaluation mode: mean losses without penalties, the task's metric, penalties, weights.

    Attributes:
        learning_rate: The learning rate of the last step.
        seconds: Time for training and validating this epoch.
        gpu_bytes: The memory that torch holds on the arm's GPU; None on other devices.
    """

    train_loss: float
    val_loss: float
    train_metric: float
    val_metric: float
    penalties: dict[str, float]
    weights: dict[str, LayerWeights]
    learning_rate: float
    seconds: float
    gpu_bytes: int | None = None


class Saved(NamedTuple):
    """An arm's part of a checkpoint: its files, or why they can't be written, and whether the disk did not answer."""

    files: ArmFiles | None
    fault: str = ""
    hangs: bool = False


class ScoreReport(NamedTuple):
    """An arm on the test set, in the set's order.

    Attributes:
        loss: Mean loss.
        metric: The task's metric.
        scores: The task's score of each example, what arms are compared by.
        predictions: What is kept of the outputs, by name, [examples, …] each.
        targets: The right answers, [examples].
    """

    loss: float
    metric: float
    scores: list[bool] | list[float]
    predictions: dict[str, NDArray[Any]]
    targets: NDArray[Any]
