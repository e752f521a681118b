"""Whether two runs are one and the same but for times: one that was interrupted and resumed, and one that never was."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from regtui.runs.checkpoint import read_manifest
from regtui.runs.log import PREDICTIONS
from tests.test_study_local import TIMES

Line = dict[str, Any]

BREAKS = {"interrupted", "suspended", "stalled", "saving"}
"""What the log of a disturbed run has more: seams, and that it stood still or could not be saved for a while."""

KEPT = re.compile(
    r"detached\.log|traceback\.txt|(summary|predictions|events)\.epoch-\d+(_\d+)?\.(json|safetensors|jsonl)"
)
"""Files that a disturbed run has more: what it had come to before it was resumed."""


def course(run: Path) -> list[Line]:
    """What a log tells of the training, without times; the losses of an epoch's steps as one line for each arm.

    That an arm broke stands after them all: how many steps of the others are known by then is a matter of time.
    """
    found: list[Line] = []
    for line in lines(run):
        if line["kind"] in BREAKS or line.get("command") == "hand_over":
            continue
        began = next((one for one in found if _goes_on(one, line)), None)
        if began is None:
            breaks = line["kind"] == "steps_done" and bool(found) and found[-1].get("reason") == "non_finite"
            found.insert(len(found) - breaks, line)
        else:
            assert line["first_step"] == began["first_step"] + len(began["losses"]), f"steps are missing: {line}"
            began["losses"] += line["losses"]
    return found


def seams(run: Path) -> int:
    """How often a run was resumed, as its log tells."""
    return sum(line["kind"] == "interrupted" for line in lines(run))


def assert_whole(run: Path) -> None:
    """Each epoch and step of each arm is in the log, once, in its place; and so is its end."""
    told = lines(run)
    kinds = [line["kind"] for line in told]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_finished"
    tested = 1 if told[-1]["status"] != "diverged" or (run / PREDICTIONS).exists() else 0
    for kind, times in (("run_started", 1), ("scored", tested), ("run_finished", 1)):
        assert kinds.count(kind) == times, f"{kind} stands {kinds.count(kind)} times in the log"
    for arm in told[0]["arms"]:
        stopped = [line for line in told if line["kind"] == "arm_stopped" and line["arm"] == arm]
        epochs = [line["epoch"] for line in told if line["kind"] == "epoch_done" and line["arm"] == arm]
        steps = [line for line in told if line["kind"] == "steps_done" and line["arm"] == arm]
        assert len(stopped) == 1, f"{arm} has stopped {len(stopped)} times"
        last = stopped[0]["epoch"] - (stopped[0]["reason"] == "non_finite" and stopped[0]["epoch"] not in epochs)
        assert epochs == list(range(1, last + 1)), f"{arm} has the epochs {epochs}"
        made = [step for line in steps for step in range(line["first_step"], line["first_step"] + len(line["losses"]))]
        assert made == list(range(1, stopped[0]["step"] + 1)), f"{arm} has not each step once"


def assert_same(run: Path, whole: Path) -> None:
    """Both have the same log, summary, predictions, weights and files: all but times and seams."""
    assert_whole(run)
    assert_whole(whole)
    for ours, theirs in zip(course(run), course(whole), strict=True):
        assert ours == theirs
    assert _timeless(_json(run / "summary.json")) == _timeless(_json(whole / "summary.json"))
    assert (run / "preset.toml").read_bytes() == (whole / "preset.toml").read_bytes()
    if (whole / PREDICTIONS).exists():
        assert (run / PREDICTIONS).read_bytes() == (whole / PREDICTIONS).read_bytes()
    ours, theirs = _weights(run), _weights(whole)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), f"{name} is another"
    assert {name for name in _files(run) if not KEPT.fullmatch(name)} == _files(whole), "no part of a file is left"


def lines(run: Path) -> list[Line]:
    """The log's lines, without times."""
    with (run / "events.jsonl").open(encoding="utf-8") as file:
        return [_timeless(json.loads(line)) for line in file]


def _goes_on(began: Line, line: Line) -> bool:
    of = ("kind", "arm", "epoch")
    return line["kind"] == "steps_done" and all(began.get(key) == line[key] for key in of)


def _timeless(value: Any) -> Any:
    """A value without times, and without who sent a command."""
    if isinstance(value, dict):
        return {key: _timeless(one) for key, one in value.items() if key not in TIMES | {"by"}}
    return [_timeless(one) for one in value] if isinstance(value, list) else value


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _weights(run: Path) -> dict[str, torch.Tensor]:
    """Every tensor of the newest checkpoint: weights, best weights, optimizer, random streams, batches to come."""
    manifest = read_manifest(run / "checkpoint")
    assert manifest is not None
    files = {name for arm in manifest.arms.values() for name in (arm.last, arm.best) if name}
    tensors = {file: load_file(run / "checkpoint" / file) for file in files}
    return {f"{file}: {name}": tensor for file, named in tensors.items() for name, tensor in named.items()}


def _files(run: Path) -> set[str]:
    return {path.relative_to(run).as_posix() for path in run.rglob("*")}
