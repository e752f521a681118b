"""The network of an arm: a multilayer perceptron with the places where techniques contribute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from regtui.arm.streams import stream
from regtui.models.fast import Layers, apply_layers, is_fast, learn_layers
from regtui.techniques import Techniques

if TYPE_CHECKING:
    from regtui.techniques.base import Noise


class MLP(nn.Module):
    """Linear layers with ReLU between them; a technique may add a norm before a ReLU and factors after it.

    Initial weights come from a stream of their own, layer by layer, so that two networks with the same seed start
    from the same weights, whatever their techniques add.
    """

    def __init__(
        self, widths: Sequence[int], techniques: Techniques, seed: int, arm: str, device: torch.device
    ) -> None:
        """Build the network.

        Args:
            widths: Units from the input to the output: [784, 256, 128, 10].
            techniques: What contributes norms and noise.
            seed: The run's.
            arm: Name of the arm, for its own noise streams.
            device: Where the parameters live.
        """
        super().__init__()
        linears = [nn.Linear(n, m) for n, m in pairwise(widths)]
        _initialize(linears, stream(seed, "initial weights"))
        active = techniques.active()
        norms = [[norm for t in active.values() if (norm := t.norm(width)) is not None] for width in widths[1:-1]]
        self.linears = nn.ModuleList(linears)
        self.norms = nn.ModuleList(nn.ModuleList(of_layer) for of_layer in norms)
        self.to(device)
        self._noises: list[list[tuple[Noise, torch.Generator]]] = [
            [
                (noise, stream(seed, f"{arm}/{name}/{layer}", device))
                for name, technique in active.items()
                if (noise := technique.noise_after(layer)) is not None
            ]
            for layer in range(len(widths) - 1)
        ]
        self._widths = widths
        self._blocks = _blocks(linears, norms)

    def forward(self, x: Tensor) -> Tensor:
        """Images [batch, features] to logits [batch, classes]."""
        x, factors = self._draw(x)
        for block in self._blocks:
            last = block.first + len(block.layers.weights) - 1
            x = apply_layers(block.layers, x, factors[block.first : last])
            for norm in block.norms:
                x = norm(x)
            if block.norms:
                x = x.relu()
                factor = factors[last]
                x = x if factor is None else x * factor
        return x

    def learn(self, x: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of images [batch, features]; its gradients become the parameters', which have none yet."""
        if len(self._blocks) > 1 or not is_fast(x):
            loss = functional.cross_entropy(self(x), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.detach()
        x, factors = self._draw(x)
        return learn_layers(self._blocks[0].layers, x, factors[1:], labels)

    def _draw(self, x: Tensor) -> tuple[Tensor, list[Tensor | None]]:
        """The factors of this step, by layer, and the input multiplied by its own."""
        factors = [self._factor(layer, len(x)) for layer in range(len(self.linears))]
        return x if factors[0] is None else x * factors[0], factors

    def _factor(self, layer: int, batch: int) -> Tensor | None:
        """What the output of `layer` is multiplied by at this step; None where nothing is, as in evaluation."""
        product = None
        for noise, generator in self._noises[layer] if self.training else ():
            factor = noise((batch, self._widths[layer]), generator)
            if factor is not None:
                product = factor if product is None else product * factor
        return product

    def weights(self) -> dict[str, Tensor]:
        """The weight matrices by layer, [out, in] each; no biases and no norm parameters."""
        names = [f"hidden{layer}" for layer in range(1, len(self.linears))] + ["output"]
        return {name: linear.get_parameter("weight") for name, linear in zip(names, self.linears, strict=True)}

    def generators(self) -> dict[str, torch.Generator]:
        """The noise streams, by a name that says where each is used."""
        return {
            f"noise.{layer}.{index}": generator
            for layer, noises in enumerate(self._noises)
            for index, (_, generator) in enumerate(noises)
        }


class _Block(NamedTuple):
    """Linear layers with nothing but ReLU and factors between them, and the norms that come after the last.

    Attributes:
        first: Number of the first of them, from 1.
        layers: Their parameters.
        norms: None after the output layer, which has no activation either.
    """

    first: int
    layers: Layers
    norms: list[nn.Module]


def _blocks(linears: Sequence[nn.Linear], norms: Sequence[list[nn.Module]]) -> list[_Block]:
    """Cut the network where there is a norm; norms are those of the hidden layers."""
    blocks, first = [], 1
    for layer, norm in enumerate(norms, start=1):
        if norm:
            blocks.append(_Block(first, Layers.of(linears[first - 1 : layer]), norm))
            first = layer + 1
    return [*blocks, _Block(first, Layers.of(linears[first - 1 :]), [])]


@torch.no_grad()
def _initialize(linears: Sequence[nn.Linear], generator: torch.Generator) -> None:
    """PyTorch's own default, U(−1/√n, 1/√n) for weights and biases of n inputs, drawn from our stream.

    Source: torch.nn.Linear, variables.
    """
    for linear in linears:
        bound = 1 / math.sqrt(linear.in_features)
        linear.weight.uniform_(-bound, bound, generator=generator)
        linear.bias.uniform_(-bound, bound, generator=generator)
