"""What is wrong with a preset, as it goes from whoever finds it to the line that says it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from regtui.errors import InputError
from regtui.text import lines, one_line

MAX_VALUE = 80
"""So much of a key or a value is shown."""


class Fault(NamedTuple):
    """Something wrong with a preset.

    Attributes:
        key: The dotted key of the value; empty where the preset as a whole is meant.
        words: What is wrong with it, and what to do: 'must be at least 1, not 0'.
        origin: Where the value comes from, a file or an option; empty where that goes without saying.
    """

    key: str
    words: str
    origin: str = ""

    def __str__(self) -> str:
        """In one line: 'file: key: words', without what is empty."""
        return ": ".join(filter(None, (self.origin, one_line(self.key, MAX_VALUE), self.words)))

    @property
    def line(self) -> str:
        """The same where its origin goes without saying: 'key: words'."""
        return str(self._replace(origin=""))


class PresetError(InputError):
    """A preset that can't be used; the message has one line a fault.

    Who raises it sees to it that no line of it comes from what is quoted in it.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(map(str, self.faults)))

    @staticmethod
    def _shown(message: str) -> str:
        return lines(message)


class ContradictionError(ValueError):
    """Values of a preset that are fine one by one and not together; on its way through pydantic."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(map(str, self.faults)))
