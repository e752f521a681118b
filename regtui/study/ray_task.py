"""A run as a task of Ray, on whatever node it is: trains in a temporary folder and tells what happens part by part.

If the worker or the node dies, Ray runs the task again elsewhere and passes on only the parts that were not delivered
yet. So parts are cut by epochs, never by time, and each tells what came before it: whoever receives them can see
whether the second attempt has measured the same as the first.
"""

from __future__ import annotations

import hashlib
import queue
import secrets
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from regtui import __version__
from regtui.errors import RegtuiError
from regtui.preset.model import Preset
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import EpochDone, Event, Saving, Stalled, StepsDone, Suspended
from regtui.runs.log import joined
from regtui.study.alone import run_alone


class RunPart(NamedTuple):
    """A part of what a run tells.

    Attributes:
        attempt: Differs for each attempt of the task.
        where: The node.
        before: A hash of what was measured before this part; see `chained`.
        events: What has happened since the part before; the steps of an epoch are one event for each arm.
        files: With the last part: the files of the run's folder, by their path in it.
        fault: With the last part, of a run that could not begin: why.
    """

    attempt: str
    where: str
    before: str
    events: tuple[Event, ...]
    files: dict[str, bytes] | None = None
    fault: RegtuiError | None = None


def make(preset: Preset, threads: int, checkpoints: bool, version: str) -> Iterator[RunPart]:
    """Make a run; `version` is the caller's version of regtui."""
    attempt, where, before = secrets.token_hex(4), socket.gethostname(), ""
    if version != __version__:
        yield RunPart(attempt, where, before, (), fault=RegtuiError(wrong_version(where, __version__, version)))
        return
    with tempfile.TemporaryDirectory(prefix="regtui-") as folder:
        work = _Work(preset, Path(folder), threads, checkpoints)
        try:
            events: list[Event] = []
            for event in work:
                if isinstance(event, StepsDone) and any(isinstance(earlier, EpochDone) for earlier in events):
                    told = _told(events)
                    yield RunPart(attempt, where, before, told)
                    before, events = chained(before, told), []
                events.append(event)
        finally:  # a task that is cancelled leaves nothing behind in its worker
            work.stop()
        if work.unforeseen is not None:
            raise work.unforeseen
        files = None if work.fault else _files(work.folder)
        yield RunPart(attempt, where, before, _told(events), files, work.fault)


def wrong_version(where: str, there: str, here: str) -> str:
    """That a node has another version of regtui than the caller."""
    return f"{where} has regtui {there}, and this is {here}; install the same version on all nodes"


def chained(before: str, events: tuple[Event, ...]) -> str:
    """A hash of what has been measured, times apart: of that before, and of these events."""
    digest = hashlib.sha256(before.encode())
    for event in events:
        if not isinstance(event, (Saving, Stalled, Suspended)):
            digest.update(event.model_dump_json(exclude={"t", "seconds", "train_seconds", "gpu_bytes"}).encode())
    return digest.hexdigest()[:16]


class _Work:
    """The run, in a thread of its own: a loop over it gets its events as they happen."""

    def __init__(self, preset: Preset, runs: Path, threads: int, checkpoints: bool) -> None:
        self.fault: RegtuiError | None = None
        self.unforeseen: Exception | None = None
        self.folder = runs
        self._arguments = preset, runs, threads
        self._checkpoints = checkpoints
        self._control = Control()
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="run", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Event]:
        while (event := self._events.get()) is not None:
            yield event

    def stop(self) -> None:
        """End it, if it goes on."""
        if self._thread.is_alive():
            self._control.send(Stop(at_once=True))
            self._thread.join()

    def _run(self) -> None:
        try:
            result = run_alone(
                *self._arguments, checkpoints=self._checkpoints, control=self._control, emit=self._events.put
            )
            self.folder = result.folder
        except RegtuiError as error:
            self.fault = error
        except Exception as error:
            self.unforeseen = error
        finally:
            self._events.put(None)


def _told(events: list[Event]) -> tuple[Event, ...]:
    """The events, the steps of each arm's epoch as one, as a log has them."""
    told: list[Event] = []
    steps: dict[str, list[StepsDone]] = {}
    for event in events:
        if isinstance(event, StepsDone):
            steps.setdefault(event.arm, []).append(event)
        else:
            told += [*map(joined, steps.values()), event]
            steps.clear()
    return (*told, *map(joined, steps.values()))


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
