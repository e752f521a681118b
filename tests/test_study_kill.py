"""Studies under harm: killed at any moment, ended by signals, short of room. What is done is kept, and made once."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from regtui.study.folder import StudyFolder, find_studies
from tests.command import command, environment
from tests.held import Gate
from tests.terminal import Terminal
from tests.test_study_local import assert_resumed, children_of, lives, results, session_of, wait_until

pytestmark = pytest.mark.slow

SMALL = ("--set", "train.epochs=2", "--set", "data.train_samples=400", "--set", "data.val_fraction=0.01")
SEEDS = 48
VARYING = {"name", "runs", "cost", "headline"}
"""What of study.json differs from study to study: names of folders and times."""


class Study:
    """A study of a small preset that is run by programs of their own, which can be harmed."""

    def __init__(self, logs: Path, seeds: int, *options: str) -> None:
        self.logs, self.seeds, self.options = logs, seeds, options
        self.process: subprocess.Popen[str] | None = None

    @property
    def path(self) -> Path | None:
        """Its folder, once there is one."""
        return next(iter(find_studies(self.logs)), None)

    @property
    def done(self) -> dict[Path, int]:
        """The runs that have ended, each with the time of its summary."""
        found = self.logs.glob("*/runs/*/summary.json")
        return {path.parent: path.stat().st_mtime_ns for path in found}

    started: ClassVar[list[subprocess.Popen[str]]] = []

    def start(self, gate: Gate | None = None, **more: Any) -> None:
        """Begin it, or go on with it; its runs wait at a gate if there is one."""
        begun = self.path
        asked = ["--resume", str(begun)] if begun else ["smoke", "--seeds", str(self.seeds), *SMALL, *self.options]
        words = ["study", *asked, "--jobs", "2", "--headless", "--log-dir", str(self.logs)]
        self.process = subprocess.Popen(
            command(*words, program=("-m", "regtui") if gate is None else gate.program),
            env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, **more,
        )  # fmt: skip
        self.started.append(self.process)

    def harm(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal to the program alone; returns its exit code and stderr when nothing of it is left."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> tuple[int, str]:
        """Its exit code and stderr at its end, with nothing left of it."""
        assert self.process is not None
        process = self.process
        _, errors = process.communicate(timeout=300)
        wait_until(lambda: not session_of(process.pid))
        return process.returncode, errors


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """A program ends with its test, whatever that came to."""
    yield
    while Study.started:
        process = Study.started.pop()
        process.kill()
        process.communicate()


def numbers(path: Path) -> Any:
    """What a study came to, without what differs from one to another."""

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: kept(one) for key, one in value.items() if key not in VARYING}
        return [kept(one) for one in value] if isinstance(value, list) else value

    return kept(json.loads((path / "study.json").read_text("utf-8")))


def moments(study: Study, chance: random.Random) -> list[Callable[[], object]]:
    """When the program is killed: at once, while it loads, in its first run or between runs; the order is drawn."""

    def after_runs(more: int) -> Callable[[], object]:
        def wait() -> None:
            wanted = len(study.done) + more
            wait_until(lambda: len(study.done) >= wanted or study.process is None or study.process.poll() is not None)

        return wait

    def begun() -> None:
        wait_until(lambda: study.path and len(study.done) < len(list(study.path.glob("runs/*"))))

    places: list[Callable[[], object]] = [lambda: None, lambda: wait_until(lambda: study.path), begun, begun, begun]
    places += [after_runs(more) for more in (1, 1, 1, 2, 2)]
    chance.shuffle(places)
    return places


def test_killed_at_ten_moments_it_comes_to_the_same(tmp_path: Path) -> None:
    chance = random.Random(12)
    study = Study(tmp_path / "killed", SEEDS)
    seen: dict[Path, int] = {}
    for moment in moments(study, chance):
        study.start()
        moment()
        time.sleep(chance.uniform(0, 0.4))
        study.harm(signal.SIGKILL)
        assert {path: study.done.get(path) for path in seen} == seen, "a run that was done is made again"
        seen = study.done
    assert 0 < len(seen) < SEEDS, "it should be killed while it has something to do"
    study.start()
    assert study.wait() == (0, "")
    assert {path: study.done.get(path) for path in seen} == seen
    whole = Study(tmp_path / "whole", SEEDS)
    whole.start()
    assert whole.wait() == (0, "")
    assert study.path is not None
    assert whole.path is not None
    killed, untroubled = (StudyFolder.open(path) for path in (study.path, whole.path))
    assert len(list(killed.runs.iterdir())) == SEEDS
    assert not killed.find_runs().unfinished
    assert results(killed) == results(untroubled)
    assert numbers(study.path) == numbers(whole.path)


def test_with_checkpoints_its_runs_go_on_where_they_were(tmp_path: Path) -> None:
    study = Study(tmp_path / "killed", 2, "--checkpoints", "--set", "train.epochs=3")
    gate = Gate(tmp_path / "gate", epoch=2)
    study.start(gate)
    wait_until(lambda: gate.waiting == 2)
    study.harm(signal.SIGKILL)
    study.start()
    assert study.wait() == (0, "")
    assert study.path is not None
    assert_resumed(StudyFolder.open(study.path), tmp_path / "whole")


def test_left_running_it_goes_on_in_a_process_that_no_terminal_ends(tmp_path: Path) -> None:
    study, gate = Study(tmp_path / "logs", 3), Gate(tmp_path / "gate")
    words = ("study", "smoke", "--seeds", str(study.seeds), *SMALL, "--jobs", "2", "--log-dir", study.logs)
    with Terminal(*gate.program, *words) as terminal:
        terminal.until(lambda: gate.waiting == 2)
        terminal.press_and_see("q", "Leave it running")
        terminal.press_until("l", lambda: terminal.has_ended)
        assert terminal.wait() == 0
        [pid] = re.findall(r"in process (\d+)", terminal.text)
        assert os.getsid(int(pid)) == int(pid), "it has a session of its own"
        terminal.hang_up()
        wait_until(lambda: not lives(int(pid)))
    assert study.path is not None
    assert json.loads((study.path / "study.json").read_bytes())["state"] == "finished"
    assert len(StudyFolder.open(study.path).find_runs().done) == len([*study.path.glob("runs/*")]) == study.seeds


def test_a_signal_ends_it_in_order_and_its_runs_are_kept(tmp_path: Path) -> None:
    study = Study(tmp_path, 400)
    study.start()
    wait_until(lambda: study.done)
    code, errors = study.harm(signal.SIGINT)
    assert code == 4
    assert study.path is not None
    assert f"'regtui study --resume {study.path.name}' goes on" in errors
    assert "Traceback" not in errors
    assert json.loads((study.path / "study.json").read_bytes())["state"] == "stopped"
    assert {path.name for path in study.path.glob("runs/*")} == {path.name for path in study.done}


def test_a_worker_and_what_forks_it_may_be_killed(tmp_path: Path) -> None:
    study, gate = Study(tmp_path / "logs", 4), Gate(tmp_path / "gate")
    study.start(gate)
    assert study.process is not None
    wait_until(lambda: gate.waiting == 2)
    [server] = [child for child in children_of(study.process.pid) if children_of(child)]
    os.kill(random.Random(3).choice(children_of(server)), signal.SIGKILL)
    os.kill(server, signal.SIGKILL)
    gate.open()
    assert study.wait() == (0, "")
    assert study.path is not None
    found = StudyFolder.open(study.path).find_runs()
    assert len(found.done) == 4
    assert len(list(study.path.glob("runs/*"))) == 4


@pytest.mark.parametrize("room", [2_000, 10_000])
def test_without_room_it_says_so_and_goes_on_when_there_is_some(tmp_path: Path, room: int) -> None:
    """No file may have more bytes: as on a full disk, what is short is written, and what is long is not."""
    study = Study(tmp_path, 3)
    study.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)))
    code, errors = study.wait()
    assert code == 1, errors
    assert errors.splitlines()
    assert all(line.startswith("regtui: ") for line in errors.splitlines()), errors
    assert "can't be written" in errors or "not all of it is saved" in errors
    study.start()
    code, errors = study.wait()
    assert study.path is not None
    assert (code, errors) == (0, "")
    assert len(StudyFolder.open(study.path).find_runs().done) == 3
