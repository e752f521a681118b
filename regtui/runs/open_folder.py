"""A folder that is kept open, so that it is found again when it was renamed."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def is_at(handle: int, path: Path) -> bool:
    """Whether the open folder `handle` is the one at `path`."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def place_of(handle: int) -> Path | None:
    """The current path of an open folder; None if it was removed, or if the system does not say."""
    if sys.platform == "darwin":
        import fcntl

        path = Path(os.fsdecode(fcntl.fcntl(handle, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0")))
    else:
        try:
            path = Path(f"/proc/self/fd/{handle}").readlink()
        except OSError:
            return None
    return path if is_at(handle, path) else None
