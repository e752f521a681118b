"""Which runs are in a study's folder: how each ended, and what tells of which job it is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from regtui.errors import InputError
from regtui.preset.file import to_table
from regtui.preset.validation import validate
from regtui.runs.files import read_json, read_toml
from regtui.runs.find import is_run
from regtui.runs.resumable import resumable

MOST_READ = 20_000
"""So many runs are remembered."""
KEPT = ("finished", "diverged")
"""How a run ends that is never made again; one that was stopped or failed is made again."""
GONE = ".gone"


@dataclass(frozen=True)
class StudyRuns:
    """The runs in a study's folder.

    Attributes:
        done: The folder of each job's run that has ended, by `Job.key`.
        failed: Those that failed or were stopped, which are made again when the study is resumed.
        unfinished: Folders of runs that go on or were interrupted, each with its job; None where that is not known.
        strangers: Folders of runs that are of no job: of another preset, or of seeds that the study has not.
    """

    done: Mapping[tuple[str, int, int], Path]
    failed: Mapping[tuple[str, int, int], Path]
    unfinished: Mapping[Path, tuple[str, int, int] | None]
    strangers: Sequence[Path]

    @property
    def cut_off(self) -> dict[tuple[str, int, int], Path]:
        """Of each job the run that has the furthest checkpoint of those that are to be made again, if one has any."""
        found: dict[tuple[str, int, int], tuple[int, Path]] = {}
        for folder, key in (*self.unfinished.items(), *((folder, key) for key, folder in self.failed.items())):
            if key is not None and key not in self.done and (epoch := reached(folder)) > found.get(key, (0, folder))[0]:
                found[key] = epoch, folder
        return {key: folder for key, (_, folder) in found.items()}


def identity(preset: Mapping[str, Any]) -> str:
    """What two runs have in common that are of the same job: every setting but texts for people and the device."""
    same = {key: value for key, value in preset.items() if key not in ("title", "summary")}
    if isinstance(train := same.get("train"), Mapping):
        same["train"] = {key: value for key, value in train.items() if key != "device"}
    return json.dumps(same, sort_keys=True, default=str)


def reached(run: Path) -> int:
    """The epoch after which a run that nobody trains can go on from its checkpoint; 0 if it can't."""
    try:
        return resumable(run, held=True).epoch
    except InputError:
        return 0


def drop_run(run: Path) -> None:
    """Remove a run that does not count; it is never seen half removed."""
    gone = run.with_name(f".{run.name}{GONE}")
    with suppress(OSError):
        run.rename(gone)
        shutil.rmtree(gone)


def read_run(run: Path) -> tuple[str, str]:
    """The identity of a run's preset, empty if it can't be read; and how the run ended, empty if it did not."""
    try:
        ended = os.stat(run / "summary.json")  # noqa: PTH116
    except OSError:
        return _identity_of(run), ""
    return _read_ended(run, ended.st_mtime_ns, ended.st_size)


@lru_cache(MOST_READ)
def _read_ended(run: Path, _changed: int, _size: int) -> tuple[str, str]:
    """Of a run that has ended, which is read once: a study looks at its runs after each of them."""
    try:
        status = read_json(run / "summary.json").get("status")
    except (OSError, InputError):
        status = ""
    return _identity_of(run), status if isinstance(status, str) else ""


def _identity_of(run: Path) -> str:
    try:
        return identity(read_toml(run / "preset.toml"))
    except (OSError, InputError):
        return ""


def identity_now(run: Path) -> str:
    """The identity of a run's preset as it is read now: an earlier version may have had fewer settings."""
    try:
        return identity(to_table(validate(read_toml(run / "preset.toml"), "a run")))
    except (OSError, InputError):
        return ""


def is_begun(run: Path) -> bool:
    """Whether a folder is what is left of a run that was interrupted before its preset was written."""
    names = {name for name in os.listdir(run) if not name.startswith(".")}  # noqa: PTH208
    return is_run(run) and names <= {"checkpoint", "events.jsonl", "run.json"}
