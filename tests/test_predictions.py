"""What the arms predict is kept: the verdict can be recomputed from it, and a damaged file does no harm."""

from __future__ import annotations

import errno
import json
import math
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from regtui import files
from regtui.engine.crew import LocalCrew, ProcessCrew
from regtui.engine.run import RunResult, run
from regtui.errors import RegtuiError
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import Event, Saving, StepsDone
from regtui.protocol.history import History
from regtui.runs import log as runlog
from regtui.runs.events import read_events
from regtui.runs.predictions import FILE, read_predictions
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew
from tests.telling import paired


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    preset = small_preset(
        train={"epochs": 6, "learning_rate": 0.02}, regularized={"dropout": {}, "early_stopping": {"patience": 9}}
    )
    with ProcessCrew() as crew:
        return run(preset, tmp_path_factory.mktemp("logs"), Control(), lambda _: None, crew)


def test_the_summary_s_table_and_accuracies_are_recomputed(result: RunResult) -> None:
    kept = read_predictions(result.folder)
    assert kept is not None
    assert set(kept.arms) == {"baseline", "regularized"}
    baseline, regularized = (kept.arms[name]["classes"] == kept.targets for name in ("baseline", "regularized"))
    table = paired(result.summary)
    assert table.both_right == int((baseline & regularized).sum())
    assert table.only_baseline == int((baseline & ~regularized).sum())
    assert table.only_arm == int((~baseline & regularized).sum())
    assert table.both_wrong == int((~baseline & ~regularized).sum())
    assert min(table.both_right, table.only_baseline, table.only_arm, table.both_wrong) > 0
    for name, right in (("baseline", baseline), ("regularized", regularized)):
        test = result.summary.arms[name].test
        assert test is not None
        assert test["accuracy"] == right.mean()


def test_probabilities_are_those_of_the_classes_and_of_the_loss(result: RunResult) -> None:
    kept = read_predictions(result.folder)
    assert kept is not None
    assert kept.targets.dtype == np.uint8
    assert kept.targets.shape == (10_000,)
    for name, arm in kept.arms.items():
        assert arm.keys() == {"probabilities", "classes"}
        probabilities = arm["probabilities"].astype(np.float64)
        assert arm["probabilities"].dtype == np.float16
        assert arm["classes"].dtype == np.uint8
        assert probabilities.shape == (10_000, 10)
        assert np.allclose(probabilities.sum(1), 1, atol=0.01)
        top = probabilities[np.arange(10_000), arm["classes"]]
        assert (top == probabilities.max(1)).all(), "equal ones are possible, larger ones are not"
        right = probabilities[np.arange(10_000), kept.targets]
        test = result.summary.arms[name].test
        assert test is not None
        assert test["loss"] is not None
        assert -np.log(np.maximum(right, 1e-5)).mean() == pytest.approx(test["loss"], rel=0.02)


def test_targets_are_the_test_set_s(result: RunResult, mnist_file: Path) -> None:
    from safetensors.numpy import load_file

    kept = read_predictions(result.folder)
    assert kept is not None
    assert np.array_equal(kept.targets, load_file(mnist_file)["test_labels"])


def test_the_file_is_small(result: RunResult) -> None:
    assert (result.folder / FILE).stat().st_size < 10_000 * (1 + 2 * (20 + 1)) + 1_000


def test_a_run_without_a_test_has_none(tmp_path: Path) -> None:
    crew = ScriptedCrew({"baseline": [], "regularized": []}, lambda _arm, step: 1.0 if step < 3 else math.inf)
    diverged = run(small_preset(), tmp_path, Control(), lambda _: None, crew)
    assert diverged.summary.status == "diverged"
    assert not (diverged.folder / FILE).exists()
    assert read_predictions(diverged.folder) is None


def test_a_stopped_run_has_them_too(tmp_path: Path) -> None:
    control = Control()

    def stop(event: Event) -> None:
        if isinstance(event, StepsDone):
            control.send(Stop())

    stopped = run(small_preset(), tmp_path, control, stop, LocalCrew())
    assert stopped.summary.status == "stopped"
    assert read_predictions(stopped.folder) is not None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_that_they_can_t_be_kept_fails_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    write = files.write_whole

    def full(path: Path, content: bytes) -> None:
        if path.name == FILE:
            raise OSError(code, os.strerror(code))
        write(path, content)

    monkeypatch.setattr(runlog, "write_whole", full)
    events: list[Event] = []
    losses = {"baseline": [1.0] * 9, "regularized": [1.0] * 9}
    result = run(small_preset(), tmp_path, Control(), events.append, ScriptedCrew(losses))
    assert result.summary.status == "finished"
    assert result.summary.unsaved.startswith("the predictions are not saved: ")
    assert os.strerror(code) in result.summary.unsaved
    assert [(e.what, e.saved) for e in events if isinstance(e, Saving)] == [("predictions", False)]
    assert History.of(read_events(result.folder)).unsaved == History.of(events).unsaved
    assert not list(result.folder.rglob("*.tmp"))


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 40 * 2**30)


def arrays() -> dict[str, Any]:
    return {
        "targets": np.zeros(3, np.uint8),
        "baseline.classes": np.zeros(3, np.uint8),
        "baseline.probabilities": np.full((3, 10), 0.1, np.float16),
    }


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(save(arrays())[:90]),
    "a header without end": lambda path: path.write_bytes(struct.pack("<Q", 2**63) + b"{}"),
    "no targets": lambda path: path.write_bytes(save({"baseline.classes": np.zeros(3, np.uint8)})),
    "targets of no examples": lambda path: path.write_bytes(save({"targets": np.zeros(0, np.uint8)})),
    "targets alone": lambda path: path.write_bytes(save({"targets": np.zeros(3, np.uint8)})),
    "targets in a table": lambda path: path.write_bytes(save({**arrays(), "targets": np.zeros((3, 1), np.uint8)})),
    "of no arm": lambda path: path.write_bytes(save({**arrays(), "classes": np.zeros(3, np.uint8)})),
    "too few": lambda path: path.write_bytes(save({**arrays(), "a.classes": np.zeros(2, np.uint8)})),
    "a cube": lambda path: path.write_bytes(save({**arrays(), "a.classes": np.zeros((3, 1, 1), np.uint8)})),
    "not finite": lambda path: path.write_bytes(save({**arrays(), "a.values": np.full(3, np.nan, np.float32)})),
    "truth values": lambda path: path.write_bytes(save({**arrays(), "a.classes": np.zeros(3, np.bool_)})),
    "a pipe": lambda path: os.mkfifo(path),
    "a folder": lambda path: path.mkdir(),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "40 GB of nothing": lambda path: sparse(path),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_a_sentence(tmp_path: Path, damage: Callable[[Path], Any]) -> None:
    damage(tmp_path / FILE)
    with pytest.raises(RegtuiError, match=r"(can't be read|is damaged)") as caught:
        read_predictions(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(save(arrays()))
    kept = read_predictions(tmp_path)
    assert kept is not None
    assert {arm: sorted(named) for arm, named in kept.arms.items()} == {"baseline": ["classes", "probabilities"]}
    assert json.dumps(kept.targets.tolist()) == "[0, 0, 0]"
