"""Label smoothing: shares a little of each target among all classes, so that no answer need be certain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field

from regtui.techniques.base import Explanation, Knob, Setting, Technique

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from regtui.models.base import Site
    from regtui.techniques.base import Criterion


class LabelSmoothing(Technique):
    """Trains towards targets that are a little uncertain."""

    strength: float = Field(0.1, ge=0, lt=1, description="ε, the share of a target that is spread over all classes.")

    live: ClassVar[Mapping[str, Knob]] = {"strength": Knob("share", "label smoothing")}
    explanation: ClassVar[Explanation] = Explanation(
        title="Label smoothing",
        idea="The target is no longer all of the right class: a share ε of it belongs to all K classes alike.",
        formula="loss = (1 − ε) · CE(z, y) + ε · CE(z, 1/K),   CE(z, q) = −Σ_k q_k · log softmax(z)_k",
        training="A network that is right gains nothing by growing ever surer: the smoothed loss is lowest where the "
        "right class has 1 − ε + ε/K, so logits and weights stay smaller. The loss that is reported is the plain "
        "cross-entropy: where the answers are right it tends to −log(1 − ε + ε/K) instead of zero, which is 0.094 for "
        "ε = 0.1 and ten classes.",
        inference="Nothing changes but what was learned: the network is less certain, also where it is right.",
        look_for="The training loss levels off well above zero while the training accuracy goes to 100 %. Where the "
        "baseline grows overconfident and its validation loss rises again, this arm's stays flat. Too much: both "
        "losses stay high though the answers are right.",
        source="Szegedy, Vanhoucke, Ioffe, Shlens, Wojna: Rethinking the Inception Architecture for Computer Vision. "
        "CVPR 2016, section 7. On when it helps: Müller, Kornblith, Hinton, NeurIPS 2019.",
    )

    def label(self) -> str:
        """'label smoothing 0.1'."""
        return f"label smoothing {self.strength:g}"

    def acting(self, sites: Sequence[Site], epochs: int) -> Self | None:  # noqa: ARG002
        """With strength 0 it has no effect."""
        return self if self.strength else None

    def faults(self, setting: Setting) -> Iterator[tuple[str, str]]:
        """There must be classes to spread a target over."""
        if setting.task.name != "classification":
            yield "", "the targets are values, and there are no classes to spread them over"

    def change_criterion(self, criterion: Criterion, generator: Generator) -> Criterion:  # noqa: ARG002
        """(1 − ε) times the loss on the targets plus ε times the loss on equal shares; ε is read at each step."""
        import torch

        def smoothed(outputs: Tensor, targets: Tensor) -> Tensor:
            uniform = torch.full_like(outputs, 1 / outputs.shape[1])
            return (1 - self.strength) * criterion(outputs, targets) + self.strength * criterion(outputs, uniform)

        return smoothed
