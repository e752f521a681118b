"""Our end of a process that imports torch once and forks those that train.

They share the memory that the import has written, some 150 MB each, and wait for one import instead of one each. Linux
only: elsewhere libraries start threads when they are imported, and a process with threads can't be forked.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import threading
from collections import deque
from contextlib import suppress

from regtui.engine.child import LIVING, Spawned

MESSAGE = 1_000
"""The most bytes of a message about a process."""
_AT_MOST = 5.0
"""Seconds to wait until the server tells the end of a process; it may have been made to stand still."""


class Forked:
    """A process that the server forks as soon as it can."""

    def __init__(self, server: Spawned) -> None:
        self._server = server
        self._pid, self._code = 0, 0
        self._killed = False
        self._lock = threading.RLock()  # a signal may come while it is held, and have this process killed
        self._ended = threading.Event()
        LIVING.add(self)

    @property
    def pid(self) -> int:
        """Its process number; that of the server until it has been forked."""
        return self._pid or self._server.pid

    def begin(self, pid: int) -> None:
        """It has been forked as this process."""
        with self._lock:
            self._pid = pid
            if self._killed:
                os.kill(pid, signal.SIGKILL)

    def end(self, code: int) -> None:
        """It has ended with this exit code."""
        with self._lock:
            self._code = code
            self._ended.set()

    def kill(self) -> None:
        """End it, or let it end as soon as it is forked."""
        with self._lock:
            self._killed = True
            if self._pid and not self._ended.is_set():
                with suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait until it has ended; returns its exit code, which is negative for a signal."""
        ended = self._ended.wait(_AT_MOST if self._pid or not self._killed else 0)
        if not ended and not self._killed:  # its streams are closed, and nobody tells how it ended
            self._server.kill()
            self._ended.wait()
        return self._code

    def words(self) -> str:
        """What its server has printed."""
        return self._server.words()

    def close(self) -> None:
        """Forget it."""
        LIVING.discard(self)


class ForkServer:
    """Forks processes, after it has imported torch."""

    @staticmethod
    def is_possible() -> bool:
        """Whether there is one for this system."""
        return sys.platform == "linux"

    def __init__(self, threads: int) -> None:
        """Start it, which returns at once; `threads` is the default for the libraries of what it forks.

        Raises:
            RegtuiError: It can't be started.
        """
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._server = Spawned(threads, channel=theirs.fileno())
            except BaseException:
                self._channel.close()
                raise
        self._to_come: deque[Forked] = deque()
        self._living: dict[int, Forked] = {}
        self._lock = threading.Lock()
        self._gone = False
        self._listener = threading.Thread(target=self._listen, name=f"forks of {self._server.pid}", daemon=True)
        self._listener.start()

    @property
    def is_gone(self) -> bool:
        """Whether it has ended, so that it forks no more."""
        return self._gone

    def fork(self, stdin: int, stdout: int) -> Forked:
        """Have a process forked with these streams; returns at once."""
        forked = Forked(self._server)
        with self._lock:
            self._to_come.append(forked)
            if self._gone:
                self._end_all()
            else:
                with suppress(OSError):  # it has just ended, which `_listen` is about to notice
                    socket.send_fds(self._channel, [b"."], [stdin, stdout])
        return forked

    def close(self) -> None:
        """End it and all that it has forked."""
        self._server.kill()
        self._listener.join()
        self._server.close()

    def _listen(self) -> None:
        """Take in what it tells of the processes, until it has ended."""
        with suppress(OSError):
            while message := self._channel.recv(MESSAGE):
                what, pid, code = pickle.loads(message)
                with self._lock:
                    if what == "forked":
                        forked = self._living[pid] = self._to_come.popleft()
                        forked.begin(pid)
                    else:
                        self._living.pop(pid).end(code)
        with self._lock:
            self._gone = True
            self._channel.close()
            self._end_all()

    def _end_all(self) -> None:
        """What it has forked does not outlive it: nobody else can tell how a process has ended."""
        code = self._server.wait()
        for forked in (*self._living.values(), *self._to_come):
            forked.kill()
            forked.end(code)
        self._living.clear()
        self._to_come.clear()
