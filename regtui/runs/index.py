"""The list of runs, kept in one file beside them, so that ten thousand are there at once.

The files are the truth: an entry counts only while its run's files have the size and the times that they had when they
were read. Runs that are going on or have a fault are read anew each time. An index that can't be used (damaged, locked,
from another program or a later version, not writable) is left as it is, and the files are read; one of an earlier
version is written anew.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from regtui.runs.files import Field
from regtui.runs.list import FILES, RunInfo, RunStatus, find_runs, read_run

NAME = ".regtui-index.sqlite"
"""The index's file, in the folder that is listed."""
_APPLICATION = 0x52654774
"""What sqlite's header says of whose file it is."""
_VERSION = 2
"""Goes up when an entry's content or meaning changes."""
_Entry = tuple[float, RunStatus, dict[str, Field]]
"""When the run began, its status and its fields."""
_WAIT = 0.2
"""Seconds to wait for another process that writes the index; reading the files is not much slower."""


def list_runs(folder: Path, tell: Callable[[str], object] = lambda _words: None) -> list[RunInfo]:
    """All runs in and below `folder`, newest first; `tell` is given a sentence for each folder passed over."""
    beginning = f"{folder}{os.sep}"
    paths = [
        (path, os.fsencode(str(path).removeprefix(beginning)), _signature(path)) for path in find_runs(folder, tell)
    ]
    if [path for path, _, _ in paths] == [folder]:  # a run's own folder is never written to
        return [read_run(folder)]
    rows = _read_index(folder)
    kept = _entries({key: rows[key][1] for _, key, signature in paths if key in rows and rows[key][0] == signature})
    runs, new = [], []
    for path, key, signature in paths:
        if key in kept:
            started, status, fields = kept[key]
            runs.append(RunInfo(path, datetime.fromtimestamp(started, UTC), status, "", fields))
            continue
        run = read_run(path)
        runs.append(run)
        if not run.fault and run.status not in ("running", "damaged"):
            entry = [run.started.timestamp(), run.status, run.fields]
            new.append((key, signature, json.dumps(entry, separators=(",", ":"))))
    gone = rows.keys() - {key for _, key, _ in paths}
    if new or gone:
        _write_index(folder, new, gone)
    runs.sort(key=lambda run: (run.started, run.name), reverse=True)
    return runs


def _signature(folder: Path) -> str:
    """Sizes and times of a run's files; the time of the last change of permissions or name, too, where there is one."""
    base, parts = str(folder), []
    for name in FILES:
        try:
            status = os.stat(f"{base}{os.sep}{name}")  # noqa: PTH116, four for each of ten thousand runs
        except OSError:
            parts.append("-")
        else:
            parts.append(f"{status.st_size},{status.st_mtime_ns},{status.st_ctime_ns}")
    return " ".join(parts)


def _read_index(folder: Path) -> dict[bytes, tuple[str, str]]:
    """Signature and content by path; nothing if the index can't be used."""
    try:
        with _opened(folder, "ro") as index:
            if _owner(index) != (_APPLICATION, _VERSION):
                return {}
            rows = index.execute("SELECT path, signature, content FROM runs").fetchall()
            return {path: (signature, content) for path, signature, content in rows}
    except (sqlite3.Error, OSError, TypeError):
        return {}


def _entries(contents: dict[bytes, str]) -> dict[bytes, _Entry]:
    """The entries by path; none if one of them is damaged."""
    try:
        # One document instead of ten thousand: its keys are read into the same texts, which saves half the memory.
        entries = json.loads(f"[{','.join(contents.values())}]")
        if all(isinstance(started, float) and isinstance(fields, dict) for started, _, fields in entries):
            return dict(zip(contents, entries, strict=True))
    except (ValueError, TypeError, RecursionError):
        pass
    return {}


def _write_index(folder: Path, new: Iterable[tuple[bytes, str, str]], gone: Iterable[bytes]) -> None:
    """Bring the index up to date, whole or not at all; it is only a help, so that no failure is worth a word."""
    try:
        with _opened(folder, "rwc") as index:
            index.execute("PRAGMA page_size = 16384")  # in sqlite's 4096 a page would hold one run, and half of it air
            index.execute("BEGIN IMMEDIATE")
            if _owner(index) in {(_APPLICATION, older) for older in range(1, _VERSION)}:
                index.execute("DROP TABLE IF EXISTS runs")
                index.execute("PRAGMA application_id = 0")
                index.execute("PRAGMA user_version = 0")
            if _owner(index) == (0, 0) and not index.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                index.execute(f"PRAGMA application_id = {_APPLICATION}")
                index.execute(f"PRAGMA user_version = {_VERSION}")
                index.execute("CREATE TABLE runs (path BLOB PRIMARY KEY, signature TEXT, content TEXT)")
            if _owner(index) == (_APPLICATION, _VERSION):
                index.executemany("DELETE FROM runs WHERE path = ?", [(path,) for path in gone])
                index.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", new)
            index.execute("COMMIT")
    except (sqlite3.Error, OSError):
        return


def _owner(index: sqlite3.Connection) -> tuple[int, int]:
    application = index.execute("PRAGMA application_id").fetchone()[0]
    return application, index.execute("PRAGMA user_version").fetchone()[0]


@contextmanager
def _opened(folder: Path, mode: str) -> Iterator[sqlite3.Connection]:
    path = folder / NAME
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OSError(f"{path} is no regular file")  # a link could lead to anything
    address = f"{path.absolute().as_uri()}?mode={mode}"
    with closing(sqlite3.connect(address, uri=True, timeout=_WAIT, isolation_level=None)) as index:
        index.execute("PRAGMA trusted_schema = OFF")  # the file may have come with the logs from anywhere
        yield index
