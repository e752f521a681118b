"""An arm's state as a file: tensors by name, and the rest as JSON beside them. Nothing is pickled.

The names of tensors begin with what they are part of: `model.`, `best.`, `optimizer.`, `stream.`, `batches`. See
`regtui.runs.checkpoint` for the files and for how they are replaced.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from regtui.errors import InputError
from regtui.files import BUFFER, check_header, open_plain, write_whole
from regtui.runs.checkpoint import NOT_AS_SAVED, Checksum

_TYPES = {torch.float32: "F32", torch.int64: "I64", torch.uint8: "U8"}
"""The types of an arm's tensors as safetensors names them."""


class Best(NamedTuple):
    """The network's tensors as they were at the end of an epoch that early stopping may go back to.

    It is the best by early stopping's monitor, after the warm-up; without early stopping, by validation loss.
    """

    epoch: int
    weights: Mapping[str, Tensor]


class State(NamedTuple):
    """The complete state of an arm at one moment.

    Attributes:
        tensors: Weights, best weights, the optimizer's state, random streams and the remaining batches, by name.
        facts: Everything else, as JSON-compatible data.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with `prefix`, without it."""
        return {name.removeprefix(prefix): tensor for name, tensor in self.tensors.items() if name.startswith(prefix)}


def write(path: Path, state: State) -> str:
    """Write a state atomically, and sync its content to disk; `regtui.runs.checkpoint.commit` syncs the names.

    Returns:
        The checksum of what was written.

    Raises:
        OSError: It can't be written.
    """
    written = Checksum()
    parts = _serialized(state.tensors, {"facts": json.dumps(state.facts, allow_nan=False)})
    write_whole(path, map(written.add, parts), synced=False)
    return str(written)


def _serialized(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    """The bytes of a safetensors file: the length of its header, the header, and each tensor where it lies in memory.

    `safetensors.torch.save` makes two copies of everything, as much as the arm itself takes; `save_file` writes without
    a copy, but tells of a full disk by an error without its number. A test compares the bytes.
    """
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, tensor in ordered:
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": _TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    words = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    words += b" " * (-len(words) % 8)
    yield len(words).to_bytes(8, "little")
    yield words
    for _, tensor in ordered:
        yield tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def read(path: Path, checksum: str | None = None) -> State:
    """Read what `write` has written; the tensors are on the CPU.

    Args:
        path: The file.
        checksum: What `write` has returned; None if that is not known.

    Raises:
        InputError: The file is missing or damaged.
    """
    try:
        check_header(path)
        if checksum is not None and _checksum_of(path) != checksum:
            raise InputError(f"{path} {NOT_AS_SAVED}")
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, the file is no mapping
            facts = json.loads((file.metadata() or {})["facts"])
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror or error})") from None
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError, MemoryError, RecursionError):
        raise InputError(f"{path} is damaged: it is no arm's state") from None
    if not isinstance(facts, dict):
        raise InputError(f"{path} is damaged: it is no arm's state")
    return State(tensors, facts)


def _checksum_of(path: Path) -> str:
    found = Checksum()
    with open_plain(path) as file:
        while block := file.read(BUFFER):
            found.add(block)
    return str(found)
