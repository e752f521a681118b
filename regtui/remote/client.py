"""Watches and steers a run that another process trains: its side is remote/server.py."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from regtui.errors import InputError
from regtui.files import open_events
from regtui.protocol.control import Command
from regtui.protocol.events import Event, RunFinished, parse
from regtui.remote.address import ForeignError, connect, remove_from_run
from regtui.remote.connection import Connection
from regtui.remote.held_folder import HeldFolder
from regtui.remote.wire import RefusedError
from regtui.runs.alive import standing
from regtui.runs.events import read_events, whole_lines
from regtui.runs.files import read_json
from regtui.text import one_line

ANSWER = 10.0
"""Seconds to wait until the process that trains answers a new viewer."""
STARTING = 5.0
"""Seconds to wait until a process that trains is found to listen."""
TAKING_OVER = 200.0
"""Seconds to wait until the process listens to which a run was handed over; it has to import torch first."""
AGAIN = 0.2
"""Seconds between two attempts to connect."""
LEAVING = 1.0
"""Seconds that leaving waits for the link's thread, which may wait for a process that stands still."""
AFTER_DAMAGE = 1.0
"""Seconds until a damaged log is read again."""
_HANDED_OVER = "another process takes the run over"

Outcome = Literal["ended", "handed_over", "lost"]
"""How a connection ended."""


class Link:
    """A viewer's connection to a run.

    What it is told comes by functions that are called in a thread of the link's own. `on_begin` is called before the
    first event and whenever the link has lost sight of the run for a while: then the events come from the first one
    again, and what was made of the earlier ones is to be forgotten.
    """

    def __init__(
        self,
        folder: Path,
        on_event: Callable[[Event], object],
        on_end: Callable[[str], object],
        *,
        on_begin: Callable[[Path], object] = lambda _folder: None,
        on_present: Callable[[], object] = lambda: None,
        on_refused: Callable[[str], object] = lambda _why: None,
        on_wait: Callable[[str], object] = lambda _why: None,
    ) -> None:
        """Prepare a link; `connect` makes it.

        Args:
            folder: The run's.
            on_event: Receives every event of the run, in order.
            on_end: Called once, when no event will come any more, unless the link was closed before: with an empty text
                after `RunFinished`, else with a sentence on what happened and what to do.
            on_begin: Receives the run's folder; the events from the first one on follow.
            on_present: Called when those were told that the log had then; what follows happens now, or has just now.
            on_refused: Receives a sentence on why a command was not taken.
            on_wait: Receives a sentence on why no events come for the moment; an empty one when they come again.
        """
        self._held = HeldFolder(folder)
        self._on_event = on_event
        self._on_end = on_end
        self._on_begin = on_begin
        self._on_present = on_present
        self._on_refused = on_refused
        self._on_wait = on_wait
        self._connection: Connection | None = None
        self._waiting = ""
        self._why: Exception | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    @property
    def folder(self) -> Path:
        """The run's folder, as it is called now."""
        return self._held.path

    def connect(self) -> None:
        """Connect to the process that trains; returns when it answers.

        Raises:
            InputError: Nobody trains the run, or not here, or it can't be reached: what to do instead.
        """
        self._connection = self._reach(STARTING, given_over=False)
        if self._connection is None:
            self._held.let_go()
            raise InputError(self._why_nobody()) from self._why
        self._thread.start()

    def send(self, command: Command) -> None:
        """Send a command, without waiting; `on_refused` or an event tells what came of it."""
        connection = self._connection
        if connection is None or not connection.send(command):
            self._on_refused("the run takes no commands at the moment")

    def close(self) -> None:
        """Leave the run, which goes on; nothing is told any more when this returns."""
        self._closed.set()
        if (connection := self._connection) is not None:
            connection.end()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(LEAVING)

    def _run(self) -> None:
        """Tell what comes, until the end."""
        words = ""
        while (connection := self._connection) is not None and not self._closed.is_set():
            try:
                outcome = self._follow(connection)
            finally:
                self._connection = None
                connection.close()
            if outcome == "ended" or self._closed.is_set():
                break
            given_over = outcome == "handed_over"
            self._wait_for(_HANDED_OVER if given_over else "the run does not answer; it is asked again")
            self._connection = self._reach(TAKING_OVER if given_over else STARTING, given_over=given_over)
            if self._connection is None and not self._tell_saved():
                words = self._why_nobody()
        if (connection := self._connection) is not None:
            connection.close()
        self._held.let_go()
        if not self._closed.is_set():
            self._on_end(words)

    def _follow(self, connection: Connection) -> Outcome:
        """Tell all events until the connection ends; returns how it did."""
        try:
            for event in self._events(connection):
                if self._closed.is_set():
                    break
                self._on_event(event)
                if isinstance(event, RunFinished):
                    return "ended"
        except _DamagedError as error:
            self._wait_for(str(error))
            self._closed.wait(AFTER_DAMAGE)
        except OSError:
            pass
        return connection.bye or "lost"

    def _events(self, connection: Connection) -> Iterator[Event]:
        """The events from the first one on: those in the file, then those that come by the connection."""
        self._held.hold(Path(connection.watching.folder))
        self._wait_for("")
        self._on_begin(self.folder)
        if connection.watching.size:
            yield from self._written(connection)
        self._on_present()
        for said in connection.all():
            if said.event is not None:
                yield said.event
            elif said.refused is not None:
                self._on_refused(one_line(said.refused))

    def _written(self, connection: Connection) -> Iterator[Event]:
        """The events that the run's process says are in the file.

        Raises:
            _DamagedError: They aren't; the run's log notices that with its next line, and writes the file anew.
        """
        left = connection.watching.size
        try:
            with open_events(self.folder) as file:
                for line in whole_lines(file):
                    left -= len(line)
                    if left < 0 or self._closed.is_set():
                        break
                    with suppress(ValidationError):  # not an event known to this version
                        yield parse(line)
                    if left == 0:
                        return
                    connection.take_what_came()
        except OSError as error:
            raise _DamagedError(f"{one_line(self.folder)}: the log can't be read ({error.strerror})") from None
        raise _DamagedError(f"{one_line(self.folder)}: the log is damaged; it is read again when it is whole")

    def _reach(self, seconds: float, *, given_over: bool) -> Connection | None:
        """Connect to the process that trains, within so many seconds; None if there is none."""
        deadline = time.monotonic() + seconds
        while not self._closed.is_set():
            try:
                return Connection(connect(self.folder, ANSWER))
            except (OSError, RefusedError) as error:
                self._why = error
            if time.monotonic() > deadline or self._has_ended or not (given_over or self._may_be_trained()):
                return None
            self._closed.wait(AGAIN)
        return None

    @property
    def _has_ended(self) -> bool:
        return (self.folder / "summary.json").exists()

    def _may_be_trained(self) -> bool:
        """Whether there may be a process that begins to listen soon, or has no room for a viewer only now."""
        try:
            return standing(self.folder, read_json(self.folder / "run.json")).status != "interrupted"
        except (OSError, InputError):
            return False

    def _tell_saved(self) -> bool:
        """Tell the events of a run that ended while nobody was connected; returns whether it has."""
        if not self._has_ended:
            return False
        self._wait_for("")
        self._on_begin(self.folder)
        with suppress(OSError):
            for event in read_events(self.folder):
                self._on_event(event)
        return True

    def _wait_for(self, words: str) -> None:
        if words != self._waiting and not self._closed.is_set():
            self._waiting = words
            self._on_wait(words)

    def _why_nobody(self) -> str:
        """A sentence on why there is no process to connect to, and what to do."""
        run = one_line(self.folder)
        if self._has_ended:
            return f"{run} has ended; regtui review {run} shows it"
        try:
            told = read_json(self.folder / "run.json")
        except (OSError, InputError):
            return f"{run} is no folder of a run"
        if isinstance(self._why, RefusedError):
            return f"{run}: {self._why}"
        if isinstance(self._why, ForeignError | PermissionError):
            return f"{run} is trained by another user, and only they can attach to it"
        if standing(self.folder, told).status == "interrupted":
            remove_from_run(self.folder)
            return f"nobody trains {run} any more; regtui --resume {run} goes on with it"
        if told.get("host") != platform.node():
            return f"{run} is trained on {one_line(told.get('host'))}; attach to it there"
        if isinstance(self._why, TimeoutError):
            return f"the process that trains {run} (pid {told.get('pid')}) does not answer; was it made to stand still?"
        return f"{run} can't be attached to; regtui review {run} follows it"


class _DamagedError(Exception):
    """The log has not what belongs there; it will be read again."""
