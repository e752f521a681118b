"""Accepts viewers, as long as a run goes on: who they are, how many there may be, and notes of what is refused."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from regtui.disk import Disk
from regtui.protocol.control import Control
from regtui.protocol.who import Who
from regtui.remote.address import Listening, Peer, peer_of
from regtui.remote.feed import Feed
from regtui.remote.visitor import Allowance, Visitor
from regtui.remote.wire import LONGEST_REQUEST, Bye, answer_line
from regtui.text import counted

VISITORS = 32
"""The most connections at a time."""
CONNECTIONS, A_SECOND = 1000, 50
"""So many connections are accepted at once, and so many a second in the long run."""
LOOK = 5.0
"""Seconds between two looks whether the socket is still in its place."""
AFTER_FAULT = 1.0
"""Seconds until the next connection is accepted after the system could give none."""
AT_MOST = 0.1
"""Seconds that viewers wait for the disk of the run's folder."""
REFUSALS = "refused.jsonl"
"""The file in a run's folder that tells what was refused, and to whom."""
MOST_NOTED = 2**16
"""The largest size of that file in bytes, so that nobody can fill the disk with it."""


class Service:
    """The part of a server that runs in its own thread, in which an event loop runs already."""

    def __init__(self, listening: Listening, feed: Feed, control: Control, goodbye: float) -> None:
        """Serve those that connect.

        Args:
            listening: Where they do.
            feed: The events of the run.
            control: Takes their commands.
            goodbye: Seconds in which they are told the rest at the end.
        """
        self._listening = listening
        self._feed = feed
        self._control = control
        self._goodbye = goodbye
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._bye: Bye = "ended"
        self._visits: set[asyncio.Task[None]] = set()
        self._visitors: set[Visitor] = set()
        self._user = Who.here().user
        self._noted_enough = False
        self._disk = Disk(AT_MOST)
        self._allowed = Allowance(CONNECTIONS, A_SECOND)
        self._resting: asyncio.TimerHandle | None = None

    def end(self, bye: Bye) -> None:
        """Say goodbye to all and stop; called in another thread."""
        self._bye = bye
        self._soon(self._over.set)

    async def serve(self) -> None:
        """Serve until the end."""
        self._feed.wake = lambda: self._soon(self._wake)
        self._open()
        try:
            await self._keep_in_place()
        finally:
            self._rest()
            self._listening.remove()
        for visitor in self._visitors:
            visitor.end(self._bye)
        if self._visits:
            await asyncio.wait(self._visits, timeout=self._goodbye)

    def _soon(self, function: Callable[[], object]) -> None:
        """Call a function in this thread, from another."""
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(function)

    def _wake(self) -> None:
        for visitor in self._visitors:
            visitor.wake()

    async def _keep_in_place(self) -> None:
        """Until the run has ended, make its socket anew where its folder was removed and made again."""
        while not self._over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), LOOK)
            with suppress(OSError):  # its disk does not answer, or the folder isn't there again yet
                if self._over.is_set() or self._disk(lambda: self._listening.is_in_place(self._feed.folder)):
                    continue
                anew = self._listening.again(self._feed.folder)
                self._rest()
                self._listening.remove()
                self._listening = anew
                self._open()

    def _open(self) -> None:
        """Accept connections from now on."""
        self._loop.add_reader(self._listening.socket, self._accept)

    def _rest(self, seconds: float | None = None) -> None:
        """Accept none for so many seconds, or until `_open` is called."""
        self._loop.remove_reader(self._listening.socket)
        if self._resting is not None:
            self._resting.cancel()
        self._resting = None if seconds is None else self._loop.call_later(seconds, self._open)

    def _accept(self) -> None:
        """Accept one that waits."""
        if not self._allowed.take():
            return self._rest(1 / A_SECOND)
        try:
            connection, _ = self._listening.socket.accept()
        except BlockingIOError:  # it has left
            return None
        except OSError:  # too many files are open
            return self._rest(AFTER_FAULT)
        return self._receive(connection)

    def _receive(self, connection: socket.socket) -> None:
        """Serve a connection, or refuse it."""
        try:
            peer = peer_of(connection)
        except OSError:
            connection.close()
            return
        if not peer.is_trusted:
            self._turn_away(connection, peer, "this run belongs to another user")
        elif len(self._visits) >= VISITORS:
            self._turn_away(connection, peer, f"{counted(VISITORS, 'viewer')} are connected already")
        else:
            visit = self._loop.create_task(self._visit(connection, self._who(peer)))
            self._visits.add(visit)
            visit.add_done_callback(self._visits.discard)

    def _turn_away(self, connection: socket.socket, peer: Peer, why: str) -> None:
        self._note(self._who(peer), why)
        with connection, suppress(OSError):
            connection.setblocking(False)
            connection.send(answer_line(refused=why))

    async def _visit(self, connection: socket.socket, by: Who) -> None:
        try:
            streams = await asyncio.open_connection(sock=connection, limit=LONGEST_REQUEST - 1)
        except OSError:
            connection.close()
            return
        visitor = Visitor(streams, by, self._feed, self._control, self._note)
        self._visitors.add(visitor)
        if self._over.is_set():
            visitor.end(self._bye)
        try:
            await visitor.serve()
        except Exception as error:  # a defect of ours, which ends this connection only
            self._note(by, repr(error))
        finally:
            self._visitors.discard(visitor)

    def _who(self, peer: Peer) -> Who:
        """The peer by name; the system's list of users may be on a server that doesn't answer."""
        known = {os.geteuid(): self._user, 0: "root"}
        return Who(pid=peer.pid, user=known.get(peer.uid, str(peer.uid)))

    def _note(self, by: Who, why: str) -> None:
        """Note a refusal in the run's folder, if there is room in that file."""
        if self._noted_enough:
            return
        told = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "by": by.model_dump(), "why": why}
        line = json.dumps(told).encode() + b"\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK

        def write() -> None:
            file = os.open(self._feed.folder / REFUSALS, flags, 0o666)
            try:
                self._noted_enough = os.fstat(file).st_size + len(line) > MOST_NOTED
                if not self._noted_enough:
                    os.write(file, line)
            finally:
                os.close(file)

        with suppress(OSError):
            self._disk(write)
