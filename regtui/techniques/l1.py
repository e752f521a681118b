"""L1: the same pull on every weight whatever its size, so that the useless ones end at zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field

from regtui.techniques.base import Explanation, Technique

if TYPE_CHECKING:
    from torch import Tensor


def soft_threshold(weight: Tensor, threshold: float) -> None:
    """Soft threshold in place, w ← sign(w) · max(|w| − t, 0): the proximal operator of t·‖w‖₁.

    Source: Parikh, Boyd: Proximal Algorithms (2014), section 6.5.2.
    """
    # w − clamp(w, −t, t) is the same, and exactly 0 wherever |w| ≤ t.
    weight.sub_(weight.clamp(-threshold, threshold))


class L1(Technique):
    """Makes the sum of the weights' absolute values small."""

    strength: float = Field(
        1e-4,
        ge=0,
        le=1e6,
        allow_inf_nan=False,
        description="λ in λ · ‖w‖₁; proximal with Adam about 0.1, else about 0.0001.",
    )
    mode: Literal["proximal", "loss"] = Field(
        "proximal",
        description="proximal: soft threshold after each step, exact zeros; loss: term of the loss, no exact zeros.",
    )

    live: ClassVar[frozenset[str]] = frozenset({"strength"})
    explanation: ClassVar[Explanation] = Explanation(
        title="L1 penalty",
        idea="Every weight is pulled towards zero with the same force, so weights that earn nothing end there.",
        formula="proximal:  w ← sign(w) · max(|w| − η·λ, 0)   after each step of learning rate η;   "
        "loss:  loss + λ · ‖w‖₁,   whose gradient adds λ · sign(w)",
        training="Both modes pull alike, but only the proximal one arrives. As a term of the loss the pull keeps its "
        "size up to the zero and changes sign behind it, so a weight jumps to and fro across zero by about a step and "
        "is never exactly there. The soft threshold stops at zero: those weights are out of the network.",
        inference="None of its own; weights that are exactly zero need no memory and no multiplication.",
        look_for="Proximal: most first-layer weights are exactly zero, often all of a hidden unit's at once, at little "
        "loss of accuracy. Loss: many weights are tiny and none is zero. Too much: training loss stays high. Mind the "
        "optimizer: Adam brings every gradient to about the same size but leaves the threshold as it is, so with it a "
        "proximal λ that empties weights is about 0.1, with SGD about 0.0001.",
        source="Tibshirani: Regression Shrinkage and Selection via the Lasso. JRSS B 58 (1996) 267-288. Proximal step: "
        "Beck, Teboulle: A Fast Iterative Shrinkage-Thresholding Algorithm. SIAM J. Imaging Sciences 2 (2009) 183-202.",
    )

    def label(self) -> str:
        """'L1 0.0001', with the mode where it is not the usual one."""
        return f"L1 {self.strength:g}" + ("" if self.mode == "proximal" else " (loss)")

    def acting(self, depth: int, epochs: int) -> Self | None:  # noqa: ARG002
        """With strength 0 it does nothing."""
        return self if self.strength else None

    @property
    def penalty_in_loss(self) -> bool:
        """Only in mode 'loss'; the proximal step replaces the gradient of the term."""
        return self.mode == "loss"

    def penalty(self, weights: Sequence[Tensor]) -> Tensor:
        """λ · Σ |w| over all weight matrices."""
        total = weights[0].abs().sum()
        for weight in weights[1:]:
            total = total + weight.abs().sum()
        return total * self.strength

    def after_step(self, weights: Sequence[Tensor], learning_rate: float) -> None:
        """The proximal step; the threshold is η·λ, so that it acts like the gradient's pull over the same step."""
        if self.mode == "proximal":
            for weight in weights:
                soft_threshold(weight, learning_rate * self.strength)
