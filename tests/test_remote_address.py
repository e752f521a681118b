"""The socket of a run: only for its user, wherever the run's folder is, and gone when the run is."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from regtui.engine.run import run
from regtui.protocol.control import Control
from regtui.protocol.events import Event, RunFinished, Unattachable
from regtui.remote import address, service
from regtui.remote.address import NAME, Listening, Peer, TakenError, listen
from regtui.runs.files import read_json
from tests.conftest import small_preset
from tests.remote_double import OpenRun, Raw, Watcher, wait_for
from tests.scripted import ScriptedCrew
from tests.telling import Telling

PRESET = small_preset()
LOSSES = {"baseline": [1.0, 0.9, 0.8], "regularized": [1.1, 0.9, 0.7]}


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's runtime folder."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder / "regtui"


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's folder is on a disk that has no sockets."""
    made = Listening.__init__

    def only_elsewhere(self: Listening, folder: Path, name: str) -> None:
        if name == NAME:
            raise OSError(95, "Operation not supported")
        made(self, folder, name)

    monkeypatch.setattr(Listening, "__init__", only_elsewhere)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o777])
def test_only_its_user_may_connect_whatever_the_umask(
    tmp_path: Path, mask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    bound = socket.socket.listen

    def look(one: socket.socket, backlog: int) -> None:
        seen.append((mode_of(Path(one.getsockname()).parent), mode_of(Path(one.getsockname()))))
        bound(one, backlog)

    monkeypatch.setattr(socket.socket, "listen", look)
    before = os.umask(mask)
    try:
        listening = listen(tmp_path)
    finally:
        os.umask(before)
    assert seen == [(0o700, 0o600)]
    assert mode_of(tmp_path / NAME) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    listening.remove()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", [40, 95, 107, 108, 250])
def test_the_path_of_a_run_may_be_long(tmp_path: Path, length: int) -> None:
    folder = tmp_path
    while len(str(folder)) < length:
        folder /= "x" * max(1, min(100, length - len(str(folder)) - 1))
    folder.mkdir(parents=True, exist_ok=True)
    listening = listen(folder)
    assert listening.path == folder / NAME
    with Raw(folder):
        pass
    listening.remove()
    assert not list(folder.iterdir())


@pytest.mark.usefixtures("no_sockets")
def test_where_the_disk_has_no_sockets_it_is_in_the_user_s_runtime_folder(tmp_path: Path, runtime: Path) -> None:
    with OpenRun.going_on(tmp_path / "logs", PRESET) as going:
        going.tell(Telling(PRESET).start().events[0])
        (made,) = runtime.iterdir()
        assert read_json(going.folder / "run.json")["socket"] == str(made)
        assert (mode_of(runtime), mode_of(made)) == (0o700, 0o600)
        watcher = Watcher(going.folder)
        watcher.link.connect()
        wait_for(lambda: watcher.history == going.history)
        watcher.link.close()
    assert not list(runtime.iterdir())


@pytest.mark.usefixtures("no_sockets")
def test_where_there_can_be_none_the_run_goes_on_and_says_so_once(tmp_path: Path, runtime: Path) -> None:
    runtime.write_text("something else")
    events: list[Event] = []
    result = run(PRESET, tmp_path / "logs", Control(), events.append, ScriptedCrew(LOSSES))
    assert result.summary.status == "finished"
    (word,) = [event for event in events if isinstance(event, Unattachable)]
    assert word.words.startswith(
        "nobody can attach to this run: there is no socket in its folder (Operation not supported) and none in the "
        "user's runtime folder ("
    )
    assert isinstance(events[-1], RunFinished)


def test_without_another_thread_the_run_goes_on_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = threading.Thread.start

    def no_more(thread: threading.Thread) -> None:
        if thread.name == "remote":
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", no_more)
    events: list[Event] = []
    result = run(PRESET, tmp_path, Control(), events.append, ScriptedCrew(LOSSES))
    assert result.summary.status == "finished"
    assert [event.words for event in events if isinstance(event, Unattachable)] == [
        "nobody can attach to this run: can't start new thread"
    ]
    assert not (result.folder / NAME).exists()


def test_a_server_that_fails_does_not_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(service.Service, "serve", fail)
    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        wait_for(lambda: not any(thread.name == "remote" for thread in threading.enumerate()))

    result = run(PRESET, tmp_path, Control(), emit, ScriptedCrew(LOSSES))
    assert result.summary.status == "finished"
    assert [event.words for event in events if isinstance(event, Unattachable)] == [
        "nobody can attach to this run: a defect"
    ]
    assert not (result.folder / NAME).exists()


@pytest.mark.parametrize("failing", [None, ZeroDivisionError("a defect"), KeyboardInterrupt()])
def test_the_socket_goes_with_the_run_however_that_ends(tmp_path: Path, failing: BaseException | None) -> None:
    seen: list[bool] = []

    def emit(_event: Event) -> None:
        seen.append((next(tmp_path.iterdir()) / NAME).exists())
        if failing and len(seen) == 5:
            raise failing

    with suppress(KeyboardInterrupt):
        run(PRESET, tmp_path, Control(), emit, ScriptedCrew(LOSSES))
    (folder,) = tmp_path.iterdir()
    assert all(seen)
    assert not (folder / NAME).exists()
    assert not any(thread.name == "remote" for thread in threading.enumerate())


def test_a_socket_that_nobody_listens_at_is_replaced_and_one_that_is_used_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # whose own path may be too long for a socket
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(NAME)
    listening = listen(tmp_path)
    with pytest.raises(TakenError):
        listen(tmp_path)
    listening.remove()
    (tmp_path / NAME).write_text("not ours")
    with pytest.raises(TakenError):
        listen(tmp_path)
    assert (tmp_path / NAME).read_text() == "not ours"


@pytest.mark.usefixtures("runtime")
def test_sockets_left_over_in_the_runtime_folder_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = address.runtime_folder()
    here = address._host()
    monkeypatch.chdir(folder)
    for name in (f"{here}-dead.sock", f"{here}-living.sock", "elsewhere-dead.sock"):
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(name)
    living = Listening(folder, f"{here}-living.sock")
    address.clean_runtime_folder()
    assert {path.name for path in folder.iterdir()} == {f"{here}-living.sock", "elsewhere-dead.sock"}
    living.remove()


def test_no_runtime_folder_is_made_only_to_be_cleaned(runtime: Path) -> None:
    address.clean_runtime_folder()
    assert not runtime.exists()
    runtime.parent.rmdir()
    address.clean_runtime_folder()
    assert not runtime.parent.exists()


def test_a_runtime_folder_in_which_others_may_write_is_not_used(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_runtime_path", lambda *_, **__: runtime)
    runtime.parent.chmod(0o777)
    with pytest.raises(OSError, match="others may write"):
        address.runtime_folder()


@pytest.mark.parametrize("named", ["/etc/passwd", "relative.sock", "/run/user/0/bus", 3, None])
def test_a_folder_can_not_name_a_socket_of_another_program(tmp_path: Path, named: object) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"socket": named}))
    with pytest.raises(FileNotFoundError) as error:
        address.connect(tmp_path, 1)
    assert NAME in str(error.value) or error.value.filename is None


def test_who_is_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenRun.going_on(tmp_path, PRESET) as going:
        monkeypatch.setattr(service, "peer_of", lambda _connection: Peer(7, os.geteuid() + 1))
        with Raw(going.folder) as raw:
            raw.send(b'{"command":"stop"}\n')
            assert raw.lines() == [{"refused": "this run belongs to another user"}]
        assert going.control.take() is None
        (noted,) = (going.folder / service.REFUSALS).read_text().splitlines()
        assert json.loads(noted)["by"] == {"pid": 7, "user": str(os.geteuid() + 1)}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_can_not_connect() -> None:
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    place.chmod(0o755)
    listening = listen(place)
    other = [
        sys.executable,
        "-c",
        f"import os, socket; os.setuid(65534); socket.socket(socket.AF_UNIX).connect({str(place / NAME)!r})",
    ]
    try:
        ended = subprocess.run(other, capture_output=True, text=True, check=False)
        assert "PermissionError" in ended.stderr
    finally:
        listening.remove()
        place.rmdir()


def test_the_socket_comes_back_where_its_folder_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LOOK", 0.02)
    telling = Telling(PRESET).start()
    with OpenRun.going_on(tmp_path, PRESET) as going:
        going.tell(telling.events[0])
        early = Watcher(going.folder)
        early.link.connect()
        shutil.rmtree(going.folder.rename(tmp_path / "removed"))
        going.tell(telling.pause().events[-1])
        late = Watcher(going.folder)
        late.link.connect()
        wait_for(lambda: early.history == late.history == going.history)
    assert not (going.folder / NAME).exists()


@pytest.mark.usefixtures("no_sockets")
def test_the_socket_comes_back_when_its_user_has_logged_in_again(
    tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd removes the user's runtime folder at the last logout, and makes it anew at the next login."""
    monkeypatch.setattr(service, "LOOK", 0.02)
    with OpenRun.going_on(tmp_path / "logs", PRESET) as going:
        going.tell(Telling(PRESET).start().events[0])
        shutil.rmtree(runtime.parent.rename(tmp_path / "logged out"))
        time.sleep(0.1)
        runtime.parent.mkdir(mode=0o700, exist_ok=True)
        wait_for(lambda: runtime.exists() and list(runtime.glob("*.sock")))
        watcher = Watcher(going.folder)
        watcher.link.connect()
        wait_for(lambda: watcher.history == going.history)
        watcher.link.close()
    assert not list(runtime.iterdir())


def test_a_viewer_follows_a_run_whose_folder_is_renamed(tmp_path: Path) -> None:
    telling = Telling(PRESET).start()
    with OpenRun.going_on(tmp_path, PRESET) as going:
        going.tell(telling.events[0])
        watcher = Watcher(going.folder)
        watcher.link.connect()
        going.folder.rename(tmp_path / "elsewhere")
        going.tell(telling.pause().events[-1])
        wait_for(lambda: watcher.link.folder == tmp_path / "elsewhere")
        late = Watcher(tmp_path / "elsewhere")
        late.link.connect()
        wait_for(lambda: late.history == watcher.history == going.history)
        going.finish()
    wait_for(lambda: watcher.ends == late.ends == [""])
    assert not (tmp_path / "elsewhere" / NAME).exists()


def test_a_run_of_a_study_has_none(tmp_path: Path) -> None:
    seen: list[str] = []

    def emit(_event: Event) -> None:
        seen.extend(path.name for path in next(tmp_path.iterdir()).iterdir())
        seen.extend(thread.name for thread in threading.enumerate())

    run(PRESET, tmp_path, Control(), emit, ScriptedCrew(LOSSES), attachable=False)
    assert not {NAME, "remote"} & {*seen}
