"""The devices of this machine, and the one that a preset's `train.device` means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch

from regtui.errors import InputError
from regtui.memory import Memory, free_memory
from regtui.text import megabytes


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


def memory_of(gpu: torch.device) -> Memory:
    """What can be taken of a GPU's memory: what is free, and what this process has reserved already."""
    free, _ = torch.cuda.mem_get_info(gpu)
    return Memory(free + torch.cuda.memory_reserved(gpu), str(gpu))


def is_too_little_memory(error: Exception) -> bool:
    """Whether an error means that there is too little memory, for which torch raises a plain RuntimeError on a CPU."""
    words = str(error)  # messages of torch's allocators: alloc_cpu.cpp for CPUs, "CUDA out of memory" for GPUs
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "alloc_cpu" in words or "out of memory" in words


def memory_words(where: torch.device) -> str:
    """What there is of a device's memory, in words: 'cuda:0 has 85.0 GB, 1.2 GB of it free'."""
    if where.type != "cuda":
        granted = free_memory()
        return f"{granted.owner} grants {megabytes(granted.amount)}"
    free, total = torch.cuda.mem_get_info(where)
    return f"{where} has {megabytes(total)}, {megabytes(free)} of it free"


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
