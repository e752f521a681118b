"""Where the arms live. Two arms on a CPU get a process each; on a GPU one process hosts both.

Why processes: Python threads that call many short torch operators wait for each other's interpreter lock. The dropout
preset on two cores took 1.8 s an epoch with one thread an arm and 1.0 s with one process an arm. It also keeps
whoever draws the screen from taking the lock away from training, and a crash of torch from taking the screen down.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from regtui.engine.worker import Call, Failure, Host, serve
from regtui.errors import RegtuiError
from regtui.preset.model import Preset


class Crew(Protocol):
    """Somebody who has the arms and calls their methods, all arms at the same time if it can."""

    def build(self, preset: Preset, data_file: Path) -> str:
        """Build the preset's arms on its data; returns the device they are on."""

    def each(self, method: str, arms: Iterable[str], *args: Any) -> Mapping[str, Any]:
        """Call a method of `Arm` on each of `arms`; returns their results by arm, in the order of `arms`."""

    def begin(self, method: str, arms: Iterable[str], *args: Any) -> Callable[[], Mapping[str, Any]]:
        """As `each`, without waiting; what it returns waits. Results must be fetched in the order of the calls."""


class LocalCrew:
    """All arms in this process, one after the other: for tests."""

    def __init__(self) -> None:
        self._host = Host(threads=1)

    def build(self, preset: Preset, data_file: Path) -> str:
        """Build all arms here."""
        device = self._host.resolve_device(preset.train.device)
        self._host.build(tuple(preset.arms()), preset, device, data_file)
        return device

    def each(self, method: str, arms: Iterable[str], *args: Any) -> Mapping[str, Any]:
        """Call the method on one arm after the other."""
        return self._host.call(Call(method, tuple(arms), args))

    def begin(self, method: str, arms: Iterable[str], *args: Any) -> Callable[[], Mapping[str, Any]]:
        """As `each`; here it is done when this returns."""
        results = self.each(method, arms, *args)
        return lambda: results


class ProcessCrew:
    """Arms in processes of their own. Use it as a context: leaving ends the processes."""

    def __init__(self, processes: int = 2) -> None:
        """Start importing torch in `processes` processes; this returns at once."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        count = max(1, min(processes, cores))
        self._workers = [_Worker(threads=max(1, cores // count)) for _ in range(count)]
        self._home: dict[str, _Worker] = {}
        atexit.register(self.close)  # an idle worker leaves when its connection closes, and only then

    def warm_up(self) -> str:
        """Wait until all processes have imported torch; returns its version."""
        for worker in self._workers:
            worker.send("torch_version")
        versions: list[str] = [worker.receive() for worker in self._workers]
        return versions[0]

    def build(self, preset: Preset, data_file: Path) -> str:
        """Spread the arms over the processes on a CPU; on a GPU keep them together in the first."""
        names = tuple(preset.arms())
        device: str = self._workers[0].ask("resolve_device", preset.train.device)
        if device != "cpu":
            for spare in self._workers[1:]:
                spare.hang_up()
                spare.end()
            del self._workers[1:]
        self._home = {name: self._workers[i % len(self._workers)] for i, name in enumerate(names)}
        for worker, hosted in self._by_worker(names):
            worker.send("build", hosted, preset, device, data_file)
        for worker, _ in self._by_worker(names):
            worker.receive()
        return device

    def each(self, method: str, arms: Iterable[str], *args: Any) -> Mapping[str, Any]:
        """Call the method in all processes at once, and wait for all."""
        return self.begin(method, arms, *args)()

    def begin(self, method: str, arms: Iterable[str], *args: Any) -> Callable[[], Mapping[str, Any]]:
        """Call the method in all processes at once; each does so when it has done what it was told before."""
        arms = tuple(arms)
        groups = self._by_worker(arms)
        for worker, hosted in groups:
            worker.send("call", Call(method, hosted, args))

        def fetch() -> Mapping[str, Any]:
            results: dict[str, Any] = {}
            for worker, _ in groups:
                results |= worker.receive()
            return {arm: results[arm] for arm in arms}

        return fetch

    def close(self) -> None:
        """End the processes, also in the middle of their work."""
        for worker in self._workers:
            worker.hang_up()
        for worker in self._workers:
            worker.end()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _by_worker(self, arms: tuple[str, ...]) -> list[tuple[_Worker, tuple[str, ...]]]:
        return [
            (worker, hosted)
            for worker in self._workers
            if (hosted := tuple(arm for arm in arms if self._home[arm] is worker))
        ]


class _Worker:
    """This end of one process."""

    def __init__(self, threads: int) -> None:
        self._hung_up = False
        context = multiprocessing.get_context("spawn")  # forking a process that has threads can hang
        self._connection: Connection
        self._connection, other_end = context.Pipe()
        self._process = context.Process(target=serve, args=(other_end, threads), name="regtui arm", daemon=True)
        with _no_interrupts():
            self._process.start()
        other_end.close()

    def ask(self, method: str, *args: Any) -> Any:
        self.send(method, *args)
        return self.receive()

    def send(self, method: str, *args: Any) -> None:
        try:
            self._connection.send((method, args))
        except OSError:
            raise self._gone() from None

    def receive(self) -> Any:
        try:
            reply = self._connection.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        if isinstance(reply, Failure):
            if reply.error is not None:
                raise reply.error
            last_line = reply.traceback.strip().splitlines()[-1]
            raise EngineError(f"training failed: {last_line}", reply.traceback)
        return reply

    def hang_up(self) -> None:
        """An idle process ends by itself then."""
        self._hung_up = True
        self._connection.close()

    def end(self) -> None:
        self._process.join(timeout=0.3)
        if self._process.is_alive():  # busy, or importing torch; what is on disk is whole at any time
            self._process.kill()
            self._process.join()

    def _gone(self) -> RegtuiError:
        if self._hung_up:
            return CrewClosedError("the processes that train were ended")
        self._process.join(timeout=2)
        code = self._process.exitcode
        if code is not None and code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
            hint = "; the machine may have run out of memory" if -code == signal.SIGKILL else ""
        else:
            how, hint = f"ended with exit code {code}", ""
        return RegtuiError(f"a process that trains {how}{hint}")


class CrewClosedError(RegtuiError):
    """Whoever started the processes has ended them, and does not wait for what they were doing."""


class EngineError(RegtuiError):
    """Training raised an error that nobody foresaw; `traceback` is the one from where it happened."""

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message)
        self.traceback = trace


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Let no Ctrl-C reach a child while it starts: it inherits what this thread blocks, and ignores it later."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Starting the first process starts multiprocessing's resource tracker too, and that unblocks what was blocked. It
    # also hands on the standard error stream, which must be a real one: a screen puts another in its place.
    with redirect_stderr(sys.__stderr__):
        resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
