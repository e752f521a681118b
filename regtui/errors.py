"""What can go wrong in a way that a person can mend.

RegtuiError           a fault outside the user's input (a full disk, a process that died)      exit code 1
└── InputError        the user's input: a preset, an option, a device that is not there        exit code 2
    └── PresetError   a preset with one fault a line

Each message is one clear sentence, or one a line: what is wrong, where, and what to do.
"""

from __future__ import annotations

from regtui.text import lines, one_line

EXIT_CODES = {"finished": 0, "failed": 1, "diverged": 3, "stopped": 4}
"""What the program ends with, by the status of its run."""


class RegtuiError(Exception):
    """Something failed that is not the user's input; the message says what to do."""

    exit_code = 1

    def __init__(self, message: object, *more: object) -> None:
        """Take the message, in which texts of unknown origin may be quoted: it becomes one line that does no harm."""
        super().__init__(self._shown(str(message)), *more)

    @staticmethod
    def _shown(message: str) -> str:
        return one_line(message)


class InputError(RegtuiError):
    """What the user gave cannot be used; the message names it and says what would do."""

    exit_code = 2


class PresetError(InputError):
    """A preset that does not validate; the message has one line a fault: file, dotted key, what is wrong.

    Who raises it sees to it that no line of it comes from what is quoted in it.
    """

    @staticmethod
    def _shown(message: str) -> str:
        return lines(message)
