from __future__ import annotations

from pathlib import Path

import pytest

from regtui.follow import Follower
from regtui.history import History
from regtui.runlog import read_events
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from regtui.control import Control
    from regtui.engine.run import run

    crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.5]})
    return run(small_preset(), tmp_path_factory.mktemp("logs"), Control(), lambda _: None, crew).folder


def test_what_is_followed_is_what_is_read_at_once(folder: Path) -> None:
    assert Follower(folder).new_events() == list(read_events(folder))


@pytest.mark.parametrize("block", [1, 7, 100, 4096])
def test_a_run_is_followed_however_it_is_written(folder: Path, tmp_path: Path, block: int) -> None:
    whole = (folder / "events.jsonl").read_bytes()
    follower, events = Follower(tmp_path), []
    with (tmp_path / "events.jsonl").open("wb", buffering=0) as file:
        for begin in range(0, len(whole), max(block, len(whole) // 200)):
            file.write(whole[begin : begin + max(block, len(whole) // 200)])
            events += follower.new_events(at_most=block)
        while new := follower.new_events(at_most=block):
            events += new
    assert events == list(read_events(folder))


def test_a_torn_last_line_waits_for_its_rest(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "events.jsonl").read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    without = History.of(list(read_events(folder))[:-1])
    for cut in range(last, len(whole) - 1):
        (tmp_path / "events.jsonl").write_bytes(whole[:cut])
        follower = Follower(tmp_path)
        assert History.of(follower.new_events()) == without
        (tmp_path / "events.jsonl").write_bytes(whole)
        assert len(follower.new_events()) == 1


def test_lines_of_a_later_version_are_passed_over(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "events.jsonl").read_bytes()
    (tmp_path / "events.jsonl").write_bytes(b'{"kind": "from the future", "t": 1}\n\xff\x00\n' + whole)
    follower = Follower(tmp_path)
    assert follower.new_events() == list(read_events(folder))
    assert follower.skipped == 2
