"""The cells of an arm's row in the table: progress, losses, cost, and how much patience is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from regtui.preset.model import Preset
from regtui.protocol.applied import ArmApplied, kept_epoch, stop_epoch_if_nothing_improves, value_to_beat, wait
from regtui.protocol.events import EpochDone
from regtui.protocol.history import ArmHistory
from regtui.techniques.early_stopping import followed_metric
from regtui.text import UNKNOWN, brief, fitting, seconds, share, short

METER = 5
"""Width of the patience meter in cells."""
GAP = 6
"""Width of a gap in cells."""


class ArmRow(NamedTuple):
    """Everything that an arm's row is made from."""

    name: str
    history: ArmHistory
    settings: ArmApplied
    preset: Preset


class ArmColumn(NamedTuple):
    """A right-aligned column of `width` cells after two blanks."""

    header: str
    width: int
    text: Callable[[ArmRow], str]


def stops_with_next_epoch(arm: ArmRow) -> bool:
    """Whether patience runs out with the next epoch, unless that counts as an improvement."""
    patience = arm.settings.patience
    return patience is not None and arm.history.counted is not None and wait(arm.history) >= patience - 1 > 0


def instead_of_patience(arm: ArmRow) -> Sequence[str]:
    """Texts in place of the patience, for an arm that has ended or has none; from long to short."""
    stopped = arm.history.stopped
    if stopped is None:
        since = arm.history.since_best
        return (f"{since} since best", f"{since} ago", f"{since}") if arm.settings.patience is None else ()
    kept = f", kept {kept_epoch(arm.history, arm.settings) or 0}"
    if stopped.diverged:
        return f"diverged at {stopped.epoch}", "diverged", "NaN"
    if stopped.reason == "early_stopping":
        early = f"stopped early at {stopped.epoch}"
        return early + kept, early, f"early, {stopped.epoch}", "early"
    if stopped.reason == "max_epochs":
        return f"done{kept}", "done"
    return f"stopped at {stopped.epoch}{kept}", f"stopped at {stopped.epoch}", "stopped", "ended"


def _last(text: Callable[[EpochDone], str]) -> Callable[[ArmRow], str]:
    """Apply `text` to an arm's last epoch."""
    return lambda arm: UNKNOWN if arm.history.last is None else text(arm.history.last)


def gap_text(epoch: EpochDone) -> str:
    """The generalization gap in at most six cells."""
    gap = epoch.gap
    text = short(gap, digits=3)
    if gap is None or len(text) <= GAP:
        return text
    return next((text for digits in (2, 1) if len(text := brief(gap, digits)) <= GAP), text)


def _zeros(epoch: EpochDone) -> str:
    """Share of weights that are exactly zero, in at most five cells."""
    zeros = epoch.zero_weights
    return share(zeros, gap="") if zeros in (0, 1) else fitting(zeros, 1, 5)


def _whole_epoch(text: Callable[[float, ArmRow], str]) -> Callable[[ArmRow], str]:
    """Apply `text` to the seconds that an arm's last whole epoch took."""

    def of_arm(arm: ArmRow) -> str:
        took = next((epoch.seconds for epoch in reversed(arm.history.epochs) if not epoch.partial), 0.0)
        return text(took, arm) if took > 0 else UNKNOWN

    return of_arm


def _samples(took: float, arm: ArmRow) -> str:
    return f"{arm.preset.sizes.train / took:,.0f}"


def _monitored(value: float | None, settings: ArmApplied) -> str:
    if value is None:
        return UNKNOWN
    metric = followed_metric(settings.monitor)
    return short(value) if metric is None else metric.fitting(value, 6)


def _waited(arm: ArmRow) -> str:
    return f"{wait(arm.history)}/{arm.settings.patience}"


def _patience(arm: ArmRow) -> str:
    """'▮▮▯▯▯ 2/5'; the meter is full only if patience has run out."""
    waited, patience = wait(arm.history), arm.settings.patience or 1
    cells = min(METER, patience)
    full = cells if waited >= patience else min(cells - 1, math.ceil(cells * waited / patience))
    meter = "▮" * full + "▯" * (cells - full)
    text = f"{meter} {_waited(arm)}"
    return text if len(text) <= COLUMNS["patience"].width else _waited(arm)


def _stops(arm: ArmRow) -> str:
    epoch = stop_epoch_if_nothing_improves(arm.history, arm.settings, arm.preset.train.epochs)
    return UNKNOWN if epoch is None else f"at {epoch}"


def _metric(arm: ArmRow) -> str:
    last = arm.history.last
    return arm.preset.task.metric.brief(None if last is None else last.val_metric)


COLUMNS = {
    "bar": ArmColumn("", 5, lambda _arm: ""),
    "epoch": ArmColumn(
        "epoch", 5, lambda arm: f"{arm.history.last.epoch if arm.history.last else 0}/{arm.preset.train.epochs}"
    ),
    "train": ArmColumn("train", 7, _last(lambda epoch: short(epoch.train_loss))),
    "val": ArmColumn("val", 7, _last(lambda epoch: short(epoch.val_loss))),
    "gap": ArmColumn("gap", GAP, _last(gap_text)),
    "metric": ArmColumn("", 6, _metric),
    "best": ArmColumn("best", 4, lambda arm: str(arm.history.best.epoch) if arm.history.best else UNKNOWN),
    "value": ArmColumn("value", 7, lambda arm: short(arm.history.best.val_loss) if arm.history.best else UNKNOWN),
    "seconds": ArmColumn("s/epoch", 7, _whole_epoch(lambda took, _arm: seconds(took))),
    "samples": ArmColumn("", 7, _whole_epoch(_samples)),
    "zeros": ArmColumn("zeros", 5, _last(_zeros)),
    "patience": ArmColumn("patience", 11, _patience),
    "needs": ArmColumn("needs", 7, lambda arm: _monitored(value_to_beat(arm.history, arm.settings), arm.settings)),
    "stops": ArmColumn("stops", 5, _stops),
}
"""The columns in order; what the metric and the samples are called, and so their headers, depends on the preset."""
WAITED = ArmColumn("wait", 5, _waited)
"""Replaces 'patience' where the meter does not fit."""
