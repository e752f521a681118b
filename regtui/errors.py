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
    errno.ENFILE: "this machine has too many files open",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.ENAMETOOLONG: "take a shorter path",
    errno.ENOTCONN: "the network share has gone away",
    errno.EHOSTDOWN: "the network share has gone away",
    errno.ETIMEDOUT: "the network share does not answer",
}


_NO_MEMORY = ("Cannot allocate memory", "failed to map segment", "can't allocate memory")
"""What the C library, its loader and torch say of too little memory, in errors of any kind."""


def exhausted(error: BaseException) -> str:
    """What the system does not have enough of, and what to do, in words; empty if that is not what failed."""
    number, words = error.errno if isinstance(error, OSError) else None, str(error)
    if isinstance(error, MemoryError) or number == errno.ENOMEM or any(part in words for part in _NO_MEMORY):
        return "there is too little memory; end other programs, or raise the limit (ulimit -v, the control group)"
    if number in {errno.EMFILE, errno.ENFILE}:
        return "too many files are open; end other programs, or raise the limit (ulimit -n)"
    if number == errno.EAGAIN or "can't start new thread" in words:
        return "too many processes or threads are running; end other programs, or raise the limit (ulimit -u)"
    return ""


def unforeseen(error: BaseException) -> RegtuiError:
    """The error for a person, of one that nobody expected: a sentence, or the name of a defect."""
    return RegtuiError(exhausted(error) or f"unforeseen {type(error).__name__}: {error}")


def unwritable(error: OSError) -> str:
    """Why a file can't be written, and what to do about it: 'No space left on device; make room there'."""
    cause = error.strerror or str(error) or type(error).__name__
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{cause}; {remedy}" if remedy else cause
