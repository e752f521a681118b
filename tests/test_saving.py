"""Whatever happens to a run's folder while it is written: training goes on, it is said, and nothing is lost unsaid."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from regtui.arm.arm import Arm
from regtui.arm.reports import Saved
from regtui.arm.split import load
from regtui.cli import headless
from regtui.engine.run import RunResult, run
from regtui.files import write_whole
from regtui.preset.model import Preset
from regtui.protocol.control import Control
from regtui.protocol.events import EpochDone, Event, RunFinished, RunStarted, Saving, Scored, StepsDone
from regtui.protocol.history import History
from regtui.runs import event_file
from regtui.runs import log as runlog
from regtui.runs.checkpoint import read_manifest
from regtui.runs.event_file import EventFile
from regtui.runs.events import read_events
from regtui.runs.summary import read_summary
from regtui.tui.app import RegtuiApp
from regtui.tui.run.not_saved import NotSaved
from tests import command
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, text_of, until
from tests.scripted import ScriptedCrew

LOSSES = {"baseline": [1.0, 0.9, 0.8, 0.7, 0.6], "regularized": [1.1, 0.9, 0.7, 0.8, 0.9]}
EPOCHS = len(LOSSES["baseline"])


def train(
    tmp_path: Path, at: Callable[[Event, Path], object], crew: ScriptedCrew | None = None
) -> tuple[RunResult, list[Event]]:
    """A scripted run; `at` gets each event with the run's folder, just after it was told."""
    events: list[Event] = []
    folder = tmp_path

    def begun(made: Path) -> None:
        nonlocal folder
        folder = made

    def emit(event: Event) -> None:
        events.append(event)
        at(event, folder)

    preset = small_preset(train={"epochs": EPOCHS})
    return run(preset, tmp_path / "logs", Control(), emit, crew or ScriptedCrew(LOSSES), begun), events


def told_of_saving(events: list[Event]) -> list[tuple[str, bool]]:
    return [(event.what, event.saved) for event in events if isinstance(event, Saving)]


def assert_whole(result: RunResult, events: list[Event]) -> None:
    """Every event and every step that was told is in the run's folder, in order."""
    kept = list(read_events(result.folder))
    assert [e for e in kept if not isinstance(e, StepsDone | Saving)] == [
        e for e in events if not isinstance(e, StepsDone | Saving)
    ]
    for arm in LOSSES:
        told, saved = (
            [loss for e in some if isinstance(e, StepsDone) and e.arm == arm for loss in e.losses]
            for some in (events, kept)
        )
        assert saved == told
    assert read_summary(result.folder) == result.summary
    assert (result.summary.status, result.summary.unsaved) == ("finished", "")
    assert {path.name for path in result.folder.iterdir()} >= {"preset.toml", "run.json", "checkpoint"}
    assert not list(result.folder.rglob("*.tmp"))


def remove(folder: Path) -> None:
    (folder / "events.jsonl").unlink()


def empty(folder: Path) -> None:
    os.truncate(folder / "events.jsonl", 0)


def cut(folder: Path) -> None:
    os.truncate(folder / "events.jsonl", (folder / "events.jsonl").stat().st_size // 2)


def replace(folder: Path) -> None:
    (folder / "other").write_text("something else\n" * 1000)
    (folder / "other").rename(folder / "events.jsonl")


def overwrite(folder: Path) -> None:
    (folder / "events.jsonl").write_bytes(b"x" * (2 * (folder / "events.jsonl").stat().st_size))


def append(folder: Path) -> None:
    with (folder / "events.jsonl").open("a") as file:
        file.write("a note of mine\n")


def link_elsewhere(folder: Path) -> None:
    remove(folder)
    (folder / "events.jsonl").symlink_to("/dev/null")


def remove_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # a program that is writing there removes files too


def remove_all_runs(folder: Path) -> None:
    shutil.rmtree(folder.parent)


def move_folder(folder: Path) -> None:
    folder.rename(folder.parent.parent / "kept")


def copy_and_remove_folder(folder: Path) -> None:
    shutil.copytree(folder, folder.parent.parent / "kept", ignore=shutil.ignore_patterns("*.sock"))
    shutil.rmtree(folder)


def remove_small_files(folder: Path) -> None:
    (folder / "preset.toml").unlink()
    (folder / "run.json").unlink()
    shutil.rmtree(folder / "checkpoint")


HARMS = (
    remove, empty, cut, replace, overwrite, append, link_elsewhere, remove_folder, remove_all_runs, move_folder,
    copy_and_remove_folder, remove_small_files,
)  # fmt: skip
MOMENTS: dict[str, Callable[[Event], bool]] = {
    "at the start": lambda event: isinstance(event, RunStarted),
    "in the first epoch": lambda event: isinstance(event, StepsDone) and event.epoch == 1,
    "after an epoch": lambda event: isinstance(event, EpochDone) and event.epoch == 3,
    "after the last epoch": lambda event: isinstance(event, EpochDone) and event.epoch == EPOCHS,
    "after the test": lambda event: isinstance(event, Scored),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("harm", HARMS)
def test_what_is_done_to_the_files_is_said_and_mended(
    tmp_path: Path, harm: Callable[[Path], None], moment: str
) -> None:
    done = False

    def at(event: Event, folder: Path) -> None:
        nonlocal done
        if not done and MOMENTS[moment](event):
            done = True
            harm(folder)

    result, events = train(tmp_path, at)
    assert done
    assert_whole(result, events)
    told = told_of_saving(events)
    assert all(saved for _, saved in told), "nothing stayed unsaved"
    assert len(told) == (0 if harm is remove_small_files else 1), "one line"
    moved = harm is move_folder
    assert result.folder == (tmp_path / "kept" if moved else result.folder)
    assert len(list((tmp_path / "logs").iterdir())) == (0 if moved else 1)


@pytest.mark.parametrize("number", [1, 2, 7])
def test_harm_done_again_and_again_is_mended_each_time(tmp_path: Path, number: int) -> None:
    harms = itertools.cycle((remove, cut, overwrite, remove_folder)[:number] if number < 7 else HARMS[:7])

    def at(event: Event, folder: Path) -> None:
        if isinstance(event, EpochDone):
            next(harms)(folder)

    result, events = train(tmp_path, at)
    assert_whole(result, events)
    assert len(told_of_saving(events)) == 2 * EPOCHS


FAULTS = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "quota",
    errno.EIO: "the disk is failing",
    errno.EROFS: "make the file system writable",
    errno.ESTALE: "the network share has gone away",
    errno.EACCES: "check the permissions",
    errno.ENOENT: "the folder above it has gone",
}


class Layer:
    """A file system that fails while `code` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
        self.code = 0
        self.calls = 0
        own_write, own_lstat = os.write, Path.lstat

        def write(descriptor: int, data: bytes) -> int:
            if self.code and "events." in os.path.realpath(f"/proc/self/fd/{descriptor}"):
                self.calls += 1
                if self.calls == 1:
                    own_write(descriptor, data[:7])  # a disk takes what finds room, and then no more
                raise OSError(self.code, os.strerror(self.code))
            return own_write(descriptor, data)

        def lstat(path: Path) -> os.stat_result:
            if self.code and path.name == "events.jsonl":
                raise OSError(self.code, os.strerror(self.code))
            return own_lstat(path)

        if part == "write":
            monkeypatch.setattr(os, "write", write)
        else:
            monkeypatch.setattr(Path, "lstat", lstat)


@pytest.mark.parametrize(
    ("part", "code"),
    [(part, code) for part in ("write", "stat") for code in FAULTS if (part, code) != ("stat", errno.ENOENT)],
)
@pytest.mark.parametrize("again", [True, False])
def test_what_cannot_be_written_is_said_tried_again_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, part: str, again: bool
) -> None:
    layer = Layer(monkeypatch, part)

    def at(event: Event, _: Path) -> None:
        if isinstance(event, EpochDone) and event.arm == "regularized":
            layer.code = {2: code, 4: 0 if again else code}.get(event.epoch, layer.code)

    result, events = train(tmp_path, at)
    begins, *ends = [event for event in events if isinstance(event, Saving) and event.what == "log"]
    waits, *_ = [event for event in events if isinstance(event, Saving) and event.what == "weights"]
    assert "they wait for the log" in waits.words, "without it, nothing could be resumed from them"
    assert not begins.saved
    assert "since epoch 3" in begins.words or "since epoch 2" in begins.words, "the last one that was measured"
    assert os.strerror(code) in begins.words
    assert FAULTS[code] in begins.words
    assert "events.jsonl" in begins.words
    if again:
        assert [end.saved for end in ends] == [True]
        assert_whole(result, events)
        return
    assert ends == []
    assert result.summary.status == "finished", "which is how training went"
    assert begins.words in result.summary.unsaved
    assert read_summary(result.folder) == result.summary, "a file of its own, which found room"


@pytest.mark.parametrize("code", FAULTS)
def test_a_disk_that_tells_only_when_it_is_synced_that_it_was_full_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    own = os.fsync

    def fsync(descriptor: int) -> None:
        if "events." in os.path.realpath(f"/proc/self/fd/{descriptor}"):
            raise OSError(code, os.strerror(code))
        own(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    result, events = train(tmp_path, lambda *_: None)
    assert told_of_saving(events) == [("weights", False), ("log", False), ("weights", True)], "at last without a log"
    assert FAULTS[code] in result.summary.unsaved


class HalfFull(ScriptedCrew):
    """Finds room for the first arm only."""

    def _save(self, arm: str, folder: Path, step: int, ended: Sequence[str]) -> Saved:
        saved = super()._save(arm, folder, step, ended)
        return saved if arm == "baseline" else Saved(None, f"No room ({folder})")


def test_what_a_failed_commit_has_left_does_not_fill_the_disk(tmp_path: Path) -> None:
    files: list[int] = []

    def at(event: Event, folder: Path) -> None:
        if isinstance(event, EpochDone) and event.arm == "baseline":
            files.append(len(list((folder / "checkpoint").iterdir())))

    result, _ = train(tmp_path, at, HalfFull(LOSSES))
    assert "the weights are not saved since epoch 1" in result.summary.unsaved
    assert files == [0] * EPOCHS


@pytest.mark.parametrize("code", FAULTS)
def test_a_summary_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    own = write_whole

    def write(path: Path, content: bytes) -> None:
        if path.name == "summary.json":
            raise OSError(code, os.strerror(code))
        own(path, content)

    monkeypatch.setattr(runlog, "write_whole", write)
    result, events = train(tmp_path, lambda *_: None)
    assert told_of_saving(events) == [("summary", False)]
    assert isinstance(events[-1], RunFinished)
    assert result.summary.status == "finished"
    assert "the summary is not saved" in result.summary.unsaved
    assert FAULTS[code] in result.summary.unsaved


class Forgetful(ScriptedCrew):
    """Can't save the weights of `arm` in the epochs `failing`."""

    def __init__(self, arm: str, failing: range) -> None:
        super().__init__(LOSSES)
        self.arm, self.failing = arm, failing

    def _save(self, arm: str, folder: Path, step: int, ended: Sequence[str]) -> Saved:
        assert folder.is_dir()
        if arm == self.arm and self._epochs[arm] in self.failing:
            return Saved(None, f"{folder}: no room")
        return super()._save(arm, folder, step, ended)


@pytest.mark.parametrize("arm", LOSSES)
def test_weights_that_cannot_be_saved_end_no_run(tmp_path: Path, arm: str) -> None:
    result, events = train(tmp_path, lambda *_: None, Forgetful(arm, range(2, 4)))
    told = [event for event in events if isinstance(event, Saving)]
    assert [(t.what, t.saved) for t in told] == [("weights", False), ("weights", True)]
    assert "since epoch 2" in told[0].words
    assert_whole(result, events)
    result, events = train(tmp_path, lambda *_: None, Forgetful(arm, range(2, 100)))
    assert result.summary.status == "finished"
    assert "the weights are not saved since epoch 2" in result.summary.unsaved
    assert read_summary(result.folder) == result.summary


def test_the_weights_of_an_arm_that_stopped_unsaved_are_tried_again(tmp_path: Path) -> None:
    crew = Forgetful("regularized", range(0))
    preset = small_preset(train={"epochs": 5}, regularized={"early_stopping": {"patience": 1}})
    asked, save_it = 0, crew._save

    def save(arm: str, folder: Path, step: int, ended: Sequence[str]) -> Saved:
        nonlocal asked
        if arm == "regularized" and crew._epochs[arm] == 4:
            asked += 1
            assert arm in ended
            if asked == 1:
                return Saved(None, "no room")
        return save_it(arm, folder, step, ended)

    crew._save = save  # type: ignore[method-assign]
    events: list[Event] = []
    result = run(preset, tmp_path, Control(), events.append, crew)
    assert asked == 2, "once when it stopped in epoch 4, and once more in epoch 5"
    assert (result.summary.unsaved, told_of_saving(events)) == ("", [("weights", False), ("weights", True)])


@pytest.fixture(scope="module")
def arm() -> Arm:
    from regtui.data.source import ensure

    preset, cpu = small_preset(), torch.device("cpu")
    return Arm("baseline", preset, load(ensure("mnist"), preset.data, 0, cpu), cpu)


@pytest.mark.parametrize("code", FAULTS)
@pytest.mark.parametrize("part", ["open", "replace", "mkdir"])
def test_an_arm_that_can_t_be_saved_names_folder_and_cause_alike_at_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arm: Arm, part: str, code: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, part, fail)
    saved = arm.save(tmp_path / "checkpoint", 10, [])
    assert saved.files is None
    assert saved.fault.endswith(f" ({tmp_path / 'checkpoint'})")
    assert FAULTS[code] in saved.fault
    assert arm.save(tmp_path / "checkpoint", 20, []) == saved, "what has been told is not told again"


@pytest.mark.parametrize("code", FAULTS)
@pytest.mark.parametrize("part", ["open", "replace"])
def test_a_manifest_that_can_t_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, code: int
) -> None:
    do = getattr(Path, part)
    steps = []

    def fail(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name.startswith(".manifest.json"):
            manifest = read_manifest(path.parent)
            steps.append(manifest and manifest.step)
            if manifest is not None and len(steps) < 4:
                raise OSError(code, os.strerror(code))
        return do(path, *args, **kwargs)

    monkeypatch.setattr(Path, part, fail)
    result, events = train(tmp_path, lambda *_: None)
    assert steps == [None, 10, 10, 10, *(range(40, 10 * EPOCHS, 10))]
    told = [event for event in events if isinstance(event, Saving)]
    assert [(t.what, t.saved) for t in told] == [("weights", False), ("weights", True)]
    assert FAULTS[code] in told[0].words
    assert_whole(result, events)


def test_a_checkpoint_s_folder_that_has_gone_is_made_anew(tmp_path: Path, arm: Arm) -> None:
    saved = arm.save(tmp_path / "checkpoint", 10, [])
    assert saved.files is not None
    assert {path.name for path in (tmp_path / "checkpoint").iterdir()} == {saved.files.last}


def test_what_had_been_saved_of_an_arm_that_stopped_is_saved_again_once_it_has_gone(tmp_path: Path) -> None:
    def remove_weights(event: Event, folder: Path) -> None:
        if isinstance(event, EpochDone) and event.epoch == EPOCHS:
            shutil.rmtree(folder / "checkpoint", ignore_errors=True)

    crew = ScriptedCrew({"baseline": [1.0] * EPOCHS, "regularized": list(LOSSES["regularized"])})
    preset = small_preset(train={"epochs": EPOCHS}, baseline={"early_stopping": {"patience": 1}})
    begun: list[Path] = []
    result = run(preset, tmp_path, Control(), lambda e: remove_weights(e, begun[0]), crew, begun.append)
    assert result.history.arms["baseline"].epochs[-1].epoch < EPOCHS
    manifest = read_manifest(result.folder / "checkpoint")
    assert manifest is not None
    for files in manifest.arms.values():
        assert (result.folder / "checkpoint" / files.last).exists()
    assert result.summary.unsaved == ""


def test_memory_stays_bounded_however_long_a_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_file, "KEPT", 5_000)
    file = EventFile(tmp_path / "events.jsonl")
    for step in range(1, 2_001):
        file.add(StepsDone(t=step, arm="baseline", epoch=1, first_step=10 * step, losses=[0.5] * 10))
    kept = sum(len(event.losses) for event in file.written[1] if isinstance(event, StepsDone))
    assert 0 < kept < 5_000
    assert file.lost == 20_000 - kept
    file.save(tmp_path / "events.jsonl")
    assert sum(len(e.losses) for e in read_events(tmp_path) if isinstance(e, StepsDone)) == kept
    file.close()


def test_steps_that_are_nowhere_any_more_are_said_to_be_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_file, "KEPT", 100)

    def at(event: Event, folder: Path) -> None:
        if isinstance(event, EpochDone) and (event.arm, event.epoch) == ("regularized", 3):
            empty(folder)

    result, events = train(tmp_path, at)
    assert "the losses of" in result.summary.unsaved
    kept = History.of(read_events(result.folder))
    assert [len(arm.epochs) for arm in kept.arms.values()] == [EPOCHS, EPOCHS], "only steps are lost"
    assert told_of_saving(events) == [("log", False), ("log", False)], "what happened, and what it cost"


def test_a_run_with_something_unsaved_exits_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from regtui.engine import run as engine_run

    crew = Forgetful("baseline", range(2, 100))
    own = engine_run.run

    def scripted(preset: Preset, logs: Path, control: Control, emit: Any, begun: Any, **_: Any) -> RunResult:
        return own(preset, logs, control, emit, crew, begun)

    monkeypatch.setattr(engine_run, "run", scripted)
    preset = small_preset(train={"epochs": EPOCHS})
    assert headless.run_headless(preset, tmp_path, json=False) == 1
    out, err = capsys.readouterr()
    assert err.count("the weights are not saved since epoch 2") == 2, "when it began, and at the end"
    assert "McNemar" in out or "identical" in out or "accuracy" in out, "the verdict is there all the same"


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_screen_says_what_is_not_saved_while_it_is_so(tmp_path: Path, size: tuple[int, int]) -> None:
    training = ScriptedTraining()

    save_it = training.crew._save

    def save(arm: str, folder: Path, step: int, ended: Sequence[str]) -> Saved:
        if training.crew._epochs[arm] == 2:
            return Saved(None, f"No room ({folder})")
        return save_it(arm, folder, step, ended)

    training.crew._save = save  # type: ignore[method-assign]
    app = RegtuiApp(tmp_path, small_preset(), start=True, training=training)
    async with app.run_test(size=size) as pilot:
        training.open(2)
        await until(pilot, lambda: "training goes on: the weights are not saved since epoch 2" in text_of(app))
        shown = text_of(app)
        assert "No room" in shown, "the cause"
        assert "val" in shown, "the table of the arms has its rows all the same"
        training.open(1)
        await until(pilot, lambda: "NOT SAVED" not in text_of(app))
        await until(pilot, lambda: app.session is not None and app.session.ended)
    assert app.exit_code == 0


def test_all_that_is_not_saved_is_named_where_its_causes_have_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotSaved, "redraw", lambda _self: None)
    history, line = History(), NotSaved()
    cause = f"since epoch 1, 12:00: No space left on device; make room there ({'logs/' * 20})"
    history.unsaved["log"] = f"the log is not whole {cause}"
    line.update_from(history, over=False)
    assert line._wrapped(78)[0].startswith("NOT SAVED, training goes on: the log is not whole since epoch 1")
    history.unsaved["weights"] = f"the weights are not saved {cause}"
    line.update_from(history, over=False)
    assert line._wrapped(78)[0].startswith("NOT SAVED (log and weights), training goes on: the log is not whole")


async def test_the_screen_ends_with_what_stayed_unsaved(tmp_path: Path) -> None:
    training = ScriptedTraining()

    def save(arm: str, folder: Path, step: int, ended: Sequence[str]) -> Saved:  # noqa: ARG001
        return Saved(None, f"{folder}: No room")

    training.crew._save = save  # type: ignore[method-assign]
    app = RegtuiApp(tmp_path, small_preset(), start=True, training=training, quit_when_done=True)
    async with app.run_test(size=(120, 36)) as pilot:
        training.open(6)
        await until(pilot, lambda: app.session is not None and app.session.ended)
    assert app.exit_code == 1
    assert app.session is not None
    assert any("Not all of this run is saved: the weights" in line for line in app.session.outcome(200))


# The real thing


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "endless.toml").write_text(command.ENDLESS)
    process = command.start("--preset", "endless.toml", "--headless", cwd=tmp_path)
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def epochs_in(folder: Path) -> int:
    try:
        history = History.of(read_events(folder))
    except OSError:
        return 0
    return min((len(arm.epochs) for arm in history.arms.values()), default=0)


@pytest.mark.slow
def test_a_real_run_goes_on_and_its_log_is_whole(tmp_path: Path, endless: subprocess.Popen[str]) -> None:
    wait_for(lambda: any(epochs_in(folder) >= 2 for folder in (tmp_path / "logs").glob("*")))
    (folder,) = (tmp_path / "logs").iterdir()
    for harm in (remove, empty, remove_folder, move_folder):
        done = epochs_in(folder)
        harm(folder)
        folder = tmp_path / "kept" if harm is move_folder else folder
        wait_for(lambda folder=folder, done=done: epochs_in(folder) >= done + 2)  # type: ignore[misc]
    endless.send_signal(signal.SIGINT)
    _, err = endless.communicate(timeout=120)
    assert endless.returncode == 4, err
    assert "Traceback" not in err
    assert str(folder.name) in err
    history = History.of(read_events(folder))
    numbers = [epoch.epoch for epoch in history.arms["baseline"].epochs]
    assert numbers == list(range(1, len(numbers) + 1))
    assert json.loads((folder / "summary.json").read_text())["arms"]["baseline"]["epochs"] == len(numbers)
    manifest = read_manifest(folder / "checkpoint")
    assert manifest is not None
    assert all((folder / "checkpoint" / files.last).exists() for files in manifest.arms.values())
    assert "No verdict" not in command.run("show", folder, cwd=tmp_path).out


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.slow
def test_a_full_disk_that_has_room_again_has_everything(tmp_path: Path, small_disk: Path) -> None:
    (tmp_path / "endless.toml").write_text(command.ENDLESS)
    with (tmp_path / "err.txt").open("w") as err:
        process = command.start(
            "--preset", "endless.toml", "--headless", "--log-dir", small_disk / "logs", cwd=tmp_path, stderr=err
        )

    def words() -> str:
        return (tmp_path / "err.txt").read_text()

    try:
        wait_for(lambda: any(epochs_in(folder) >= 2 for folder in (small_disk / "logs").glob("*")))
        (folder,) = (small_disk / "logs").iterdir()
        with pytest.raises(OSError, match="No space"):
            (small_disk / "ballast").write_bytes(b"x" * 2**23)
        wait_for(lambda: "No space left on device; make room there" in words())
        done = epochs_in(folder)
        assert process.poll() is None
        (small_disk / "ballast").unlink()
        wait_for(lambda: epochs_in(folder) > done + 3 and "again" in words())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 4, words()
    numbers = [epoch.epoch for epoch in History.of(read_events(folder)).arms["baseline"].epochs]
    assert numbers == list(range(1, len(numbers) + 1))
    summary = read_summary(folder)
    assert summary is not None
    assert (summary.status, summary.unsaved) == ("stopped", "")
