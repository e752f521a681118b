"""Processes that are forked from one that has imported torch: what they share, and how it is told when one ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from regtui.engine.crew import ProcessCrew
from regtui.engine.forkserver import ForkServer
from regtui.errors import RegtuiError
from regtui.import_path import without_current_folder
from regtui.processors import grant

pytestmark = pytest.mark.skipif(
    not ForkServer.is_possible() or grant().processors < 2,
    reason="elsewhere, and on one processor, each process is started by itself",
)


def processes(crew: ProcessCrew) -> list[psutil.Process]:
    """The processes, once it is told which they are, which may come after their first answers."""
    deadline = time.monotonic() + 120
    while True:
        found = [psutil.Process(process.pid) for process in crew.processes]
        if all(process.ppid() != os.getpid() for process in found):  # one not forked yet has the server's number
            return found
        assert time.monotonic() < deadline
        time.sleep(0.01)


def server(crew: ProcessCrew) -> psutil.Process:
    (parent,) = {process.parent() for process in processes(crew)}
    assert parent is not None
    return parent


def all_gone(some: list[psutil.Process]) -> bool:
    """Wait until they have ended; whoever has started them learns how, which `psutil.wait_procs` would prevent."""
    deadline = time.monotonic() + 120
    while any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in some) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in some)


@pytest.mark.slow
def test_what_is_imported_is_shared_and_how_a_process_ended_is_told() -> None:
    with ProcessCrew() as crew:
        crew.warm_up()
        parent, (first, second) = server(crew), processes(crew)
        assert parent.pid not in {psutil.Process().pid, first.pid, second.pid}
        memory = first.memory_full_info()
        assert memory.uss < memory.rss / 2, "more than half of it belongs to several"
        first.kill()
        with pytest.raises(RegtuiError, match="was killed by SIGKILL; the machine may have run out of memory"):
            crew.warm_up()
    assert all_gone([parent, first, second])


@pytest.mark.slow
def test_nothing_is_left_when_the_server_is_killed() -> None:
    with ProcessCrew() as crew:
        crew.warm_up()
        family = [server(crew), *processes(crew)]
        family[0].kill()
        assert all_gone(family)
        with pytest.raises(RegtuiError, match="a process that trains was killed by SIGKILL"):
            crew.warm_up()


@pytest.mark.slow
def test_a_server_that_stands_still_holds_up_nobody_and_who_ends_meanwhile_is_told() -> None:
    with ProcessCrew() as crew:
        crew.warm_up()
        family = [server(crew), *processes(crew)]
        family[0].send_signal(signal.SIGSTOP)
        family[1].kill()
        with pytest.raises(RegtuiError, match="a process that trains was killed"):
            crew.warm_up()
    assert all_gone(family)


@pytest.mark.slow
def test_where_a_library_has_started_threads_each_process_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = without_current_folder(sys.path)
    (tmp_path / "torch.py").write_text(
        "import sys, threading\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        f"sys.path.remove({str(tmp_path)!r})\n"
        "del sys.modules['torch']\n"
        "import torch\n"
    )
    with monkeypatch.context() as patched:
        patched.setattr("regtui.engine.child.without_current_folder", lambda _path: [str(tmp_path), *path])
        crew = ProcessCrew()
    with crew:
        assert crew.warm_up()
        assert {process.cmdline() != server(crew).cmdline() for process in processes(crew)} == {True}
