"""`regtui study`: what it prints, and that what can't be done is one sentence and starts nothing."""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from regtui.cli.study import RunOptions, jobs_of
from regtui.errors import InputError
from regtui.processors import Grant
from regtui.study.engine import Ended, Engine, News
from regtui.study.folder import StudyFolder, find_studies
from tests.command import Outcome, call
from tests.fake_engine import FakeEngine
from tests.test_signals import full, gone, nobody

Study = Callable[..., Outcome]


@pytest.fixture
def study(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Study:
    """The command in this process, with an engine that trains nothing, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("regtui.cli.study.make_engine", lambda _options: FakeEngine())

    def run(*args: str | Path) -> Outcome:
        return call(["study", *args], capsys, monkeypatch)

    return run


QUICK = ("smoke", "--set", "train.epochs=1", "--headless")


def only_study() -> StudyFolder:
    [path] = find_studies(Path("logs"))
    return StudyFolder.open(path)


def test_a_study_prints_a_line_a_run_and_then_the_verdict(study: Study) -> None:
    outcome = study(*QUICK, "--seeds", "3", "--jobs", "2")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "study  3 seeds, each of 2 arms; 2 runs at a time"
    runs = [line for line in lines if " of 3  seed " in line]
    assert len(runs) == 3
    assert all("regularized +1." in line for line in runs)
    assert "HELPS" in outcome.out
    told = json.loads(only_study().outcome.read_text())
    assert (told["state"], told["runs"]) == ("finished", {"done": 3, "planned": 3})


def test_json_is_one_object_a_line(study: Study) -> None:
    outcome = study(*QUICK, "--seeds", "2", "--json")
    told = [json.loads(line) for line in outcome.out.splitlines()]
    assert [one["kind"] for one in told] == ["study_started", "run_ended", "run_ended", "study_ended"]
    assert {one["seed"] for one in told[1:3]} == {0, 1}
    assert told[-1]["state"] == "finished"
    assert (outcome.code, outcome.err) == (0, "")


def test_the_exit_code_tells_the_verdict_if_that_is_asked_for(study: Study) -> None:
    assert study(*QUICK, "--seeds", "6", "--verdict-exit").code == 0
    assert study(*QUICK, "--seeds", "6", "--verdict-exit", "--smallest-effect", "9").code == 10


def test_a_study_is_resumed_by_its_name_and_more_seeds_are_exploratory(study: Study) -> None:
    study(*QUICK, "--seeds", "2")
    name = only_study().name
    outcome = study("--resume", name[:15], "--headless")
    assert "done   2 of 2 runs, which are not made again" in outcome.out
    outcome = study("--resume", name, "--seeds", "4", "--headless")
    assert outcome.out.count(" of 4  seed ") == 2
    assert "exploratory" in outcome.out
    assert outcome.code == 0
    assert only_study().plan.seeds == [0, 1]
    [fault] = study("--resume", name, "--seeds", "2,3,5", "--metric", "loss").faults()
    assert "leave the preset and its options out" in fault
    [fault] = study("--resume", name, "--threads", "1").faults()
    assert "leave the preset and its options out" in fault
    [fault] = study("--resume", "smoke").faults()
    assert "did you mean" in fault


def test_a_study_that_goes_on_computes_with_the_threads_that_it_began_with(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def make(options: RunOptions) -> FakeEngine:
        asked.append(options.threads)
        return FakeEngine()

    monkeypatch.setattr("regtui.cli.study.make_engine", make)
    study(*QUICK, "--seeds", "2", "--threads", "3")
    begun = asked.pop()
    study("--resume", only_study().name, "--seeds", "3", "--headless")
    assert (begun, asked.pop()) == (3, 3)


def test_a_study_that_goes_on_saves_weights_as_it_did_unless_it_is_told_otherwise(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool | None] = []

    def make(options: RunOptions) -> FakeEngine:
        asked.append(options.checkpoints)
        return FakeEngine()

    def resumed(seeds: int, *options: str) -> bool | None:
        assert study("--resume", only_study().name, "--headless", "--seeds", str(seeds), *options).code == 0
        return asked[-1]

    monkeypatch.setattr("regtui.cli.study.make_engine", make)
    study(*QUICK, "--seeds", "2", "--checkpoints")
    assert asked[-1] is True
    assert resumed(3) is True
    assert resumed(4, "--no-checkpoints") is False
    assert resumed(5) is False
    assert resumed(6, "--checkpoints") is True
    assert resumed(7) is True
    options = only_study().path / "options.toml"
    options.write_text("checkpoints = 'yes'\n")
    [fault] = study("--resume", only_study().name, "--headless").faults()
    assert "options.toml' is damaged: it should have the line 'checkpoints = true', or false" in fault
    options.unlink()
    assert resumed(8) is False


def test_a_signal_drops_what_runs_and_keeps_what_is_done(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    class Struck(FakeEngine):
        def news(self, timeout: float) -> list[News]:
            if len(self.begun) == 3:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(0.1)
            return super().news(timeout)

    monkeypatch.setattr("regtui.cli.study.make_engine", lambda _options: Struck())
    before = signal.getsignal(signal.SIGTERM)
    outcome = study(*QUICK, "--seeds", "6")
    assert outcome.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
    found = only_study()
    assert f"'regtui study --resume {found.name}' goes on" in outcome.err
    assert 0 < len(found.find_runs().done) < 6
    assert "HELPS" not in outcome.out
    assert json.loads(found.outcome.read_text())["state"] == "stopped"


def test_neither_a_hang_up_nor_an_output_that_takes_no_more_ends_a_study(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Left(FakeEngine):
        def news(self, timeout: float) -> list[News]:
            os.kill(os.getpid(), signal.SIGHUP)
            return super().news(timeout)

    monkeypatch.setattr("regtui.cli.study.make_engine", lambda _options: Left())
    for opened, code in ((nobody, 0), (gone, 0), (full, 1)):
        with monkeypatch.context() as patched, os.fdopen(opened(), "w") as out:
            patched.setattr(sys, "stdout", out)
            outcome = study(*QUICK, "--seeds", "3", "--log-dir", opened.__name__)
        assert outcome.code == code
        fault = "regtui: the output can't be written (No space left on device); send it somewhere else\n"
        assert outcome.err == fault * code, "it is said once"
        [path] = find_studies(Path(opened.__name__))
        assert json.loads(StudyFolder.open(path).outcome.read_text())["state"] == "finished"


def test_runs_that_fail_are_named_and_the_code_says_so(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(_options: object) -> Engine:
        return FakeEngine(fails=lambda job: job.seed == 2)

    monkeypatch.setattr("regtui.cli.study.make_engine", make)
    outcome = study(*QUICK, "--seeds", "4")
    assert outcome.code == 1
    assert "regtui: seed 2: failed: its worker died 3 times" in outcome.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "name a preset"),
        (["no-such-preset"], "there is no preset"),
        (["smoke", "--seeds", "1"], "two seeds or more"),
        (["smoke", "--seeds", "4", "--seeds", "4"], "--seeds is there 2 times"),
        (["smoke", "--jobs", "0"], "from 1 to 1,000"),
        (["smoke", "--jobs", "-2"], "from 1 to 1,000"),
        (["smoke", "--threads", "0"], "1 to 256 threads"),
        (["smoke", "--engine", "lokal"], "did you mean 'local'?"),
        (["smoke", "--ray-address", "auto"], "--ray-address is for --engine ray"),
        (["smoke", "--vary", "train.epocs=1,2"], "did you mean 'epochs'?"),
        (["smoke", "--vary", "regularized.dropout.rate=0.1,2"], "must be less than 1"),
        (["smoke", "--set", "train.epochs=0"], "must be at least 1"),
        (["smoke", "--seeds", "20000"], "this study has 20,000 runs"),
        (["smoke", "--seeds", "1000", "--vary", "train.epochs=" + ",".join(map(str, range(1, 13)))], "12,000 runs"),
        (["smoke", "--log-dir", "/dev/null/logs"], "studies can't be saved here"),
        (["smoke", "--resume", "x"], "leave the preset"),
        (["--resume", "nothing"], "there are no studies"),
        (["--resume", "/dev/null"], "is no study's folder"),
    ],
    ids=str,
)
def test_what_can_not_be_done_is_one_sentence_and_starts_nothing(study: Study, args: list[str], words: str) -> None:
    [fault] = study(*args).faults()
    assert words in fault
    assert not Path("logs").exists()


def test_many_runs_begin_with_yes(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regtui.cli.study.MANY_RUNS", 3)
    [fault] = study(*QUICK, "--seeds", "4").faults()
    assert "add --yes" in fault
    assert study(*QUICK, "--seeds", "4", "--yes").code == 0


def test_what_it_can_find_is_said_first_with_the_spread_of_earlier_runs(study: Study) -> None:
    first = study(*QUICK, "--seeds", "3")
    assert "which no earlier run tells" in " ".join(first.out.split())
    spread = statistics.stdev([1.0, 1.1, 1.2])
    again = study(*QUICK, "--seeds", "4")
    assert f"earlier runs (standard deviation {spread:.2f} points)" in " ".join(again.out.split())
    assert again.out.index("finds") < again.out.index("1 of 4")
    other = study(*QUICK, "--seeds", "4", "--set", "train.batch_size=32")
    assert "which no earlier run tells" in " ".join(other.out.split())


def test_what_no_run_can_have_is_one_sentence_and_leaves_nothing(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    class WithoutDevice(FakeEngine):
        def news(self, timeout: float) -> list[News]:  # noqa: ARG002
            [(job, _), *_] = self._waiting
            return [Ended(job, None, "failed", "", InputError("train.device: there is no CUDA device here"))]

    monkeypatch.setattr("regtui.cli.study.make_engine", lambda _options: WithoutDevice())
    outcome = study(*QUICK, "--seeds", "4")
    assert outcome.code == 2
    assert outcome.err == "regtui: train.device: there is no CUDA device here\n"
    assert find_studies(Path("logs")) == []


def test_arms_that_are_the_same_experiment_are_named_before_they_run(study: Study) -> None:
    outcome = study(*QUICK, "--seeds", "2", "--vary", "regularized.dropout.rate=0,0.3")
    assert "baseline and rate-0 are the same experiment" in " ".join(outcome.out.split())


@pytest.mark.parametrize(
    ("device", "gpu", "at_once"), [("cpu", True, 4), ("auto", False, 4), ("auto", True, 1), ("cuda:1", False, 1)]
)
def test_one_run_at_a_time_uses_a_gpu_unless_more_are_asked_for(
    device: str, gpu: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regtui.cli.study.has_gpu", lambda: gpu)
    monkeypatch.setattr("regtui.cli.study.grant", lambda: Grant(4, 4, 4, ""))
    assert jobs_of(RunOptions(device=device)) == at_once
    assert jobs_of(RunOptions(jobs=3, device=device)) == 3
