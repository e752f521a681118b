"""A saved run is read into a session, whatever state its log is in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from regtui.control import Control
from regtui.engine.run import run
from regtui.tui.replay import Replay
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.4]})
    return run(small_preset(), tmp_path, Control(), lambda _: None, crew).folder


def replayed(folder: Path, change: Callable[[list[bytes]], list[bytes]]) -> Replay:
    path = folder / "events.jsonl"
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    replay = Replay(folder, lambda: None)
    while not replay.catch_up():
        pass
    return replay


def test_lines_that_can_t_be_true_are_told_to_nobody(folder: Path) -> None:
    whole = replayed(folder, lambda lines: lines).session
    events = whole.take_in()
    damaged = replayed(
        folder, lambda lines: [lines[4], *lines, lines[4].replace(b'"baseline"', b'"evil"'), *lines]
    ).session
    assert damaged.take_in() == events
    assert damaged.history == whole.history
    assert damaged.verdict == whole.verdict
    assert damaged.error is None


@pytest.mark.parametrize("lost", [0, -1])
def test_a_log_without_start_or_end_says_so(folder: Path, lost: int) -> None:
    session = replayed(folder, lambda lines: [line for line in lines if line is not lines[lost]]).session
    session.take_in()
    assert session.verdict is None
    assert str(session.error).startswith("The log is damaged")
