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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regtui.study.folder import StudyFolder, find_studies
from tests.command import command, environment
from tests.terminal import Terminal
from tests.test_study_local import assert_resumed, children_of, lives, results, wait_until

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
        self.family: set[int] = set()

    @property
    def path(self) -> Path | None:
        """Its folder, once there is one."""
        return next(iter(find_studies(self.logs)), None)

    @property
    def done(self) -> dict[Path, int]:
        """The runs that have ended, each with the time of its summary."""
        found = self.logs.glob("*/runs/*/summary.json")
        return {path.parent: path.stat().st_mtime_ns for path in found}

    def start(self, **more: Any) -> None:
        """Begin it, or go on with it."""
        begun = self.path
        asked = ["--resume", str(begun)] if begun else ["smoke", "--seeds", str(self.seeds), *SMALL, *self.options]
        self.process = subprocess.Popen(
            command("study", *asked, "--jobs", "2", "--headless", "--log-dir", self.logs),
            env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, **more,
        )  # fmt: skip

    def harm(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal to the program alone; returns its exit code and stderr when nothing of it is left."""
        assert self.process is not None
        family = {pid for child in children_of(self.process.pid) for pid in (child, *children_of(child))}
        self.process.send_signal(number)
        return self.wait(family)

    def wait(self, family: set[int] = frozenset()) -> tuple[int, str]:  # type: ignore[assignment]
        """Its exit code and stderr at its end, with nothing left of it."""
        assert self.process is not None
        _, errors = self.process.communicate(timeout=300)
        wait_until(lambda: not any(map(lives, family)), 60)
        return self.process.returncode, errors


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
    study = Study(tmp_path / "killed", 2, "--checkpoints", "--set", "train.epochs=15")
    study.start()
    wait_until(lambda: len([*study.logs.glob("*/runs/*/checkpoint/manifest.json")]) == 2)
    study.harm(signal.SIGKILL)
    study.start()
    assert study.wait() == (0, "")
    assert study.path is not None
    assert_resumed(StudyFolder.open(study.path), tmp_path / "whole")


def test_left_running_it_goes_on_in_a_process_that_no_terminal_ends(tmp_path: Path) -> None:
    study = Study(tmp_path, 7)
    words = (
        "smoke",
        "--seeds",
        str(study.seeds),
        *SMALL,
        "--set",
        "train.epochs=9",
        "--jobs",
        "2",
        "--log-dir",
        tmp_path,
    )
    with Terminal("-m", "regtui", "study", *words) as terminal:
        terminal.until("worker", 120)
        terminal.press_and_see("q", "Leave it running")
        terminal.read(0.5)  # a question takes no key that was pressed before it was seen
        terminal.press("l")
        assert terminal.wait(60) == 0
        [pid] = re.findall(r"in process (\d+)", terminal.text)
        assert os.getsid(int(pid)) == int(pid), "it has a session of its own"
        terminal.hang_up()
        wait_until(lambda: not lives(int(pid)))
    assert study.path is not None
    assert json.loads((study.path / "study.json").read_bytes())["state"] == "finished"
    assert len(StudyFolder.open(study.path).find_runs().done) == len([*study.path.glob("runs/*")]) == study.seeds


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order_and_its_runs_are_kept(tmp_path: Path, number: signal.Signals) -> None:
    study = Study(tmp_path, 400)
    study.start()
    wait_until(lambda: study.done)
    code, errors = study.harm(number)
    assert code == (4 if number == signal.SIGINT else 128 + number)
    assert study.path is not None
    assert f"'regtui study --resume {study.path.name}' goes on" in errors
    assert "Traceback" not in errors
    assert json.loads((study.path / "study.json").read_bytes())["state"] == "stopped"
    assert {path.name for path in study.path.glob("runs/*")} == {path.name for path in study.done}


def test_a_worker_and_what_forks_it_may_be_killed(tmp_path: Path) -> None:
    study = Study(tmp_path, 8)
    study.start()
    assert study.process is not None
    wait_until(lambda: study.done)
    [server] = [child for child in children_of(study.process.pid) if children_of(child)]
    os.kill(random.Random(3).choice(children_of(server)), signal.SIGKILL)
    os.kill(server, signal.SIGKILL)
    assert study.wait() == (0, "")
    assert study.path is not None
    found = StudyFolder.open(study.path).find_runs()
    assert len(found.done) == 8
    assert len(list(study.path.glob("runs/*"))) == 8


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
