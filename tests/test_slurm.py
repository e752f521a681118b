"""Studies as jobs of Slurm: submitit's own executors make them here, and a made-up Slurm takes them."""

from __future__ import annotations

import logging
import pickle
import signal
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from regtui.errors import InputError, RegtuiError
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import EpochDone, Event, RunFinished
from regtui.runs.files import read_toml
from regtui.study import slurm
from regtui.study.alone import run_alone
from regtui.study.engine import Began, Ended, News, Told
from regtui.study.found_runs import reached
from regtui.study.local import LocalEngine
from regtui.study.slurm import SlurmEngine, _Submitted, slurm_settings
from regtui.study.slurm_job import Made, SlurmRun
from tests.engines import by_seed, epochs, jobs, make_all, measured
from tests.held import Gate
from tests.held_elsewhere import hold_jobs
from tests.same_run import assert_same, seams

pytestmark = pytest.mark.skipif(find_spec("submitit") is None, reason="submitit is not installed")


@pytest.fixture(autouse=True)
def _logs_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """submitit leaves the logs of its debug executor open."""
    opened: list[logging.FileHandler] = []

    class Kept(logging.FileHandler):
        def __init__(self, path: Path) -> None:
            super().__init__(path)
            opened.append(self)

    monkeypatch.setattr(logging, "FileHandler", Kept)
    yield
    for handler in opened:
        handler.close()


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "study" / "runs"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Slurm that takes jobs and never begins one: what it was told, a line a command."""
    told = tmp_path / "told.txt"
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, does in {
        "srun": "",
        "sacct": "echo nonsense >&2; exit 1",
        "scancel": "",
        "sbatch": f"cat $1 >> {told}; echo Submitted batch job 77",
    }.items():
        file = programs / name
        file.write_text(f'#!/bin/sh\necho {name} "$@" >> {told}\n{does}\n')
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return told


def test_what_slurm_is_asked_for_is_submitit_s() -> None:
    given = ["partition=gpu", "time=90", "gpus_per_node=2", "mem=8GB", "exclusive=true", "setup=a", "setup=b"]
    assert slurm_settings(given) == {
        "partition": "gpu",
        "time": 90,
        "gpus_per_node": 2,
        "mem": "8GB",
        "exclusive": True,
        "setup": ["a", "b"],
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["partition"], "it is KEY=VALUE"),
        (["partition="], "it is KEY=VALUE"),
        (["=x"], "it is KEY=VALUE"),
        (["partitoin=x"], "did you mean 'partition'"),
        (["cpus_per_task=4"], "--threads"),
        (["array_parallelism=4"], "--jobs"),
        (["time=1:00:00"], "a number of minutes"),
        (["time=0"], "a number of minutes"),
        (["gpus_per_node=many"], "a number"),
        (["qos=a", "qos=b"], "qos is given twice"),
    ],
)
def test_what_it_can_t_be_asked_for_is_refused(given: list[str], said: str) -> None:
    with pytest.raises(InputError, match=r"^--slurm '") as refused:
        slurm_settings(given)
    assert said in str(refused.value)


def test_without_submitit_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r"submitit is not installed; install regtui\[slurm\]"):
        SlurmEngine([], 8)


def test_a_machine_without_slurm_is_told_before_anything_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="no Slurm on this machine"):
        SlurmEngine([], 8)


def test_what_is_ready_becomes_one_array_and_is_taken_back_at_the_end(
    made_up: Path, runs: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with SlurmEngine(["partition=gpu", "time=90"], jobs=3, threads=2) as engine:
        for job in jobs(3):
            engine.begin(job, runs)
        assert engine.room == 0
        assert engine.news(0) == []
    told = made_up.read_text()
    assert told.count("sbatch ") == 1
    assert {"--array=0-2%3", "--partition=gpu", "--time=90", "--cpus-per-task=2", "--job-name=regtui-small"} <= {
        line.removeprefix("#SBATCH ") for line in told.splitlines()
    }
    assert f"{sys.executable} -P" in told
    assert "scancel --quiet 77_0 77_1 77_2" in told
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in runs.parent.iterdir()] == ["runs"]


def test_jobs_of_a_caller_that_was_killed_are_taken_back_first(made_up: Path, runs: Path) -> None:
    left = runs.parent / "slurm"
    left.mkdir()
    (left / "41_3_submitted.pkl").touch()
    with SlurmEngine([], 8) as engine:
        engine.begin(jobs(1)[0], runs)
        assert made_up.read_text() == "scancel --quiet 41_3\n"


def test_a_gpu_is_asked_for_where_the_preset_names_one(made_up: Path, runs: Path) -> None:
    with SlurmEngine([], 8) as engine:
        engine.begin(jobs(1, train={"device": "cuda"})[0], runs)
        engine.news(0)
    assert "#SBATCH --gpus-per-node=1" in made_up.read_text()


def test_jobs_that_slurm_does_not_take_are_one_sentence(made_up: Path, runs: Path) -> None:
    sbatch = made_up.parent / "bin" / "sbatch"
    sbatch.write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: gpus' >&2\nexit 1\n")
    with SlurmEngine(["partition=gpus"], 8) as engine:
        engine.begin(jobs(1)[0], runs)
        with pytest.raises(RegtuiError, match=r"^Slurm does not take the jobs: .*invalid partition specified: gpus;"):
            engine.news(0)


def test_a_job_s_run_ends_where_those_of_other_engines_do(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "LOOK", 0.01)
    with SlurmEngine([], jobs=1, cluster="debug") as engine:
        told = make_all(engine, jobs(2), runs)
    assert sorted(runs.iterdir()) == sorted(by_seed(told).values())
    assert [path.name for path in runs.parent.iterdir()] == ["runs"]
    for seed in range(2):
        of = [news for news in told if news.job.seed == seed]
        assert isinstance(of[0], Began)
        events = [news.event for news in of if isinstance(news, Told)]
        assert epochs(events) == [1, 2, 3]
        assert isinstance(events[-1], RunFinished)


def test_a_run_that_can_t_begin_tells_why_and_keeps_the_job_s_log(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "LOOK", 0.01)
    with SlurmEngine([], jobs=1, cluster="debug") as engine:
        (ended,) = make_all(engine, jobs(1, data={"root": str(runs / "nowhere")}), runs)
    assert isinstance(ended, Ended)
    assert (ended.folder, ended.status) == (None, "failed")
    assert "data.root" in ended.error
    assert "data.root" in str(ended.hopeless)
    log = Path(ended.error.rpartition("its log: ")[2].rstrip(")"))
    assert log.is_relative_to(runs.parent / "slurm")
    assert log.exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed."""
    runs = tmp_path_factory.mktemp("whole")
    return run_alone(jobs(1)[0].preset, runs, 1, checkpoints=True, control=Control()).folder


def stopped_after(epoch: int, place: Path) -> Path:
    """The same run, which was ended from outside after an epoch."""
    control = Control()

    def stop(event: Event) -> None:
        if isinstance(event, EpochDone) and event.epoch == epoch:
            control.send(Stop())

    return run_alone(jobs(1)[0].preset, place, 1, checkpoints=True, control=control, emit=stop).folder


@pytest.mark.slow
def test_a_job_goes_on_with_what_an_earlier_one_has_left(tmp_path: Path, whole: Path) -> None:
    place = tmp_path / "made"
    left, begun = stopped_after(2, place), stopped_after(1, place)
    job = SlurmRun(jobs(1)[0].preset, place, 1, 60, checkpoints=True)
    assert job() == Made(left.name, "finished")
    assert [*place.iterdir()] == [left], f"{begun} had not come so far"
    assert_same(left, whole)
    assert not [*left.glob("summary.epoch-*")], "the end from outside was none of its own"
    elsewhere = SlurmRun(
        jobs(1)[0].preset, tmp_path / "next", 1, 60, checkpoints=True, cut_off=stopped_after(1, tmp_path)
    )
    again = pickle.loads(pickle.dumps(elsewhere))  # the first was preempted at once
    assert elsewhere._left() is not None
    assert again().status == "finished"
    (folder,) = (tmp_path / "next").iterdir()
    assert_same(folder, whole)
    assert seams(folder) == 1


def test_a_job_that_did_no_epoch_in_its_time_is_not_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = SlurmRun(jobs(1)[0].preset, tmp_path, 1, 60, checkpoints=True)
    monkeypatch.setattr(job, "_began", time.monotonic())
    assert job.checkpoint().function is job, "it was preempted"
    monkeypatch.setattr(job, "_began", time.monotonic() - 3_500)
    assert job.checkpoint() is None
    stopped_after(1, tmp_path)
    assert job.checkpoint().function is job, "it goes on in the time of another job"
    monkeypatch.setattr(job, "_from_epoch", 1)
    assert job.checkpoint() is None


@pytest.mark.parametrize(
    ("checkpoints", "said"),
    [
        (
            False,
            "its job took longer than the 9 min that it had; give more with --slurm time=MINUTES, or let it go on in",
        ),
        (True, "it did no epoch in the 9 min that its job had; give more with --slurm time=MINUTES"),
    ],
)
def test_a_job_whose_time_was_over_says_so(runs: Path, checkpoints: bool, said: str) -> None:
    class Over:
        """A job that submitit ended in the middle of training."""

        def exception(self) -> None:
            return None

        def result(self) -> Made:
            why = "training failed: UncompletedJobError('Job not requeued because: timed-out too many times.')"
            return Made("run", "failed", why)

    engine = SlurmEngine(["time=9"], 1, checkpoints=checkpoints, cluster="debug")
    run = _Submitted(jobs(1)[0], runs, runs.parent / "made", slurm=Over())
    (run.place / "run").mkdir(parents=True)
    engine._running.append(run)
    (ended,) = engine._end(run)
    assert isinstance(ended, Ended)
    assert ended.error.startswith(said)
    assert ended.folder == runs / "run"


# submitit's local executor: jobs are processes of their own, as on a node


def epoch_of(news: News) -> int:
    """The epoch that has ended; 0 if none has."""
    return news.event.epoch if isinstance(news, Told) and isinstance(news.event, EpochDone) else 0


@pytest.mark.slow
def test_jobs_make_what_this_machine_makes(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "LOOK", 0.05)
    wanted = jobs(2)
    with SlurmEngine([], jobs=2, cluster="local") as engine:
        told = make_all(engine, wanted, runs)
    there = by_seed(told)
    assert sorted(runs.iterdir()) == sorted(there.values())
    assert not any("anew" in news.where or "resumed" in news.where for news in told if isinstance(news, Began))
    with LocalEngine(2) as local:
        here = by_seed(make_all(local, wanted, tmp_path / "local"))
    for seed in here:
        assert measured(there[seed]) == measured(here[seed])


@pytest.mark.slow
def test_with_checkpoints_runs_of_jobs_that_are_taken_back_preempted_and_killed_go_on(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "LOOK", 0.05)
    first, second = (Gate(tmp_path / f"epoch{epoch}", epoch) for epoch in (4, 7))
    hold_jobs(monkeypatch, first, second)
    wanted = jobs(2, train={"epochs": 9})
    at: dict[int, int] = {}
    with SlurmEngine([], jobs=2, checkpoints=True, cluster="local") as engine:
        for job in wanted:
            engine.begin(job, runs)
        while len(at) < 2 or min(at.values()) < first.epoch:
            at |= {news.job.seed: epoch_of(news) for news in engine.news(1) if epoch_of(news)}
        taken_back = [run.slurm._process for run in engine._running]
    for process in taken_back:
        process.wait()
    cut_off = {read_toml(run / "preset.toml")["train"]["seed"]: run for run in runs.iterdir()}
    assert all(reached(run) == first.epoch - 1 for run in cut_off.values())
    first.open()

    controllers: dict[int, int] = {}
    disturb = {0: signal.SIGUSR2, 1: signal.SIGKILL}  # Slurm's word to a job that is preempted, and the end of a node

    def harm(news: News) -> None:
        if isinstance(news, Began):
            controllers[news.job.seed] = int(news.where.split(",")[0].removeprefix("job "))
        elif news.job.seed in disturb and epoch_of(news) == second.epoch:
            (process,) = psutil.Process(controllers[news.job.seed]).children()
            process.send_signal(disturb.pop(news.job.seed))
        if not disturb:
            second.open()

    with SlurmEngine([], jobs=2, cluster="local") as engine:  # not asked for checkpoints again
        monkeypatch.setattr(engine, "begin", lambda job, _runs: engine.go_on(job, cut_off[job.seed]))
        told = make_all(engine, wanted, runs, harm)
    assert not disturb
    assert {news.job.seed for news in told if isinstance(news, Began) and news.where.endswith("resumed")} == {0, 1}
    assert by_seed(told) == cut_off
    assert {*runs.iterdir()} == {*cut_off.values()}
    with LocalEngine(2, checkpoints=True) as local:
        here = by_seed(make_all(local, wanted, tmp_path / "local"))
    for seed in here:
        assert seams(cut_off[seed]) == 2
        assert_same(cut_off[seed], here[seed])


# Slurm's own path through submitit: job arrays, and a job that is put back into the queue


@pytest.mark.slow
def test_an_array_of_slurm_makes_what_this_machine_makes(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(slurm, "LOOK", 0.05)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sbatch", "srun", "sacct", "scancel", "scontrol"):
        (programs / name).write_text(f"#!{sys.executable}\n{(Path(__file__).parent / 'slurm_double.py').read_text()}")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    preempted: list[str] = []
    gate = Gate(tmp_path / "gate", epoch=3)
    hold_jobs(monkeypatch, gate)

    def preempt(news: News) -> None:
        if not preempted and epoch_of(news) == gate.epoch:
            name = where[news.job.seed].removeprefix("job ")
            shell = psutil.Process(int((programs / f"{name}.pid").read_text()))
            (process,) = (child for child in shell.children(recursive=True) if "-u" in child.cmdline())
            process.send_signal(signal.SIGUSR2)
            preempted.append(name)
            gate.open()
        elif isinstance(news, Began):
            where[news.job.seed] = news.where

    where: dict[int, str] = {}
    wanted = jobs(3, train={"epochs": 5})
    with SlurmEngine(["partition=cpu"], jobs=3) as engine:
        there = by_seed(make_all(engine, wanted, runs, preempt))
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in programs.glob("*.batch")] == ["77.batch"]
    assert preempted
    assert sorted(where.values()) == sorted(
        f"job 77_{i}{', begun anew 1 time' * (preempted == [f'77_{i}'])}" for i in range(3)
    )
    with LocalEngine(2) as local:
        here = by_seed(make_all(local, wanted, tmp_path / "local"))
    for seed in here:
        assert measured(there[seed]) == measured(here[seed])
