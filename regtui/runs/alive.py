"""Whether a run without a summary goes on: its process lives on this host, and has written not long ago."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

SILENT_AFTER = 3600.0
"""A run whose files nobody has written to for so many seconds is taken for interrupted, even if its process lives: an
epoch of a large network may take many minutes, yet numbers of processes are given anew."""


def goes_on(folder: Path, circumstances: dict[str, Any]) -> bool:
    """Whether the run in `folder` goes on, given what its run.json says of host and process."""
    return _is_alive(circumstances) and _silence(folder) < SILENT_AFTER


def _is_alive(circumstances: dict[str, Any]) -> bool:
    """Whether the process that wrote a run is on this host and lives."""
    pid = circumstances.get("pid")
    if circumstances.get("host") != platform.node() or type(pid) is not int or not 0 < pid < 2**31:
        return False
    if sys.platform == "win32":
        return True  # os.kill would end the process there; its silence has to tell
    try:
        os.kill(pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended and keeps its number only because its parent has not asked how; told by Linux."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()  # "pid (name) state …", and a name may hold brackets and blanks
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[:1] == [b"Z"]


def _silence(folder: Path) -> float:
    """Seconds since the newest of a run's files was written."""
    written = [0.0]
    for name in ("events.jsonl", "run.json"):
        try:
            written.append((folder / name).stat().st_mtime)
        except OSError:
            continue
    return time.time() - max(written)
