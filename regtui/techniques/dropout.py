"""Dropout: hide random units while training, so that none relies on the presence of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field

from regtui.techniques.base import Explanation, Knob, Setting, Technique

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from regtui.models.base import Site
    from regtui.techniques.base import Noise

LEVELS = 2**16
"""Resolution of a rate: a random 16-bit number decides on each unit."""


def mask(shape: tuple[int, ...], rate: float, generator: Generator) -> Tensor | None:
    """The factors of inverted dropout: m / (1 − p), with m ~ Bernoulli(1 − p) for each element; None if p is 0.

    p is `rate` to the nearest 1/65,536. The mask is drawn from `generator`, not from torch's global stream, so
    that the same seed gives the same masks whatever else draws random numbers.

    Source: Srivastava et al. 2014, section 10 ("inverted" scaling, so that inference needs none).
    """
    import torch

    dropped = _dropped(rate)
    if dropped == 0:
        return None
    factors = torch.empty(shape, device=generator.device)
    torch.ge(_random_levels(factors, generator), dropped - LEVELS // 2, out=factors)  # as floats: 0 or 1
    return factors.mul_(LEVELS / (LEVELS - dropped))


def _dropped(rate: float) -> int:
    """The rate in units of 1/65,536; a rate below 1 never drops everything."""
    return min(round(rate * LEVELS), LEVELS - 1)


def _random_levels(like: Tensor, generator: Generator) -> Tensor:
    """Integers drawn uniformly from −32,768 to 32,767, one for each element of `like`.

    On a CPU each random 64-bit integer is split into four. Drawing takes most of a mask's time, and this needs a third
    of the time of a draw for each element (14 against 41 µs for 64×256, one thread).
    """
    import torch

    if like.device.type != "cpu":
        half = LEVELS // 2
        return torch.randint(-half, half, like.shape, dtype=torch.int32, device=like.device, generator=generator)
    words = torch.empty(-(-like.numel() // 4), dtype=torch.int64)
    words.random_(-(2**63), None, generator=generator)
    return words.view(torch.int16)[: like.numel()].view(like.shape)


class Dropout(Technique):
    """Sets random activations to zero while training."""

    rate: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="Probability of a hidden unit, or a convolution's map, being dropped, at each step and for each "
        "sample anew.",
    )
    after: list[Annotated[int, Field(ge=1)]] | None = Field(
        None, description="After which activations, 1 is the first; all when left out."
    )
    input_rate: float = Field(0.0, ge=0, lt=1, description="Probability of an input being dropped, likewise.")

    live: ClassVar[Mapping[str, Knob]] = {
        "rate": Knob("share", "dropout"),
        "input_rate": Knob("share", "input dropout"),
    }
    explanation: ClassVar[Explanation] = Explanation(
        title="Dropout",
        idea="At each step random units are hidden from each sample, so that none can rely on another being there.",
        formula="y = x · m / (1 − p),   m ~ Bernoulli(1 − p)   for each unit and each sample",
        training="The network is noisy: its running loss is mostly higher than what it could do with all units, and "
        "it mostly needs more epochs. A step costs the drawing of the masks.",
        inference="Nothing is dropped and nothing is scaled: the division by 1 − p, done while training, keeps each "
        "unit's mean output what it is without a mask. What several layers make of it need not keep its mean.",
        look_for="Validation loss goes on falling, or stays flat, where the baseline's rises again; the gap between "
        "training and validation loss is smaller. Too much, or too few epochs for it: training loss itself stays high, "
        "and validation loss with it.",
        source="Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov: Dropout: A Simple Way to Prevent Neural "
        "Networks from Overfitting. JMLR 15 (2014) 1929-1958.",
    )

    def label(self) -> str:
        """'dropout 0.5', with the input's rate if there is one."""
        if self.after == []:
            return f"dropout (input {self.input_rate:g})"
        return f"dropout {self.rate:g}" + (f" (input {self.input_rate:g})" if self.input_rate else "")

    def faults(self, setting: Setting) -> Iterator[tuple[str, str]]:
        """Each activation that is named must exist, and there must be something to drop."""
        activations = _activations(setting.sites)
        beyond = [number for number in self.after or [] if number > activations]
        if beyond:
            yield "after", f"there is no activation {beyond[0]}; this network has {activations or 'none'}"
        elif self.input_rate == 0 and (reason := self._nothing_to_drop(setting.sites)):
            yield "", f"{reason}, so there is nothing to drop from; set input_rate"

    def acting(self, sites: Sequence[Site], epochs: int) -> Self | None:  # noqa: ARG002
        """The rates as they are drawn, and activations by number; a rate of 0 or without activations has no effect."""
        after = sorted(set(range(1, _activations(sites) + 1) if self.after is None else self.after))
        rate = _dropped(self.rate) / LEVELS if after else 0.0
        input_rate = _dropped(self.input_rate) / LEVELS
        if rate == input_rate == 0:
            return None
        return self.model_copy(update={"rate": rate, "after": after if rate else [], "input_rate": input_rate})

    def inert(self, sites: Sequence[Site]) -> Mapping[str, str]:
        """The rate has no effect if no activation is chosen or there is none."""
        reason = self._nothing_to_drop(sites)
        return {"rate": f"{reason}, so only the input is dropped from"} if reason else {}

    def steered(self, sites: Sequence[Site]) -> list[str]:
        """Dropout of the input gets a control only if the preset has a rate for it, because space is scarce."""
        return [knob for knob in super().steered(sites) if knob != "input_rate" or self.input_rate]

    def factor_at(self, site: Site) -> Noise | None:
        """Dropout of the input at `input_rate`, after the chosen activations at `rate`; both are read at each step.

        In feature maps [channels, height, width] after an activation whole channels are dropped, as in PyTorch's
        Dropout2d: neighbouring pixels are so similar that dropping single ones has little effect. At the input pixels
        are dropped one by one.

        Source: Tompson, Goroshin, Jain, LeCun, Bregler: Efficient Object Localization Using Convolutional Networks.
        CVPR 2015, section 3.2.
        """
        if site.kind == "input":
            return lambda shape, generator: mask(shape, self.input_rate, generator)
        if site.kind == "after" and (self.after is None or site.number in self.after):
            if len(site.shape) == 3:
                return lambda shape, generator: mask((*shape[:2], 1, 1), self.rate, generator)
            return lambda shape, generator: mask(shape, self.rate, generator)
        return None

    def _nothing_to_drop(self, sites: Sequence[Site]) -> str:
        """Why nothing is dropped after any activation; empty if something is."""
        if not _activations(sites):
            return "the network has no activation"
        return "after is empty" if self.after == [] else ""


def _activations(sites: Sequence[Site]) -> int:
    return sum(site.kind == "after" for site in sites)
