"""The circumstances of a run, run.json: by which process it is trained, where, since when, and with what."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from regtui import SCHEMA, __version__
from regtui.errors import InputError
from regtui.preset.model import Preset
from regtui.runs.alive import identity
from regtui.runs.files import read_json

CIRCUMSTANCES = "run.json"


def circumstances(preset: Preset, began: datetime, threads: int | None, *, locked: bool) -> dict[str, Any]:
    """What is trained, since when, by which process, where and with what.

    Args:
        preset: What is trained.
        began: When the run began, in UTC: the time that its folder's name tells.
        threads: Threads of each process; None where that is not known yet.
        locked: Whether the process holds a lock on the run's folder while it trains.
    """
    return {
        "schema": SCHEMA,
        "preset": preset.name,
        "seed": preset.train.seed,
        "device": preset.train.device,
        "threads": threads,
        "started": began.isoformat(timespec="seconds"),
        "command": sys.argv,
        **identity(),
        "locked": locked,
        "platform": platform.platform(),
        "versions": versions(),
    }


def resumption(threads: int, epoch: int) -> dict[str, Any]:
    """The circumstances under which a run goes on after an epoch."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "epoch": epoch,
        "command": sys.argv,
        "host": platform.node(),
        "threads": threads,
        "platform": platform.platform(),
        "versions": versions(),
    }


def read_circumstances(folder: Path) -> dict[str, Any]:
    """The circumstances that a run's folder tells; empty if they can't be read."""
    try:
        return read_json(folder / CIRCUMSTANCES)
    except (InputError, OSError):
        return {}


def versions() -> dict[str, str]:
    """The versions of what trains here."""
    return {"regtui": __version__, "python": platform.python_version(), **_versions()}


@cache
def _versions() -> dict[str, str]:
    """The versions of what trains; looking them up takes 15 ms, and a study has many runs."""
    packages = ("torch", "torchvision", "numpy", "scipy", "pydantic", "safetensors")
    return {package: metadata.version(package) for package in packages}
