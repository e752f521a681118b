"""An index of the saved runs, kept in one file beside them, so that ten thousand runs are listed at once.

The runs' own files are the truth: a row of the index counts only if the files still have the size and times that they
had when they were read, and if the row's checksum is right. Runs that go on or have a fault are read each time. If the
index can't be used (damaged, locked, planted, from another program, not writable), all runs are read.
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
from regtui.runs.find import FILES, find_runs
from regtui.runs.info import RunInfo, RunStatus
from regtui.runs.note import NAME as NOTE
from regtui.runs.read import read_run

NAME = ".regtui-index.sqlite"
"""The name of the index file, in the listed folder."""
_APPLICATION = 0x52654774
"""The application id in sqlite's header, which marks the file as ours."""
_VERSION = 7
"""Raised when a row's content or meaning changes."""
_TABLE = "CREATE TABLE runs (path BLOB PRIMARY KEY, signature TEXT, content TEXT, checksum BLOB)"
_SCHEMA = [("table", "runs", _TABLE), ("index", "sqlite_autoindex_runs_1", None)]
"""The whole schema of an index. Anything more, such as a view or a trigger, could falsify queries."""
_Entry = tuple[datetime, RunStatus, dict[str, Field]]
"""A run's start, its status and its fields."""
_KEPT = frozenset({"finished", "stopped", "diverged", "failed", "interrupted"})
"""The states of runs that are not read again each time."""
_WAIT = 0.2
"""Seconds to wait for another process that writes the index; reading the files takes not much longer."""
_PATIENCE = 10.0
"""Seconds after which reading or writing the index is given up."""
_AT_ONCE = 1000
"""Rows held in memory at a time."""
_MAX_BYTES = 100_000
"""Largest average size of a run's row in bytes; a usual one has 4,000."""


def read_runs(folder: Path, tell: Callable[[str], object] = lambda _words: None) -> list[RunInfo]:
    """All runs in and below `folder`, newest first; `tell` gets a sentence for each folder that is skipped."""
    beginning = f"{folder}{os.sep}"
    paths = [
        (path, os.fsencode(str(path).removeprefix(beginning)), _signature(path)) for path in find_runs(folder, tell)
    ]
    if [path for path, _, _ in paths] == [folder]:  # no index is written into a run's own folder
        return [read_run(folder)]
    kept, gone = _read_index(folder, {key: signature for _, key, signature in paths})
    runs, new = [], []
    for path, key, signature in paths:
        if key in kept:
            started, status, fields = kept[key]
            runs.append(RunInfo(path, started, status, "", fields))
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
    """Sizes and modification times of a run's files and its note, and their change times where the system has them."""
    base, parts = str(folder), []
    for name in (*FILES, NOTE):
        try:
            status = os.stat(f"{base}{os.sep}{name}")  # noqa: PTH116, five for each of ten thousand runs
        except OSError:
            parts.append("-")
        else:
            parts.append(f"{status.st_size},{status.st_mtime_ns},{status.st_ctime_ns}")
    return " ".join(parts).encode()


def _checksum(path: bytes, signature: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(b"\0".join((path, signature, content)), digest_size=16).digest()


def _read_index(folder: Path, wanted: Mapping[bytes, bytes]) -> tuple[dict[bytes, _Entry], list[object]]:
    """The valid entries whose signature is `wanted`, by path; and the paths that no longer exist."""
    entries: dict[bytes, _Entry] = {}
    gone: list[object] = []
    try:
        # The journal is not read: a row that is not as it was written does not count in any case.
        with _opened(folder, "ro&immutable=1", most=_MAX_BYTES * (100 + len(wanted))) as index:
            if _state(index) != "ours":
                return {}, []
            rows = index.execute("SELECT * FROM runs")
            while some := rows.fetchmany(_AT_ONCE):
                valid: dict[bytes, bytes] = {}
                for path, signature, content, checksum in some:
                    if path not in wanted:
                        gone.append(path)
                    elif (
                        signature == wanted[path]
                        and type(content) is bytes
                        and checksum == _checksum(path, signature, content)
                    ):
                        valid[path] = content
                entries.update(_entries(valid))
    except (sqlite3.Error, OSError):
        pass  # the rows read so far are valid
    return entries, gone


def _entries(rows: Mapping[bytes, bytes]) -> dict[bytes, _Entry]:
    """The valid entries, by path."""
    try:
        # Parsed as one document instead of a thousand, so that equal keys share memory, which saves half of it.
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
    """An entry from its JSON; None if it is not valid. If `plain`, its texts contain no escapes to clean."""
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
    """Update the index atomically; failures are ignored, because the index only saves time."""
    state = "unknown"
    try:
        with _opened(folder, "rwc") as index:
            state = _state(index)
        if state == "unusable":
            (folder / NAME).unlink()
        elif state == "foreign":
            return
        with _opened(folder, "rwc") as index:
            index.execute("PRAGMA page_size = 65536")  # a page holds whole runs, and what is left of it stays empty
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
            with suppress(OSError):  # the next list makes a new index
                (folder / NAME).unlink()


def _state(index: sqlite3.Connection) -> str:
    """The kind of a file: 'new' if it is empty, 'ours', 'unusable' if it is a damaged one of ours, else 'foreign'."""
    application = index.execute("PRAGMA application_id").fetchone()[0]
    version = index.execute("PRAGMA user_version").fetchone()[0]
    try:
        schema = index.execute("SELECT type, name, sql FROM sqlite_schema LIMIT 3").fetchall()
        schema = [tuple(part and part.decode(errors="replace") for part in entry) for entry in schema]
    except sqlite3.OperationalError:  # locked
        raise
    except (sqlite3.DatabaseError, UnicodeDecodeError):  # damaged; sqlite's message need not be text
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
            status = os.lstat(f"{path}{part}")  # a link could lead anywhere, and a pipe would block
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            raise OSError(f"{path}{part} is no regular file of the size of an index")
    address = f"{path.absolute().as_uri()}?mode={mode}"
    with closing(sqlite3.connect(address, uri=True, timeout=_WAIT, isolation_level=None)) as index:
        index.execute("PRAGMA trusted_schema = OFF")  # the file may have come along with logs from elsewhere
        index.text_factory = bytes  # a text column may hold something else
        until = time.monotonic() + _PATIENCE
        index.set_progress_handler(lambda: time.monotonic() > until, 100_000)
        try:
            yield index
        except UnicodeDecodeError:
            raise sqlite3.DatabaseError("what sqlite says of a fault is no text") from None
