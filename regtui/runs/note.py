"""A user's note on a run and its tags: note.toml, beside the run's log and never in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from regtui.errors import InputError
from regtui.files import write_whole
from regtui.runs.files import LONGEST, read_toml
from regtui.text import one_line, quoted

NAME = "note.toml"
"""The file's name."""
MAX_NOTE = LONGEST["note"]
"""The most characters of a note."""
MAX_TAGS = 20
"""The most tags of a run."""
_TAG = re.compile(r"[^\s,<>=!~\"']{1,30}")
"""A tag can stand in a filter."""


@dataclass(frozen=True)
class Note:
    """What a user wrote of a run.

    Attributes:
        text: One line; empty if there is none.
        tags: Words, each once, in the order in which they were given.
    """

    text: str = ""
    tags: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """Tags and text in one line: '#good #slow: to be run again'."""
        return ": ".join(filter(None, (" ".join(f"#{tag}" for tag in self.tags), self.text)))


def tags_of(text: str) -> tuple[str, ...]:
    """The tags in a typed text, between blanks or commas, with or without '#'.

    Raises:
        InputError: One can't be a tag, or there are too many.
    """
    return _checked(word.removeprefix("#") for word in re.split(r"[\s,]+", text) if word.strip("#"))


def read_note(folder: Path) -> Note:
    """The note on the run in `folder`; an empty one if there is none.

    Raises:
        InputError: The file is damaged, or holds something else.
        OSError: It can't be read.
    """
    try:
        table = read_toml(folder / NAME)
    except FileNotFoundError:
        return Note()
    text, tags = table.get("note", ""), table.get("tags", [])
    if not isinstance(text, str) or not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise InputError(f"{NAME} is damaged: its note is a text, its tags are a list of texts")
    if len(text) > MAX_NOTE:
        raise InputError(f"{NAME}: the note has more than {MAX_NOTE} characters")
    try:
        return Note(text, _checked(tags))
    except InputError as error:
        raise InputError(f"{NAME}: {error}") from None


def write_note(folder: Path, note: Note) -> None:
    """Write the note on the run in `folder` at once; an empty one removes the file.

    Raises:
        InputError: It can't be written.
    """
    path = folder / NAME
    text = one_line(note.text.strip(), MAX_NOTE)
    lines = [f"note = {_toml(text)}"] if text else []
    lines += [f"tags = {_toml(_checked(note.tags))}"] if note.tags else []
    try:
        if lines:
            write_whole(path, "\n".join([*lines, ""]).encode())
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{quoted(path)}: the note can't be written ({error.strerror})") from None


def _checked(tags: Iterable[str]) -> tuple[str, ...]:
    once = tuple(dict.fromkeys(tags))
    for tag in once:
        if not _TAG.fullmatch(tag) or one_line(tag) != tag:
            raise InputError(f"{quoted(tag, 40)} can't be a tag: a word of at most 30 characters, without < > = ! ~")
    if len(once) > MAX_TAGS:
        raise InputError(f"a run has at most {MAX_TAGS} tags")
    return once


def _toml(value: object) -> str:
    """Texts without control characters, and lists of them, are written in TOML as in JSON."""
    return json.dumps(value, ensure_ascii=False)
