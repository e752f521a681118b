"""A process that trains and stands still: it is told, a stop waits seconds for it, and what was measured stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from regtui.engine import process, trainer, watch
from regtui.engine.crew import ProcessCrew
from regtui.engine.process import CrewClosedError, Wait
from regtui.engine.run import RunResult, run
from regtui.engine.watch import AFTER_STOP, FAR, SOON, StalledError, Watch
from regtui.errors import RegtuiError
from regtui.preset.model import Preset
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import ArmStopped, EpochDone, Event, RunFinished, Stalled
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.runs.summary import read_summary
from regtui.tui.run.training import ProcessTraining
from tests.command import ENDLESS
from tests.conftest import small_preset
from tests.same_run import assert_same
from tests.scripted import ScriptedCrew


def waits(watch: Watch, seconds: float, usual: float | None, *, since: float = 0.0, stopped: bool = False) -> None:
    """Let a watch see a wait grow."""
    for tick in range(int(since * 10), int(seconds * 10)):
        watch(Wait(("regularized",), 1, (tick + 1) / 10, usual, stopped))


@pytest.mark.parametrize(
    ("usual", "first"),
    [(None, 60), (0.0, 60), (1.0, 60), (20.0, 20 * FAR)],
    ids=["never done", "at once", "quick", "slow work"],
)
def test_a_wait_is_told_when_it_is_far_longer_than_usual_and_when_it_has_doubled(
    usual: float | None, first: float
) -> None:
    told: list[float] = []
    watch = Watch(Control(), lambda wait: told.append(wait.seconds), patience=60)
    waits(watch, 4.5 * first, usual)
    assert told == pytest.approx([first, 2 * first, 4 * first])
    waits(watch, 1.5 * first, usual)
    assert told[3:] == pytest.approx([first]), "another wait begins anew"


@pytest.mark.parametrize(("usual", "at_most"), [(None, 60), (0.0, AFTER_STOP), (0.2, AFTER_STOP), (20.0, 20 * FAR)])
def test_a_stop_waits_only_for_work_that_may_well_take_so_long(usual: float | None, at_most: float) -> None:
    control = Control()
    watch = Watch(control, lambda _wait: None, patience=60)
    control.send(Stop())
    waits(watch, at_most - 0.2, usual)
    with pytest.raises(StalledError, match=r"trains regularized \(pid 1\) did not answer for \d+ s"):
        waits(watch, at_most + 0.2, usual, since=at_most - 0.2)


@pytest.mark.parametrize("usual", [None, 20.0])
def test_a_process_that_a_signal_has_stopped_is_told_soon_and_not_waited_for(usual: float | None) -> None:
    told: list[float] = []
    control = Control()
    watch = Watch(control, lambda wait: told.append(wait.seconds), patience=60)
    waits(watch, 4.5 * SOON, usual, stopped=True)
    assert told == pytest.approx([SOON, 2 * SOON, 4 * SOON])
    control.send(Stop())
    with pytest.raises(StalledError, match="did not answer for 5 s"):
        waits(watch, AFTER_STOP + 0.2, usual, stopped=True)


def test_a_process_that_stands_still_before_it_trains_is_told(tmp_path: Path) -> None:
    class SlowToBuild(ScriptedCrew):
        def build(self, preset: Preset, data_file: Path) -> str:
            self.watch(Wait((), 7, SOON, None, stopped=True))
            return super().build(preset, data_file)

    told: list[Event] = []
    falling = {arm: [0.5, 0.4, 0.3, 0.2, 0.1] for arm in ("baseline", "regularized")}
    result = run(small_preset(train={"epochs": 2}), tmp_path, Control(), told.append, SlowToBuild(falling))
    first = told[0]
    assert isinstance(first, Stalled)
    assert (
        first.words()
        == "a process that is to train (pid 7) is stopped: kill -CONT 7 lets it go on; it has not answered for 5 s"
    )
    history = History.of(told[:1])
    assert history.stalled == first, "the screen has words on it"
    history.add(told[1])
    assert history.stalled is None
    assert next(iter(read_events(result.folder))).kind == "run_started", "the log begins as any"


def test_a_stop_at_once_waits_for_nothing() -> None:
    control = Control()
    control.send(Stop(at_once=True))
    with pytest.raises(CrewClosedError):
        Watch(control, lambda _wait: None, patience=60)(Wait((), 1, 0.2, None))


class Live:
    """A run of real processes in a thread: after three epochs it waits until one was made to stand still."""

    def __init__(self, folder: Path, crew: ProcessCrew, preset: Preset | None = None) -> None:
        self.control = Control()
        self.events: list[Event] = []
        self.crew = crew
        self._goes_on = threading.Event()
        preset = preset or small_preset(train={"epochs": 100_000})
        self.thread = threading.Thread(target=run, args=(preset, folder, self.control, self._hear, crew))
        self.thread.start()
        try:
            self.until(lambda: any(isinstance(e, EpochDone) and e.epoch == 3 for e in self.events))
        except BaseException:
            self._goes_on.set()
            raise

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, EpochDone) and event.epoch == 3:
            self._goes_on.wait()

    def until(self, condition: Callable[[], object], seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.events[-3:]
            time.sleep(0.02)

    def freeze(self, arm: str) -> psutil.Process:
        (process,) = (p for p in self.crew.processes if arm in p.arms)
        frozen = psutil.Process(process.pid)
        frozen.suspend()
        self._goes_on.set()
        return frozen

    def stopped(self) -> list[Stalled]:
        """What was told of the one that stands still; others may be slow on a busy machine."""
        return [event for event in self.events if isinstance(event, Stalled) and event.stopped]

    def end(self) -> None:
        self.thread.join(timeout=180)
        assert not self.thread.is_alive()


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.setattr(trainer, "PATIENCE", 1.0)
    monkeypatch.setattr(process, "LOOKED_AT", 0.1)
    monkeypatch.setattr(watch, "SOON", 0.2)
    with ProcessCrew() as crew:
        run = Live(tmp_path, crew)
        yield run
    run.end()


@pytest.mark.slow
def test_the_arm_that_stands_still_is_told_and_goes_on_as_if_it_had_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOOKED_AT", 0.5)
    monkeypatch.setattr(watch, "SOON", 1.0)
    preset = small_preset(train={"epochs": 12})
    with ProcessCrew() as crew:
        undisturbed = run(preset, tmp_path, Control(), lambda _event: None, crew)
        live = Live(tmp_path, crew, preset)
        frozen = live.freeze("regularized")
        live.until(live.stopped)
        told = live.stopped()[0]
        assert ("regularized" in told.arms, told.pid) == (True, frozen.pid)
        going_on = f"is stopped: kill -CONT {frozen.pid} lets it go on; it has not answered for {told.seconds:.0f} s"
        assert told.words().endswith(going_on)
        frozen.resume()
        live.end()
        assert crew.idle
    assert isinstance(live.events[-1], RunFinished)
    assert (live.events[-1].status, live.events[-1].error) == ("finished", "")
    [folder] = [path for path in tmp_path.iterdir() if path != undisturbed.folder]
    assert_same(folder, undisturbed.folder)


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [False, True])
def test_a_stop_ends_in_order_though_an_arm_stands_still(live: Live, at_once: bool, tmp_path: Path) -> None:
    live.freeze("baseline")
    live.until(live.stopped)  # it is waited for, and not only for what it had done before
    live.control.send(Stop(at_once=at_once))
    live.end()
    (folder,) = tmp_path.iterdir()
    summary = read_summary(folder)
    assert summary is not None
    assert summary.status == "stopped"
    assert ("baseline" in summary.error, "did not answer" in summary.error) == (not at_once, not at_once)
    assert {arm.stop_reason for arm in summary.arms.values()} == {"stopped"}
    assert all(arm.final is not None for arm in summary.arms.values()), "what was measured before is kept"
    *_, first, second, last = read_events(folder)
    assert isinstance(first, ArmStopped)
    assert isinstance(second, ArmStopped)
    assert isinstance(last, RunFinished)
    assert not live.crew.idle, "it is not used again: an answer is still to come"


@pytest.mark.slow
def test_time_in_which_the_whole_program_stood_still_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "endless.toml").write_text(ENDLESS)
    program = (
        "from regtui.engine import trainer; trainer.PATIENCE = 7.0; from regtui.__main__ import main; "
        "import sys; sys.argv[1:] = ['--preset', 'endless.toml', '--headless']; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as started:  # fmt: skip
        assert started.stdout is not None
        for line in started.stdout:
            if "2/100000  regularized" in line:
                break
        os.killpg(started.pid, signal.SIGSTOP)  # as Ctrl-Z does, and as a closed laptop does to all
        time.sleep(8)
        os.killpg(started.pid, signal.SIGCONT)
        again = [next(started.stdout) for _ in range(6)]
        os.killpg(started.pid, signal.SIGINT)
        assert "has not answered" not in "".join([*again, *started.stdout])
    history = History.of(read_events(next((tmp_path / "logs").iterdir())))
    assert history.stood_still > 7
    assert history.finished is not None
    assert history.finished.train_seconds < history.going_seconds < history.seconds - 7


def children() -> set[psutil.Process]:
    """The processes that train; whoever stops one that is still being started stops this program too."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has just ended
            if "regtui.engine.worker" in " ".join(child.cmdline()):
                found.add(child)
    return found


@pytest.mark.parametrize("at_once", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("ready", [False, True], ids=["getting ready", "loading the data"])
def test_a_stop_does_not_wait_for_a_process_that_stands_still_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready: bool, at_once: bool
) -> None:
    monkeypatch.setattr(f"regtui.{'engine.run' if ready else 'tui.run.training'}.PATIENCE", 1.0)
    training, control, before = ProcessTraining(), Control(), children()
    outcomes: list[object] = []

    def tell(do: Callable[[], object]) -> None:
        try:
            outcomes.append(do())
        except RegtuiError as error:
            outcomes.append(error)

    if ready:
        training.warm_up()
    else:
        threading.Thread(target=tell, args=(training.warm_up,), daemon=True).start()
    deadline = time.monotonic() + 180
    while not (new := children() - before):
        assert time.monotonic() < deadline, outcomes
        time.sleep(0.001)
    for one in new:
        one.suspend()
    control.send(Stop(at_once=at_once))
    running = threading.Thread(
        target=tell,
        args=(lambda: training.run(small_preset(), tmp_path, control, lambda _: None, lambda _: None),),
        daemon=True,
    )
    running.start()
    running.join(timeout=180)
    training.close()
    assert not running.is_alive()
    assert children() - before == set()
    if at_once or ready:
        assert type(outcomes[-1]) is (CrewClosedError if at_once else StalledError)
        assert list(tmp_path.iterdir()) == []
    else:
        assert isinstance(outcomes[0], StalledError)
        assert isinstance(outcomes[1], RunResult)
        assert outcomes[1].summary.status == "stopped", "other processes have been started, and it stopped in order"


def test_closing_while_processes_get_ready_ends_them_at_once() -> None:
    training = ProcessTraining()
    answers: list[object] = []

    def warm_up() -> None:
        try:
            answers.append(training.warm_up())
        except CrewClosedError as error:
            answers.append(error)

    waiting = threading.Thread(target=warm_up)
    before = children()
    waiting.start()
    deadline = time.monotonic() + 180
    while len(children() - before) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    training.close()
    assert children() - before == set()
    waiting.join(timeout=180)
    assert [type(answer) for answer in answers] == [CrewClosedError]
    with pytest.raises(CrewClosedError):
        training.warm_up()
    assert children() - before == set()


@pytest.mark.slow
def test_processes_end_with_a_program_that_is_killed() -> None:
    program = (
        "from regtui.engine.crew import ProcessCrew; c = ProcessCrew(); c.warm_up(); print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as started:
        assert started.stdout is not None
        started.stdout.readline()
        children = psutil.Process(started.pid).children(recursive=True)
        # The one that forks the others comes first.
        children.sort(key=lambda child: len(child.children()), reverse=True)
        for child in children[:-1] or children:  # the last stays at work, where there are several
            child.suspend()
            while child.status() != psutil.STATUS_STOPPED:
                time.sleep(0.01)
        os.kill(started.pid, signal.SIGKILL)
    assert children
    _, alive = psutil.wait_procs(children, timeout=180)
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []
