"""What a task computes of a network's outputs and the targets."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Arithmetic(Protocol):
    """A task's loss, scores and metric. All tensors of a call are on one device."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of a batch, a number to differentiate.

        Args:
            outputs: What the network says, [batch, outputs].
            targets: What is true, [batch]; classification also takes shares of the classes, [batch, classes].
        """

    def total(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The summed loss of a batch."""

    def scores(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """A number for each example, [batch]: what the arms are compared by, and what the metric is made of."""

    def metric(self, scores: Tensor, targets: Tensor) -> float:
        """The metric of a whole set of examples, from their scores and targets, [examples] each."""

    def predictions(self, outputs: Tensor) -> dict[str, Tensor]:
        """What is kept of the outputs of a test set, by name, [examples, …] each."""
