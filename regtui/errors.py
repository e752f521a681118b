"""Errors that a person can do something about.

RegtuiError           a fault outside the user's input (a full disk, a process that died)      exit code 1
└── InputError        the user's input: a preset, an option, a device that is not there        exit code 2
    └── PresetError   a preset, with its faults: regtui/preset/faults.py

Each message is one clear sentence, or one a line: what is wrong, where, and what to do.
"""

from __future__ import annotations

import errno

from regtui.text import one_line

EXIT_CODES = {"finished": 0, "failed": 1, "diverged": 3, "stopped": 4}
"""The program's exit code, by the status of its run."""
BY_SIGNAL = 128
"""The exit code for a signal is this plus its number."""


class RegtuiError(Exception):
    """Something other than the user's input failed; the message says what to do."""

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


_REMEDIES = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there, or ask for a larger quota",
    errno.EACCES: "check the permissions of the folder",
    errno.EPERM: "check the permissions of the folder",
    errno.EROFS: "make the file system writable",
    errno.ENOENT: "the folder above it has gone",
    errno.ENOTDIR: "a file stands where a folder should be",
    errno.EEXIST: "something else stands there; move it away",
    errno.ELOOP: "links are not followed; move it away",
    errno.EISDIR: "a folder stands where the file should be; move it away",
    errno.EIO: "the disk is failing, or is no longer there",
    errno.ESTALE: "the network share has gone away",
    errno.ENODEV: "the disk is no longer there",
    errno.EMFILE: "this process has too many files open",
}


def unwritable(error: OSError) -> str:
    """Why a file can't be written, and what to do about it: 'No space left on device; make room there'."""
    cause = error.strerror or str(error) or type(error).__name__
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{cause}; {remedy}" if remedy else cause
