"""The folder of a run that is watched, found again when it was renamed."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from regtui.runs.open_folder import is_at, place_of


class HeldFolder:
    """A run's folder, which is kept open, so that it is found after a rename."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None
        self._lock = threading.Lock()
        self.hold(path)

    @property
    def path(self) -> Path:
        """What it is called now."""
        with self._lock:
            if self._handle is not None and not is_at(self._handle, self._path):
                return place_of(self._handle) or self._path  # one that was removed is made anew at its old place
            return self._path

    def hold(self, path: Path) -> None:
        """Keep the folder at this path instead, if there is one; in a container it may be called otherwise."""
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
            self.let_go()
            with self._lock:
                self._path, self._handle = path, handle

    def let_go(self) -> None:
        """Close it; it is not followed any more."""
        self._path = self.path
        with self._lock:
            handle, self._handle = self._handle, None
            if handle is not None:
                os.close(handle)
