"""What a technique is: knobs, an explanation, and contributions to training that compose.

A technique never sees the trainer. It returns contributions, and each kind of contribution has one caller:

    layer_at          a layer at a site of the network                               arm/network.py
    factor_at         a factor on the values at a site while training                arm/network.py
    addend_at         a term added to the values at a site while training            arm/network.py
    change_batch      other inputs and targets for a training step                   arm/arm.py
    change_criterion  another loss to optimize; the one reported stays               arm/arm.py
    penalty           a term on the weights, added to the optimized loss             arm/arm.py
    after_step        a change to the weights after the optimizer's step             arm/arm.py

Each has a default here that contributes nothing. Early stopping contributes nothing to a step; what it decides after
each epoch is `Techniques.stopping_rule`. Torch is never imported at the top of a technique's file: presets
are read, and techniques explained, without it.

What only one technique knows is in its file too: what is wrong with it in a given preset (`faults`), which of its knobs
does nothing there (`inert`), and how its live knobs are steered (`live`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from regtui.errors import InputError

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from regtui.models.base import Site
    from regtui.tasks import Task

    Noise = Callable[[tuple[int, ...], Generator], Tensor | None]
    """Draws from the arm's own stream, on the stream's device, what broadcasts to the shape (batch, ...) of the values
    at a site; None where nothing changes."""
    Criterion = Callable[[Tensor, Tensor], Tensor]
    """The mean loss of a batch, from outputs [batch, outputs] and targets: class numbers int64 [batch], shares of the
    classes [batch, classes], or values."""


LARGEST_KNOB = 10**12
"""No knob can be larger; a log with a larger one is damaged."""


class Explanation(NamedTuple):
    """What a technique is, for its user; plain text, one paragraph a field.

    Attributes:
        title: The technique's name as people write it.
        idea: What it does, in one sentence.
        formula: The maths in Unicode, as implemented here.
        training: Its effect while training.
        inference: Its effect on a trained network's predictions.
        look_for: What its curves and figures show when it works, and when there is too much of it.
        source: The publication that introduced it.
    """

    title: str
    idea: str
    formula: str
    training: str
    inference: str
    look_for: str
    source: str


class Knob(NamedTuple):
    """How a live knob is steered on the screen.

    Attributes:
        scale: Its kind of steps: for a share from 0 to below 1, a magnitude of any size, or a count.
        label: The text before its value: 'dropout', 'λ L2'.
    """

    scale: Literal["share", "magnitude", "count"]
    label: str


class Setting(NamedTuple):
    """What a technique may need to know about where it is used.

    Attributes:
        sites: The network's sites, in order.
        train_samples: Number of training examples.
        batch_size: Examples in a step; the last step of an epoch may have fewer.
        task: What the network is trained for.
        outputs: How many numbers the network says of an example; of a classification, one for each class.
    """

    sites: Sequence[Site]
    train_samples: int
    batch_size: int
    task: Task
    outputs: int


class Technique(BaseModel):
    """A regularization technique; its fields are its knobs, with bounds."""

    model_config = ConfigDict(extra="forbid", strict=True, validate_assignment=True)

    explanation: ClassVar[Explanation]
    live: ClassVar[Mapping[str, Knob]] = {}
    """The knobs that can change while training, and how they are steered."""
    why_not_live: ClassVar[str] = "it is built into the network when training starts"
    """Why the other knobs can't change, as words that follow 'can't change while training:'."""

    def label(self) -> str:
        """The technique with its main knob, short enough for a chart's title: 'dropout 0.5'."""
        raise NotImplementedError

    def faults(self, setting: Setting) -> Iterator[tuple[str, str]]:  # noqa: ARG002
        """What is wrong with the technique in this setting: a knob (empty for the whole technique) and a sentence."""
        yield from ()

    def inert(self, sites: Sequence[Site]) -> Mapping[str, str]:  # noqa: ARG002
        """The live knobs without an effect here, each with the reason, as words after 'changes nothing here:'."""
        return {}

    def steered(self, sites: Sequence[Site]) -> list[str]:
        """The live knobs that are worth a control on the screen."""
        inert = self.inert(sites)
        return [knob for knob in type(self).model_fields if knob in self.live and knob not in inert]

    def retune(self, knob: str, value: Any) -> None:
        """Change a live knob while training; the contributions use it from their next call on.

        Raises:
            InputError: The knob does not exist or can't change while training, or the value is out of bounds.
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

    def acting(self, sites: Sequence[Site], epochs: int) -> Self | None:  # noqa: ARG002
        """The technique in a normal form for a network with these sites that is trained for `epochs`.

        Techniques with the same effect are equal in this form, however they are written. None if it has no effect.
        """
        return self

    def contributes(self, contribution: str) -> bool:
        """Whether this technique overrides the contribution of that name, which does nothing by default."""
        return getattr(type(self), contribution) is not getattr(Technique, contribution)

    def layer_at(self, site: Site) -> nn.Module | None:  # noqa: ARG002
        """A layer for this site, from [batch, *site.shape] to the same shape."""
        return None

    def factor_at(self, site: Site) -> Noise | None:  # noqa: ARG002
        """Draws what the values at this site are multiplied by while training; no factor is below 0."""
        return None

    def addend_at(self, site: Site) -> Noise | None:  # noqa: ARG002
        """Draws what is added to the values at this site while training."""
        return None

    def change_batch(self, inputs: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Change the inputs and targets of one training step.

        Args:
            inputs: The batch's, normalized: images [batch, channels, height, width], or [batch, numbers].
            targets: Class numbers, int64 [batch]; after another technique's change perhaps shares, [batch, classes].
            generator: The arm's own random stream for this, on the inputs' device.

        Returns:
            New tensors; the given ones are not modified. Targets may be shares of the classes, [batch, classes].
        """
        del generator
        return inputs, targets

    def change_criterion(self, criterion: Criterion, generator: Generator) -> Criterion:  # noqa: ARG002
        """The loss to optimize, made from `criterion`; the reported loss stays that of the task.

        Args:
            criterion: The task's own loss, or one changed by another technique.
            generator: The arm's own random stream for this.
        """
        return criterion

    @property
    def penalty_in_loss(self) -> bool:
        """Whether the penalty is added to the optimized loss; it is never part of the reported loss."""
        return True

    def penalty(self, weights: Sequence[Tensor]) -> Tensor:
        """A scalar computed from the weights (without biases and norm parameters), in units of the loss."""
        raise NotImplementedError

    def after_step(self, weights: Sequence[Tensor], learning_rate: float) -> None:  # noqa: ARG002
        """Change the weights in place, after the optimizer's step, which had this learning rate."""
        return
