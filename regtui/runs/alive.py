"""Whether a run without a summary goes on.

On the machine that trains it, its process is asked: by its number and by when it started, for numbers are given anew.
Elsewhere (another host that shares the disk, another container, after a restart) a number means nothing, and only the
silence of its files can be told; it is measured against the time that its own epochs took.
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
from regtui.text import duration

EPOCHS = 3
"""A run is silent once it has told nothing for so many of its epochs; it tells of each as it ends."""
AT_LEAST = 60.0
"""Seconds that are no silence, however short the epochs."""
FIRST_EPOCH = 600.0
"""Seconds before a run is called silent that has not ended an epoch, whose length nobody knows."""
LONG = 24 * 3600.0
"""A run that was not paused, and has been silent for so many seconds and 100 of its epochs, counts as interrupted."""
UNKNOWN_START = 3600.0
"""Where it can't be told when a process started, one of that number proves nothing after so many seconds of silence."""
_TAILS = (2**16, 2**23)
"""Bytes at the end of a log that are searched for an epoch: few, then as many as one epoch's steps may take."""


class Standing(NamedTuple):
    """How a run without a summary stands.

    Attributes:
        status: `running`; `silent` if that can't be asked, and it has told nothing for longer than its epochs took;
            `interrupted` if it does not go on.
        words: On its silence: 'silent for 12 min, an epoch took 3 min'.
    """

    status: Literal["running", "silent", "interrupted"]
    words: str = ""


class _Tail(NamedTuple):
    """What the end of a log tells: the kind of its last event, and the longest of the last epochs in seconds."""

    last: str
    epoch: float | None


def identity() -> dict[str, Any]:
    """What a run keeps of the process that trains it, so that others can tell whether that lives."""
    return {
        "host": platform.node(),
        "boot_id": _boot(),
        "pid_namespace": _namespace(),
        "pid": os.getpid(),
        "pid_started": _started(os.getpid()),
    }


def standing(folder: Path, circumstances: dict[str, Any]) -> Standing:
    """How the run in `folder` stands, which has no summary, by what its run.json says of host and process."""
    silence = _silence(folder)
    if not _is_of_here(circumstances):
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


def _is_of_here(circumstances: dict[str, Any]) -> bool:
    """Whether a process number in a run.json means one that can be asked here; logs from before tell the host alone."""
    told: dict[str, str | None] = {"host": platform.node()}
    if "boot_id" in circumstances:
        told |= {"boot_id": _boot(), "pid_namespace": _namespace()}
    return all(circumstances.get(key) == value for key, value in told.items())


def _boot() -> str | None:
    """What tells this start of this machine from all others; None where the system doesn't say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None


def _namespace() -> str | None:
    """What tells this container's processes from another's of the same numbers; None where there is no such thing."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    except OSError:
        return None


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since the machine did; None where that can't be told."""
    fields = _stat(pid)
    return int(fields[19]) if len(fields) > 19 and fields[19].isdigit() else None  # field 22 in proc_pid_stat(5)


def _is_taken(pid: int) -> bool:
    """Whether there is a process of this number that has not ended."""
    if sys.platform == "win32":
        return True  # os.kill would end the process there; its silence has to tell
    try:
        os.kill(pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return _stat(pid)[:1] != [b"Z"]  # ended, and its parent has not asked how


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from its state on; none where the system has no such thing, or shows another's."""
    try:
        if os.readlink("/proc/self") != str(os.getpid()):  # noqa: PTH115, /proc is of another namespace
            return []
        stat = Path(f"/proc/{pid}/stat").read_bytes()  # "pid (name) state …", and a name may hold brackets and blanks
    except OSError:
        return []
    return stat.rpartition(b")")[2].split()


def _silence(folder: Path) -> float:
    """Seconds since the newest of a run's files was written."""
    written = [0.0]
    for name in ("events.jsonl", "run.json"):
        try:
            written.append((folder / name).stat().st_mtime)
        except OSError:
            continue
    return max(0.0, time.time() - max(written))


def _tail(folder: Path) -> _Tail:
    """What the end of a run's log tells; nothing if it can't be read."""
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
    for line in lines[:-1]:  # the very last is empty, or torn
        if b'"steps_done"' in line[:100]:  # nearly all of a log, and of no use here
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
