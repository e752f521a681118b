"""Batch norm: each hidden unit is standardized over the batch before its activation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from regtui.techniques.base import Explanation, Setting, Technique

if TYPE_CHECKING:
    from torch import nn

    from regtui.models.base import Site


class BatchNorm(Technique):
    """Standardizes the input of each activation by the batch's own mean and variance."""

    momentum: float = Field(0.1, gt=0, le=1, description="Share of the newest batch in the running mean and variance.")
    eps: float = Field(1e-5, gt=0, le=1, description="Added to the variance, against division by zero.")

    why_not_live: ClassVar[str] = "its layers and their running statistics are part of the network from the first step"
    explanation: ClassVar[Explanation] = Explanation(
        title="Batch norm",
        idea="What enters each activation is standardized over the batch, then scaled and shifted by learned numbers.",
        formula="y = γ · (x − μ_B) / √(σ²_B + ε) + β",
        training="μ and σ² are the batch's own, so every sample sees the noise of its batch, and larger learning rates "
        "are safer: the loss often falls faster in the first epochs. Each step costs more. Running averages of μ and "
        "σ² are kept for later.",
        inference="The running averages take the place of the batch's μ and σ²: the layer is a fixed affine map, x "
        "times a number plus a number, for each unit.",
        look_for="A steeper start: the loss of the first epochs lies below the baseline's. Its regularizing effect is "
        "mostly mild and grows as batches shrink; with tiny batches the noise hurts, and the running averages fit the "
        "batches badly.",
        source="Ioffe, Szegedy: Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate "
        "Shift. ICML 2015. On why it helps: Santurkar et al., NeurIPS 2018.",
    )

    def label(self) -> str:
        """'batch norm'."""
        return "batch norm"

    def faults(self, setting: Setting) -> Iterator[tuple[str, str]]:
        """There must be an activation, and each batch must have more than one example."""
        if not any(site.kind == "before" for site in setting.sites):
            yield "", "the network has no activation, so there is no layer to normalize"
        if 1 in (setting.batch_size, setting.train_samples % setting.batch_size):
            yield (
                "",
                f"{setting.train_samples:,} training examples in batches of {setting.batch_size:,} leave a batch of "
                "one, which has no variance to normalize by; change train.batch_size",
            )

    def layer_at(self, site: Site) -> nn.Module | None:
        """PyTorch's own layer before each activation; γ starts at 1 and β at 0, so no random numbers are drawn.

        In feature maps each channel is standardized over the batch and all its pixels.
        """
        if site.kind != "before":
            return None
        from torch import nn

        kind = nn.BatchNorm2d if len(site.shape) == 3 else nn.BatchNorm1d
        return kind(site.shape[0], eps=self.eps, momentum=self.momentum)
