"""What a model is: knobs, the sites where techniques may put something, and how its network is built."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:  # presets are read, and models described, without torch
    from torch import Generator, nn

Shape = tuple[int, ...]
"""The shape of one example, without the batch: (784,), or (channels, height, width) for an image."""
ActivationName = Literal["relu", "leaky_relu", "gelu", "silu", "tanh"]


class Site(NamedTuple):
    """A place in a network where a technique may put something.

    Attributes:
        kind: The network's input, or just before or after an activation.
        number: Its number among the sites of its kind, from 1 in the order of the forward pass; 0 for the input.
        name: A name for people: 'input', 'hidden1'.
        shape: The shape of one example there.
        module: The activation's name among the network's modules; empty for the input.
    """

    kind: Literal["input", "before", "after"]
    number: int
    name: str
    shape: Shape
    module: str


class Model(BaseModel):
    """A kind of network; its fields are its knobs, with bounds.

    A network is any `nn.Module`. It knows no techniques: their contributions are put at its sites from outside.
    """

    model_config = ConfigDict(extra="forbid", strict=True, validate_assignment=True)

    takes_images: ClassVar[bool] = False
    """Whether the network takes [batch, channels, height, width]; else it takes [batch, numbers]."""

    def words(self, shape: Shape, outputs: int) -> str:
        """The network in a few words: '784-256-128-10'."""
        raise NotImplementedError

    def sites(self, shape: Shape) -> list[Site]:
        """Its sites in the order of the forward pass, for examples of this shape."""
        raise NotImplementedError

    def parameters(self, shape: Shape, outputs: int) -> int:
        """The number of trainable parameters, without those that techniques add."""
        raise NotImplementedError

    def build(self, shape: Shape, outputs: int, generator: Generator) -> nn.Module:
        """The network, its initial weights drawn from `generator` alone."""
        raise NotImplementedError

    def faults(self, shape: Shape, outputs: int) -> Iterator[tuple[str, str]]:  # noqa: ARG002
        """What is wrong with the knobs for examples of this shape: a knob and a sentence."""
        yield from ()


def flat(shape: Shape) -> int:
    """The number of values in one example."""
    return math.prod(shape)


def around(activations: Sequence[tuple[str, Shape, str]], shape: Shape) -> list[Site]:
    """The sites of a network: its input, and one before and one after each activation.

    Args:
        activations: For each, in order: the name of its layer, the shape of an example there, its module's name.
        shape: Of an example at the input.
    """
    sites = [Site("input", 0, "input", shape, "")]
    for number, (name, there, module) in enumerate(activations, start=1):
        sites += [Site("before", number, name, there, module), Site("after", number, name, there, module)]
    return sites


def input_shape(shape: Shape, *, images: bool) -> Shape:
    """The shape of an example as a network takes it: (channels, height, width), or (numbers,).

    Args:
        shape: As the data set has it: height, width and, if there are several, channels; or the number of columns.
        images: Whether the network takes images.
    """
    if not images or len(shape) < 2:
        return (flat(shape),)
    height, width, *channels = shape
    return (*(channels or [1]), height, width)
