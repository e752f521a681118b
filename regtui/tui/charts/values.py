"""What of an epoch a chart shows, as numbers and in words."""

from __future__ import annotations

from collections.abc import Callable

from regtui.protocol.events import EpochDone
from regtui.tasks import Metric
from regtui.text import brief
from regtui.tui.charts.view import Quantity

_VALUES: dict[str, Callable[[EpochDone], float | None]] = {
    "train_loss": lambda e: e.train_loss,
    "val_loss": lambda e: e.val_loss,
    "train_metric": lambda e: e.train_metric,
    "val_metric": lambda e: e.val_metric,
    "gap": lambda e: e.gap,
}


def title(quantity: Quantity, metric: Metric) -> str:
    """What a chart shows, in words."""
    return {"loss": "loss", "metric": metric.titled, "gap": "gap: validation − training loss"}[quantity]


def value_of(key: str, metric: Metric) -> Callable[[EpochDone], float | None]:
    """What of an epoch is drawn: 'train_loss', 'val_loss', 'train_metric', 'val_metric' or 'gap'; a metric as shown."""
    value = _VALUES[key]
    if not key.endswith("_metric"):
        return value
    return lambda epoch: None if (found := value(epoch)) is None else metric.factor * found


def value_text(epoch: EpochDone, key: str, metric: Metric) -> str:
    """What of an epoch is drawn, in few cells: 'train_loss', 'val_loss', 'train_metric', 'val_metric' or 'gap'."""
    value = _VALUES[key](epoch)
    return metric.brief(value) if key.endswith("_metric") else brief(value)
