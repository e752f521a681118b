from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from regtui.errors import RegtuiError
from regtui.files import read_plain
from regtui.runs.weights import (
    KERNELS_HIGH,
    KERNELS_WIDE,
    Floats,
    Layer,
    Matrix,
    histogram,
    importance,
    picture,
    read_weights,
)


def write(folder: Path, tensors: dict[str, Matrix], arm: str = "baseline", which: str = "last") -> Path:
    path = folder / "checkpoint" / f"{arm}-{which}.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file(tensors, path)
    return path


def normal(*shape: int, seed: int = 0) -> Matrix:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_layers_are_measured_as_numpy_measures_them(tmp_path: Path) -> None:
    first = normal(6, 4)
    first[0] = 0
    first[1, 0], first[1, 1] = 5e-4, -1e-3
    tensors = {"linears.0.weight": first, "linears.1.weight": normal(3, 6), "linears.10.weight": normal(2, 3)}
    biases = {"linears.0.bias": normal(6), "norms.0.0.weight": normal(6)}
    write(tmp_path, {**biases, **tensors})
    layers = read_weights(tmp_path, "baseline", "last")
    assert [layer.name for layer in layers] == ["hidden1", "hidden2", "output"]
    for layer, matrix in zip(layers, tensors.values(), strict=True):
        assert np.array_equal(layer.matrix, matrix)
        assert layer.norm == pytest.approx(float(np.linalg.norm(matrix)), rel=1e-6)
    assert layers[0].zeros == 4 / 24
    # float32's nearest to 0.001 is above it, so −1e-3 is not small.
    assert layers[0].small == 5 / 24


def test_the_best_weights_are_a_file_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, {"linears.0.weight": normal(2, 3)}, which="last")
    write(tmp_path, {"linears.0.weight": normal(2, 3, seed=1)}, which="best")
    last, best = (read_weights(tmp_path, "baseline", which)[0].matrix for which in ("last", "best"))
    assert not np.array_equal(last, best)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RegtuiError, match=r"^The baseline arm has no weights yet: .* at the end of each epoch\.$"):
        read_weights(tmp_path, "baseline", "last")
    with pytest.raises(RegtuiError, match=r"^The baseline arm has no best weights yet: "):
        read_weights(tmp_path, "baseline", "best")


def test_of_an_ended_run_no_file_is_awaited(tmp_path: Path) -> None:
    with pytest.raises(RegtuiError, match=r"^This run's folder has no checkpoint"):
        read_weights(tmp_path, "baseline", "last", ended=True)
    write(tmp_path, {"linears.0.weight": normal(3, 2)})
    with pytest.raises(RegtuiError, match=r"^This run's checkpoint has no best weights of the baseline arm\.$"):
        read_weights(tmp_path, "baseline", "best", ended=True)
    assert read_weights(tmp_path, "baseline", "last", ended=True)


@pytest.mark.parametrize("damage", ["empty", "half", "no header", "garbage", "bit"])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path, {"linears.0.weight": normal(8, 8)})
    whole = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "half": whole[: len(whole) // 2],
            "no header": whole[8:],
            "garbage": b"\x00" * 64,
            "bit": whole.replace(b'"F32"', b'"F33"'),
        }[damage]
    )
    with pytest.raises(RegtuiError, match=r"is damaged") as caught:
        read_weights(tmp_path, "baseline", "last")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "tensors",
    [
        {"other@1.weight": normal(2, 2)},
        {"linears.0.weight": normal(4)},
        {"linears.0.weight": np.empty((0, 4), np.float32)},
    ],
)
def test_a_file_of_something_else_is_a_sentence(tmp_path: Path, tensors: dict[str, Matrix]) -> None:
    write(tmp_path, tensors)
    with pytest.raises(RegtuiError, match="no weights of a network"):
        read_weights(tmp_path, "baseline", "last")


def test_a_folder_in_the_file_s_place_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "checkpoint" / "baseline-last.safetensors").mkdir(parents=True)
    with pytest.raises(RegtuiError, match="can't be read"):
        read_weights(tmp_path, "baseline", "last")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def socket_file(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one, tempfile.TemporaryDirectory() as short:  # its name has 107 bytes at most
        one.bind(f"{short}/socket")
        Path(short, "socket").rename(path)


def sparse(path: Path) -> None:
    path.write_bytes(b"")
    os.truncate(path, 40 * 2**30)


def header(text: str, length: int | None = None) -> Callable[[Path], None]:
    content = text.encode()
    size = struct.pack("<Q", len(content) if length is None else length)
    return lambda path: void(path.write_bytes(size + content + bytes(64)))


def void(_: object) -> None: ...


TWO = '"linears.0.weight":{"dtype":"F32","shape":[2,4],"data_offsets":[0,32]}'
HOSTILE: dict[str, Callable[[Path], None]] = {
    "a pipe": pipe,
    "a socket": socket_file,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "40 GB of nothing": sparse,
    "empty": lambda path: path.touch(),
    "a header of 2^63 bytes": header("{}", 2**63),
    "a header of 90 MB": header("{}", 90_000_000),
    "overlapping tensors": header("{" + TWO + ',"a":{"dtype":"F32","shape":[8],"data_offsets":[16,48]}}'),
    "a type that is none": header("{" + TWO.replace("F32", "Q7") + "}"),
    "a type that numpy lacks": header("{" + TWO.replace("F32", "BF16").replace("4]", "8]") + "}"),
    "whole numbers": header("{" + TWO.replace("F32", "I32") + "}"),
    "a shape too large": header("{" + TWO.replace("[2,4]", "[4294967296,4294967296]") + "}"),
    "a layer of 5,000 digits": header("{" + TWO.replace("linears.0", "linears." + "9" * 5000) + "}"),
    "nested": header("[" * 100_000),
    "a hundred thousand tensors": header(
        "{" + ",".join(f'"{n}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for n in range(100_000)) + "}"
    ),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_a_file_made_to_harm_is_a_sentence_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "checkpoint").mkdir()
    make(tmp_path / "checkpoint" / "baseline-last.safetensors")
    with pytest.raises(RegtuiError, match=r"(can't be read|is damaged|holds no weights)"):
        read_weights(tmp_path, "baseline", "last")


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    sparse(tmp_path / "large")
    tracemalloc.start()
    try:
        with pytest.raises(OSError, match="it has more than 1,073,741,824 bytes"):
            read_plain(tmp_path / "large", 2**30)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("bins", [2, 3, 47, 60])
def test_a_histogram_has_every_weight_of_both_arms_once(bins: int) -> None:
    a, b = normal(30, 40), normal(30, 40, seed=1) / np.float32(10)
    counted = histogram(a, b, bins)
    assert [counts.sum() for counts in counted.counts] == [a.size, b.size]
    assert all(len(counts) == bins for counts in counted.counts)
    assert counted.limit == pytest.approx(np.percentile(np.abs(a), 99))
    assert counted.beyond == (12, 0)
    assert counted.not_finite == (0, 0)


def test_a_histogram_is_numpy_s_between_its_edges() -> None:
    a, b = normal(50, 40), normal(50, 40, seed=1)
    counted = histogram(a, b, 21)
    for matrix, counts in zip((a, b), counted.counts, strict=True):
        clipped = np.clip(matrix, -counted.limit, counted.limit)
        expected, _ = np.histogram(clipped, 21, (-counted.limit, counted.limit))
        assert np.abs(counts - expected).sum() <= 2  # float32 rounding at an edge moves a weight by one bin


def test_bins_are_symmetric_about_zero() -> None:
    a = normal(20, 30)
    same, mirrored = histogram(a, -a, 31).counts
    assert np.array_equal(same, mirrored[::-1])


def test_zeros_are_in_the_middle_bin_and_do_not_set_the_limit_to_zero() -> None:
    a = np.zeros((40, 40), np.float32)
    a[0, :3] = 0.5, -0.5, 0.25
    counted = histogram(a, np.zeros_like(a), 5)
    assert counted.limit == 0.5
    assert counted.counts[0].tolist() == [1, 0, a.size - 3, 1, 1]
    assert counted.counts[1].tolist() == [0, 0, a.size, 0, 0]
    nothing = histogram(np.zeros_like(a), np.zeros_like(a), 5)
    assert nothing.counts[0].tolist() == [0, 0, a.size, 0, 0]


def test_weights_that_are_not_finite_are_counted_apart(tmp_path: Path) -> None:
    a = normal(10, 10)
    a[0, :3] = np.nan, np.inf, -np.inf
    counted = histogram(a, np.full_like(a, np.nan), 9)
    assert counted.not_finite == (3, 100)
    assert [counts.sum() for counts in counted.counts] == [97, 0]
    write(tmp_path, {"linears.0.weight": a})
    [layer] = read_weights(tmp_path, "baseline", "last")
    assert not np.isfinite(layer.norm)
    assert (layer.zeros, layer.small) == (0, float(np.mean(np.abs(a) < 1e-3)))
    assert not np.isfinite(importance(a, (2, 5))).all()


def test_a_huge_weight_beside_tiny_ones_overflows_nothing() -> None:
    a = np.full((20, 20), 1e-30, np.float32)
    a[0, 0] = 3e38
    assert histogram(a, a, 11).counts[0].tolist() == [0] * 10 + [400]
    assert np.isfinite(importance(a, (4, 5))).all()


def test_importance_is_the_norm_of_the_weights_that_leave_a_pixel() -> None:
    matrix = np.array([[3, 0, 1, 0, 0, 2], [4, 0, 0, 0, -1, 0]], np.float32)
    expected: Floats = np.array([[5, 0, 1], [0, 1, 2]], np.float64)
    assert np.array_equal(importance(matrix, (2, 3)), expected)


def test_importance_takes_a_pixel_s_channels_together() -> None:
    matrix = np.array([[1, 2, 2, 0, 0, 0], [0, 0, 4, 0, 3, 0]], np.float32)
    assert np.array_equal(importance(matrix, (1, 2, 3)), [[5, 3]])


def layer(*shape: int) -> Layer:
    weights = normal(*shape)
    return Layer("first", shape, weights.reshape(len(weights), -1), 1.0, 0.0, 0.0)


def test_a_layer_whose_inputs_are_no_pixels_has_no_picture() -> None:
    assert picture(layer(2, 6), (28, 28)) is None
    assert picture(layer(2, 6), (6,)) is None, "columns of a table"
    assert picture(layer(2, 1, 6), (2, 3)) is None, "a convolution along one dimension"
    pixels = picture(layer(2, 6), (2, 3))
    assert pixels is not None
    assert pixels.title == "pixels"


@pytest.mark.parametrize(
    "shape", [(1, 1, 3, 3), (16, 1, 3, 3), (7, 3, 5, 5), (200, 2, 3, 3), (9, 1, 31, 31), (4, 1, 1, 1)]
)
def test_the_first_kernels_stand_side_by_side_with_a_cell_between_them(shape: tuple[int, ...]) -> None:
    one = layer(*shape)
    found = picture(one, (28, 28))
    assert found is not None
    assert found.title == "kernels"
    out, _, height, width = shape
    across = (found.values.shape[1] + 1) // (width + 1)
    down = (found.values.shape[0] + 1) // (height + 1)
    assert found.values.shape[1] <= max(KERNELS_WIDE, width)
    assert found.values.shape[0] <= max(KERNELS_HIGH, height)
    weights = one.matrix.reshape(shape).astype(np.float64)
    shown = min(out, across * down)
    for index in range(shown):
        y, x = index // across * (height + 1), index % across * (width + 1)
        expected = np.sqrt((weights[index] ** 2).sum(axis=0))
        assert np.allclose(found.values[y : y + height, x : x + width], expected)
    assert np.count_nonzero(found.values) == shown * height * width
    if shown < out:
        assert down == (KERNELS_HIGH + 1) // (height + 1) or down == 1


def test_layers_of_every_kind_are_read_in_order_and_without_what_techniques_added(tmp_path: Path) -> None:
    names = ["conv1", "conv2", "hidden1", "hidden2", "hidden10", "output"]
    shapes = [(4, 1, 3, 3), (5, 4, 3, 3), (6, 20), (6, 6), (6, 6), (2, 6)]
    tensors = {f"{name}.weight": normal(*shape) for name, shape in zip(names, shapes, strict=True)}
    others = {"conv1.bias": normal(4), "batch_norm@1.weight": normal(4), "other@2.weight": normal(2, 2)}
    write(tmp_path, {**others, **tensors})
    layers = read_weights(tmp_path, "baseline", "last")
    assert [one.name for one in layers] == names
    assert [one.shape for one in layers] == shapes
    assert layers[0].matrix.shape == (4, 9)
    assert layers[0].norm == pytest.approx(float(np.linalg.norm(tensors["conv1.weight"].ravel())), rel=1e-6)


def test_neither_torch_nor_textual_is_imported() -> None:
    code = "import sys, regtui.runs.weights; print({'torch', 'textual'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
