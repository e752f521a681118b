"""What makes the runs of a study: on this machine, on a Ray cluster, or as jobs of Slurm."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self, runtime_checkable

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
    """Makes runs, several at a time. A context manager; leaving it ends what still runs, which is not kept.

    A worker or a node that dies is replaced and its run begun anew, without a word but in `where`; the folder of the
    failed attempt is gone. A run that fails by itself ends with status "failed".
    """

    @property
    def room(self) -> int:
        """How many more runs would begin at once."""

    def begin(self, job: Job, runs: Path) -> None:
        """Begin a run in a new folder below `runs`; returns at once."""

    def news(self, timeout: float) -> list[News]:
        """What has happened since the last call, in order; waits up to `timeout` seconds for the first."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class ResumingEngine(Engine, Protocol):
    """An engine that also goes on with runs that were cut off; others begin them anew."""

    def go_on(self, job: Job, run: Path) -> None:
        """Go on with the run in a folder from its checkpoint; returns at once."""
