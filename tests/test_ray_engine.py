"""Studies on a Ray cluster: what the engine makes of a run's parts, and a real cluster whose workers and nodes die."""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from regtui import __version__
from regtui.errors import InputError, RegtuiError
from regtui.files import write_whole
from regtui.protocol.control import Control
from regtui.protocol.events import EpochDone, RunFinished, Saving, StepsDone
from regtui.runs.events import read_events
from regtui.study import ray_engine
from regtui.study.alone import run_alone, wants_gpu
from regtui.study.conduct import Opened, conduct
from regtui.study.design import Wishes, make_plan
from regtui.study.engine import Began, Ended, News, Told
from regtui.study.folder import StudyFolder
from regtui.study.found_runs import reached
from regtui.study.local import LocalEngine
from regtui.study.ray_driver import Address, Lost, RayTask
from regtui.study.ray_engine import RayEngine
from regtui.study.ray_task import RunPart, chained, make
from tests.engines import by_seed, epochs, jobs, make_all, measured, open_below
from tests.held import Gate
from tests.held_elsewhere import hold_tasks
from tests.same_run import assert_same, seams
from tests.test_study_local import wait_until

ATTEMPTS = 3
"""So often a cluster is started: Ray gives a node 30 s, which may be too few on a busy machine."""
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed, as where it has no build")


@pytest.fixture(autouse=True)
def _no_cluster_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


# Options


@pytest.mark.parametrize(
    "address", ["ray://10.0.0.1:10001", "host", "host:", ":6379", "host:port", "host:0", "h:99999"]
)
def test_an_address_of_another_kind_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "find_spec", lambda _name: object())
    with pytest.raises(InputError, match=r"^--ray-address '") as refused:
        RayEngine(address)
    assert "HOST:PORT" in str(refused.value)


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r"Ray is not installed; install regtui\[ray\]"):
        RayEngine()


def test_a_cluster_that_is_not_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "find_spec", lambda _name: object())
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(InputError, match="the cluster can't be reached"):
            RayEngine(address)


# The parts of a run


@pytest.fixture(scope="module")
def parts() -> list[RunPart]:
    """What a run of three epochs tells."""
    return list(make(jobs(1)[0].preset, 1, False, __version__))


def test_a_run_tells_an_epoch_at_a_time_and_its_files_last(parts: list[RunPart]) -> None:
    assert [epochs(part.events) for part in parts] == [[1], [2], [3]]
    assert all(sum(isinstance(event, StepsDone) for event in part.events) == 2 for part in parts)  # one an arm
    assert [part.files is None for part in parts] == [True, True, False]
    assert parts[-1].files is not None
    assert {"events.jsonl", "predictions.safetensors", "run.json", "summary.json"} < parts[-1].files.keys()
    assert isinstance(parts[-1].events[-1], RunFinished)


def test_a_part_tells_what_was_measured_before_it_whatever_the_time(parts: list[RunPart]) -> None:
    again = list(make(jobs(1)[0].preset, 1, False, __version__))
    other = list(make(jobs(2)[1].preset, 1, False, __version__))
    assert [part.before for part in again] == [part.before for part in parts]
    assert parts[0].before == other[0].before == ""
    assert {part.before for part in parts[1:]}.isdisjoint(part.before for part in other[1:])
    assert chained("", parts[0].events) == parts[1].before
    assert parts[0].attempt == parts[1].attempt != again[0].attempt


@pytest.mark.parametrize(
    ("device", "gpu", "there"),
    [("auto", False, "cpu"), ("cpu", False, "cpu"), ("cuda", True, "cuda"), ("cuda:1", True, "cuda")],
)
def test_a_node_has_what_was_asked_for(
    device: str, gpu: bool, there: str, driver: type[Scripted], tmp_path: Path
) -> None:
    driver.answers = lambda _task: []
    (wanted,) = jobs(1, train={"device": device})
    with RayEngine(jobs=1) as engine:
        engine.begin(wanted, tmp_path)
    (task,) = driver.tasks
    assert wants_gpu(task.preset) == gpu
    assert task.preset.train.device == there


def test_a_node_with_another_version_makes_no_run() -> None:
    (only,) = make(jobs(1)[0].preset, 1, False, "0.0.1")
    assert __version__ in str(only.fault)
    assert "0.0.1" in str(only.fault)


def test_a_run_that_can_t_begin_tells_why(driver: type[Scripted], tmp_path: Path) -> None:
    (wanted,) = jobs(1, data={"root": str(tmp_path / "nowhere")})
    driver.answers = lambda task: list(make(task.preset, 1, False, __version__))
    with RayEngine(jobs=1) as engine:
        (ended,) = make_all(engine, [wanted], tmp_path / "runs")
    assert isinstance(ended, Ended)
    assert (ended.folder, ended.status) == (None, "failed")
    assert "data.root" in ended.error
    assert str(ended.hopeless) == ended.error


class Scripted:
    """Stands for the driver's process: answers each task with messages that a test has prepared."""

    answers: Callable[[RayTask], list[Any]]
    tasks: list[RayTask]
    joined: Any = 2
    said = ""
    pid = 0

    def __init__(self, _threads: int, streams: tuple[int, int], module: str) -> None:
        assert module == "regtui.study.ray_driver"
        self._calls, self._replies = (
            os.fdopen(os.dup(pipe), mode) for pipe, mode in zip(streams, ("rb", "wb"), strict=True)
        )
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._calls, self._replies:
            try:
                assert isinstance(pickle.load(self._calls), Address)
                if self.joined == "silent":
                    pickle.load(self._calls)
                self._tell(self.joined)
                while True:
                    task = pickle.load(self._calls)
                    self.tasks.append(task)
                    for message in type(self).answers(task):
                        if message == "dies":
                            return
                        self._tell((task.number, message))
            except EOFError:
                return

    def _tell(self, message: Any) -> None:
        self._replies.write(pickle.dumps(message))
        self._replies.flush()

    def kill(self) -> None:
        self._thread.join()

    def wait(self) -> int:
        return 0

    def words(self) -> str:
        return (
            f"More words of Ray's. {self.said}\n"
            "[2026-11-26 13:26:41,045 E 24187 24545] rpc_client.h:204: Failed to connect within 60 s. It may be gone.\n"
            "For more information, see elsewhere.\n"
        )

    def close(self) -> None:
        pass


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    class Driver(Scripted):
        tasks: list[RayTask] = []  # noqa: RUF012

    monkeypatch.setattr(ray_engine, "Spawned", Driver)
    monkeypatch.setattr(ray_engine, "find_spec", lambda _name: object())
    return Driver


@pytest.fixture(scope="module")
def saved_parts() -> list[RunPart]:
    """What a run of three epochs with checkpoints tells."""
    return list(make(jobs(1)[0].preset, 1, True, __version__))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, which nobody disturbed."""
    runs = tmp_path_factory.mktemp("whole")
    return run_alone(jobs(1)[0].preset, runs, 1, checkpoints=True, control=Control()).folder


def made_by(task: RayTask) -> list[RunPart]:
    """What a worker tells that carries out a task."""
    return list(make(task.preset, task.threads, task.checkpoints, __version__, task.cut_off))


def replayed(parts: list[RunPart], after: int) -> list[RunPart]:
    """The parts of a run whose worker died after so many of them."""
    return [*parts[:after], *(part._replace(attempt="second") for part in parts[after:])]


def told_epochs(told: list[News]) -> list[int]:
    return epochs([news.event for news in told if isinstance(news, Told)])


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_run_that_ray_begins_anew_goes_on_in_its_log(
    after: int, parts: list[RunPart], driver: type[Scripted], tmp_path: Path
) -> None:
    driver.answers = lambda _task: list(replayed(parts, after))
    with RayEngine(jobs=1) as engine:
        told = make_all(engine, jobs(1), tmp_path)
        assert not open_below(tmp_path), "it lets go of the folder"
    assert told_epochs(told) == [1, 2, 3]
    (folder,) = by_seed(told).values()
    assert list(tmp_path.iterdir()) == [folder]
    where = [news.where for news in told if isinstance(news, Began)]
    assert where[0] == parts[0].where
    assert where[1:] == ([f"{parts[0].where}, begun anew 1 time"] if after else [])
    assert parts[-1].files is not None
    assert (folder / "events.jsonl").read_bytes() == parts[-1].files["events.jsonl"]
    assert not any(isinstance(news.event, StepsDone) for news in told if isinstance(news, Told))


def test_what_is_written_while_it_runs_is_what_was_told(
    parts: list[RunPart], driver: type[Scripted], tmp_path: Path
) -> None:
    driver.answers = lambda _task: list(parts[:2])
    with RayEngine(jobs=1) as engine:
        engine.begin(jobs(1)[0], tmp_path)
        told: list[News] = []
        while told_epochs(told) != [1, 2]:
            told += engine.news(5)
        (folder,) = tmp_path.iterdir()
        assert list(read_events(folder)) == [*parts[0].events, *parts[1].events]
        assert not (folder / "summary.json").exists()
        assert engine.room == 0
    assert not any(tmp_path.iterdir())  # what still ran is not kept


def test_a_log_begins_anew_where_the_second_attempt_measured_something_else(
    parts: list[RunPart], driver: type[Scripted], tmp_path: Path
) -> None:
    late = [parts[2]._replace(attempt="second")]  # comes before the first task knows that it was replaced
    answers = iter([[*parts[:2], parts[2]._replace(attempt="second", before="else"), *late], parts])
    driver.answers = lambda _task: list(next(answers))
    with RayEngine(jobs=1) as engine:
        told = make_all(engine, jobs(1), tmp_path)
    assert told_epochs(told) == [1, 2, 1, 2, 3]
    assert len([news for news in told if isinstance(news, Ended)]) == 1
    (folder,) = by_seed(told).values()
    assert list(tmp_path.iterdir()) == [folder]
    assert epochs(list(read_events(folder))) == [1, 2, 3]
    assert [(task.number, task.instead_of) for task in driver.tasks] == [(1, None), (2, 1)]


def test_a_run_whose_attempts_never_fit_together_fails_by_itself(
    parts: list[RunPart], driver: type[Scripted], tmp_path: Path
) -> None:
    driver.answers = lambda _task: [parts[0], None]
    with RayEngine(jobs=1) as engine:
        *_, ended = make_all(engine, jobs(1), tmp_path)
    assert isinstance(ended, Ended)
    assert (ended.folder, ended.status) == (None, "failed")
    assert "did not measure the same" in ended.error
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("after", [0, 2])
def test_with_checkpoints_another_task_goes_on_where_a_worker_died(
    after: int, saved_parts: list[RunPart], whole: Path, driver: type[Scripted], tmp_path: Path
) -> None:
    driver.answers = lambda task: [*saved_parts[:after], Lost("it died")] if task.number == 1 else made_by(task)
    with RayEngine(jobs=1, checkpoints=True) as engine:
        told = make_all(engine, jobs(1), tmp_path)
        assert not open_below(tmp_path), "it lets go of the folder"
    assert [task.cut_off is None for task in driver.tasks] == [True, after == 0]
    assert told_epochs(told) == [*range(1, after + 1), 1, 2, 3], "those from before are told again, for its curves"
    where = saved_parts[0].where
    begun = [news.where for news in told if isinstance(news, Began)]
    assert begun == [where] * (after > 0) + [f"{where}, resumed" if after else f"{where}, begun anew 1 time"]
    (folder,) = tmp_path.iterdir()
    assert_same(folder, whole)
    assert seams(folder) == (after > 0)


@pytest.mark.slow
def test_with_checkpoints_a_run_whose_study_was_killed_or_stopped_goes_on(
    saved_parts: list[RunPart], whole: Path, driver: type[Scripted], tmp_path: Path
) -> None:
    driver.answers = lambda task: saved_parts[:2] if task.cut_off is None else made_by(task)
    with RayEngine(jobs=1, checkpoints=True) as engine:
        engine.begin(jobs(1)[0], tmp_path)
        told: list[News] = []
        while told_epochs(told) != [1, 2]:
            told += engine.news(5)
        (stopped,) = tmp_path.iterdir()
        killed = shutil.copytree(stopped, tmp_path / "killed")  # what there is if this program is killed now
    for folder in (stopped, killed):
        assert reached(folder) == 2
        with RayEngine(jobs=1) as engine:  # not asked for checkpoints again
            engine.go_on(jobs(1)[0], folder)
            while not any(isinstance(news, Ended) for news in told):
                told += engine.news(5)
        assert told.pop() == Ended(jobs(1)[0], folder, "finished")
        assert_same(folder, whole)


@pytest.mark.slow
def test_a_damaged_checkpoint_begins_anew(
    saved_parts: list[RunPart], whole: Path, driver: type[Scripted], tmp_path: Path
) -> None:
    def damaged(part: RunPart) -> RunPart:
        return part._replace(saved={name: b"" if "safetensors" in name else of for name, of in part.saved.items()})

    driver.answers = lambda task: [damaged(saved_parts[0]), Lost("it died")] if task.number == 1 else made_by(task)
    with RayEngine(jobs=1, checkpoints=True) as engine:
        told = make_all(engine, jobs(1), tmp_path)
    assert told_epochs(told) == [1, 1, 2, 3]
    (folder,) = tmp_path.iterdir()
    assert_same(folder, whole)
    assert seams(folder) == 0


def test_a_checkpoint_that_could_not_be_written_is_written_with_the_next(
    saved_parts: list[RunPart], whole: Path, driver: type[Scripted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[Path] = []

    def fail_once(path: Path, content: bytes, **more: Any) -> None:
        if not failed:
            failed.append(path)
            raise OSError(28, "No space left on device")
        write_whole(path, content, **more)

    monkeypatch.setattr(ray_engine, "write_whole", fail_once)
    driver.answers = lambda task: [*saved_parts[:2], Lost("it died")] if task.number == 1 else made_by(task)
    with RayEngine(jobs=1, checkpoints=True) as engine:
        told = make_all(engine, jobs(1), tmp_path)
    saving = [news.event for news in told if isinstance(news, Told) and isinstance(news.event, Saving)]
    assert [event.saved for event in saving[:2]] == [False, True]
    assert f"No space left on device; make room there ({failed[0].parent})" in saving[0].words
    (folder,) = tmp_path.iterdir()
    assert_same(folder, whole)
    assert seams(folder) == 1


def test_a_run_whose_workers_die_again_and_again_fails_and_keeps_its_checkpoint(
    saved_parts: list[RunPart], driver: type[Scripted], tmp_path: Path
) -> None:
    driver.answers = lambda task: [saved_parts[0], Lost("it died")] if task.number == 1 else [Lost("it died")]
    with RayEngine(jobs=1, checkpoints=True) as engine:
        *_, ended = make_all(engine, jobs(1), tmp_path)
    assert isinstance(ended, Ended)
    assert (ended.folder, ended.status) == (None, "failed")
    assert ended.error == "its workers died 4 times: it died"
    assert len(driver.tasks) == 4
    assert [reached(folder) for folder in tmp_path.iterdir()] == [1]


def test_a_failed_run_does_not_stop_the_others(parts: list[RunPart], driver: type[Scripted], tmp_path: Path) -> None:
    def answers(task: RayTask) -> list[Any]:
        return ["its worker died 4 times"] if task.number == 1 else list(parts)

    driver.answers = answers
    with RayEngine(jobs=1) as engine:
        told = make_all(engine, jobs(2), tmp_path)
    ended = [news for news in told if isinstance(news, Ended)]
    assert [(news.status, news.error) for news in ended] == [("failed", "its worker died 4 times"), ("finished", "")]


def test_a_lost_cluster_is_one_sentence(parts: list[RunPart], driver: type[Scripted], tmp_path: Path) -> None:
    driver.answers = lambda _task: [parts[0], "dies"]
    said = r"the Ray cluster was lost \(Failed to connect within 60 s\); the study can be resumed"
    with pytest.raises(RegtuiError, match=said), RayEngine(jobs=1) as engine:
        make_all(engine, jobs(1), tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_study_that_waits_for_a_silent_cluster_is_stopped_at_once(
    driver: type[Scripted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "LEFT", 1_000.0)
    monkeypatch.setattr(driver, "joined", "silent")
    stop, told = threading.Event(), list[News | Opened]()

    def stop_soon(news: News | Opened) -> None:
        told.append(news)
        threading.Timer(0.01, stop.set).start()

    study = StudyFolder.create(make_plan(jobs(1)[0].preset, Wishes("2")), tmp_path)
    assert conduct(study, RayEngine(jobs=1), stop, stop_soon) == "stopped"
    assert not driver.tasks
    assert [type(one) for one in told] == [Opened]


@pytest.mark.slow
def test_of_a_cluster_that_still_starts_no_process_is_left(
    driver: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep = ["sleep", f"600.{os.getpid()}"]
    begins = (
        f"import subprocess, time\nfor _ in range(200): subprocess.Popen({sleep}); time.sleep(0.02)\ntime.sleep(600)"
    )
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {begins!r}]); input()"

    def left() -> list[psutil.Process]:
        return [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == sleep]

    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as starts:
        for name, value in {"joined": "silent", "pid": starts.pid, "kill": lambda _driver: starts.kill()}.items():
            monkeypatch.setattr(driver, name, value)
        with RayEngine(jobs=1):
            wait_until(lambda: len(psutil.Process(starts.pid).children(recursive=True)) >= 5)
    wait_until(lambda: not left())  # what was killed is gone as soon as a busy machine lets it


def test_a_cluster_that_refuses_is_one_sentence(driver: type[Scripted], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "_reach", lambda _address: None)
    driver.joined = "Version mismatch: Python 3.12 there"
    said = r"^the Ray cluster at '10\.0\.0\.1:6379' can't be used: Version mismatch"
    with pytest.raises(RegtuiError, match=said), RayEngine("10.0.0.1:6379") as engine:
        engine.news(120)
    driver.joined = "Failed to connect to Ray cluster"
    driver.said = "Unauthenticated: RPC error: InvalidAuthToken"
    said = "it wants a token; set RAY_AUTH_MODE=token"
    with pytest.raises(RegtuiError, match=said), RayEngine("10.0.0.1:6379") as engine:
        engine.news(120)
    driver.joined = None
    with pytest.raises(RegtuiError, match=r"can't be used: Ray ended its program \(Failed"), RayEngine("a:1") as engine:
        engine.news(120)


# A real cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, Callable[[], None]]]:
    """Two nodes with a processor each: their address, and what ends the second at once."""
    command = [sys.executable, "-m", "tests.ray_cluster", "2"]
    with ExitStack() as stack:
        for _ in range(ATTEMPTS):
            process = stack.enter_context(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
                )
            )
            assert process.stdin is not None
            assert process.stdout is not None
            stdin, stdout = process.stdin, process.stdout
            if address := stdout.readline().strip():
                break
        assert address

        def remove() -> None:
            stdin.write("remove\n")
            stdin.flush()
            assert stdout.readline() == "removed\n"

        yield address, remove


def epoch_of(news: News) -> int:
    """The epoch that has ended; 0 if none has."""
    return news.event.epoch if isinstance(news, Told) and isinstance(news.event, EpochDone) else 0


def kill_workers() -> int:
    """Kill the processes of our cluster that make runs; returns how many there were."""
    killed = 0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it belongs to a node that was removed
            if " ".join(process.cmdline()).startswith("ray::regtui"):
                process.kill()
                killed += 1
    return killed


@needs_ray
@pytest.mark.slow
def test_two_nodes_make_what_this_machine_makes(cluster: tuple[str, Callable[[], None]], tmp_path: Path) -> None:
    with RayEngine(cluster[0]) as engine:
        while engine.room == 0:
            assert engine.news(1) == []
        assert engine.room == 2
        there = by_seed(make_all(engine, jobs(4), tmp_path / "ray"))
    with LocalEngine(2) as local:
        here = by_seed(make_all(local, jobs(4), tmp_path / "local"))
    assert there.keys() == here.keys() == set(range(4))
    for seed in here:
        assert measured(there[seed]) == measured(here[seed])


@needs_ray
@pytest.mark.slow
def test_a_killed_worker_changes_nothing(
    cluster: tuple[str, Callable[[], None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, _ = cluster
    gate = Gate(tmp_path / "gate", epoch=4)
    hold_tasks(monkeypatch, gate)
    wanted = jobs(1, train={"epochs": 6})
    killed: list[int] = []

    def disturb(news: News) -> None:
        if not killed and epoch_of(news) == 3:
            killed.append(kill_workers())
            gate.open()

    with RayEngine(address) as engine:
        told = make_all(engine, wanted, tmp_path / "ray", disturb)
    assert killed == [1]
    there = by_seed(told)
    assert [", begun anew 1 time" in news.where for news in told if isinstance(news, Began)] == [False, True]
    assert told_epochs(told) == list(range(1, 7))
    assert sorted(tmp_path.joinpath("ray").iterdir()) == sorted(there.values())
    with LocalEngine(1) as local:
        here = by_seed(make_all(local, wanted, tmp_path / "local"))
    for seed in here:
        assert measured(there[seed]) == measured(here[seed])


@needs_ray
@pytest.mark.slow
def test_with_checkpoints_a_killed_worker_and_a_removed_node_cost_an_epoch(
    cluster: tuple[str, Callable[[], None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, remove = cluster
    first, second = (Gate(tmp_path / f"epoch{epoch}", epoch) for epoch in (2, 3))
    hold_tasks(monkeypatch, first, second)
    wanted = jobs(2, train={"epochs": 4})
    trained: set[int] = set()
    resumed: set[int] = set()
    killed: list[int] = []

    def disturb(news: News) -> None:
        trained.update({news.job.seed} if epoch_of(news) else ())
        resumed.update({news.job.seed} if isinstance(news, Began) and news.where.endswith("resumed") else ())
        if not killed and len(trained) == 2:
            remove()
            killed.append(kill_workers())
            first.open()
        elif len(killed) == 1 and news.job.seed in resumed and epoch_of(news) == 2:
            killed.append(kill_workers())
            second.open()

    with RayEngine(address, checkpoints=True) as engine:
        told = make_all(engine, wanted, tmp_path / "ray", disturb)
    assert len(killed) == 2
    assert min(killed) >= 1
    there = by_seed(told)
    assert sum("resumed" in news.where for news in told if isinstance(news, Began)) == sum(map(seams, there.values()))
    assert sum(map(seams, there.values())) == 3
    assert min(map(seams, there.values())) >= 1, "the one by its node, the other by its worker"
    assert sorted(tmp_path.joinpath("ray").iterdir()) == sorted(there.values())
    with LocalEngine(2, checkpoints=True) as local:
        here = by_seed(make_all(local, wanted, tmp_path / "local"))
    for seed in here:
        assert_same(there[seed], here[seed])


SCRIPT = """
import sys
from pathlib import Path
import psutil
from regtui.protocol.events import EpochDone
from regtui.study.engine import Told
from regtui.study.ray_engine import RayEngine
from tests.engines import jobs

runs = Path(sys.argv[1])
with RayEngine(jobs=2) as engine:
    for job in jobs(2, train={"epochs": 5000}):
        engine.begin(job, runs)
    seen = set()
    while len(seen) < 2:
        seen |= {news.job.seed for news in engine.news(1) if isinstance(news, Told)}
    family = psutil.Process().children(recursive=True)
gone, alive = psutil.wait_procs(family, 40)  # some of Ray notice their end by themselves after a minute
assert len(family) > 2
assert not alive, alive
assert not any(runs.iterdir())
"""


@needs_ray
@pytest.mark.slow
def test_a_cluster_of_its_own_is_quiet_and_goes_with_the_engine(tmp_path: Path) -> None:
    for _ in range(ATTEMPTS):
        ended = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, timeout=300, check=False
        )
        if "timed out during startup" not in ended.stderr:
            break
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@needs_ray
@pytest.mark.slow
def test_something_else_at_the_address_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ray_engine, "JOINED", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(RegtuiError, match="it did not answer for 3 s"), RayEngine(address) as engine:
            make_all(engine, jobs(1), tmp_path)
