"""Makes a preset from plain data; each error found by pydantic becomes a fault that says how to fix it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from regtui.models import KINDS
from regtui.preset import hints
from regtui.preset.arms import LONGEST_ARM, MOST_ARMS
from regtui.preset.faults import MAX_VALUE, ContradictionError, Fault, PresetError
from regtui.preset.model import Preset
from regtui.techniques import REGISTRY, Techniques
from regtui.techniques.base import Technique
from regtui.text import one_line

MAX_FAULTS = 20
"""The most faults reported for a preset; finding suggestions for thousands would take seconds."""
MAX_PATH = 1000
"""Longest part of a path that is shown."""

SENTENCES = {
    "bool_type": "must be true or false",
    "dict_type": "must be a table",
    "extra_forbidden": "is not known here",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "model_type": "must be a table",
    "string_type": "must be a text in quotes",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have at most {max_length} entries",
}
"""What a value must be, by the kind of pydantic's error; to be followed by ', not ...'."""


def validate(table: Mapping[str, Any], origin: str, named: Mapping[str, str] | None = None) -> Preset:
    """A preset from plain data.

    Args:
        table: The preset's tables.
        origin: The file they come from, for the faults.
        named: Other origins, of the values of some keys.

    Raises:
        PresetError: It is not valid.
    """
    try:
        return Preset.model_validate(table)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
        contradiction = mistakes[0].get("ctx", {}).get("error")
        if together := isinstance(contradiction, ContradictionError):
            count, faults = len(contradiction.faults), contradiction.faults[:MAX_FAULTS]
        else:
            count, faults = len(mistakes), [_described(mistake) for mistake in mistakes[:MAX_FAULTS]]
        origin, named = one_line(origin, MAX_PATH), named or {}
        # Values that contradict each other may come from here and from there.
        elsewhere = f"{origin}, with {one_line(', '.join(named.values()), MAX_PATH)}" if together and named else origin
        faults = [fault._replace(origin=_origin(fault.key, elsewhere, named)) for fault in faults]
        if count > MAX_FAULTS:
            faults.append(Fault("", f"and {count - MAX_FAULTS:,} more faults; correct these first", origin))
        raise PresetError(faults) from None


def _described(mistake: Mapping[str, Any]) -> Fault:
    """The fault for an error found by pydantic."""
    location = _location(mistake)
    key = ".".join(map(str, location))
    if mistake["loc"][-1] == "[key]":
        letters = f"letters from a to z, digits, '-' and '_', at most {LONGEST_ARM}, beginning with a letter or a digit"
        return Fault(key, f"must be named with {letters}, not {one_line(repr(mistake['input']), MAX_VALUE)}")
    if location == ("arms",) and mistake["type"] == "too_long":
        return Fault(key, f"{len(mistake['input'])} are named, and at most {MOST_ARMS} fit beside the baseline")
    return Fault(key, _words(mistake, location, one_line(key, MAX_VALUE)))


def _words(mistake: Mapping[str, Any], location: tuple[str | int, ...], key: str) -> str:
    """What is wrong at a location, whose key is shown as `key`."""
    kind, given = mistake["type"], mistake["input"]
    if kind == "extra_forbidden":
        return f"{SENTENCES[kind]}{_known_instead(mistake['loc'])}"
    if isinstance(given, hints.Slip):
        return given.words
    if kind.startswith("union_tag"):
        return _no_model(given)
    if location[-1] == "device" and kind == "string_pattern_mismatch":
        sentence = "must be auto, cpu, cuda, cuda:N or mps"
    elif kind == "string_pattern_mismatch":
        sentence = "must have only small letters, digits, '.', '_' and '-', at most 64"
    else:
        context = {name: _number(value) for name, value in mistake.get("ctx", {}).items()}
        sentence = SENTENCES.get(kind, mistake["msg"]).format_map(context)
    if kind == "literal_error":
        near = nearest(given, _choices(mistake))
    elif kind in ("model_type", "dict_type"):
        near = hints.of_table(given, key if location != ("arms",) else "arms.NAME.dropout", _first_knob(location))
    else:
        near = hints.of_value(kind, given)
    shown = repr(given) if not isinstance(given, bool) else str(given).lower()
    return f"{sentence}, not {one_line(shown, MAX_VALUE)}{near}"


def _location(mistake: Mapping[str, Any]) -> tuple[str | int, ...]:
    """The keys of an error's location, without the kind that pydantic adds for a model.

    If the model's kind is unknown, the location is that of the kind.
    """
    table, *rest = mistake["loc"]
    if table == "model" and mistake["type"].startswith("union_tag") and isinstance(mistake["input"], Mapping):
        return ("model", "kind")
    if rest[-1:] == ["[key]"]:
        rest.pop()
    return (table, *rest[1:]) if table == "model" else (table, *rest)


def _known_instead(location: Sequence[str | int]) -> str:
    """Words on what an unknown key may mean: the nearest key, one known elsewhere, or all known keys."""
    *table, last = location
    known = _fields_at(table)
    if not table and last in REGISTRY:
        return f"; a technique belongs to an arm: write [regularized.{last}]"
    if _model_at(table) is Techniques and (of := [name for name, one in REGISTRY.items() if last in one.model_fields]):
        return f"; it is a knob of {', '.join(of)}: write {'.'.join(map(str, (*table, of[0], last)))}"
    near = nearest(last, known)
    if near or table[:1] != ["model"]:
        return near or f"; known are {', '.join(known)}"
    others = [knob for kind in KINDS.values() for knob in kind.model_fields if knob not in known]
    meant = next(iter(difflib.get_close_matches(str(last), others, n=1, cutoff=0.7)), "")
    kinds = " and ".join(name for name, kind in KINDS.items() if meant in kind.model_fields)
    return f"; {table[1]} has {', '.join(known)}" + (f"; {meant} is of {kinds}" if meant else "")


def _no_model(model: object) -> str:
    """What is wrong with a `[model]` without a known kind."""
    if not isinstance(model, Mapping):
        return f"must be a table, not {one_line(repr(model), MAX_VALUE)}{hints.of_table(model, 'model')}"
    kind = model["kind"]
    if isinstance(kind, hints.Slip):
        return kind.words
    expected = " or ".join(", ".join(map(repr, KINDS)).rsplit(", ", 1))
    return f"must be {expected}, not {one_line(repr(kind), MAX_VALUE)}{nearest(kind, KINDS)}"


def _origin(key: str, origin: str, named: Mapping[str, str]) -> str:
    """The origin of the value at a dotted key."""
    near = (name for part, name in named.items() if f"{key}.".startswith(f"{part}.") or part.startswith(f"{key}."))
    return next(near, origin)


def _number(value: object) -> object:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else value


def _choices(mistake: Mapping[str, Any]) -> list[str]:
    return re.findall(r"'([^']*)'", str(mistake["ctx"]["expected"]))


def _fields_at(location: Sequence[str | int]) -> list[str]:
    """The names of the fields in the table at `location`."""
    return [field.alias or name for name, field in _model_at(location).model_fields.items()]


def _model_at(location: Sequence[str | int]) -> type[BaseModel]:
    model: type[BaseModel] = Preset
    if len(location) > 1 and location[0] == "model":
        return KINDS[str(location[1])]
    if len(location) > 1 and location[0] == "arms":
        location = ("regularized", *location[2:])
    for part in location:
        annotation = model.model_fields[str(part)].annotation
        model = next(t for t in (annotation, *get_args(annotation)) if isinstance(t, type) and issubclass(t, BaseModel))
    return model


def _first_knob(location: Sequence[str | int]) -> str:
    """The first numeric field of the technique whose table is at `location`; empty if there is none."""
    model = _model_at(location) if len(location) > 1 else Preset
    if not issubclass(model, Technique):
        return ""
    return next((name for name, field in model.model_fields.items() if field.annotation in (int, float)), "")


def nearest(name: object, known: Iterable[str]) -> str:
    """A suggestion of the nearest known name, to follow a sentence; empty if none is near."""
    known = list(known)
    match = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0.5)
    return f"; did you mean {match[0]!r}?" if match else ""
