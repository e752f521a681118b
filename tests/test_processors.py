"""How many threads train: the least of what the machine, control groups, schedulers and users grant."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from regtui.engine import crew as crews
from regtui.engine.crew import ProcessCrew
from regtui.processors import Grant, grant
from regtui.protocol.events import RunStarted
from regtui.runs.events import read_events
from regtui.runs.summary import read_summary
from tests.command import TINY, call, run
from tests.conftest import small_preset

V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
UNIFIED = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"


@pytest.fixture(autouse=True)
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of eight processors that this process may all run on."""
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)), raising=False)


def machine(root: Path, groups: str, mounts: str, files: dict[str, str]) -> Path:
    """What the kernel would show below `root`."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    (root / "proc/self/mountinfo").write_text("21 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + mounts)
    for name, content in files.items():
        (root / "sys/fs/cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "sys/fs/cgroup" / name).write_text(content)
    return root


@pytest.mark.parametrize(
    ("groups", "mounts", "files", "threads"),
    [
        ("0::/job\n", V2, {"job/cpu.max": "100000 100000\n"}, 1),
        ("0::/job\n", V2, {"job/cpu.max": "350000 100000\n"}, 3),
        ("0::/job\n", V2, {"job/cpu.max": "20000 100000\n"}, 1),
        ("0::/job\n", V2, {"job/cpu.max": "max 100000\n"}, 8),
        ("0::/job\n", V2, {"job/cpu.max": "1600000 100000\n"}, 8),
        ("0::/job\n", V2, {"job/cpu.max": ""}, 8),
        ("0::/job\n", V2, {"job/cpu.max": "200000 0\n"}, 8),
        ("0::/job\n", V2, {"job/cpu.max": "what is this\n"}, 8),
        ("0::/a/b/c\n", V2, {"a/b/c/cpu.max": "max 100000", "a/b/cpu.max": "500000 100000", "a/cpu.max": "2 1"}, 2),
        ("0::/a/b/c\n", V2, {"a/b/c/cpu.max": "300000 100000", "a/cpu.max": "max 100000"}, 3),
        ("0::/\n", V2, {"cpu.max": "200000 100000"}, 2),
        # A container that is told its group's name outside, and sees only that part of the tree.
        ("0::/docker/ab\n", V2.replace(" / /sys", " /docker/ab /sys"), {"cpu.max": "200000 100000"}, 2),
        ("0::/docker/ab/in\n", V2.replace(" / /sys", " /docker/ab /sys"), {"in/cpu.max": "300000 100000"}, 3),
        ("0::/../other\n", V2, {"cpu.max": "200000 100000"}, 2),
        ("0::/a b\n", V2.replace("/sys/fs/cgroup", r"/sys/fs/cgroup/my\040tree"), {"my tree/a b/cpu.max": "2 1"}, 2),
        ("4:cpu,cpuacct:/job\n0::/\n", V1 + UNIFIED, {"cpu,cpuacct/job/cpu.cfs_quota_us": "150000",
                                                        "cpu,cpuacct/job/cpu.cfs_period_us": "50000"}, 3),
        ("4:cpu,cpuacct:/job\n", V1, {"cpu,cpuacct/job/cpu.cfs_quota_us": "-1",
                                      "cpu,cpuacct/job/cpu.cfs_period_us": "100000"}, 8),
        ("4:cpu,cpuacct:/a/b\n", V1, {"cpu,cpuacct/a/cpu.cfs_quota_us": "400000",
                                      "cpu,cpuacct/a/cpu.cfs_period_us": "100000"}, 4),
        ("3:cpuset:/job\n9:name=systemd:/\n", V1, {}, 8),
        ("damaged\n::\n\n", "damaged\n - \n1 2 3 - cgroup2\n", {}, 8),
        ("", "", {}, 8),
    ],
)  # fmt: skip
def test_the_quota_of_a_control_group_and_of_those_above_it_holds(
    tmp_path: Path, groups: str, mounts: str, files: dict[str, str], threads: int
) -> None:
    granted = grant(machine(tmp_path, groups, mounts, files), {})
    assert granted[:3] == (threads, threads, 8)
    assert ("quota" in granted.limit) == (threads < 8)


def test_without_proc_there_is_no_quota(tmp_path: Path) -> None:
    assert grant(tmp_path, {}) == Grant(8, 8, 8, "")


@pytest.mark.parametrize(
    ("environ", "processors", "threads", "limit"),
    [
        ({"OMP_NUM_THREADS": "1"}, 8, 1, "OMP_NUM_THREADS=1"),
        ({"OMP_NUM_THREADS": "4,2"}, 8, 4, "OMP_NUM_THREADS=4"),
        ({"MKL_NUM_THREADS": " 6 "}, 8, 6, "MKL_NUM_THREADS=6"),
        ({"OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "2"}, 8, 2, "MKL_NUM_THREADS=2"),
        ({"SLURM_CPUS_PER_TASK": "3"}, 3, 3, "SLURM_CPUS_PER_TASK=3"),
        ({"SLURM_CPUS_PER_TASK": "6", "SLURM_CPUS_ON_NODE": "2"}, 2, 2, "SLURM_CPUS_ON_NODE=2"),
        ({"SLURM_CPUS_PER_TASK": "3", "OMP_NUM_THREADS": "2"}, 3, 2, "OMP_NUM_THREADS=2"),
        ({"OMP_NUM_THREADS": "64"}, 8, 8, ""),
        *(
            ({name: value}, 8, 8, "")
            for name in ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK")
            for value in ("", "abc", "0", "-1", ",4", "4.5", "9" * 5000, "²", "\udcff", "true")
        ),
    ],
)
def test_the_least_number_of_the_environment_holds(
    tmp_path: Path, environ: dict[str, str], processors: int, threads: int, limit: str
) -> None:
    assert grant(tmp_path, environ) == Grant(processors, threads, 8, limit)


def test_the_processors_that_this_process_may_run_on_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3}, raising=False)
    assert grant(tmp_path, {"OMP_NUM_THREADS": "4"}) == Grant(1, 1, 8, "the processors it may run on")


@pytest.mark.parametrize(
    ("granted", "wanted", "processes", "threads"),
    [
        (Grant(8, 8, 8, ""), None, 2, 4),
        (Grant(8, 3, 8, "OMP_NUM_THREADS=3"), None, 2, 1),
        (Grant(8, 1, 8, "OMP_NUM_THREADS=1"), None, 2, 1),
        (Grant(1, 1, 8, "a quota"), None, 1, 1),
        (Grant(2, 2, 2, ""), None, 2, 1),
        (Grant(2, 2, 2, ""), 3, 2, 3),
    ],
)
def test_the_processes_share_what_is_granted(
    monkeypatch: pytest.MonkeyPatch, granted: Grant, wanted: int | None, processes: int, threads: int
) -> None:
    monkeypatch.setattr(crews, "grant", lambda: granted)
    with ProcessCrew(wanted) as crew:
        assert (len(crew.processes), crew.threads) == (processes, threads)
        environments = [psutil.Process(process.pid).environ() for process in crew.processes]
    for environment in environments:  # libraries' pools follow these
        assert {environment[f"{pool}_NUM_THREADS"] for pool in ("OMP", "MKL")} == {str(threads)}
        assert environment["OPENBLAS_NUM_THREADS"] == "1", "numpy trains nothing"


@pytest.mark.parametrize(
    ("granted", "wanted", "arms", "processes", "threads"),
    [
        (Grant(2, 2, 2, ""), None, 7, 2, 1),
        (Grant(8, 8, 8, ""), None, 3, 3, 2),
        (Grant(8, 8, 8, ""), None, 7, 7, 1),
        (Grant(8, 8, 8, ""), None, 17, 8, 1),
        (Grant(8, 1, 8, "OMP_NUM_THREADS=1"), None, 7, 7, 1),
        (Grant(1, 1, 8, "a quota"), None, 7, 1, 1),
        (Grant(8, 8, 8, ""), 2, 7, 4, 2),
        (Grant(8, 8, 8, ""), 5, 7, 2, 5),
    ],
)
def test_a_run_of_many_arms_has_as_many_processes_as_fit(
    monkeypatch: pytest.MonkeyPatch, granted: Grant, wanted: int | None, arms: int, processes: int, threads: int
) -> None:
    monkeypatch.setattr(crews, "grant", lambda: granted)
    monkeypatch.setattr(crews, "Process", Told)
    with ProcessCrew(wanted) as crew:
        first, share = crew.processes[0], crew.threads
        crew.prepare(arms)
        assert (len(crew.processes), crew.threads) == (processes, threads)
        names = ["baseline", *(f"arm{number}" for number in range(1, arms))]
        crew.build(small_preset(arms={name: {} for name in names[1:]}), Path())
        hosted = [process.arms for process in crew.processes]
        assert sorted(name for arms in hosted for name in arms) == sorted(names)
        assert max(map(len, hosted)) - min(map(len, hosted)) <= 1
        assert {process.told["build"][-1] for process in crew.processes} == {threads}  # type: ignore[attr-defined]
        many = list(crew.processes)
        crew.prepare(2)
        assert crew.processes == many[:2]
        assert (crew.processes[0], crew.threads) == (first, share), "what was there goes on, as before"
        assert all(process.ended for process in many[2:])  # type: ignore[attr-defined]


class Told:
    """A process that does nothing, and remembers what it was told."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.arms: tuple[str, ...] = ()
        self.told: dict[str, tuple[Any, ...]] = {}
        self.ended = False

    def send(self, method: Callable[..., object], *args: Any) -> None:
        self.told[method.__name__] = args

    def receive(self, _watch: object) -> str:
        return "cpu"

    def hang_up(self) -> None:
        self.ended = True

    def wait(self) -> None: ...


def test_a_run_says_with_how_many_threads_it_was_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = 3
    (tmp_path / "tiny.toml").write_text(TINY)
    outcome = run("--preset", "tiny.toml", "--headless", "--threads", "3", cwd=tmp_path, env={"OMP_NUM_THREADS": "1"})
    assert outcome.code == 0
    assert f"cpu · {threads} threads a process · seed 0" in outcome.out
    (folder,) = (tmp_path / "logs").iterdir()
    summary, started = read_summary(folder), next(read_events(folder))
    assert summary is not None
    assert isinstance(started, RunStarted)
    told = json.loads((folder / "run.json").read_text())["threads"]
    assert (told, summary.threads, started.threads) == (threads,) * 3
    report = tmp_path / "report.html"
    assert call(["export", folder, "--to", "html", "--out", report], capsys, monkeypatch).code == 0
    assert f"cpu · {threads} threads a process" in report.read_text()


@pytest.mark.parametrize("value", ["0", "-1", "257", "1000000000000"])
def test_numbers_of_threads_that_cannot_be_are_refused(
    value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (fault,) = call(["--preset", "smoke", "--headless", "--threads", value], capsys, monkeypatch).faults()
    assert fault == f"--threads {value}: a process computes with 1 to 256 threads"


@pytest.mark.parametrize("value", ["abc", "", "1.5"])
def test_what_is_no_number_of_threads_is_refused(
    value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = call(["--preset", "smoke", "--headless", "--threads", value], capsys, monkeypatch)
    assert outcome.code == 2
    assert "--threads" in outcome.err
