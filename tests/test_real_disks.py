"""Real disks under a real run: one that dies and comes back, one that hangs, one that stays full."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from regtui.protocol.history import History
from regtui.runs.checkpoint import read_manifest
from regtui.runs.events import read_events
from regtui.runs.summary import read_summary
from tests import command
from tests.held import Gate

SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN: from here on every call fails, and what was not written yet is lost."""
EPOCHS = 40


def succeeds(*words: str | Path) -> bool:
    try:
        return subprocess.run(words, capture_output=True, check=False, timeout=60).returncode == 0
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Run:
    """A run without a screen, whose logs are on a disk of its own; it waits at its gate if it has one."""

    def __init__(self, tmp_path: Path, logs: Path, epochs: int, gate: Gate | None) -> None:
        self._place, self.logs = tmp_path, logs
        (tmp_path / "endless.toml").write_text(command.ENDLESS)
        preset = ("--preset", "endless.toml", "--epochs", str(epochs), "--headless", "--log-dir", logs)
        program = ("-m", "regtui") if gate is None else gate.program
        with (tmp_path / "out.txt").open("w") as out, (tmp_path / "err.txt").open("w") as err:
            self.process = command.start(*preset, cwd=tmp_path, stdout=out, stderr=err, program=program)

    @property
    def told(self) -> str:
        return (self._place / "err.txt").read_text()

    @property
    def epochs(self) -> int:
        return (self._place / "out.txt").read_text().count(" baseline ")

    @property
    def folder(self) -> Path:
        (folder,) = self.logs.iterdir()
        return folder


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An ext4 file system in a file."""
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(2**26)
    if not (succeeds("mkfs.ext4", "-q", "-F", image) and succeeds("mount", "-o", "loop", image, place)):
        pytest.skip("nothing can be mounted here")
    yield place
    while succeeds("umount", "-l", place):
        pass


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts a run, and ends it when the test is over."""
    runs: list[Run] = []

    def start(logs: Path, epochs: int = EPOCHS, gate: Gate | None = None) -> Run:
        runs.append(Run(tmp_path, logs, epochs, gate))
        return runs[-1]

    yield start
    for run in runs:
        with suppress(ProcessLookupError):
            run.process.kill()
        run.process.communicate()


def fill(disk: Path) -> None:
    with (disk / "ballast").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def assert_all_there(folder: Path, status: str = "finished") -> None:
    summary = read_summary(folder)
    assert summary is not None
    assert (summary.status, summary.unsaved) == (status, "")
    manifest = read_manifest(folder / "checkpoint")
    assert manifest is not None
    assert manifest.epoch == (EPOCHS if status == "finished" else summary.arms["baseline"].epochs)
    for arm in History.of(read_events(folder)).arms.values():
        assert [epoch.epoch for epoch in arm.epochs] == list(range(1, manifest.epoch + 1))


@pytest.mark.slow
def test_a_disk_that_dies_and_comes_back_has_everything(
    tmp_path: Path, disk: Path, started: Callable[..., Run]
) -> None:
    fcntl = pytest.importorskip("fcntl")
    run = started(disk / "logs", 100_000)
    wait_for(lambda: run.epochs >= 3)
    handle = os.open(disk, os.O_RDONLY)
    fcntl.ioctl(handle, SHUTDOWN, (2).to_bytes(4, "little"))
    os.close(handle)
    wait_for(lambda: "the weights are not saved since" in run.told and "the log is not whole since" in run.told)
    assert run.process.poll() is None
    assert succeeds("umount", "-l", disk)
    shutil.copy(tmp_path / "image", tmp_path / "again")  # the system would find that the first one is dead
    assert succeeds("mount", "-o", "loop", tmp_path / "again", disk)
    wait_for(lambda: "the log is whole again" in run.told and "the weights are saved again" in run.told)
    run.process.send_signal(signal.SIGINT)
    wait_for(lambda: run.process.poll() is not None)
    assert run.process.returncode == 4, run.told
    assert_all_there(run.folder, "stopped")


@pytest.mark.soak
def test_training_goes_on_to_its_end_while_a_disk_hangs(disk: Path, started: Callable[..., Run]) -> None:
    run = started(disk / "logs")
    wait_for(lambda: run.epochs >= 3)
    if not succeeds("fsfreeze", "-f", disk):
        pytest.skip("nothing can be frozen here")
    try:
        wait_for(lambda: "the run has ended, and waits" in run.told or "training has ended, and waits" in run.told)
        assert run.epochs == EPOCHS
        assert run.process.poll() is None
    finally:
        assert succeeds("fsfreeze", "-u", disk)
    wait_for(lambda: run.process.poll() is not None)
    assert run.process.returncode == 0, run.told
    for part in ("the log is not whole", "the weights are not saved"):
        assert run.told.count(f"{part} since epoch") == 1
    assert "the disk does not answer" in run.told
    assert_all_there(run.folder)


@pytest.mark.slow
def test_a_disk_that_stays_full_ends_no_run_which_ends_with_exit_code_1(
    tmp_path: Path, disk: Path, started: Callable[..., Run]
) -> None:
    gate = Gate(tmp_path / "gate", epoch=3)
    run = started(disk / "logs", 8, gate)
    wait_for(lambda: gate.waiting > 0)
    fill(disk)
    gate.open()
    wait_for(lambda: run.process.poll() is not None)
    assert run.process.returncode == 1, run.told
    assert run.epochs >= 8
    first, *_, last = run.told.splitlines()
    assert "No space left on device; make room there" in first
    assert last.startswith("regtui: not all of this run is saved in")
    assert run.told.count("the weights are not saved since epoch") == 2, "when it began, and at the end"
    shown = command.run("show", run.folder, cwd=disk)
    assert "Traceback" not in shown.err
    manifest = read_manifest(run.folder / "checkpoint")
    assert manifest is not None
    for files in manifest.arms.values():
        assert (run.folder / "checkpoint" / files.last).stat().st_size > 0
