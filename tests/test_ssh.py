"""A screen over SSH, of which the connection is cut while it trains: nothing is lost, and the next one goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.same_run import assert_whole
from tests.ssh_server import SshServer
from tests.test_study_local import wait_until
from tests.test_terminal import folder, summary, told

pytestmark = pytest.mark.slow


def test_a_run_without_a_screen_goes_on_without_its_connection(tmp_path: Path, mnist_file: Path) -> None:
    assert mnist_file.exists()
    logs = tmp_path / "logs"
    words = ("--log-dir", logs, "--preset", "smoke", "--headless", "--epochs", "15")
    with SshServer(tmp_path) as server, server.regtui(*words, cwd=tmp_path) as terminal:
        terminal.until(lambda: told(logs, "epoch_done"))
        server.kill_connections()
        assert terminal.wait() != 0
        wait_until(lambda: (folder(logs) / "summary.json").exists())
        wait_until(lambda: not server.look())
    assert summary(logs)["status"] == "finished"
    assert_whole(folder(logs))
