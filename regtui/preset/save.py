"""Saves a preset under a name by editing the file it came from, so that comments and layout are kept."""

from __future__ import annotations

import tomllib
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from regtui.errors import InputError
from regtui.files import MAX_PRESET, read_plain, table_of_toml, text_of, write_whole
from regtui.preset.file import load, to_table, to_toml
from regtui.preset.model import Preset
from regtui.preset.validation import validate


def save_as(preset: Preset, name: str, folder: Path = Path("presets"), *, original: Path | None) -> Path:
    """Write `preset` to `folder`/`name`.toml atomically; a file of that name is replaced.

    Args:
        preset: What to save.
        name: Its new name.
        folder: The folder to save in; created if it doesn't exist.
        original: The file that the preset was made from, whose comments and layout are kept; None if there is none.

    Returns:
        The file, from which an equal preset is loaded, apart from its name.

    Raises:
        InputError: The name is not allowed, or the folder can't be written.
    """
    named = validate({**to_table(preset), "name": name}, "the new preset")
    path = folder / f"{name}.toml"
    content = _content(named, original).encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise InputError(f"{path}: can't be written ({error.strerror}); check the folder's permissions") from None
    return path


def _content(preset: Preset, original: Path | None) -> str:
    """The file's text: the original with the differences applied, or new text if the original can't be used."""
    import tomlkit  # 40 ms

    if original is not None:
        # The original may have vanished or changed since it was loaded.
        with suppress(OSError, ValueError, InputError):
            text = text_of(read_plain(original, MAX_PRESET))
            table_of_toml(text)  # what is nested deeply would take tomlkit minutes
            document = tomlkit.parse(text)
            _change(document, to_table(load(str(original))), to_table(preset))
            text = tomlkit.dumps(document)
            if to_table(validate({"name": preset.name, **tomllib.loads(text)}, preset.name)) == to_table(preset):
                return text
    return to_toml(preset)


def _change(document: MutableMapping[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    """Change `document` from the values `before` to `after`, leaving equal values as they are written."""
    import tomlkit

    for key in before:
        if key not in after:
            del document[key]
    for key, value in after.items():
        old = before.get(key)
        if value == old:
            continue
        if isinstance(value, dict) and isinstance(old, dict):
            if key not in document:  # the whole table was removed
                document[key] = tomlkit.table()
            _change(document[key], old, value)
            if not value and key not in Preset.model_fields:
                document[key] = tomlkit.table()  # an arm, which is only there with its header
        else:
            document[key] = value
