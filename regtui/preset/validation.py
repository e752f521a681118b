"""A preset from plain data; each fault that pydantic finds becomes one line that says how to mend it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from regtui.errors import PresetError
from regtui.models import KINDS
from regtui.preset import hints
from regtui.preset.model import Preset
from regtui.text import one_line

MAX_FAULTS = 20
"""So many faults of a preset are told; to look for the names meant by thousands would take seconds."""
MAX_PATH = 1000
"""So much of a path is shown."""
MAX_VALUE = 80
"""So much of a key or a value is."""

_SENTENCES = {
    "bool_type": "must be true or false",
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
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have at most {max_length} entries",
}


def validate(table: Mapping[str, Any], origin: str, named: Mapping[str, str] | None = None) -> Preset:
    """A preset from plain data.

    Args:
        table: The preset's tables.
        origin: Where they come from, a file's name; it begins each line of the error.
        named: Where the values of some keys come from instead.

    Raises:
        PresetError: One line a fault: origin, dotted key, what is wrong, the nearest known name.
    """
    try:
        return Preset.model_validate(table)
    except ValidationError as error:
        origin, named = one_line(origin, MAX_PATH), named or {}
        faults = error.errors(include_url=False)
        lines = []
        for fault in faults[:MAX_FAULTS]:
            for line in _describe(fault).splitlines():
                # A fault across tables has its key in its words.
                key = ".".join(map(str, _location(fault))) or line.partition(":")[0]
                lines.append(f"{_origin(key, origin, named)}: {line}")
        if len(faults) > MAX_FAULTS:
            lines.append(f"{origin}: and {len(faults) - MAX_FAULTS:,} more faults; mend these first")
        raise PresetError("\n".join(lines)) from None


def _describe(fault: Mapping[str, Any]) -> str:
    """One fault of pydantic's in a sentence."""
    location, kind = _location(fault), fault["type"]
    if not location:  # a fault across tables brings its own keys
        return str(fault["ctx"]["error"]) if "error" in fault.get("ctx", {}) else "must be a table"
    if kind.startswith("union_tag"):
        return _no_model(fault["input"])
    key = one_line(".".join(str(part) for part in location), MAX_VALUE)
    if kind == "extra_forbidden":
        return f"{key}: {_SENTENCES[kind]}{_known_instead(fault['loc'])}"
    if location[-1] == "device" and kind == "string_pattern_mismatch":
        sentence = "must be auto, cpu, cuda, cuda:N or mps"
    elif kind == "string_pattern_mismatch":
        sentence = "must have only small letters, digits, '.', '_' and '-', at most 64"
    else:
        context = {name: _number(value) for name, value in fault.get("ctx", {}).items()}
        sentence = _SENTENCES.get(kind, fault["msg"]).format_map(context)
    if kind == "literal_error":
        near = nearest(fault["input"], _choices(fault))
    else:
        near = hints.of_value(
            kind, fault["input"], key, _first_knob(location) if kind == "model_type" and len(location) == 2 else ""
        )
    given = repr(fault["input"]) if not isinstance(fault["input"], bool) else str(fault["input"]).lower()
    return f"{key}: {sentence}, not {one_line(given, MAX_VALUE)}{near}"


def _location(fault: Mapping[str, Any]) -> tuple[str | int, ...]:
    """Where a fault of pydantic's is, as a key says it: without the kind, which its location of a model names too."""
    table, *rest = fault["loc"] or ("",)
    return (table, *rest[1:]) if table == "model" else tuple(fault["loc"])


def _known_instead(location: Sequence[str | int]) -> str:
    """What an unknown key may have been meant to be: the nearest, a knob of another kind of model, or all that are."""
    *table, last = location
    known = _fields_at(table)
    near = nearest(last, known)
    if near or table[:1] != ["model"]:
        return near or f"; known are {', '.join(known)}"
    others = [knob for kind in KINDS.values() for knob in kind.model_fields if knob not in known]
    meant = next(iter(difflib.get_close_matches(str(last), others, n=1, cutoff=0.7)), "")
    kinds = " and ".join(name for name, kind in KINDS.items() if meant in kind.model_fields)
    return f"; {table[1]} has {', '.join(known)}" + (f"; {meant} is of {kinds}" if meant else "")


def _no_model(model: object) -> str:
    """What is wrong with a `[model]` of which no kind is known."""
    if not isinstance(model, Mapping):
        hint = hints.of_value("model_type", model, "model", "")
        return f"model: must be a table, not {one_line(repr(model), MAX_VALUE)}{hint}"
    kind = model["kind"]
    expected = " or ".join(", ".join(map(repr, KINDS)).rsplit(", ", 1))
    return f"model.kind: must be {expected}, not {one_line(repr(kind), MAX_VALUE)}{nearest(kind, KINDS)}"


def _origin(key: str, origin: str, named: Mapping[str, str]) -> str:
    """Where the value of a dotted key comes from."""
    near = (name for part, name in named.items() if f"{key}.".startswith(f"{part}.") or part.startswith(f"{key}."))
    return next(near, origin)


def _number(value: object) -> object:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else value


def _choices(fault: Mapping[str, Any]) -> list[str]:
    return re.findall(r"'([^']*)'", str(fault["ctx"]["expected"]))


def _fields_at(location: Sequence[str | int]) -> list[str]:
    """The names that the table at `location` may have."""
    return [field.alias or name for name, field in _model_at(location).model_fields.items()]


def _model_at(location: Sequence[str | int]) -> type[BaseModel]:
    model: type[BaseModel] = Preset
    if len(location) > 1 and location[0] == "model":
        return KINDS[str(location[1])]
    for part in location:
        annotation = model.model_fields[str(part)].annotation
        model = next(t for t in (annotation, *get_args(annotation)) if isinstance(t, type) and issubclass(t, BaseModel))
    return model


def _first_knob(location: Sequence[str | int]) -> str:
    """The first field of the table at `location` that is a number."""
    model = _model_at(location)
    numbers = (name for name, field in model.model_fields.items() if field.annotation in (int, float))
    return next(numbers, "")


def nearest(name: object, known: Iterable[str]) -> str:
    """The known name that was perhaps meant, to follow a sentence; empty if none is near."""
    known = list(known)
    match = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0.5)
    return f"; did you mean {match[0]!r}?" if match else ""
