"""The power is lost, or the program killed, after any change of the disk: what is there reads, and nothing that was
called saved is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from regtui.arm import checkpoint
from regtui.engine import saving
from regtui.engine.crew import LocalCrew
from regtui.engine.resume import Changes, resume
from regtui.engine.run import RunResult, run
from regtui.protocol.control import Control
from regtui.protocol.events import EpochDone, Event
from regtui.protocol.history import History
from regtui.runs.checkpoint import Manifest, commit, read_manifest
from regtui.runs.events import read_events
from regtui.runs.resumable import resumable
from regtui.runs.summary import read_summary
from tests.conftest import small_preset
from tests.faults import EMPTY_FILES, KILLED, NOTHING_MORE, Disk, Layer, Loss, Operation, by_chance
from tests.same_run import assert_same

PRESET = small_preset(
    train={"epochs": 3}, model={"hidden": [4]}, baseline={"early_stopping": {"patience": 1, "min_delta": 5.0}}
)
"""The baseline stops in the second epoch, and its best weights are then in a file of their own."""
SAVED, OVER = "saved", "over"


def operations_of(
    train: Callable[[Callable[[Event], None]], RunResult], logs: Path, patch: pytest.MonkeyPatch
) -> tuple[list[Operation], list[Event]]:
    """What a run changes on the disk, with marks where it calls a checkpoint saved, and where it is over."""
    layer = Layer(logs, patch)

    def marking(folder: Path, manifest: Manifest) -> None:
        commit(folder, manifest)
        layer.mark(SAVED, manifest.epoch)

    patch.setattr(saving, "commit", marking)
    events: list[Event] = []
    train(events.append)
    layer.mark(OVER)
    return layer.operations, events


def operations_of_a_run(logs: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Operation], list[Event]]:
    with monkeypatch.context() as patch:
        return operations_of(lambda emit: run(PRESET, logs, Control(), emit, LocalCrew()), logs, patch)


def left_after(operations: list[Operation], loss: Loss, folder: Path) -> Path | None:
    """The run's folder, if there is one, after the power was lost."""
    folder.mkdir(parents=True)
    Disk(operations).leave(loss, folder)
    runs = list(folder.iterdir())
    assert len(runs) <= 1
    return runs[0] if runs else None


def assert_whole(run: Path | None, saved: int, events: list[Event], *, over: bool) -> None:
    """What is in the run's folder reads, and has at least the checkpoint of epoch `saved`."""
    manifest = None if run is None else read_manifest(run / "checkpoint")
    assert (0 if manifest is None else manifest.epoch) >= saved
    if run is None:
        return
    kept = History.of(read_events(run)) if (run / "events.jsonl").exists() else History()
    told = {(event.arm, event.epoch): timeless(event) for event in events if isinstance(event, EpochDone)}
    for name, arm in kept.arms.items():
        assert all(timeless(epoch) == told[name, epoch.epoch] for epoch in arm.epochs)
    if manifest is not None:
        for name, files in manifest.arms.items():
            for file in filter(None, (files.last, files.best)):
                assert checkpoint.read(run / "checkpoint" / file).tensors
            trained = sum(arm == name and epoch <= manifest.epoch for arm, epoch in told)
            assert len(kept.arms[name].epochs) >= trained, "the log is never behind the checkpoint"
        if not (run / "summary.json").exists():
            assert resumable(run).epoch == manifest.epoch
        assert (run / "preset.toml").stat().st_size > 0
    if over:
        assert kept.scored is not None
        assert kept.finished is not None
        assert read_summary(run) is not None


def timeless(event: EpochDone) -> dict[str, Any]:
    return event.model_dump(exclude={"t", "seconds"})


def losses_at(place: int) -> dict[str, Loss]:
    often = {"nothing": NOTHING_MORE, "chance": by_chance(place)}
    return often if place % 3 else often | {"killed": KILLED, "empty": EMPTY_FILES}


def test_after_each_change_of_the_disk_what_was_called_saved_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations, events = operations_of_a_run(tmp_path / "logs", monkeypatch)
    assert [operation.size for operation in operations if operation.what == SAVED] == [1, 2, 3]
    assert_whole_after_each(operations, events, tmp_path)


def assert_whole_after_each(
    operations: list[Operation], events: list[Event], tmp_path: Path, first: int = 0, saved: int = 0
) -> None:
    """Wherever the power is lost from operation `first` on; the epoch `saved` has been saved before."""
    for place in range(first, len(operations) + 1):
        before = operations[:place]
        newest = max((operation.size for operation in before if operation.what == SAVED), default=saved)
        for name, loss in losses_at(place).items():
            folder = tmp_path / f"{place}-{name}"
            assert_whole(left_after(before, loss, folder), newest, events, over=Operation(OVER) in before)
            shutil.rmtree(folder)


def assert_resumes_as(whole: Path, operations: list[Operation], places: Iterable[int], tmp_path: Path) -> int:
    """A run resumed after a loss of power ends as `whole`; returns how many were resumed."""
    resumed = 0
    for place in places:
        left = left_after(operations[:place], by_chance(place), tmp_path / f"{place}")
        if left is not None and (left / "preset.toml").exists() and not (left / "summary.json").exists():
            resume(left, Changes(), Control(), lambda _event: None, LocalCrew())
            assert_same(left, whole)
            resumed += 1
    return resumed


@pytest.mark.slow
def test_what_is_there_can_be_resumed_and_ends_as_if_nothing_had_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations, _ = operations_of_a_run(tmp_path / "logs", monkeypatch)
    (whole,) = (tmp_path / "logs").iterdir()
    assert assert_resumes_as(whole, operations, range(0, len(operations), 11), tmp_path) > 5


@pytest.mark.slow
def test_a_run_that_is_being_resumed_may_lose_its_power_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations, events = operations_of_a_run(tmp_path / "logs", monkeypatch)
    (whole,) = (tmp_path / "logs").iterdir()
    second = operations.index(Operation(SAVED, size=2))
    cut = left_after(operations[: second + 10], KILLED, tmp_path / "cut")
    assert cut is not None
    with monkeypatch.context() as patch:
        resuming, told = operations_of(
            lambda emit: resume(cut, Changes(), Control(), emit, LocalCrew()), tmp_path / "cut", patch
        )
    assert_same(cut, whole)
    first = next(place for place, operation in enumerate(resuming) if operation.what == "sync folder")
    everything = [*(event for event in events if isinstance(event, EpochDone) and event.epoch <= 2), *told]
    assert_whole_after_each(resuming, everything, tmp_path, first + 2, saved=2)
    assert assert_resumes_as(whole, resuming, range(first + 2, len(resuming), 11), tmp_path / "again") > 3
