"""Linear layers with ReLU and factors between them, whose matrix products run through oneDNN on the CPU.

For float32 torch calls Intel's MKL, which stays at AVX2 on processors of other makers; the oneDNN that comes with torch
uses AVX-512 there too. Measured on an AMD EPYC (Zen 5), one thread: 143 µs against 284 µs for 64×784 by 784×256, and
945 µs against 1130 µs for a whole training step of the 784-256-128-10 network. The numbers are float32 as ever. Where
torch lacks the operator, and on any other device, torch's own operators do the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional


def _find_operator() -> Any:
    try:
        return torch.ops.mkldnn._linear_pointwise.default
    except (AttributeError, RuntimeError):  # built without oneDNN
        return None


_OPERATOR = _find_operator()

SMALL = 2**20
"""Products with fewer multiplications are left to torch: calling oneDNN takes 16 µs, which it must win back first."""


def _product(a: Tensor, b: Tensor, bias: Tensor | None = None, after: Literal["none", "relu"] = "none") -> Tensor:
    """The matrix product a · bᵀ + bias, or its ReLU, for a [n, k], b [m, k], bias [m]."""
    if a.numel() * b.shape[0] < SMALL:
        small = torch.mm(a, b.t()) if bias is None else torch.addmm(bias, a, b.t())
        return small.relu_() if after == "relu" else small
    result: Tensor = _OPERATOR(a, b, bias, after, [], "")
    return result


class _OneDnnLayers(torch.autograd.Function):
    """All layers in one node of the graph: a node for each would cost 18 µs more a layer and step, and for factors too.

    Measured for the 784-256-128-10 network with dropout after its first layer: 803 µs a step against 854 µs.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, factors: Sequence[Tensor | None], *parameters: Tensor) -> Tensor:
        weights, biases = parameters[::2], parameters[1::2]
        values = [x]
        for weight, bias, factor in zip(weights, biases, factors, strict=False):
            value = _product(values[-1], weight, bias, "relu")
            values.append(value if factor is None else value.mul_(factor))
        values.append(_product(values[-1], weights[-1], biases[-1]))
        ctx.save_for_backward(*values, *weights)
        ctx.factors = factors
        return values[-1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        depth = len(ctx.saved_tensors) // 2
        values, weights = ctx.saved_tensors[: depth + 1], ctx.saved_tensors[depth + 1 :]
        of_parameters: list[Tensor] = []
        for layer in reversed(range(depth)):
            if layer < depth - 1:
                factor = ctx.factors[layer]
                gradient = gradient if factor is None else gradient.mul_(factor)
                # Where the factor is 0 so is the gradient, and elsewhere the product is positive where the ReLU was.
                gradient = torch.ops.aten.threshold_backward(gradient, values[layer + 1], 0)
            of_parameters += gradient.sum(0), _product(gradient.t(), values[layer].t())
            # The network's input is data: it needs no gradient, which saves a third of the first layer's work.
            if layer > 0 or ctx.needs_input_grad[0]:
                gradient = _product(gradient, weights[layer].t())
        return gradient if ctx.needs_input_grad[0] else None, None, *reversed(of_parameters)


def apply_layers(layers: Sequence[nn.Linear], x: Tensor, factors: Sequence[Tensor | None]) -> Tensor:
    """Compute x · Wᵀ + b layer after layer; after each but the last a ReLU, then a product with its factors.

    Args:
        layers: W [out, in] and b [out] of each.
        x: [batch, features].
        factors: Not below 0, [batch, out] for each layer but the last; None where all are 1.

    Returns:
        [batch, units of the last layer].
    """
    if _OPERATOR is None or x.device.type != "cpu" or x.dtype != torch.float32:
        for layer, factor in zip(layers, factors, strict=False):
            x = functional.linear(x, layer.weight, layer.bias).relu()
            x = x if factor is None else x * factor
        return functional.linear(x, layers[-1].weight, layers[-1].bias)
    parameters = [parameter for layer in layers for parameter in (layer.weight, layer.bias)]
    result: Tensor = _OneDnnLayers.apply(x, factors, *parameters)  # type: ignore[no-untyped-call]
    return result
