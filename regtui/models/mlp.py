"""A multilayer perceptron: linear layers with an activation between them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from regtui.models.base import ActivationName, Model, Shape, Site, around, flat

if TYPE_CHECKING:
    from torch import Generator, nn


class MLP(Model):
    """A multilayer perceptron of any depth and width."""

    kind: Literal["mlp"] = Field("mlp", description="A multilayer perceptron.")
    hidden: list[Annotated[int, Field(ge=1, le=65_536)]] = Field(
        [256, 128], max_length=64, description="Units of each hidden layer; an empty list is a linear model."
    )
    activation: ActivationName = Field("relu", description="What follows each hidden layer.")

    def words(self, shape: Shape, outputs: int) -> str:
        """'784-256-128-10', with the activation where it is not ReLU."""
        widths = "-".join(map(str, self._widths(shape, outputs)))
        return widths if self.activation == "relu" or not self.hidden else f"{widths} {self.activation}"

    def sites(self, shape: Shape) -> list[Site]:
        """Around each hidden layer's activation."""
        layers = enumerate(self.hidden, start=1)
        return around([(f"hidden{n}", (units,), f"activation{n}") for n, units in layers], shape)

    def parameters(self, shape: Shape, outputs: int) -> int:
        """Σ (inputs + 1) · outputs over the layers."""
        return sum((n + 1) * m for n, m in pairwise(self._widths(shape, outputs)))

    def build(self, shape: Shape, outputs: int, generator: Generator) -> nn.Module:
        """hidden1, activation1, hidden2, ..., output."""
        from regtui.models.layers import Linear, activation, chain

        named: list[tuple[str, nn.Module]] = []
        *hidden, last = pairwise(self._widths(shape, outputs))
        for number, (n, m) in enumerate(hidden, start=1):
            named += [(f"hidden{number}", Linear(n, m)), (f"activation{number}", activation(self.activation))]
        return chain([*named, ("output", Linear(*last))], generator)

    def _widths(self, shape: Shape, outputs: int) -> list[int]:
        return [flat(shape), *self.hidden, outputs]
