"""A program in a pseudo-terminal of its own: typed into, resized, signalled, hung up on."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

_ENVIRON = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
"""The environment without a size of the terminal, which pytest gives its own processes."""
LEFT = b"\x1b[?1049l"
"""What a program writes last of its own screen: from here on it is the normal one again."""
QUIET = 0.15
"""Seconds without a byte after which a screen has said what it had to say."""
PATIENCE = 120.0
"""Seconds that anything may take; a machine may be busy."""
AGAIN = 2.0
"""Seconds after which a key is typed again that changed nothing."""
ESCAPE = "\x1b[27u"
"""The escape key as newer terminals send it; the byte alone and the next key make another key for who reads late."""
_OBEYED = re.compile(rb"\x1b(?:\[[0-9;:?<=>$]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")
_TAKE_TERMINAL = "import os, sys; os.login_tty(0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"


class Terminal:
    """A Python program in a terminal. Use it as a context: leaving kills whatever is left of the program."""

    def __init__(
        self,
        *words: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        columns: int = 120,
        rows: int = 36,
    ) -> None:
        """Start `python WORDS...`.

        Args:
            words: What to run: '-m', 'regtui', and so on.
            cwd: Its working directory.
            env: Added to this environment, with a modern terminal's TERM.
            columns: The terminal's width.
            rows: And height.
        """
        self.written = b""
        self._searched = 0
        self._master, slave = pty.openpty()
        self.resize(columns, rows)
        self.attributes_before = self.attributes
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", _TAKE_TERMINAL, *map(str, words)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env=_ENVIRON | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | dict(env or {}),
        )
        os.close(slave)
        self.process = psutil.Process(self._process.pid)
        self._family: set[psutil.Process] = {self.process}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.family()
        for process in self._family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        self.hang_up()

    @property
    def attributes(self) -> list[Any]:
        """How the terminal treats what is typed and shown."""
        return termios.tcgetattr(self._master)

    @property
    def text(self) -> str:
        """All that was written, without what a terminal obeys."""
        return _OBEYED.sub(b"", self.written).decode(errors="replace")

    @property
    def normal_screen(self) -> str:
        """What is on the normal screen after the program has left its own."""
        _, left, after = self.written.rpartition(LEFT)
        assert left, self.text[-2000:]
        return _OBEYED.sub(b"", after).decode(errors="replace").replace("\r\n", "\n")

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size, which its program is told."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def forget(self) -> None:
        """Let go of what was written, which in an hour is a hundred million bytes."""
        self.written, self._searched = b"", 0

    def press(self, *keys: str) -> None:
        """Type keys, one after the other."""
        for key in keys:
            self._type(key)
            self.read(0.05)  # so that each comes alone, as from a person

    def press_until(self, key: str, wanted: Callable[[], object]) -> None:
        """Type a key until something is true: a question takes none that was typed before it was seen."""
        began, again = time.perf_counter(), 0.0
        while not wanted():
            now = time.perf_counter()
            assert now < began + PATIENCE, f"the key changed nothing in time: {self.text[-3000:]}"
            if now > again:
                with suppress(OSError):  # nobody has the other end any more
                    self._type(key)
                again = now + AGAIN
            self._take_soon()

    def press_and_see(self, key: str, wanted: str, seconds: float = PATIENCE) -> float:
        """Type a key and take in what it writes until a text comes that was not there before; the seconds that took."""
        self._searched = len(self.written)
        self._type(key)
        return self.until(wanted, seconds)

    def press_and_change(self, key: str, seconds: float = PATIENCE, quiet: float = QUIET) -> float:
        """Type a key and take in what it writes until the screen is quiet again; the seconds until the last of it."""
        began = last = time.perf_counter()
        before = len(self.written)
        self._type(key)
        while (now := time.perf_counter()) < last + quiet or len(self.written) == before:
            assert now < began + seconds, "the key changed nothing in time"
            if select.select([self._master], [], [], 0.01)[0] and self._take():
                last = time.perf_counter()
        return last - began

    def read(self, seconds: float) -> bool:
        """Take in what it writes for so long; returns False as soon as it can't write any more."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if select.select([self._master], [], [], left)[0] and not self._take():
                return False
        return True

    def until(self, wanted: str | Callable[[], object], seconds: float = PATIENCE) -> float:
        """Take in what it writes until a text comes that was not there at the last call, or something is true.

        Returns:
            The seconds that took.
        """
        began = time.perf_counter()
        while not (self._comes(wanted) if isinstance(wanted, str) else wanted()):
            assert time.perf_counter() < began + seconds, f"no {wanted} in time: {self.text[-3000:]}"
            self._take_soon()
        return time.perf_counter() - began

    def wait(self, seconds: float = PATIENCE) -> int:
        """Take in what it writes until it has ended; returns its exit code, negative for a signal."""
        end = time.perf_counter() + seconds
        while self._process.poll() is None:
            assert time.perf_counter() < end, f"it did not end in time: {self.text[-3000:]}"
            self._take_soon()
        while select.select([self._master], [], [], QUIET)[0] and self._take():
            pass  # what it wrote last
        return self._process.returncode

    @property
    def has_ended(self) -> bool:
        """Whether the program has ended."""
        return self._process.poll() is not None

    def exit_code(self, seconds: float = PATIENCE) -> int:
        """Its exit code, negative for a signal, when it has ended by itself; nothing is read from it meanwhile."""
        return self._process.wait(seconds)

    def family(self) -> Sequence[psutil.Process]:
        """The program's process and all that came from it, as far as they have been seen alive."""
        with suppress(psutil.NoSuchProcess):
            self._family.update(self.process.children(recursive=True))
        return [process for process in self._family if _alive(process)]

    def signal(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        self._process.send_signal(number)

    def hang_up(self) -> None:
        """Close the terminal: whoever reads from it or writes to it finds it gone, and is sent SIGHUP."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def all_gone(self, seconds: float = PATIENCE) -> bool:
        """Whether nothing of the family is left within so long; here nothing is read from the terminal any more."""
        end = time.perf_counter() + seconds
        while left := [process for process in self._family if _alive(process)]:
            if time.perf_counter() > end:
                return False
            self._process.poll()
            psutil.wait_procs(left, timeout=0.05)
        return True

    def _type(self, key: str) -> None:
        os.write(self._master, key.encode())

    def _comes(self, wanted: str) -> bool:
        found = self.written.find(wanted.encode(), self._searched)
        if found >= 0:
            self._searched = found + len(wanted.encode())
        return found >= 0

    def _take_soon(self) -> None:
        if select.select([self._master], [], [], 0.02)[0] and not self._take():
            time.sleep(0.02)

    def _take(self) -> bool:
        try:
            part = os.read(self._master, 65_536)
        except OSError:  # nobody has the other end any more
            return False
        self.written += part
        return bool(part)


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
