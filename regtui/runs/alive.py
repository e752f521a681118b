"""Whether a run without a summary still goes on.

On the machine that trains it, we look for its process, by process number and start time, because numbers are reused.
Elsewhere (another host that shares the disk, another container, after a restart) the number means nothing. In another
container and after a restart the lock on the run's folder tells, if its process held one. Else we only know for how
long the run's files have not changed, which is compared with the duration of its epochs.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any, Literal, NamedTuple

from regtui.files import open_events
from regtui.runs.lock import is_locked
from regtui.text import duration

EPOCHS = 3
"""A run counts as silent after so many of its epochs without an event; it writes one at each epoch's end."""
AT_LEAST = 60.0
"""Fewer seconds are never silence, however short the epochs are."""
FIRST_EPOCH = 600.0
"""Seconds after which a run without a finished epoch counts as silent."""
LONG = 24 * 3600.0
"""A run that is not paused and was silent for so many seconds and for 100 of its epochs counts as interrupted."""
UNKNOWN_START = 3600.0
"""Without a known start time, a process of that number proves nothing after so many seconds of silence."""
_TAILS = (2**16, 2**23)
"""Bytes at the end of a log searched for an epoch: first a few, then as many as an epoch's steps can take."""


class Standing(NamedTuple):
    """The state of a run without a summary.

    Attributes:
        status: `running`; `silent` if its process can't be checked and it was silent for longer than its epochs took;
            `interrupted` if it does not go on.
        words: Describe its silence: 'silent for 12 min, an epoch took 3 min'.
    """

    status: Literal["running", "silent", "interrupted"]
    words: str = ""


class _Tail(NamedTuple):
    """The end of a log: the kind of its last event, and the longest of the last epochs in seconds."""

    last: str
    epoch: float | None


def identity() -> dict[str, Any]:
    """What a run saves about its process, so that others can check whether the process is alive."""
    return {
        "host": platform.node(),
        "boot_id": _boot(),
        "pid_namespace": _namespace(),
        "pid": os.getpid(),
        "pid_started": _started(os.getpid()),
    }


def standing(folder: Path, circumstances: dict[str, Any]) -> Standing:
    """The state of the run in `folder`, which has no summary, judged by the host and process in its run.json."""
    silence = silence_of(folder)
    if not is_of_here(circumstances):
        if lock_tells(circumstances):
            return Standing("running" if is_locked(folder) else "interrupted")
        return _by_silence(folder, silence)
    pid, started = circumstances.get("pid"), circumstances.get("pid_started")
    if type(pid) is not int or not 0 < pid < 2**31 or not _is_taken(pid):
        return Standing("interrupted")
    now = _started(pid)
    if started is not None and now is not None:
        return Standing("running" if started == now else "interrupted")
    if silence < UNKNOWN_START or _tail(folder).last == "paused":
        return Standing("running")
    return Standing("interrupted")


def _by_silence(folder: Path, silence: float) -> Standing:
    last, epoch = _tail(folder)
    if last == "run_finished":  # and there is no summary
        return Standing("interrupted")
    if silence < AT_LEAST:
        return Standing("running")
    if last != "paused" and silence < (FIRST_EPOCH if epoch is None else EPOCHS * epoch):
        return Standing("running")
    if last == "paused":
        before = "paused before"
    else:
        before = "before its first epoch" if epoch is None else f"an epoch took {duration(epoch)}"
    words = f"silent for {duration(silence)}, {before}"
    dead = last != "paused" and silence > max(LONG, 100 * (epoch or 0.0))
    return Standing("interrupted" if dead else "silent", words)


def lock_tells(circumstances: dict[str, Any]) -> bool:
    """Whether the lock on a run's folder tells for certain that it is trained.

    Its process held one, under this system, be it in another container, or on this host before it was started anew,
    which no process outlasts. A host of the same name that shares the disk is seen by its lock, too.
    """
    told = circumstances.get
    same_system = told("boot_id") is not None and told("boot_id") == _boot()
    return told("locked") is True and (same_system or told("host") == platform.node())


def is_of_here(circumstances: dict[str, Any]) -> bool:
    """Whether a run.json's process number is valid on this machine; older logs name only the host."""
    told: dict[str, str | None] = {"host": platform.node()}
    if "boot_id" in circumstances:
        told |= {"boot_id": _boot(), "pid_namespace": _namespace()}
    return all(circumstances.get(key) == value for key, value in told.items())


def is_stopped(circumstances: dict[str, Any]) -> bool:
    """Whether a signal has stopped a run's process, as Ctrl-Z does; where that can't be told, it counts as going on."""
    pid = circumstances.get("pid")
    return is_of_here(circumstances) and type(pid) is int and _stat(pid)[:1] in ([b"T"], [b"t"])


def _boot() -> str | None:
    """An identifier of the machine's current boot; None if the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None


def _namespace() -> str | None:
    """An identifier of the process namespace, which differs between containers; None if the system has none."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    except OSError:
        return None


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if that is not known."""
    fields = _stat(pid)
    return int(fields[19]) if len(fields) > 19 and fields[19].isdigit() else None  # field 22 in proc_pid_stat(5)


def _is_taken(pid: int) -> bool:
    """Whether a process with this number is running."""
    if sys.platform == "win32":
        return True  # on Windows os.kill would kill the process; only its silence can tell
    try:
        os.kill(pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except OSError:  # the process is another user's
        return True
    return _stat(pid)[:1] != [b"Z"]  # a zombie: it has ended, but its parent has not waited for it


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the state on; empty if the system has no such file."""
    try:
        if os.readlink("/proc/self") != str(os.getpid()):  # noqa: PTH115, /proc is of another namespace
            return []
        stat = Path(f"/proc/{pid}/stat").read_bytes()  # "pid (name) state …", and a name may hold brackets and blanks
    except OSError:
        return []
    return stat.rpartition(b")")[2].split()


def silence_of(folder: Path) -> float:
    """Seconds since the newest of a run's files was written."""
    written = [0.0]
    for name in ("events.jsonl", "run.json"):
        try:
            written.append((folder / name).stat().st_mtime)
        except OSError:
            continue
    return max(0.0, time.time() - max(written))


def _tail(folder: Path) -> _Tail:
    """Read the end of a run's log; an empty result if it can't be read."""
    tail = _Tail("", None)
    for size in _TAILS:
        try:
            with open_events(folder) as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - size))
                lines = file.read(size).split(b"\n")
        except OSError:
            return tail
        tail = _tail_of(lines if end <= size else lines[1:])
        if tail.epoch is not None or end <= size:
            break
    return tail


def _tail_of(lines: list[bytes]) -> _Tail:
    last, epochs = "", []
    for line in lines[:-1]:  # the last piece is empty or incomplete
        if b'"steps_done"' in line[:100]:  # events of steps are most of a log and not needed here
            last = "steps_done"
            continue
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            last = str(event.get("kind"))
            seconds = event.get("seconds")
            if last == "epoch_done" and isinstance(seconds, int | float) and 0 < seconds < 1e9:
                epochs.append(float(seconds))
    return _Tail(last, max(epochs[-10:], default=None))
