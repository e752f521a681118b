"""The values of settings that a preset leaves out."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from regtui.models import DEFAULT, KINDS
from regtui.preset.model import DataTable
from regtui.preset.train import TrainTable
from regtui.techniques import REGISTRY


def defaults(table: str, kind: str = DEFAULT) -> dict[str, Any]:
    """The default values of a table, by dotted key; a setting without a default is missing.

    Args:
        table: Its dotted key: 'train', 'regularized.dropout', 'arms.both.l2'; an unknown one has no defaults.
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
