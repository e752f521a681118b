from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import pickle
import re
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file

from regtui.data import source
from regtui.data.cache import cache_dir, is_good, sweep
from regtui.data.facts import DATASETS, DatasetName
from regtui.data.shim import import_torchvision
from regtui.errors import InputError, RegtuiError

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "cache"
    monkeypatch.setenv("REGTUI_CACHE", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)  # pytest keeps tmp_path, and a data set is 55 MB


@pytest.fixture
def three_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every data set be of two training images and one test image."""
    for name, dataset in DATASETS.items():
        monkeypatch.setitem(DATASETS, name, dataset._replace(train=2, test=1))


def write_idx(root: Path, folder: str, train: int = 2, test: int = 1, label: int = 7) -> Path:
    """Write IDX files whose images are the bytes 0, 1, 2, ... and whose labels are all `label`."""
    raw = root / folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", train), ("t10k", test)):
        images = np.arange(count * 784, dtype=np.uint8).tobytes()
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x0803, count, 28, 28) + images)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x0801, count) + bytes([label]) * count)
    return raw


def start_python(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_python(code: str) -> tuple[str, str]:
    """What a fresh interpreter says on stdout and stderr."""
    return start_python(code).communicate(timeout=300)


# The bundled MNIST


def test_bundled_files_are_the_originals_that_the_licence_lists() -> None:
    licence = (source.BUNDLED_MNIST / "LICENSE.md").read_text()
    for file, md5 in source.BUNDLED_MD5.items():
        content = gzip.decompress((source.BUNDLED_MNIST / f"{file}.gz").read_bytes())
        assert hashlib.md5(content).hexdigest() == md5
        assert f"| {file} | {md5} |" in licence


def test_mnist_is_what_it_is_known_to_be() -> None:
    arrays = load_file(source.ensure("mnist"))

    assert arrays["train_labels"][:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(arrays["train_labels"]).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(arrays["test_labels"]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert arrays["train_images"].shape == (60_000, 784)
    assert arrays["test_images"].dtype == np.uint8
    assert arrays["train_images"].mean() == pytest.approx(33.3184, abs=1e-4)


def test_a_damaged_bundled_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundled = tmp_path / "bundled"
    shutil.copytree(source.BUNDLED_MNIST, bundled)
    monkeypatch.setattr(source, "BUNDLED_MNIST", bundled)
    archive = bundled / "t10k-labels-idx1-ubyte.gz"

    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(RegtuiError, match=r"t10k-labels-idx1-ubyte\.gz is damaged .*: install regtui again"):
        source.ensure("mnist")

    archive.write_bytes(gzip.compress(b"another file"))
    with pytest.raises(RegtuiError, match="its MD5 is not the original's"):
        source.ensure("mnist")


# The cache file


def test_torch_is_not_imported_to_build_or_to_verify_the_cache() -> None:
    code = "import sys; from regtui.data.source import ensure; ensure('mnist'); ensure('mnist'); print(*sys.modules)"
    modules, errors = run_python(code)
    assert errors == ""
    assert "numpy" in modules.split()
    assert not {"torch", "torchvision"} & {*modules.split()}


def test_a_good_cache_is_kept_and_the_user_s_own_cache_folder_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    path = source.ensure("mnist")
    written = path.stat().st_mtime_ns
    assert source.ensure("mnist") == path
    assert path.stat().st_mtime_ns == written
    assert path.name == "mnist-v1.safetensors"

    monkeypatch.delenv("REGTUI_CACHE")
    assert cache_dir().name == "regtui"


@pytest.mark.slow
def test_a_damaged_cache_is_rebuilt() -> None:
    path = source.ensure("mnist")
    good = path.read_bytes()
    header = struct.unpack("<Q", good[:8])[0]

    for position in (0, 8, 9, header // 2, 8 + header, len(good) // 2, len(good) - 1):
        with path.open("r+b") as file:
            file.seek(position)
            file.write(bytes([good[position] ^ 1]))
        assert not is_good(path, "mnist")
        with path.open("r+b") as file:
            file.seek(position)
            file.write(good[position : position + 1])
    assert is_good(path, "mnist")

    for content in (b"", b"garbage" * 1000, good[:-1], good[: 8 + header], good + b"\0"):
        path.write_bytes(content)
        assert source.ensure("mnist") == path
        assert is_good(path, "mnist")
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_sound_file_of_other_tensors_is_no_cache(tmp_path: Path, dtype: torch.dtype) -> None:
    keys = ("train_images", "train_labels", "test_images", "test_labels")
    save_file({key: torch.zeros(3, dtype=dtype) for key in keys}, tmp_path / "other.safetensors")
    assert not is_good(tmp_path / "other.safetensors", "mnist")


def test_two_processes_at_once_both_get_the_data(cache: Path) -> None:
    code = "from regtui.data.source import ensure; print(ensure('mnist'))"
    processes = [start_python(code) for _ in range(2)]
    for process in processes:
        assert process.communicate(timeout=300) == (f"{cache / 'mnist-v1.safetensors'}\n", "")
    assert [file.name for file in cache.iterdir()] == ["mnist-v1.safetensors"]
    assert is_good(cache / "mnist-v1.safetensors", "mnist")


def test_a_cache_folder_that_cannot_be_written_is_explained(cache: Path) -> None:
    cache.write_text("a file, where the folder should be")
    with pytest.raises(RegtuiError, match=r"cannot be written \(File exists\).*REGTUI_CACHE"):
        source.ensure("mnist")
    cache.unlink()


def test_a_full_disk_is_explained_and_leaves_nothing_behind(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(RegtuiError, match=r"cannot be written \(No space left on device\).*REGTUI_CACHE"):
        source.ensure("mnist")
    assert list(cache.iterdir()) == []


# The user's own folder


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST"), ("kmnist", "KMNIST")]
)
def test_a_folder_in_torchvision_s_layout_is_read(tmp_path: Path, name: DatasetName, folder: str) -> None:
    write_idx(tmp_path, folder)
    arrays = load_file(source.ensure(name, tmp_path))
    assert arrays["train_images"].tobytes() == np.arange(2 * 784, dtype=np.uint8).tobytes()
    assert arrays["train_images"].shape == (2, 784)
    assert arrays["test_labels"].tolist() == [7]


@pytest.mark.usefixtures("three_images")
def test_changed_files_and_other_folders_have_caches_of_their_own(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    raw = write_idx(here, "FashionMNIST", label=1)
    write_idx(there, "FashionMNIST", label=2)
    first, other = source.ensure("fashion-mnist", here), source.ensure("fashion-mnist", there)
    assert load_file(first)["test_labels"].tolist() == [1]
    assert load_file(other)["test_labels"].tolist() == [2]
    assert source.ensure("fashion-mnist", here) == first

    labels = raw / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\3")
    os.utime(labels, ns=(0, 1))
    assert load_file(source.ensure("fashion-mnist", here))["test_labels"].tolist() == [3]


def test_a_folder_without_the_files_says_which_and_where(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        source.ensure("fashion-mnist", tmp_path)
    message = str(raised.value)
    assert f"cannot find {tmp_path}/FashionMNIST/raw/train-images-idx3-ubyte (No such file or directory)" in message
    assert "t10k-labels-idx1-ubyte" in message
    assert "data.root" in message
    assert "dataset-fashion-mnist" in message


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: (raw / "train-images-idx3-ubyte").write_bytes(b""),
        lambda raw: (raw / "train-images-idx3-ubyte").write_bytes(b"garbage that is no IDX file"),
        lambda raw: os.truncate(raw / "train-images-idx3-ubyte", 1000),
        lambda raw: os.truncate(raw / "t10k-labels-idx1-ubyte", 8),
        lambda raw: write_idx(raw.parents[1], "FashionMNIST", train=3),
        lambda raw: write_idx(raw.parents[1], "FashionMNIST", label=10),
    ],
)
def test_a_folder_with_damaged_files_is_explained(tmp_path: Path, cache: Path, damage: Callable[[Path], None]) -> None:
    damage(write_idx(tmp_path, "FashionMNIST"))
    with pytest.raises(
        InputError, match=r"Fashion-MNIST in data.root = .* cannot be read, its files are damaged"
    ) as raised:
        source.ensure("fashion-mnist", tmp_path)
    assert "\n" not in str(raised.value)
    assert not cache.exists()


def make_sparse(path: Path) -> None:
    path.write_bytes(b"")
    os.truncate(path, 40 * 2**30)


@pytest.mark.parametrize(("make", "words"), [(os.mkfifo, "is no regular file"), (make_sparse, "42,949,672,960 bytes")])
@pytest.mark.parametrize("file", ["raw/train-images-idx3-ubyte", "raw/t10k-labels-idx1-ubyte", "processed/test.pt"])
def test_a_file_that_would_be_read_for_ever_is_refused(
    tmp_path: Path, cache: Path, make: Callable[[Path], None], words: str, file: str
) -> None:
    path = write_idx(tmp_path, "FashionMNIST").parent / file
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    make(path)
    with pytest.raises(InputError, match=re.escape(f"{path} ") + f".*{words}"):
        source.ensure("fashion-mnist", tmp_path)
    assert not cache.exists()


@pytest.mark.parametrize("make", [os.mkfifo, make_sparse, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_a_cache_file_that_is_something_else_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "mnist")
    assert not is_good(tmp_path / "mnist", "mnist")


@pytest.mark.usefixtures("three_images")
def test_cifar10_is_read_from_pickles_of_python_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cifar = import_torchvision().datasets.cifar
    monkeypatch.setattr(cifar, "check_integrity", lambda *_: True)  # the files here are not the originals
    monkeypatch.setattr(cifar.CIFAR10, "train_list", [["data_batch_1", ""], ["data_batch_2", ""]])
    planes = np.repeat(np.array([10, 20, 30], np.uint8), 1024)[None]  # one image: red, then green, then blue
    batch = pickle.dumps({"data": planes, "labels": [9]}, protocol=2)
    # Python 2 wrote the numbers 0 and 1 for the dtype's two flags; numpy deplores that in a warning.
    old_batch = batch.replace(b"\x89\x88\x87", b"K\0K\1\x87")
    assert old_batch != batch
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for file in source.LAYOUTS["cifar10"].files:
        (folder / file).write_bytes(old_batch)
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": []}, protocol=2))

    arrays = load_file(source.ensure("cifar10", tmp_path))

    assert arrays["train_images"].shape == (2, 3072)
    assert arrays["train_images"][0, :6].tolist() == [10, 20, 30, 10, 20, 30]
    assert arrays["train_labels"].tolist() == [9, 9]


# Downloads


@pytest.fixture
def fashion_mnist(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Torchvision's class, its mirror replaced by a loopback port that nothing listens on."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    dataset_class = import_torchvision().datasets.FashionMNIST
    monkeypatch.setattr(dataset_class, "mirrors", ["http://127.0.0.1:9/"])
    return dataset_class


class QuietServer(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        pass  # torchvision closes its first connection early, having asked only for redirections


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(fashion_mnist: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with Fashion-MNIST's archives, which torchvision downloads from over HTTP."""
    if not DEBIAN_FASHION_MNIST.is_dir():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    folder = tmp_path / "served"
    shutil.copytree(DEBIAN_FASHION_MNIST, folder)
    # Debian compressed the files anew, so its archives' checksums are not those that torchvision knows.
    resources = [(f.name, hashlib.md5(f.read_bytes()).hexdigest()) for f in sorted(folder.iterdir(), reverse=True)]
    monkeypatch.setattr(fashion_mnist, "resources", resources)
    with QuietServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder))) as server:
        monkeypatch.setattr(fashion_mnist, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield folder
        server.shutdown()
    shutil.rmtree(folder)


@pytest.mark.usefixtures("served")
def test_a_download_is_decoded_kept_and_not_repeated(
    fashion_mnist: Any, cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = source.ensure("fashion-mnist")
    assert load_file(path)["train_labels"][:5].tolist() == [9, 0, 0, 3, 0]
    assert np.bincount(load_file(path)["test_labels"]).tolist() == [1000] * 10
    assert capfd.readouterr() == ("", "")  # no progress bar where stderr is no terminal

    monkeypatch.setattr(fashion_mnist, "mirrors", ["http://127.0.0.1:9/"])
    os.truncate(path, 1000)
    assert source.ensure("fashion-mnist") == path
    assert is_good(path, "fashion-mnist")
    assert [file.name for file in (cache / "downloads").iterdir()] == ["fashion-mnist"]


def test_a_progress_bar_is_drawn_on_a_terminal(
    served: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    os.truncate(served / "train-labels-idx1-ubyte.gz", 1000)  # a failure spares the test the decoding
    with pytest.raises(RegtuiError, match="could not be downloaded"):
        source.ensure("fashion-mnist")
    captured = capsys.readouterr()
    assert "100" in captured.err
    assert captured.out == ""


def test_a_damaged_download_is_explained_and_fetched_again(served: Path, cache: Path) -> None:
    labels = served / "t10k-labels-idx1-ubyte.gz"
    whole = labels.read_bytes()

    labels.write_bytes(whole[:-100])
    with pytest.raises(
        RegtuiError, match=r"Fashion-MNIST could not be downloaded \(.*not found or corrupted"
    ) as raised:
        source.ensure("fashion-mnist")
    assert "\n" not in str(raised.value)
    assert list((cache / "downloads").iterdir()) == []

    labels.write_bytes(whole)
    path = source.ensure("fashion-mnist")
    path.unlink()
    os.truncate(cache / "downloads/fashion-mnist/FashionMNIST/raw/t10k-images-idx3-ubyte", 5000)
    assert is_good(source.ensure("fashion-mnist"), "fashion-mnist")


@pytest.mark.usefixtures("fashion_mnist")
def test_no_network_says_how_to_bring_the_files(cache: Path) -> None:
    with pytest.raises(RegtuiError) as raised:
        source.ensure("fashion-mnist")
    message = str(raised.value)
    assert "could not be downloaded" in message
    assert "Connection refused" in message
    assert "data.root" in message
    assert "dataset-fashion-mnist" in message
    assert "\n" not in message
    assert list((cache / "downloads").iterdir()) == []


def test_cifar10_without_network_says_how_to_bring_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(import_torchvision().datasets.CIFAR10, "url", "http://127.0.0.1:9/cifar-10-python.tar.gz")
    with pytest.raises(
        RegtuiError, match=r"CIFAR-10 could not be downloaded .*cifar-10-batches-py holds data_batch_1,"
    ):
        source.ensure("cifar10")


def test_downloads_into_a_full_disk_blame_the_disk(fashion_mnist: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fashion_mnist, "download", full)
    with pytest.raises(RegtuiError, match=r"cannot be written \(No space left on device\).*REGTUI_CACHE"):
        source.ensure("fashion-mnist")


def test_what_a_killed_process_left_is_swept_away_a_day_later(tmp_path: Path) -> None:
    old, new, folder = tmp_path / "x.1.tmp", tmp_path / "x.2.tmp", tmp_path / "x.3.tmp"
    old.touch()
    new.touch()
    folder.mkdir()
    (folder / "part").touch()
    for left in (old, folder):
        os.utime(left, (0, 0))
    sweep(tmp_path, "x.*.tmp")
    assert list(tmp_path.iterdir()) == [new]


# Torchvision's import


@pytest.mark.slow
def test_operators_that_are_there_are_left_alone() -> None:
    code = """
import torch
from regtui.data import shim as torchvision_shim
torchvision_shim._load_operators()
if not hasattr(torch.ops.torchvision, "nms"):  # else this torchvision matches this torch, and has its own
    build = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        build.define(operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        build.impl(operator, lambda dets, scores, iou_threshold: scores - 1, "CPU")
assert torchvision_shim.import_torchvision() is torchvision_shim.import_torchvision()
print(torch.ops.torchvision.nms(torch.tensor([[0.0, 0, 1, 1]]), torch.ones(1), 0.5).long())
"""
    assert run_python(code) == ("tensor([0])\n", "")
