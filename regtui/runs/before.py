"""What summaries of earlier versions lack or say in another sense, brought to what is written today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PLAIN = {"min_delta": 0.0, "warmup": 0, "monitor": "val_loss"}
"""The knobs with which the last epoch that counted as an improvement was the one with the lowest validation loss."""


def brought_up(folder: Path, preset: dict[str, Any], summary: dict[str, Any]) -> dict[str, Any]:
    """The summary of an ended run as it would be written today; itself where nothing is to be done.

    Two things were told otherwise: `best_epoch` and `best_val_loss` were those of the last epoch that early stopping
    had counted, and whether both arms are the same experiment was not told.

    Args:
        folder: The run's.
        preset: Its preset.toml, unchecked.
        summary: Its summary.json, unchecked.
    """
    brought = dict(summary)
    if not isinstance(summary.get("same_experiment"), bool):
        brought["same_experiment"] = not summary.get("interventions") and _same_arms(preset)
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
    """Whether an arm's best epoch was told in another sense than today's, and may be another."""
    if "kept_epoch" in arm or arm.get("best_epoch") is None:
        return False
    rule = techniques.get("early_stopping") if isinstance(techniques, dict) else None
    return steered or (isinstance(rule, dict) and any(rule.get(knob, usual) != usual for knob, usual in PLAIN.items()))


def _lowest_losses(folder: Path) -> dict[str, dict[str, Any]]:
    """Each arm's lowest validation loss and its epoch, from the events; nothing where they can't be read."""
    from regtui.protocol.history import History  # pydantic, 0.15 s, once: then the index knows
    from regtui.runs.log import read_events

    try:
        arms = History.of(read_events(folder)).arms
    except OSError:
        return {}
    return {
        name: {"best_epoch": arm.best.epoch, "best_val_loss": arm.best.val_loss}
        for name, arm in arms.items()
        if arm.best is not None
    }


def _same_arms(preset: dict[str, Any]) -> bool:
    """Whether a preset's arms are the same experiment; not, if it can't be read."""
    from pydantic import ValidationError  # as above

    from regtui.preset.model import Preset

    try:
        return Preset.model_validate(preset).same_arms
    except (ValidationError, RecursionError):
        return False
