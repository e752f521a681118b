"""Reading files of unknown content: only regular files, never blocking, with limits checked before parsing.

And writing one at once, so that no other program ever reads half of it.
"""

from __future__ import annotations

import codecs
import errno
import json
import math
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from regtui.text import DEPTH, cleaned

BUFFER = 2**18
"""Bytes read from a file at a time."""
MAX_PRESET = 200_000
"""Largest preset in bytes. A usual one has about a thousand; parsing a much larger one would take seconds."""
MAX_HEADER = 2**20
"""Largest header of a file of tensors in bytes; a network of 64 layers needs 30,000."""
MAX_PARTS = 16
"""Most parts of a dotted key in TOML; a preset's have three. tomllib's time grows with their square."""

LONGEST_PLAIN = 20_000
MOST_PLAIN = 100
"""So many tables and lists do no harm however they are nested; a summary of eight arms has fewer."""
_PLAIN = bytes({*b"\n\r", *range(0x20, 0x7F)} - {*b"\\"})
"""ASCII bytes that are printable and do not begin an escape, and ends of lines, which are in no text of one line."""
_TOML = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}'  # texts and comments first: what is in them is not nested
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'"
    r"|\#[^\n]*+"
    r"|[\[{]|[\]}]|\.|[=,\n]",
    re.DOTALL,
)
"""Matches what decides how deeply a TOML text is nested."""


def by_its_name(folder: Path) -> Path:
    """A path of a folder that ends in the folder's own name, as '.', '..' and links do not: it says which one it is."""
    try:
        return folder.resolve() if folder.name in ("", "..") or folder.is_symlink() else folder
    except OSError:  # the current folder has been deleted, or a link changes meanwhile
        return folder


def open_plain(path: Path, buffering: int = BUFFER) -> BinaryIO:
    """Open a regular file for reading. A pipe could block for ever, and a device need not end.

    Raises:
        OSError: The file can't be read, or is not a regular file.
    """
    try:
        _check(path, os.stat(path).st_mode)  # noqa: PTH116, before it is opened: that alone has effects on a device
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError:  # a null character
        raise FileNotFoundError(errno.ENOENT, "there can be no file of that name", str(path)) from None
    try:
        _check(path, os.fstat(descriptor).st_mode)  # the file may have been replaced meanwhile
        return os.fdopen(descriptor, "rb", buffering=buffering)
    except BaseException:
        os.close(descriptor)
        raise


def open_events(folder: Path, buffering: int = BUFFER) -> BinaryIO:
    """Open a run's events.jsonl to read.

    Raises:
        OSError: It can't be read, is no regular file, or is text in UTF-16.
    """
    file = open_plain(folder / "events.jsonl", buffering)
    try:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise OSError(errno.EILSEQ, "it is UTF-16 text; save it as UTF-8")
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def read_plain(path: Path, at_most: int) -> bytes:
    """The whole content of a regular file of limited size.

    Raises:
        OSError: The file can't be read, is not a regular file, or is too large.
    """
    with open_plain(path, buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1) if size <= at_most else b""  # it may grow meanwhile
    if max(size, len(content)) > at_most:
        raise TooLargeError(errno.EFBIG, f"it has more than {at_most:,} bytes", str(path))
    return content


def check_header(path: Path) -> None:
    """Check the length of a tensor file's header before safetensors parses it.

    Raises:
        OSError: The file can't be read, or is not a regular file.
        ValueError: Its header is too long.
    """
    with open_plain(path) as file:
        if int.from_bytes(file.read(8), "little") > MAX_HEADER:
            raise ValueError("no few tensors need so long a header")


def _check(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder, no regular file", str(path))
    if not stat.S_ISREG(mode):
        raise NotPlainError(errno.EINVAL, "it is no regular file", str(path))


def text_of(content: bytes) -> str:
    """Decode a file's content as UTF-8, with or without a byte order mark.

    Raises:
        NotTextError: It is not UTF-8; the message says what to do.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise NotTextError("it is UTF-16 text; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotTextError(f"byte {error.start + 1} is not UTF-8; save it as UTF-8 text") from None


def table_of_json(content: bytes) -> dict[str, Any]:
    """A table from JSON, its texts cleaned; numbers that are not finite become None.

    Raises:
        ValueError: It is no table, or nested too deeply.
    """
    try:
        table = _JSON.decode(text_of(content))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(table, dict):
        raise ValueError("it is no table")
    return table if _is_plain(content) else cleaned(table)


def clean_table_of_toml(content: bytes) -> dict[str, Any]:
    """A table from TOML, its texts cleaned.

    Raises:
        ValueError: It is none, or nested too deeply.
    """
    table = table_of_toml(text_of(content))
    return table if _is_plain(content) else cleaned(table)


def table_of_toml(text: str) -> dict[str, Any]:
    """A table from TOML, its texts as they are.

    Raises:
        tomllib.TOMLDecodeError: It is none.
        ValueError: It is nested too deeply to be looked into, or a number has too many digits.
    """
    if _is_deep(text):
        raise TooDeepError("it is nested too deeply")
    return tomllib.loads(text)


class NotPlainError(OSError):
    """A pipe, a socket or a device."""


class TooLargeError(OSError):
    """A file that is larger than what belongs there can be."""


class NotTextError(ValueError):
    """A file that is not text, or text in another encoding than UTF-8."""


def write_whole(path: Path, content: bytes | Iterable[bytes | memoryview], *, synced: bool = True) -> None:
    """Write a file at once, and sync it to disk; one that is there keeps its mode.

    Args:
        path: The file.
        content: All of it, or its parts one after another, so that not all of it need be in memory.
        synced: Whether its name is synced too. Without that a loss of power may undo the writing as a whole. Whoever
            writes several files calls `sync_folder` once after them.

    Raises:
        OSError: It can't be written; what was there is as before. If only the name could not be synced, what is there
            is either.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with draft.open("xb") as file:  # never through a link that somebody put there
            for part in (content,) if isinstance(content, bytes) else content:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            draft.chmod(path.stat().st_mode & 0o777)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    if synced:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Sync a folder to disk: what was created, renamed or removed in it stays so, even if the power is lost now.

    Raises:
        OSError: It can't be synced. Systems that sync no folders at all are no error.
    """
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network shares
            raise
    finally:
        os.close(descriptor)


class TooDeepError(ValueError):
    """Tables nested so deeply, or keys of so many parts, that parsing would take too much time or memory."""


def _is_deep(text: str) -> bool:
    brackets = text.count("[") + text.count("{")
    if brackets <= DEPTH and text.count(".") <= MAX_PARTS:
        return False  # nearly all presets
    depth = parts = 0
    for match in _TOML.finditer(text):
        token = match[0]
        if token in "[{":
            depth, parts = depth + 1, 0
        elif token in "]}":
            depth, parts = max(0, depth - 1), 0
        elif token == ".":
            parts += 1
        elif token in "=,\n":
            parts = 0
        if depth > DEPTH or parts > MAX_PARTS:
            return True
    return False


def _is_plain(content: bytes) -> bool:
    """Whether a file's texts certainly need no cleaning. This saves time: a list may read ten thousand files."""
    short = len(content) < LONGEST_PLAIN and content.count(b"{") + content.count(b"[") < MOST_PLAIN
    return short and not content.translate(None, _PLAIN) and b'"""' not in content and b"'''" not in content


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


_JSON = json.JSONDecoder(parse_constant=lambda _name: None, parse_float=_finite)
