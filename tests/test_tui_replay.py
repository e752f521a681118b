"""A saved run is read into a session, whatever state its log is in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from regtui.engine.run import run
from regtui.protocol.control import Control
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.runs.follow import BLOCK
from regtui.tui.review.replay import Replay
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.4]})
    return run(small_preset(), tmp_path, Control(), lambda _: None, crew).folder


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose log is read in several blocks."""
    preset = small_preset(data={"train_samples": 48_000}, train={"batch_size": 6, "epochs": 8})
    losses = [1.0 / epoch for epoch in range(1, 9)]
    crew = ScriptedCrew({"baseline": losses, "regularized": losses}, lambda _, step: 1 / step)
    folder = run(preset, tmp_path_factory.mktemp("long"), Control(), lambda _: None, crew).folder
    assert (folder / "events.jsonl").stat().st_size > 2 * BLOCK
    return folder


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
    assert damaged.verdicts == whole.verdicts
    assert damaged.error is None


@pytest.mark.parametrize("lost", [0, -1])
def test_a_log_without_start_or_end_says_so(folder: Path, lost: int) -> None:
    session = replayed(folder, lambda lines: [line for line in lines if line is not lines[lost]]).session
    session.take_in()
    assert session.verdicts == {}
    assert str(session.error).startswith("The log is damaged")


@pytest.mark.parametrize("content", [None, b"", b"\x1b[2J\x00\x07\n" * 9], ids=["removed", "empty", "garbled"])
def test_of_a_log_without_events_the_summary_is_told(folder: Path, content: bytes | None) -> None:
    path = folder / "events.jsonl"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    replay = Replay(folder, lambda: None)
    assert replay.catch_up()
    session = replay.session
    session.take_in()
    assert session.status == "finished"
    said = " ".join(" ".join(session.outcome()).replace("\N{NO-BREAK SPACE}", " ").split())
    assert "Test accuracy by its summary: baseline 50.00 %, regularized 25.00 %." in said
    assert ("its events can't be read" if content is None else "no usable events") in said


def test_a_log_without_events_and_summary_is_of_an_interrupted_run(folder: Path) -> None:
    for name in ("summary.json", "run.json"):
        (folder / name).unlink()
    session = replayed(folder, lambda _: []).session
    session.take_in()
    assert session.status == "interrupted"
    assert "Test accuracy" not in " ".join(session.outcome())


def test_a_long_log_is_told_no_faster_than_it_is_taken_in(long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regtui.tui.review.replay.CLOSED", 0.01)
    replay, taken = Replay(long, lambda: None), list[int]()
    for _ in range(5):  # of a screen that has been closed, it stops to read
        assert not replay.catch_up()
    over = False
    while not over:
        over = replay.catch_up()
        taken.append(sum(len(event.model_dump_json()) for event in replay.session.take_in()))
    assert len(taken) > 2
    assert max(taken) < 1.5 * BLOCK
    assert replay.session.history == History.of(read_events(long))
    assert replay.session.verdicts is not None


def test_a_long_log_is_read_at_one_go_by_who_takes_it_in(long: Path) -> None:
    def take_in() -> None:
        replay.session.take_in()

    replay = Replay(long, take_in)
    assert replay.catch_up()
    assert replay.session.history == History.of(read_events(long))
