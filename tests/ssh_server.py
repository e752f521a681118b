"""A real SSH server on loopback, with keys, settings and a port of its own, that leaves nothing behind."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import pytest

from tests import held
from tests.terminal import Terminal

PROGRAMS = {name: shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin") for name in ("sshd", "ssh")}
_CLIENT = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
_OWN_RUN = "mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec"
"""For root the server wants an empty folder in /run, which it gets in a /run that nobody else sees."""


class SshServer:
    """Use it as a context, which ends the server and whatever it has started; skips the test where there is none."""

    def __init__(self, folder: Path) -> None:
        """Prepare one whose files are in `folder`."""
        if None in PROGRAMS.values():
            pytest.skip("there is no SSH server here")
        self._folder = folder
        self._seen: set[psutil.Process] = set()

    def __enter__(self) -> Self:
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._folder / key], check=True)
        for _ in range(5):
            if self._begin():
                return self
            if "Address already in use" not in self._log():
                break
        pytest.skip(f"an SSH server can't be started here: {self._log()}")

    def _begin(self) -> bool:
        """Begin to serve at a port that was free; returns whether it answers."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        settings = self._folder / "settings"
        settings.write_text(
            f"ListenAddress 127.0.0.1:{self._port}\nHostKey {self._folder}/host\n"
            f"AuthorizedKeysFile {self._folder}/user.pub\nPidFile none\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nStrictModes no\nUsePAM no\n"
        )
        words = [str(PROGRAMS["sshd"]), "-D", "-e", "-f", str(settings)]
        if os.getuid() == 0 and not Path("/run/sshd").exists():
            words = ["unshare", "--mount", "sh", "-c", f"{_OWN_RUN} {shlex.join(words)}"]
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 120
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                self._process.wait()
                return False
            time.sleep(0.05)
        return self._process.poll() is None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.look()
        for process in self._seen:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.kill()
        self._process.wait()

    def regtui(self, *words: str | Path, cwd: Path, program: Sequence[str] = ("-m", "regtui")) -> Terminal:
        """The program at the other end of a new connection, in a terminal here."""
        variables = [f"{name}={value}" for name, value in os.environ.items() if name.startswith(("REGTUI_", "XDG_"))]
        command = ["env", *variables, sys.executable, *program, *map(str, words)]
        options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
        return Terminal(
            *("-c", _CLIENT, str(PROGRAMS["ssh"]), "-F", "none", "-i", self._folder / "user", "-p", str(self._port)),
            *(word for option in options for word in ("-o", option)),
            *("-tt", f"{getpass.getuser()}@127.0.0.1", f"cd {shlex.quote(str(cwd))} && exec {shlex.join(command)}"),
        )

    def kill_connections(self) -> None:
        """Kill the processes that serve connections; what they have started stays alone."""
        self.look()
        for process in self._living("sshd: ", "sshd-session: "):
            process.kill()

    def look(self) -> list[psutil.Process]:
        """The programs at the other ends of connections."""
        with suppress(psutil.NoSuchProcess):
            self._seen.update(psutil.Process(self._process.pid).children(recursive=True))
        return self._living("-m regtui", held.__file__)

    def _living(self, *words: str) -> list[psutil.Process]:
        found = []
        for process in self._seen:
            with suppress(psutil.NoSuchProcess):  # it has ended, or ends just now
                line = " ".join(process.cmdline())
                found += [process] * any(one in line for one in words)
        return found

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1) as client:
            return client.recv(4) == b"SSH-"
        return False

    def _log(self) -> str:
        return (self._folder / "server.log").read_text(errors="replace").strip()
