"""`regtui study --engine ray|slurm`: what is not there is told before anything begins, and which engine gets what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from regtui.cli.study import show_study
from regtui.study import ray_engine, slurm
from regtui.study.folder import StudyFolder
from regtui.tui.study.runner import StudyRunner
from tests.command import call
from tests.fake_engine import FakeEngine


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    for module in (ray_engine, slurm):
        monkeypatch.setattr(module, "find_spec", lambda _name: object())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--engine", "ray", "--ray-address", "ray://head:10001"], "a client of Ray can't receive what runs tell"),
        (["--engine", "ray", "--ray-address", "127.0.0.1:1"], "the cluster can't be reached"),
        (["--engine", "slurm"], "no Slurm on this machine"),
        (["--slurm", "partition=gpu"], "--slurm is for --engine slurm"),
        (["--engine", "ray", "--slurm", "partition=gpu"], "--slurm is for --engine slurm"),
    ],
)
def test_nothing_begins_on_a_cluster_that_is_not_there(
    words: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", "/nowhere")
    outcome = call(["study", "smoke", "--seeds", "2", "--headless", *words], capsys, monkeypatch)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in " ".join(outcome.err.split())
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "engine", "arguments", "at_once"),
    [
        (["ray", "--jobs", "3"], "ray_engine.RayEngine", (None, 3, 1), "3 runs at a time"),
        (
            ["ray", "--ray-address", "auto", "--threads", "2"],
            "ray_engine.RayEngine",
            ("auto", 256, 2),
            "up to 256 runs",
        ),
        (
            ["slurm", "--slurm", "time=9", "--slurm", "qos=x"],
            "slurm.SlurmEngine",
            (("time=9", "qos=x"), 256, 1),
            "up to",
        ),
    ],
)
def test_an_engine_gets_what_was_asked_for_also_from_a_process_that_a_study_is_left_to(
    words: list[str],
    engine: str,
    arguments: tuple[Any, ...],
    at_once: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[tuple[Any, ...]] = []

    def make(*given: Any, checkpoints: bool) -> FakeEngine:
        made.append((given, checkpoints))
        return FakeEngine()

    def leave(_settings: object, _preset: object, _logs: Path, *, study: StudyFolder, runner: StudyRunner) -> int:
        left.append((study.path, runner))
        return 0

    left: list[tuple[Path, StudyRunner]] = []
    monkeypatch.setattr(f"regtui.study.{engine}", make)
    monkeypatch.setattr("regtui.cli.screen.open_screen", leave)
    with monkeypatch.context() as on_screen:
        on_screen.setattr("regtui.cli.study.run_study", show_study)
        words = ["study", "smoke", "--seeds", "2", "--headless", "--checkpoints", "--engine", *words]
        assert call(words, capsys, monkeypatch).code == 0
    ((folder, runner),) = left
    words = ["study", "--resume", str(folder), "--headless", "--jobs", str(runner.jobs), *runner.options]
    outcome = call(words, capsys, monkeypatch)
    assert (outcome.code, outcome.err) == (0, "")
    assert (made[0], made[-1]) == ((arguments, True), (arguments, True))
    assert at_once in outcome.out
