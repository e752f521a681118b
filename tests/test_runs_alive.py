"""Whether a run without a summary goes on: here its process is asked, elsewhere its silence tells."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from regtui.cli.runs import print_runs
from regtui.cli.show import print_run
from regtui.runs import alive
from regtui.runs.alive import identity
from regtui.runs.lock import open_locked
from regtui.runs.read import read_run
from tests.command import ENDLESS, command, environment
from tests.test_samples import samples

MINUTE = 60.0
NOW = time.time()
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process started")


def epoch(seconds: float) -> dict[str, Any]:
    return {"kind": "epoch_done", "t": 1.0, "arm": "baseline", "seconds": seconds}


def steps(count: int) -> dict[str, Any]:
    return {"t": 1.0, "kind": "steps_done", "arm": "baseline", "losses": [0.123456789] * count}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of this process's that has no summary; the clock that tells its silence stands still."""
    monkeypatch.setattr(alive, "time", SimpleNamespace(time=lambda: NOW))
    folder = tmp_path / "20260101-000000-dropout-0000"
    folder.mkdir()
    sample = next(path for path in samples() if "-dropout-" in path.name)
    (folder / "preset.toml").write_text((sample / "preset.toml").read_text())
    (folder / "run.json").write_text(json.dumps({"preset": "dropout", **identity()}))
    (folder / "events.jsonl").write_text((sample / "events.jsonl").read_text())
    return folder


def told(folder: Path, silent: float, *events: dict[str, Any], **circumstances: Any) -> tuple[str, str]:
    """Status and words of the run that has these events, its newest `silent` seconds ago."""
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    known = {**json.loads((folder / "run.json").read_text()), **circumstances}
    (folder / "run.json").write_text(json.dumps({k: v for k, v in known.items() if v is not ...}))
    for name in ("run.json", "events.jsonl"):
        os.utime(folder / name, (NOW - silent,) * 2)
    run = read_run(folder)
    return run.status, run.silence


@pytest.fixture
def ended() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


# Here


@pytest.mark.parametrize("events", [(epoch(1.0),), (epoch(1.0), {"kind": "paused"}), ()])
@LINUX
def test_a_process_of_here_that_lives_goes_on_however_long_it_is_silent(folder: Path, events: tuple[Any, ...]) -> None:
    assert told(folder, 100 * 24 * 3600, *events) == ("running", "")


@pytest.mark.parametrize("silent", [0.0, 2 * 3600.0])
def test_a_process_of_here_that_has_ended_is_interrupted(folder: Path, silent: float, ended: int) -> None:
    assert told(folder, silent, epoch(1.0), {"kind": "paused"}, pid=ended) == ("interrupted", "")


@LINUX
def test_a_number_that_was_given_anew_is_another_process(folder: Path) -> None:
    started = identity()["pid_started"]
    assert told(folder, 0, epoch(1.0), pid_started=started + 1) == ("interrupted", "")
    assert told(folder, 0, epoch(1.0), pid=1) == ("interrupted", "")


@pytest.mark.parametrize("pid", [0, -1, True, "1", None, 10**30, 1.0])
def test_what_is_no_number_of_a_process_is_interrupted(folder: Path, pid: Any) -> None:
    assert told(folder, 0, epoch(1.0), pid=pid) == ("interrupted", "")


@pytest.mark.parametrize("missing", [("boot_id", "pid_namespace", "pid_started"), ("pid_started",)])
@pytest.mark.parametrize(
    ("silent", "events", "status"),
    [
        (0, (epoch(1.0),), "running"),
        (1800, (epoch(1.0),), "running"),
        (7200, (epoch(1.0),), "interrupted"),
        (7200, (epoch(1.0), {"kind": "paused"}), "running"),
        (7200, (epoch(1.0), {"kind": "paused"}, {"kind": "resumed"}), "interrupted"),
    ],
)
def test_logs_that_do_not_tell_when_their_process_started_are_judged_by_number_and_silence(
    folder: Path, missing: tuple[str, ...], silent: float, events: tuple[Any, ...], status: str
) -> None:
    assert told(folder, silent, *events, **dict.fromkeys(missing, ...)) == (status, "")


# Elsewhere


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"host": "node17"},
        {"boot_id": "another"},
        {"boot_id": None},
        {"pid_namespace": "pid:[1]"},
        {"host": "node17", "boot_id": ..., "pid_namespace": ..., "pid_started": ...},
    ],
    ids=lambda value: " ".join(value),
)
@pytest.mark.parametrize("pid", ["lives", "ended"])
def test_a_run_of_elsewhere_is_judged_by_its_silence_whatever_its_number_is_here(
    folder: Path, ended: int, elsewhere: dict[str, Any], pid: str
) -> None:
    number = os.getpid() if pid == "lives" else ended
    for silent, status in ((50, "running"), (12 * MINUTE, "silent")):
        assert told(folder, silent, epoch(1.0), pid=number, **elsewhere)[0] == status


@pytest.mark.parametrize(
    ("silent", "events", "status", "words"),
    [
        (2, (), "running", ""),
        (50, (epoch(1.0),), "running", ""),
        (8 * MINUTE, (epoch(3 * MINUTE),), "running", ""),
        (12 * MINUTE, (epoch(3 * MINUTE),), "silent", "silent for 12 min, an epoch took 3 min"),
        (12 * MINUTE, (epoch(3 * MINUTE), steps(200_000)), "silent", "silent for 12 min, an epoch took 3 min"),
        (5 * 3600, (epoch(2 * 3600), epoch(600)), "running", ""),
        (8 * 3600, (epoch(2 * 3600), epoch(600)), "silent", "silent for 8 h, an epoch took 2 h"),
        (5 * MINUTE, (), "running", ""),
        (12 * MINUTE, ({"kind": "run_started"},), "silent", "silent for 12 min, before its first epoch"),
        (2 * 3600, (epoch(1.0), {"kind": "paused"}), "silent", "silent for 2 h, paused before"),
        (9 * 24 * 3600, (epoch(1.0), {"kind": "paused"}), "silent", "silent for 9 days, paused before"),
        (9 * 24 * 3600, (epoch(3600),), "interrupted", "silent for 9 days, an epoch took 60 min"),
        (9 * 24 * 3600, (epoch(6 * 3600),), "silent", "silent for 9 days, an epoch took 6 h"),
        (2, (epoch(1.0), {"kind": "run_finished"}), "interrupted", ""),
        (
            12 * MINUTE,
            (epoch(-1), epoch(1e300), {"kind": ["x"]}, {}),
            "silent",
            "silent for 12 min, before its first epoch",
        ),
    ],
)
def test_elsewhere_silence_tells_measured_against_the_runs_own_epochs(
    folder: Path, silent: float, events: tuple[Any, ...], status: str, words: str
) -> None:
    assert told(folder, silent, *events, host="node17") == (status, words)


@pytest.mark.parametrize(
    ("elsewhere", "certain"),
    [
        ({"boot_id": "another"}, True),
        ({"pid_namespace": "pid:[1]"}, True),
        ({"pid_namespace": "pid:[1]", "host": "0a1b2c3d"}, True),
        ({"boot_id": "another", "host": "node17"}, False),
        ({"boot_id": None, "host": "node17"}, False),
    ],
)
def test_in_another_container_and_after_a_restart_the_lock_tells(
    folder: Path, elsewhere: dict[str, Any], certain: bool
) -> None:
    events = (epoch(1.0), {"kind": "paused"})
    free = told(folder, 2 * 3600, *events, locked=True, **elsewhere)
    assert free == (("interrupted", "") if certain else ("silent", "silent for 2 h, paused before"))
    handle, _ = open_locked(folder)
    assert told(folder, 2 * 3600, *events)[0] == ("running" if certain else "silent")
    os.close(handle)
    assert told(folder, 2 * 3600, *events, locked=False)[0] == "silent"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]\n1\n\xff\n{\n", b"[" * 100_000 + b"\n", b"x" * 10**6])
def test_a_damaged_log_elsewhere_is_one_without_epochs(folder: Path, content: bytes) -> None:
    told(folder, 0, host="node17")
    (folder / "events.jsonl").write_bytes(content)
    for name in ("run.json", "events.jsonl"):
        os.utime(folder / name, (NOW - 720,) * 2)
    assert read_run(folder).silence == "silent for 12 min, before its first epoch"


def test_the_commands_say_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    at_work = [line for line in lines if line["kind"] in {"run_started", "epoch_done", "steps_done"}]
    told(folder, 7200, *at_work, host="node17")
    assert print_runs(folder.parent, json=False) == 0
    out, err = capsys.readouterr()
    assert " silent " in out
    assert (
        err == f"regtui: {folder.name}: silent for 2 h, an epoch took less than 1 s; it is trained elsewhere, or was\n"
    )
    print_run(str(folder), folder.parent, json=False)
    assert "No verdict: the run is silent for 2 h, an epoch took less than 1 s, and" in capsys.readouterr().out
    assert not list(folder.parent.glob(".regtui-index*")), "what may still go on is not kept in the index"


# Real processes


@pytest.fixture
def endless(tmp_path: Path) -> list[str]:
    """A run that does not end by itself."""
    (tmp_path / "endless.toml").write_text(ENDLESS)
    return command("--preset", "endless.toml", "--headless", "--log-dir", "nfs")


@pytest.mark.slow
@pytest.mark.parametrize(
    "unshare",
    [("--uts", "sh", "-c", 'hostname node17; exec "$@"', "sh"), ("--pid", "--fork", "--mount-proc", "--kill-child")],
)
def test_a_run_on_another_host_or_in_another_container_goes_on_until_it_is_silent(
    tmp_path: Path, endless: list[str], unshare: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if subprocess.run(["unshare", *unshare[:1], *unshare[1:3] * ("--fork" in unshare), "true"], check=False).returncode:
        pytest.skip("no leave to make a namespace")
    process = subprocess.Popen(
        ["unshare", *unshare, *endless], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert any("2/100000  regularized" in line for line in process.stdout)
        (folder,) = (tmp_path / "nfs").iterdir()
        here = identity()
        kept = json.loads((folder / "run.json").read_text())
        assert (kept["host"] == platform.node()) == ("--pid" in unshare)
        assert (kept["pid_namespace"] == here["pid_namespace"]) == ("--uts" in unshare)
        assert (read_run(folder).status, read_run(folder).silence) == ("running", "")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
    deadline = time.monotonic() + 240
    while read_run(folder).status != "interrupted":  # as soon as the lock is free, which is one of this system
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (folder / "run.json").write_text(json.dumps(kept | {"host": "node17", "boot_id": "another"}))
    monkeypatch.setattr(alive, "AT_LEAST", 0.5)
    while read_run(folder).status == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert read_run(folder).status == "silent"
