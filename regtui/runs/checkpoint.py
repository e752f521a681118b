"""A run's checkpoint on disk: which files belong to the newest commit of all arms, and how the next one replaces it.

Each commit writes new files, then replaces the manifest that names them by one rename, and then removes the old files.
So whenever the program is killed, the manifest names complete files that belong together. Before each of these steps,
those before it are synced to disk, so that the same holds if the power is lost. The manifest has a checksum of each
file and of itself, so that it is noticed if a disk or a copy gives back other bytes.

    manifest.json                    the commit: the trainer's state, and the files of each arm
    ARM-STEP.safetensors             an arm after that step: weights, and the state needed to resume training
    ARM.best-STEP.safetensors        its best weights, written after that step; only if they are not the newest

Runs of earlier versions have ARM-last, ARM-best and ARM-state.safetensors, and no manifest.
"""

from __future__ import annotations

import errno
import json
import re
import zlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from regtui.errors import InputError
from regtui.files import read_plain, sync_folder, table_of_json, write_whole
from regtui.protocol.history import LARGEST as LARGEST_EPOCH

MANIFEST = "manifest.json"
LARGEST = 1_000_000
"""Bytes of the largest manifest; one of two arms has two thousand."""
WEIGHT = "model."
"""The prefix of the names of a network's tensors in the files."""

Which = Literal["last", "best"]
Part = TypeVar("Part", bound=bytes | memoryview)

NOT_AS_SAVED = "is damaged: its bytes are not those that were saved"
"""What is said of a file whose checksum is not that of the manifest."""

_OURS = re.compile(r".+-\d+\.safetensors|.+\.tmp")
_CHECKED = re.compile(rb',\n "checksum": "([0-9a-f]{8})"\n}\n')
"""The end of a manifest: the checksum of all that stands before."""
_FILE = r"^[^/\\\x00]+-\d+\.safetensors$"


class ArmFiles(BaseModel):
    """The files of one arm, by name.

    Attributes:
        last: The file with its newest weights and the state needed to resume training.
        best: The file with its best weights: one of their own, or `last`; None if there are none yet.
        best_epoch: The epoch of the best weights.
        checksums: The checksum of each of these files, by its name; earlier versions wrote none.
    """

    model_config = ConfigDict(frozen=True)

    last: str = Field(pattern=_FILE)
    best: str | None = Field(None, pattern=_FILE)
    best_epoch: int | None = Field(None, gt=0, lt=LARGEST_EPOCH)
    checksums: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]] = Field({})


class Commit(BaseModel):
    """A state of all arms that belongs together.

    Attributes:
        epoch: The epoch in which it was made.
        step: Optimizer steps made so far.
        arms: The files of each arm; an arm without a finished epoch has none.
        trainer: The trainer's state, as `Trainer.load` takes it.
        lines: How many lines the run's log had then, all of them on disk; None if they could not be saved, and in
            checkpoints of earlier versions.
    """

    epoch: int = Field(ge=0, lt=LARGEST_EPOCH)
    step: int = Field(ge=0, lt=LARGEST_EPOCH)
    arms: dict[str, ArmFiles]
    trainer: dict[str, Any]
    lines: int | None = Field(None, ge=0)


class Manifest(Commit):
    """The newest commit, which has the weights that the run has now.

    Attributes:
        whole: The last commit at an epoch's end, if this one is inside an epoch because the run was stopped there. A
            run can be resumed at an epoch's end only, so its files are kept too.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    whole: Commit | None = None


class WeightsFile(NamedTuple):
    """A file with weights, and its checksum where that is known."""

    path: Path
    checksum: str | None


class Checksum:
    """The CRC-32 of bytes that follow on each other; as text, eight hex digits.

    Bytes that a disk or a copy has changed have another one, but for one in four billion; who changes them on purpose
    can give them the same.
    """

    def __init__(self, content: bytes = b"") -> None:
        """Begin with these bytes."""
        self._crc = zlib.crc32(content)

    def add(self, part: Part) -> Part:
        """Take in what follows, and return it."""
        self._crc = zlib.crc32(part, self._crc)
        return part

    def __str__(self) -> str:
        return f"{self._crc:08x}"


def check_folder(folder: Path) -> None:
    """See that a checkpoint's folder is no link: files would be written and removed wherever that leads.

    Raises:
        OSError: It is a link, or can't be looked at.
    """
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "a link stands where the folder should be")


def commit(folder: Path, manifest: Manifest) -> None:
    """Make the files named in `manifest`, which were written, the current checkpoint; remove those of the previous one.

    Raises:
        OSError: The manifest can't be written; the previous commit stays valid.
    """
    check_folder(folder)
    sync_folder(folder)
    if not (folder / MANIFEST).exists():
        sync_folder(folder.parent)
    _write(folder, manifest)
    _remove_all_but(folder, named(manifest))


def tidy(folder: Path, *kept: Commit | None) -> None:
    """Remove what a commit that failed has left, which would only fill the disk.

    The files of the commits before and of the manifest stay; it may be the one before or the one that failed.
    """
    with suppress(InputError, OSError):  # what is there may be needed
        check_folder(folder)
        _remove_all_but(folder, named(read_manifest(folder), *kept))


def named(*commits: Commit | None) -> set[str]:
    """The names of all files of these commits."""
    wholes = [of.whole for of in commits if isinstance(of, Manifest)]
    arms = [files for of in (*commits, *wholes) if of is not None for files in of.arms.values()]
    return {name for files in arms for name in (files.last, files.best) if name is not None}


def _remove_all_but(folder: Path, kept: Collection[str]) -> None:
    with suppress(OSError):  # a file that can't be removed is not named in the manifest; the next commit tries again
        for path in folder.iterdir():
            if path.name not in kept and _OURS.fullmatch(path.name):
                path.unlink()


def renumber(folder: Path, lines: int) -> None:
    """Before the log of a run is cut: so many of its lines belong to the commit at an epoch's end from here on.

    They are the same in the log as it is and as it is cut: what is left out of it, as ends that are none any more,
    comes after them.

    Raises:
        InputError: The manifest is damaged.
        OSError: It can't be read or written.
    """
    manifest = read_manifest(folder)
    if manifest is not None:
        whole = manifest.whole and manifest.whole.model_copy(update={"lines": lines})
        _write(folder, manifest.model_copy(update={"lines": None if whole else lines, "whole": whole}))


def read_manifest(folder: Path) -> Manifest | None:
    """The newest commit in a run's checkpoint folder; None if there is none.

    Raises:
        InputError: It is damaged.
        OSError: It can't be read.
    """
    try:
        content = read_plain(folder / MANIFEST, LARGEST)
        end = _CHECKED.search(content, max(0, len(content) - len(_checked(b""))))
        if end is not None and end[0] != _checked(content[: end.start()]):
            raise ValueError("these are not the bytes that were written")
        return Manifest.model_validate(table_of_json(content))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:  # not JSON, or not a manifest
        raise InputError(f"{MANIFEST} is damaged") from None


def _write(folder: Path, manifest: Manifest) -> None:
    text = json.dumps(manifest.model_dump(by_alias=True), indent=1, ensure_ascii=False, allow_nan=False)
    content = text.removesuffix("\n}").encode()
    write_whole(folder / MANIFEST, content + _checked(content))


def _checked(content: bytes) -> bytes:
    """The end of a manifest that begins so; a manifest without one, as of an earlier version, is read too."""
    return f',\n "checksum": "{Checksum(content)}"\n}}\n'.encode()


def weights_file(folder: Path, arm: str, which: Which) -> WeightsFile | None:
    """The file of an arm's weights in a checkpoint's folder; None if the manifest says that there are none.

    Raises:
        InputError: The manifest is damaged.
        OSError: It can't be read.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return WeightsFile(folder / f"{arm}-{which}.safetensors", None)
    files = manifest.arms.get(arm)
    name = None if files is None else files.last if which == "last" else files.best
    return None if files is None or name is None else WeightsFile(folder / name, files.checksums.get(name))
