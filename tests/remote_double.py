"""A run without a trainer, with a log and a server: a test tells its events, and others may attach to it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from regtui.preset.model import Preset
from regtui.protocol.control import Control
from regtui.protocol.events import Event, RunFinished
from regtui.protocol.history import History
from regtui.remote.address import connect
from regtui.remote.client import Link
from regtui.remote.server import serving
from regtui.runs.log import RunLog


class OpenRun:
    """A run that goes on while a test says so.

    Attributes:
        log: Its log.
        control: Has the commands that were sent to it.
        history: What the trainer's side knows.
        emitted: The events that the screen of the trainer got.
    """

    def __init__(self, log: RunLog, control: Control) -> None:
        self.log = log
        self.control = control
        self.history = History()
        self.emitted: list[Event] = []
        self._emit: Callable[[Event], object] = self.emitted.append

    @property
    def folder(self) -> Path:
        return self.log.folder

    def tell(self, event: Event) -> None:
        """What engine/run.py does with an event of the trainer."""
        self.history.add(event)
        saving = self.log(event)
        self._emit(event)
        for word in saving:
            self.tell(word)

    def finish(self, t: float = 1e6) -> None:
        """What engine/run.py does at the end."""
        finished = RunFinished(t=t, status="finished")
        for word in (*self.log(finished), *self.log.close(t)):
            self.history.add(word)
            self._emit(word)
        self.history.add(finished)
        self._emit(finished)

    @classmethod
    @contextmanager
    def going_on(cls, logs: Path, preset: Preset) -> Iterator[OpenRun]:
        control = Control()
        with RunLog(logs, preset) as log:
            run = cls(log, control)
            with serving(log, control, run.emitted.append, wanted=True) as run._emit:
                yield run


class Watcher:
    """Keeps what a link tells.

    Attributes:
        history: Of the events since the link began.
        ends: What it was told of the end.
        said: What it was told beside.
    """

    def __init__(self, folder: Path) -> None:
        self.history = History()
        self.ends: list[str] = []
        self.said: list[str] = []
        self.begun = 0
        self.pause = threading.Event()
        self.pause.set()
        self.link = Link(
            folder,
            self._add,
            self.ends.append,
            on_begin=self._begin,
            on_refused=self.said.append,
            on_wait=self.said.append,
        )

    def _begin(self, folder: Path) -> None:  # noqa: ARG002
        self.history = History()
        self.begun += 1

    def _add(self, event: Event) -> None:
        self.pause.wait()
        self.history.add(event)


def wait_for(condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.002)


class Raw:
    """A bare connection to a run's socket."""

    def __init__(self, folder: Path) -> None:
        self.socket = connect(folder, 120)
        self._file = self.socket.makefile("rb")

    def send(self, *lines: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it was let go already, and may read why
            self.socket.sendall(b"".join(lines))

    def line(self) -> dict[str, Any]:
        """What it says next; empty at the end."""
        line = self._file.readline()
        return json.loads(line) if line else {}

    def lines(self) -> list[dict[str, Any]]:
        """All that it says until it closes the connection."""
        said = []
        with suppress(ConnectionResetError):
            while one := self.line():
                said.append(one)
        return said

    def bytes_left(self) -> int:
        """How many bytes it says until it closes the connection."""
        left = 0
        try:
            while came := self.socket.recv(2**16):
                left += len(came)
        except ConnectionResetError:
            pass
        return left

    def done(self) -> None:
        """Say no more."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
