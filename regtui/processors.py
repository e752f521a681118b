"""How many processors this program may use: what the machine has, less what somebody has set aside for others.

On a shared machine a limit is told in several ways, and the least of them holds: the processors that the process may
run on, the quota of its control group or of one above it, and what a scheduler or the user says in the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_SCHEDULER = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE")
_LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Grant(NamedTuple):
    """What may be used.

    Attributes:
        processors: So many at the same time.
        threads: So many threads that compute, in all; no more than there are processors.
        machine: Processors of the whole machine.
        limit: What says that `threads` are fewer; empty if nothing does.
    """

    processors: int
    threads: int
    machine: int
    limit: str


def grant(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> Grant:
    """What this process may use.

    Args:
        root: Where `proc` is, and what its paths begin at; another one in tests.
        environ: The environment.
    """
    machine = os.cpu_count() or 1
    limits = [("the machine", machine)]
    if hasattr(os, "sched_getaffinity"):  # Linux
        limits.append(("the processors it may run on", len(os.sched_getaffinity(0))))
    limits += [(f"the quota of its control group, {quota:g} CPU", int(quota)) for quota in _quotas(root)]
    limits += _told(environ, _SCHEDULER)
    processors = max(1, min(count for _, count in limits))
    limits += _told(environ, _LIBRARIES)
    by, threads = min(limits, key=lambda limit: limit[1])  # the first of equals
    return Grant(processors, max(1, threads), machine, "" if by == "the machine" else by)


def _told(environ: Mapping[str, str], names: tuple[str, ...]) -> list[tuple[str, int]]:
    """The limits in these variables; OpenMP lists one a level of nesting, and what is no number limits nothing."""
    firsts = {name: environ.get(name, "").partition(",")[0].strip() for name in names}
    return [
        (f"{name}={first}", int(first))
        for name, first in firsts.items()
        if re.fullmatch(r"0*[1-9]\d{0,5}", first, re.A)
    ]


def _quotas(root: Path) -> Iterator[float]:
    """Processors' worth of time that the control group, and each group above it, may take; by either version."""
    for mount, inside, version in _hierarchies(root):
        for group in (inside, *inside.parents):
            folder = root / mount.relative_to("/") / group.relative_to("/")
            try:
                if version == 2:
                    quota, period = (folder / "cpu.max").read_text().split()
                else:
                    quota = (folder / "cpu.cfs_quota_us").read_text()
                    period = (folder / "cpu.cfs_period_us").read_text()
                if int(quota) > 0 and int(period) > 0:
                    yield int(quota) / int(period)
            except (OSError, ValueError):  # "max", -1, or not limited here
                continue


def _hierarchies(root: Path) -> Iterator[tuple[PurePosixPath, PurePosixPath, int]]:
    """The trees of control groups that may limit processors: mount point, our group below it, version.

    Formats: cgroups(7) for /proc/self/cgroup, proc_pid_mountinfo(5) for /proc/self/mountinfo.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
        mounts = (root / "proc/self/mountinfo").read_text().splitlines()
    except (OSError, ValueError):
        return
    ours: dict[int, str] = {}
    for line in groups:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            ours[2] = path
        elif "cpu" in controllers.split(","):
            ours[1] = path
    for line in mounts:
        ahead, _, behind = line.partition(" - ")
        fields, (kind, *options) = ahead.split(), behind.split() or [""]
        version = 2 if kind == "cgroup2" else 1 if kind == "cgroup" and "cpu" in options[-1].split(",") else 0
        if version in ours and len(fields) > 4:
            mounted, point = (PurePosixPath(_unescaped(field)) for field in fields[3:5])
            group = PurePosixPath(ours[version])
            # In a container the group may be told by its name outside, of which only the part mounted is seen.
            seen = group.is_relative_to(mounted) and ".." not in group.parts
            yield point, PurePosixPath("/") / (group.relative_to(mounted) if seen else ""), version


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
