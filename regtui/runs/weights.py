"""A run's weights, read from its checkpoint: norms, distribution, and the pixels that they weigh most."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regtui.errors import InputError, RegtuiError
from regtui.runs.checkpoint import WEIGHT, WeightsFile, Which, read_manifest, weights_file
from regtui.runs.tensors import read_tensors
from regtui.text import one_line

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]

MAX_BYTES = 2**30
"""Largest file of weights that is shown, in bytes: a network of 270 million parameters."""
SMALL = 1e-3
"""Below this a weight counts as small."""
LONGEST_NAME = 80
"""Longest name of a layer."""
KERNELS_WIDE, KERNELS_HIGH = 35, 32
"""Size of a picture of kernels in pixels, a little more than an image of MNIST."""


@dataclass(frozen=True, eq=False)
class Layer:
    """The weights of one layer, without its bias.

    Attributes:
        name: As in the log: conv1, hidden1, hidden2, ..., output.
        shape: Of the tensor: (out, in), of a convolution (out, in, height, width).
        matrix: The weights, [out, inputs of one output].
        norm: Their Euclidean norm, √Σw²; not finite where a weight is not.
        zeros: Share of the weights that are exactly zero.
        small: Share of the weights with |w| < 0.001, the zeros included.
    """

    name: str
    shape: tuple[int, ...]
    matrix: Matrix
    norm: float
    zeros: float
    small: float


@dataclass(frozen=True, eq=False)
class Histogram:
    """Histograms of the weights of two arms, with the same bins.

    Attributes:
        limit: The bins have equal width and reach from −limit to +limit; the outermost also hold everything beyond.
        counts: For each arm, how many of its weights are in each bin.
        beyond: For each arm, how many of those lie outside of the limits.
        not_finite: For each arm, how many weights are not finite and in no bin.
    """

    limit: float
    counts: tuple[NDArray[np.int64], NDArray[np.int64]]
    beyond: tuple[int, int]
    not_finite: tuple[int, int]


def best_epoch(run_folder: Path, arm: str) -> int | None:
    """The epoch of an arm's best weights; None if the checkpoint does not say, as in runs of earlier versions."""
    try:
        manifest = read_manifest(run_folder / "checkpoint")
    except (OSError, InputError):
        return None
    files = manifest.arms.get(arm) if manifest else None
    return files.best_epoch if files else None


class Picture(NamedTuple):
    """A picture of what the first layer weighs.

    Attributes:
        title: What it shows: 'pixels' or 'kernels'.
        about: What its values are.
        values: At least 0, or not finite where a weight is not, [height, width].
    """

    title: str
    about: str
    values: Floats


def read_weights(run_folder: Path, arm: str, which: Which, *, ended: bool = False) -> list[Layer]:
    """The layers of an arm, from the input to the output.

    Training replaces the checkpoint as a whole at each epoch's end, so it can be read at any time. Whether the run has
    ended only affects the message about missing weights.

    Raises:
        RegtuiError: There are no such weights, or not yet, or they can't be read.
    """
    folder = run_folder / "checkpoint"
    tensors = None
    for _attempt in range(5):  # a new commit may come between reading the manifest and reading its file
        file = _file(folder, arm, which)
        if file is None or (tensors := _read_layers(file)) is not None:
            break
    if tensors is None:
        when = "at the end of each epoch" if which == "last" else "with its first best epoch"
        kind = "" if which == "last" else "best "
        if ended and not os.path.isdir(folder):  # noqa: PTH112, it never raises
            raise RegtuiError("This run's folder has no checkpoint, so there are no weights to show.")
        if ended:
            raise RegtuiError(f"This run's checkpoint has no {kind}weights of the {arm} arm.")
        raise RegtuiError(f"The {arm} arm has no {kind}weights yet: they are saved {when}.")
    if not tensors or any(tensor.size == 0 or tensor.dtype != np.float32 for tensor in tensors.values()):
        raise RegtuiError(f"{file and file.path} holds no weights of a network.")
    return [_layer(name, tensors[name]) for name in sorted(tensors, key=_in_order)]


def _file(folder: Path, arm: str, which: Which) -> WeightsFile | None:
    try:
        return weights_file(folder, arm, which)
    except OSError as error:
        raise RegtuiError(f"{folder} can't be read: {error.strerror or error}.") from None
    except InputError as error:
        raise RegtuiError(f"{folder} can't be read: {error}.") from None


def _read_layers(file: WeightsFile) -> dict[str, NDArray[Any]] | None:
    """The weights in a file, by layer; None if there is no such file."""
    tensors = read_tensors(file.path, MAX_BYTES, "weights", file.checksum)
    if tensors is None:
        return None
    if any(name.startswith(WEIGHT) for name in tensors):  # the file also holds the optimizer's state and more
        tensors = {name.removeprefix(WEIGHT): tensor for name, tensor in tensors.items() if name.startswith(WEIGHT)}
    found = {layer: tensor for name, tensor in tensors.items() if tensor.ndim >= 2 and (layer := _layer_name(name))}
    # Earlier versions knew only multilayer perceptrons and numbered their layers.
    numbers = {int(match[1]): name for name in found if (match := re.fullmatch(r"linears\.([0-9]{1,4})", name))}
    if not numbers:
        return found
    *hidden, last = (found[numbers[number]] for number in sorted(numbers))
    return {f"hidden{number}": tensor for number, tensor in enumerate(hidden, start=1)} | {"output": last}


def _layer_name(tensor: str) -> str:
    """The name of the layer whose weights a tensor holds; empty for a tensor added by a technique."""
    return "" if "@" in tensor else one_line(tensor.removesuffix(".weight"), LONGEST_NAME)


def _in_order(name: str) -> list[tuple[int, str]]:
    """A sort key that gives conv1, hidden2, hidden10, output: the order of the forward pass."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]{1,18})", name)]


def _layer(name: str, tensor: Matrix) -> Layer:
    matrix = tensor.reshape(len(tensor), -1)
    with np.errstate(invalid="ignore", over="ignore"):
        norm = float(np.sqrt(np.square(matrix, dtype=np.float64).sum()))
        zeros = float(np.mean(matrix == 0))
        small = float(np.mean(np.abs(matrix) < SMALL))
    return Layer(name, tensor.shape, matrix, norm, zeros, small)


def histogram(a: Matrix, b: Matrix, bins: int) -> Histogram:
    """Count the weights of two arms in the same `bins`, symmetric about zero.

    The limit is the larger of the two arms' 99th percentiles of |w|, so that a few large weights don't squeeze all
    others together; if that is zero, the largest |w|. With an odd number of bins the zeros are in the middle one.
    """
    finite = [matrix[np.isfinite(matrix)] for matrix in (a, b)]
    sizes = [np.abs(weights) for weights in finite]
    limit = max((float(np.percentile(size, 99)) for size in sizes if size.size), default=0.0)
    limit = limit or max((float(size.max()) for size in sizes if size.size), default=0.0) or 1.0
    counts = []
    for weights in finite:
        places = np.floor((np.clip(weights, -limit, limit) / limit + 1) * (bins / 2))
        counts.append(np.bincount(np.clip(places, 0, bins - 1).astype(np.int64), minlength=bins))
    beyond = [int(np.count_nonzero(size > limit)) for size in sizes]
    lost = [matrix.size - weights.size for matrix, weights in zip((a, b), finite, strict=True)]
    return Histogram(limit, (counts[0], counts[1]), (beyond[0], beyond[1]), (lost[0], lost[1]))


def importance(matrix: Matrix, shape: tuple[int, ...] = (28, 28)) -> Floats:
    """How much the first layer weighs each pixel: the Euclidean norm of the weights that leave the pixel.

    For pixel p this is √(Σ_j w_jp²) over the units j, and over the channels if a pixel has several.

    Args:
        matrix: The first layer's weights, [out, in], with an input for each number of an image.
        shape: Height, width and, if there are several, channels of an image; channels are last.

    Returns:
        [height, width].
    """
    with np.errstate(invalid="ignore", over="ignore"):
        squares = np.square(matrix, dtype=np.float64).sum(axis=0).reshape(*shape[:2], -1)
        return np.asarray(np.sqrt(squares.sum(axis=2)))


def kernels(layer: Layer) -> Floats:
    """The kernels of a convolution side by side: √(Σ_c w_cp²) over channels c for each pixel p of a kernel.

    Returns:
        The first kernels, as many as `KERNELS_WIDE` and `KERNELS_HIGH` cells hold, with one cell between them.
    """
    out, channels, height, width = layer.shape
    across = max(1, min(out, (KERNELS_WIDE + 1) // (width + 1)))
    down = max(1, min(-(-out // across), (KERNELS_HIGH + 1) // (height + 1)))
    with np.errstate(invalid="ignore", over="ignore"):
        squares = np.square(layer.matrix.reshape(out, channels, height, width), dtype=np.float64).sum(axis=1)
    picture = np.zeros((down * (height + 1) - 1, across * (width + 1) - 1))
    for index, kernel in enumerate(np.sqrt(squares[: across * down])):
        y, x = index // across * (height + 1), index % across * (width + 1)
        picture[y : y + height, x : x + width] = kernel
    return picture


def picture(layer: Layer, shape: tuple[int, ...]) -> Picture | None:
    """A picture of what the first layer weighs, for images of `shape` (height, width, channels); None if there is none.

    For a layer with an input for each pixel it shows the pixels, for a convolution its kernels.
    """
    if len(layer.shape) == 4:
        return Picture("kernels", "size of the weights in each", kernels(layer))
    if len(shape) >= 2 and layer.shape == (len(layer.matrix), int(np.prod(shape))):
        return Picture("pixels", "norm of the weights from each", importance(layer.matrix, shape))
    return None
