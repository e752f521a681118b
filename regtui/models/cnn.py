"""A small convolutional network for small images."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from regtui.models.base import ActivationName, Model, Shape, Site, around

if TYPE_CHECKING:
    from torch import Generator, nn


class CNN(Model):
    """Convolutions, each followed by an activation and a pooling to half the size, then hidden layers.

    Source: the layout is that of LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document
    Recognition. Proc. IEEE 86 (1998), with what is usual now: ReLU, zero padding, the maximum of 2×2 pixels.
    """

    kind: Literal["cnn"] = Field("cnn", description="A small convolutional network, for images.")
    channels: list[Annotated[int, Field(ge=1, le=1024)]] = Field(
        [16, 32], min_length=1, max_length=8, description="Feature maps of each convolution; each halves the image."
    )
    kernel: int = Field(3, ge=1, le=31, description="Height and width of a convolution's kernel; an odd number.")
    hidden: list[Annotated[int, Field(ge=1, le=65_536)]] = Field(
        [128], max_length=64, description="Units of each layer between the convolutions and the output."
    )
    activation: ActivationName = Field("relu", description="What follows each convolution and each hidden layer.")

    takes_images: ClassVar[bool] = True

    def words(self, shape: Shape, outputs: int) -> str:
        """'1×28×28 · conv 3×3 16, 32 · 128-10', with the activation where it is not ReLU."""
        kernel, maps = f"{self.kernel}×{self.kernel}", ", ".join(map(str, self.channels))
        words = f"{'×'.join(map(str, shape))} · conv {kernel} {maps} · {'-'.join(map(str, [*self.hidden, outputs]))}"
        return words if self.activation == "relu" else f"{words} {self.activation}"

    def sites(self, shape: Shape) -> list[Site]:
        """Before and after the activation of each convolution, before its pooling, and of each hidden layer."""
        _, height, width = shape
        activations: list[tuple[str, Shape, str]] = []
        for number, channels in enumerate(self.channels, start=1):
            activations.append((f"conv{number}", (channels, height, width), f"activation{number}"))
            height, width = height // 2, width // 2
        for number, units in enumerate(self.hidden, start=1):
            activations.append((f"hidden{number}", (units,), f"activation{len(self.channels) + number}"))
        return around(activations, shape)

    def faults(self, shape: Shape, outputs: int) -> Iterator[tuple[str, str]]:  # noqa: ARG002
        """The examples must be images, large enough to be halved so often, and the kernel size must be odd."""
        if self.kernel % 2 == 0:
            yield "kernel", f"must be an odd number, so that a pixel is in its middle, not {self.kernel}"
        if len(shape) != 3:
            yield "kind", "cnn takes images, and this data set has none; use mlp or linear"
        elif min(shape[1:]) >> len(self.channels) == 0:
            size = f"{shape[1]}×{shape[2]}"
            yield "channels", f"{len(self.channels)} convolutions halve {size} pixels to none; leave some out"

    def parameters(self, shape: Shape, outputs: int) -> int:
        """(inputs · kernel² + 1) · outputs for each convolution, and those of the linear layers."""
        maps = [shape[0], *self.channels]
        convolutions = sum((n * self.kernel**2 + 1) * m for n, m in pairwise(maps))
        return convolutions + sum((n + 1) * m for n, m in pairwise(self._widths(shape, outputs)))

    def build(self, shape: Shape, outputs: int, generator: Generator) -> nn.Module:
        """conv1, activation1, pool1, conv2, ..., flatten, hidden1, ..., output."""
        from torch import nn

        from regtui.models.layers import Linear, activation, chain

        named: list[tuple[str, nn.Module]] = []
        for number, (n, m) in enumerate(pairwise([shape[0], *self.channels]), start=1):
            named += [
                (f"conv{number}", nn.Conv2d(n, m, self.kernel, padding=self.kernel // 2)),
                (f"activation{number}", activation(self.activation)),
                (f"pool{number}", nn.MaxPool2d(2)),
            ]
        named.append(("flatten", nn.Flatten()))
        *hidden, last = pairwise(self._widths(shape, outputs))
        for number, (n, m) in enumerate(hidden, start=1):
            named += [
                (f"hidden{number}", Linear(n, m)),
                (f"activation{len(self.channels) + number}", activation(self.activation)),
            ]
        return chain([*named, ("output", Linear(*last))], generator)

    def _widths(self, shape: Shape, outputs: int) -> list[int]:
        """Widths of the linear layers, from the flattened output of the last pooling to the output."""
        height, width = (size >> len(self.channels) for size in shape[1:])
        return [self.channels[-1] * height * width, *self.hidden, outputs]
