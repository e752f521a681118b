"""Classification: which of several classes an example belongs to."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


class Classification:
    """Cross-entropy and accuracy. Outputs are logits, [batch, classes]; targets are class numbers, [batch]."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy, −log softmax(outputs)[target]."""
        return functional.cross_entropy(outputs, targets)

    def total(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Summed cross-entropy."""
        return functional.cross_entropy(outputs, targets, reduction="sum")

    def scores(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Whether each example is classified correctly, bool [batch]."""
        return outputs.argmax(1) == targets

    def metric(self, scores: Tensor, targets: Tensor) -> float:  # noqa: ARG002, a task's own
        """Accuracy: the share of examples classified correctly."""
        return int(scores.sum()) / len(scores)

    def predictions(self, outputs: Tensor) -> dict[str, Tensor]:
        """Class probabilities as float16 [examples, classes], and the most probable class as uint8 [examples].

        The class is kept beside the probabilities because rounding to float16 can make two of them equal.
        """
        return {
            "probabilities": outputs.softmax(1).to(torch.float16),
            "classes": outputs.argmax(1).to(torch.uint8),
        }
