"""A run can be watched and steered from other processes, whatever those do."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regtui.protocol.control import (
    Command,
    HandOver,
    Pause,
    Resume,
    SetLearningRate,
    SetMinDelta,
    SetPatience,
    SetStrength,
    Stop,
)
from regtui.protocol.events import StepsDone
from regtui.protocol.who import Who
from regtui.remote import feed, server, service, visitor
from regtui.remote.wire import LONGEST_REQUEST, RefusedError, line_of, request_of
from tests.conftest import small_preset
from tests.remote_double import OpenRun, Raw, Watcher, wait_for
from tests.telling import Telling

PRESET = small_preset(train={"epochs": 1000})
ARMS = list(PRESET.arms())


@pytest.fixture
def telling() -> Telling:
    return Telling(PRESET).start()


@pytest.fixture
def going(tmp_path: Path, telling: Telling) -> Iterator[OpenRun]:
    with OpenRun.going_on(tmp_path, PRESET) as one:
        one.tell(telling.events[0])
        yield one


# What it tells


losses = st.lists(st.none() | st.floats(0, 9), min_size=1, max_size=5)
happenings = st.one_of(
    st.tuples(st.just("steps"), st.sampled_from(ARMS), losses),
    st.tuples(st.just("epoch"), st.floats(0, 9) | st.none()),
    st.tuples(st.just("pause"), st.booleans()),
    st.tuples(st.just("knob"), st.sampled_from([None, *ARMS]), st.integers(1, 9)),
    st.tuples(st.sampled_from(["attach", "leave", "remove", "cut", "move"])),
)


@settings(max_examples=25)
@given(st.lists(happenings, max_size=20))
def test_a_viewer_knows_at_any_moment_what_the_trainer_knows(
    tmp_path_factory: pytest.TempPathFactory, happenings: list[tuple[Any, ...]]
) -> None:
    watchers: list[Watcher] = []
    with OpenRun.going_on(tmp_path_factory.mktemp("logs"), PRESET) as going:
        telling, told = Telling(PRESET).start(), 0
        for happening in happenings:
            happen(happening, telling, going.folder)
            for event in telling.events[told:]:
                going.tell(event)
            told = len(telling.events)
            if happening == ("attach",):
                watchers.append(Watcher(going.folder))
                watchers[-1].link.connect()
            if happening == ("leave",) and watchers:
                watchers.pop().link.close()
            wait_for(lambda: all(watcher.history == going.history for watcher in watchers))
        going.finish()
        wait_for(lambda: all(watcher.ends for watcher in watchers))
    for watcher in watchers:
        assert (watcher.ends, watcher.begun) == ([""], 1)
        assert watcher.history == going.history


def happen(happening: tuple[Any, ...], telling: Telling, folder: Path) -> None:
    match happening:
        case ["steps", arm, losses]:
            telling.steps(arm, losses)
        case ["epoch", loss]:
            for arm in ARMS:
                telling.epoch(arm, loss)
        case ["pause", paused]:
            telling.pause(paused=paused)
        case ["knob", arm, patience]:
            telling.control(arm, "patience", patience)
        case [("remove" | "cut" | "move") as what]:  # the log notices it with its next line, and mends it
            if what == "remove":
                (folder / "events.jsonl").unlink(missing_ok=True)
            elif what == "cut":
                os.truncate(folder / "events.jsonl", 10)
            else:
                folder.rename(folder.with_name("moved"))
            telling.pause()


def test_what_could_not_be_written_is_told_too(
    going: OpenRun, telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("regtui.runs.event_file._write", full)
        for event in telling.epochs([1, 0.5], [1, 0.4]).steps("baseline", [1, 2]).events[1:]:
            going.tell(event)
        watcher = Watcher(going.folder)
        watcher.link.connect()
        wait_for(lambda: watcher.history == going.history)
        assert "log" in watcher.history.unsaved
        assert watcher.history.epochs == 2
    watcher.link.close()


def test_viewers_are_told_how_it_ended(going: OpenRun) -> None:
    watcher = Watcher(going.folder)
    watcher.link.connect()
    going.finish()
    wait_for(lambda: watcher.ends)
    assert watcher.history.finished == going.history.finished
    late = Watcher(going.folder)
    late.link.connect()  # what was told of the end is in the file and comes by the socket: it is told once
    wait_for(lambda: late.ends)
    assert late.history == going.history


# What it takes


COMMANDS: list[Command] = [
    Stop(),
    Stop(at_once=True),
    Pause(),
    Resume(one_epoch=True),
    SetPatience(arm="regularized", patience=None),
    SetMinDelta(min_delta=0.1),
    SetStrength(arm="regularized", key="dropout.rate", value=0.25),
    SetLearningRate(learning_rate=1e-3),
]
REFUSED = {
    b"": "one JSON object in one line",
    b"3": "one JSON object in one line",
    b"{}": "with a 'command'",
    b'{"command": "eval"}': "'eval' is no command",
    b'{"command": "stop", "now": true}': "'now' is not part of this command",
    b'{"command": "set_patience"}': "'patience' is missing",
    b'{"command": "set_patience", "patience": 0}': "'patience': Input should be greater than or equal to 1",
    b'{"command": "set_strength", "arm": "a", "key": "b", "value": NaN}': "'value': Input should be a finite number",
    b'{"command": "stop", "at_once": "yes"}': "'at_once': Input should be a valid boolean",
    b'{"command": "stop", "by": {"pid": 1, "user": "root"}}': "who sends a command is told by the system",
    b'{"command": "hand_over"}': "only the process that trains hands a run over",
    b"[" * 4000: "one JSON object in one line",
}


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_a_command_reaches_the_trainer_with_the_name_of_its_sender(going: OpenRun, command: Command) -> None:
    with Raw(going.folder) as raw:
        raw.send(line_of(command))
        assert raw.line() == {"taken": command.command}
    assert going.control.take() == command.model_copy(update={"by": Who.here()})


@pytest.mark.parametrize("line", REFUSED)
def test_anything_else_is_refused_with_a_reason_and_noted(going: OpenRun, line: bytes) -> None:
    with Raw(going.folder) as raw:
        raw.send(line + b"\n", line_of(Pause()))
        assert REFUSED[line] in raw.line()["refused"]
        assert raw.line() == {"taken": "pause"}
    (noted,) = [json.loads(line) for line in (going.folder / service.REFUSALS).read_bytes().splitlines()]
    assert REFUSED[line] in noted["why"]
    assert noted["by"] == Who.here().model_dump()


@given(line=st.binary() | st.text().map(str.encode) | st.sampled_from(COMMANDS).map(lambda c: line_of(c)[:-1]))
def test_any_line_is_a_request_or_refused(line: bytes) -> None:
    try:
        said = line_of(request_of(line)).decode()
    except RefusedError as error:
        said = str(error) + "\n"
    assert said[:-1].isprintable()
    assert said.endswith("\n")
    assert len(said) < 500


requests = st.lists(
    st.binary(max_size=30) | st.sampled_from([*map(line_of, COMMANDS), b'{"command":"watch"}\n', b"{}\n"]), max_size=8
)


def test_any_bytes_end_in_an_answer_or_a_refusal_of_each_line(going: OpenRun) -> None:
    @given(requests)
    def check(sent: list[bytes]) -> None:
        together = b"".join(sent)
        with Raw(going.folder) as raw:
            raw.send(together)
            raw.done()
            said = raw.lines()
        answers = [one for one in said if "event" not in one]
        assert len(answers) == together.count(b"\n") + (together[-1:] not in {b"", b"\n"})
        assert all(one.keys() <= {"taken", "refused", "watching"} for one in answers)

    check()
    assert not any("Error(" in note for note in noted(going))


def test_a_viewer_tells_why_a_command_was_not_taken(going: OpenRun) -> None:
    watcher = Watcher(going.folder)
    watcher.link.connect()
    watcher.link.send(HandOver())
    wait_for(lambda: watcher.said)
    assert watcher.said == ["only the process that trains hands a run over"]
    watcher.link.close()
    watcher.link.send(Pause())
    assert watcher.said[1:] == ["the run takes no commands at the moment"]


def noted(going: OpenRun) -> list[str]:
    path = going.folder / service.REFUSALS
    return [json.loads(line)["why"] for line in path.read_bytes().splitlines()] if path.exists() else []


# Bounds


def test_a_line_that_is_too_long_ends_the_connection(going: OpenRun) -> None:
    with Raw(going.folder) as raw:
        raw.send(line_of(Pause()).rstrip() + b" " * (LONGEST_REQUEST - len(line_of(Pause()))) + b"\n")
        assert raw.line() == {"taken": "pause"}
        raw.send(b"x" * (LONGEST_REQUEST + 1))
        assert raw.lines() == [{"refused": f"a request has at most {LONGEST_REQUEST:,} bytes"}]


def test_who_asks_too_often_is_refused_and_then_let_go(going: OpenRun, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()  # at which the clock stands still, so that a busy machine grants no more
    monkeypatch.setattr(visitor, "time", SimpleNamespace(monotonic=lambda: now))
    with Raw(going.folder) as raw:
        raw.send(line_of(Pause()) * 1000)
        said = raw.lines()
    taken = [one for one in said if "taken" in one]
    assert len(taken) == visitor.REQUESTS
    assert {one["refused"] for one in said[len(taken) :] if "refused" in one} == {
        f"at most {visitor.A_SECOND} requests a second are taken"
    }
    assert len(said) < 300


def test_commands_that_nobody_takes_are_bounded(going: OpenRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, "COMMANDS", 3)
    with Raw(going.folder) as raw:
        raw.send(line_of(Pause()) * 4)
        assert [raw.line() for _ in range(3)] == [{"taken": "pause"}] * 3
        assert "has not taken" in raw.line()["refused"]
        raw.send(line_of(Stop()))
        assert raw.line() == {"taken": "stop"}
    assert going.control.stop_requested


def test_notes_of_refusals_can_not_fill_the_disk(going: OpenRun) -> None:
    for _ in range(40):
        with Raw(going.folder) as raw:
            raw.send(b"\n" * 40)
            raw.lines()
    size = (going.folder / service.REFUSALS).stat().st_size
    assert service.MOST_NOTED - 200 < size <= service.MOST_NOTED


def test_a_thousand_connections_leave_room_for_one_that_comes_later(
    going: OpenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor, "SILENT", 600.0)
    resource = pytest.importorskip("resource")
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(files, min(most, 4096)), most))
    many = [Raw(going.folder) for _ in range(1000)]
    for raw in many:
        raw.send(line_of(Pause()))
    said = [raw.line() for raw in many]
    assert said.count({"taken": "pause"}) == service.VISITORS
    assert sum("connected already" in one.get("refused", "") for one in said) == 1000 - service.VISITORS
    for raw in many:
        raw.close()
    watcher = Watcher(going.folder)
    watcher.link.connect()
    wait_for(lambda: watcher.history == going.history)
    watcher.link.close()


def test_who_asks_nothing_is_let_go(going: OpenRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, "SILENT", 0.05)
    with Raw(going.folder) as raw:
        assert "must ask for something" in raw.line()["refused"]
        assert raw.lines() == []


def test_one_that_never_reads_is_let_go_and_the_others_are_not(going: OpenRun) -> None:
    watcher = Watcher(going.folder)
    watcher.link.connect()
    with Raw(going.folder) as dead:
        dead.send(b'{"command":"watch"}\n')
        assert dead.line()["watching"]
        slowest = 0.0
        for first in range(1, 10_001, 10):
            event = StepsDone(t=1, arm=ARMS[0], epoch=1, first_step=first, losses=[0.5] * 1000)
            began = time.perf_counter()
            going.tell(event)
            slowest = max(slowest, time.perf_counter() - began)
        assert slowest < 20.0, "training waited for it, who would let it wait for ever"
        assert dead.bytes_left() < 1_000_000, "of five million"
    going.finish()
    wait_for(lambda: watcher.ends)
    assert watcher.history == going.history


def test_one_that_never_reads_delays_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "GOODBYE", 0.05)
    monkeypatch.setattr(server, "PATIENCE", 60.0)
    with OpenRun.going_on(tmp_path, PRESET) as going, Raw(going.folder) as dead:
        going.tell(Telling(PRESET).start().events[0])
        dead.send(b'{"command":"watch"}\n')
        assert dead.line()["watching"]
        for first in range(1, 2001, 10):
            going.tell(StepsDone(t=1, arm=ARMS[0], epoch=1, first_step=first, losses=[0.5] * 1000))
        going.finish()
        began = time.monotonic()
    assert time.monotonic() - began < server.PATIENCE, "nobody waits for it longer than for a thread that hangs"
    assert [thread.name for thread in threading.enumerate() if thread.name == "remote"] == []


def test_a_viewer_that_was_too_slow_comes_back_and_misses_nothing(
    going: OpenRun, telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "KEPT", 20_000)
    watcher = Watcher(going.folder)
    watcher.link.connect()
    wait_for(lambda: watcher.history.started)
    watcher.pause.clear()
    for _ in range(9000):
        telling.steps(ARMS[0], [0.123456789])
        going.tell(telling.events[-1])
    watcher.pause.set()
    wait_for(lambda: watcher.begun > 1)
    wait_for(lambda: watcher.history == going.history)
    watcher.link.close()
