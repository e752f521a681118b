"""How processes that train are started: each as a Python of its own, or, on Linux, forked from one that has torch.

They are not `multiprocessing.Process`es: those would have the current folder on their import path, would run the main
program's file again, and would fail if the current folder has been deleted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from regtui.errors import RegtuiError, exhausted
from regtui.import_path import current_folder, without_current_folder
from regtui.signals import deadly

MAX_WORDS = 100_000
"""The most bytes read of a process's messages from before it serves."""
_LINE = "import sys; sys.path[:] = sys.argv[2:]; from {} import begin; begin(sys.argv[1])"
_POOLS = ("OMP", "MKL", "VECLIB_MAXIMUM")
"""Environment variables that set the number of threads of torch and its libraries."""


class Ours(Protocol):
    """A process that ends with this program, if that ends at once."""

    @property
    def pid(self) -> int:
        """Its process number."""

    def kill(self) -> None:
        """End it, if it has not ended yet."""


class Child(Ours, Protocol):
    """A process that was started to be called."""

    def wait(self) -> int:
        """Wait until it has ended; returns its exit code, which is negative for a signal."""

    def words(self) -> str:
        """What it has printed before it served."""

    def close(self) -> None:
        """Let go of what belongs to it, once it has ended."""


LIVING: set[Ours] = set()
"""Those that were started and not yet closed, or that have not yet taken anything over."""


def kill_all() -> None:
    """Kill all processes, for a program that ends at once; those that hang would not end by themselves."""
    for child in list(LIVING):
        child.kill()


class Spawned:
    """A Python of its own that runs `begin` of a module."""

    def __init__(
        self,
        threads: int,
        streams: tuple[int, int] | None = None,
        channel: int | None = None,
        module: str = "regtui.engine.worker",
    ) -> None:
        """Start it, which returns at once.

        Args:
            threads: The default for its libraries.
            streams: Its stdin and stdout, through which it is called.
            channel: A socket through which it is asked to fork processes that are called.
            module: Whose `begin` it runs.

        Raises:
            RegtuiError: It can't be started.
        """
        # PYTHONPATH takes effect even before the line that it runs, and may contain the current folder.
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        env |= {f"{pool}_NUM_THREADS": str(threads) for pool in _POOLS}
        env["OPENBLAS_NUM_THREADS"] = "1"  # numpy's, which trains nothing and would start its threads when imported
        flags = [
            flag for flag, given in (("-E", sys.flags.ignore_environment), ("-s", sys.flags.no_user_site)) if given
        ]
        if not sys.executable:  # a program that embeds Python
            raise RegtuiError("processes that train can't be started: this program does not know where its Python is")
        stdin, stdout = streams or (subprocess.DEVNULL, subprocess.DEVNULL)
        # For messages from before it serves: the terminal belongs to the screen, and a pipe could fill up.
        self._words = _file_for_words()
        try:
            with _signals_blocked():
                self._process = subprocess.Popen(
                    [
                        *(sys.executable, "-P", *flags, "-c", _LINE.format(module)),
                        *(str(channel or ""), *without_current_folder(sys.path)),
                    ],
                    stdin=stdin,
                    stdout=stdout,
                    stderr=self._words,
                    env=env,
                    pass_fds=() if channel is None else (channel,),
                    # The system wakes stopped processes in a group that loses its last parent, so that they end too.
                    process_group=0,
                    # Torch can't be imported in a folder that has been deleted.
                    cwd=os.sep if current_folder() is None else None,
                )
        except OSError as error:
            self._words.close()
            raise RegtuiError(f"processes that train can't be started: {exhausted(error) or error}") from None
        LIVING.add(self)

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def kill(self) -> None:
        """End it, if it has not ended yet."""
        self._process.kill()

    def wait(self) -> int:
        """Wait until it has ended; returns its exit code, which is negative for a signal."""
        return self._process.wait()

    def words(self) -> str:
        """What it has printed before it served."""
        self._words.seek(0)
        return self._words.read(MAX_WORDS).decode(errors="replace")

    def close(self) -> None:
        """Let go of the file for its words."""
        LIVING.discard(self)
        self._words.close()


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
    before = signal.pthread_sigmask(signal.SIG_BLOCK, deadly())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
