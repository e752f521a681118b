"""Words and lines on a terminal or in a pipe: data on stdout, words on stderr, never a character it can't show."""

from __future__ import annotations

import codecs
import os
import re
import shutil
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO

from regtui.errors import RegtuiError
from regtui.plain import IN_SENTENCES
from regtui.text import is_shown

NARROWEST = 40
"""Columns that a table is made for at least."""
PROSE = 80
"""Columns of sentences at most."""

_FALL_BACK = "regtui-ascii"
"""How characters that an encoding lacks are written, by its name among Python's ways to treat such errors."""


def _ascii_forms(error: UnicodeError) -> tuple[str, int]:
    """ASCII that means the same as what can't be encoded; a question mark where there is none."""
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
        BrokenPipeError: Whoever read has gone.
        RegtuiError: It can't be written, because a disk is full. Either way, what is said later is dropped.
    """
    out = sys.stdout if file is None else file
    text = _OBEYED_PERHAPS.sub(_escape, text)
    encoding = out.encoding or "utf-8"
    text = text.encode(encoding, _FALL_BACK).decode(encoding)
    try:
        out.write(text + "\n")
        out.flush()
    except OSError as error:
        _mute(out)
        if isinstance(error, BrokenPipeError):
            raise
        raise RegtuiError(f"the output can't be written ({error.strerror}); send it somewhere else") from None


def _escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    return match[0] if is_shown(match[0]) else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def complain(text: str) -> None:
    """Write a line to stderr; if that can't be written, there is nobody left to tell."""
    with suppress(BrokenPipeError, RegtuiError):
        say(text, file=sys.stderr)


def has_glyphs(out: TextIO) -> bool:
    """Whether an output can carry what charts and lists are drawn with."""
    try:
        "│●◆▀⠿−✓…".encode(out.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def can_draw(out: TextIO) -> bool:
    """Whether an output is a terminal that obeys: one of which nothing is known is taken for a dumb one."""
    return out.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def room() -> int:
    """Columns for a table on stdout: the terminal's, and enough for any where it is none."""
    return max(NARROWEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else 100


def fall_back_to_ascii() -> None:
    """Let stdout and stderr write ASCII for what their encoding lacks, whoever writes to them: rich and typer too."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_FALL_BACK)


def open_closed_streams() -> None:
    """Let stdin, stdout and stderr lead to nowhere where they are closed.

    Otherwise the next file that is opened, a log or the pipe to a process, would take their number and their output.
    """
    for name in ("stdin", "stdout", "stderr"):  # in the order of their numbers: a file gets the smallest that is free
        if getattr(sys, name) is None:
            stream = open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8")  # noqa: PTH123, SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def _mute(out: TextIO) -> None:
    """Send to nowhere what `out` still holds and what is to come, or Python would fail on it when it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, out.fileno())
    os.close(null)
