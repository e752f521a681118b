"""The devices of this machine, and the one that a preset's `train.device` means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch

from regtui.errors import InputError


def resolve(wanted: str) -> str:
    """Resolve a device: 'auto' is the first GPU if there is one, else the CPU; any other must exist.

    Raises:
        InputError: The device isn't there.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if wanted == "auto":
        return "cuda:0" if cuda else "mps" if mps else "cpu"
    if wanted.startswith("cuda"):
        index = int(wanted.partition(":")[2] or 0)
        count = torch.cuda.device_count() if cuda else 0
        if index >= count:
            build = "" if torch.version.cuda else "; this PyTorch is built for the CPU only"
            raise InputError(
                f"train.device: {wanted} is not there, this machine shows {count or 'no'} CUDA GPU"
                f"{'s' if count > 1 else ''}{build}; use auto or cpu"
            )
        return f"cuda:{index}"
    if wanted == "mps" and not mps:
        raise InputError("train.device: mps is not there; it needs a Mac with Apple silicon; use auto or cpu")
    return wanted


def found() -> Iterator[tuple[Literal["ok", "note"], str]]:
    """The devices besides the CPU, or why there are none, each as ('ok' or 'note', words)."""
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(index)
        yield "ok", f"cuda:{index}: {properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    if not torch.cuda.is_available():
        why = "this PyTorch is built for the CPU only" if torch.version.cuda is None else "no GPU or driver answers"
        yield "note", f"no CUDA: {why}"
    if torch.backends.mps.is_available():
        yield "ok", "mps: Apple's GPU"
    yield "ok", f"auto means {resolve('auto')}"
