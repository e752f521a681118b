"""Presets on disk: find, read, override, write back."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import Any

from regtui.errors import InputError
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
from regtui.preset import hints
from regtui.preset.faults import MAX_VALUE, Fault, PresetError
from regtui.preset.model import Preset
from regtui.preset.places import available
from regtui.preset.validation import MAX_PATH, nearest, validate
from regtui.text import one_line, quoted


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
    near = nearest(source, presets) or "."
    wanted, known = one_line(repr(source), MAX_VALUE), ", ".join(sorted(presets))
    raise InputError(f"there is no preset {wanted}{near} Known are {known}")


def load(
    source: str,
    overrides: Sequence[str] = (),
    options: Mapping[str, object] | None = None,
    patience: int | None = None,
) -> Preset:
    """Read the preset that `source` names, apply options, and validate it.

    Args:
        source: A preset's name or its file.
        overrides: KEY=VALUE each, with a dotted key and a TOML value.
        options: Values by dotted key; None keeps the preset's own.
        patience: The patience of every arm with early stopping, or of all arms if none has it. None keeps the preset's.

    Raises:
        InputError: There is no such preset, or an option can't be applied to it.
        PresetError: Its file can't be read, or it is not valid.
    """
    file = find(source)
    table = _read(file)
    default_name = re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("-._")[:64]
    table.setdefault("name", default_name or "preset")
    named: dict[str, str] = {}
    arms = _arms_beside(table)
    for item in overrides:
        key, equals, value = item.partition("=")
        path = key.strip().split(".")
        option = f"--set {one_line(item, MAX_VALUE)}"
        if not equals or not all(path) or len(path) > MAX_PARTS:
            raise InputError(f"{option}: write it as KEY=VALUE, like regularized.dropout.rate=0.3")
        _check_arm(path, arms, option)
        named[key.strip()] = option
        _set(table, path, toml_value(value), option)
    for key, chosen in (options or {}).items():
        if chosen is not None:
            named[key] = f"--{key.rpartition('.')[2]} {one_line(chosen, MAX_VALUE)}"
            _set(table, key.split("."), chosen, named[key])
    if patience is not None:
        for path in _arms_to_stop(table):
            named[".".join(path)] = f"--patience {patience}"
            _set(table, [*path, "early_stopping", "patience"], patience, f"--patience {patience}")
    return validate(table, str(file), named)


def _arms_beside(table: Mapping[str, Any]) -> list[str]:
    """The tables of the arms that a preset names beside the baseline, before it is validated."""
    arms = table.get("arms")
    named = [f"arms.{name}" for name in arms] if isinstance(arms, dict) else []
    return [*(["regularized"] if "regularized" in table else []), *named]


def _check_arm(path: Sequence[str], arms: Sequence[str], option: str) -> None:
    """See that an option means one of the arms, if there are some: a slip would make another."""
    arm = ".".join(path[:2] if path[0] == "arms" else path[:1])
    if arms and path[0] in ("arms", "regularized") and not any(f"{known}.".startswith(f"{arm}.") for known in arms):
        near = nearest(arm, arms) or f"; it has baseline, {', '.join(arms)}"
        raise InputError(f"{option}: this preset has no arm {quoted(arm, MAX_VALUE)}{near}")


def _arms_to_stop(table: Mapping[str, Any]) -> list[list[str]]:
    """The tables of the arms that have early stopping; of all arms, if none has."""
    beside = [["arms", arm.removeprefix("arms.")] if arm != "regularized" else [arm] for arm in _arms_beside(table)]
    paths = [["baseline"], *(beside or [["regularized"]])]
    tables = [(path, reduce(lambda part, name: part.get(name, {}), path, table)) for path in paths]
    stopping = [path for path, arm in tables if isinstance(arm, dict) and "early_stopping" in arm]
    return stopping or paths


def to_table(preset: Preset) -> dict[str, Any]:
    """The preset as plain data with every value resolved; None is left out, because TOML has no null."""
    table = preset.model_dump(by_alias=True, exclude_none=True)
    del table["regularized" if preset.named_arms else "arms"]
    return table


def to_toml(preset: Preset) -> str:
    """The preset as TOML, from which `load` makes an equal preset."""
    import tomlkit  # 40 ms

    return tomlkit.dumps(to_table(preset))


def _read(path: Path) -> dict[str, Any]:
    """The table in a file.

    Raises:
        PresetError: The file can't be read or is not TOML; the one fault says why.
    """
    try:
        text = text_in(read_plain(path, MAX_PRESET))
        table = table_of_toml(text)
    except FileNotFoundError:
        fault = "there is no such file; 'regtui presets list' shows the presets that come along"
    except IsADirectoryError:
        fault = "this is a folder; name the preset file in it"
    except NotPlainError:
        fault = "this is not a regular file; save the preset to a file first"
    except TooLargeError:
        fault = f"this file has more than {MAX_PRESET:,} bytes; a preset has about 1,000"
    except OSError as error:
        fault = f"can't be read ({error.strerror}); check its permissions"
    except NotTextError as error:
        fault = str(error)
    except (ValueError, RecursionError) as error:
        fault = _why_not_toml(text, error)
    else:
        if table not in ({}, {"schema": 1}):
            return table
        fault = "the file is empty; 'regtui presets show dropout' prints one to begin with"
    raise PresetError([Fault("", fault, one_line(path, MAX_PATH))])


def _why_not_toml(text: str, error: Exception) -> str:
    if isinstance(error, TooDeepError | RecursionError):
        return "this is nested too deeply; a preset has tables of three levels"
    if isinstance(error, tomllib.TOMLDecodeError):
        return hints.of_toml(text, error) or f"this is not TOML: {one_line(error, 200)}"
    # Of int, which reads no number of more than 4300 digits.
    return "a number in it has too many digits to be one of a preset's"


def _set(table: dict[str, Any], path: Sequence[str], value: object, option: str) -> None:
    """Set the value at a path, as `option` asks, creating missing tables."""
    *tables, last = path
    for part in tables:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            at = f"{one_line('.'.join(path), MAX_VALUE)}: {one_line(part, MAX_VALUE)}"
            raise InputError(f"{option}: {at} is a value in this preset, not a table")
    table[last] = value


def toml_value(text: str) -> Any:
    """The TOML value of `text`, or `text` itself if it is not TOML, so that texts need no extra quotes in a shell.

    A text that begins with a quote was meant as TOML; if it can't be read, the result is a `Slip`, never valid.
    """
    try:
        table = table_of_toml(f"value = {text}")
    except tomllib.TOMLDecodeError as error:
        return hints.of_typed(text, error) if text.lstrip().startswith(('"', "'")) else text
    except (ValueError, RecursionError):
        return text
    return table["value"] if len(table) == 1 else text
