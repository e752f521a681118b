"""Makes the runs of a study on a Ray cluster: each a task on whatever node is free, its events back as they happen."""

from __future__ import annotations

import os
import pickle
import queue
import re
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from regtui.engine.child import Spawned
from regtui.engine.process import with_pipes
from regtui.errors import InputError, RegtuiError, unwritable
from regtui.files import write_whole
from regtui.preset.model import Preset
from regtui.processors import grant
from regtui.protocol.events import Event, Interrupted, RunFinished, StepsDone
from regtui.runs.checkpoint import MANIFEST, Manifest, commit, named
from regtui.runs.circumstances import CIRCUMSTANCES
from regtui.runs.events import read_events
from regtui.runs.log import CHECKPOINT, RunLog
from regtui.runs.summary import read_summary
from regtui.runs.unsaved import Unsaved, fault_at
from regtui.study.alone import on_what_was_asked_for
from regtui.study.cut_off import essence, keep, taken_over
from regtui.study.engine import Began, Ended, News, Told
from regtui.study.found_runs import drop_run, reached
from regtui.study.plan import Job
from regtui.study.ray_driver import RETRIES, Address, Lost, RayTask
from regtui.study.ray_task import RunPart, chained
from regtui.text import counted, one_line, quoted

REACHED = 5.0
"""Seconds in which a cluster's address must take a connection."""
JOINED = 120.0
"""Seconds in which a cluster must have been joined or started, and its nodes have answered."""
LEFT = 15.0
"""Seconds to leave a cluster in order; then its connection is cut."""
ATTEMPTS = 3
"""So often a run is begun whose parts do not fit together; then it is told as failed."""
_FAULT = re.compile(r"^\[.{10,60} [EFC] .{1,30}\] \S+: (.+?)(?:\. |\.?$)", re.MULTILINE)
"""What Ray says before it ends its program: '[time E process thread] file.cc:12: what. More'."""
_WITH_TOKEN = "it wants a token; set RAY_AUTH_MODE=token, and have the token in RAY_AUTH_TOKEN or ~/.ray/auth_token"
_CALLERS = ("preset.toml",)
"""Files that stay as the caller wrote them: on the node its own paths and devices are meant."""


@dataclass
class _Attempt:
    """A run that was begun.

    Attributes:
        job: What is run.
        runs: Below which its folder is.
        cut_off: The folder of a run that was cut off, which is gone on with.
        log: Its folder, once the first part has come.
        unwritten: Files of its checkpoint that could not be written yet, by their path in its folder.
        weights: Tells whether its checkpoint can be written.
        attempt: Which attempt of Ray's its last part was of.
        chain: A hash of what was measured so far.
        deaths: How often its worker or its node died.
        begun: How often it was begun by us.
    """

    job: Job
    runs: Path
    cut_off: Path | None = None
    log: RunLog | None = None
    unwritten: dict[str, bytes] = field(default_factory=dict)
    weights: Unsaved = field(
        default_factory=lambda: Unsaved("weights", "the weights are not saved", "the weights are saved again")
    )
    attempt: str = ""
    chain: str = ""
    deaths: int = 0
    begun: int = 1


class RayEngine:
    """Makes runs as tasks of Ray; see `regtui.study.engine.Engine`. The losses of steps are not told."""

    def __init__(
        self, address: str | None = None, jobs: int | None = None, threads: int = 1, *, checkpoints: bool = False
    ) -> None:
        """Plan the connection; entering the engine makes it.

        Args:
            address: Of a cluster to which this machine belongs, HOST:PORT or 'auto'. If left out, it is what
                RAY_ADDRESS says, as it does in jobs of Ray's own; without one, a cluster of this machine alone is
                started, and ended with the engine.
            jobs: Runs at the same time; if left out, as many as the cluster has processors for.
            threads: Processors of each.
            checkpoints: Whether runs save their weights after each epoch.

        Raises:
            InputError: Ray is not installed, the address is none, or nothing answers there.
        """
        if find_spec("ray") is None:
            raise InputError("--engine ray: Ray is not installed; install regtui[ray]")
        self._address = address or os.environ.get("RAY_ADDRESS") or None
        if self._address is not None:
            _check(self._address)
            _reach(self._address)
        self._jobs, self._threads, self._checkpoints = jobs, threads, checkpoints
        self._runs: dict[int, _Attempt] = {}
        self._own: set[psutil.Process] = set()
        self._begun = 0
        self._most = 0  # until the cluster has been joined
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()

    @property
    def room(self) -> int:
        """How many more runs would begin at once; none before the cluster has been joined."""
        return self._most - len(self._runs)

    def begin(self, job: Job, runs: Path) -> None:
        """Begin a run in a new folder below `runs`; returns at once."""
        self._submit(_Attempt(job, runs))

    def go_on(self, job: Job, run: Path) -> None:
        """Go on with a run that was cut off from its checkpoint; returns at once. If that can't be, it begins anew."""
        self._submit(_Attempt(job, run.parent, run))

    def news(self, timeout: float) -> list[News]:
        """What has happened since the last call, in order; waits up to `timeout` seconds for the first.

        Raises:
            RegtuiError: The cluster can't be joined, or was lost.
        """
        if not self._most and time.monotonic() > self._join_until:
            raise RegtuiError(f"{self._place}: it did not answer for {JOINED:.0f} s")
        found: list[News] = []
        try:
            found += self._take_in(self._messages.get(timeout=timeout))
            while True:
                found += self._take_in(self._messages.get_nowait())
        except queue.Empty:
            return found

    def __enter__(self) -> Self:
        """Begin to join the cluster, or to start one, which takes seconds; `news` tells if that can't be done."""
        self._driver, self._calls, replies = with_pipes(
            lambda stdin, stdout: Spawned(1, (stdin, stdout), module="regtui.study.ray_driver")
        )
        self._reader = threading.Thread(target=self._read, args=[replies], name="parts of runs", daemon=True)
        self._reader.start()
        self._join_until = time.monotonic() + JOINED
        try:
            self._send(Address(self._address, max(grant().processors, (self._jobs or 1) * self._threads)))
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for run in self._runs.values():
            _let_go(run)
        self._runs.clear()
        self._leave()

    def _joined(self, answer: int | str) -> None:
        """Take in that the cluster was joined, or why not.

        Raises:
            RegtuiError: It was not.
        """
        if not isinstance(answer, int):
            wants_token = "InvalidAuthToken" in self._driver.words()  # Ray itself speaks of a connection that failed
            raise RegtuiError(f"{self._place}: {_WITH_TOKEN if wants_token else answer}")
        self._most = self._jobs or max(1, answer // self._threads)
        self._note_own()

    @property
    def _place(self) -> str:
        if self._address is None:
            return "a Ray cluster can't be started here"
        return f"the Ray cluster at {quoted(self._address)} can't be used"

    def _submit(self, run: _Attempt, instead_of: int | None = None) -> None:
        self._begun += 1
        self._runs[self._begun] = run
        cut_off = None
        if run.cut_off is not None:
            with suppress(OSError, InputError):  # it is damaged, and begins anew
                cut_off = essence(run.cut_off)
        preset = _elsewhere(run.job.preset)
        self._send(RayTask(self._begun, preset, self._threads, self._checkpoints, instead_of, cut_off))

    def _send(self, message: Address | RayTask) -> None:
        try:
            self._calls.write(pickle.dumps(message))
            self._calls.flush()
        except (OSError, ValueError):
            raise self._lost() from None

    def _read(self, pipe: int) -> None:
        with os.fdopen(pipe, "rb") as replies, suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                self._messages.put(pickle.load(replies))
        self._messages.put(None)

    def _take_in(self, message: int | str | tuple[int, RunPart | Lost | str | None] | None) -> list[News]:
        """News that follow from a message of the driver's."""
        if message is None:
            self._messages.put(None)
            raise self._lost()
        if not isinstance(message, tuple):
            self._joined(message)
            return []
        number, part = message
        if (run := self._runs.get(number)) is None:
            return []
        if isinstance(part, str):
            return [self._failed(number, part)]
        if isinstance(part, Lost):
            return self._go_on_elsewhere(number, part.why)
        if part is None or (run.attempt not in {"", part.attempt} and part.before != run.chain):
            return self._begin_anew(number)
        if part.fault is not None:
            return [self._failed(number, str(part.fault), part.fault)]
        try:
            return self._write(number, part)
        except InputError as error:
            return [self._failed(number, str(error))]

    def _write(self, number: int, part: RunPart) -> list[News]:
        """Write a part of a run into its folder."""
        run, job, found = self._runs[number], self._runs[number].job, list[News]()
        told: list[Event] = []
        goes_on = run.cut_off is not None and any(isinstance(event, Interrupted) for event in part.events)
        if run.log is None:
            run.log = self._open(run, goes_on)
            told += read_events(run.log.folder)  # what was before, for its curves
        if run.attempt != part.attempt:
            run.deaths += run.attempt != ""
            run.attempt = part.attempt
            anew = run.deaths + run.begun - 1
            how = ", resumed" if goes_on else f", begun anew {counted(anew, 'time')}" if anew else ""
            found.append(Began(job, run.log.folder, part.where + how))
        for event in part.events:
            told += [event, *run.log(event)]
        run.chain = chained(run.chain, part.events)
        told += _save(run, run.log, part)
        if part.files is None:
            return found + [Told(job, event) for event in told if not isinstance(event, StepsDone)]
        folder = run.log.folder
        with run.log:  # which lets go of the folder
            run.log.close(0.0)
        del self._runs[number]
        finished = next(event for event in told if isinstance(event, RunFinished))
        try:
            for name in sorted(part.files, key=lambda name: name == "summary.json"):  # it says that all is there
                if name not in _CALLERS:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    write_whole(folder / name, part.files[name])
            unsaved = ""
        except OSError as error:
            unsaved = f"{folder}: {unwritable(error)}"
        if (summary := read_summary(folder)) is not None:
            unsaved = summary.unsaved or unsaved
        ended = Ended(job, folder, finished.status, finished.error, unsaved=unsaved)
        return [*found, *(Told(job, event) for event in told if not isinstance(event, StepsDone)), ended]

    def _open(self, run: _Attempt, goes_on: bool) -> RunLog:
        """The folder of a run that begins, or goes on where it was cut off."""
        if run.cut_off is not None and goes_on:
            return taken_over(run.cut_off, run.job.preset, self._threads)
        if run.cut_off is not None:
            drop_run(run.cut_off)
        return RunLog(run.runs, run.job.preset, self._threads, checkpoints=self._checkpoints)

    def _begin_anew(self, number: int) -> list[News]:
        """Begin a run anew whose second attempt measured something else than the first, as on another processor."""
        run = self._runs[number]
        if run.begun == ATTEMPTS:
            return [self._failed(number, f"its workers died, and {ATTEMPTS} attempts did not measure the same")]
        if run.log is not None:
            run.log.discard()
        del self._runs[number]
        anew = _Attempt(run.job, run.runs, deaths=run.deaths, begun=run.begun + 1)
        self._submit(anew, instead_of=number)
        return []

    def _go_on_elsewhere(self, number: int, why: str) -> list[News]:
        """Have another task go on with a run from its last checkpoint whose worker or node is gone."""
        run = self._runs[number]
        if run.deaths == RETRIES:
            return [self._failed(number, f"its workers died {counted(1 + RETRIES, 'time')}: {why}")]
        del self._runs[number]
        self._submit(_Attempt(run.job, run.runs, _let_go(run), deaths=run.deaths + 1, begun=run.begun))
        return []

    def _failed(self, number: int, why: str, hopeless: RegtuiError | None = None) -> Ended:
        run = self._runs.pop(number)
        _let_go(run)
        return Ended(run.job, None, "failed", why, hopeless)

    def _lost(self) -> RegtuiError:
        told = _FAULT.findall(self._driver.words())
        why = f" ({one_line(told[-1])})" if told else ""
        what = f"the Ray cluster was lost{why}; the study can be resumed"
        return RegtuiError(what if self._most else f"{self._place}: Ray ended its program{why}")

    def _note_own(self) -> None:
        """Note the processes of a cluster that was started for us; one that still starts is halted: more would come."""
        if self._address is not None:
            return
        with suppress(psutil.Error):
            driver, starts = psutil.Process(self._driver.pid), not self._most
            if starts:
                driver.suspend()
            while new := {*driver.children(recursive=True)} - self._own:
                self._own |= new
                for process in new if starts else ():
                    with suppress(psutil.Error):
                        process.suspend()

    def _leave(self) -> None:
        """Leave the cluster, in order if it takes no more than `LEFT` seconds; of our own nothing is left."""
        self._note_own()
        with suppress(OSError):
            self._calls.close()
        self._reader.join(LEFT if self._most else 0)
        self._driver.kill()
        self._driver.wait()
        self._driver.close()
        self._reader.join()
        for process in psutil.wait_procs(self._own, 1)[1]:  # some of Ray's notice its end only after a minute
            with suppress(psutil.Error):
                process.kill()


def _save(run: _Attempt, log: RunLog, part: RunPart) -> list[Event]:
    """Write what a part has of a run's checkpoint, after the log that it belongs to; what can't be is tried again."""
    if not part.saved:
        return []
    manifest = Manifest.model_validate_json(part.saved[f"{CHECKPOINT}/{MANIFEST}"])
    names = {f"{CHECKPOINT}/{name}" for name in named(manifest)}
    unwritten = run.unwritten = {name: of for name, of in (run.unwritten | part.saved).items() if name in names}

    def write(lines: int) -> None:
        for name, content in unwritten.items():
            write_whole(log.folder / name, content, synced=False)
        write_whole(log.folder / CIRCUMSTANCES, part.saved[CIRCUMSTANCES])
        commit(log.checkpoint, manifest.model_copy(update={"lines": lines}))

    fault = ""
    try:
        lines = log.sync()
        log.disk(lambda: write(lines))
        run.unwritten = {}
    except OSError as error:
        fault = fault_at(log.checkpoint, error)
    told: list[Event] = list(run.weights(part.events[-1].t, manifest.epoch, fault))
    for event in told:
        log(event)
    return told


def _let_go(run: _Attempt) -> Path | None:
    """Close a run that goes on no more in this task; returns its folder if it can be gone on with, else drops it."""
    if run.log is None:
        return run.cut_off
    if not reached(run.log.folder):
        run.log.discard()
        return None
    with run.log:
        run.log.close(0.0)
    return keep(run.log.folder)


def _check(address: str) -> None:
    """Refuse an address of another kind.

    Raises:
        InputError: It is none that can be used.
    """
    if address in {"auto", "local"}:
        return
    host, _, port = address.rpartition(":")
    if "//" in address:
        raise InputError(
            f"--ray-address {quoted(address)}: a client of Ray can't receive what runs tell; start regtui on a machine "
            "of the cluster, with HOST:PORT or 'auto'"
        )
    if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise InputError(f"--ray-address {quoted(address)}: an address is HOST:PORT, such as 10.0.0.1:6379, or 'auto'")


def _reach(address: str) -> None:
    """Try whether something answers there, for which Ray itself takes minutes.

    Raises:
        InputError: Nothing does.
    """
    host, _, port = address.rpartition(":")
    if not host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACHED).close()
    except (OSError, UnicodeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(
            f"--ray-address {quoted(address)}: the cluster can't be reached ({why}); `ray status` on one of its "
            "machines tells whether it is up"
        ) from None


def _elsewhere(preset: Preset) -> Preset:
    """The preset as it is given to a node, which has another current folder."""
    if not preset.data.root:
        return on_what_was_asked_for(preset)
    root = str(Path(preset.data.root).absolute())
    return on_what_was_asked_for(preset.model_copy(update={"data": preset.data.model_copy(update={"root": root})}))
