"""A linear model: softmax regression on classes, linear regression on numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from regtui.models.base import Model, Shape, Site, around, flat

if TYPE_CHECKING:
    from torch import Generator, nn


class LinearModel(Model):
    """One linear layer and nothing else: the smallest model that there is."""

    kind: Literal["linear"] = Field("linear", description="One linear layer.")

    def words(self, shape: Shape, outputs: int) -> str:
        """'784-10'."""
        return f"{flat(shape)}-{outputs}"

    def sites(self, shape: Shape) -> list[Site]:
        """The input alone."""
        return around([], shape)

    def parameters(self, shape: Shape, outputs: int) -> int:
        """(inputs + 1) · outputs."""
        return (flat(shape) + 1) * outputs

    def build(self, shape: Shape, outputs: int, generator: Generator) -> nn.Module:
        """One layer, called output."""
        from regtui.models.layers import Linear, chain

        return chain([("output", Linear(flat(shape), outputs))], generator)
