"""The only use of torchvision: imports it beside any build of torch, and reads its data sets."""

from __future__ import annotations

import importlib
import importlib.util
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

NETWORK_TIMEOUT = 30.0  # seconds without a byte

# A Library takes its definitions with it when it is collected, so it lives as long as this module.
_definitions = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]


def import_torchvision() -> ModuleType:
    """Import torchvision, even where its compiled operators cannot be loaded.

    The registry's torchvision is compiled against torch with CUDA. Beside a CPU-only torch its library does not load;
    torchvision passes over that, then fails to import because it describes two operators, `nms` and `qnms`, that the
    library would have defined. Nothing here uses operators, only data sets, so declaring the two is all it takes.
    Where the library does load, the operators are there and nothing is declared.

    Returns:
        The module `torchvision`.

    Raises:
        ImportError: Torchvision is not installed.
    """
    _load_operators()
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            schema = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            _definitions.define(schema)  # type: ignore[no-untyped-call]
    return importlib.import_module("torchvision")


def read_dataset(class_name: str, root: Path, *, download: bool) -> dict[str, NDArray[np.uint8]]:
    """Decode one of torchvision's image data sets.

    Args:
        class_name: Its class in `torchvision.datasets`.
        root: The folder that holds its files in torchvision's layout.
        download: Whether to download files that are absent from `root`, with a progress bar if stderr is a terminal.

    Returns:
        uint8 arrays: `train_images` and `test_images` [images, features], an image flattened as height, width,
        channels; `train_labels` and `test_labels` [images].

    Raises:
        Exception: Of any type, as torchvision's downloads and readers raise it.
    """
    datasets = import_torchvision().datasets
    dataset_class = getattr(datasets, class_name)
    arrays = {}
    with warnings.catch_warnings(), _bounded_download(datasets.utils):
        warnings.simplefilter("ignore")  # CIFAR-10's archive and pickles are of Python 2, about which newer ones warn
        for part in ("train", "test"):
            dataset = dataset_class(root, train=part == "train", download=download)
            images = np.asarray(dataset.data, dtype=np.uint8)
            arrays[f"{part}_images"] = np.ascontiguousarray(images.reshape(len(images), -1))
            arrays[f"{part}_labels"] = np.asarray(dataset.targets, dtype=np.uint8)
    return arrays


def _load_operators() -> None:
    """Load torchvision's library ahead of its import, to learn whether its operators are there."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for library in Path(spec.origin).parent.glob("_C.*"):
        with suppress(OSError):
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]


@contextmanager
def _bounded_download(utils: Any) -> Iterator[None]:
    """Let a silent server cause an error, and draw the progress bar only on a terminal."""
    timeout, progress_bar = socket.getdefaulttimeout(), utils.tqdm
    socket.setdefaulttimeout(NETWORK_TIMEOUT)
    utils.tqdm = partial(progress_bar, disable=not sys.stderr.isatty())
    try:
        yield
    finally:
        socket.setdefaulttimeout(timeout)
        utils.tqdm = progress_bar
