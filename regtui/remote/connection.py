"""A viewer's connection to the process that trains, whose own side of it is remote/visitor.py."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import suppress

from pydantic import ValidationError

from regtui.remote.wire import Bye, FromRun, RefusedError, Request, WatchRequest, line_of, read_line
from regtui.runs.events import LONGEST_LINE
from regtui.text import one_line

BLOCK = 2**16
"""Bytes taken from the socket at a time."""


class Connection:
    """A connection to the process that trains, which has been asked to watch, and has answered.

    Attributes:
        watching: Its answer.
        bye: Why it ended the connection; None while it has not said so.
    """

    def __init__(self, connection: socket.socket) -> None:
        """Ask.

        Raises:
            RefusedError: It does not let us watch.
            OSError: It does not answer.
        """
        self.bye: Bye | None = None
        self._socket = connection
        self._buffer = bytearray()
        try:
            with suppress(BrokenPipeError):  # it lets us go already, and says why
                connection.sendall(line_of(WatchRequest()))
            said = next(self.all(), None)
            if said is None or said.watching is None:
                raise RefusedError(one_line(said.refused) if said and said.refused else "the run does not answer")
        except BaseException:
            connection.close()
            raise
        self.watching = said.watching
        connection.settimeout(None)

    def all(self) -> Iterator[FromRun]:
        """What it says, until the connection ends.

        Raises:
            OSError: It broke, or a line is too long.
        """
        while True:
            line, end, rest = self._buffer.partition(b"\n")
            if end:
                self._buffer = rest
                with suppress(ValidationError):  # of a later version
                    said = read_line(bytes(line))
                    self.bye = said.bye or self.bye
                    yield said
            elif len(line) > LONGEST_LINE:
                raise OSError(errno.EMSGSIZE, "a line is too long")
            elif not (came := self._socket.recv(BLOCK)):
                return
            else:
                self._buffer += came

    def take_what_came(self) -> None:
        """Take from the system what came, without waiting, so that the other side needs not wait for us."""
        with suppress(BlockingIOError):
            while came := self._socket.recv(BLOCK, socket.MSG_DONTWAIT):
                self._buffer += came

    def send(self, request: Request) -> bool:
        """Send a request without waiting; returns whether it went out."""
        line = line_of(request)
        try:
            return self._socket.send(line, socket.MSG_DONTWAIT) == len(line)
        except OSError:
            return False

    def end(self) -> None:
        """Have `all` end, from another thread."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
