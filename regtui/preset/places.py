"""Where presets are found by name. Imports next to nothing, so that a shell can complete names at once."""

from __future__ import annotations

import os
from pathlib import Path


def folders() -> list[Path]:
    """The folders in which presets are looked up by name, in order: ./presets, then the program's own."""
    package = Path(__file__).parents[1]
    # In a wheel the presets are inside the package, in a checkout beside it.
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
