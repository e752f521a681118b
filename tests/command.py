"""The command line in tests: `run` is a process of its own, `call` the same main function in this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import pytest

from regtui.cli import main as cli

TINY = """\
title = "Tiny"

[data]
train_samples = 500
val_fraction = 0.01

[model]
hidden = [16]

[train]
epochs = 2
device = "cpu"

[regularized.dropout]
"""
"""A preset that trains in a tenth of a second, once PyTorch is there."""

ENDLESS = TINY.replace("train_samples = 500", "train_samples = 5000").replace("epochs = 2", "epochs = 100000")
"""A preset whose epochs take a tenth of a second, and which does not end in time."""


class Outcome(NamedTuple):
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    def faults(self, code: int = 2) -> list[str]:
        """The lines on stderr, after a look that there is nothing but sentences."""
        assert (self.code, self.out) == (code, ""), self
        lines = self.err.splitlines()
        assert lines, self
        assert all(line.startswith("regtui: ") and line.isprintable() for line in lines), self
        assert "Traceback" not in self.err
        return [line.removeprefix("regtui: ") for line in lines]


def command(*args: str | Path, program: Sequence[str] = ("-m", "regtui")) -> list[str]:
    return [sys.executable, *program, *map(str, args)]


def environment(**more: str) -> dict[str, str]:
    """This one's, without what changes how a program writes."""
    return {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "PYTHONIOENCODING"}} | more


def start(
    *args: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdout: IO[str] | int = subprocess.PIPE,
    stderr: IO[str] | int = subprocess.PIPE,
    program: Sequence[str] = ("-m", "regtui"),
) -> subprocess.Popen[str]:
    """Start a run as a terminal would: as the head of a process group, which Ctrl-C reaches as a whole."""
    return subprocess.Popen(
        command(*args, program=program),
        cwd=cwd,
        env=environment(**env or {}),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
        start_new_session=True,
    )


def run(*args: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Outcome:
    process = start(*args, cwd=cwd, env=env)
    try:
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    return Outcome(process.returncode, out, err)


def call(args: Sequence[str | Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """The command in this process: the same, and a hundred times faster where nothing is trained."""
    monkeypatch.setattr(sys, "argv", ["regtui", *map(str, args)])
    capsys.readouterr()
    handler = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as end:
            cli.main()
    finally:
        signal.signal(signal.SIGINT, handler)
    out, err = capsys.readouterr()
    return Outcome(int(end.value.code or 0), out, err)
