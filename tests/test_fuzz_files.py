"""Files of a run, checkpoints and the index, spoiled at random: only sentences are raised, nothing hangs or swells.

In short by default; in long with `-m soak`, for SOAK_SECONDS each (20 minutes in all), with other examples every time.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regtui.epochs import table_lines
from regtui.errors import RegtuiError
from regtui.evidence.from_history import judge_run
from regtui.evidence.lines import verdict_lines
from regtui.export import csv, html
from regtui.export.saved_run import read_saved_run
from regtui.preset.file import load, to_toml
from regtui.protocol.history import History
from regtui.runs.checkpoint import MANIFEST, weights_file
from regtui.runs.comparison import differing, seeds
from regtui.runs.events import read_events
from regtui.runs.filter import parse_filter
from regtui.runs.find import FILES
from regtui.runs.follow import Follower
from regtui.runs.index import NAME, _checksum, read_runs
from regtui.runs.read import read_run
from regtui.runs.summary import read_summary
from regtui.runs.weights import best_epoch, histogram, picture, read_weights
from regtui.text import is_shown
from regtui.tui.review.columns import FIELDS, about
from regtui.tui.review.replay import Replay
from tests.hostile import HOSTILE, write_run

SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "400"))
"""Of each of the three; a person who looks for more sets it."""
PATIENCE = 120
"""Seconds after which one example is taken to hang, on a machine however busy."""
MEMORY = 1_000_000_000
"""Bytes by which the process may grow at most."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("logs"), "other")


@contextmanager
def watched() -> Iterator[None]:
    """Raise where something hangs; see that memory stays bounded."""

    def fail(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, fail)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) < MEMORY


@contextmanager
def copy(whole: Path) -> Iterator[Path]:
    """A run to spoil."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(shutil.copytree(whole, Path(place) / "logs" / whole.name))


def sentence(work: Callable[[], object]) -> None:
    """Do it; a sentence may be raised, and nothing else."""
    said = "a sentence"
    try:
        work()
    except RegtuiError as error:
        said = str(error)
    assert said
    assert all(is_shown(c) or c == "\n" for c in said), said


def look_at(folder: Path) -> None:
    """Read a run in all the ways that there are."""
    info = read_run(folder)
    for field in FIELDS:
        assert field.cell(info).text is not None
        field.value(info)
    about(info)
    for _ in range(2):
        listed = read_runs(folder.parent)
        assert [run.folder for run in listed] == [folder]
        assert listed[0].fields.keys() == info.fields.keys()
        assert str(list(listed[0].fields.values())) == str(list(info.fields.values()))
    parse_filter("a test.difference>0 seed=1").select([info])
    differing([info, info]), seeds([info, info])
    read_summary(folder)
    sentence(lambda: to_toml(load(str(folder / "preset.toml"))))
    sentence(lambda: tell(folder))
    sentence(lambda: replay(folder))
    sentence(lambda: export(folder))


def tell(folder: Path) -> None:
    history, preset = History(), None
    with suppress(RegtuiError):
        preset = load(str(folder / "preset.toml"))
    try:
        for event in read_events(folder):
            if history.add(event):
                for line in table_lines(event, history, preset, 80):
                    assert all(map(is_shown, line))
    except OSError:
        return
    if history.started is not None and history.finished is not None:
        verdict_lines(judge_run(history, preset))
    follower = Follower(folder)
    while follower.new_events():
        pass


def replay(folder: Path) -> None:
    read = Replay(folder, lambda: read.session.take_in())
    read.catch_up()
    assert all(is_shown(c) for line in read.session.outcome() for c in line)


def export(folder: Path) -> None:
    run = read_saved_run(folder)
    html.write(run, folder.parent / "page.html")
    csv.write(run, folder.parent / "tables")
    (folder.parent / "page.html").unlink()
    shutil.rmtree(folder.parent / "tables")


# What is done to files

PIECES = [
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\\",
    b"\x1b]0;x\x07", b"null", b"true", b"-1", b"1e999", b"NaN", b'""', b"1e300",
    b"9" * 4400, b"[" * 3000, b"a." * 3000, b'{"a":' * 1200,
]  # fmt: skip
edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 60), st.one_of(st.sampled_from(PIECES), st.binary(max_size=8))),
    min_size=1,
    max_size=4,
)
"""Where, how many bytes are taken away, and what comes in their place."""
values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from([10**400, -(10**400), 2**63, 1e308, -1e308, 1e-320, HOSTILE, "x" * 9999, [], {}, [[]], {"a": {}}]),
    st.lists(st.integers() | st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=5), st.floats() | st.none(), max_size=3),
)  # fmt: skip


def edit(content: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    for where, gone, new in changes:
        at = int(where * len(content))
        content = content[:at] + new + content[at + gone :]
    return content


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*at, key))


def put(table: Any, where: float, value: object) -> None:
    """Put a value in the place of another."""
    found = list(places(table))
    *way, last = found[min(len(found) - 1, int(where * len(found)))]
    for part in way:
        table = table[part]
    if value is None and isinstance(table, dict):
        del table[last]
    else:
        table[last] = deepcopy(value)  # which a later one may be put into


def spoil_bytes(whole: Path, name: str, changes: list[tuple[float, int, bytes]]) -> None:
    with copy(whole) as folder, watched():
        path = folder / name
        path.write_bytes(edit(path.read_bytes(), changes))
        look_at(folder)


def spoil_values(whole: Path, name: str, line: float, where: list[float], value: list[Any]) -> None:
    with copy(whole) as folder, watched():
        path = folder / name
        lines = [path.read_text()] if name != "events.jsonl" else path.read_text().splitlines()
        number = min(len(lines) - 1, int(line * len(lines)))
        table = json.loads(lines[number])
        for place, new in zip(where, value, strict=False):
            if table:
                put(table, place, new)
        lines[number] = json.dumps(table)
        path.write_text("\n".join(lines) + "\n")
        look_at(folder)


def spoil_weights(whole: Path, changes: list[tuple[float, int, bytes]], *, header: bool) -> None:
    with copy(whole) as folder, watched():
        file = weights_file(folder / "checkpoint", "regularized", "last")
        assert file is not None
        path = file.path
        content = path.read_bytes()
        size = 8 + int.from_bytes(content[:8], "little")
        if header:  # as long as it says it is, so that more of it is looked at
            names = edit(content[8:size], changes)
            path.write_bytes(len(names).to_bytes(8, "little") + names + content[size:])
        else:
            path.write_bytes(edit(content[:size], changes) + content[size:])

        def show() -> None:
            layers = [read_weights(folder, arm, "last") for arm in ("baseline", "regularized")]
            for a, b in zip(*layers, strict=False):
                histogram(a.matrix, b.matrix, 41)
            picture(layers[1][0], (28, 28))

        sentence(show)


def spoil_manifest(whole: Path, changes: list[tuple[float, int, bytes]]) -> None:
    with copy(whole) as folder, watched():
        path = folder / "checkpoint" / MANIFEST
        path.write_bytes(edit(path.read_bytes(), changes))
        for which in ("last", "best"):
            sentence(partial(read_weights, folder, "regularized", which))
        best_epoch(folder, "regularized")


def test_a_run_to_spoil_has_weights(whole: Path) -> None:
    for which in ("last", "best"):
        assert len(read_weights(whole, "regularized", which)) == 3


def spoil_index(whole: Path, changes: list[tuple[float, int, bytes]], content: Any, *, forged: bool) -> None:
    import sqlite3

    with copy(whole) as folder, watched():
        expected, path = read_runs(folder.parent), folder.parent / NAME
        if not path.exists():  # the run goes on
            return
        if forged:
            index = sqlite3.connect(path)
            row = index.execute("SELECT path, signature, content FROM runs").fetchone()
            entry = json.loads(row[2])
            put(entry, changes[0][0], content)
            text = json.dumps(entry)
            sum_ = _checksum(row[0], row[1].encode(), text.encode())
            index.execute("UPDATE runs SET content = ?, checksum = ?", (text, sum_))
            index.commit()
            index.close()
        else:
            path.write_bytes(edit(path.read_bytes(), changes))
        for _ in range(2):
            listed = read_runs(folder.parent)
            assert len(listed) == 1
            assert forged or listed == expected
            for field in FIELDS:
                assert all(map(is_shown, field.cell(listed[0]).text))
            assert all(is_shown(c) for value in listed[0].fields.values() for c in str(value))


names = st.sampled_from(FILES)
tables = st.sampled_from(["run.json", "summary.json", "events.jsonl", "events.jsonl", "events.jsonl"])
fractions = st.floats(0, 1)
few = st.lists(fractions, min_size=1, max_size=3)


@given(name=names, changes=edits)
def test_bytes_spoiled_in_a_run_s_files(whole: Path, name: str, changes: list[tuple[float, int, bytes]]) -> None:
    spoil_bytes(whole, name, changes)


@settings(max_examples=30)
@given(name=tables, line=fractions, where=few, value=st.lists(values, min_size=3, max_size=3))
def test_values_spoiled_in_a_run_s_files(
    whole: Path, name: str, line: float, where: list[float], value: list[Any]
) -> None:
    spoil_values(whole, name, line, where, value)


@given(changes=edits, header=st.booleans())
def test_a_spoiled_checkpoint(whole: Path, changes: list[tuple[float, int, bytes]], header: bool) -> None:
    spoil_weights(whole, changes, header=header)


@given(changes=edits)
def test_a_spoiled_manifest(whole: Path, changes: list[tuple[float, int, bytes]]) -> None:
    spoil_manifest(whole, changes)


@given(changes=edits, content=values, forged=st.booleans())
def test_a_spoiled_index(
    whole: Path,
    changes: list[tuple[float, int, bytes]],
    content: Any,
    forged: bool,
) -> None:
    spoil_index(whole, changes, content, forged=forged)


@pytest.mark.soak
@pytest.mark.parametrize("what", ["files", "values", "others"])
def test_twenty_minutes_of_spoiled_files(whole: Path, what: str) -> None:
    long = settings(max_examples=300, derandomize=False, database=None)
    done = 0

    @long
    @given(name=names, changes=edits)
    def files(name: str, changes: list[tuple[float, int, bytes]]) -> None:
        nonlocal done
        done += 1
        spoil_bytes(whole, name, changes)

    @long
    @given(name=tables, line=fractions, where=few, value=st.lists(values, min_size=3, max_size=3))
    def inside(name: str, line: float, where: list[float], value: list[Any]) -> None:
        nonlocal done
        done += 1
        spoil_values(whole, name, line, where, value)

    @long
    @given(changes=edits, content=values, which=st.sampled_from(["header", "weights", "manifest", "forged", "index"]))
    def others(changes: list[tuple[float, int, bytes]], content: Any, which: str) -> None:
        nonlocal done
        done += 1
        if which in ("header", "weights"):
            spoil_weights(whole, changes, header=which == "header")
        elif which == "manifest":
            spoil_manifest(whole, changes)
        else:
            spoil_index(whole, changes, content, forged=which == "forged")

    until = time.monotonic() + SOAK_SECONDS
    while time.monotonic() < until:
        {"files": files, "values": inside, "others": others}[what]()
    print(f"{done:,} examples of {what}, peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")
