"""Where Python may import from: never the folder that somebody happens to work in.

A `types.py` there, or one that came with somebody's presets, would be run in place of Python's own. Until the path is
clean nothing but `os` is imported, which Python has loaded by itself.
"""

import os

import regtui

_PYTHON = os.path.dirname(os.__file__)  # noqa: PTH120
_HOME = os.path.dirname(os.path.dirname(os.path.abspath(regtui.__file__)))  # noqa: PTH100, PTH120


def current_folder() -> str | None:
    """The folder that relative paths begin at, without links; None if it has been deleted."""
    try:
        return os.path.realpath(os.getcwd())  # noqa: PTH109
    except OSError:
        return None


def without_current_folder(path: list[str]) -> list[str]:
    """The entries of an import path but those that mean the current folder, whatever put them there.

    An absolute one behind Python's own modules stays: it was installed, and can't take their place. So does, at the
    end, the folder that regtui itself is in, beside which its packages may lie.
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
