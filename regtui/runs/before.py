"""Updates summaries of earlier versions, which lack some fields or use them with another meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from regtui.preset.arms import BASELINE
from regtui.protocol import schema1

PLAIN = {"min_delta": 0.0, "warmup": 0, "monitor": "val_loss"}
"""Knobs with which the last epoch that counted was also the one with the lowest validation loss."""


def brought_up(folder: Path, preset: dict[str, Any], summary: dict[str, Any]) -> dict[str, Any]:
    """The summary of an ended run as it would be written today; unchanged if it is up to date.

    Two things differed: `best_epoch` and `best_val_loss` were those of the last epoch that early stopping had counted,
    and the summary did not say whether arms are the same experiment.

    Args:
        folder: The run's folder.
        preset: Its preset.toml, unchecked.
        summary: Its summary.json, unchecked.
    """
    brought: dict[str, Any] = schema1.summary(summary)
    if not brought.get("same_experiment"):
        brought["same_experiment"] = {} if summary.get("interventions") else _same_arms(preset)
    arms = summary.get("arms")
    if isinstance(arms, dict):
        steered = bool(summary.get("interventions"))
        wrong = [
            name for name, arm in arms.items() if isinstance(arm, dict) and _is_other(arm, preset.get(name), steered)
        ]
        lowest = _lowest_losses(folder) if wrong else {}
        brought["arms"] = arms | {name: arms[name] | lowest.get(name, {}) for name in wrong}
    return brought


def _is_other(arm: dict[str, Any], techniques: object, steered: bool) -> bool:
    """Whether an arm's best epoch was saved with the old meaning and may be another one today."""
    if "kept_epoch" in arm or arm.get("best_epoch") is None:
        return False
    rule = techniques.get("early_stopping") if isinstance(techniques, dict) else None
    return steered or (isinstance(rule, dict) and any(rule.get(knob, usual) != usual for knob, usual in PLAIN.items()))


def _lowest_losses(folder: Path) -> dict[str, dict[str, Any]]:
    """Each arm's lowest validation loss and its epoch, from the events; empty if they can't be read."""
    from regtui.protocol.history import History  # imports pydantic, 0.15 s; needed once, then the index has the result
    from regtui.runs.events import read_events

    try:
        arms = History.of(read_events(folder)).arms
    except OSError:
        return {}
    return {
        name: {"best_epoch": arm.best.epoch, "best_val_loss": arm.best.val_loss}
        for name, arm in arms.items()
        if arm.best is not None
    }


def _same_arms(preset: dict[str, Any]) -> dict[str, bool]:
    """For each arm beside the baseline, whether the preset makes the two one experiment; empty if it can't be read."""
    from pydantic import ValidationError  # as above

    from regtui.preset.model import Preset

    try:
        known = Preset.model_validate(preset)
        return {name: known.does_as_baseline(name) for name in known.arms() if name != BASELINE}
    except (ValidationError, RecursionError):
        return {}
