"""An arm on disk: weights, and beside them the state of optimizer and random streams. Nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save as serialized
from torch import Tensor

from regtui.errors import RegtuiError


def save(
    folder: Path,
    arm: str,
    last: Mapping[str, Tensor],
    best: Mapping[str, Tensor] | None,
    state: Mapping[str, Tensor],
    progress: Mapping[str, object],
) -> None:
    """Write an arm's files, each whole or not at all.

    Args:
        folder: Where; it exists.
        arm: Begins each file's name: ARM-last, ARM-best and ARM-state.safetensors.
        last: The network's tensors as they are.
        best: As they were in the best epoch; None before there is one.
        state: The optimizer's tensors and the states of the random streams.
        progress: What JSON can hold of the rest; it becomes metadata of the state.

    Raises:
        RegtuiError: They can't be written, because a disk is full.
    """
    _write(folder / f"{arm}-last.safetensors", last)
    if best is not None:
        _write(folder / f"{arm}-best.safetensors", best)
    _write(folder / f"{arm}-state.safetensors", state, {"progress": json.dumps(progress)})


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    temporary = path.with_suffix(".tmp")
    try:
        temporary.write_bytes(serialized({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata))
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RegtuiError(f"{path}: the weights can't be saved ({error.strerror}); make room there") from None
