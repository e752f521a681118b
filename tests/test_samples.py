"""The sample runs in logs/ are real runs of the shipped presets, and whole."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from regtui.evidence.from_history import judge_run
from regtui.preset.file import load
from regtui.protocol import schema1
from regtui.protocol.events import parse
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.runs.find import find_runs
from regtui.runs.read import read_run
from regtui.runs.summary import read_summary

ROOT = Path(__file__).parent.parent
PRESETS = sorted(path.stem for path in (ROOT / "presets").glob("*.toml"))


def samples() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "logs"], cwd=ROOT, capture_output=True, text=True)
    tracked = {ROOT / Path(name).parent for name in listed.stdout.split() if name.endswith("run.json")}
    return sorted(tracked or find_runs(ROOT / "logs"))


def test_the_readme_names_runs_that_are_there() -> None:
    named = set(re.findall(r"\b\d{8}-\d{4,6}\b", (ROOT / "README.md").read_text()))
    assert named
    for beginning in named:
        assert sum(folder.name.startswith(beginning) for folder in samples()) == 1


def test_each_preset_has_one_sample() -> None:
    assert sorted(read_run(folder).preset for folder in samples()) == PRESETS


@pytest.mark.parametrize("folder", samples(), ids=lambda folder: folder.name)
def test_a_sample_is_a_whole_run(folder: Path) -> None:
    history, summary = History.of(read_events(folder)), read_summary(folder)
    assert summary is not None
    assert summary.status == "finished"
    assert history.finished is not None
    assert not history.unpaired_because
    assert load(str(folder / "preset.toml")).name == summary.preset
    for name, arm in history.arms.items():
        told = summary.arms[name]
        assert told.epochs == len(arm.epochs)
        assert told.test is not None
        assert arm.test is not None
        assert told.test == {"loss": arm.test.loss, **arm.test.metrics}
    assert all(verdict.comparison is not None for verdict in judge_run(history, None).values())
    assert not (folder / "checkpoint").exists()
    assert sum(path.stat().st_size for path in folder.iterdir()) < 500_000


@pytest.mark.parametrize("folder", samples(), ids=lambda folder: folder.name)
def test_a_log_read_and_written_again_tells_the_same(folder: Path) -> None:
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    for line, event in zip(lines, read_events(folder), strict=True):
        assert parse(event.model_dump_json()) == event
        if schema1.wrote(line):
            continue
        # Later versions have fields that this log lacks. Which ones an event does not keep of itself, but of its parts.
        object.__setattr__(event, "__pydantic_fields_set__", set(json.loads(line)))
        assert f"{event.model_dump_json(exclude_unset=True)}\n".encode() == line
