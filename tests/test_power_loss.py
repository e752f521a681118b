"""The power is lost, or the program killed, after any change of the disk: what is there reads, and nothing that was
called saved is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from regtui.arm import checkpoint
from regtui.engine import saving
from regtui.engine.crew import LocalCrew
from regtui.engine.run import run
from regtui.protocol.control import Control
from regtui.protocol.events import EpochDone, Event, Saving, StepsDone
from regtui.protocol.history import History
from regtui.runs.checkpoint import Manifest, commit, read_manifest
from regtui.runs.events import read_events
from regtui.runs.summary import read_summary
from tests.conftest import small_preset
from tests.faults import EMPTY_FILES, KILLED, NOTHING_MORE, Disk, Layer, Loss, Operation, by_chance

PRESET = small_preset(
    train={"epochs": 3}, model={"hidden": [4]}, baseline={"early_stopping": {"patience": 1, "min_delta": 5.0}}
)
"""The baseline stops in the second epoch, and its best weights are then in a file of their own."""
SAVED, OVER = "saved", "over"


def operations_of_a_run(logs: Path, patch: pytest.MonkeyPatch) -> tuple[list[Operation], list[Event]]:
    """What a run changes on the disk, with marks where it calls a checkpoint saved, and where it is over."""
    layer = Layer(logs, patch)

    def marking(folder: Path, manifest: Manifest) -> None:
        commit(folder, manifest)
        layer.mark(SAVED, manifest.epoch)

    patch.setattr(saving, "commit", marking)
    events: list[Event] = []
    run(PRESET, logs, Control(), events.append, LocalCrew())
    layer.mark(OVER)
    return layer.operations, events


def left_after(operations: list[Operation], loss: Loss, folder: Path) -> Path | None:
    """The run's folder, if there is one, after the power was lost."""
    folder.mkdir()
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
    told = {(event.arm, event.epoch): event for event in events if isinstance(event, EpochDone)}
    assert all(told[name, epoch.epoch] == epoch for name, arm in kept.arms.items() for epoch in arm.epochs)
    if manifest is not None:
        for files in manifest.arms.values():
            for file in filter(None, (files.last, files.best)):
                assert checkpoint.read(run / "checkpoint" / file).tensors
        assert (run / "preset.toml").stat().st_size > 0
    if over:
        assert without_saving(read_events(run)) == without_saving(events)
        assert read_summary(run) is not None


def without_saving(events: Iterator[Event] | list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, StepsDone | Saving)]


def losses_at(place: int) -> dict[str, Loss]:
    return {"killed": KILLED, "nothing": NOTHING_MORE, "empty": EMPTY_FILES, "chance": by_chance(place)}


def test_after_each_change_of_the_disk_what_was_called_saved_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        operations, events = operations_of_a_run(tmp_path / "logs", patch)
    assert [operation.size for operation in operations if operation.what == SAVED] == [1, 2, 3]
    for place in range(len(operations) + 1):
        before = operations[:place]
        saved = max((operation.size for operation in before if operation.what == SAVED), default=0)
        for name, loss in losses_at(place).items():
            folder = tmp_path / f"{place}-{name}"
            assert_whole(left_after(before, loss, folder), saved, events, over=Operation(OVER) in before)
            shutil.rmtree(folder)
