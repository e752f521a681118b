"""L1: pulls every weight towards zero with the same strength, so that useless ones become exactly zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field

from regtui.techniques.base import Explanation, Knob, Technique

if TYPE_CHECKING:
    from torch import Tensor

    from regtui.models.base import Site


LARGEST = 3e38
"""Nearly the largest float32; a weight beyond it does not exist."""


def soft_threshold(weight: Tensor, threshold: float) -> None:
    """Soft threshold in place, w ← sign(w) · max(|w| − t, 0): the proximal operator of t·‖w‖₁.

    Source: Parikh, Boyd: Proximal Algorithms (2014), section 6.5.2.
    """
    # w − clamp(w, −t, t) is the same, and exactly 0 wherever |w| ≤ t. torch takes no t beyond the weights' own range.
    threshold = min(threshold, LARGEST)
    weight.sub_(weight.clamp(-threshold, threshold))


class L1(Technique):
    """Makes the sum of the weights' absolute values small."""

    strength: float = Field(
        1e-4,
        ge=0,
        le=1e6,
        allow_inf_nan=False,
        description="λ in λ · ‖w‖₁; about 0.1 for proximal steps beside Adam or AdamW, else about 0.0001.",
    )
    mode: Literal["proximal", "loss"] = Field(
        "proximal",
        description="proximal: soft threshold of learning rate · λ after each step of any optimizer, exact zeros; "
        "loss: a term of the loss, whose gradient Adam and AdamW rescale, no exact zeros.",
    )

    live: ClassVar[Mapping[str, Knob]] = {"strength": Knob("magnitude", "λ L1")}
    explanation: ClassVar[Explanation] = Explanation(
        title="L1 penalty",
        idea="Every weight is pulled towards zero with the same force, so weights that earn nothing end there.",
        formula="proximal:  w ← sign(w) · max(|w| − η·λ, 0)   after each step of learning rate η;   "
        "loss:  loss + λ · ‖w‖₁,   whose gradient adds λ · sign(w)",
        training="Proximal: whatever the optimizer, each step pulls every weight by the threshold, learning rate · λ, "
        "and stops at zero. A weight there is out of the network for as long as the optimizer moves it by no more than "
        "the threshold; it can come back. Loss: the pull keeps its size up to zero and changes sign behind it, so that "
        "a weight jumps to and fro across zero and is hardly ever exactly there. With SGD both modes pull alike but "
        "for that. With Adam and AdamW they do not: these divide each weight's gradient, and λ in it, by the size that "
        "it has had lately, so that the pull differs from weight to weight, and where λ is most of the gradient it is "
        "a whole step, whatever λ is.",
        inference="None of its own. Zeros would save memory and multiplications in a sparse format; here they are "
        "stored and multiplied like any other weight.",
        look_for="Proximal: many weights of the first layer are exactly zero, often all of a hidden unit's at once, at "
        "little loss of accuracy. Loss: many weights are tiny, hardly any is zero. Too much: training loss stays high. "
        "Mind the optimizer: a step of Adam or AdamW moves a weight by up to about the learning rate, so that a "
        "proximal λ is a share of such a step, and about 0.1 empties weights; as a term of the loss the same λ drowns "
        "the data's gradient. With SGD λ compares with the gradient itself: about 0.0001, in both modes.",
        source="Tibshirani: Regression Shrinkage and Selection via the Lasso. JRSS B 58 (1996) 267-288. Proximal step: "
        "Beck, Teboulle: A Fast Iterative Shrinkage-Thresholding Algorithm. SIAM J. Imaging Sciences 2 (2009) 183-202.",
    )

    def label(self) -> str:
        """'L1 0.0001', with the mode if it is not the default."""
        return f"L1 {self.strength:g}" + ("" if self.mode == "proximal" else " (loss)")

    def acting(self, sites: Sequence[Site], epochs: int) -> Self | None:  # noqa: ARG002
        """With strength 0 it has no effect."""
        return self if self.strength else None

    @property
    def penalty_in_loss(self) -> bool:
        """Only in mode 'loss'; the proximal step replaces the gradient of the term."""
        return self.mode == "loss"

    def penalty(self, weights: Sequence[Tensor]) -> Tensor:
        """λ · Σ |w| over all weights."""
        total = weights[0].abs().sum()
        for weight in weights[1:]:
            total = total + weight.abs().sum()
        return total * self.strength

    def after_step(self, weights: Sequence[Tensor], learning_rate: float) -> None:
        """The proximal step; the threshold is η·λ, so that it acts like the gradient's pull over the same step."""
        if self.mode == "proximal":
            for weight in weights:
                soft_threshold(weight, learning_rate * self.strength)
