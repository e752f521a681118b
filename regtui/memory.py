"""How much memory this program may take: what the machine has free, or a limit of its own if that is less."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from regtui.control_groups import group_folders


class Memory(NamedTuple):
    """Memory that can be had.

    Attributes:
        amount: Bytes.
        owner: Who has it, as words before 'grants': 'this machine', 'cuda:0'.
    """

    amount: int
    owner: str


def free_memory(root: Path = Path("/"), own: int = 0, processes: int = 1) -> Memory:
    """What can be taken here at most: memory that is free or can be freed, and free swap.

    Args:
        root: The root folder, below which `proc` is; tests pass another one.
        own: Bytes that processes hold which will use them again.
        processes: How many processes take it, each of which has a limit of its own.
    """
    free, swap = _machine(root)
    found = [Memory(free + swap + own, "this machine")]
    found += [Memory(limit + swap, "the control group of this program") for limit in _limits(root)]
    if (limit := process_limit()) is not None:
        found.append(Memory(limit * processes, "the limit of its processes (ulimit -v)"))
    return min(found)


def process_limit() -> int | None:
    """Bytes of address space that each process may have, as `ulimit -v` sets it; None without a limit."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def resident(pid: int) -> int:
    """Bytes of a process in memory; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0


def _machine(root: Path) -> tuple[int, int]:
    """Bytes that are available without swapping, and bytes of free swap."""
    try:
        table = dict(re.findall(r"(\w+): +(\d+) kB", (root / "proc/meminfo").read_text()))
        return int(table["MemAvailable"]) * 1024, int(table.get("SwapFree", 0)) * 1024
    except (OSError, ValueError, KeyError):  # not Linux
        import psutil  # 40 ms

        return psutil.virtual_memory().available, psutil.swap_memory().free


def _limits(root: Path) -> Iterator[int]:
    """The limits of our control group and of those above it; without one, the file says max, or a number beyond any."""
    for folder, version in group_folders(root, "memory"):
        try:
            yield int((folder / ("memory.max" if version == 2 else "memory.limit_in_bytes")).read_text())
        except (OSError, ValueError):
            continue
