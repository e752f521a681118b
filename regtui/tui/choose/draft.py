"""A preset while it is edited: plain data that need not be valid, and its faults. Uses no widgets."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from regtui.models import KINDS
from regtui.preset.arms import BASELINE
from regtui.preset.faults import Fault, PresetError
from regtui.preset.file import to_table, toml_value
from regtui.preset.hints import Slip
from regtui.preset.model import Preset
from regtui.preset.validation import validate
from regtui.techniques import REGISTRY
from regtui.techniques.base import Technique

KIND = "model.kind"
"""The key that decides which other keys the model has."""


def technique_of(key: str) -> type[Technique] | None:
    """The technique of an arm that a dotted key names; None for any other key.

    Such a key holds whether the technique is in use.
    """
    arm, _, name = key.rpartition(".")
    is_arm = arm in (BASELINE, "regularized") or (arm.startswith("arms.") and arm.count(".") == 1)
    return REGISTRY.get(name) if is_arm else None


class Draft:
    """A preset's tables, edited key by key.

    Attributes:
        original: The preset before the edits, to which they can be reset.
        arms: The dotted keys of its arms' tables. The baseline comes last, because a preset is about the others.
        preset: The edited preset; None while there are faults.
        faults: What is wrong with the edited values.
    """

    def __init__(self, original: Preset, edited: Preset | None = None) -> None:
        self.original = original
        self.arms = tuple(original.table_of(arm) for arm in (*list(original.arms())[1:], BASELINE))
        self.preset: Preset | None
        self.faults: list[Fault]
        self._before = to_table(original)
        self._table = to_table(edited or original)
        self._off: dict[str, dict[str, Any]] = {}  # knobs of techniques that were switched off, to be restored
        self._check()

    def get(self, key: str) -> Any:
        """The value at a dotted key; None if it is left out."""
        return _at(self._table, key)

    def was(self, key: str) -> Any:
        """The original's value; the default for a technique or kind of model that it doesn't use."""
        kind = self.get(KIND)
        if key.startswith("model.") and key != KIND and kind != _at(self._before, KIND):
            return to_plain(KINDS[kind]()).get(key.removeprefix("model."))
        table, _, knob = key.rpartition(".")
        if (technique := technique_of(table)) and not _at(self._before, table):
            return technique.model_fields[knob].default
        return _at(self._before, key)

    def put(self, key: str, value: object) -> None:
        """Set the value at a dotted key; None leaves it out."""
        *path, name = key.split(".")
        parent = self._table
        for part in path:
            parent = parent[part]
        if key == KIND:
            self._use_kind(parent, str(value))
        elif technique := technique_of(key):
            self._use(key, technique, parent, use=bool(value))
        elif value is None:
            parent.pop(name, None)
        else:
            parent[name] = value
        self._check()

    def _use(self, key: str, technique: type[Technique], arm: dict[str, Any], *, use: bool) -> None:
        name = key.rpartition(".")[2]
        if use:
            arm[name] = self._off.pop(key, None) or to_plain(technique())
        else:
            self._off[key] = arm.pop(name)

    def _use_kind(self, model: dict[str, Any], kind: str) -> None:
        self._off[model["kind"]] = dict(model)
        table = self._off.pop(kind, None) or to_plain(KINDS[kind]())
        model.clear()
        model.update(table)

    @property
    def edited(self) -> bool:
        """Whether anything was edited."""
        return self._table != self._before

    def _check(self) -> None:
        try:
            self.preset, self.faults = validate(self._table, ""), []
        except PresetError as error:
            self.preset, self.faults = None, error.faults


def to_plain(table: BaseModel) -> dict[str, Any]:
    """A table as plain data, without None."""
    return table.model_dump(exclude_none=True)


def as_typed(value: object) -> str:
    """A value as one would type it; empty for None."""
    if value is None:
        return ""
    if isinstance(value, Slip):
        return value.text
    if isinstance(value, str):  # quoted only if it would mean something else without quotes
        return value if value.isprintable() and toml_value(value) == value else _quoted(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return str(value)


def from_typed(text: str, *, optional: bool) -> Any:
    """The value of a typed text, as for --set; None for an empty text if the value is optional."""
    return None if optional and not text.strip() else toml_value(text)


def _quoted(text: str) -> str:
    """A TOML string with control characters as escapes."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in text) + '"'


def _at(table: dict[str, Any], key: str) -> Any:
    value: Any = table
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value is not None if technique_of(key) else value
