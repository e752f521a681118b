"""Differences from the baseline over two settings at once, for a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from regtui.evidence.over_seeds import Compared
from regtui.tasks import Metric


@dataclass(frozen=True)
class EffectMap:
    """Differences from the baseline over two settings at once, for a heat map.

    Attributes:
        row_key: What varies from row to row.
        column_key: What varies from column to column.
        rows: Its values, ascending.
        columns: Those of the columns, ascending.
        effects: By row and column: the difference there; missing where nothing was run.
        arms: By row and column: the cell's name and the arm's.
        metric: What the differences are in.
    """

    row_key: str
    column_key: str
    rows: Sequence[float]
    columns: Sequence[float]
    effects: Mapping[tuple[float, float], Compared]
    arms: Mapping[tuple[float, float], tuple[str, str]]
    metric: Metric

    @property
    def reach(self) -> float:
        """The largest absolute mean, where the colours of a scale around 0 end; 0 where there is none."""
        return max((abs(of.mean) for of in self.effects.values() if of.mean is not None), default=0.0)
