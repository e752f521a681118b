"""A run without a screen that is killed at drawn moments of its own progress, and resumed each time until it ends."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals
from typing import NamedTuple

import psutil

from tests.command import Outcome, start
from tests.held import Gate

VICTIMS = ("program", "process group", "worker", "what forks workers", "everything")
STARTING = 3.0
"""Seconds within which a program that is killed before its log has a line is killed."""


class Kill(NamedTuple):
    """When something is killed, and what.

    Attributes:
        lines: So many lines the log has then; 0 while the program still starts.
        later: So many seconds after the last of them.
        victim: One of `VICTIMS`.
        number: The signal that it gets.
    """

    lines: int
    later: float
    victim: str
    number: Signals = Signals.SIGKILL


class KilledRun:
    """A run of a preset: `harm` starts or resumes it and kills it, `end` has it end undisturbed.

    Attributes:
        logs: The folder for its runs, of which it makes one.
    """

    def __init__(self, logs: Path, *options: str) -> None:
        self.logs, self._options = logs, options

    @property
    def folder(self) -> Path | None:
        """The run's folder, once its log has a line."""
        return next((path.parent for path in self.logs.glob("*/events.jsonl") if path.stat().st_size), None)

    @property
    def lines(self) -> int:
        """How many lines its log has."""
        return (self.folder / "events.jsonl").read_bytes().count(b"\n") if self.folder else 0

    @property
    def status(self) -> str:
        """What its summary says; empty without one."""
        if self.folder is None:
            return ""
        with suppress(FileNotFoundError):
            return str(json.loads((self.folder / "summary.json").read_bytes())["status"])
        return ""

    def moment(self, chance: random.Random, whole: int, apart: float) -> tuple[int, float]:
        """Draw when something is killed, between now and the end.

        Args:
            chance: Draws it.
            whole: How many lines its whole log will have.
            apart: Seconds after a line within which it comes: about as long as it takes until the next.
        """
        lines = chance.randrange(self.lines, max(whole, self.lines + 1))
        return lines, chance.uniform(0, STARTING if lines == self.lines else apart)

    def harm(self, kill: Kill, gate: Gate | None = None) -> Outcome:
        """Start or resume it, and kill something of it; returns how the program ended, when nothing of it is left.

        With a gate it is killed as soon as it waits there, however many lines it has.
        """
        process = self._start(("-m", "regtui") if gate is None else gate.program)
        family: list[psutil.Process] = []
        try:
            while not (self.lines >= kill.lines if gate is None else gate.waiting) and process.poll() is None:
                time.sleep(0.001)  # that is long in a small run
            time.sleep(kill.later)
            with suppress(psutil.NoSuchProcess):  # it has ended before
                family = _kill(kill, process.pid)
            out, err = process.communicate(timeout=300)
        finally:
            process.kill()
        _, left = psutil.wait_procs(family, timeout=120)
        assert [one for one in left if one.status() != psutil.STATUS_ZOMBIE] == [], "nothing may be left of it"
        return Outcome(process.returncode, out, err)

    def end(self) -> Path:
        """Have it end undisturbed; returns its folder."""
        process = self._start()
        try:
            out, err = process.communicate(timeout=600)
        finally:
            process.kill()
        assert (process.returncode, err) == (0, ""), out
        assert self.folder is not None
        return self.folder

    def _start(self, program: Sequence[str] = ("-m", "regtui")) -> subprocess.Popen[str]:
        self.logs.mkdir(parents=True, exist_ok=True)
        words = ["--resume", str(self.folder)] if self.folder else [*self._options, "--log-dir", str(self.logs)]
        return start(*words, "--headless", cwd=self.logs.parent, program=program)


def _kill(kill: Kill, pid: int) -> list[psutil.Process]:
    """Send the signal to the victim of the program `pid`; returns the program and all that came from it."""
    program = psutil.Process(pid)
    others = program.children(recursive=True)
    forking = [one for one in others if one.children()]
    match kill.victim:
        case "process group":
            os.killpg(pid, kill.number)
        case "worker" if others:
            others[-1].send_signal(kill.number)
        case "what forks workers" if forking:
            forking[0].send_signal(kill.number)
        case "everything":
            for one in (program, *others):
                with suppress(psutil.NoSuchProcess):
                    one.send_signal(kill.number)
        case _:
            program.send_signal(kill.number)
    return [program, *others]
