"""The screen with the real engine: processes, torch, files."""

from __future__ import annotations

from pathlib import Path

import pytest

from regtui.preset.file import load
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.runs.summary import read_summary
from regtui.tui.app import RegtuiApp
from regtui.tui.pages.weights_screen import WeightsScreen
from regtui.tui.run.screen import RunScreen
from regtui.tui.widgets.dialogs import Ask
from tests.screen_double import text_of, until

SECONDS = 120.0
"""Enough for torch to be imported on a busy machine."""


@pytest.mark.slow
async def test_a_run_from_the_presets_to_its_verdict_and_weights(tmp_path: Path) -> None:
    app = RegtuiApp(tmp_path, load("smoke", (), {"train.device": "cpu"}))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await until(pilot, lambda: app.session is not None and app.session.ended, SECONDS)
        await until(pilot, lambda: "one seed (" in text_of(app))
        assert app.session is not None
        assert app.session.folder is not None
        logged = History.of(read_events(app.session.folder))
        assert logged == app.session.history, "what is shown is what is in the log"
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WeightsScreen))
        await until(pilot, lambda: "hidden1" in text_of(app))
        await pilot.press("escape")
        await pilot.press("q")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value == 0


async def test_pause_patience_and_stop_reach_the_engine(tmp_path: Path) -> None:
    preset = load("smoke", (), {"train.epochs": 5000, "train.device": "cpu"})
    app = RegtuiApp(tmp_path, preset, start=True)
    async with app.run_test(size=(100, 30)) as pilot:
        assert app.session is not None
        history = app.session.history
        await until(pilot, lambda: "regularized" in history.arms and history.arms["regularized"].epochs, SECONDS)
        await pilot.press("space")
        await until(pilot, lambda: history.paused)
        step = len(history.arms["baseline"].step_losses)
        await pilot.press("e")
        await until(pilot, lambda: history.paused and len(history.arms["baseline"].step_losses) > step)
        await pilot.press("p")
        await until(pilot, lambda: any(c.key == "patience" and c.accepted for c in history.controls))
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await pilot.press("k")
        await until(pilot, lambda: app.session is not None and app.session.ended)
        await pilot.press("q")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value == 4
    (folder,) = tmp_path.iterdir()
    summary = read_summary(folder)
    assert summary is not None
    assert summary.status == "stopped"
    assert summary.interventions > 0
