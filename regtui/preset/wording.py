"""How a preset is named on the command line, so that a command can be typed that trains it again, changed or not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from regtui.errors import InputError
from regtui.preset.file import load, to_table
from regtui.preset.model import Preset
from regtui.preset.places import available
from regtui.text import one_line

MOST_CHANGES = 4
"""With more changed settings than these the run's own file is named."""
_TEXTS = frozenset({"name", "title", "summary", "train.device"})
"""What makes no other experiment."""


class Wording(NamedTuple):
    """A preset in words of a command line; without any where it can't be named.

    Attributes:
        words: Its name or file, and `--set` for what differs, without its seed.
        seed: The option for its seed, where that differs.
    """

    words: tuple[str, ...] = ()
    seed: tuple[str, ...] = ()


def wording(preset: Preset, file: Path) -> Wording:
    """A preset's name and the settings that differ from the preset of that name, or else a file that holds it.

    Args:
        preset: What is to be trained.
        file: Where it is saved.
    """
    changes = _changes(preset)
    if changes is None or len(changes) > MOST_CHANGES:
        return Wording((str(file),)) if one_line(file) == str(file) else Wording()  # what can't be typed as it is shown
    seed = changes.pop("train.seed", None)
    options = (("--set", f"{key}={json.dumps(value)}") for key, value in changes.items())
    return Wording(
        (preset.name, *(word for option in options for word in option)),
        () if seed is None else ("--seed", str(seed)),
    )


def _changes(preset: Preset) -> dict[str, Any] | None:
    """The settings that differ from the preset of that name; None if there is none, or `--set` can't make them."""
    if preset.name not in available():
        return None
    try:
        known = dict(_leaves(to_table(load(preset.name))))
    except InputError:
        return None
    own = dict(_leaves(to_table(preset)))
    settable = all(isinstance(value, bool | int | float | str) for key, value in own.items() if known.get(key) != value)
    if known.keys() - own.keys() - _TEXTS or not settable:
        return None
    return {key: value for key, value in own.items() if known.get(key) != value and key not in _TEXTS}


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All values by dotted key; a table without values is one, since an arm may be only its header."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
