"""An arm on disk: weights as safetensors, and beside them all that training would need to go on. Nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


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
    """
    _write(folder / f"{arm}-last.safetensors", last)
    if best is not None:
        _write(folder / f"{arm}-best.safetensors", best)
    _write(folder / f"{arm}-state.safetensors", state, {"progress": json.dumps(progress)})


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    temporary = path.with_suffix(".tmp")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, metadata)
    temporary.replace(path)
