"""The control groups that this process is in, whose folders tell what it may use: versions 1 and 2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def group_folders(root: Path, controller: str) -> Iterator[tuple[Path, int]]:
    """The folder of our group and of each above it, with the version of its hierarchy, wherever it can limit us.

    Args:
        root: The root folder, below which `proc` is; tests pass another one.
        controller: What is limited: cpu, memory.
    """
    for mount, inside, version in _hierarchies(root, controller):
        for group in (inside, *inside.parents):
            yield root / mount.relative_to("/") / group.relative_to("/"), version


def _hierarchies(root: Path, controller: str) -> Iterator[tuple[PurePosixPath, PurePosixPath, int]]:
    """The control group hierarchies of a controller: mount point, our group in it, version.

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
        elif controller in controllers.split(","):
            ours[1] = path
    for line in mounts:
        ahead, _, behind = line.partition(" - ")
        fields, (kind, *options) = ahead.split(), behind.split() or [""]
        version = 2 if kind == "cgroup2" else 1 if kind == "cgroup" and controller in options[-1].split(",") else 0
        if version in ours and len(fields) > 4:
            mounted, point = (PurePosixPath(_unescaped(field)) for field in fields[3:5])
            group = PurePosixPath(ours[version])
            # In a container the group may have its name from outside, of which only the mounted part is visible.
            seen = group.is_relative_to(mounted) and ".." not in group.parts
            yield point, PurePosixPath("/") / (group.relative_to(mounted) if seen else ""), version


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
