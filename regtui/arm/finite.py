"""Finds the training step at which an arm's numbers stop being finite, without waiting for a device in each step.

Reading all weights after each step would take 5 % of its time in a network of several million. So of many steps only
the last is checked (`FEW`). Of few, on a CPU, the weights of a large layer are looked at through what the layer puts
out in the next step: 0 times a number that is not finite is none either, so that such a weight always shows there,
before a ReLU makes 0 of it. What the layer puts out may also overflow by itself; then its weights are read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from regtui.protocol.events import NotFinite

FEW = 8
"""Up to so many steps are each checked; before more, what they change is copied, and they are made again if one breaks.

Where memory limits both, reading each weight takes a thirteenth of the time of copying it with Adam's two moments.
"""


class StepNumbers(NamedTuple):
    """What a training step says, still on its device.

    Attributes:
        loss: The data loss.
        norm: The norm of the gradient, where it is clipped; else empty.
        sums: The sum of each tensor that is checked after this step.
        squares: The sum of each tensor of what Adam divides by, where they are checked after this step; else empty.
    """

    loss: list[Tensor]
    norm: list[Tensor]
    sums: list[Tensor]
    squares: list[Tensor]


class StepRead(NamedTuple):
    """A training step's numbers as they were read.

    Attributes:
        loss: The data loss.
        not_finite: What is not finite, as far as it was checked after this step; None if nothing is.
    """

    loss: float
    not_finite: NotFinite | None


def sums(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The sum of each tensor: not finite where a number is not, or where numbers are so large that it overflows."""
    return [tensor.sum() for tensor in tensors]


def are_finite(values: Sequence[Tensor]) -> bool:
    """Whether all these scalars are finite; reads them from the device."""
    return all(map(math.isfinite, torch.stack([*values]).tolist()))


def read(steps: Sequence[StepNumbers]) -> list[StepRead]:
    """Read the numbers of all steps from the device at once."""
    if not steps:
        return []
    values = iter(torch.stack([value for step in steps for part in step for value in part]).tolist())
    found = []
    for step in steps:
        loss, norm, total, squares = ([next(values) for _ in part] for part in step)
        parts: Mapping[NotFinite, list[float]] = {
            "loss": loss,
            "gradient": norm,
            "weights": total,
            "squares": squares,
        }
        broken = next((name for name, numbers in parts.items() if not all(map(math.isfinite, numbers))), None)
        found.append(StepRead(loss[0], broken))
    return found


def first_broken(steps: Sequence[StepRead]) -> int | None:
    """The place of the first step with a number that is not finite."""
    return next((place for place, step in enumerate(steps) if step.not_finite is not None), None)


class Moment:
    """Tensors and random streams as they were at a moment."""

    def __init__(self, tensors: Sequence[Tensor], streams: Iterable[torch.Generator]) -> None:
        """Copy them; nobody waits for the device."""
        self._tensors = [(tensor, tensor.clone()) for tensor in tensors]
        self._streams = [(stream, stream.get_state()) for stream in streams]

    @torch.no_grad()
    def restore(self) -> None:
        """Put everything back in place."""
        for tensor, copy in self._tensors:
            tensor.copy_(copy)
        for stream, state in self._streams:
            stream.set_state(state)
