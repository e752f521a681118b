"""Presets on disk: find, read, override, validate, write back. Each fault becomes one line that says how to mend it."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from regtui.errors import InputError, PresetError
from regtui.files import (
    MAX_PARTS,
    MAX_PRESET,
    NotPlainError,
    NotTextError,
    TooDeepError,
    TooLargeError,
    read_plain,
    table_of_toml,
)
from regtui.files import text_of as text_in
from regtui.models import KINDS
from regtui.preset import hints
from regtui.preset.model import ARMS, Preset
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


def folders() -> list[Path]:
    """Where presets are looked for by name, in this order: ./presets, then the program's own."""
    package = Path(__file__).parents[1]
    # In a wheel the presets lie inside the package; in a checkout they lie beside it.
    own = next((f for f in (package / "presets", package.parent / "presets") if f.is_dir()), package / "presets")
    here = Path("presets")
    try:
        return [here, own] if os.path.isdir(here) and not own.samefile(here) else [own]  # noqa: PTH112, never raises
    except OSError:
        return [own]


def available() -> dict[str, Path]:
    """Every preset file by name; one in ./presets hides the program's own of the same name."""
    found: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found


def find(source: str) -> Path:
    """The file that `source` means: a path if it looks like one, else a preset's name.

    Raises:
        InputError: There is no such preset; the message names the nearest.
    """
    if source.endswith(".toml") or "/" in source or "\\" in source:
        return Path(source)
    presets = available()
    if source in presets:
        return presets[source]
    with suppress(OSError, ValueError):  # too long for a file's name
        if Path(source).exists():
            return Path(source)
    near = _nearest(source, presets) or "."
    wanted, known = one_line(repr(source), MAX_VALUE), ", ".join(sorted(presets))
    raise InputError(f"there is no preset {wanted}{near} Known are {known}")


def load(
    source: str,
    overrides: Sequence[str] = (),
    options: Mapping[str, object] | None = None,
    patience: int | None = None,
) -> Preset:
    """Read the preset that `source` names and change it before it is validated.

    Args:
        source: A preset's name or its file.
        overrides: KEY=VALUE each, with a dotted key and a TOML value.
        options: Values by dotted key; None leaves the preset's own.
        patience: Of every arm that has early stopping; of all arms, if none has. None leaves the preset's own.

    Raises:
        InputError: There is no such preset, or its file can't be read.
        PresetError: It doesn't validate; one line a fault.
    """
    path = find(source)
    table = _read(path)
    default_name = re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("-._")[:64]
    table.setdefault("name", default_name or "preset")
    named: dict[str, str] = {}
    for item in overrides:
        key, equals, value = item.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(parts) or len(parts) > MAX_PARTS:
            shown = one_line(item, MAX_VALUE)
            raise InputError(f"--set {shown}: write it as KEY=VALUE, like regularized.dropout.rate=0.3")
        named[key.strip()] = f"--set {one_line(item, MAX_VALUE)}"
        _set(table, key.strip(), toml_value(value), named[key.strip()])
    for key, chosen in (options or {}).items():
        if chosen is not None:
            named[key] = f"--{key.rpartition('.')[2]} {one_line(chosen, MAX_VALUE)}"
            _set(table, key, chosen, named[key])
    if patience is not None:
        stopping = [arm for arm in ARMS if isinstance(own := table.get(arm), dict) and "early_stopping" in own]
        for arm in stopping or ARMS:
            named[f"{arm}.early_stopping.patience"] = f"--patience {patience}"
            _set(table, f"{arm}.early_stopping.patience", patience, f"--patience {patience}")
    return validate(table, str(path), named)


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


def to_table(preset: Preset) -> dict[str, Any]:
    """The preset as plain data with every value resolved; what has no value is left out, since TOML has no null."""
    return preset.model_dump(by_alias=True, exclude_none=True)


def to_toml(preset: Preset) -> str:
    """The preset as a file that `load` reads back to an equal one."""
    import tomlkit  # 40 ms

    return tomlkit.dumps(to_table(preset))


def _read(path: Path) -> dict[str, Any]:
    shown = one_line(path, MAX_PATH)
    try:
        text = text_in(read_plain(path, MAX_PRESET))
    except FileNotFoundError:
        raise InputError(
            f"{shown}: there is no such file; 'regtui presets list' shows the presets that come along"
        ) from None
    except IsADirectoryError:
        raise InputError(f"{shown}: this is a folder; name the preset file in it") from None
    except NotPlainError:
        raise InputError(f"{shown}: this is not a regular file; save the preset to a file first") from None
    except TooLargeError:
        raise InputError(f"{shown}: this file has more than {MAX_PRESET:,} bytes; a preset has about 1,000") from None
    except OSError as error:
        raise InputError(f"{shown}: can't be read ({error.strerror}); check its permissions") from None
    except NotTextError as error:
        raise InputError(f"{shown}: {error}") from None
    table = _parse(text, shown)
    if table in ({}, {"schema": 1}):
        raise PresetError(f"{shown}: the file is empty; 'regtui presets show dropout' prints one to begin with")
    return table


def _parse(text: str, shown: str) -> dict[str, Any]:
    """The table that a file's text means; `shown` is the file in a fault."""
    try:
        return table_of_toml(text)
    except (TooDeepError, RecursionError):
        raise PresetError(f"{shown}: this is nested too deeply; a preset has tables of two levels") from None
    except tomllib.TOMLDecodeError as error:
        hint = hints.of_toml(text, error) or f"this is not TOML: {one_line(error, 200)}"
        raise PresetError(f"{shown}: {hint}") from None
    except ValueError:  # of int, which reads no number of more than 4300 digits
        raise PresetError(f"{shown}: a number in it has too many digits to be one of a preset's") from None


def _set(table: dict[str, Any], key: str, value: object, option: str) -> None:
    """Set a dotted key, as `option` asks, making the tables on its way."""
    *path, last = key.split(".")
    for part in path:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            at = f"{one_line(key, MAX_VALUE)}: {one_line(part, MAX_VALUE)}"
            raise InputError(f"{option}: {at} is a value in this preset, not a table")
    table[last] = value


def toml_value(text: str) -> Any:
    """What `text` means in TOML; a text where it means nothing, so that one needs no quotes within the shell's."""
    try:
        table = table_of_toml(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return table["value"] if len(table) == 1 else text


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
        near = _nearest(fault["input"], _choices(fault))
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
    near = _nearest(last, known)
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
    return f"model.kind: must be {expected}, not {one_line(repr(kind), MAX_VALUE)}{_nearest(kind, KINDS)}"


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


def _nearest(name: object, known: Iterable[str]) -> str:
    known = list(known)
    match = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0.5)
    return f"; did you mean {match[0]!r}?" if match else ""
