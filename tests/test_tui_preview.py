"""The preview beside the list of saved runs: of the run on which the cursor rests, whatever its files are."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from regtui.engine.run import run
from regtui.protocol.control import Control
from regtui.protocol.events import StepsDone
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.runs.follow import Follower
from regtui.runs.note import Note, write_note
from regtui.tui.app import RegtuiApp
from regtui.tui.charts.chart import Chart
from regtui.tui.charts.plot import Space
from regtui.tui.charts.run_plots import plots
from regtui.tui.charts.view import View
from regtui.tui.review import preview
from regtui.tui.review.preview import Preview
from regtui.tui.widgets.row_list import RowList
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, text_of, until
from tests.scripted import ScriptedCrew


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    logs = tmp_path_factory.mktemp("saved") / "logs"
    for seed in range(3):
        crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.4]})
        run(small_preset(train={"seed": seed}), logs, Control(), lambda _: None, crew)
    return logs


@pytest.fixture
def logs(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "logs"))


def listed(logs: Path) -> list[Path]:
    """In the order of the list; in one second by their names."""
    return sorted(logs.glob("2*"), reverse=True)


def app_on(logs: Path, *runs: Path) -> RegtuiApp:
    return RegtuiApp(logs, training=ScriptedTraining(), review=runs)


def shown(app: RegtuiApp) -> str:
    """What the preview shows, with single blanks."""
    area = app.screen.query_one(Preview).region
    lines = text_of(app).splitlines()[area.y : area.bottom]
    return " ".join(" ".join(line[area.x : area.right].strip("▏ ") for line in lines).split())


async def says(app: RegtuiApp, pilot: Pilot[int], *words: str) -> None:
    await until(pilot, lambda: all(word in shown(app) for word in words))


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_headline_curves_conditions_and_note_stand_beside_the_list_or_below(
    logs: Path, size: tuple[int, int]
) -> None:
    second = listed(logs)[1]
    write_note(second, Note("once more", ("good",)))
    app = app_on(logs)
    async with app.run_test(size=size) as pilot:
        await says(app, pilot, "No difference that 4 test images", "adam", "epochs")
        assert listed(logs)[0].name in shown(app)
        await pilot.press("down")
        await says(app, pilot, second.name, "No difference that 4 test images", "#good: once more")
        chart, runs = app.screen.query_one(Preview).query_one(Chart), app.screen.query_one(RowList)
        assert chart.display
        assert chart.size.height >= 5
        assert runs.size.height >= 1 + 8
        assert (runs.region.right <= chart.region.x) == (size[0] >= 100)
        history = History.of(event for event in read_events(second) if not isinstance(event, StepsDone))
        fitting = plots(history, View(overlay=True, arm="regularized"), Space(*chart.content_size))[0]
        await until(pilot, lambda: chart._plot == fitting)  # not for the rows that it had before the words had theirs


async def test_only_the_run_on_which_the_cursor_rests_is_read(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    class Watched(Follower):
        def __init__(self, folder: Path, **more: bool) -> None:
            read.append(folder)
            super().__init__(folder, **more)

    monkeypatch.setattr(preview, "Follower", Watched)
    monkeypatch.setattr(preview, "REST", 1000.0)
    app = app_on(logs)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.screen.query_one(RowList).virtual_size.height == 4)
        await pilot.press("down", "down", "up")
        monkeypatch.setattr(preview, "REST", 0.01)
        await pilot.press("down")
        await says(app, pilot, listed(logs)[2].name, "No difference that 4 test images")
        await pilot.press("R", "space")
        await until(pilot, lambda: "1 marked" in text_of(app))
        assert read == [listed(logs)[2]]


def without_summary(folder: Path) -> None:
    (folder / "summary.json").unlink()
    lines = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    (folder / "events.jsonl").write_text("".join(line for line in lines if '"run_finished"' not in line))


def interrupted(folder: Path) -> None:
    without_summary(folder)
    text = (folder / "run.json").read_text()
    (folder / "run.json").write_text(re.sub(r'"pid": *\d+', '"pid": 4000000', text))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_summary, ("It is being trained.", "running")),
        (interrupted, ("It was interrupted: its log has no end, so there is no verdict.", "▲ interrupted")),
        (lambda folder: (folder / "events.jsonl").unlink(), ("No events.jsonl.",)),
        (lambda folder: (folder / "events.jsonl").write_bytes(b"\x00\xff{" * 999), ("its log has no usable end",)),
        (lambda folder: (folder / "preset.toml").write_text("["), ("No difference that", "Preset.toml is damaged.")),
        (lambda folder: (folder / "summary.json").write_text("{"), ("▲ damaged", "Summary.json is damaged.")),
        (lambda folder: (folder / "note.toml").write_text("note = 3"), ("No difference that", "Note.toml is damaged")),
        (shutil.rmtree, ("Its events can't be read",)),
    ],
)  # fmt: skip
async def test_a_run_that_is_broken_or_goes_on_has_a_sentence(
    logs: Path, spoil: Callable[[Path], object], words: tuple[str, ...]
) -> None:
    app = app_on(logs)
    first = listed(logs)[0]
    if spoil is not shutil.rmtree:
        spoil(first)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.screen.query_one(RowList).virtual_size.height == 4)
        if spoil is shutil.rmtree:  # while it is looked at
            await pilot.press("down")
            await says(app, pilot, listed(logs)[1].name)
            spoil(first)
            await pilot.press("up")
        await says(app, pilot, *words)


async def test_a_run_that_goes_on_is_followed(logs: Path) -> None:
    first = listed(logs)[0]
    lines = (first / "events.jsonl").read_text().splitlines(keepends=True)
    summary = (first / "summary.json").read_bytes()
    (first / "summary.json").unlink()
    half = next(index for index, line in enumerate(lines) if '"epoch_done"' in line) + 1
    (first / "events.jsonl").write_text("".join(lines[:half]))
    app = app_on(logs)
    async with app.run_test(size=(120, 36)) as pilot:
        await says(app, pilot, "It is being trained.")
        with (first / "events.jsonl").open("a") as file:
            file.writelines(lines[half:])
        (first / "summary.json").write_bytes(summary)
        await says(app, pilot, "No difference that 4 test images")
        await until(pilot, lambda: "running" not in shown(app))


async def test_a_run_that_was_steered_or_stopped_says_so(logs: Path) -> None:
    summary = listed(logs)[0] / "summary.json"
    text = summary.read_text()
    text = text.replace('"interventions": 0', '"interventions": 2').replace(
        '"status": "finished"', '"status": "stopped"'
    )
    summary.write_text(text)
    app = app_on(logs)
    async with app.run_test(size=(80, 24)) as pilot:
        await says(app, pilot, "▲ steered · stopped")
