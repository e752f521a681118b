"""What is written on the charts' borders."""

from __future__ import annotations

from collections.abc import Sequence

from regtui.history import History
from regtui.preset import ARMS, Preset
from regtui.tui.look import MARKS
from regtui.tui.view import TITLES, View


def titles(preset: Preset, view: View, arms: Sequence[str]) -> list[str]:
    """A title for each chart: one for both arms with `view.overlay`, else one for each of `arms`."""
    kind = "" if view.quantity == "loss" else f" · {TITLES[view.quantity]}"
    kind += " · log" if view.log and view.quantity == "loss" else ""
    kind += " · recent" if view.recent else ""
    labels = [f"{MARKS[arm]} {_label(preset, arm)}" for arm in arms]
    return [" · ".join(labels) + kind] if view.overlay else [label + kind for label in labels]


def legend(history: History, view: View) -> str:
    """What the marks in a chart mean."""
    if view.quantity == "gap":
        words = "validation − training loss  ★ best epoch"
    elif view.overlay:
        words = "▀ validation  • + training  ★ best"
    else:
        steps = "⋯ steps  " if view.quantity == "loss" else ""
        words = f"{steps}• training  ▀ validation  ★ best"
    return words + ("  │ steered" if history.interventions else "")


def difference_caption(newest: float | None) -> tuple[str, str]:
    """Title and newest value of the strip with the difference in validation loss."""
    title = "Δ validation loss, regularized − baseline"
    if newest is None:
        return title, ""
    lower = f" · {ARMS[0] if newest > 0 else ARMS[1]} is lower" if newest else ""
    return title, f"{newest:+.4f}".replace("-", "−") + lower


def _label(preset: Preset, arm: str) -> str:
    techniques = preset.arms()[arm].label()
    return arm if techniques == "no technique" else f"{arm} · {techniques}"
