"""What the engine has answered to a command, in a sentence: for the status line, and for a run without a screen."""

from __future__ import annotations

import os
from collections.abc import Sequence

from regtui.preset.model import Preset
from regtui.protocol.applied import Applied
from regtui.protocol.events import ControlApplied, Event, Paused, Resumed
from regtui.protocol.history import History
from regtui.text import listed

NAMES = {"learning_rate": "learning rate", "min_delta": "min Δ"}
"""The knobs that are not called by their key."""
HAS_ENDED, TAKEN_BACK = "it has ended", "it goes on here, as was asked for since"
"""Why a run is not handed over where nobody needs to be told: its end is seen, and who stays asked for that."""
Answer = ControlApplied | Paused | Resumed


def of_another(answer: Answer) -> bool:
    """Whether somebody else's command is answered; of this process and of earlier versions' logs it is not."""
    return answer.by is not None and answer.by.pid != os.getpid()


def steered(answer: Answer) -> str:
    """What somebody else's command without a knob has led to: 'paused by alice, pid 123'; empty where it says nothing.

    The user's own are seen in the header, and need no words.
    """
    if not of_another(answer):
        return ""
    if isinstance(answer, ControlApplied):
        return f"stopping{_by(answer)}" if answer.command == "stop" else ""
    return f"{'paused' if isinstance(answer, Paused) else 'going on'}{_by(answer)}"


def without_screen(preset: Preset, history: History, event: Event, *, at_once: bool) -> str:
    """What is to be said of an event where there is no screen: a stop, and what somebody else did; empty of others.

    Args:
        preset: The run's preset.
        history: The run's history, with the event.
        event: Any.
        at_once: Whether a stop is without validation and test.
    """
    if isinstance(event, ControlApplied) and event.command == "stop":
        if not event.step:
            return f"stopping before the first step{_by(event)}"
        return (
            f"stopping after step {event.step:,}{_by(event)}: {'at once' if at_once else 'validating, testing, saving'}"
        )
    if not isinstance(event, Answer) or not of_another(event):
        return ""
    if isinstance(event, ControlApplied) and event.key is not None:
        return changed(preset, history, [event]) if event.accepted else ""
    return steered(event)


def refused(control: ControlApplied) -> str:
    """Why a command was not carried out; empty where that needs no words."""
    if control.command == "hand_over":
        return "" if control.why in (HAS_ENDED, TAKEN_BACK) else f"The run goes on here: {control.why}"
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


def _by(answer: Answer) -> str:
    """Who sent the command, if that was somebody else: ' by alice, pid 123'."""
    return f" by {answer.by.user}, pid {answer.by.pid}" if answer.by is not None and of_another(answer) else ""


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
