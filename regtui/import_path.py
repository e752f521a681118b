"""Where Python may import from: never the folder that somebody happens to work in.

A `types.py` there, or one that came with somebody's presets, would be run in place of Python's own. Until the path is
clean nothing but `os` and `sys` is imported, which Python has loaded by itself.
"""

import os
import sys

import regtui


def current_folder() -> str | None:
    """The folder that relative paths begin at, without links; None if it has been deleted."""
    try:
        return os.path.realpath(os.getcwd())  # noqa: PTH109
    except OSError:
        return None


def without_current_folder(path: list[str]) -> list[str]:
    """The entries of an import path but those that mean the current folder, whatever put them there."""
    current = current_folder()
    return [entry for entry in path if entry and (current is None or os.path.realpath(entry) != current)]


def for_child() -> list[str]:
    """What a process of ours imports from: what we do, and if need be, at the end, the folder that regtui itself is in.

    Its own folder is the current one where it is run from a clone in which it is not installed.
    """
    path = without_current_folder(sys.path)
    home = os.path.dirname(os.path.dirname(os.path.abspath(regtui.__file__)))  # noqa: PTH100, PTH120
    return path if home in path else [*path, home]
