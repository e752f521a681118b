"""Lets other processes of this user watch and steer a run, in a thread of its own.

Whatever fails here, and whatever those do that connect, training goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from regtui.protocol.control import Control
from regtui.protocol.events import Event, RunFinished, Unattachable
from regtui.remote.address import listen
from regtui.remote.feed import Feed
from regtui.runs.log import RunLog
from regtui.text import one_line

if TYPE_CHECKING:
    from regtui.remote.service import Service

GOODBYE = 1.0
"""Seconds in which viewers are told the rest when the run has ended."""
PATIENCE = 5.0
"""Seconds to wait until the thread has ended; the system may not let go of it, as where a disk hangs."""


@contextmanager
def serving(
    log: RunLog, control: Control, emit: Callable[[Event], object], *, wanted: bool
) -> Iterator[Callable[[Event], object]]:
    """Within this context a run has a server, and its events go to viewers too.

    Args:
        log: The run's log.
        control: Takes the commands of viewers.
        emit: Receives every event, and a word if nobody can attach.
        wanted: Whether there is to be a server at all.

    Yields:
        What takes the events instead of `emit`, each after the log has it.
    """
    if not wanted:
        yield emit
        return
    feed = Feed(log)
    with Server(feed, control) as server:
        log.note_socket(server.elsewhere)

        def tell(event: Event) -> None:
            feed.tell(event, log)
            emit(event)
            if not isinstance(event, RunFinished) and (fault := server.new_fault()):
                emit(Unattachable(t=event.t, words=fault))

        yield tell


class Server:
    """Serves the viewers of one run. Use it as a context manager; it raises nothing.

    Attributes:
        elsewhere: Where the run listens, if not in its folder.
    """

    def __init__(self, feed: Feed, control: Control) -> None:
        """Serve what `feed` has, and pass commands to `control`."""
        self.elsewhere: Path | None = None
        self._feed = feed
        self._control = control
        self._service: Service | None = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="remote", daemon=True)
        self._fault, self._told = "", ""

    def new_fault(self) -> str:
        """Why nobody can attach to this run; empty if somebody can, or if this was returned before."""
        fault = self._fault if self._fault != self._told else ""
        self._told = self._fault
        return fault

    def __enter__(self) -> Self:
        """Listen, and serve those that connect."""
        listening = None
        try:
            self._listening = listening = listen(self._feed.folder)
            self.elsewhere = listening.path if listening.is_elsewhere else None
            self._thread.start()
        except Exception as error:
            self._fail(error)
            if listening is not None:
                listening.remove()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell viewers the rest, and stop listening."""
        if self._thread.is_alive():
            self._begun.wait()
            if self._service is not None:
                self._service.end("handed_over" if self._feed.goes_on else "ended")
            self._thread.join(GOODBYE + PATIENCE)

    def _run(self) -> None:
        listening = self._listening
        try:
            import asyncio  # 80 ms, which a program without a run need not wait for

            from regtui.remote.service import Service

            async def serve() -> None:
                self._service = Service(listening, self._feed, self._control, GOODBYE)
                self._begun.set()
                await self._service.serve()

            asyncio.run(serve())
        except Exception as error:
            self._fail(error)
        finally:
            self._begun.set()
            listening.remove()

    def _fail(self, error: Exception) -> None:
        why = (isinstance(error, OSError) and error.strerror) or str(error) or repr(error)
        self._fault = one_line(f"nobody can attach to this run: {why}")
