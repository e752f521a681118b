"""How many processors this program may use, and whether there is a GPU.

On a shared machine there can be several limits, of which the smallest holds: the processors that the process may run
on, the quota of its control group or of one above it, and environment variables set by a scheduler or the user.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from regtui.control_groups import group_folders

_SCHEDULER = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE")
_LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Grant(NamedTuple):
    """How much of the machine may be used.

    Attributes:
        processors: Processors that may be busy at the same time.
        threads: Computing threads in all processes together; at most `processors`.
        machine: Processors of the whole machine.
        limit: What limits `threads`, in words; empty if they are all of the machine's.
    """

    processors: int
    threads: int
    machine: int
    limit: str


def grant(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> Grant:
    """What this process may use.

    Args:
        root: The root folder, below which `proc` is; tests pass another one.
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
    """The limits in environment variables. OpenMP's may list one for each level of nesting; other text is ignored."""
    firsts = {name: environ.get(name, "").partition(",")[0].strip() for name in names}
    return [
        (f"{name}={first}", int(first))
        for name, first in firsts.items()
        if re.fullmatch(r"0*[1-9]\d{0,5}", first, re.A)
    ]


def _quotas(root: Path) -> Iterator[float]:
    """The CPU quotas of the control group and of each group above it."""
    for folder, version in group_folders(root, "cpu"):
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


def has_gpu() -> bool:
    """Whether PyTorch may find a GPU here, as far as that can be told without importing it."""
    return sys.platform == "darwin" or any(Path("/dev").glob("nvidia[0-9]*"))
