"""A run as a task of Ray, on whatever node it is: trains in a temporary folder and tells what happens part by part.

If the worker or the node dies, Ray runs the task again elsewhere and passes on only the parts that were not delivered
yet. So parts are cut by epochs, never by time, and each tells what came before it: whoever receives them can see
whether the second attempt has measured the same as the first.

With checkpoints each part has that of its epoch, and whoever receives it has another task go on from there; Ray itself
runs none of these again.
"""

from __future__ import annotations

import hashlib
import queue
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from regtui import __version__
from regtui.engine.run import RunResult
from regtui.errors import InputError, RegtuiError
from regtui.preset.file import to_toml
from regtui.preset.model import Preset
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import EpochDone, Event, Saving, Stalled, StepsDone, Suspended
from regtui.runs.checkpoint import MANIFEST, named, read_manifest
from regtui.runs.circumstances import CIRCUMSTANCES
from regtui.runs.log import CHECKPOINT, PRESET, joined
from regtui.study.alone import go_on_alone, run_alone


class RunPart(NamedTuple):
    """A part of what a run tells.

    Attributes:
        attempt: Differs for each attempt of the task.
        where: The node.
        before: A hash of what was measured before this part; see `chained`.
        events: What has happened since the part before; the steps of an epoch are one event for each arm.
        saved: What is new of the checkpoint, and who trains: files of the run's folder, by their path in it.
        files: With the last part: the other files of the run's folder.
        fault: With the last part, of a run that could not begin: why.
    """

    attempt: str
    where: str
    before: str
    events: tuple[Event, ...]
    saved: dict[str, bytes] = {}  # noqa: RUF012, nobody changes it
    files: dict[str, bytes] | None = None
    fault: RegtuiError | None = None


def make(
    preset: Preset, threads: int, checkpoints: bool, version: str, cut_off: dict[str, bytes] | None = None
) -> Iterator[RunPart]:
    """Make a run, or go on with one.

    Args:
        preset: What to train.
        threads: Threads with which it computes.
        checkpoints: Whether it saves its weights after each epoch.
        version: The caller's version of regtui.
        cut_off: What it takes to go on with a run that was cut off; see `regtui.study.cut_off.essence`.
    """
    attempt, where, before = secrets.token_hex(4), socket.gethostname(), ""
    if version != __version__:
        yield RunPart(attempt, where, before, (), fault=RegtuiError(wrong_version(where, __version__, version)))
        return
    with tempfile.TemporaryDirectory(prefix="regtui-") as folder:
        work = _Work(preset, Path(folder), threads, checkpoints, cut_off)
        try:
            for told, saved in work:
                yield RunPart(attempt, where, before, told, saved)
                before = chained(before, told)
        finally:  # a task that is cancelled leaves nothing behind in its worker
            work.stop()
        if work.unforeseen is not None:
            raise work.unforeseen
        told, saved = work.cut()
        yield RunPart(attempt, where, before, told, saved, None if work.fault else work.files(), work.fault)


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
    """The run, in a thread of its own: a loop over it gets its epochs as they happen, but for the last."""

    def __init__(
        self, preset: Preset, runs: Path, threads: int, checkpoints: bool, cut_off: dict[str, bytes] | None
    ) -> None:
        self.fault: RegtuiError | None = None
        self.unforeseen: Exception | None = None
        self._preset, self._runs, self._threads, self._checkpoints = preset, runs, threads, checkpoints
        self._cut_off = cut_off
        self._folder: Path | None = None
        self._sent: set[str] = set()
        self._control = Control()
        self._lock = threading.Lock()  # that a disk hangs is told by another thread
        self._events: list[Event] = []
        # What holds weights is not heaped up: training waits if nobody takes it.
        at_once = 1 if checkpoints or cut_off is not None else 0
        self._parts: queue.Queue[tuple[tuple[Event, ...], dict[str, bytes]] | None] = queue.Queue(at_once)
        self._thread = threading.Thread(target=self._conduct, name="run", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[tuple[tuple[Event, ...], dict[str, bytes]]]:
        while (part := self._parts.get()) is not None:
            yield part

    def cut(self) -> tuple[tuple[Event, ...], dict[str, bytes]]:
        """What was told since the last cut, and what is new of the checkpoint that belongs to it."""
        with self._lock:
            told, self._events = _told(self._events), []
        return told, self._saved()

    def files(self) -> dict[str, bytes]:
        """The files of the folder of a run that has ended, by their path in it, without those of the checkpoint."""
        assert self._folder is not None
        paths = {path.relative_to(self._folder): path for path in sorted(self._folder.rglob("*")) if path.is_file()}
        return {name.as_posix(): path.read_bytes() for name, path in paths.items() if name.parts[0] != CHECKPOINT}

    def stop(self) -> None:
        """End it, if it goes on."""
        if self._thread.is_alive():
            self._control.send(Stop(at_once=True))
        while self._thread.is_alive():
            with suppress(queue.Empty):
                self._parts.get_nowait()
            self._thread.join(0.05)

    def _saved(self) -> dict[str, bytes]:
        with suppress(OSError, InputError):  # the disk fails, as the run tells itself
            if self._folder is not None and (manifest := read_manifest(self._folder / CHECKPOINT)) is not None:
                names = {f"{CHECKPOINT}/{name}" for name in named(manifest)}
                wanted = (*(names - self._sent), f"{CHECKPOINT}/{MANIFEST}", CIRCUMSTANCES)
                saved = {name: (self._folder / name).read_bytes() for name in wanted}
                self._sent = names
                return saved
        return {}

    def _conduct(self) -> None:
        try:
            self._folder = self._run().folder
        except RegtuiError as error:
            self.fault = error
        except Exception as error:
            self.unforeseen = error
        finally:
            self._parts.put(None)

    def _run(self) -> RunResult:
        if self._cut_off is not None:
            folder = self._runs / "cut-off"
            for name, content in {**self._cut_off, PRESET: to_toml(self._preset).encode()}.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            self._folder = folder
            with suppress(InputError):  # it is damaged, or asks for what is not there, as will be told below
                return go_on_alone(folder, self._threads, control=self._control, emit=self._hear)
            shutil.rmtree(folder)
        return run_alone(
            self._preset,
            self._runs,
            self._threads,
            checkpoints=self._checkpoints,
            control=self._control,
            emit=self._hear,
            begun=self._begun,
        )

    def _begun(self, folder: Path) -> None:
        self._folder = folder

    def _hear(self, event: Event) -> None:
        """Take in what the run tells, in its thread, in which no checkpoint is replaced meanwhile."""
        if isinstance(event, StepsDone) and any(isinstance(earlier, EpochDone) for earlier in self._events):
            self._parts.put(self.cut())
        with self._lock:
            self._events.append(event)


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
