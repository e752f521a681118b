from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from regtui.protocol.events import Event, StepsDone
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.runs.follow import BLOCK, Follower
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from regtui.engine.run import run
    from regtui.protocol.control import Control

    crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.5]})
    return run(small_preset(), tmp_path_factory.mktemp("logs"), Control(), lambda _: None, crew).folder


def all_of(follower: Follower, at_most: int = BLOCK) -> list[Event]:
    """What it tells until it tells no more."""
    events: list[Event] = []
    while new := follower.new_events(at_most):
        events += new
    return events


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
        events += all_of(follower, block)
    assert events == list(read_events(folder))


def test_a_torn_last_line_waits_for_its_rest(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "events.jsonl").read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    expected = list(read_events(folder))
    for cut in range(last, len(whole)):
        (tmp_path / "events.jsonl").write_bytes(whole[:cut])
        follower = Follower(tmp_path)
        told = follower.new_events()
        assert History.of(told) == History.of(expected[:-1])
        assert follower.new_events() == []
        (tmp_path / "events.jsonl").write_bytes(whole)
        assert History.of(told + follower.new_events()) == History.of(expected)


def test_without_steps_all_else_is_told(folder: Path, tmp_path: Path) -> None:
    expected = [event for event in read_events(folder) if not isinstance(event, StepsDone)]
    assert Follower(folder, without_steps=True).new_events() == expected
    assert all_of(Follower(folder, without_steps=True), at_most=1) == expected
    spaced = (folder / "events.jsonl").read_text().replace('"kind":', '"kind" : ')  # as another program might write it
    (tmp_path / "events.jsonl").write_text(spaced)
    assert Follower(tmp_path, without_steps=True).new_events() == expected


def test_steps_that_are_left_out_are_not_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "events.jsonl").write_text('{"t":1.5,"kind":"steps_done",rubbish}\n')
    looked_into: list[bytes] = []
    monkeypatch.setattr("regtui.runs.follow.parse", looked_into.append)
    assert Follower(tmp_path, without_steps=True).new_events() == []
    assert looked_into == []


def test_many_lines_that_are_no_events_are_no_end(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "events.jsonl").read_bytes()
    (tmp_path / "events.jsonl").write_bytes(b"rubbish\n" * 1000 + whole)
    assert all_of(Follower(tmp_path), at_most=100) == list(read_events(folder))


def test_a_line_that_is_too_long_is_skipped_without_holding_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = 2**16
    monkeypatch.setattr("regtui.runs.events.LONGEST_LINE", longest)
    whole = (folder / "events.jsonl").read_bytes()
    steps = StepsDone(t=1, arm="baseline", epoch=1, first_step=1, losses=[0.25] * 10**6).model_dump_json().encode()
    path = tmp_path / "events.jsonl"
    path.write_bytes(steps + b"\n" + whole + steps[: 2 * longest])  # the last one is still being written
    follower = Follower(tmp_path)
    tracemalloc.start()
    try:
        followed, read = all_of(follower), list(read_events(tmp_path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert followed == read == list(read_events(folder))
    assert peak < len(steps) / 2
    with path.open("ab") as file:
        file.write(steps[2 * longest :] + b"\n" + whole)
    assert all_of(follower) == list(read_events(folder))


@pytest.mark.parametrize("spoil", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(tmp_path / "events.jsonl")
    with pytest.raises(OSError, match="no regular file"):
        Follower(tmp_path).new_events()
    with pytest.raises(OSError, match="no regular file"):
        list(read_events(tmp_path))


def test_lines_of_a_later_version_are_passed_over(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "events.jsonl").read_bytes()
    (tmp_path / "events.jsonl").write_bytes(b'{"kind": "from the future", "t": 1}\n\xff\x00\n' + whole)
    follower = Follower(tmp_path)
    assert follower.new_events() == list(read_events(folder))
