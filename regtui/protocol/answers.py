"""What the engine has answered to a command, in a sentence for the status line."""

from __future__ import annotations

import os
from collections.abc import Sequence

from regtui.preset.model import Preset
from regtui.protocol.applied import Applied
from regtui.protocol.events import ControlApplied
from regtui.protocol.history import History
from regtui.text import listed

NAMES = {"learning_rate": "learning rate", "min_delta": "min Δ"}
"""The knobs that are not called by their key."""
DONE = {"pause": "paused", "resume": "going on", "stop": "stopping"}
"""What an accepted command that changes no knob leads to."""


def of_another(control: ControlApplied) -> bool:
    """Whether somebody else's command is answered; of this process and of earlier versions' logs it is not."""
    return control.by is not None and control.by.pid != os.getpid()


def steered(control: ControlApplied) -> str:
    """What somebody else's command without a knob has led to: 'paused by alice, pid 123'; empty where it says nothing.

    The user's own are seen in the header, and need no words.
    """
    done = DONE.get(control.command, "")
    return f"{done}{_by(control)}" if done and of_another(control) else ""


def refused(control: ControlApplied) -> str:
    """Why a command was not carried out."""
    return f"{_knob(control)} stays as it is: {control.why}" if control.key else control.why


def changed(preset: Preset, history: History, told: Sequence[ControlApplied]) -> str:
    """What the newest of these accepted answers has changed: 'learning rate 0.001 → 0.002 from step 813 on'.

    Args:
        preset: The run's preset.
        history: The run's history, with them.
        told: Answers that came together, at least one, the last one about a knob.
    """
    last = told[-1]
    # Of a change of all arms the answers may have come one by one.
    wanted = (last.key, last.value, last.step, last.by)
    same = [one for one in history.controls if one.accepted and (one.key, one.value, one.step, one.by) == wanted]
    first = min(history.controls.index(one) for one in (same[0], told[0]))
    before = Applied.of(preset, History(controls=history.controls[:first]))
    was = dict.fromkeys(_show(_value(before, one)) for one in same)
    if last.key == "epochs":
        was = dict.fromkeys([_show(history.planned[-2])])
    arms = [one.arm for one in same if one.arm is not None]
    whose = f" of {listed(arms)}" if 0 < len(arms) < len(preset.arms()) else ""
    at_the_end = last.key in ("patience", "min_delta")
    when = f"with the end of epoch {max(1, last.epoch)}" if at_the_end else f"from step {last.step + 1:,} on"
    return f"{_knob(last)}{whose} {' and '.join(was)} → {_show(last.value)} {when}{_by(last)}"


def _by(control: ControlApplied) -> str:
    """Who sent the command, if that was somebody else: ' by alice, pid 123'."""
    return f" by {control.by.user}, pid {control.by.pid}" if control.by is not None and of_another(control) else ""


def _knob(control: ControlApplied) -> str:
    key = control.key or ""
    return NAMES.get(key, key.replace(".", " ").replace("_", " "))


def _value(applied: Applied, control: ControlApplied) -> float | None:
    """The value of a knob before a command changed it."""
    if control.arm is None:
        return applied.base_rate
    arm = applied.arms[control.arm]
    if control.key == "patience":
        return arm.patience
    return arm.min_delta if control.key == "min_delta" else arm.strengths.get(control.key or "")


def _show(value: float | None) -> str:
    return "off" if value is None else f"{value:g}"
