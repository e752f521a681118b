"""What a preset's settings are where it leaves them out."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from regtui.models import DEFAULT, KINDS
from regtui.preset.model import DataTable
from regtui.preset.train import TrainTable
from regtui.techniques import REGISTRY


def defaults(table: str, kind: str = DEFAULT) -> dict[str, Any]:
    """The values of a table by dotted key, where it says nothing; what has no value then is not there.

    Args:
        table: Its dotted key: 'train', 'regularized.dropout', 'arms.both.l2'; of one that nobody knows nothing is.
        kind: The kind of the model.
    """
    models: dict[str, type[BaseModel]] = {"data": DataTable, "train": TrainTable}
    if table == "model":
        models |= {"model": KINDS[kind]} if kind in KINDS else {}
    elif "." in table:
        name = table.rpartition(".")[2]
        models |= {table: REGISTRY[name]} if name in REGISTRY else {}
    plain = models[table]().model_dump(exclude_none=True) if table in models else {}
    return {f"{table}.{key}": value for key, value in plain.items()}
