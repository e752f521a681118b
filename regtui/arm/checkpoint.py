"""An arm on disk: weights, and beside them the state of optimizer and random streams. Nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from safetensors.torch import save as serialized
from torch import Tensor

from regtui.errors import unwritable


class Best(NamedTuple):
    """The network's tensors as they were at the end of an epoch that early stopping may go back to.

    It is the best by what early stopping follows, after its warm-up; without early stopping, by validation loss.
    """

    epoch: int
    weights: Mapping[str, Tensor]


def save(
    folder: Path,
    arm: str,
    last: Mapping[str, Tensor],
    best: Best | None,
    state: Mapping[str, Tensor],
    progress: Mapping[str, object],
) -> str:
    """Write an arm's files, each whole or not at all.

    Args:
        folder: Where; made anew if only itself is missing.
        arm: Begins each file's name: ARM-last, ARM-best and ARM-state.safetensors.
        last: The network's tensors as they are.
        best: As they were in the epoch that is worth going back to, which becomes metadata; None before there is one.
        state: The optimizer's tensors and the states of the random streams.
        progress: What JSON can hold of the rest; it becomes metadata of the state.

    Returns:
        What keeps them from being written, and where; empty if they are. Training goes on without them.
    """
    path = folder
    try:
        folder.mkdir(exist_ok=True)
        path = folder / f"{arm}-last.safetensors"
        _write(path, last)
        if best is not None:
            path = folder / f"{arm}-best.safetensors"
            _write(path, best.weights, {"epoch": str(best.epoch)})
        path = folder / f"{arm}-state.safetensors"
        _write(path, state, {"progress": json.dumps(progress)})
    except OSError as error:
        return f"{path}: {unwritable(error)}"
    return ""


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    temporary = path.with_suffix(".tmp")
    try:
        temporary.write_bytes(serialized({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata))
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
