"""A network: a module, and beside it what techniques add at its sites, under names of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from regtui.models.base import Shape, Site
from regtui.models.fast import Layers, is_fast, linear_layers
from regtui.techniques.base import Technique

if TYPE_CHECKING:
    from regtui.techniques.base import Noise


LARGE = 2**18
"""Weights of a layer that take longer to read than what it puts out, if that is so much less."""
MANY_MORE = 4


class Place:
    """What techniques put at one site: first layers, then factors, then addends; the latter two only while training.

    Attributes:
        site: The site.
        layers: The layers of techniques, by technique.
        training: Whether the network trains.
    """

    def __init__(
        self, site: Site, techniques: Mapping[str, Technique], stream: Callable[[str], torch.Generator]
    ) -> None:
        self.site = site
        self.layers = {name: layer for name, t in techniques.items() if (layer := t.layer_at(site)) is not None}
        self.training = True
        # The input and sites after activations share one numbering; sites before activations get a name of their own.
        where = f"{'before ' if site.kind == 'before' else ''}{site.number}"
        self._factors = [
            (factor, stream(f"{name}/{where}"))
            for name, technique in techniques.items()
            if (factor := technique.factor_at(site)) is not None
        ]
        self._addends = [
            (addend, stream(f"{name}/{where}/addend"))
            for name, technique in techniques.items()
            if (addend := technique.addend_at(site)) is not None
        ]

    @property
    def is_empty(self) -> bool:
        """Whether no technique puts anything here."""
        return not (self.layers or self._factors or self._addends)

    @property
    def has_only_factors(self) -> bool:
        """Whether techniques put neither layers nor addends here."""
        return not (self.layers or self._addends)

    def __call__(self, x: Tensor) -> Tensor:
        """Apply everything that is put here to x [batch, *shape]."""
        for layer in self.layers.values():
            x = layer(x)
        if not self.training:
            return x
        factor = self.factor(len(x))
        x = x if factor is None else x * factor
        for addend in self._draw(self._addends, len(x)):
            x = x + addend
        return x

    def factor(self, batch: int) -> Tensor | None:
        """Draw what x is multiplied by at this step; None for no change."""
        product = None
        for factor in self._draw(self._factors, batch) if self.training else ():
            product = factor if product is None else product * factor
        return product

    def _draw(self, noises: Sequence[tuple[Noise, torch.Generator]], batch: int) -> Iterator[Tensor]:
        for noise, generator in noises:
            drawn = noise((batch, *self.site.shape), generator)
            if drawn is not None:
                yield drawn


class Network:
    """A module and what techniques add at its sites.

    The module's own tensors have the same names in every arm, whatever is added, so that pairing compares equal things.
    It may be any module whose sites are known: additions are called by hooks.
    """

    def __init__(
        self,
        module: nn.Module,
        sites: Sequence[Site],
        techniques: Mapping[str, Technique],
        stream: Callable[[str], torch.Generator],
        device: torch.device,
    ) -> None:
        """Put the techniques' contributions at the sites.

        Args:
            module: The module to train; it is moved to `device`.
            sites: Its sites, in order.
            techniques: The techniques of the arm, by name.
            stream: Makes a random stream of the arm for a named use.
            device: The device for everything.
        """
        self.module = module.to(device)
        self.places = [Place(site, techniques, stream) for site in sites]
        self._input = sites[0].shape
        self._added = nn.ModuleDict(
            {
                f"{name}@{index}": layer.to(device)
                for index, place in enumerate(self.places)
                for name, layer in place.layers.items()
            }
        )
        for place in self.places:
            if not place.is_empty:
                self._hook(place)

    def __call__(self, x: Tensor) -> Tensor:
        """Examples [batch, numbers] or images [batch, channels, height, width] to outputs [batch, outputs]."""
        result: Tensor = self.module(self.shaped(x))
        return result

    def shaped(self, x: Tensor) -> Tensor:
        """The batch in the shape that the module takes."""
        return as_vectors(x) if len(self._input) == 1 else as_images(x, self._input)

    def train(self, training: bool = True) -> None:
        """Set training or evaluation mode, for the module and everything added."""
        self.module.train(training)
        self._added.train(training)
        for place in self.places:
            place.training = training

    def eval(self) -> None:
        """Set evaluation mode."""
        self.train(False)

    def parameters(self) -> list[nn.Parameter]:
        """All trainable parameters, the module's own first."""
        return [*self.module.parameters(), *self._added.parameters()]

    def weights(self) -> dict[str, nn.Parameter]:
        """The module's weights by layer: its parameters with two or more dimensions, no biases or norm parameters."""
        return {name.removesuffix(".weight"): p for name, p in self.module.named_parameters() if p.dim() >= 2}

    def state_dict(self) -> dict[str, Tensor]:
        """Every tensor by name: the module's own under its names, added ones as 'technique@site.name'."""
        return {**self.module.state_dict(), **self._added.state_dict()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Load tensors under the names of `state_dict`."""
        own = self.module.state_dict()
        self.module.load_state_dict({name: tensor for name, tensor in state.items() if name in own})
        self._added.load_state_dict({name: tensor for name, tensor in state.items() if name not in own})

    def large_layers(self, batch: int) -> dict[str, nn.Linear]:
        """The linear layers, by name, that have many more weights than outputs for a batch of this size."""
        return {
            name: layer
            for name, layer in self.module.named_modules()
            if isinstance(layer, nn.Linear) and layer.weight.numel() >= LARGE and layer.in_features >= MANY_MORE * batch
        }

    def layers_by_hand(self) -> Layers | None:
        """The layers whose gradient `learn_layers` can compute without autograd; None if it can't.

        The network must be linear layers with ReLU between them, on a CPU, and techniques may add only factors on the
        input and after activations.
        """
        places = (place for place in self.places if not place.is_empty)
        if not all(place.has_only_factors and place.site.kind != "before" for place in places):
            return None
        layers = linear_layers(self.module)
        return layers if layers is not None and is_fast(layers.weights[0]) else None

    def factors(self, batch: int) -> list[Tensor | None]:
        """The factors of this step on the input, then after each activation; None where all are 1."""
        return [place.factor(batch) for place in self.places if place.site.kind != "before"]

    def _hook(self, place: Place) -> None:
        at = self.module.get_submodule(place.site.module)
        if place.site.kind == "after":
            at.register_forward_hook(lambda _module, _inputs, output: place(output))
        else:
            at.register_forward_pre_hook(lambda _module, inputs: _changed(place, inputs))


def _changed(place: Place, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return place(inputs[0]), *inputs[1:]


def as_images(x: Tensor, shape: Shape) -> Tensor:
    """Images as [batch, channels, height, width], from pixels in rows of height, width, channels: without a copy.

    Channels are thus last in memory, which is what oneDNN and cuDNN like best: on one thread of an Intel Xeon a step of
    twelve `cnn` networks, 8 to 128 feature maps, took 0.58 to 0.79 of the time with channels first. Examples of a shape
    that is no image's stay as they are.
    """
    if x.ndim == 4 or len(shape) == 1:
        return x
    channels, height, width = shape
    return x.view(-1, height, width, channels).permute(0, 3, 1, 2)


def as_vectors(x: Tensor) -> Tensor:
    """Examples as rows of numbers; images become their pixels by height, width, channels."""
    return x if x.ndim == 2 else x.permute(0, 2, 3, 1).reshape(len(x), -1)
