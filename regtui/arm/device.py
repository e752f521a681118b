"""Which device a preset's `train.device` means on this machine."""

from __future__ import annotations

import torch

from regtui.errors import InputError


def resolve(wanted: str) -> str:
    """'auto' is the first GPU where there is one, else the CPU; any other must be there.

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
