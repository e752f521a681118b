"""The network of an arm: a multilayer perceptron with the places where techniques contribute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from regtui.engine.linear import apply_layers
from regtui.engine.streams import stream
from regtui.techniques import Techniques

if TYPE_CHECKING:
    from regtui.techniques.base import Noise


class MLP(nn.Module):
    """Linear layers with ReLU between them; a technique may add a norm before a ReLU and noise after it.

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
        self._blocks = _blocks(linears, norms, self._noises[1:])

    def forward(self, x: Tensor) -> Tensor:
        """Images [batch, features] to logits [batch, classes]."""
        x = self._with_noise(x, self._noises[0])
        for block in self._blocks:
            x = apply_layers(block.linears, x, relu_last=block.relu_last)
            for norm in block.norms:
                x = norm(x)
            if block.norms:
                x = x.relu()
            x = self._with_noise(x, block.noises)
        return x

    def _with_noise(self, x: Tensor, noises: list[tuple[Noise, torch.Generator]]) -> Tensor:
        if self.training:
            for noise, generator in noises:
                x = noise(x, generator)
        return x

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
    """Linear layers with nothing but a ReLU between them, and what comes after the last of them."""

    linears: list[nn.Linear]
    relu_last: bool
    norms: list[nn.Module]
    noises: list[tuple[Noise, torch.Generator]]


def _blocks(
    linears: Sequence[nn.Linear],
    norms: Sequence[list[nn.Module]],
    noises: Sequence[list[tuple[Noise, torch.Generator]]],
) -> list[_Block]:
    """Cut the network where a technique contributes; norms and noises are those of the hidden layers."""
    blocks, together = [], []
    for linear, norm, noise in zip(linears, norms, noises, strict=False):  # the output layer has neither
        together.append(linear)
        if norm or noise:
            blocks.append(_Block(together, not norm, norm, noise))
            together = []
    return [*blocks, _Block([*together, linears[-1]], relu_last=False, norms=[], noises=[])]


@torch.no_grad()
def _initialize(linears: Sequence[nn.Linear], generator: torch.Generator) -> None:
    """PyTorch's own default, U(−1/√n, 1/√n) for weights and biases of n inputs, drawn from our stream.

    Source: torch.nn.Linear, variables.
    """
    for linear in linears:
        bound = 1 / math.sqrt(linear.in_features)
        linear.weight.uniform_(-bound, bound, generator=generator)
        linear.bias.uniform_(-bound, bound, generator=generator)
