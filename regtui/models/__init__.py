"""The kinds of networks. A new one is one file here and one line in `KINDS`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from regtui.models.base import Model, Shape, Site
from regtui.models.cnn import CNN
from regtui.models.linear import LinearModel
from regtui.models.mlp import MLP

__all__ = ["KINDS", "AnyModel", "Model", "Shape", "Site", "kind_of"]

KINDS: dict[str, type[Model]] = {"mlp": MLP, "linear": LinearModel, "cnn": CNN}
"""The class of each kind, by its name in a preset's `model.kind`."""
DEFAULT = "mlp"


def kind_of(model: Any) -> Any:
    """The kind that a preset's `[model]` names, else the default; None if it is not a table."""
    if isinstance(model, dict):
        return model.get("kind", DEFAULT)
    return getattr(model, "kind", None)


AnyModel = Annotated[
    Annotated[MLP, Tag("mlp")] | Annotated[LinearModel, Tag("linear")] | Annotated[CNN, Tag("cnn")],
    Discriminator(kind_of),
]
"""A preset's `[model]`: a table with the knobs of the kind it names."""
