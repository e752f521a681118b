"""Regression: a number for each example."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional


class Regression:
    """Mean squared error and R². Outputs are [batch, 1]; targets are float [batch]."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error."""
        return functional.mse_loss(outputs.squeeze(1), targets)

    def total(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Summed squared error."""
        return functional.mse_loss(outputs.squeeze(1), targets, reduction="sum")

    def scores(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Each example's squared error, [batch]."""
        return (outputs.squeeze(1) - targets) ** 2

    def metric(self, scores: Tensor, targets: Tensor) -> float:
        """R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)², with ȳ the mean of these examples' targets; NaN if all targets are equal.

        0 is what their mean would score as a prediction, 1 is perfect, and there is no lowest value.

        Source: N. R. Draper, H. Smith: Applied Regression Analysis, 3rd edition (1998), section 1.3.
        """
        values = targets.double()
        spread = float(((values - values.mean()) ** 2).sum())
        return 1 - float(scores.double().sum()) / spread if spread > 0 else math.nan

    def predictions(self, outputs: Tensor) -> dict[str, Tensor]:
        """The predicted values, float32 [examples]."""
        return {"values": outputs.squeeze(1).float()}
