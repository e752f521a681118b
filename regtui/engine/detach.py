"""Has another process go on with a run that this one has handed over: one that no terminal and no logout ends.

It is in a session of its own, so that it has no terminal that could be closed, and gets no signal meant for this one.
What a machine does to all processes of a user who logs out is another matter; the README tells what to do about that.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from regtui.engine.child import LIVING
from regtui.errors import BY_SIGNAL, InputError, RegtuiError
from regtui.import_path import current_folder, without_current_folder
from regtui.runs.files import read_json
from regtui.signals import ending
from regtui.text import one_line

MESSAGES = "detached.log"
"""What such a process says is in this file, in the folder that it works in."""
PATIENCE = 180.0
"""Seconds that it has to begin: it imports torch and reads the data first."""
_OFTEN = 0.05
_MOST_SAID = 2_000
_LINE = "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from regtui.__main__ import main; main()"


class StoppedError(RegtuiError):
    """The other process was told to end before it had begun: whoever did that wants no other to go on."""


def begin(folder: Path, wanted: Callable[[], bool]) -> int | None:
    """Have another process go on with the run in `folder`, which nobody trains now, and wait until it does.

    Args:
        folder: The run's.
        wanted: Whether it is still to do so; asked again and again.

    Returns:
        The number of the process; None if it was not wanted any more before it trained.

    Raises:
        StoppedError: It was told to end before it trained.
        RegtuiError: It does not train; the message says why.

    There is no such process after an error, and the run can be resumed here.
    """
    words = ("--resume", str(folder.absolute()), "--headless")
    return start(words, folder, lambda pid: _trains(folder, pid), wanted)


def start(
    words: Sequence[str], folder: Path, begun: Callable[[int], bool], wanted: Callable[[], bool] = lambda: True
) -> int | None:
    """Start `regtui WORDS...` in a session of its own, and wait until it has begun.

    Args:
        words: The command line.
        folder: The folder that it works in; what it says goes into a file there.
        begun: Whether the process of this number has begun.
        wanted: Whether it is still to begin; asked again and again.

    Returns:
        The number of the process; None if it was not wanted any more before it had begun, and was ended.

    Raises:
        StoppedError: It was told to end before it had begun.
        RegtuiError: It has ended or takes too long, and is not there any more; the message says why.
    """
    flags = [flag for flag, given in (("-E", sys.flags.ignore_environment), ("-s", sys.flags.no_user_site)) if given]
    path = json.dumps(without_current_folder(sys.path))
    said = folder / MESSAGES
    try:
        said.unlink(missing_ok=True)
        with said.open("xb") as messages:  # never through a link that somebody put there
            process = subprocess.Popen(
                [sys.executable, "-P", *flags, "-c", _LINE, path, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=messages,
                start_new_session=True,
                cwd=os.sep if current_folder() is None else None,
            )
    except OSError as error:
        raise RegtuiError(f"another process can't be started: {error.strerror}") from None
    LIVING.add(process)  # until it has begun, nobody could stop it who ends this program at once
    try:
        return process.pid if _has_begun(process, said, begun, wanted) else None
    finally:
        LIVING.discard(process)


def _has_begun(
    process: subprocess.Popen[bytes], said: Path, begun: Callable[[int], bool], wanted: Callable[[], bool]
) -> bool:
    """Wait until a process has begun; returns whether it has, or was ended because it was not wanted any more."""
    until = time.monotonic() + PATIENCE
    while not begun(process.pid):
        if process.poll() is not None and not begun(process.pid):
            if (number := _signal_of(process.returncode)) in ending():
                raise StoppedError(f"the process that was to take it over was told to end, by signal {number}")
            why = _last_line(said) or f"it ended with exit code {process.returncode}"
            raise RegtuiError(f"another process can't go on with it: {why}")
        late = time.monotonic() > until
        if late or not wanted():
            process.kill()
            process.wait()
        if late:
            raise RegtuiError(f"another process did not begin within {PATIENCE:.0f} s, and was ended")
        if process.returncode is not None:
            return False
        time.sleep(_OFTEN)
    return True


def _signal_of(code: int) -> int:
    """The signal by which a process has ended with this exit code; 0 if it was none."""
    return -code if code < 0 else max(0, code - BY_SIGNAL)


def stop(pid: int) -> None:
    """Have a process that was started here stop in order, and wait until it has ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _trains(folder: Path, pid: int) -> bool:
    """Whether a run says that it is trained by the process of this number."""
    with suppress(InputError, OSError):
        return read_json(folder / "run.json").get("pid") == pid
    return False


def _last_line(said: Path) -> str:
    """The last line of what a process said, without the program's name."""
    try:
        with said.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _MOST_SAID))
            lines = file.read(_MOST_SAID).decode(errors="replace").splitlines()
    except OSError:
        return ""
    return one_line(lines[-1].removeprefix("regtui: ")) if lines else ""
