"""Where a data set comes from: its files are decoded once into a cache file, which opens in milliseconds.

MNIST is bundled; the others are downloaded by torchvision, or read from a folder of the user's (`data.root`).
Neither torch nor torchvision is imported unless such files have to be decoded.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import shutil
import stat
import struct
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from regtui.data.cache import (
    Arrays,
    cache_dir,
    cache_file,
    expanded,
    explained_cache_faults,
    find_fault,
    is_good,
    sweep,
    write,
)
from regtui.data.facts import DATASETS, DatasetName
from regtui.data.tables import read_diabetes
from regtui.errors import InputError, RegtuiError
from regtui.text import one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


BUNDLED: frozenset[DatasetName] = frozenset({"mnist", "diabetes"})
BUNDLED_MNIST = Path(__file__).parent / "mnist"
BUNDLED_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


class Layout(NamedTuple):
    """Where torchvision keeps a data set.

    Attributes:
        class_name: Its class in `torchvision.datasets`.
        folder: The folder of its files, below the root.
        files: The files it is read from.
    """

    class_name: str
    folder: str
    files: tuple[str, ...]


_IDX_FILES = tuple(BUNDLED_MD5)  # the later data sets of 28 x 28 images name their files as MNIST does
_CIFAR_FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")
LAYOUTS: dict[DatasetName, Layout] = {
    "mnist": Layout("MNIST", "MNIST/raw", _IDX_FILES),
    "fashion-mnist": Layout("FashionMNIST", "FashionMNIST/raw", _IDX_FILES),
    "kmnist": Layout("KMNIST", "KMNIST/raw", _IDX_FILES),
    "cifar10": Layout("CIFAR10", "cifar-10-batches-py", _CIFAR_FILES),
}

MOST = 64_000_000
"""Bytes: a little more than the largest file of any data set."""
_DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM}


def ensure(name: DatasetName, root: Path | None = None) -> Path:
    """Find the cache file of a data set, building it when it is absent or damaged.

    The file is in safetensors format. Its tensors have the same names for every data set: `train_images` and
    `test_images` are the examples, [examples, features], an image flattened as height, width, channels; `train_labels`
    and `test_labels` are the targets, [examples]. Those of images are uint8, those of tables float32, as measured.

    Args:
        name: Which data set.
        root: A folder with the data set's files in torchvision's layout, read instead of bundled or downloaded ones.

    Returns:
        The path of a cache file whose checksums have just been verified.

    Raises:
        InputError: `root` lacks files of the data set, or they are damaged.
        RegtuiError: The data cannot be downloaded, or the cache folder cannot be written.
    """
    root = root and expanded(root, "data.root")
    path = cache_file(name, "" if root is None else f"-{_fingerprint(name, root)}")
    if is_good(path, name):
        return path
    if root is not None:
        arrays = _read_root(name, root)
    elif name == "mnist":
        arrays = _read_bundled_mnist()
    elif name == "diabetes":
        arrays = read_diabetes()
    else:
        arrays = _read_download(name)
    write(path, arrays)
    return path


def is_at_hand(name: DatasetName) -> bool:
    """Whether a data set is available without the network; its files may still be damaged."""
    # Not `Path.exists`, which raises where a folder above can't be looked into.
    return name in BUNDLED or any(map(os.path.exists, (cache_file(name), _download_folder(name))))


# The bundled MNIST


def _read_bundled_mnist() -> Arrays:
    dataset = DATASETS["mnist"]
    return {
        "train_images": _read_idx("train-images-idx3-ubyte", (dataset.train, *dataset.shape)),
        "train_labels": _read_idx("train-labels-idx1-ubyte", (dataset.train,)),
        "test_images": _read_idx("t10k-images-idx3-ubyte", (dataset.test, *dataset.shape)),
        "test_labels": _read_idx("t10k-labels-idx1-ubyte", (dataset.test,)),
    }


def _read_idx(file: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read a bundled IDX file: type, number of dimensions and their sizes, big-endian; then the bytes."""
    import numpy as np

    archive = BUNDLED_MNIST / f"{file}.gz"
    unsigned_byte = 0x08
    header = struct.pack(f">{1 + len(shape)}I", unsigned_byte << 8 | len(shape), *shape)
    try:
        content = gzip.decompress(archive.read_bytes())
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != BUNDLED_MD5[file]:
            raise ValueError("its MD5 is not the original's")
        if not content.startswith(header):
            raise ValueError(f"it is no IDX file of {shape} bytes")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise RegtuiError(f"The bundled file {archive} is damaged ({error}): install regtui again.") from error
    data = np.frombuffer(content, np.uint8, offset=len(header))
    return data if len(shape) == 1 else data.reshape(shape[0], -1)


# The user's own folder


def _fingerprint(name: DatasetName, root: Path) -> str:
    """A fingerprint of a folder's files by path, size and time, without reading them."""
    layout = LAYOUTS[name]
    states = []
    for file in layout.files:
        path = root / layout.folder / file
        try:
            state = path.stat()
        except (OSError, ValueError) as error:  # ValueError: a null character
            why = error.strerror if isinstance(error, OSError) else error
            raise InputError(
                f"{DATASETS[name].title} is not in data.root = {root}: cannot find {path} ({why}). "
                + _how_to_bring(name)
            ) from error
        if fault := _fault(state):
            raise InputError(f"{DATASETS[name].title} in data.root = {root}: {path} {fault}. {_how_to_bring(name)}")
        states.append((file, state.st_size, state.st_mtime_ns))
    for path in _read_instead(root, layout):
        with suppress(OSError):
            if fault := _fault(path.stat()):
                raise InputError(f"{DATASETS[name].title} in data.root = {root}: {path} {fault}; remove it")
    return hashlib.blake2b(repr((root.resolve(), states)).encode(), digest_size=8).hexdigest()


def _fault(state: os.stat_result) -> str:
    """Why a file can't be one of a data set's; torchvision would read it whole, or block on it."""
    if not stat.S_ISREG(state.st_mode):
        return "is no regular file"
    return f"has {state.st_size:,} bytes, and no file of this data set has so many" if state.st_size > MOST else ""


def _read_instead(root: Path, layout: Layout) -> list[Path]:
    """Files of earlier versions of torchvision, which it reads instead if they exist."""
    return [root / layout.class_name / "processed" / file for file in ("training.pt", "test.pt")]


def _read_root(name: DatasetName, root: Path) -> Arrays:
    try:
        return _read_with_torchvision(name, root, download=False)
    except Exception as error:  # torchvision's readers raise anything, from AssertionError to UnpicklingError
        raise InputError(
            f"{DATASETS[name].title} in data.root = {root} cannot be read, its files are damaged or of another data set"
            f" ({_in_one_line(error)}). {_how_to_bring(name)}"
        ) from error


def _how_to_bring(name: DatasetName) -> str:
    layout = LAYOUTS[name]
    sentence = f"Let data.root name a folder whose {layout.folder} holds {', '.join(layout.files)}."
    if name == "fashion-mnist":
        sentence += (
            " Debian's package dataset-fashion-mnist has them in /usr/share/datasets/fashion-mnist,"
            " gzip-compressed: unpack them into that FashionMNIST/raw."
        )
    return sentence


# Torchvision


def _download_folder(name: DatasetName) -> Path:
    return cache_dir() / "downloads" / name


def _read_download(name: DatasetName) -> Arrays:
    """Read the downloaded files, after downloading them if they are missing or damaged."""
    folder = _download_folder(name)
    if folder.exists():
        try:
            _fingerprint(name, folder)
            return _read_with_torchvision(name, folder, download=False)
        except Exception:  # whatever is wrong with it, a fresh download mends it
            shutil.rmtree(folder, ignore_errors=True)
    with explained_cache_faults():
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder.parent, f"{name}.*")
        # In a folder of its own, because torchvision takes a file that another process is still unpacking as complete.
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{name}.") as temporary:
            arrays = _download(name, Path(temporary) / name)
            with suppress(OSError):  # another process has downloaded it meanwhile
                os.replace(Path(temporary) / name, folder)  # noqa: PTH105
    return arrays


def _download(name: DatasetName, folder: Path) -> Arrays:
    try:
        return _read_with_torchvision(name, folder, download=True)
    except Exception as error:  # no network, a wrong checksum, a full disk: torchvision raises different types for them
        if isinstance(error, OSError) and error.errno in _DISK_FAULTS:
            raise
        raise RegtuiError(
            f"{DATASETS[name].title} could not be downloaded ({_in_one_line(error)}). Try again when the network is"
            f" there, or bring the files yourself. {_how_to_bring(name)}"
        ) from error


def _read_with_torchvision(name: DatasetName, root: Path, *, download: bool) -> Arrays:
    from regtui.data.shim import read_dataset

    arrays = read_dataset(LAYOUTS[name].class_name, root, download=download)
    fault = find_fault(name, arrays)
    if fault:
        raise ValueError(fault)
    return arrays


def _in_one_line(error: Exception) -> str:
    return one_line(" ".join(str(error).split()) or type(error).__name__)
