"""Whatever state a run's files are in: the run is listed and replayed, or refused in a sentence, and left as it was."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from regtui.engine.run import run
from regtui.errors import InputError
from regtui.protocol.control import Control, SetStrength
from regtui.runs.events import read_events
from regtui.runs.find import FILES
from regtui.runs.follow import Follower
from regtui.runs.index import NAME, read_runs
from regtui.runs.read import read_run
from regtui.runs.summary import read_summary
from regtui.tui.review.replay import Replay
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew

CUTS = 12
"""Each file is cut at so many places, spread evenly, and before its last byte."""
PATIENCE = 120
"""Seconds after which something is taken to hang."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three epochs, in which a strength was changed."""
    control = Control()
    control.send(SetStrength(arm="regularized", key="dropout.rate", value=0.25))
    crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.5]})
    return run(small_preset(), tmp_path_factory.mktemp("logs"), control, lambda _: None, crew).folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to spoil."""
    return Path(shutil.copytree(whole, tmp_path / "logs" / whole.name))


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    def fail(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def state(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Kind, time and content of everything in a run's folder."""
    entries = {}
    for path in [folder, *folder.rglob("*")]:
        status = path.lstat()
        readable = path.is_file() and not path.is_symlink() and os.access(path, os.R_OK)
        entries[str(path)] = (status.st_mode, status.st_mtime_ns, path.read_bytes() if readable else b"")
    return entries


def replay(folder: Path) -> Replay:
    """The run as its screen would take it in, to the end of its log."""

    def take_in() -> None:
        read.session.take_in()

    read = Replay(folder, take_in)
    if not read.catch_up():
        read.catch_up()
    return read


def endure(folder: Path) -> None:
    """Read a run in all ways; only a sentence may be raised, and nothing may change."""
    before = state(folder)
    assert read_run(folder).folder == folder
    for _ in range(2):  # the second time with the index of the first
        assert [listed.folder for listed in read_runs(folder.parent)] == [folder]
    try:
        replayed = replay(folder)
    except InputError as error:
        lines = str(error).splitlines()
        assert lines
        assert all(line.isprintable() for line in lines)
    else:
        session = replayed.session
        assert session.ended or read_run(folder).status == "running"  # this process wrote it, and lives
        assert not session.ended or session.error or session.verdicts or session.summary
    assert state(folder) == before
    assert {path.name for path in folder.parent.iterdir()} <= {folder.name, NAME}


def remove(path: Path) -> None:
    path.unlink()


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def make_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def lock(path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    path.chmod(0)


RUBBISH = {
    "empty": b"",
    "control characters": bytes(range(32)) * 40 + b"\x1b]0;title\x07\x1b[2J\x9b31m\n" * 9,
    "random bytes": random.Random(0).randbytes(5000),
    "nested": b"[" * 100_000 + b"\n",
    "a wide table": b'{"a":' * 500 + b"1" + b"}" * 500 + b"\n",
    "long digits": b"9" * 10_000 + b"\n",
    "null bytes": b"\0" * 5000,
    "line ends": b"\r\n\n" * 2000,
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("spoil", [remove, make_folder, make_pipe, make_circle, make_device, lock])
def test_a_file_that_is_gone_or_something_else_is_endured(
    folder: Path, name: str, spoil: Callable[[Path], None]
) -> None:
    spoil(folder / name)
    endure(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_in_a_file_s_place_is_endured(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    endure(folder)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("preset.toml", "schema = 1", 'schema = 2\nmood = "fine"'),
        ("run.json", '"schema": 2', '"schema": 3, "started": {"at": 1}, "pid": "a name"'),
        ("summary.json", '"schema": 2', '"schema": 3, "arms": [], "status": "suspended"'),
        ("events.jsonl", '"kind":', '"schema":2,"mood":{"fine":[1]},"kind":'),
        ("events.jsonl", '"kind":"epoch_done"', '"kind":"epoch_measured"'),
    ],
)
def test_a_file_of_a_later_version_is_endured(folder: Path, name: str, old: str, new: str) -> None:
    content = (folder / name).read_text()
    assert old in content
    (folder / name).write_text(content.replace(old, new))
    endure(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_endured(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for length in {len(content) * part // CUTS for part in range(CUTS)} | {len(content) - 1}:
        (folder / name).write_bytes(content[:length])
        endure(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_with_bytes_changed_anywhere_is_endured(folder: Path, name: str) -> None:
    content, draw = (folder / name).read_bytes(), random.Random(0)
    for _ in range(CUTS):
        changed = bytearray(content)
        for _ in range(5):
            changed[draw.randrange(len(changed))] = draw.choice(b'\x00\x1b"{}[],:-0e9\n')
        (folder / name).write_bytes(changed)
        endure(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_mark_before_the_text_changes_nothing_and_utf_16_is_named(folder: Path, name: str) -> None:
    path, text = folder / name, (folder / name).read_text()
    listed, told, events = read_run(folder), replay(folder).session.outcome(), list(read_events(folder))
    path.write_text(text, encoding="utf-8-sig")
    assert (read_run(folder), replay(folder).session.outcome(), list(read_events(folder))) == (listed, told, events)
    assert Follower(folder).new_events() == events
    assert read_summary(folder) is not None
    endure(folder)
    path.write_text(text, encoding="utf-16")
    assert "it is UTF-16 text; save it as UTF-8" in read_run(folder).fault
    endure(folder)
