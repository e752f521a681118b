"""Where the arms live: on a CPU in as many processes as the processors allow, on a GPU all in one process.

Why processes: Python threads that call many short torch operators wait for the interpreter lock. On two cores an
epoch of the dropout preset took 1.8 s with a thread for each arm, and 1.0 s with a process for each. Processes also
keep the drawing of the screen from slowing training down, and a crash of torch from ending the screen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from regtui.arm.interface import Args, ArmCalls, Call, HostCalls, Result
from regtui.engine.child import Child, Spawned
from regtui.engine.fits import check_here
from regtui.engine.forkserver import ForkServer
from regtui.engine.process import Process, Wait
from regtui.preset.model import Preset
from regtui.processors import grant
from regtui.techniques import Techniques


class Crew(Protocol):
    """Holds the arms and calls their methods, on all arms at the same time if possible.

    Attributes:
        threads: The threads that each process computes with.
        watch: Called while answers are awaited; an error that it raises ends the waiting.
    """

    threads: int
    watch: Callable[[Wait], object]

    def prepare(self, arms: int) -> None:
        """Get ready for this number of arms, without waiting; this also sets `threads`."""

    def build(self, preset: Preset, data_file: Path) -> str:
        """Build the preset's arms with its data; returns their device. An InputError says what isn't there."""

    def each(
        self, method: Callable[[ArmCalls, *Args], Result], arms: Iterable[str], *args: *Args
    ) -> Mapping[str, Result]:
        """Call a method on each of `arms`; returns their results by arm, in the order of `arms`."""

    def begin(
        self, method: Callable[[ArmCalls, *Args], Result], arms: Iterable[str], *args: *Args
    ) -> Callable[[], Mapping[str, Result]]:
        """Start the call and return at once; the function returned waits for the results.

        Results must be fetched in the order of the calls.
        """


def nobody_watches(_wait: Wait) -> None:
    """The watch of a crew without a run: does nothing."""


class LocalCrew:
    """Holds all arms in this process and calls them in turn, with the same results as processes with as many threads.

    Other uses of torch in this process are not affected and do not affect the results. One run at a time.
    """

    def __init__(self, threads: int = 1) -> None:
        """Import torch if necessary; arms compute with this many `threads`."""
        from regtui.arm.host import Host

        self.threads = threads
        self.watch: Callable[[Wait], object] = nobody_watches
        self._host = Host()

    def prepare(self, arms: int) -> None:
        """Nothing to do: one process can hold any number of arms."""

    def build(self, preset: Preset, data_file: Path) -> str:
        """Build all arms here."""
        with self._host.as_in_its_own_process(self.threads):
            device = self._host.resolve_device(preset.train.device)
            check_here(preset, device, 1)
            self._host.build(tuple(preset.arms()), preset, device, data_file, self.threads)
        return device

    def each(
        self, method: Callable[[ArmCalls, *Args], Result], arms: Iterable[str], *args: *Args
    ) -> Mapping[str, Result]:
        """Call the method on one arm after the other."""
        with self._host.as_in_its_own_process(self.threads):
            return self._host.call(Call(method.__name__, tuple(arms), args))

    def begin(
        self, method: Callable[[ArmCalls, *Args], Result], arms: Iterable[str], *args: *Args
    ) -> Callable[[], Mapping[str, Result]]:
        """Like `each`; here all work is done when this returns."""
        results = self.each(method, arms, *args)
        return lambda: results


class ProcessCrew:
    """Holds arms in processes of their own. Use it as a context manager, which ends the processes."""

    def __init__(
        self, threads: int | None = None, processes: int | None = None, server: ForkServer | None = None
    ) -> None:
        """Start processes for two arms, as many as a run has at least; this returns at once.

        Args:
            threads: Threads of each process; None gives each its share of what the machine grants.
            processes: The most processes; there are never more than arms or processors.
            server: Forks them, and belongs to the caller; if left out, there is one for several processes.
        """
        granted = grant()
        self._granted, self._wanted = granted.threads, threads
        self._most = min(granted.processors, processes or granted.processors)
        if threads is not None:  # a pair may have more threads than there are processors; more arms may not
            self._most = min(self._most, max(2, granted.processors // threads))
        self.threads = 0
        self.watch: Callable[[Wait], object] = nobody_watches
        self.processes: list[Process] = []
        self._home: dict[str, Process] = {}
        self._server, self._own_server = server, server is None
        self.prepare(2)

    def prepare(self, arms: int) -> None:
        """Start missing processes for this number of arms, and end those not needed."""
        count = max(1, min(arms, self._most))
        self.threads = self._wanted or max(1, self._granted // count)
        self._keep(count)
        while len(self.processes) < count:
            self.processes.append(Process(self._start))

    @property
    def idle(self) -> bool:
        """Whether all calls were answered, so that the processes can be used again."""
        return not any(process.owes for process in self.processes)

    @property
    def has_lost_one(self) -> bool:
        """Whether a process has ended."""
        return any(process.has_ended for process in self.processes)

    def warm_up(self) -> str:
        """Wait until all processes have imported torch, unless `watch` ends the waiting; returns torch's version."""
        for process in self.processes:
            process.send(HostCalls.torch_version)
        versions: list[str] = [process.receive(lambda wait: self.watch(wait)) for process in self.processes]
        return versions[0]

    def build(self, preset: Preset, data_file: Path) -> str:
        """Spread the arms over the processes on a CPU; on a GPU keep them together in the first."""
        names = tuple(preset.arms())
        self.prepare(len(names))
        self.processes[0].send(HostCalls.resolve_device, preset.train.device)
        device: str = self.processes[0].receive(self.watch)
        if device != "cpu":
            self._keep(1)
        check_here(preset, device, len(self.processes))
        self._home = {name: self.processes[i] for name, i in spread(preset.arms(), len(self.processes)).items()}
        for process, hosted in self._by_process(names):
            process.arms = hosted
            process.send(HostCalls.build, hosted, preset, device, data_file, self.threads)
        for process, _ in self._by_process(names):
            process.receive(self.watch)
        return device

    def each(
        self, method: Callable[[ArmCalls, *Args], Result], arms: Iterable[str], *args: *Args
    ) -> Mapping[str, Result]:
        """Call the method in all processes at once, and wait for all."""
        return self.begin(method, arms, *args)()

    def begin(
        self, method: Callable[[ArmCalls, *Args], Result], arms: Iterable[str], *args: *Args
    ) -> Callable[[], Mapping[str, Result]]:
        """Call the method in all processes at once; each carries it out after its earlier calls."""
        arms = tuple(arms)
        groups = self._by_process(arms)
        for process, hosted in groups:
            process.send(HostCalls.call, Call(method.__name__, hosted, args))

        def fetch() -> Mapping[str, Result]:
            results: dict[str, Result] = {}
            for process, _ in groups:
                results |= process.receive(self.watch)
            return {arm: results[arm] for arm in arms}

        return fetch

    def close(self) -> None:
        """End the processes, even in the middle of their work."""
        for process in self.processes:
            process.hang_up()
        if self._server is not None and self._own_server:
            self._server.close()
        _end(self.processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, stdin: int, stdout: int) -> Child:
        """Start a process; several are forked from one that has imported torch, where that is possible."""
        if self._server is None and (self._most == 1 or not ForkServer.is_possible()):
            return Spawned(self.threads, (stdin, stdout))
        if self._server is None:
            self._server = ForkServer(self.threads)
        return self._server.fork(stdin, stdout)

    def _keep(self, count: int) -> None:
        """End all but the first processes."""
        _end(self.processes[count:])
        del self.processes[count:]

    def _by_process(self, arms: tuple[str, ...]) -> list[tuple[Process, tuple[str, ...]]]:
        return [
            (process, hosted)
            for process in self.processes
            if (hosted := tuple(arm for arm in arms if self._home[arm] is process))
        ]


def spread(arms: Mapping[str, Techniques], processes: int) -> dict[str, int]:
    """Which of the processes hosts each arm. An arm with more techniques takes longer, and each goes where least is."""
    home: dict[str, int] = {}
    load = [0] * processes
    for name in sorted(arms, key=lambda name: len(arms[name].active()), reverse=True):
        home[name] = load.index(min(load))
        load[home[name]] += 1 + len(arms[name].active())
    return home


def _end(processes: Iterable[Process]) -> None:
    for process in processes:
        process.hang_up()
    for process in processes:
        process.wait()
