"""Keeps two processes from training one run or study: whoever trains a run holds a lock on its folder.

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


def open_locked(folder: Path, tries: int = _TRIES, *, exclusive: bool = True) -> tuple[int, bool]:
    """Open a folder and lock it; returns the descriptor, which holds the lock, and whether there is one.

    Args:
        folder: The folder.
        tries: As for `lock`.
        exclusive: As for `lock`.

    Raises:
        LockedError: Another process holds it.
        OSError: The folder can't be opened.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        return handle, lock(handle, tries, exclusive=exclusive)
    except BaseException:
        os.close(handle)
        raise


def is_locked(folder: Path) -> bool:
    """Whether another process holds the lock of a folder."""
    try:
        handle, _ = open_locked(folder, tries=1, exclusive=False)
    except LockedError:
        return True
    except OSError:
        return False
    os.close(handle)
    return False


def lock(handle: int, tries: int = _TRIES, *, exclusive: bool = True) -> bool:
    """Lock an open file or folder until it is closed; returns whether there is a lock.

    Args:
        handle: Its descriptor; on network shares an exclusive lock takes one that may be written.
        tries: How often the lock is tried: whoever only looks has it for a moment.
        exclusive: Whether nobody else may have one; those that only look share theirs.

    Raises:
        LockedError: Another process holds it.
    """
    if sys.platform == "win32":
        return False
    import fcntl

    how = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    for tried in range(tries):
        time.sleep(_PAUSE if tried else 0)
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _BY_ANOTHER:
                return False  # EBADF, ENOLCK, EOPNOTSUPP: of shares without such locks
        else:
            return True
    raise LockedError(errno.EWOULDBLOCK, "another process holds the lock")
