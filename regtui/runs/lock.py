"""Keeps two processes from training one run: whoever trains holds a lock on the run's folder.

The system gives it back when the process ends, however it ends. A file system that knows no such locks, as some network
shares, does without; then `regtui.runs.alive` is all that tells.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

_BY_ANOTHER = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}
_TRIES, _PAUSE = 5, 0.05
"""How often the lock is tried, and seconds in between."""


class LockedError(OSError):
    """Another process holds the lock."""


def open_locked(folder: Path, tries: int = _TRIES) -> tuple[int, bool]:
    """Open a folder and lock it; returns the descriptor, which holds the lock, and whether there is one.

    Args:
        folder: The folder.
        tries: How often the lock is tried: whoever only looks has it for a moment.

    Raises:
        LockedError: Another process holds it.
        OSError: The folder can't be opened.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        return handle, _lock(handle, tries)
    except BaseException:
        os.close(handle)
        raise


def is_locked(folder: Path) -> bool:
    """Whether another process holds the lock of a folder."""
    try:
        handle, _ = open_locked(folder, tries=1)
    except LockedError:
        return True
    except OSError:
        return False
    os.close(handle)
    return False


def _lock(handle: int, tries: int) -> bool:
    if sys.platform == "win32":
        return False
    import fcntl

    for tried in range(tries):
        time.sleep(_PAUSE if tried else 0)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _BY_ANOTHER:
                return False  # EBADF, ENOLCK, EOPNOTSUPP: of shares without such locks
        else:
            return True
    raise LockedError(errno.EWOULDBLOCK, "another process trains this run")
