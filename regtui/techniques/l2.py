"""L2: pulls every weight towards zero in proportion to the weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field

from regtui.techniques.base import Explanation, Knob, Technique

if TYPE_CHECKING:
    from torch import Tensor

    from regtui.models.base import Site


class L2(Technique):
    """Adds half the squared norm of the weights to the loss."""

    strength: float = Field(
        1e-4, ge=0, le=1e6, allow_inf_nan=False, description="λ in λ/2 · ‖w‖₂², added to a batch's mean loss."
    )

    live: ClassVar[Mapping[str, Knob]] = {"strength": Knob("magnitude", "λ L2")}
    explanation: ClassVar[Explanation] = Explanation(
        title="L2 penalty",
        idea="Large weights cost: the loss that is optimized grows with the sum of their squares.",
        formula="loss + λ/2 · ‖w‖₂²,   whose gradient adds λ · w",
        training="Every weight is pulled towards zero in proportion to itself. As a term of the loss it passes through "
        "the optimizer: SGD shrinks each weight by the share learning rate · λ a step; Adam and AdamW rescale the "
        "pull, weight by weight. AdamW's own weight_decay, beside the gradient, is not rescaled; Adam's, in it, is.",
        inference="None of its own; the trained weights are smaller. That often makes the function smoother, but not "
        "where batch norm follows, which undoes the size of the weights before it.",
        look_for="The weights' norm lies below the baseline's, and hardly any is exactly zero; where the baseline "
        "overfits, the gap between training and validation loss is smaller. Too much: training loss stays high.",
        source="Hoerl, Kennard: Ridge Regression. Technometrics 12 (1970) 55-67. Krogh, Hertz: A Simple Weight Decay "
        "Can Improve Generalization. NIPS 4 (1991). Beside it: Loshchilov, Hutter: Decoupled Weight Decay "
        "Regularization. ICLR 2019.",
    )

    def label(self) -> str:
        """'L2 0.0001'."""
        return f"L2 {self.strength:g}"

    def acting(self, sites: Sequence[Site], epochs: int) -> Self | None:  # noqa: ARG002
        """With strength 0 it has no effect."""
        return self if self.strength else None

    def penalty(self, weights: Sequence[Tensor]) -> Tensor:
        """λ/2 · Σ w² over all weights."""
        total = weights[0].square().sum()
        for weight in weights[1:]:
            total = total + weight.square().sum()
        return total * (self.strength / 2)
