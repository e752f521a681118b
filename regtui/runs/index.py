"""The list of runs, kept in one file beside them, so that ten thousand are there at once.

The files are the truth: a row counts only while its run's files have the size and the times that they had when they
were read, and only as it was written, by its checksum. Runs that are going on or have a fault are read anew each time,
and so is all that an index tells which can't be used (damaged, locked, planted, from another program, not writable).
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from regtui.runs.files import MAX_NUMBER, Field, cleaned_fields
from regtui.runs.list import FILES, RunInfo, RunStatus, find_runs, read_run

NAME = ".regtui-index.sqlite"
"""The index's file, in the folder that is listed."""
_APPLICATION = 0x52654774
"""What sqlite's header says of whose file it is."""
_VERSION = 3
"""Goes up when a row's content or meaning changes."""
_TABLE = "CREATE TABLE runs (path BLOB PRIMARY KEY, signature TEXT, content TEXT, checksum BLOB)"
_SCHEMA = [("table", "runs", _TABLE), ("index", "sqlite_autoindex_runs_1", None)]
"""All that an index has; a view or a trigger could make anything of what is asked of it."""
_Entry = tuple[datetime, RunStatus, dict[str, Field]]
"""When the run began, its status and its fields."""
_KEPT = frozenset({"finished", "stopped", "diverged", "failed", "interrupted"})
"""States of runs that are not read anew each time."""
_WAIT = 0.2
"""Seconds to wait for another process that writes the index; reading the files is not much slower."""
_PATIENCE = 10.0
"""Seconds after which reading or writing the index is given up."""
_MAX_BYTES = 100_000
"""Bytes of a run's row at most, on average; a usual one has 4,000."""


def read_runs(folder: Path, tell: Callable[[str], object] = lambda _words: None) -> list[RunInfo]:
    """All runs in and below `folder`, newest first; `tell` is given a sentence for each folder passed over."""
    beginning = f"{folder}{os.sep}"
    paths = [
        (path, os.fsencode(str(path).removeprefix(beginning)), _signature(path)) for path in find_runs(folder, tell)
    ]
    if [path for path, _, _ in paths] == [folder]:  # a run's own folder is never written to
        return [read_run(folder)]
    rows, gone = _read_index(folder, {key: signature for _, key, signature in paths})
    kept = _entries(rows)
    runs, new = [], []
    for path, key, signature in paths:
        if key in kept:
            runs.append(RunInfo(path, kept[key][0], kept[key][1], "", kept[key][2]))
            continue
        run = read_run(path)
        runs.append(run)
        if not run.fault and run.status in _KEPT:
            entry = [run.started.timestamp(), run.status, run.fields]
            content = json.dumps(entry, separators=(",", ":")).encode()
            new.append((key, signature.decode(), content.decode(), _checksum(key, signature, content)))
    if new or gone:
        _write_index(folder, new, gone)
    runs.sort(key=lambda run: (run.started, run.name), reverse=True)
    return runs


def _signature(folder: Path) -> bytes:
    """Sizes and times of a run's files; the time of the last change of permissions or name, too, where there is one."""
    base, parts = str(folder), []
    for name in FILES:
        try:
            status = os.stat(f"{base}{os.sep}{name}")  # noqa: PTH116, four for each of ten thousand runs
        except OSError:
            parts.append("-")
        else:
            parts.append(f"{status.st_size},{status.st_mtime_ns},{status.st_ctime_ns}")
    return " ".join(parts).encode()


def _checksum(path: bytes, signature: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(b"\0".join((path, signature, content)), digest_size=16).digest()


def _read_index(folder: Path, wanted: Mapping[bytes, bytes]) -> tuple[dict[bytes, bytes], list[object]]:
    """Contents by path of the rows that are whole and whose signature is `wanted`; and the paths that are not there."""
    rows: dict[bytes, bytes] = {}
    gone: list[object] = []
    try:
        # Nobody's journal is looked at: what is not as it was written does not count in any case.
        with _opened(folder, "ro&immutable=1", most=_MAX_BYTES * (100 + len(wanted))) as index:
            if _state(index) != "ours":
                return {}, []
            for path, signature, content, checksum in index.execute("SELECT * FROM runs"):
                if path not in wanted:
                    gone.append(path)
                elif (
                    signature == wanted[path]
                    and type(content) is bytes
                    and checksum == _checksum(path, signature, content)
                ):
                    rows[path] = content
    except (sqlite3.Error, OSError):
        pass  # what was read before is whole
    return rows, gone


def _entries(rows: Mapping[bytes, bytes]) -> dict[bytes, _Entry]:
    """The entries by path, but for those that can't be."""
    try:
        # One document instead of ten thousand: its keys are read into the same texts, which saves half the memory.
        parsed = _parsed(b"[" + b",".join(rows.values()) + b"]")
        if not isinstance(parsed, list) or len(parsed) != len(rows):
            raise ValueError("a row of its own making")
        found = dict(zip(rows, parsed, strict=True))
    except ValueError:
        found = {}
        for path, content in rows.items():
            with suppress(ValueError):
                found[path] = _parsed(content)
    entries = ((path, _entry(value, plain=b"\\" not in rows[path])) for path, value in found.items())
    return {path: entry for path, entry in entries if entry is not None}


def _parsed(document: bytes) -> Any:
    try:
        return json.loads(document.decode("ascii"), parse_constant=lambda _name: None)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _entry(value: Any, *, plain: bool) -> _Entry | None:
    """An entry from its JSON; None if it can't be one. Without an escape in it, its texts are `plain`."""
    try:
        began, status, fields = value
        started = datetime.fromtimestamp(began, UTC)
        if status not in _KEPT or not set(map(type, fields.values())) <= {str, int, float}:
            return None
    except (TypeError, ValueError, AttributeError, OverflowError, OSError):
        return None
    numbers = [number for number in fields.values() if type(number) is not str]
    if not -MAX_NUMBER < min(numbers, default=0) <= max(numbers, default=0) < MAX_NUMBER:
        return None
    return started, status, fields if plain else cleaned_fields(fields)


def _write_index(folder: Path, new: Iterable[tuple[bytes, str, str, bytes]], gone: Iterable[object]) -> None:
    """Bring the index up to date, whole or not at all; it is only a help, so that no failure is worth a word."""
    state = "unknown"
    try:
        with _opened(folder, "rwc") as index:
            state = _state(index)
        if state == "unusable":
            (folder / NAME).unlink()
        elif state == "foreign":
            return
        with _opened(folder, "rwc") as index:
            index.execute("PRAGMA page_size = 16384")  # in sqlite's 4096 a page would hold one run, and half of it air
            index.execute("BEGIN IMMEDIATE")
            if _state(index) == "new":
                index.execute(f"PRAGMA application_id = {_APPLICATION}")
                index.execute(f"PRAGMA user_version = {_VERSION}")
                index.execute(_TABLE)
            if _state(index) == "ours":
                index.executemany("DELETE FROM runs WHERE path = ?", [(path,) for path in gone])
                index.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", new)
            index.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        if state in ("ours", "unusable") and getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CORRUPT:
            with suppress(OSError):  # the next list makes a new one
                (folder / NAME).unlink()


def _state(index: sqlite3.Connection) -> str:
    """Whose a file is: 'new' if it is empty, 'ours', 'unusable' if it was, and 'foreign' otherwise."""
    application = index.execute("PRAGMA application_id").fetchone()[0]
    version = index.execute("PRAGMA user_version").fetchone()[0]
    try:
        schema = index.execute("SELECT type, name, sql FROM sqlite_schema LIMIT 3").fetchall()
        schema = [tuple(part and part.decode(errors="replace") for part in entry) for entry in schema]
    except sqlite3.OperationalError:  # locked
        raise
    except (sqlite3.DatabaseError, UnicodeDecodeError):  # damaged, and what sqlite says of it need not be text
        schema = None
    if (application, version, schema) == (0, 0, []):
        return "new"
    if application != _APPLICATION or version > _VERSION:
        return "foreign"
    return "ours" if version == _VERSION and schema == _SCHEMA else "unusable"


@contextmanager
def _opened(folder: Path, mode: str, most: float = float("inf")) -> Iterator[sqlite3.Connection]:
    path = folder / NAME
    for part in ("", "-journal", "-wal", "-shm"):
        try:
            status = os.lstat(f"{path}{part}")  # a link could lead to anything, and a pipe would be waited for
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            raise OSError(f"{path}{part} is no regular file of the size of an index")
    address = f"{path.absolute().as_uri()}?mode={mode}"
    with closing(sqlite3.connect(address, uri=True, timeout=_WAIT, isolation_level=None)) as index:
        index.execute("PRAGMA trusted_schema = OFF")  # the file may have come with the logs from anywhere
        index.text_factory = bytes  # a text may be none
        until = time.monotonic() + _PATIENCE
        index.set_progress_handler(lambda: time.monotonic() > until, 100_000)
        try:
            yield index
        except UnicodeDecodeError:
            raise sqlite3.DatabaseError("what sqlite says of a fault is no text") from None
