"""A disk that does not answer, as a share that has gone away: training goes on without it, and what it had is saved."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from regtui import disk
from regtui.cli.wait import waited
from regtui.disk import Disk, HangsError
from regtui.engine.commands import Commands
from regtui.engine.crew import Crew, LocalCrew
from regtui.engine.process import CrewClosedError
from regtui.engine.resume import Changes, resume
from regtui.engine.run import HandedOver, RunResult, run
from regtui.protocol.answers import refused
from regtui.protocol.control import Control, HandOver, SetPatience, Stop
from regtui.protocol.events import ArmStopped, ControlApplied, EpochDone, Event, Saving, Scored, StepsDone
from regtui.protocol.history import History
from regtui.remote import service
from regtui.runs import event_file
from regtui.runs.checkpoint import read_manifest
from regtui.runs.event_file import EventFile
from regtui.runs.events import read_events
from regtui.runs.lock import is_locked
from regtui.runs.log import RunLog
from regtui.runs.resumable import resumable
from regtui.tui.app import RegtuiApp
from tests.conftest import small_preset
from tests.remote_double import OpenRun, Watcher, wait_for
from tests.screen_double import ScriptedTraining, text_of, until
from tests.scripted import ScriptedCrew
from tests.telling import Telling

DEADLINE = 120.0
ROOT = Path(__file__).parent.parent
EPOCHS = 8
LOSSES = {"baseline": [1.0 / n for n in range(1, EPOCHS + 1)], "regularized": [1.1 / n for n in range(1, EPOCHS + 1)]}


class Hanging:
    """A function of `os` that does not return, from when it is told to hang until it is told to answer.

    Attributes:
        caught: Set when a call hangs.
        asked: Where the program called it meanwhile in a thread that has to go on.
    """

    def __init__(
        self, name: str, monkeypatch: pytest.MonkeyPatch, which: Callable[..., bool] = lambda *_args: True
    ) -> None:
        self._own: Callable[..., Any] = getattr(os, name)
        self._which = which
        self._answers = threading.Event()
        self._answers.set()
        self.caught = threading.Event()
        self.asked: list[list[str]] = []
        self._of_earlier_tests = {*threading.enumerate()} - {threading.current_thread()}
        monkeypatch.setattr(os, name, self)
        monkeypatch.setattr(disk, "threading", SimpleNamespace(Thread=threading.Thread, Event=self._only_now))

    @property
    def hangs(self) -> bool:
        """Whether a call hangs now."""
        return self.caught.is_set() and not self._answers.is_set()

    def _only_now(self) -> threading.Event:
        """An event for which nobody waits in vain but while a call hangs: a busy machine is no disk that hangs."""
        return _Awaited(self)

    def __call__(self, *args: Any, **options: Any) -> Any:
        thread = threading.current_thread()
        if not self._answers.is_set() and thread not in self._of_earlier_tests and self._which(*args):
            if thread.name == "disk":
                self.caught.set()
                assert self._answers.wait(DEADLINE)
                return self._own(*args, **options)
            places = _places_in_our_code()
            if places and places[0].startswith("regtui") and not any("remote/client.py" in place for place in places):
                self.asked.append(places)  # a viewer may wait
        return self._own(*args, **options)

    def hang(self) -> None:
        self._answers.clear()

    def answer(self) -> None:
        self._answers.set()


class _Awaited(threading.Event):
    def __init__(self, hanging: Hanging) -> None:
        super().__init__()
        self._hanging = hanging

    def wait(self, timeout: float | None = None) -> bool:
        deadline = time.monotonic() + DEADLINE
        while not self.is_set() and not self._hanging.hangs:
            assert time.monotonic() < deadline
            super().wait(0.002)
        return super().wait(timeout)


def _places_in_our_code() -> list[str]:
    """The lines of the program and its tests that are being carried out in this thread, from the innermost on."""
    places = []
    for frame, line in traceback.walk_stack(sys._getframe(2)):
        with suppress(ValueError):
            places.append(f"{Path(frame.f_code.co_filename).relative_to(ROOT)}:{line}")
    return places


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Disk.__init__, "__defaults__", (0.05,))
    monkeypatch.setattr(service, "AT_MOST", 0.05)


def train(
    logs: Path, at: Callable[[Event], object], control: Control | None = None, crew: Crew | None = None
) -> tuple[RunResult, list[Event]]:
    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        at(event)

    preset = small_preset(train={"epochs": EPOCHS})
    return run(preset, logs, control or Control(), emit, crew or ScriptedCrew(LOSSES)), events


def insists(control: Control, event: Event) -> None:
    """Ask again that a run be handed over, if it was not: a busy disk may take longer than its patience here."""
    if isinstance(event, ControlApplied) and not event.accepted:
        control.send(HandOver())


def is_epoch(event: Event, epoch: int, arm: str = "regularized") -> bool:
    return isinstance(event, EpochDone) and (event.arm, event.epoch) == (arm, epoch)


def waits(event: Event) -> bool:
    return isinstance(event, Saving) and event.what == "disk" and not event.saved


def assert_all_saved(result: RunResult, events: list[Event]) -> None:
    assert (result.summary.status, result.summary.unsaved) == ("finished", "")
    kept, shown = History.of(read_events(result.folder)), History.of(events)
    assert [len(arm.epochs) for arm in kept.arms.values()] == [EPOCHS, EPOCHS]
    assert [arm.step_losses for arm in kept.arms.values()] == [arm.step_losses for arm in shown.arms.values()]
    assert shown.unsaved == {}
    manifest = read_manifest(result.folder / "checkpoint")
    assert manifest is not None
    assert manifest.epoch == EPOCHS
    assert all((result.folder / "checkpoint" / files.last).exists() for files in manifest.arms.values())


@pytest.mark.parametrize("what", ["write", "fsync", "open", "replace", "stat", "mkdir", "listdir", "unlink"])
def test_training_goes_on_while_a_disk_hangs_and_all_is_saved_when_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    hanging = Hanging(what, monkeypatch)
    meanwhile = 0

    def at(event: Event) -> None:
        nonlocal meanwhile
        if is_epoch(event, 2):
            hanging.hang()
        if isinstance(event, EpochDone) and hanging.caught.is_set():
            meanwhile += 1
        if is_epoch(event, 6):
            hanging.answer()

    result, events = train(tmp_path, at)
    assert_all_saved(result, events)
    words = [event.words for event in events if isinstance(event, Saving) and not event.saved and not waits(event)]
    assert all("since epoch" in word and "the disk does not answer" in word for word in words)
    assert bool(words) is hanging.caught.is_set()
    assert hanging.caught.is_set() or what in {"mkdir", "listdir", "unlink"}, "each event is written and synced"
    assert meanwhile >= 2 or not hanging.caught.is_set()
    assert hanging.asked == []


def test_what_an_arm_writes_while_it_trains_on_is_in_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, _ = train(tmp_path / "undisturbed", lambda _event: None, crew=LocalCrew())
    hanging = Hanging("fsync", monkeypatch, lambda file: "safetensors" in str(Path(f"/proc/self/fd/{file}").readlink()))
    committed: list[int] = []

    def at(event: Event) -> None:
        if is_epoch(event, 2):
            hanging.hang()
        if is_epoch(event, 5):
            (folder,) = (tmp_path / "disturbed").iterdir()
            manifest = read_manifest(folder / "checkpoint")
            assert manifest is not None
            committed.append(manifest.epoch)
            hanging.answer()

    result, events = train(tmp_path / "disturbed", at, crew=LocalCrew())
    assert hanging.caught.is_set()
    assert committed == [1]
    assert_all_saved(result, events)
    for path in (undisturbed.folder / "checkpoint").glob("*.safetensors"):
        tensors, again = load_file(path), load_file(result.folder / "checkpoint" / path.name)
        assert tensors.keys() == again.keys()
        assert all(torch.equal(tensor, again[name]) for name, tensor in tensors.items())


@pytest.mark.parametrize("what", ["write", "replace"])
def test_a_run_that_has_ended_waits_for_the_disk_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    hanging = Hanging(what, monkeypatch)

    def at(event: Event) -> None:
        if is_epoch(event, 6):
            hanging.hang()
        if waits(event):
            assert hanging.caught.is_set()
            hanging.answer()

    result, events = train(tmp_path, at)
    assert hanging.caught.is_set()
    assert_all_saved(result, events)


@pytest.mark.parametrize(("what", "last"), [("write", Scored), ("fsync", ArmStopped)])
def test_so_does_one_whose_disk_hangs_only_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, last: type[Event]
) -> None:
    hanging = Hanging(what, monkeypatch)

    def at(event: Event) -> None:
        if isinstance(event, last):
            hanging.hang()
        if waits(event):
            hanging.answer()

    result, events = train(tmp_path, at)
    assert hanging.caught.is_set()
    assert_all_saved(result, events)


def test_a_stop_does_not_wait_for_the_weights_and_one_at_once_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, control = Hanging("write", monkeypatch), Control()

    def at(event: Event) -> None:
        if is_epoch(event, 3):
            hanging.hang()
        if is_epoch(event, 5):
            control.send(Stop())
        if waits(event):
            assert isinstance(event, Saving)
            assert event.words.startswith("the run has ended")
            control.send(Stop(at_once=True))

    result, events = train(tmp_path, at, control)
    hanging.answer()
    assert any(isinstance(event, Scored) for event in events)
    assert result.summary.status == "stopped"
    assert "the log is not whole" in result.summary.unsaved
    assert "the weights are not saved" in result.summary.unsaved
    assert "the summary is not saved" in result.summary.unsaved


def test_it_is_not_handed_over_to_a_process_that_would_find_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, control = Hanging("fsync", monkeypatch), Control()

    def at(event: Event) -> None:
        if is_epoch(event, 3):
            hanging.hang()
            control.send(HandOver())
        if is_epoch(event, 6):
            hanging.answer()

    result, events = train(tmp_path, at, control)
    assert_all_saved(result, events)
    (answer,) = [event for event in events if isinstance(event, ControlApplied) and event.command == "hand_over"]
    assert not answer.accepted
    assert "the disk does not answer" in answer.why


def test_if_the_disk_hangs_just_then_it_goes_on_here_which_is_said_and_can_be_left_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk.__init__, "__defaults__", (0.3,))  # a busy disk may take longer than the others' patience
    hanging, control, answers = Hanging("fsync", monkeypatch), Control(), list[ControlApplied]()
    saved, fault_now, asked = Commands.saved, RunLog.fault_now, list[Disk]()

    def hang_after_the_checkpoint(commands: Commands) -> None:
        saved(commands)
        if commands._progress.epoch == 3:
            hanging.hang()

    def find_fault(log: RunLog) -> str:
        asked.append(log.disk)
        return fault_now(log)

    def at(event: Event) -> None:
        if is_epoch(event, 3) or is_epoch(event, 6):
            control.send(HandOver())
        if isinstance(event, ControlApplied):
            answers.append(event)
        if len(answers) > 1:
            insists(control, event)
        if is_epoch(event, 5):
            hanging.answer()
            wait_for(asked[0]._done.is_set)

    monkeypatch.setattr(RunLog, "fault_now", find_fault)
    monkeypatch.setattr(Commands, "saved", hang_after_the_checkpoint)
    with pytest.raises(HandedOver) as over:
        train(tmp_path, at, control)
    assert [answer.accepted for answer in (answers[0], answers[-1])] == [False, True]
    words = "The run goes on here: the run's folder can't be written: the disk does not answer ("
    assert refused(answers[0]).startswith(words)
    assert resumable(over.value.folder).epoch >= 6


@pytest.mark.parametrize("gives_up", [False, True])
@pytest.mark.parametrize("what", ["fsync", "replace"])
def test_one_that_is_being_handed_over_waits_for_the_disk_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, gives_up: bool
) -> None:
    hanging, control, told = Hanging(what, monkeypatch), Control(), list[str]()

    def at(event: Event) -> None:
        if is_epoch(event, 3):
            control.send(HandOver())
        insists(control, event)
        if isinstance(event, ControlApplied) and event.accepted:
            hanging.hang()
        if isinstance(event, Saving) and event.what == "disk" and hanging.caught.is_set():
            told.append(event.words)
            if gives_up:
                control.send(Stop(at_once=True))
            elif not event.saved:
                hanging.answer()

    with pytest.raises(HandedOver) as over:
        train(tmp_path, at, control)
    assert told[0] == "the run is handed over when the disk answers; a stop at once ends it before"
    assert is_locked(over.value.folder) is gives_up, "nobody else trains it before the disk has what it has"
    hanging.answer()
    wait_for(lambda: not is_locked(over.value.folder))
    assert resumable(over.value.folder).epoch >= 3


# Before it trains


def is_awaited(event: Event) -> bool:
    return waits(event) and getattr(event, "words", "").startswith("waiting: the disk does not answer")


@pytest.fixture
def disks(monkeypatch: pytest.MonkeyPatch) -> list[Disk]:
    """The disks that runs are begun and resumed on."""
    made: list[Disk] = []

    def make() -> Disk:
        made.append(Disk())
        return made[-1]

    for place in ("run", "resume"):
        monkeypatch.setattr(f"regtui.engine.{place}.Disk", make)
    return made


@pytest.mark.parametrize("what", ["mkdir", "open", "replace", "stat"])
def test_a_new_run_waits_for_the_disk_of_its_folder_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    hanging = Hanging(what, monkeypatch)
    hanging.hang()
    result, events = train(tmp_path, lambda event: hanging.answer() if is_awaited(event) else None)
    assert_all_saved(result, events)
    begun = next(place for place, event in enumerate(events) if event.kind == "run_started")
    told = [event for event in events[:begun] if isinstance(event, Saving)]
    words = f"waiting: the disk does not answer, or takes long ({tmp_path})"
    assert [(one.words, one.saved) for one in told] == [(words, False), ("the disk is no longer waited for", True)]


@pytest.mark.parametrize("what", ["mkdir", "open"])
def test_a_stop_ends_that_wait_and_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disks: list[Disk], what: str
) -> None:
    hanging, control, logs = Hanging(what, monkeypatch), Control(), tmp_path / "logs"
    hanging.hang()

    def at(event: Event) -> None:
        if is_awaited(event):
            control.send(Stop())

    with pytest.raises(CrewClosedError, match="the disk does not answer, or takes long"):
        train(logs, at, control)
    assert hanging.caught.is_set()
    hanging.answer()
    for own in disks:
        own.silent = lambda: None
        own(lambda: None)
    assert not logs.exists()


def handed_over(logs: Path) -> Path:
    control = Control()
    control.send(HandOver())
    with pytest.raises(HandedOver) as over:
        train(logs, lambda event: insists(control, event), control)
    return over.value.folder


@pytest.mark.parametrize("what", ["open", "stat", "replace"])
def test_a_run_that_is_resumed_waits_for_its_disk_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    folder, hanging, events = handed_over(tmp_path), Hanging(what, monkeypatch), list[Event]()
    hanging.hang()

    def emit(event: Event) -> None:
        events.append(event)
        if is_awaited(event):
            assert getattr(event, "words", "").endswith(f" ({folder})")
            hanging.answer()

    result = resume(folder, Changes(), Control(), emit, ScriptedCrew(LOSSES))
    first = [event.kind for event in events]
    assert {*first[: first.index("interrupted")]} == {"saving"}
    assert_all_saved(result, [*read_events(folder)])


@pytest.mark.parametrize("what", ["open", "stat", "replace"])
def test_a_stop_ends_that_wait_and_the_run_can_be_resumed_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disks: list[Disk], what: str
) -> None:
    folder, hanging, control = handed_over(tmp_path), Hanging(what, monkeypatch), Control()
    hanging.hang()

    def emit(event: Event) -> None:
        if is_awaited(event):
            control.send(Stop())

    with pytest.raises(CrewClosedError, match="the disk does not answer, or takes long"):
        resume(folder, Changes(), control, emit, ScriptedCrew(LOSSES))
    hanging.answer()
    for own in disks:
        own.silent = lambda: None
        own(lambda: None)
    assert not is_locked(folder)
    assert resumable(folder).epoch >= 1


def test_the_command_line_waits_and_says_so_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()
    monkeypatch.setattr("regtui.cli.wait.complain", said.append)

    def job() -> str:
        wait_for(lambda: said)
        threading.Event().wait(0.1)
        return "answer"

    assert waited(tmp_path, job) == "answer"
    assert said == [f"regtui: waiting, and Ctrl-C ends that: the disk does not answer, or takes long ({tmp_path})"]


async def test_the_screen_says_that_a_run_waits_before_it_begins(tmp_path: Path) -> None:
    answers = threading.Event()
    words = f"waiting: the disk does not answer, or takes long ({tmp_path})"

    class Waiting(ScriptedTraining):
        def run(self, *how: Any) -> RunResult:
            emit: Callable[[Event], None] = how[3]
            emit(Saving(t=0.0, what="disk", saved=False, words=words))
            assert answers.wait(DEADLINE)
            emit(Saving(t=0.0, what="disk", saved=True, words="the disk is no longer waited for"))
            return super().run(*how)

    training = Waiting()
    app = RegtuiApp(tmp_path / "logs", small_preset(), start=True, training=training)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: " waiting: the disk does not answer, or takes long" in text_of(app))
        assert "NOT SAVED" not in text_of(app), "there is nothing yet"
        answers.set()
        training.open(100)
        await until(pilot, lambda: app.session is not None and app.session.history.started is not None)
        await until(pilot, lambda: "waiting: the disk" not in text_of(app))
        training.close()


@pytest.mark.parametrize("what", ["write", "stat"])
def test_viewers_are_told_what_is_not_saved_and_steer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(service, "LOOK", 0.02)
    preset = small_preset()
    telling = Telling(preset).start()
    hanging = Hanging(what, monkeypatch)
    with OpenRun.going_on(tmp_path, preset) as going:
        going.tell(telling.events[0])
        watchers = [Watcher(going.folder), Watcher(going.folder)]
        watchers[0].link.connect()
        hanging.hang()
        for event in telling.epochs([1, 0.5], [1, 0.4]).steps("baseline", [1, 2]).events[1:]:
            going.tell(event)
        watchers[1].link.connect()
        wait_for(lambda: all(watcher.history == going.history for watcher in watchers))
        assert "the disk does not answer" in going.history.unsaved["log"]
        for patience, watcher in enumerate(watchers, start=1):
            watcher.link.send(SetPatience(patience=patience))
            command = going.control.take(timeout=DEADLINE)
            assert isinstance(command, SetPatience)
            assert command.patience == patience
        hanging.answer()
        while going.history.unsaved:
            going.tell(telling.pause().events[-1])
        wait_for(lambda: all(watcher.history == going.history for watcher in watchers))
        assert hanging.asked == []
        for watcher in watchers:
            watcher.link.close()


def test_memory_stays_bounded_while_a_write_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_file, "KEPT", 5_000)
    hanging = Hanging("write", monkeypatch)
    file, own = EventFile(tmp_path / "events.jsonl"), Disk()

    def add(first: int, last: int) -> None:
        for step in range(first, last):
            file.add(StepsDone(t=step, arm="baseline", epoch=1, first_step=10 * step, losses=[0.5, None] * 5))

    add(0, 50)
    hanging.hang()
    with pytest.raises(HangsError):
        own(lambda: file.save(tmp_path / "events.jsonl"))
    add(50, 2_050)
    kept = sum(len(event.losses) for event in file.written[1] if isinstance(event, StepsDone))
    assert 0 < kept < 5_000
    hanging.answer()
    own.silent = lambda: None
    own(lambda: file.save(tmp_path / "events.jsonl"))
    assert file.lost == 20_000 - kept, "what was being written is not lost"
    found = [event for event in read_events(tmp_path) if isinstance(event, StepsDone)]
    assert sum(len(event.losses) for event in found) == 500 + kept
    assert found[0].losses == [0.5, None] * 5
    file.close()


def test_a_job_s_result_and_error_are_its_caller_s() -> None:
    own = Disk(DEADLINE)
    assert own(lambda: threading.current_thread().name) == "disk"
    with pytest.raises(ZeroDivisionError):
        own(lambda: 1 // 0)
    assert own(lambda: 5) == 5


def test_only_one_call_waits_and_no_later_one_until_the_disk_answers() -> None:
    own, answers, order = Disk(), threading.Event(), list[str]()

    def first() -> None:
        assert answers.wait(DEADLINE)
        order.append("first")

    for job in (first, lambda: order.append("never"), lambda: order.append("never")):
        with pytest.raises(HangsError):
            own(job)
    answers.set()
    own.silent = lambda: None
    own(lambda: order.append("later"))
    assert order == ["first", "later"]


def test_many_bytes_have_more_time() -> None:
    own = Disk(0.02)
    assert own(lambda: threading.Event().wait(0.2), size=50_000_000) is False


def test_time_in_which_the_program_stood_still_is_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1e9)
    assert Disk(DEADLINE)(lambda: "answer") == "answer"


def test_its_thread_ends_with_it() -> None:
    own, threads = Disk(DEADLINE), list[threading.Thread]()
    own(lambda: threads.append(threading.current_thread()))
    del own
    gc.collect()
    threads[0].join(DEADLINE)
    assert not threads[0].is_alive()
