"""Finds the logs that somebody names: files, folders, patterns such as 'base_*/metrics.csv', and runs in a file.

FILE::RUN names one run of a file that has several, as a chart of W&B's, and FILE::base* all whose names begin so. A
folder stands for the logs in it, or, where it has none itself, for those in the folders below.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from regtui.errors import InputError
from regtui.files import by_its_name
from regtui.foreign import tensorboard_events
from regtui.foreign.read import read_log
from regtui.foreign.series import RUN_OF, LoggedRun
from regtui.text import listed, one_line, quoted

MOST_FILES = 1_000
MOST_LOOKED_AT = 20_000
"""Files that are looked at below a folder."""
DEPTH = 4
"""Folders below the one that is named."""
KNOWN = ("trainer_state.json", "metrics.csv", "events.jsonl")
"""Names of which a folder has one as its log; else its event files, or its only file of another name."""
ENDINGS = (".csv", ".jsonl", ".ndjson")
PHASES = frozenset({"train", "training", "val", "valid", "validation", "eval", "evaluation", "test"})
"""Folders in which Keras and others keep event files of one run."""


def find_runs(patterns: Sequence[str], side: str) -> list[LoggedRun]:
    """The runs that patterns name, each once, in the order of their names.

    Args:
        patterns: Files, folders, patterns, each perhaps with ::RUN.
        side: The option that they were given to, for sentences.

    Raises:
        InputError: A pattern names nothing, or what it names is no log.
    """
    runs: dict[tuple[str, str], LoggedRun] = {}
    for pattern in patterns:
        file, wanted = _parts(pattern)
        for path in _paths(file, side):
            found = _read(path, side)
            chosen = [run for run in found if wanted is None or _is_named(run, wanted)]
            if not chosen:
                inside = [run.name.rpartition(RUN_OF)[2] for run in found]
                raise InputError(f"{side} {quoted(pattern)}: no run of that name is there, but {_some(inside)}")
            runs |= {run.identity: run for run in chosen}
            if len(runs) > MOST_FILES:
                raise InputError(f"{side} names more than {MOST_FILES:,} runs; name fewer")
    return list(runs.values())


def _parts(pattern: str) -> tuple[str, str | None]:
    file, between, run = pattern.partition(RUN_OF)
    return (file, run) if between and not _is_there(pattern) else (pattern, None)


def _is_named(run: LoggedRun, wanted: str) -> bool:
    _, between, name = run.name.rpartition(RUN_OF)
    return bool(between) and fnmatch.fnmatchcase(name, wanted)


def _paths(pattern: str, side: str) -> list[Path]:
    """The files and folders of a pattern."""
    if not pattern:
        raise InputError(f"{side} needs a file, a folder or a pattern such as 'base_*/metrics.csv'")
    pattern = os.path.expanduser(pattern)  # noqa: PTH111, which raises where there is no home
    try:
        if _is_there(pattern):
            path = Path(pattern)
            return [by_its_name(path) if path.is_dir() else path]
        found = sorted(islice(glob.iglob(pattern, recursive=True), MOST_LOOKED_AT), key=_natural)  # noqa: PTH207
    except (ValueError, OSError, re.error, RecursionError):  # a null character, or a name that can't be one
        found = []
    if not found:
        what = "nothing has a name of that pattern" if glob.has_magic(pattern) else "there is no such file or folder"
        raise InputError(f"{side} {quoted(pattern)}: {what}; a relative name begins in the current folder")
    if len(found) > MOST_FILES:
        raise InputError(f"{side} {quoted(pattern)} names more than {MOST_FILES:,} files; name fewer")
    return list(map(Path, found))


def _is_there(name: str) -> bool:
    try:
        return os.path.lexists(name)
    except ValueError:  # a null character
        return False


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts numbers in names by size: base_2 before base_10."""
    return [(int(part), "") if part.isdecimal() and len(part) < 20 else (-1, part) for part in re.split(r"(\d+)", name)]


def _read(path: Path, side: str) -> list[LoggedRun]:
    if not path.is_dir():
        return read_log(path, one_line(path))
    found = list(_in_folder(path))
    if not found:
        raise InputError(
            f"{side} {quoted(path)}: no log is in that folder (metrics.csv, trainer_state.json, event files of "
            "TensorBoard, *.csv, *.jsonl)"
        )
    return found


def _in_folder(folder: Path) -> Iterator[LoggedRun]:
    """The runs of the log in a folder; where it has none, of those in the folders below."""
    waiting, looked_at = [(folder, DEPTH)], 0
    while waiting:
        here, depth = waiting.pop()
        files, folders = _entries(here)
        looked_at += len(files) + len(folders)
        if looked_at > MOST_LOOKED_AT:
            raise InputError(
                f"{one_line(folder)} has more than {MOST_LOOKED_AT:,} files; name a folder nearer to the logs"
            )
        found = _log_in(here, files, folders)
        yield from found
        if not found and depth:
            waiting += [(below, depth - 1) for below in reversed(_worth_a_look(folders))]


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files and the folders in a folder, in the order of their names."""
    try:
        entries = sorted(islice(os.scandir(folder), MOST_LOOKED_AT + 1), key=lambda entry: _natural(entry.name))
        files = [folder / entry.name for entry in entries if entry.is_file()]
        return files, [folder / entry.name for entry in entries if entry.is_dir() and entry.name[0] != "."]
    except OSError as error:
        raise InputError(f"{one_line(folder)} can't be read: {error.strerror or error}") from None


def _log_in(folder: Path, files: Sequence[Path], folders: Sequence[Path]) -> list[LoggedRun]:
    """The runs of a folder's own log; none where it has no log."""
    name = one_line(folder)
    known = [folder / known for known in KNOWN if folder / known in files]
    try:
        if not known and (events := _event_files(files, folders)):
            return tensorboard_events.read(events, name, folder)
    except OSError as error:
        raise InputError(f"{name} can't be read: {error.strerror or error}") from None
    logs = known or [file for file in files if file.suffix.lower() in ENDINGS]
    if len(logs) > 1 and not known:
        one = one_line(logs[0].name)
        raise InputError(f"{name} has several logs, {_some([file.name for file in logs])}; name one, as in '*/{one}'")
    return read_log(logs[0], one_line(logs[0])) if logs else []


def _worth_a_look(folders: Sequence[Path]) -> Sequence[Path]:
    """The folders in which logs may be; of a trainer's checkpoints the last, whose state tells the whole history."""
    saved = [below for below in folders if re.fullmatch(r"checkpoint-\d{1,18}", below.name)]
    return [max(saved, key=lambda below: int(below.name.partition("-")[2]))] if saved else folders


def _event_files(files: Sequence[Path], folders: Sequence[Path]) -> list[tuple[str, Path]]:
    """The event files of one run in a folder, with what the names of their metrics begin with."""
    own = [("", file) for file in files if "tfevents" in file.name]
    phases = [below for below in folders if below.name.lower() in PHASES]
    beside = [
        (f"{below.name}/", file)
        for below in (phases if len(phases) > 1 or own else ())
        for file in sorted(islice(below.iterdir(), MOST_LOOKED_AT))
        if "tfevents" in file.name and file.is_file()
    ]
    return own + beside


def _some(names: Sequence[str]) -> str:
    shown = [quoted(name, 60) for name in names[:5]]
    return listed(shown) if len(names) <= 5 else f"{', '.join(shown)} and {len(names) - 5} more"
