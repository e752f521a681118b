"""Frees the memory of closed screens, some megabytes each, when the user does not type."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

from textual._styles_cache import StylesCache

QUIET = 1.0
"""Seconds without a key after which the user counts as not typing."""
MANY = 8
"""After so many closed screens garbage is collected even while the user types."""


class ClosedScreens:
    """Counts closed screens, and collects them; in the screen's thread, since that takes 50 ms with many saved runs."""

    def __init__(self, later: Callable[[float, Callable[[], None]], object]) -> None:
        """Begin without any; `later` calls a function after so many seconds."""
        self._later = later
        self._number = 0
        self._typed_at = 0.0

    def user_typed(self) -> None:
        """Put the collection off, which would delay the next key."""
        self._typed_at = time.monotonic()

    def add(self) -> None:
        """Take note of a screen that was closed."""
        self._number += 1
        if self._number >= MANY:
            self._collect()
        elif self._number == 1:
            self._later(QUIET, self._collect_if_quiet)

    def _collect_if_quiet(self) -> None:
        if time.monotonic() < self._typed_at + QUIET:
            self._later(QUIET, self._collect_if_quiet)
        elif self._number:
            self._collect()

    def _collect(self) -> None:
        self._number = 0
        StylesCache.get_inner_outer.cache_clear()  # otherwise the cache keeps the drawn rows of the last 1,024 widgets
        gc.collect()
