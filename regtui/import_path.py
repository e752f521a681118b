"""Keeps Python from importing modules from the current folder.

A `types.py` there, perhaps one that came with somebody's presets, would run in place of Python's own. Until the path is
clean only `os` is imported, which Python has already loaded by itself.
"""

import os

import regtui

_PYTHON = os.path.dirname(os.__file__)  # noqa: PTH120
_HOME = os.path.dirname(os.path.dirname(os.path.abspath(regtui.__file__)))  # noqa: PTH100, PTH120


def current_folder() -> str | None:
    """The current folder with symbolic links resolved; None if it has been deleted."""
    try:
        return os.path.realpath(os.getcwd())  # noqa: PTH109
    except OSError:
        return None


def without_current_folder(path: list[str]) -> list[str]:
    """An import path without the entries that mean the current folder, however they got there.

    An absolute entry after Python's own modules stays: it was installed and can't replace them. The folder that holds
    regtui itself stays too, but moves to the end, because the packages it needs may be installed there.
    """
    current = current_folder()
    first_installed = path.index(_PYTHON) if _PYTHON in path else len(path)
    kept = [
        entry
        for place, entry in enumerate(path)
        if (place >= first_installed and os.path.isabs(entry))  # noqa: PTH117
        or (entry and (current is None or os.path.realpath(entry) != current))
    ]
    return kept if _HOME in kept else [*kept, _HOME]
