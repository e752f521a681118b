"""A screen over SSH, of which the connection is cut while it trains: nothing is lost, and the next one goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.held import Gate
from tests.same_run import assert_whole
from tests.ssh_server import SshServer
from tests.test_study_local import wait_until
from tests.test_terminal import folder, summary, told

pytestmark = pytest.mark.slow


ENDLESS = ("--preset", "smoke", "--start", "--epochs", "100000", "--set", "train.learning_rate=0.03")


def test_a_killed_connection_leaves_a_run_that_the_next_one_ends(tmp_path: Path, mnist_file: Path) -> None:
    assert mnist_file.exists()
    logs = tmp_path / "logs"
    with SshServer(tmp_path) as server:
        with server.regtui("--log-dir", logs, *ENDLESS, cwd=tmp_path) as terminal:
            terminal.until(lambda: told(logs, "epoch_done"))
            server.kill_connections()
            terminal.wait()
        epoch = told(logs, "epoch_done")[-1].epoch
        with server.regtui("attach", folder(logs), cwd=tmp_path) as terminal:
            terminal.until(lambda: told(logs, "epoch_done")[-1].epoch > epoch + 3)
            terminal.until("patience on")  # in the footer, as soon as it can be steered
            pids = {process.pid for process in server.look()}
            terminal.press("p")
            terminal.press_until("y", lambda: told(logs, "run_finished"))  # it asks, where that ends the run at once
            terminal.until("Verdict")
            terminal.press("q")
            assert terminal.wait() == 0
        wait_until(lambda: (folder(logs) / "summary.json").exists())
    changed = told(logs, "control_applied")
    assert {(one.command, one.accepted) for one in changed} == {("set_patience", True)}
    assert all(one.by is not None and one.by.pid in pids for one in changed), "the log names who changed it"
    assert {event.reason for event in told(logs, "arm_stopped")} == {"early_stopping"}
    assert summary(logs)["status"] == "finished"


def test_a_run_without_a_screen_goes_on_without_its_connection(tmp_path: Path, mnist_file: Path) -> None:
    assert mnist_file.exists()
    logs = tmp_path / "logs"
    gate = Gate(tmp_path / "gate")
    words = ("--log-dir", logs, "--preset", "smoke", "--headless", "--epochs", "2")
    with SshServer(tmp_path) as server, server.regtui(*words, cwd=tmp_path, program=gate.program) as terminal:
        terminal.until(lambda: gate.waiting)
        server.kill_connections()
        assert terminal.wait() != 0
        gate.open()
        wait_until(lambda: (folder(logs) / "summary.json").exists())
        wait_until(lambda: not server.look())
    assert summary(logs)["status"] == "finished"
    assert_whole(folder(logs))
