"""The process that speaks with a Ray cluster for a study: takes runs from its stdin, tells their parts on its stdout.

A process of its own, because Ray writes to the terminal, takes signals for itself, waits for minutes for a cluster that
is not there, and ends its program when the cluster goes. `regtui.study.ray_engine` is the other end.

Messages are pickled. To it, first an `Address`, then a `RayTask` for each run. From it, first the number of processors
of the cluster, or a sentence that says why there is none; then a number of a task with a `RunPart`, with a sentence if
it could not be carried out, with a `Lost` if its worker or node is gone, with None if it ended without its last part.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import regtui
from regtui import __version__
from regtui.preset.model import Preset
from regtui.signals import deadly
from regtui.study.alone import wants_gpu
from regtui.study.ray_task import RunPart, make, wrong_version
from regtui.text import one_line

RETRIES = 3
"""So often a run is begun anew, by Ray, or goes on from its checkpoint, whose worker or node has died."""
PROBED = 60.0
"""Seconds in which each node must have answered."""
STORE = 256 * 2**20
"""Bytes of memory for what tasks return, on a cluster that is started for the purpose."""


class Address(NamedTuple):
    """The cluster: where it is, or, without an address, with how many processors one is started."""

    address: str | None
    processors: int


class RayTask(NamedTuple):
    """A run to make.

    Attributes:
        number: By which its parts are told.
        preset: What to train.
        threads: Threads with which it computes.
        checkpoints: Whether it saves its weights after each epoch.
        instead_of: The number of a task that it replaces, and that is ended.
        cut_off: What it takes to go on with a run that was cut off; see `regtui.study.cut_off.essence`.
    """

    number: int
    preset: Preset
    threads: int
    checkpoints: bool
    instead_of: int | None = None
    cut_off: dict[str, bytes] | None = None

    @property
    def saves(self) -> bool:
        """Whether its parts have checkpoints, from which another task can go on."""
        return self.checkpoints or self.cut_off is not None


class Lost(NamedTuple):
    """The worker or the node of a task is gone; `why` is what Ray says of that."""

    why: str


def begin(_channel: str) -> None:
    """Serve until stdin is closed."""
    if hasattr(signal, "pthread_sigmask"):  # they were blocked while this began, and Ray's own processes need them
        signal.pthread_sigmask(signal.SIG_UNBLOCK, deadly())
    calls, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):  # what Ray prints must not get between the answers; stderr goes into a file
        os.dup2(null, stream)
    lock = threading.Lock()

    def tell(message: Any) -> None:
        content = pickle.dumps(message)
        with lock:
            replies.write(content)
            replies.flush()

    warnings.simplefilter("ignore")
    os.chdir(Path(regtui.__file__).parents[1])  # Ray puts the current folder on the import path of workers
    cluster = _Cluster()
    try:
        tell(cluster.join(pickle.load(calls)))
        tasks: dict[int | None, Any] = {}
        while True:
            task: RayTask = pickle.load(calls)
            if task.instead_of in tasks:
                cluster.cancel(tasks.pop(task.instead_of))
            tasks[task.number] = cluster.start(task)
            threading.Thread(target=_pass_on, args=(cluster, tasks, task.number, task.saves, tell), daemon=True).start()
    except EOFError:  # the study has ended, or its program has
        cluster.leave()
    finally:
        os._exit(0)


def _pass_on(
    cluster: _Cluster, tasks: dict[int | None, Any], number: int, saves: bool, tell: Callable[[Any], object]
) -> None:
    """Tell the parts of one run as they come."""
    try:
        for reference in tasks[number]:
            part: RunPart = cluster.get(reference)
            tell((number, part))
            if part.files is not None or part.fault is not None:
                return
        tell((number, None))
    except cluster.cancelled:
        return
    except Exception as error:
        is_loss = saves and cluster.is_loss(error)
        tell((number, Lost(cluster.words(error, 1)) if is_loss else cluster.words(error)))
    finally:
        tasks.pop(number, None)


class _Cluster:
    """A Ray cluster."""

    def join(self, address: Address) -> int | str:
        """Join it, or start one; returns its processors, or why that can't be done."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            return f"Ray can't be imported: {one_line(error)}; install regtui[ray] again"
        self._ray: Any = ray
        self.cancelled = ray.exceptions.TaskCancelledError
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
        try:
            if address.address:
                ray.init(address=address.address, **quiet)
            else:
                ray.init(
                    address="local",
                    num_cpus=address.processors,
                    include_dashboard=False,
                    object_store_memory=STORE,
                    **quiet,
                )
            if fault := self._fault():
                return fault
        except Exception as error:
            return self.words(error)
        self._make: Any = ray.remote(num_returns="streaming")(make)
        return int(self._ray.cluster_resources().get("CPU", 0))

    def start(self, task: RayTask) -> Any:
        """Start a run; returns a generator of references to its parts."""
        gpus = int(wants_gpu(task.preset))
        options = self._make.options(
            num_cpus=task.threads,
            num_gpus=gpus,
            name=f"regtui {task.preset.name}",
            max_retries=0 if task.saves else RETRIES,
        )
        return options.remote(task.preset, task.threads, task.checkpoints, __version__, task.cut_off)

    def get(self, reference: Any) -> Any:
        """What a reference stands for."""
        return self._ray.get(reference)

    def cancel(self, parts: Any) -> None:
        """End a run."""
        self._ray.cancel(parts, force=False)

    def leave(self) -> None:
        """Leave the cluster; what still runs there for us ends, and a cluster that was started for us does."""
        if hasattr(self, "_make"):
            self._ray.shutdown()

    def is_loss(self, error: Exception) -> bool:
        """Whether an error is none of the task's own: its worker, its node, or what it had told is gone."""
        return isinstance(error, self._ray.exceptions.RayError) and not isinstance(
            error, self._ray.exceptions.RayTaskError
        )

    def words(self, error: Exception, times: int = 1 + RETRIES) -> str:
        """An error of Ray's in one sentence; `times` is how often a worker that died has died."""
        cause = getattr(error, "cause", None)
        if isinstance(error, self._ray.exceptions.WorkerCrashedError):
            return f"its worker died{f' {times} times' * (times > 1)}; the machine may have run out of memory"
        if isinstance(error, self._ray.exceptions.NodeDiedError):
            return f"the nodes on which it ran were lost {times} times" if times > 1 else "its node was lost"
        lines = [line.strip() for line in str(cause or error).splitlines() if line.strip()]
        return one_line(" ".join(lines) if len(lines) < 8 else lines[-1])

    def _fault(self) -> str:
        """Why a node can't make runs; empty if all can."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        probe = self._ray.remote(num_cpus=0, max_retries=1)(version)
        there = {
            node["NodeManagerAddress"]: probe.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote()
            for node in self._ray.nodes()
            if node["Alive"]
        }
        for node, answer in there.items():
            try:
                found = self._ray.get(answer, timeout=PROBED)
            except Exception as error:
                return f"{node} can't make runs ({self.words(error)}); install regtui {__version__} on all nodes"
            if found != __version__:
                return wrong_version(node, found, __version__)
        return ""


def version() -> str:
    """The version of regtui where this is called."""
    return __version__
