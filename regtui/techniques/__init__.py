"""The techniques; a new one is one file here, and one line in `Techniques`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from pydantic import BaseModel, ConfigDict

from regtui.models.base import Site
from regtui.techniques.base import Technique
from regtui.techniques.batch_norm import BatchNorm
from regtui.techniques.dropout import Dropout
from regtui.techniques.early_stopping import EarlyStopping, StoppingRule, restores_best
from regtui.techniques.l1 import L1
from regtui.techniques.l2 import L2
from regtui.techniques.label_smoothing import LabelSmoothing


class Techniques(BaseModel):
    """The techniques of one arm, each a table of the preset; a technique without a table is not used.

    This is the registry: a field's name is the technique's name in presets and logs.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    l1: L1 | None = None
    l2: L2 | None = None
    dropout: Dropout | None = None
    batch_norm: BatchNorm | None = None
    label_smoothing: LabelSmoothing | None = None
    early_stopping: EarlyStopping | None = None

    def active(self) -> dict[str, Technique]:
        """The techniques in use, by name."""
        return {name: technique for name in type(self).model_fields if (technique := getattr(self, name)) is not None}

    def acting(self, sites: Sequence[Site], epochs: int) -> dict[str, Technique]:
        """The techniques that have an effect in a network with these sites, trained for `epochs`, in a normal form.

        Arms for which this is equal are the same experiment.
        """
        found = {name: technique.acting(sites, epochs) for name, technique in self.active().items()}
        return {name: technique for name, technique in found.items() if technique is not None}

    def stopping_rule(self) -> StoppingRule:
        """A new stopping rule. Every arm has one, to follow its best epoch; early stopping adds a patience."""
        return StoppingRule() if self.early_stopping is None else self.early_stopping.stopping_rule()

    def restores_best(self, patience: int | None = None) -> bool:
        """Whether the arm returns to its best epoch at the end, with this patience or else that of the preset."""
        return restores_best(self.early_stopping, patience)

    def label(self) -> str:
        """All of them in a few words: 'dropout 0.5 + L2 0.0001', or 'no technique'."""
        return " + ".join(technique.label() for technique in self.active().values()) or "no technique"


REGISTRY: dict[str, type[Technique]] = {
    name: get_args(field.annotation)[0] for name, field in Techniques.model_fields.items()
}
"""Every technique's class, by name."""
