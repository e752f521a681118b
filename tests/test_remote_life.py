"""A viewer stays with a run that another process takes over, and is told what became of one that has gone."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtui.engine.crew import LocalCrew
from regtui.engine.resume import Changes, resume
from regtui.engine.run import HandedOver, RunResult, run
from regtui.errors import InputError
from regtui.protocol.control import Control, HandOver, Pause, SetPatience
from regtui.protocol.events import EpochDone, Event
from regtui.protocol.history import History
from regtui.protocol.who import Who
from regtui.remote import address, client, service
from regtui.remote.address import NAME, ForeignError
from regtui.remote.client import Link
from regtui.remote.wire import line_of
from regtui.runs.events import read_events
from tests.conftest import small_preset
from tests.remote_double import OpenRun, Raw, Watcher, wait_for
from tests.same_run import assert_same
from tests.telling import Telling

PRESET = small_preset(train={"epochs": 4}, regularized={"dropout": {"rate": 0.5}, "early_stopping": {"patience": 3}})


def ignore(_told: Event | str) -> None: ...


def test_a_viewer_sees_a_run_through_that_another_process_takes_over(tmp_path: Path) -> None:
    control, watchers = Control(), []

    def begun(folder: Path) -> None:
        watchers.append(Watcher(folder))
        watchers[0].link.connect()

    def emit(event: Event) -> None:
        if isinstance(event, EpochDone) and event.epoch == 2:
            control.send(HandOver())

    with pytest.raises(HandedOver) as handed:
        run(PRESET, tmp_path, control, emit, LocalCrew(), begun)
    (watcher,) = watchers
    folder = handed.value.folder
    assert not (folder / NAME).exists()
    wait_for(lambda: watcher.said)
    assert watcher.said == ["another process takes the run over"]
    assert watcher.ends == []
    result = resume(folder, Changes(), Control(), ignore, LocalCrew())
    wait_for(lambda: watcher.ends)
    assert (watcher.ends, watcher.begun) == ([""], 2)
    assert watcher.history == result.history == History.of(read_events(folder))
    assert len(watcher.history.seams) == 1


def test_a_viewer_of_a_run_that_ended_while_it_was_away_is_told_its_end(tmp_path: Path) -> None:
    """As after a hand-over to a process that had little left to train, or when it was too slow near the end."""
    with OpenRun.going_on(tmp_path, PRESET) as going:
        going.tell(Telling(PRESET).start().events[0])
        watcher = Watcher(going.folder)
        watcher.link.connect()
        wait_for(lambda: watcher.history == going.history)
    wait_for(lambda: watcher.said == ["another process takes the run over"])
    lines = (going.folder / "events.jsonl").read_bytes()
    (going.folder / "events.jsonl").write_bytes(lines + b'{"t":2,"kind":"run_finished","status":"finished"}\n')
    (going.folder / "summary.json").write_text("{}")
    wait_for(lambda: watcher.ends)
    assert watcher.ends == [""]
    assert watcher.history.finished is not None


def test_commands_of_a_viewer_change_the_run_and_name_their_sender(tmp_path: Path) -> None:
    seen = threading.Event()

    def begun(folder: Path) -> None:
        link = Link(folder, ignore, lambda _words: seen.set())
        link.connect()
        link.send(SetPatience(patience=1))
        wait_for(lambda: control.waiting)

    control = Control()
    result = run(PRESET, tmp_path, control, ignore, LocalCrew(), begun)
    assert seen.wait(120)
    assert {change.by for change in result.history.controls} == {Who.here()}
    assert result.history.interventions == 1


PROGRAM = """
import sys, time
from pathlib import Path
from tests.remote_double import OpenRun
from tests.test_remote_life import PRESET
from tests.same_run import assert_same
from tests.telling import Telling

with OpenRun.going_on(Path(sys.argv[1]), PRESET) as going:
    going.tell(Telling(PRESET).start().events[0])
    print(going.folder, flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_when_the_process_is_killed_its_viewer_is_told_what_to_do(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            assert process.stdout is not None
            folder = Path(process.stdout.readline().strip())
            watcher = Watcher(folder)
            watcher.link.connect()
            wait_for(lambda: watcher.history.started)
            process.send_signal(signal.SIGSTOP)
            os.waitpid(process.pid, os.WUNTRACED)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(client, "ANSWER", 0.1)
                patch.setattr(client, "STARTING", 0.1)
                assert "does not answer; was it made to stand still?" in why_not(folder)
            process.send_signal(signal.SIGCONT)
        finally:
            process.kill()
    wait_for(lambda: watcher.ends)
    assert watcher.ends == [f"nobody trains {folder} any more; regtui --resume {folder} goes on with it"]
    assert not (folder / NAME).exists(), "the socket that it left"
    assert why_not(folder) == watcher.ends[0]


# Who can't be attached to


def told(folder: Path, **changes: Any) -> None:
    known = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(known | changes))


@pytest.fixture
def unattached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of this process at which nobody listens."""
    monkeypatch.setattr(client, "STARTING", 0.05)
    with OpenRun.going_on(tmp_path, PRESET) as going:
        going.tell(Telling(PRESET).start().events[0])
    return going.folder


def why_not(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        Link(folder, ignore, ignore).connect()
    return str(error.value)


def test_a_run_that_has_ended_is_reviewed(unattached: Path) -> None:
    (unattached / "summary.json").write_text("{}")
    assert why_not(unattached) == f"{unattached} has ended; regtui review {unattached} shows it"


def test_a_run_on_another_machine_is_attached_to_there(unattached: Path) -> None:
    told(unattached, host="calculon", locked=False)
    assert why_not(unattached) == f"{unattached} is trained on calculon; attach to it there"


def test_a_run_that_nobody_trains_is_resumed(unattached: Path) -> None:
    told(unattached, pid=None)
    assert why_not(unattached) == f"nobody trains {unattached} any more; regtui --resume {unattached} goes on with it"


def test_a_run_that_does_not_listen_is_followed(unattached: Path) -> None:
    assert why_not(unattached) == f"{unattached} can't be attached to; regtui review {unattached} follows it"


def test_a_run_of_another_user_is_theirs(unattached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ForeignError(1, "it belongs to another user")

    monkeypatch.setattr(client, "connect", refuse)
    assert why_not(unattached) == f"{unattached} is trained by another user, and only they can attach to it"


def test_a_folder_without_a_run_is_none(tmp_path: Path) -> None:
    assert why_not(tmp_path) == f"{tmp_path} is no folder of a run"
    assert why_not(tmp_path / "none") == f"{tmp_path / 'none'} is no folder of a run"


def test_where_many_watch_already_one_more_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "STARTING", 0.05)
    with OpenRun.going_on(tmp_path, PRESET) as going:
        many = [Raw(going.folder) for _ in range(service.VISITORS)]
        many[-1].send(line_of(Pause()))
        assert many[-1].line() == {"taken": "pause"}
        assert why_not(going.folder) == f"{going.folder}: 32 viewers are connected already"
        for raw in many:
            raw.close()


def test_a_server_that_is_not_of_this_user_is_not_spoken_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenRun.going_on(tmp_path, PRESET) as going:
        monkeypatch.setattr(address, "peer_of", lambda _connection: address.Peer(7, 4242))
        monkeypatch.setattr(os, "geteuid", lambda: 4243)
        with pytest.raises(ForeignError):
            Raw(going.folder)


def test_a_log_that_is_damaged_is_read_again_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "AFTER_DAMAGE", 0.02)
    telling = Telling(PRESET).start()
    with OpenRun.going_on(tmp_path, PRESET) as going:
        going.tell(telling.events[0])
        os.truncate(going.folder / "events.jsonl", 10)
        watcher = Watcher(going.folder)
        watcher.link.connect()
        wait_for(lambda: watcher.said)
        assert "the log is damaged" in watcher.said[0]
        going.tell(telling.pause().events[-1])
        wait_for(lambda: watcher.history == going.history)
        watcher.link.close()


def test_a_stop_from_outside_stops_the_run(tmp_path: Path) -> None:
    control = Control()

    def begun(folder: Path) -> None:
        with Raw(folder) as raw:
            raw.send(b'{"command":"stop","at_once":true}\n')
            assert raw.line() == {"taken": "stop"}

    result: RunResult = run(PRESET, tmp_path, control, ignore, LocalCrew(), begun)
    assert result.summary.status == "stopped"
    assert control.stop_at_once


@pytest.mark.slow
def test_visitors_who_say_anything_change_no_number(tmp_path: Path) -> None:
    chance, over, visits = random.Random(1), threading.Event(), []

    def disturb(folder: Path) -> None:
        while not over.is_set():
            with suppress(OSError), Raw(folder) as raw:
                raw.send(b'{"command":"watch"}\n' * chance.randint(0, 1), chance.randbytes(chance.randint(0, 300)))
                raw.done()
                visits.append(raw.bytes_left())

    def begun(folder: Path) -> None:
        threads.append(threading.Thread(target=disturb, args=(folder,)))
        threads[0].start()

    def let_in(event: Event) -> None:
        if isinstance(event, EpochDone) and event.epoch == 2:
            wait_for(lambda: len(visits) > 10)

    threads: list[threading.Thread] = []
    quiet = run(PRESET, tmp_path / "quiet", Control(), ignore, LocalCrew())
    try:
        disturbed = run(PRESET, tmp_path / "disturbed", Control(), let_in, LocalCrew(), begun)
    finally:
        over.set()
        threads[0].join()
    assert len(visits) > 10
    (disturbed.folder / service.REFUSALS).unlink()
    assert_same(disturbed.folder, quiet.folder)


said = st.lists(
    st.binary(max_size=40)
    | st.sampled_from(
        [
            b'{"event":{"t":1,"kind":"paused","epoch":1,"step":1}}\n',
            b'{"event":{"t":1,"kind":"of a later version"}}\n',
            b'{"refused":"\\u001b[31m"}\n',
            b'{"bye":"ended"}\n',
            b"[" * 500 + b"\n",
        ]
    ),
    max_size=6,
)


@given(said)
def test_whatever_a_server_says_a_viewer_comes_to_an_end(lines: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    attempts = [ours]

    def connect(*_: object) -> socket.socket:
        if not attempts:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens")
        return attempts.pop()

    with pytest.MonkeyPatch.context() as patch, theirs:
        patch.setattr(client, "connect", connect)
        theirs.sendall(b'{"watching":{"folder":"/nowhere","size":0}}\n' + b"".join(lines))
        theirs.shutdown(socket.SHUT_WR)
        watcher = Watcher(Path("/nowhere"))
        watcher.link.connect()
        wait_for(lambda: watcher.ends)
    assert all(words.isprintable() for words in (*watcher.said, *watcher.ends))


def test_where_too_many_files_are_open_viewers_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "AFTER_FAULT", 0.01)
    failures = [OSError(errno.EMFILE, "Too many open files")] * 3
    accept = socket.socket.accept

    def fail(listener: socket.socket) -> Any:
        if failures:
            raise failures.pop()
        return accept(listener)

    with OpenRun.going_on(tmp_path, PRESET) as going:
        going.tell(Telling(PRESET).start().events[0])
        monkeypatch.setattr(socket.socket, "accept", fail)
        watcher = Watcher(going.folder)
        watcher.link.connect()
        wait_for(lambda: watcher.history == going.history)
        assert not failures
        watcher.link.close()
