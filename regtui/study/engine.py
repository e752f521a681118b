"""What makes the runs of a study: on this machine, on a Ray cluster, or as jobs of Slurm."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from regtui.errors import RegtuiError
from regtui.protocol.events import Event, Status
from regtui.study.plan import Job


class Began(NamedTuple):
    """A run has begun, in this folder; `where` says which worker makes it, in a few words ('worker 1', 'node-3')."""

    job: Job
    folder: Path
    where: str


class Told(NamedTuple):
    """A run has told something."""

    job: Job
    event: Event


class Ended(NamedTuple):
    """A run has ended and is saved, or could not be made: then `folder` is None, or tells how far it came.

    `hopeless` is why it could not begin, where no other would either: it asks for a device or data that are not there.
    `unsaved` says what of it is not on disk, and why; empty if all is.
    """

    job: Job
    folder: Path | None
    status: Status
    error: str = ""
    hopeless: RegtuiError | None = None
    unsaved: str = ""


News = Began | Told | Ended


class Engine(Protocol):
    """Makes runs, several at a time. A context manager; leaving it ends what still runs.

    A run that saves checkpoints is kept then, below the `runs` of its job, and goes on from there another time; of
    others nothing is left. A worker or a node that dies is replaced, and its run goes on from its checkpoint; without
    one it is begun anew, and the folder of the failed attempt is gone. Of either only `where` tells. A run that fails
    by itself ends with status "failed".
    """

    @property
    def room(self) -> int:
        """How many more runs would begin at once."""

    def begin(self, job: Job, runs: Path) -> None:
        """Begin a run in a new folder below `runs`; returns at once."""

    def go_on(self, job: Job, run: Path) -> None:
        """Go on with a run that was cut off from its checkpoint; returns at once. If that can't be, it begins anew."""

    def news(self, timeout: float) -> list[News]:
        """What has happened since the last call, in order; waits up to `timeout` seconds for the first."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
