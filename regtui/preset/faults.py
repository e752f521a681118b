"""Faults of a preset, as objects from where they are found to the line that reports them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from regtui.errors import InputError
from regtui.text import lines, one_line

MAX_VALUE = 80
"""Longest part of a key or a value that is shown."""


class Fault(NamedTuple):
    """Something wrong with a preset.

    Attributes:
        key: The dotted key of the value; empty for the preset as a whole.
        words: What is wrong with it, and what to do: 'must be at least 1, not 0'.
        origin: The file or option the value comes from; empty if that is obvious.
    """

    key: str
    words: str
    origin: str = ""

    def __str__(self) -> str:
        """One line: 'file: key: words', without empty parts."""
        return ": ".join(filter(None, (self.origin, one_line(self.key, MAX_VALUE), self.words)))

    @property
    def line(self) -> str:
        """The line without the origin: 'key: words'."""
        return str(self._replace(origin=""))


class PresetError(InputError):
    """A preset that can't be used; the message has a line for each fault.

    Whoever raises it makes sure that quoted text adds no lines of its own.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(map(str, self.faults)))

    @staticmethod
    def _shown(message: str) -> str:
        return lines(message)


class ContradictionError(ValueError):
    """Values that are valid one by one but not together; carries the faults through pydantic."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(map(str, self.faults)))
