"""What does not fit into memory is refused before it is taken, and nothing that fits."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from pathlib import Path
from threading import Event as Flag
from typing import Any

import psutil
import pytest
import torch

from regtui.arm import device
from regtui.arm.arm import Arm
from regtui.arm.host import Host
from regtui.cli.study import RunOptions, begin_study, resume_study
from regtui.data.source import ensure
from regtui.engine import fits
from regtui.engine.crew import LocalCrew
from regtui.engine.run import run
from regtui.errors import EXIT_CODES, InputError, unforeseen
from regtui.memory import Memory, free_memory, resident
from regtui.preset.memory import check, needed
from regtui.protocol.control import Control
from regtui.protocol.events import EpochDone, RunFinished
from regtui.runs.events import read_events
from regtui.study.conduct import conduct
from regtui.study.design import Wishes, make_plan
from regtui.study.local import check_memory
from tests.conftest import small_preset
from tests.fake_engine import FakeEngine
from tests.memory_peak import RUNS
from tests.test_processors import UNIFIED, V2

GB = 10**9
MEMINFO = "MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:    8000000 kB\nSwapFree:  1000000 kB\n"
V1 = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
HUGE: dict[str, dict[str, Any]] = {
    "a wide network": {"model": {"hidden": [65536, 65536]}},
    "a deep network": {"model": {"hidden": [65536] * 64}},
    "a convolutional network": {"model": {"kind": "cnn", "channels": [1024, 1024], "hidden": [65536]}},
    "large batches": {"model": {"hidden": [65536]}, "data": {"train_samples": 48000}, "train": {"batch_size": 10**6}},
    "many arms": {"model": {"hidden": [8192, 8192]}, "arms": {f"a{n}": {"l2": {}} for n in range(15)}},
}


# What is needed


@pytest.mark.parametrize("kind", ["mlp", "linear", "cnn"])
def test_the_networks_take_five_numbers_for_each_parameter_and_three_with_sgd(kind: str) -> None:
    for optimizer, copies in (("adam", 5), ("adamw", 5), ("sgd", 3)):
        preset = small_preset(model={"kind": kind}, train={"optimizer": optimizer}, regularized={"l2": {}})
        module = preset.model.build(preset.shape, preset.dataset.outputs, torch.Generator())
        parameters = sum(parameter.numel() for parameter in module.parameters())
        assert needed(preset, 1, on_gpu=False).networks == 2 * copies * 4 * parameters


def test_steps_count_for_the_arms_that_compute_at_the_same_time_and_data_where_they_are_copied() -> None:
    preset = small_preset()
    one, two, three = (needed(preset, count, on_gpu=False) for count in (1, 2, 3))
    assert two.steps == three.steps == 2 * one.steps, "there are two arms"
    assert one.data == 0
    train, val, test, _ = preset.sizes
    assert needed(preset, 1, on_gpu=True).data == (train + val + test) * 784


@pytest.mark.parametrize("name", HUGE)
def test_what_cannot_fit_is_refused_with_both_numbers_and_what_to_do(name: str) -> None:
    preset = small_preset(**HUGE[name])
    with pytest.raises(InputError) as refused:
        check(preset, Memory(8 * GB, "this machine"), 2)
    words = str(refused.value)
    assert words.startswith(f"this run takes at least {needed(preset, 2, on_gpu=False).total / GB:.1f} GB of memory, ")
    assert "but this machine grants 8.0 GB; take " in words
    assert ("a smaller train.batch_size" in words) == (name == "large batches")
    assert ("fewer arms" in words) == (name == "many arms")


def test_what_fits_to_the_last_byte_is_not_refused() -> None:
    preset = small_preset()
    total = needed(preset, 1, on_gpu=False).total
    check(preset, Memory(total, "this machine"), 1)
    with pytest.raises(InputError):
        check(preset, Memory(total - 1, "this machine"), 1)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_no_run_takes_less_than_is_said_nor_many_times_as_much() -> None:
    made = subprocess.run([sys.executable, "-m", "tests.memory_peak"], check=True, capture_output=True, text=True)
    for name, peak in json.loads(made.stdout).items():
        least = needed(small_preset(**RUNS[name]), 1, on_gpu=False).total
        assert least <= peak <= 5 * least, name


# What is granted


def machine(root: Path, groups: str, mounts: str, files: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(MEMINFO)
    (root / "proc/self/cgroup").write_text(groups)
    (root / "proc/self/mountinfo").write_text(mounts)
    for name, content in files.items():
        (root / "sys/fs/cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "sys/fs/cgroup" / name).write_text(content)
    return root


SWAP = 1_024_000_000


@pytest.mark.parametrize(
    ("groups", "mounts", "files", "limit"),
    [
        ("", "", {}, None),
        ("0::/job\n", V2, {"job/memory.max": "2000000000\n"}, 2 * GB),
        ("0::/a/b\n", V2, {"a/b/memory.max": "max\n", "a/memory.max": "3000000000\n"}, 3 * GB),
        ("0::/job\n", V2, {"job/memory.max": "max\n"}, None),
        ("0::/job\n", V2, {"job/memory.max": "9000000000\n"}, None),
        ("0::/job\n", V2, {"job/memory.max": "what is this\n"}, None),
        ("0::/job\n", V2, {}, None),
        ("4:memory:/job\n0::/\n", V1 + UNIFIED, {"memory/job/memory.limit_in_bytes": "1000000000\n"}, GB),
        ("4:memory:/\n", V1, {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
    ],
)
def test_the_smaller_of_what_is_free_and_a_control_group_s_limit_is_granted_and_free_swap(
    groups: str, mounts: str, files: dict[str, str], limit: int | None, tmp_path: Path
) -> None:
    found = free_memory(machine(tmp_path, groups, mounts, files))
    whole = (8_192_000_000 + SWAP, "this machine")
    assert found == (whole if limit is None else (limit + SWAP, "the control group of this program"))


def test_what_a_process_holds_already_it_can_use_again(tmp_path: Path) -> None:
    root = machine(tmp_path, "", "", {})
    assert free_memory(root, own=5).amount == free_memory(root).amount + 5
    assert resident(psutil.Process().pid) == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    assert resident(2**30) == 0


def test_without_proc_the_system_is_asked_otherwise(tmp_path: Path) -> None:
    assert 0 < free_memory(tmp_path).amount <= psutil.virtual_memory().total + psutil.swap_memory().total


# Refused early


def test_a_run_that_cannot_fit_makes_no_folder_and_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regtui.engine.run.ProcessCrew", lambda *_: pytest.fail("no process is needed to know"))
    preset = small_preset(model={"hidden": [65536] * 9}, train={"device": "cpu"})
    with pytest.raises(InputError, match=r"takes at least [\d.]+ GB of memory.* grants [\d.]+ GB; take a smaller"):
        run(preset, tmp_path / "logs", Control(), lambda _: None)
    assert not (tmp_path / "logs").exists()


def test_a_crew_refuses_before_it_builds_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regtui.engine.run.check_early", lambda *_: None)  # as where a GPU may be
    monkeypatch.setattr(Host, "build", lambda *_: pytest.fail("too late"))
    preset = small_preset(model={"hidden": [65536] * 9}, train={"device": "cpu"})
    with pytest.raises(InputError, match="of memory"):
        run(preset, tmp_path, Control(), lambda _: None, LocalCrew())
    assert not list(tmp_path.iterdir())


def test_a_crew_that_is_there_already_is_not_needed_to_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalCrew, "build", lambda *_: pytest.fail("it would import torch, on screen"))
    preset = small_preset(model={"hidden": [65536] * 9}, train={"device": "cpu"})
    with pytest.raises(InputError, match="of memory"):
        run(preset, tmp_path / "logs", Control(), lambda _: None, LocalCrew())
    assert not (tmp_path / "logs").exists()


def test_what_this_program_holds_counts_as_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def least_own(own: int, **_: int) -> Memory:
        assert own >= 0.8 * psutil.Process().memory_info().rss
        return Memory(10**12, "this machine")

    monkeypatch.setattr(fits, "free_memory", least_own)
    fits.check_here(small_preset(), "cpu", 1)


def test_a_limit_of_each_process_counts_for_all_that_take_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regtui.memory.process_limit", lambda: 1000)
    assert free_memory(processes=2) == (2000, "the limit of its processes (ulimit -v)")
    with pytest.raises(InputError, match=r"but the limit of its processes \(ulimit -v\) grants 0 MB; take a smaller"):
        fits.check_early(small_preset(), at_once=1)


def test_runs_at_the_same_time_fit_together_or_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = small_preset(model={"hidden": [4096, 4096]}, train={"device": "cpu"})
    one = needed(preset, 1, on_gpu=False).total
    monkeypatch.setattr(fits, "free_memory", lambda **_: Memory(3 * one - 1, "this machine"))
    check_memory(make_plan(preset, Wishes("2")).jobs(), 3)
    study = begin_study(preset, Wishes("3"), RunOptions(yes=True, jobs=2), tmp_path)
    assert study.path.exists()
    words = (
        f"3 runs at the same time take at least {3 * one / GB:.1f} GB of memory, {one / 1e6:,.0f} MB each, but this "
    )
    with pytest.raises(InputError, match=f"{words}machine grants .*; take fewer at a time with --jobs"):
        begin_study(preset, Wishes("3"), RunOptions(yes=True, jobs=3), tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


def test_a_study_that_goes_on_is_refused_as_a_new_one_is_and_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless nothing is left to be made of it."""
    preset = small_preset(train={"device": "cpu"})
    study = begin_study(preset, Wishes("2"), RunOptions(jobs=2), tmp_path)
    conduct(study, FakeEngine(), Flag(), lambda _: None, lambda _: None)
    one = needed(preset, 1, on_gpu=False).total
    monkeypatch.setattr(fits, "free_memory", lambda **_: Memory(3 * one - 1, "this machine"))
    before = sorted(study.path.iterdir())
    options = RunOptions(jobs=3, checkpoints=True)
    with pytest.raises(InputError, match=r"3 runs at the same time .*; take fewer at a time with --jobs"):
        resume_study(study.name, "5", options, tmp_path)
    assert sorted(study.path.iterdir()) == before
    for seeds in ("4", None):
        assert resume_study(study.name, seeds, options, tmp_path).checkpoints
    monkeypatch.setattr(fits, "free_memory", lambda **_: Memory(one - 1, "this machine"))
    with pytest.raises(InputError, match="of memory"):
        resume_study(study.name, None, options, tmp_path)
    (study.path / "added.toml").unlink()
    resume_study(study.name, None, options, tmp_path)


def test_a_study_is_refused_before_it_has_a_folder(tmp_path: Path) -> None:
    preset = small_preset(model={"hidden": [65536] * 9}, train={"device": "cpu"})
    wishes = Wishes("3", vary=["train.batch_size=32,64"])
    with pytest.raises(InputError, match="of memory"):
        begin_study(preset, wishes, RunOptions(yes=True), tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize(
    ("wanted", "gpu", "refused"), [("cpu", True, True), ("auto", False, True), ("auto", True, False)]
)
def test_where_a_gpu_may_be_the_run_s_own_process_decides(
    wanted: str, gpu: bool, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fits, "has_gpu", lambda: gpu)
    monkeypatch.setattr(fits, "free_memory", lambda **_: Memory(1, "this machine"))
    preset = small_preset(train={"device": wanted})
    if refused:
        with pytest.raises(InputError):
            fits.check_early(preset)
    else:
        fits.check_early(preset)
    fits.check_here(preset, "cuda:0", 2)  # its host knows what it has free


def test_a_gpu_is_asked_for_what_it_has_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "memory_of", lambda gpu: Memory(10**6, str(gpu)))
    preset = small_preset()
    least = needed(preset, 1, on_gpu=True).total
    words = rf"takes at least {least / 1e6:.0f} MB of memory, .* for MNIST, but cuda:0 grants 1 MB; take another device"
    host = Host()
    with host.as_in_its_own_process(1), pytest.raises(InputError, match=words):
        host.build(("baseline",), preset, "cuda:0", ensure("mnist"), 1)


# Too little all the same


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError("Cannot allocate memory (os error 12)"), "there is too little memory; end other programs, or"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "there is too little memory"),
        (ImportError("libtorch.so: failed to map segment from shared object"), "there is too little memory"),
        (OSError(errno.EMFILE, "Too many open files"), "too many files are open; .* raise the limit .ulimit -n."),
        (OSError(errno.ENFILE, "Too many open files in system"), "too many files are open"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "too many processes or threads"),
        (RuntimeError("can't start new thread"), "too many processes or threads"),
        (KeyError("defect"), "unforeseen KeyError: 'defect'"),
    ],
    ids=str,
)
def test_what_the_system_has_too_little_of_is_no_defect(error: Exception, words: str) -> None:
    assert re.match(words, str(unforeseen(error)))


def test_too_little_memory_is_told_from_other_faults() -> None:
    with pytest.raises(RuntimeError) as too_much:
        torch.empty(2**50)
    assert device.is_too_little_memory(too_much.value)
    with pytest.raises(RuntimeError) as other:
        torch.ones(2) @ torch.ones(3)
    assert not device.is_too_little_memory(other.value)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
    ids=["gpu", "cpu", "python"],
)
def test_out_of_memory_while_training_is_a_sentence_and_the_log_is_whole(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = Arm._find_gradient

    def step(arm: Arm, batch: Any) -> Any:
        if (arm.name, arm._steps) == ("regularized", 14):
            raise error
        return genuine(arm, batch)

    monkeypatch.setattr(Arm, "_find_gradient", step)
    outcome = run(small_preset(), tmp_path, Control(), lambda _: None, LocalCrew())
    assert (outcome.summary.status, EXIT_CODES[outcome.summary.status]) == ("failed", 1)
    assert re.fullmatch(
        r"there is too little memory for regularized in batches of 32 examples: .* grants [\d.]+ .B; "
        r"take a smaller train\.batch_size or a smaller network",
        outcome.summary.error,
    )
    events = list(read_events(outcome.folder))
    assert [e.epoch for e in events if isinstance(e, EpochDone)] == [1, 1]
    assert isinstance(events[-1], RunFinished)
    assert (outcome.folder / "checkpoint" / "manifest.json").exists()


def test_what_is_told_of_a_gpu_is_its_memory_and_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (1_200_000_000, 85_000_000_000))
    assert device.memory_words(torch.device("cuda:0")) == "cuda:0 has 85.0 GB, 1.2 GB of it free"
