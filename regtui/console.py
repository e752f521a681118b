"""Printing: data goes to stdout, messages to stderr; a character that the output can't encode is replaced."""

from __future__ import annotations

import codecs
import errno
import os
import re
import select
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import Any, TextIO, cast

from regtui.errors import RegtuiError
from regtui.plain import IN_SENTENCES
from regtui.text import is_shown

NARROWEST = 40
"""Tables are laid out for at least so many columns."""
PROSE = 80
"""Sentences are wrapped at this many columns, or earlier in a narrow terminal."""

_FALL_BACK = "regtui-ascii"
"""The name under which our handler of encoding errors is registered with Python."""


def _ascii_forms(error: UnicodeError) -> tuple[str, int]:
    """ASCII with the same meaning for what can't be encoded; a question mark where there is none."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    forms = []
    for character in error.object[error.start : error.end]:
        form = character.translate(IN_SENTENCES)
        if not form.isascii():
            form = " " if character.isspace() else "?"
        forms.append(form)
    return "".join(forms), error.end


codecs.register_error(_FALL_BACK, _ascii_forms)

_OBEYED_PERHAPS = re.compile(r"[^\n -~]")


def say(text: str = "", *, file: TextIO | None = None) -> None:
    """Write a line to stdout, at once; characters that its encoding lacks are replaced by ASCII that means the same.

    Characters that would steer the terminal or are not seen become escapes, which TOML reads back as what they were.

    Raises:
        BrokenPipeError: The reading end of the pipe, or the terminal, was closed.
        RegtuiError: The output can't be written, for example because a disk is full. In both cases everything that is
            said later is dropped.
    """
    out = sys.stdout if file is None else file
    text = _OBEYED_PERHAPS.sub(_escape, text)
    encoding = out.encoding or "utf-8"
    text = text.encode(encoding, _FALL_BACK).decode(encoding)
    try:
        out.write(text + "\n")
        out.flush()
    except OSError as error:
        gone = _has_gone(out, error)
        _mute(out)
        if gone:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None  # typer asks for the number
        raise RegtuiError(f"the output can't be written ({error.strerror}); send it somewhere else") from None


def _escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    return match[0] if is_shown(match[0]) else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _has_gone(out: TextIO, error: OSError) -> bool:
    """Whether writing fails since nobody can read it any more: a pipe was closed, or the terminal."""
    if isinstance(error, ConnectionError):  # that of a closed pipe is one of these
        return True
    return error.errno in (errno.EIO, errno.ENXIO) and stat.S_ISCHR(os.fstat(out.fileno()).st_mode)


def forgiving(out: TextIO) -> TextIO:
    """The same output, but what can't be written to it is dropped from then on."""
    return cast("TextIO", _Forgiving(out))


class _Forgiving:
    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        try:
            return self._out.write(text)
        except OSError:
            _mute(self._out)
            return len(text)

    def flush(self) -> None:
        try:
            self._out.flush()
        except OSError:
            _mute(self._out)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)


def drop_blocked_output() -> None:
    """Drop what is written to stdout or stderr from now on, if it takes nothing now, so that nobody waits for it.

    A thread that waits already is let go by the next signal that it receives.
    """
    for out in (sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError):
            if out is not None and not select.select([], [out], [], 0)[1]:
                _mute(out)


def complain(text: str) -> None:
    """Write a line to stderr; if that can't be written, there is nobody left to tell."""
    with suppress(BrokenPipeError, RegtuiError):
        say(text, file=sys.stderr)


@contextmanager
def unread(unsaid: list[RegtuiError]) -> Iterator[None]:
    """Say something, and go on if nobody takes it: what is said later is dropped, and nothing that is made is lost.

    Args:
        unsaid: Receives why the output can't be written, unless its reader or terminal has gone. That is said, too.
    """
    try:
        yield
    except BrokenPipeError:
        pass
    except RegtuiError as error:
        complain(f"regtui: {error}")
        unsaid.append(error)


def has_glyphs(out: TextIO) -> bool:
    """Whether an output can carry what charts and lists are drawn with."""
    try:
        "│●◆▀⠿−✓…".encode(out.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def can_draw(out: TextIO) -> bool:
    """Whether an output is a terminal that understands control sequences; an unknown one counts as dumb."""
    return out.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def room() -> int:
    """Columns for a table on stdout: the terminal's width, or 100 if stdout is not a terminal."""
    return max(NARROWEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else 100


def fall_back_to_ascii() -> None:
    """Make stdout and stderr write ASCII for characters they can't encode, also for what rich and typer print."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_FALL_BACK)


def open_closed_streams() -> None:
    """Connect stdin, stdout and stderr to the null device where they are closed.

    Otherwise the next file to be opened, such as a log, would get their file descriptor and receive their output.
    """
    for name in ("stdin", "stdout", "stderr"):  # in this order, because a new file gets the smallest free descriptor
        if getattr(sys, name) is None:
            stream = open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8")  # noqa: PTH123, SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def _mute(out: TextIO) -> None:
    """Discard what `out` has buffered and all that follows; else Python would fail when it flushes `out` at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, out.fileno())
    os.close(null)
