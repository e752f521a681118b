"""Our end of a process that trains: calls go to its stdin, answers come from its stdout."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple, TypeVar

from regtui.arm.interface import Args, Call, HostCalls, Result
from regtui.engine.child import Child
from regtui.engine.worker import Failure
from regtui.errors import RegtuiError
from regtui.memory import process_limit
from regtui.text import megabytes

Started = TypeVar("Started", bound=Child)
"""A process, however it was started."""
TICK = 0.2
"""Seconds between two calls of the watch while an answer is awaited."""
LOOKED_AT = 4.0
"""Seconds of waiting after which we look at what the process does."""


class Wait(NamedTuple):
    """A pending answer.

    Attributes:
        arms: The arms that the process trains.
        pid: The process number.
        seconds: How long we have waited. Time in which this program itself was suspended does not count.
        usual: The longest time in which the process answered such a call; None if it has not answered one yet.
        stopped: Whether a signal has stopped the process, so that it answers only after another one; this is looked at
            once we have waited for some seconds.
    """

    arms: tuple[str, ...]
    pid: int
    seconds: float
    usual: float | None
    stopped: bool = False


class CrewClosedError(RegtuiError):
    """The work is not awaited any more, because the run is to stop at once."""


class EngineError(RegtuiError):
    """Training raised an unexpected error; `traceback` is that of the process in which it happened."""

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message)
        self.traceback = trace


_NO_MORE = object()
"""Stands for the end of replies."""


def with_pipes(start: Callable[[int, int], Started]) -> tuple[Started, BinaryIO, int]:
    """Start a process with pipes as its stdin and stdout; returns it, its stdin, and the number of its stdout."""
    stdin, calls = os.pipe()
    replies, stdout = os.pipe()
    try:
        process = start(stdin, stdout)
    except BaseException:
        os.close(calls)
        os.close(replies)
        raise
    finally:
        os.close(stdin)
        os.close(stdout)
    return process, os.fdopen(calls, "wb"), replies


class Process:
    """A process that trains; it imports torch as soon as it has started.

    Attributes:
        arms: Those that it trains.
        has_ended: Whether it answers no more.
    """

    def __init__(self, start: Callable[[int, int], Child]) -> None:
        """Start the process, which returns at once; `start` does it, with its stdin and stdout.

        Raises:
            RegtuiError: It can't be started.
        """
        self.arms: tuple[str, ...] = ()
        self.has_ended = False
        self._hung_up = False
        self._asked: list[str] = []
        self._usual: dict[str, float] = {}
        self._replies: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._process, self._calls, replies = with_pipes(start)
        threading.Thread(target=self._read, args=[replies], name=f"answers of {self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    @property
    def owes(self) -> bool:
        """Whether it owes an answer."""
        return bool(self._asked)

    def ask(self, method: Callable[[HostCalls, *Args], Result], *args: *Args) -> Result:
        """Call a method and wait for the answer."""
        self.send(method, *args)
        result: Result = self.receive()
        return result

    def send(self, method: Callable[[HostCalls, *Args], object], *args: *Args) -> None:
        """Call a method of its host; it is carried out after earlier calls.

        Raises:
            RegtuiError: It has ended.
        """
        name, first = method.__name__, next(iter(args), None)
        self._asked.append(first.method if isinstance(first, Call) else name)
        try:
            self._calls.write(pickle.dumps((name, args)))
            self._calls.flush()
        except (OSError, ValueError):  # ValueError: closed on our side
            raise self._gone() from None

    def receive(self, watch: Callable[[Wait], object] = lambda _wait: None) -> Any:
        """Wait for the answer to the oldest unanswered call.

        Args:
            watch: Called several times a second with the pending answer; an error that it raises ends the waiting.

        Raises:
            CrewClosedError: The process was ended from here.
            EngineError: The call raised an unexpected error.
            RegtuiError: The call can't be carried out, or the process has ended.
        """
        method, seconds = self._asked[0], 0.0
        while True:
            try:
                reply = self._replies.get(timeout=TICK)
                break
            except queue.Empty:
                # Ticks are counted, not the clock: that goes on while the whole program or the machine is suspended.
                seconds += TICK
                stopped = seconds >= LOOKED_AT and _is_stopped(self.pid)
                watch(Wait(self.arms, self.pid, seconds, self._usual.get(method), stopped))
        if reply is _NO_MORE:
            self._replies.put(reply)
            raise self._gone()
        self._asked.pop(0)
        self._usual[method] = max(seconds, self._usual.get(method, 0.0))
        if isinstance(reply, Failure):
            if reply.error is not None:
                raise reply.error
            last_line = reply.traceback.strip().splitlines()[-1]
            raise EngineError(f"training failed: {last_line}", reply.traceback)
        return reply

    def hang_up(self) -> None:
        """End it, whatever it is doing: files on disk are complete at any time. `wait` does the rest."""
        self._hung_up = True
        self._replies.put(_NO_MORE)
        self._process.kill()

    def wait(self) -> None:
        """Wait until it has ended, after `hang_up`."""
        self._process.wait()
        with suppress(OSError):
            self._calls.close()
        self._process.close()

    def _read(self, pipe: int) -> None:
        with os.fdopen(pipe, "rb") as replies, suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                self._replies.put(pickle.load(replies))
        self.has_ended = True
        self._replies.put(_NO_MORE)

    def _gone(self) -> RegtuiError:
        if self._hung_up:
            return CrewClosedError("the processes that train were ended")
        code = self._process.wait()
        if code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
            hint = "; the machine may have run out of memory" if -code == signal.SIGKILL else ""
        else:
            how, hint = f"ended with exit code {code}", self._why() or _limit()
        return RegtuiError(f"a process that trains {how}{hint}")

    def _why(self) -> str:
        """Its message if it could not even begin to serve; later it prints nothing."""
        lines = self._process.words().strip().splitlines()
        return f": {lines[-1]} (it was started as {sys.executable})" if lines else ""


def _limit() -> str:
    """What may have ended a process that could not even say why."""
    limit = process_limit()
    return f"; each may have {megabytes(limit)} of memory (ulimit -v)" if limit is not None else ""


def _is_stopped(pid: int) -> bool:
    """Whether a signal has stopped a process, as SIGSTOP does."""
    import psutil  # 40 ms, for what hardly ever happens

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False
