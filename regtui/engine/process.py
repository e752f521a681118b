"""Our end of a process that trains: calls go to its stdin, answers come from its stdout.

It is not a `multiprocessing.Process`: that would have the current folder on its import path, would run the main
program's file again, and would fail if the current folder has been deleted.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from regtui.arm.interface import Args, Call, HostCalls, Result
from regtui.engine.worker import Failure
from regtui.errors import RegtuiError
from regtui.import_path import current_folder, without_current_folder
from regtui.signals import ending

TICK = 0.2
"""Seconds between two calls of the watch while an answer is awaited."""
MAX_WORDS = 100_000
"""The most bytes read of a process's messages from before it serves."""
_POOLS = ("OMP", "MKL", "OPENBLAS", "VECLIB_MAXIMUM")
"""Environment variables that set the number of threads of torch, numpy and their libraries."""
_SERVE = "import sys; sys.path[:] = sys.argv[1:]; from regtui.engine.worker import serve; serve()"


class Wait(NamedTuple):
    """A pending answer.

    Attributes:
        arms: The arms that the process trains.
        pid: The process number.
        seconds: How long we have waited. Time in which this program itself was suspended does not count.
        usual: The longest time in which the process answered such a call; None if it has not answered one yet.
    """

    arms: tuple[str, ...]
    pid: int
    seconds: float
    usual: float | None


class CrewClosedError(RegtuiError):
    """The work is not awaited any more, because the run is to stop at once."""


class EngineError(RegtuiError):
    """Training raised an unexpected error; `traceback` is that of the process in which it happened."""

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message)
        self.traceback = trace


_NO_MORE = object()
"""Stands for the end of replies."""


_LIVING: set[Process] = set()


def kill_all() -> None:
    """Kill all processes, for a program that ends at once; those that hang would not end by themselves."""
    for process in list(_LIVING):
        process.hang_up()


class Process:
    """A process that trains; it imports torch as soon as it has started."""

    def __init__(self, threads: int) -> None:
        """Start the process, which returns at once; `threads` is the default for its libraries.

        Raises:
            RegtuiError: It can't be started.
        """
        self.arms: tuple[str, ...] = ()
        self._hung_up = False
        self._asked: list[str] = []
        self._usual: dict[str, float] = {}
        self._replies: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # PYTHONPATH takes effect even before the line that it runs, and may contain the current folder.
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        env |= {f"{pool}_NUM_THREADS": str(threads) for pool in _POOLS}
        flags = [
            flag for flag, given in (("-E", sys.flags.ignore_environment), ("-s", sys.flags.no_user_site)) if given
        ]
        if not sys.executable:  # a program that embeds Python
            raise RegtuiError("processes that train can't be started: this program does not know where its Python is")
        # For messages from before it serves: the terminal belongs to the screen, and a pipe could fill up.
        self._last_words = _file_for_words()
        try:
            with _signals_blocked():
                self._process = subprocess.Popen(
                    [sys.executable, "-P", *flags, "-c", _SERVE, *without_current_folder(sys.path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._last_words,
                    env=env,
                    # The system wakes stopped processes in a group that loses its last parent, so that they end too.
                    process_group=0,
                    # Torch can't be imported in a folder that has been deleted.
                    cwd=os.sep if current_folder() is None else None,
                )
        except OSError as error:
            self._last_words.close()
            raise RegtuiError(f"processes that train can't be started: {error}") from None
        _LIVING.add(self)
        threading.Thread(target=self._read, name=f"answers of {self._process.pid}", daemon=True).start()

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
        assert self._process.stdin is not None
        name, first = method.__name__, next(iter(args), None)
        self._asked.append(first.method if isinstance(first, Call) else name)
        try:
            self._process.stdin.write(pickle.dumps((name, args)))
            self._process.stdin.flush()
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
                watch(Wait(self.arms, self.pid, seconds, self._usual.get(method)))
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
        _LIVING.discard(self)
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._last_words.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as replies, suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                self._replies.put(pickle.load(replies))
        self._replies.put(_NO_MORE)

    def _gone(self) -> RegtuiError:
        if self._hung_up:
            return CrewClosedError("the processes that train were ended")
        code = self._process.wait()
        if code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
            hint = "; the machine may have run out of memory" if -code == signal.SIGKILL else ""
        else:
            how, hint = f"ended with exit code {code}", self._why()
        return RegtuiError(f"a process that trains {how}{hint}")

    def _why(self) -> str:
        """Its message if it could not even begin to serve; later it prints nothing."""
        self._last_words.seek(0)
        lines = self._last_words.read(MAX_WORDS).decode(errors="replace").strip().splitlines()
        return f": {lines[-1]} (it was started as {sys.executable})" if lines else ""


def _file_for_words() -> BinaryIO:
    """An anonymous file for messages, or the null device if none can be created."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return Path(os.devnull).open("r+b")


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block signals while a child starts; it inherits that, so that signals for the run don't reach it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
