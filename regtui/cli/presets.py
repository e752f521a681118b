"""`regtui presets`: the list, the check and the schema."""

from __future__ import annotations

import json
from collections.abc import Sequence

from regtui.console import complain, say
from regtui.engine.fits import check_early
from regtui.errors import InputError
from regtui.preset.faults import PresetError
from regtui.preset.file import load
from regtui.preset.model import Preset
from regtui.preset.places import available
from regtui.text import one_line


def list_presets() -> None:
    """Print name and title of each preset; a broken one is listed with its fault."""
    presets = available()
    width = max((len(one_line(name)) for name in presets), default=0)
    for name, path in sorted(presets.items()):
        try:
            say(f"{one_line(name):<{width}}  {load(str(path)).title}")
        except PresetError as error:
            say(f"{one_line(name):<{width}}  broken: {error.faults[0]}")


def check_presets(files: Sequence[str]) -> int:
    """Print a line for each valid preset and a line for each fault of an invalid one; returns the exit code."""
    broken = False
    for file in files:
        try:
            preset = load(file)
        except InputError as error:
            complain(str(error))
            broken = True
        else:
            say("; ".join(filter(None, (f"{one_line(file)}: ok", preset.warning, _does_not_fit(preset)))))
    return InputError.exit_code if broken else 0


def _does_not_fit(preset: Preset) -> str:
    """Why a valid preset can't be run on this machine; empty if nothing is known against it."""
    try:
        check_early(preset)
    except InputError as error:
        return str(error)
    return ""


def print_schema() -> None:
    """Print the JSON Schema of a preset."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Preset.model_json_schema(by_alias=True)}
    say(json.dumps(schema, indent=2, ensure_ascii=False))
