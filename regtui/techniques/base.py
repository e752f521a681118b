"""What a technique is: knobs, an explanation, and contributions to training that compose.

A technique never sees the trainer. It returns contributions, and each kind of contribution has one caller:

    norm              a layer between a linear layer and its activation           models/mlp.py
    noise_after       a factor on activations while training, none at inference   models/mlp.py
    penalty           a term on the weights, added to the optimized loss          arm/arm.py
    after_step        a change to the weights after the optimizer's step          arm/arm.py

Each has a default here that contributes nothing. Early stopping contributes nothing to a step; what it decides after
each epoch is `Techniques.stopping_rule`. Torch is never imported at the top of a technique's file: presets
are read, and techniques explained, without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from regtui.errors import InputError

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    Noise = Callable[[tuple[int, ...], Generator], Tensor | None]


class Explanation(NamedTuple):
    """What a technique is, for its user; plain text, one paragraph a field.

    Attributes:
        title: The technique's name as people write it.
        idea: What it does, in one sentence.
        formula: The maths in Unicode, as implemented here.
        training: Its effect while training.
        inference: Its effect on a trained network's predictions.
        look_for: What its curves and figures show when it works, and when there is too much of it.
        source: The publication that it comes from.
    """

    title: str
    idea: str
    formula: str
    training: str
    inference: str
    look_for: str
    source: str


class Technique(BaseModel):
    """A regularization technique; its fields are its knobs, with bounds."""

    model_config = ConfigDict(extra="forbid", strict=True, validate_assignment=True)

    explanation: ClassVar[Explanation]
    live: ClassVar[frozenset[str]] = frozenset()
    """The knobs that can change while training."""
    why_not_live: ClassVar[str] = "it is built into the network when training starts"
    """Why the other knobs can't change while training, to follow 'can't change while training:'."""

    def label(self) -> str:
        """The technique with its most telling knob, short enough for a chart's title: 'dropout 0.5'."""
        raise NotImplementedError

    def retune(self, knob: str, value: Any) -> None:
        """Change a live knob while training; the contributions read it at their next call.

        Raises:
            InputError: The knob does not exist, can't change while training, or the value is out of its bounds.
        """
        if knob not in type(self).model_fields:
            raise InputError(f"{self.explanation.title} has no knob {knob!r}")
        if knob not in self.live:
            raise InputError(f"{self.explanation.title}: {knob} can't change while training: {self.why_not_live}")
        try:
            setattr(self, knob, value)
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            raise InputError(f"{self.explanation.title}: {knob} = {value!r}: {message}") from None

    def acting(self, depth: int, epochs: int) -> Self | None:  # noqa: ARG002
        """The technique reduced to what it does in a network of `depth` hidden layers that is trained for `epochs`.

        Two that do the same are equal then, however they are written. None if it does nothing at all.
        """
        return self

    def contributes(self, contribution: str) -> bool:
        """Whether this technique has a contribution of its own in place of the one below that does nothing."""
        return getattr(type(self), contribution) is not getattr(Technique, contribution)

    def norm(self, width: int) -> nn.Module | None:  # noqa: ARG002
        """A layer for a hidden layer of `width` units, between its linear map and its activation."""
        return None

    def noise_after(self, layer: int) -> Noise | None:  # noqa: ARG002
        """What the output of `layer` is multiplied by while training: 0 is the input, 1 the first hidden layer's.

        The function gets the activations' shape (batch, width) and the arm's own random stream for this layer; it draws
        factors of that shape, none below 0, on the stream's device, or None where nothing changes.
        """
        return None

    @property
    def penalty_in_loss(self) -> bool:
        """Whether the penalty is part of the loss that is optimized; it is never part of the loss that is reported."""
        return True

    def penalty(self, weights: Sequence[Tensor]) -> Tensor:
        """A scalar on the weight matrices (no biases, no norm parameters), in units of the loss."""
        raise NotImplementedError

    def after_step(self, weights: Sequence[Tensor], learning_rate: float) -> None:  # noqa: ARG002
        """Change the weight matrices in place, after the optimizer's step."""
        return
