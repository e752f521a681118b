"""A disk that does not answer fails nothing: it is said that training waits, and nothing is lost."""

from __future__ import annotations

import itertools
import os
import threading
import time
from pathlib import Path

import pytest

from regtui.engine.disk_watch import DiskWatch
from regtui.engine.run import run
from regtui.protocol.control import Control
from regtui.protocol.events import EpochDone, Event, Saving
from regtui.protocol.history import History
from regtui.runs.events import read_events
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew

DEADLINE = 30.0
LOSSES = {"baseline": [1.0, 0.9, 0.8], "regularized": [1.1, 0.7, 0.9]}


def test_a_wait_is_told_again_when_it_has_doubled_and_when_it_is_over() -> None:
    waits: list[float] = []
    answers: list[float] = []
    thrice = threading.Event()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            thrice.set()

    with DiskWatch(wait, answers.append, 0.05) as watch:
        with watch.saving(), watch.saving():
            assert thrice.wait(DEADLINE)
        assert len(answers) == 1
        assert all(later >= 2 * earlier - 0.01 for earlier, later in itertools.pairwise(waits))
        with watch.saving():
            pass
    assert len(answers) == 1, "a wait that was not told has no end"


@pytest.mark.parametrize("what", ["write", "fsync"])
def test_training_waits_for_a_disk_that_hangs_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr("regtui.engine.run.DISK_PATIENCE", 0.05)
    own, here = getattr(os, what), threading.get_ident()
    told, hangs = threading.Event(), False
    events: list[Event] = []

    def hang(descriptor: int, *data: bytes) -> object:
        nonlocal hangs
        if hangs and threading.get_ident() == here:
            hangs = False
            assert told.wait(DEADLINE)
        return own(descriptor, *data)

    def emit(event: Event) -> None:
        nonlocal hangs
        events.append(event)
        if isinstance(event, EpochDone) and (event.arm, event.epoch) == ("baseline", 2):
            hangs = True
        if isinstance(event, Saving) and not event.saved:
            assert threading.get_ident() != here, "the thread that trains can tell nothing now"
            told.set()

    monkeypatch.setattr(os, what, hang)
    result = run(small_preset(), tmp_path, Control(), emit, ScriptedCrew(LOSSES))
    first, *_, last = [event for event in events if isinstance(event, Saving)]
    assert (first.what, first.saved, last.what, last.saved) == ("disk", False, "disk", True)
    assert "the disk has not answered for" in first.words
    assert "training waits for it" in first.words
    assert (result.summary.status, result.summary.unsaved) == ("finished", "")
    kept = History.of(read_events(result.folder))
    assert [len(arm.epochs) for arm in kept.arms.values()] == [3, 3]
    assert any(isinstance(event, Saving) and event.saved for event in read_events(result.folder))


def test_time_in_which_the_program_stood_still_is_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    with DiskWatch(waits.append, waits.append, 1.0) as watch, watch.saving():
        monkeypatch.setattr(time, "monotonic", lambda: 1e9)
    assert waits == []
