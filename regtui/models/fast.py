"""Linear layers with ReLU and factors between them, whose matrix products run through oneDNN on the CPU.

For float32 torch calls Intel's MKL, which stays at AVX2 on processors of other makers; the oneDNN that comes with torch
uses AVX-512 there too. Measured on an AMD EPYC (Zen 5), one thread: 136 µs against 256 µs for 64×784 by 784×256, and
820 µs against 1030 µs for a whole training step of the 784-256-128-10 network; without autograd's graph, whose work is
the same for layers of any size, 700 µs. The numbers are float32 as ever. Where torch lacks the operator, and on any
other device, torch's own operators do the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


def _find_operator() -> Any:
    try:
        return torch.ops.mkldnn._linear_pointwise.default
    except (AttributeError, RuntimeError):  # built without oneDNN
        return None


_OPERATOR = _find_operator()

# What torch's own cross_entropy and relu are made of, forth and back.
_log_softmax = torch.ops.aten._log_softmax.default
_log_softmax_backward = torch.ops.aten._log_softmax_backward_data.default
_nll_loss = torch.ops.aten.nll_loss_forward.default
_nll_loss_backward = torch.ops.aten.nll_loss_backward.default
_threshold_backward = torch.ops.aten.threshold_backward.default

SMALL = 2**20
"""Products with fewer multiplications are left to torch: calling oneDNN takes 16 µs, which it must win back first."""

Factors = Sequence[Tensor | None]
"""What the output of each layer but the last is multiplied by: not below 0, [batch, out]; None where all are 1."""

_MEAN, _IGNORE_NONE = 1, -100
"""Arguments of torch's operators: the reduction of a loss, and a label that doesn't occur."""


class Layers(NamedTuple):
    """Parameters of linear layers, looked up once: a module searches for them each time it is asked.

    Attributes:
        weights: W [out, in] of each.
        biases: b [out] of each.
    """

    weights: list[Tensor]
    biases: list[Tensor]

    @classmethod
    def of(cls, modules: Sequence[nn.Linear]) -> Layers:
        """The parameters of these modules, not copies."""
        return cls([module.weight for module in modules], [module.bias for module in modules])


def is_fast(x: Tensor) -> bool:
    """Whether layers that are applied to `x` run through oneDNN."""
    return _OPERATOR is not None and x.device.type == "cpu" and x.dtype == torch.float32


def apply_layers(layers: Layers, x: Tensor, factors: Factors) -> Tensor:
    """Compute x · Wᵀ + b layer after layer; after each but the last a ReLU, then a product with its factors.

    Args:
        layers: At least one.
        x: [batch, features].
        factors: One for each layer but the last.

    Returns:
        [batch, units of the last layer].
    """
    if not is_fast(x):
        for weight, bias, factor in zip(*layers, factors, strict=False):
            x = functional.linear(x, weight, bias).relu()
            x = x if factor is None else x * factor
        return functional.linear(x, layers.weights[-1], layers.biases[-1])
    result: Tensor = _OneDnnLayers.apply(x, factors, *layers.weights, *layers.biases)  # type: ignore[no-untyped-call]
    return result


@torch.no_grad()
def learn_layers(layers: Layers, x: Tensor, factors: Factors, labels: Tensor) -> Tensor:
    """Apply the layers, and set each parameter's gradient to that of the mean cross-entropy.

    The numbers are those of `apply_layers`, `cross_entropy` and `backward`, to the last bit.

    Args:
        layers: At least one.
        x: [batch, features], for which `is_fast` holds.
        factors: One for each layer but the last.
        labels: int64 [batch].

    Returns:
        The mean cross-entropy, a scalar.
    """
    values = _forward(x, factors, layers)
    log_shares = _log_softmax(values[-1], 1, False)
    loss: Tensor
    loss, count = _nll_loss(log_shares, labels, None, _MEAN, _IGNORE_NONE)
    gradient = _nll_loss_backward(torch.ones_like(loss), log_shares, labels, None, _MEAN, _IGNORE_NONE, count)
    gradient = _log_softmax_backward(gradient, log_shares, 1, log_shares.dtype)
    _, of_weights, of_biases = _backward(gradient, values, factors, layers.weights, to_input=False)
    for parameter, its_gradient in zip(layers.weights + layers.biases, of_weights + of_biases, strict=True):
        parameter.grad = its_gradient
    return loss


class _OneDnnLayers(torch.autograd.Function):
    """All layers in one node of autograd's graph: a node for each would cost 18 µs more a layer and step."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factors: Factors, *parameters: Tensor) -> Tensor:
        depth = len(parameters) // 2
        layers = Layers(list(parameters[:depth]), list(parameters[depth:]))
        values = _forward(x, factors, layers)
        ctx.save_for_backward(*values, *layers.weights)
        ctx.factors = factors
        return values[-1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        depth = len(saved) // 2
        values, weights = saved[: depth + 1], saved[depth + 1 :]
        x, of_weights, of_biases = _backward(
            gradients[0], values, ctx.factors, weights, to_input=ctx.needs_input_grad[0]
        )
        return x, None, *of_weights, *of_biases


def _forward(x: Tensor, factors: Factors, layers: Layers) -> list[Tensor]:
    """The input of each layer, and the output of the last."""
    values = [x]
    for weight, bias, factor in zip(*layers, factors, strict=False):
        # torch's own ReLU: oneDNN's makes 0 of NaN, and an arm that has diverged would look as if it had not.
        value = _product(values[-1], weight, bias).relu_()
        values.append(value if factor is None else value.mul_(factor))
    values.append(_product(values[-1], layers.weights[-1], layers.biases[-1]))
    return values


def _backward(
    gradient: Tensor, values: Sequence[Tensor], factors: Factors, weights: Sequence[Tensor], *, to_input: bool
) -> tuple[Tensor | None, list[Tensor], list[Tensor]]:
    """From the gradient of the output to that of the input, where it is wanted, and those of weights and biases."""
    of_weights, of_biases = [], []
    for layer in reversed(range(len(weights))):
        if layer < len(weights) - 1:
            factor = factors[layer]
            gradient = gradient if factor is None else gradient.mul_(factor)
            # Where the factor is 0 so is the gradient, and elsewhere the product is positive where the ReLU was.
            gradient = _threshold_backward(gradient, values[layer + 1], 0)
        of_weights.append(_product(gradient.t(), values[layer].t()))
        of_biases.append(gradient.sum(0))
        # The network's input is data: it needs no gradient, which saves a third of the first layer's work.
        if layer > 0 or to_input:
            gradient = _product(gradient, weights[layer].t())
    return gradient if to_input else None, of_weights[::-1], of_biases[::-1]


def _product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """The matrix product a · bᵀ + bias, for a [n, k], b [m, k], bias [m]."""
    if a.numel() * b.shape[0] < SMALL:
        return torch.mm(a, b.t()) if bias is None else torch.addmm(bias, a, b.t())
    result: Tensor = _OPERATOR(a, b, bias, "none", [], "")
    return result
