"""A run of as many epochs as a preset may have: its memory is bounded, and whatever reads it opens it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from regtui.cli.show import print_run
from regtui.engine.run import run
from regtui.files import write_whole
from regtui.preset.train import TrainTable
from regtui.protocol.control import Control
from regtui.protocol.events import EpochDone, Event, LayerWeights, RunFinished, parse
from regtui.protocol.history import History
from regtui.runs import files, log, summary
from regtui.runs.events import read_events
from regtui.runs.read import read_run
from regtui.runs.summary import read_summary
from regtui.tui.review.replay import Replay
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew
from tests.telling import Telling

(MOST,) = (bound.le for bound in TrainTable.model_fields["epochs"].metadata if hasattr(bound, "le"))
"""Epochs that a preset may have."""
BYTES = 4_000
"""Of memory that an epoch of both arms may take: 3 kB, and room for another allocator."""


def epochs(last: int) -> Iterator[Event]:
    """Epochs of both arms as they come from a log, with three layers and no two numbers alike."""
    for epoch in range(1, last + 1):
        for number, arm in enumerate(("baseline", "regularized")):
            x = epoch / 7 + number
            layers = {name: LayerWeights(norm=x + i, zeros=epoch, size=10**6) for i, name in enumerate("123")}
            told = EpochDone(
                t=x, arm=arm, epoch=epoch, train_loss=x + 1, val_loss=x + 2, train_metrics={"accuracy": 1 / (x + 2)},
                val_metrics={"accuracy": 1 / (x + 3)}, penalties={"l2": x}, weights=layers, order=f"{epoch:016x}",
                seconds=x + 4, best=False, wait=0,
            )  # fmt: skip
            yield parse(told.model_dump_json())


def test_an_epoch_takes_little_memory() -> None:
    history = Telling(small_preset(train={"epochs": 3_000})).start().history
    tracemalloc.start()
    try:
        for event in epochs(3_000):
            assert history.add(event)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(history.arms["baseline"].epochs) == 3_000
    assert taken / 3_000 < BYTES
    assert taken / 3_000 * MOST < 400e6, "the longest run fits a small machine"


def test_what_events_share_stays_as_it_is() -> None:
    first, second = list(epochs(1))
    copied = first.model_copy(update={"t": 3.0})
    assert copied.t == 3.0
    assert first.model_fields_set == second.model_fields_set == set()


def test_the_longest_summary_is_read_wherever_one_is(tmp_path: Path) -> None:
    crew = ScriptedCrew({"baseline": [1.0] * 3, "regularized": [1.0] * 3})
    result = run(small_preset(), tmp_path, Control(), lambda _: None, crew)
    pairing = result.summary.pairing
    assert pairing is not None
    longest = result.summary.model_copy(
        update={"pairing": pairing.model_copy(update={"order": [f"{n:016x}" for n in range(MOST)]})}
    )
    path = result.folder / "summary.json"
    write_whole(path, log._json(longest.model_dump(by_alias=True)))
    assert path.stat().st_size < min(files.MAX_BYTES, summary.LONGEST_SUMMARY) / 2
    assert read_summary(result.folder) == longest
    info = read_run(result.folder)
    assert (info.status, info.fault) == ("finished", "")


@pytest.mark.soak
def test_the_longest_run_is_trained_listed_shown_and_reviewed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = psutil.Process().memory_info().rss
    losses = [1.0 + 1 / epoch for epoch in range(1, MOST + 1)]
    preset = small_preset(train={"epochs": MOST, "batch_size": 320})
    result = run(preset, tmp_path, Control(), lambda _: None, ScriptedCrew({"baseline": losses, "regularized": losses}))
    assert psutil.Process().memory_info().rss - before < 1e9
    folder, summary = result.folder, result.summary
    del result
    assert (summary.status, summary.unsaved) == ("finished", "")
    assert read_summary(folder) == summary
    info = read_run(folder)
    assert (info.status, info.fault, info.epochs) == ("finished", "", MOST)
    assert print_run(str(folder), tmp_path, json=False) == 0
    assert capsys.readouterr().out.count("\n") > 2 * MOST
    assert len(History.of(read_events(folder)).arms["regularized"].epochs) == MOST
    replay = Replay(folder, lambda: replay.session.take_in())
    assert replay.catch_up()
    session = replay.session
    assert len(session.history.arms["baseline"].epochs) == MOST
    assert isinstance(session.history.finished, RunFinished)
    assert session.verdicts is not None
