"""The parts of networks, with torch: layers, activations, initial weights."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from regtui.models.base import ActivationName
from regtui.models.fast import linear

_ACTIVATIONS: dict[ActivationName, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class Linear(nn.Linear):
    """PyTorch's linear layer with a faster product on the CPU; x is [batch, features]."""

    def forward(self, x: Tensor) -> Tensor:
        """X · Wᵀ + b."""
        return linear(x, self.weight, self.bias)


def activation(name: ActivationName) -> nn.Module:
    """A new module of PyTorch's activation of that name, before and after which techniques can be put."""
    return _ACTIVATIONS[name]()


def chain(layers: Sequence[tuple[str, nn.Module]], generator: Generator) -> nn.Sequential:
    """A sequence of named layers; those with weights are initialized from `generator`, in this order."""
    for _, layer in layers:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            _initialize(layer, generator)
    return nn.Sequential(OrderedDict(layers))


@torch.no_grad()
def _initialize(layer: nn.Linear | nn.Conv2d, generator: Generator) -> None:
    """Initialize like PyTorch, U(−1/√n, 1/√n) for weights and biases with n inputs, but from our stream.

    Source: torch.nn.Linear and torch.nn.Conv2d, variables.
    """
    bound = 1 / math.sqrt(layer.weight[0].numel())
    layer.weight.uniform_(-bound, bound, generator=generator)
    if layer.bias is not None:
        layer.bias.uniform_(-bound, bound, generator=generator)
