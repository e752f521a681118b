"""A run's checkpoint on disk: which files are the newest commit of all arms, and how the next one takes its place.

Each commit writes new files and then the manifest that names them, by one rename; only then are the files before it
removed. Whenever the program is killed, the manifest names whole files that belong together.

    manifest.json                    the commit: the trainer's state, and the files of each arm
    ARM-STEP.safetensors             an arm as it was after that step: weights, and what training goes on from
    ARM-best-STEP.safetensors        its best weights, written after that step; only where they are not the newest

Runs of before have ARM-last, ARM-best and ARM-state.safetensors, and no manifest.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from regtui.errors import InputError
from regtui.files import read_plain, table_of_json
from regtui.protocol.history import LARGEST as LARGEST_EPOCH

MANIFEST = "manifest.json"
LARGEST = 1_000_000
"""Bytes of the largest manifest; one of two arms has two thousand."""
WEIGHT = "model."
"""What the names of a network's tensors begin with in the files."""

Which = Literal["last", "best"]

_OURS = re.compile(r".+-\d+\.safetensors|.+\.tmp")
_FILE = r"^[^/\\\x00]+-\d+\.safetensors$"


class ArmFiles(BaseModel):
    """The files of one arm, by name.

    Attributes:
        last: Its newest weights, and all that training goes on from.
        best: Where its best weights are: in a file of their own, or in `last`; None if there are none yet.
        best_epoch: Their epoch.
    """

    model_config = ConfigDict(frozen=True)

    last: str = Field(pattern=_FILE)
    best: str | None = Field(None, pattern=_FILE)
    best_epoch: int | None = Field(None, gt=0, lt=LARGEST_EPOCH)


class Manifest(BaseModel):
    """A commit of all arms.

    Attributes:
        epoch: The epoch in which it was made.
        step: The steps made by then.
        arms: Their files; an arm without an epoch yet has none.
        trainer: The trainer's state, as `Trainer.load` takes it.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    epoch: int = Field(ge=0)
    step: int = Field(ge=0)
    arms: dict[str, ArmFiles]
    trainer: dict[str, Any]


def commit(folder: Path, manifest: Manifest) -> None:
    """Make the files that `manifest` names the checkpoint, and remove those of the commit before.

    Raises:
        OSError: The manifest can't be written; the commit before stays the newest.
    """
    temporary = folder / f"{MANIFEST}.tmp"
    content = json.dumps(manifest.model_dump(by_alias=True), indent=1, ensure_ascii=False, allow_nan=False)
    try:
        temporary.write_text(content + "\n", encoding="utf-8")
        temporary.replace(folder / MANIFEST)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    named = {name for files in manifest.arms.values() for name in (files.last, files.best)}
    with suppress(OSError):  # what can't be removed is not named, and is tried again with the next commit
        for path in folder.iterdir():
            if path.name not in named and _OURS.fullmatch(path.name):
                path.unlink()


def read_manifest(folder: Path) -> Manifest | None:
    """The newest commit in a run's checkpoint folder; None if there is none.

    Raises:
        InputError: It is damaged.
        OSError: It can't be read.
    """
    try:
        return Manifest.model_validate(table_of_json(read_plain(folder / MANIFEST, LARGEST)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:  # no JSON, or another
        raise InputError(f"{MANIFEST} is damaged") from None


def weights_file(folder: Path, arm: str, which: Which) -> Path | None:
    """Where an arm's weights are, or would be, in a checkpoint's folder; None if its manifest says that there are none.

    Raises:
        InputError: The manifest is damaged.
        OSError: It can't be read.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return folder / f"{arm}-{which}.safetensors"
    files = manifest.arms.get(arm)
    name = None if files is None else files.last if which == "last" else files.best
    return None if name is None else folder / name
