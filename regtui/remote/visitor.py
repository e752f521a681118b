"""One connection to the process that trains: takes requests, answers each, and tells events to one who watches.

Everything that a visitor can ask for is bounded: the length of a line, how many in a second, how many that are refused,
how long it may be silent, and how much may wait for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from regtui.protocol.control import Control, Stop
from regtui.protocol.who import Who
from regtui.remote.feed import Feed, Inbox
from regtui.remote.wire import (
    LONGEST_REQUEST,
    Bye,
    RefusedError,
    Watching,
    WatchRequest,
    answer_line,
    request_of,
)
from regtui.text import counted

REQUESTS, A_SECOND = 100, 10
"""So many requests are taken at once, and so many a second in the long run: a key that is held sends 30 a second."""
REFUSALS = 20
"""A visitor is let go after so many refusals, and one more each second."""
ANSWERS = 200
"""A visitor is let go when so many answers wait for it."""
SILENT = 30.0
"""Seconds after which a visitor is let go that watches nothing and asks nothing, or that takes in nothing."""
COMMANDS = 1000
"""So many commands may wait until the trainer takes them."""
BUFFER = 2**16
"""Bytes given to the system for a visitor that it has not taken yet."""


class Allowance:
    """So many at once, and so many a second in the long run."""

    def __init__(self, at_once: int, a_second: float) -> None:
        self._at_once, self._a_second = at_once, a_second
        self._left, self._since = float(at_once), time.monotonic()

    def take(self) -> bool:
        """Take one, if there is one."""
        now = time.monotonic()
        self._left = min(self._at_once, self._left + (now - self._since) * self._a_second)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Visitor:
    """A connection, in the server's thread."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        by: Who,
        feed: Feed,
        control: Control,
        note: Callable[[Who, str], None],
    ) -> None:
        """Begin with nothing asked.

        Args:
            streams: From and to the visitor.
            by: Who it is, by what the system says.
            feed: The events for whoever watches.
            control: Takes commands.
            note: Takes a note of each refusal, with who was refused and why.
        """
        self._reader, self._writer = streams
        self._writer.transport.set_write_buffer_limits(high=BUFFER)
        self._by = by
        self._feed = feed
        self._control = control
        self._note = note
        self._inbox: Inbox | None = None
        self._answers: list[bytes] = []
        self._news = asyncio.Event()
        self._allowed = Allowance(REQUESTS, A_SECOND)
        self._refusable = Allowance(REFUSALS, 1)
        self._over = False
        self._bye = b""

    def wake(self) -> None:
        """There may be something to tell; one that takes in too little is let go."""
        if self._is_lost:
            self._writer.transport.abort()
        self._news.set()

    def end(self, bye: Bye) -> None:
        """Tell what waits, say goodbye, and close the connection."""
        self._bye = answer_line(bye=bye)
        self._over = True
        self._news.set()

    async def serve(self) -> None:
        """Serve the visitor until it leaves or is let go."""
        listening = asyncio.create_task(self._listen())
        try:
            await self._speak()
            self._writer.close()
            async with asyncio.timeout(SILENT):
                await self._writer.wait_closed()
        except OSError:  # it has gone, or takes in nothing
            pass
        finally:
            self._writer.transport.abort()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            if self._inbox is not None:
                self._feed.leave(self._inbox)

    @property
    def _is_lost(self) -> bool:
        """Whether it takes in too little."""
        return len(self._answers) > ANSWERS or (self._inbox is not None and self._inbox.lost)

    async def _listen(self) -> None:
        """Take its requests, until it leaves or asks for too much that it does not get."""
        try:
            while not self._over and (line := await self._read()):
                self._answers.append(self._answer(line))
                self.wake()
        except RefusedError as error:
            self._answers.append(self._refuse(str(error)))
        except OSError:
            pass
        self._over = True
        self._news.set()

    async def _read(self) -> bytes:
        """Its next line; empty when it has left.

        Raises:
            RefusedError: The line is too long, or does not end, or it has not asked for anything for too long.
        """
        try:
            async with asyncio.timeout(SILENT) as patience:
                if self._inbox is not None:
                    patience.reschedule(None)
                return await self._reader.readuntil(b"\n")
        except TimeoutError:
            raise RefusedError("whoever does not watch must ask for something; ask to watch") from None
        except asyncio.LimitOverrunError:
            raise RefusedError(f"a request has at most {LONGEST_REQUEST:,} bytes") from None
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise RefusedError("a request ends with the end of its line") from None
            return b""

    def _answer(self, line: bytes) -> bytes:
        """Carry out a request; returns the answer."""
        if not self._allowed.take():
            return self._refuse(f"at most {A_SECOND} requests a second are taken")
        try:
            request = request_of(line)
            if isinstance(request, WatchRequest):
                return self._watch()
            if self._control.waiting >= COMMANDS and not isinstance(request, Stop):  # a stop need not be taken to work
                raise RefusedError(f"the run has not taken {counted(COMMANDS, 'command')} yet that were sent before")
        except RefusedError as error:
            return self._refuse(str(error))
        self._control.send(request.model_copy(update={"by": self._by}))
        return answer_line(taken=request.command)

    def _watch(self) -> bytes:
        if self._inbox is not None:
            raise RefusedError("this connection watches already")
        self._inbox = self._feed.watch()
        return answer_line(watching=Watching(folder=str(self._inbox.folder.absolute()), size=self._inbox.size))

    def _refuse(self, why: str) -> bytes:
        self._note(self._by, why)
        if not self._refusable.take():
            self._over = True
        return answer_line(refused=why)

    async def _speak(self) -> None:
        """Tell it answers and events, in the order in which they came."""
        while True:
            self._news.clear()
            lines = b"".join(self._answers)
            self._answers.clear()
            lines += self._inbox.take() if self._inbox is not None else b""
            if lines:
                await self._send(lines)
            elif self._over:
                return await self._send(self._bye)
            else:
                await self._news.wait()

    async def _send(self, lines: bytes) -> None:
        """Give lines to the system, and wait while it has too many that were not taken.

        Raises:
            OSError: The visitor has gone, or takes none.
        """
        self._writer.write(lines)
        async with asyncio.timeout(SILENT):
            await self._writer.drain()
