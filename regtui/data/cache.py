"""Decoded data sets on disk: one safetensors file each, written atomically, and checked by whoever uses it first."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from regtui.data.facts import DATASETS, DatasetName
from regtui.errors import InputError, RegtuiError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Arrays: TypeAlias = "Mapping[str, NDArray[np.uint8] | NDArray[np.float32]]"

CACHE_VERSION = 1
MAX_HEADER = 10_000
"""Largest header of a cache file in bytes."""
ABANDONED = 24 * 3600
"""Seconds after which a temporary file counts as abandoned; a download may take hours."""


def cache_dir() -> Path:
    """The folder for decoded data and downloads.

    It is REGTUI_CACHE if set, else the user's cache folder. For a user without a home, as in many containers, it is a
    private folder in the folder for temporary files.

    Raises:
        InputError: REGTUI_CACHE names the home of a user who does not exist.
        RegtuiError: There is no home, and no private folder either.
    """
    chosen = os.environ.get("REGTUI_CACHE")
    if chosen:
        return expanded(Path(chosen), "REGTUI_CACHE")
    if os.environ.get("XDG_CACHE_HOME") or os.path.isdir(os.path.expanduser("~")):  # noqa: PTH111, PTH112, they never raise
        from platformdirs import user_cache_path

        with suppress(RuntimeError):  # needs a home if XDG_CACHE_HOME is not usable
            return user_cache_path("regtui", appauthor=False)
    return _private_folder()


def _private_folder() -> Path:
    """A folder for temporary files that belongs to this user alone, so that nobody else can have put files there."""
    otherwise = "and there is no home to keep a data cache in; let the environment variable REGTUI_CACHE name a folder"
    try:
        folder = Path(tempfile.gettempdir()) / f"regtui-{_user()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise RegtuiError(f"no temporary folder can be made ({error.strerror}), {otherwise}") from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != _user() or status.st_mode & 0o077:
        raise RegtuiError(f"{folder} is not a folder of this user's alone, {otherwise}")
    return folder


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0  # on Windows the folder for temporary files is the user's own


def expanded(path: Path, named_by: str) -> Path:
    """The path with ~ resolved.

    Raises:
        InputError: There is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise InputError(f"{named_by} = {path}: there is no home of that user; write the whole path") from None


def cache_file(name: DatasetName, of_root: str = "") -> Path:
    """The path of a data set's cache file; `of_root` identifies the user's folder it was read from, if any."""
    return cache_dir() / f"{name}-v{CACHE_VERSION}{of_root}.safetensors"


def is_good(path: Path, name: DatasetName) -> bool:
    """Whether a cache file is undamaged: safetensors checks its structure, the rest is checked here.

    A process checks a file again only if it was changed: a study has many runs.
    """
    from safetensors import SafetensorError, safe_open

    try:
        status = path.stat()
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0  # a pipe would block
        if _GOOD.get(path) == (signature := (status.st_mtime_ns, size, status.st_ino)):
            return True
        if not 0 <= size - _bytes_of(name) <= MAX_HEADER:
            return False
        with safe_open(path, "numpy") as file:
            checksums = file.metadata()
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118, the file is no mapping
    except (OSError, ValueError, SafetensorError, TypeError):  # TypeError: a number type that numpy lacks
        return False
    if find_fault(name, arrays) is not None or _checksums(arrays) != checksums:
        return False
    _GOOD[path] = signature
    return True


_GOOD: dict[Path, tuple[int, int, int]] = {}
"""Files that were checked by this process: when they were changed last, their size and their number."""


def _bytes_of(name: DatasetName) -> int:
    """Bytes of a data set's arrays."""
    dataset = DATASETS[name]
    of_a_number = {"uint8": 1, "float32": 4}[_number_type(name)]
    return (dataset.train + dataset.test) * (dataset.features + 1) * of_a_number


def _number_type(name: DatasetName) -> Literal["uint8", "float32"]:
    """The type of all numbers of a data set: pixels and class numbers are bytes."""
    return "uint8" if DATASETS[name].task == "classification" else "float32"


def write(path: Path, arrays: Arrays) -> None:
    """Write a cache file so that another process sees either nothing or all of it."""
    from safetensors.numpy import save

    with explained_cache_faults():
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, f"{path.name}.*.tmp")
        # Not opened by `tempfile`, so that the permissions follow the umask and people can share a cache.
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            with temporary.open("xb") as file:
                file.write(save(dict(arrays), metadata=_checksums(arrays)))
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def sweep(folder: Path, pattern: str) -> None:
    """Remove temporary files left by processes that were killed, if they are old enough."""
    for left in folder.glob(pattern):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > ABANDONED:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _checksums(arrays: Arrays) -> dict[str, str]:
    return {key: f"{zlib.crc32(array.data):08x}" for key, array in arrays.items()}


def find_fault(name: DatasetName, arrays: Arrays) -> str | None:
    """What is wrong with decoded arrays; None if they have the data set's sizes, type and labels."""
    dataset = DATASETS[name]
    shapes = {
        "train_images": (dataset.train, dataset.features),
        "train_labels": (dataset.train,),
        "test_images": (dataset.test, dataset.features),
        "test_labels": (dataset.test,),
    }
    kind = _number_type(name)
    if arrays.keys() != shapes.keys():
        return f"it holds {', '.join(sorted(arrays))} instead of {', '.join(shapes)}"
    for key, shape in shapes.items():
        if arrays[key].shape != shape or arrays[key].dtype.name != kind:
            return f"{key} is {arrays[key].dtype} {arrays[key].shape} instead of {kind} {shape}"
        if kind == "uint8" and key.endswith("labels") and arrays[key].max() >= dataset.outputs:
            return f"{key} has a label {arrays[key].max()}, but the classes are 0 to {dataset.outputs - 1}"
    return None


@contextmanager
def explained_cache_faults() -> Iterator[None]:
    """Turn a full disk or a missing permission into a sentence.

    Raises:
        RegtuiError: The cache can't be written.
    """
    try:
        yield
    except OSError as error:
        raise RegtuiError(
            f"The data cache {cache_dir()} cannot be written ({error.strerror}): make room or set its permissions,"
            " or let the environment variable REGTUI_CACHE name another folder."
        ) from error
