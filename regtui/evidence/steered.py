"""What the user changed while a run trained, in words: 'dropout 0.5 → 0.6 at epoch 7'."""

from __future__ import annotations

from collections.abc import Mapping

from regtui.preset.arms import BASELINE, marks_of
from regtui.preset.model import Preset
from regtui.protocol.applied import Applied
from regtui.protocol.events import ControlApplied
from regtui.protocol.history import History
from regtui.text import NBSP, listed

MAIN_KNOBS = ("rate", "strength")
"""Knobs that go by their technique's name: people say 'dropout 0.5'."""


def changes_in_words(history: History, preset: Preset | None) -> list[str]:
    """Each knob that was changed, in the order of the first changes: from what to what, and when.

    A knob changed more than once is told once, with its first value and its last. Where the preset can't be read, the
    value before is not known: 'dropout set to 0.6 at epoch 7'.
    """
    knobs: dict[tuple[str, tuple[str | None, ...]], list[ControlApplied]] = {}
    for change in history.changes:
        arms = tuple(control.arm for control in change)
        knobs.setdefault((change[0].key or "", arms), []).append(change[-1])
    names = _names(history)
    return [
        _epochs(history, changes) if key == "epochs" else _words(key, arms, changes, names, preset)
        for (key, arms), changes in knobs.items()
    ]


def _epochs(history: History, changes: list[ControlApplied]) -> str:
    """From how many epochs to how many, and when; and whether the test set had been scored before."""
    first, last = changes[0], changes[-1]
    between = ["…"] if len(changes) > 1 else []
    chain = f"{NBSP}→{NBSP}".join([f"{history.planned[0]}", *between, _value(last.value)])
    tested = ", after its test" if any(seam.extended for seam in history.seams) else ""
    return f"epochs{NBSP}{chain} {_when(first.epoch, last.epoch)}{tested}"


def _words(
    key: str,
    arms: tuple[str | None, ...],
    changes: list[ControlApplied],
    names: Mapping[str, str],
    preset: Preset | None,
) -> str:
    first, last = changes[0], changes[-1]
    before = _before(key, arms[-1], preset)
    between = ["…"] if len(changes) > 1 else []
    chain = f"{NBSP}→{NBSP}".join([before, *between, _value(last.value)])
    told = chain if before else f"set to{NBSP}{_value(last.value)}"
    return f"{_whose(arms, names)}{_knob(key)}{NBSP}{told} {_when(first.epoch, last.epoch)}"


def _whose(arms: tuple[str | None, ...], names: Mapping[str, str]) -> str:
    if len(arms) > 1 and len(arms) == len(names):
        return "both arms: " if len(names) == 2 else "all arms: "
    of = [names[arm] or arm for arm in arms if arm is not None and (names.get(arm) or len(arms) > 1)]
    return f"{listed(of)}: " if of else ""


def _names(history: History) -> dict[str, str]:
    """What each arm is called; the one arm beside the baseline needs no name."""
    marks = marks_of(history.arms)
    if len(history.arms) == 2:
        return {name: name if name == BASELINE else "" for name in history.arms}
    return {name: name if name == BASELINE else f"{marks[name]} {name}" for name in history.arms}


def _knob(key: str) -> str:
    technique, _, knob = key.rpartition(".")
    words = [technique] if technique and knob in MAIN_KNOBS else [technique, knob]
    plain = " ".join(filter(None, words)).replace("_", " ")
    return plain.replace("l1", "L1").replace("l2", "L2")


def _before(key: str, arm: str | None, preset: Preset | None) -> str:
    """A knob's value as the preset has it; empty if that is not known."""
    if preset is None:
        return ""
    if arm is None or arm not in preset.arms():
        value = getattr(preset.train, key.rpartition(".")[2], None)
        return _value(value) if isinstance(value, int | float) else ""
    applied = Applied.of(preset, History()).arms[arm]
    if key == "patience":
        return _value(applied.patience)
    value = applied.min_delta if key == "min_delta" else applied.strengths.get(key)
    return "" if value is None else _value(value)


def _value(value: float | None) -> str:
    return "off" if value is None else f"{value:g}"


def _when(first: int, last: int) -> str:
    if last == 0:
        return f"before epoch{NBSP}1"
    return f"at epoch{NBSP}{last}" if first == last else f"at epochs{NBSP}{first}{NBSP}to{NBSP}{last}"
