"""Runs of a study on this machine, in real processes: the same as ordinary ones, whatever becomes of the processes."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from regtui.engine.crew import ProcessCrew
from regtui.engine.run import run
from regtui.engine.trainer import Trainer
from regtui.preset.file import load
from regtui.protocol.control import Control
from regtui.protocol.events import EpochDone
from regtui.study.conduct import Opened, conduct
from regtui.study.design import Wishes, make_plan
from regtui.study.engine import Began, Ended, News, Told
from regtui.study.folder import StudyFolder, find_studies
from regtui.study.local import LocalEngine
from tests.command import start
from tests.held import Gate

pytestmark = pytest.mark.slow
TIMES = {"t", "seconds", "train_seconds", "wall_seconds", "gpu_bytes"}


def begun(logs: Path, seeds: str, *settings: str) -> StudyFolder:
    return StudyFolder.create(make_plan(load("smoke", settings), Wishes(seeds)), logs)


def told(run: Path) -> list[Any]:
    """All that a run has logged, but times."""
    lines = (run / "events.jsonl").read_text().splitlines()
    return [_timeless(json.loads(line)) for line in [*lines, (run / "summary.json").read_text()]]


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(one) for key, one in value.items() if key not in TIMES}
    return [_timeless(one) for one in value] if isinstance(value, list) else value


def results(study: StudyFolder) -> dict[int, list[Any]]:
    return {seed: told(folder) for (_, seed, _), folder in study.find_runs().done.items()}


def children_of(pid: int) -> list[int]:
    return [one for one, state, parent, _ in _processes() if parent == pid and state != "Z"]


def session_of(pid: int) -> list[int]:
    """What lives of the session that a process was the head of."""
    return [one for one, state, _, session in _processes() if session == pid and state != "Z"]


def _processes() -> Iterator[tuple[int, str, int, int]]:
    """Each process of the system: its number, its state, its parent and its session."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, parent, _, session, *_ = path.read_text().rpartition(")")[2].split()
            yield int(path.parent.name), state, int(parent), int(session)


def kill_workers() -> list[int]:
    """Kill all processes in which runs of this program are made; returns their numbers."""
    workers = [worker for server in children_of(os.getpid()) for worker in children_of(server)]
    for worker in workers:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(worker, signal.SIGKILL)
    return workers


def wait_until(is_so: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def assert_resumed(study: StudyFolder, whole: Path) -> None:
    """Each run was cut off and went on, and is equal to an ordinary one, which is made in another folder."""
    from tests.same_run import assert_same, seams

    done = study.find_runs().done
    assert {*study.runs.iterdir()} == {*done.values()}
    with ProcessCrew(1, processes=1) as crew:
        for job in study.jobs:
            assert seams(done[job.key])
            assert_same(done[job.key], run(job.preset, whole, Control(), lambda _event: None, crew).folder)


def test_with_checkpoints_runs_that_are_stopped_or_lose_their_worker_go_on_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = begun(tmp_path, "2", "train.epochs=4", "data.train_samples=400", "data.val_fraction=0.01")
    stop = threading.Event()
    met: set[int] = set()

    def halt(news: News | Opened) -> None:
        if isinstance(news, Told) and isinstance(news.event, EpochDone) and news.event.epoch == 2:
            met.add(news.job.seed)
            if len(met) == 2:
                stop.set()

    gates = [Gate(tmp_path / f"epoch{epoch}", epoch) for epoch in (2, 3)]
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_decide", gates[0].before(Trainer._decide))
        assert conduct(study, LocalEngine(2, checkpoints=True), stop, halt) == "stopped"
    assert len(study.find_runs().unfinished) == 2
    told: list[News | Opened] = []
    killed: list[int] = []

    def kill(news: News | Opened) -> None:
        told.append(news)
        if isinstance(news, Told) and isinstance(news.event, EpochDone) and news.event.epoch == 3 and not killed:
            killed.extend(kill_workers())
            gates[1].open()

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_decide", gates[1].before(Trainer._decide))
        assert conduct(study, LocalEngine(2), threading.Event(), kill) == "finished"
    assert killed
    assert [one.status for one in told if isinstance(one, Ended)] == ["finished"] * 2
    epochs = [one.event.epoch for one in told if isinstance(one, Told) and isinstance(one.event, EpochDone)]
    assert {*epochs} == {*range(1, 5)}, "those from before it was stopped are told again, for its curves"
    assert_resumed(study, tmp_path / "whole")


def test_every_number_is_that_of_an_ordinary_run(tmp_path: Path) -> None:
    study = begun(tmp_path, "2")
    news: list[News | Opened] = []
    assert conduct(study, LocalEngine(2), threading.Event(), news.append) == "finished"
    assert [one.status for one in news if isinstance(one, Ended)] == ["finished"] * 2
    done = study.find_runs().done
    assert not any(path.suffix == ".safetensors" for folder in done.values() for path in folder.glob("checkpoint/*"))
    with ProcessCrew(1) as crew:
        for job in study.jobs:
            ordinary = run(job.preset, tmp_path / "ordinary", Control(), lambda _event: None, crew).folder
            assert told(done[job.key]) == told(ordinary)
            predictions = "predictions.safetensors"
            assert (done[job.key] / predictions).read_bytes() == (ordinary / predictions).read_bytes()


def test_a_worker_that_is_killed_is_replaced_and_its_run_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, gate = begun(tmp_path, "4"), Gate(tmp_path / "gate")
    killed: list[Path] = []

    def tell(news: News | Opened) -> None:
        if isinstance(news, Began) and len(killed) < 2:
            killed.append(news.folder)
            kill_workers()
        if len(killed) == 2:
            gate.open()

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_decide", gate.before(Trainer._decide))
        assert conduct(study, LocalEngine(2), threading.Event(), tell) == "finished"
    assert not any(folder.exists() for folder in killed)
    untroubled = begun(tmp_path / "other", "4")
    conduct(untroubled, LocalEngine(1), threading.Event(), lambda _news: None)
    assert results(study) == results(untroubled)
    assert len(list(study.runs.iterdir())) == 4
    wait_until(lambda: not any(children_of(child) for child in children_of(os.getpid())))


def test_a_run_whose_worker_always_dies_is_told_as_failed_and_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, gate = begun(tmp_path, "2"), Gate(tmp_path / "gate")
    monkeypatch.setattr(Trainer, "_decide", gate.before(Trainer._decide))
    ended: list[Ended] = []

    def tell(news: News | Opened) -> None:
        if isinstance(news, Ended):
            ended.append(news)
        if isinstance(news, Began) and news.job.seed == 0:
            kill_workers()
        elif isinstance(news, Began):
            gate.open()

    conduct(study, LocalEngine(1), threading.Event(), tell)
    assert [(one.job.seed, one.status) for one in ended] == [(0, "failed"), (1, "finished")]
    assert "SIGKILL" in ended[0].error
    assert len(list(study.runs.iterdir())) == 1


def test_a_stop_drops_what_runs(tmp_path: Path) -> None:
    study, stop = begun(tmp_path, "4", "train.epochs=100000"), threading.Event()

    def tell(news: News | Opened) -> None:
        if isinstance(news, Began):
            stop.set()

    assert conduct(study, LocalEngine(2), stop, tell) == "stopped"
    assert not list(study.runs.iterdir())


def test_a_caller_that_is_ended_at_any_moment_goes_on_to_the_same_results(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    named = ["smoke", "--seeds", "6"]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        with start("study", *named, "--jobs", "2", "--headless", "--log-dir", logs, cwd=tmp_path) as process:
            wait_until(lambda: find_studies(logs))
            time.sleep(random.uniform(0, 4))
            process.send_signal(number)
            process.communicate(timeout=120)
        wait_until(lambda head=process.pid: not session_of(head))  # type: ignore[misc]
        [path] = find_studies(logs)
        named = ["--resume", path.name]
    with start("study", *named, "--headless", "--log-dir", logs, cwd=tmp_path) as process:
        process.communicate(timeout=300)
    assert process.returncode == 0
    study = StudyFolder.open(path)
    assert len(list(study.runs.iterdir())) == 6
    whole = begun(tmp_path, "6")
    conduct(whole, LocalEngine(2), threading.Event(), lambda _news: None)
    assert results(study) == results(whole)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
