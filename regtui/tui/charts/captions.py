"""The texts on the charts' borders."""

from __future__ import annotations

from collections.abc import Sequence

from regtui.preset.model import Preset
from regtui.protocol.applied import label_with_changes
from regtui.protocol.events import EpochDone
from regtui.protocol.history import History
from regtui.tasks import Metric
from regtui.text import UNKNOWN
from regtui.tui.charts.values import title, value_text
from regtui.tui.charts.view import Quantity, View
from regtui.tui.look import arm_looks


def titles(preset: Preset, history: History, view: View, arms: Sequence[str], width: int) -> list[str]:
    """A title for each chart, of `width` cells: one for all arms with `view.overlay`, else one for each of `arms`.

    It says what an arm does, and what was changed while it trained; its name goes first where there is no room.
    """
    kind = "" if view.quantity == "loss" else f" · {title(view.quantity, preset.task.metric)}"
    looks = arm_looks(preset.arms())
    room = width - len(kind)
    if view.overlay and len(arms) == 2:
        room = (room - 3) // 2
    labels = {arm: f"{looks[arm].mark} {_label(preset, history, arm, room - 2)}" for arm in arms}
    if not view.overlay:
        return [label + kind for label in labels.values()]
    if len(labels) == 2:
        return [" · ".join(labels.values()) + kind]
    chosen = f"{labels[view.arm]}{kind}"
    names = "  ".join(f"{looks[arm].mark} {arm}" for arm in labels if arm != view.arm)
    beside = names if len(names) + len(chosen) + 8 <= width else " ".join(look.mark for look in looks.values())
    return [f"{chosen}  among  {beside}"]


def manner(view: View) -> list[str]:
    """How it is drawn, where that is not as usual; the most important first."""
    ways = {
        "own axes": not view.shared and not view.overlay,
        "log": view.log and view.quantity == "loss",
        "log epochs": view.log_x,
        f"newest {100 * view.part:.0f} %": view.part < 1,
        f"steps: mean of {view.smooth}": view.smooth > 0 and view.has_steps,
    }
    return [words for words, is_so in ways.items() if is_so]


def below_chart(history: History, view: View, arms: Sequence[str], epoch: int | None, width: int) -> str:
    """The words below a chart of these arms, in `width` cells: values at the cursor, if any, and how it is drawn."""
    parts = []
    if epoch is not None:
        words = reading(history, view, arms, epoch)
        short = words.replace("training", "train").replace("validation", "val")
        how = manner(view)[:1]
        parts = [words if len(" · ".join([words, *how])) <= width else short]
    for way in manner(view):
        if len(" · ".join([*parts, way])) <= width:
            parts.append(way)
    return " · ".join(parts)


def reading(history: History, view: View, arms: Sequence[str], epoch: int) -> str:
    """The values of an epoch in a chart of these arms."""
    metric = history.task.metric
    done = {arm: next((e for e in history.arms[arm].epochs if e.epoch == epoch), None) for arm in arms}
    if view.overlay:
        what = "gap" if view.quantity == "gap" else "validation"
        looks = arm_looks(history.arms)
        read = arms if len(arms) == 2 else view.pair(arms)  # all others are in the table
        values = "  ".join(f"{looks[arm].mark} {_value(done[arm], view.quantity, metric)}" for arm in read)
        return f"epoch {epoch}  {what} {values}"
    (of_arm,) = done.values()
    validation = _value(of_arm, view.quantity, metric)
    if of_arm is None:
        return f"epoch {epoch}  no values of this arm"
    if view.quantity == "gap":
        return f"epoch {epoch}  gap {validation}"
    return f"epoch {epoch}  training {value_text(of_arm, f'train_{view.quantity}', metric)}  validation {validation}"


def _value(epoch: EpochDone | None, quantity: Quantity, metric: Metric) -> str:
    """The gap, or the validation value."""
    if epoch is None:
        return UNKNOWN
    return value_text(epoch, "gap" if quantity == "gap" else f"val_{quantity}", metric)


def _label(preset: Preset, history: History, arm: str, room: int) -> str:
    techniques = label_with_changes(preset, history, arm)
    label = f"{arm} · {techniques}" if techniques else arm
    return label if len(label) <= room or not techniques else techniques
