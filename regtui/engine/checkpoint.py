"""An arm on disk: weights as safetensors, and beside them all that training would need to go on. Nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn


def save(
    folder: Path,
    arm: str,
    model: nn.Module,
    best: Mapping[str, Tensor] | None,
    optimizer: torch.optim.Optimizer,
    streams: Mapping[str, torch.Generator],
    progress: Mapping[str, object],
) -> None:
    """Write three files, each whole or not at all.

    ARM-last.safetensors and ARM-best.safetensors hold the network's tensors; ARM-state.safetensors the optimizer's, the
    states of the random streams, and `progress` as JSON in its metadata.
    """
    _write(folder / f"{arm}-last.safetensors", model.state_dict())
    if best is not None:
        _write(folder / f"{arm}-best.safetensors", best)
    state = {
        f"optimizer.{index}.{name}": value
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }
    state |= {f"stream.{name}": generator.get_state() for name, generator in streams.items()}
    _write(folder / f"{arm}-state.safetensors", state, {"progress": json.dumps(progress)})


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    temporary = path.with_suffix(".tmp")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, metadata)
    temporary.replace(path)
