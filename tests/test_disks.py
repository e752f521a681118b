"""Each call to the disk may fail: training goes on, and what is said of it is so; what is on the disk reads."""

from __future__ import annotations

import errno
import itertools
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from regtui.arm import checkpoint
from regtui.arm.arm import Arm
from regtui.arm.reports import Saved, Trained
from regtui.arm.split import load
from regtui.data.source import ensure
from regtui.engine.run import RunResult, run
from regtui.errors import InputError
from regtui.protocol.control import Control
from regtui.protocol.events import Event, Saving, StepsDone
from regtui.protocol.history import History
from regtui.runs.checkpoint import read_manifest
from regtui.runs.events import read_events
from regtui.runs.summary import read_summary
from tests.conftest import small_preset
from tests.faults import NOTHING_MORE, Call, Disk, Layer, by_chance
from tests.scripted import ScriptedCrew

EPOCHS = 2
LOSSES = {"baseline": [1.0, 0.9], "regularized": [0.7, 0.9]}
PRESET = small_preset(train={"epochs": EPOCHS}, model={"hidden": [4]})
CODES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.EACCES)


@pytest.fixture(scope="module")
def arms() -> dict[str, Arm]:
    cpu = torch.device("cpu")
    data = load(ensure("mnist"), PRESET.data, 0, cpu)
    return {name: Arm(name, PRESET, data, cpu) for name in PRESET.arms()}


class SavingCrew(ScriptedCrew):
    """Has its numbers from a script, and saves real arms."""

    def __init__(self, arms: Mapping[str, Arm]) -> None:
        super().__init__(LOSSES)
        self.arms = arms
        for arm in arms.values():
            arm._best, arm._best_file, arm._at_best = None, None, False

    def _train_steps(self, arm: str, count: int) -> Trained:
        self.arms[arm]._at_best = False
        return super()._train_steps(arm, count)

    def _remember(self, arm: str, epoch: int) -> None:
        self.arms[arm].remember(epoch)

    def _save(self, arm: str, folder: Path, step: int, ended: Sequence[str]) -> Saved:
        return self.arms[arm].save(folder, step, ended)


class Outcome(NamedTuple):
    """What a run came to; without a result if it could not begin."""

    result: RunResult | None
    events: list[Event]


def train(logs: Path, arms: Mapping[str, Arm], begun: Callable[[Path], None] = lambda _folder: None) -> Outcome:
    events: list[Event] = []
    try:
        made = run(PRESET, logs, Control(), events.append, SavingCrew(arms), begun)
        return Outcome(made, events)
    except InputError:
        assert events == [], "a run that has begun never ends so"
        return Outcome(None, events)


def without_saving(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, StepsDone | Saving)]


def assert_true(outcome: Outcome, folder: Path) -> set[str]:
    """What is said of the run is so, in this folder of it; returns what of it stayed unsaved."""
    assert outcome.result is not None
    summary, events = outcome.result.summary, outcome.events
    assert summary.status == "finished"
    unsaved = History.of(events).unsaved
    for words in unsaved.values():
        assert words in summary.unsaved
    told = {event.what for event in events if isinstance(event, Saving) and not event.saved}
    again = {event.what for event in events if isinstance(event, Saving) and event.saved}
    assert told <= again | set(unsaved)
    with suppress(OSError):
        kept = list(read_events(folder))
        if "log" not in unsaved:
            assert without_saving(kept) == without_saving(events)
            assert History.of(kept).arms == History.of(events).arms
    manifest = read_manifest(folder / "checkpoint")
    if "weights" not in unsaved:
        assert manifest is not None
        assert (manifest.epoch, manifest.step) == (EPOCHS, 10 * EPOCHS)
    if manifest is not None:
        for files in manifest.arms.values():
            for name in filter(None, (files.last, files.best)):
                assert checkpoint.read(folder / "checkpoint" / name).tensors
    if "the summary is not saved" not in summary.unsaved:
        assert read_summary(folder) == summary
    return set(unsaved)


def once(first: int, code: int) -> Callable[[Call], int]:
    """Only this call fails."""
    return lambda call: code * (call.number == first)


def for_a_while(first: int, code: int) -> Callable[[Call], int]:
    """This call fails, and those after it."""
    return lambda call: code * (first <= call.number < first + 25)


def from_then_on(first: int, code: int) -> Callable[[Call], int]:
    return lambda call: code * (first <= call.number)


def calls_of_a_run(tmp_path: Path, arms: Mapping[str, Arm]) -> list[Call]:
    with pytest.MonkeyPatch.context() as patch:
        layer = Layer(tmp_path / "undisturbed", patch)
        outcome = train(tmp_path / "undisturbed", arms)
    assert outcome.result is not None
    assert assert_true(outcome, outcome.result.folder) == set()
    assert not any(isinstance(event, Saving) for event in outcome.events)
    return layer.calls


@pytest.mark.parametrize(
    ("part", "code", "unsaved"),
    [
        ("checkpoint", errno.ENOSPC, {"weights"}),
        ("events.", errno.EDQUOT, {"log"}),
        ("events.", errno.EROFS, {"log"}),
        ("predictions", errno.EIO, {"predictions"}),
        ("summary", errno.ESTALE, {"summary"}),
        ("run.json", errno.EACCES, {"log"}),
    ],
)
def test_where_one_file_can_not_be_written_the_others_are(
    tmp_path: Path, arms: dict[str, Arm], part: str, code: int, unsaved: set[str]
) -> None:
    logs = tmp_path / "logs"
    with pytest.MonkeyPatch.context() as patch:
        layer = Layer(logs, patch)

        def begun(_folder: Path) -> None:
            layer.fault = lambda call: code * (part in str(call.path))

        outcome = train(logs, arms, begun)
    assert outcome.result is not None
    assert assert_true(outcome, outcome.result.folder) == unsaved
    assert bool(outcome.result.summary.unsaved)


LOOKS = {"stat", "lstat", "fstat", "listdir", "scandir"}
"""Calls that change nothing; two of three are such."""


def sweep(
    tmp_path: Path,
    arms: Mapping[str, Arm],
    faults: Callable[[int, int], Callable[[Call], int]],
    cases: Iterable[tuple[Call, int]],
) -> None:
    for call, code in cases:
        logs = tmp_path / f"{call.number}-{code}"
        with pytest.MonkeyPatch.context() as patch:
            layer = Layer(logs, patch)
            layer.partly = call.number % 2 == 0
            layer.fault = faults(call.number, code)
            outcome = train(logs, arms)
        assert layer.failed or faults is not once, f"{call} does not come again"
        if outcome.result is None:
            assert faults is not once or not logs.exists()
        else:
            assert_true(outcome, outcome.result.folder)
            loss = NOTHING_MORE if call.number % 3 else by_chance(call.number)
            Disk(layer.operations).leave(loss, tmp_path / "without power")
            assert_true(outcome, tmp_path / "without power" / outcome.result.folder.name)
        for folder in (logs, tmp_path / "without power"):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("faults", [once, for_a_while, from_then_on])
def test_whichever_call_fails_training_ends_and_what_is_said_is_so(
    tmp_path: Path, arms: dict[str, Arm], faults: Callable[[int, int], Callable[[Call], int]]
) -> None:
    calls = calls_of_a_run(tmp_path, arms)
    sweep(tmp_path, arms, faults, zip(calls[::23], itertools.cycle(CODES), strict=False))


@pytest.mark.slow
def test_so_it_is_for_every_call_that_changes_something(tmp_path: Path, arms: dict[str, Arm]) -> None:
    calls = [call for call in calls_of_a_run(tmp_path, arms) if call.name not in LOOKS]
    sweep(tmp_path, arms, once, zip(calls, itertools.cycle(CODES), strict=False))


@pytest.mark.soak
@pytest.mark.parametrize("faults", [once, for_a_while, from_then_on])
def test_so_it_is_for_every_call_and_every_error(
    tmp_path: Path, arms: dict[str, Arm], faults: Callable[[int, int], Callable[[Call], int]]
) -> None:
    sweep(tmp_path, arms, faults, itertools.product(calls_of_a_run(tmp_path, arms), CODES))
