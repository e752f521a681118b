"""Reads a run's files of tensors, so that nothing in them can do harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from regtui.errors import RegtuiError
from regtui.files import check_header, read_plain
from regtui.runs.checkpoint import NOT_AS_SAVED, Checksum


def read_tensors(path: Path, at_most: int, what: str, checksum: str | None = None) -> dict[str, NDArray[Any]] | None:
    """All tensors of a file, by name; None if there is no such file.

    Args:
        path: The file; the length of its header is checked before it is parsed.
        at_most: Bytes of the largest file that is read.
        what: What it should hold, for the message about a damaged one.
        checksum: Of its content; None if that is not known.

    Raises:
        RegtuiError: It can't be read, or is damaged.
    """
    try:
        check_header(path)
        content = read_plain(path, at_most)
        if checksum is not None and str(Checksum(content)) != checksum:
            raise RegtuiError(f"{path} {NOT_AS_SAVED}; put back a good copy of it.")
        return load(content)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RegtuiError(f"{path} can't be read: {error.strerror or error}.") from None
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError):
        raise RegtuiError(f"{path} is damaged: it is no file of {what}.") from None
