"""Pictures of the screen. They say that something looks different; whether it looks wrong, a person decides.

`REGTUI_UPDATE_SNAPSHOTS=1 pytest tests/test_tui_snapshots.py` takes them anew; look at them before committing.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import pytest
from textual.pilot import Pilot

from regtui.engine import progress
from regtui.engine.clock import Clock
from regtui.runs import log as runlog
from regtui.tui.app import RegtuiApp
from regtui.tui.choose.screen import ChooseScreen
from regtui.tui.review.preview import Preview
from regtui.tui.review.screen import ReviewScreen
from regtui.tui.run.screen import RunScreen
from regtui.tui.run.verdict_panel import VerdictPanel
from regtui.tui.study.screen import StudyScreen
from regtui.tui.study.session import StudySession
from regtui.tui.study.subject import Subject
from tests.conftest import small_preset
from tests.made_courses import made_courses
from tests.made_scores import made, noisy, plan_of
from tests.screen_double import ScriptedTraining, text_of, until
from tests.test_samples import samples

SNAPSHOTS = Path(__file__).parent / "snapshots"
PINS = (Path(__file__).parents[1] / "constraints.txt").read_text(encoding="utf-8").splitlines()
UPDATE = os.environ.get("REGTUI_UPDATE_SNAPSHOTS") == "1"
SHOWN = 10.0 if UPDATE else 60.0
"""Seconds within which a screen shows all that it will."""
LOGS = Path("logs")
SAMPLES = samples()
EPOCH = 7.0
"""Seconds that an epoch takes by the frozen clock."""
PRESET = small_preset(train={"epochs": 8}, regularized={"dropout": {"rate": 0.5}, "early_stopping": {"patience": 3}})
BASELINE = [0.62, 0.41, 0.33, 0.30, 0.31, 0.34, 0.38, 0.43]
REGULARIZED = [0.71, 0.50, 0.40, 0.35, 0.32, 0.30, 0.29, 0.285]

pytestmark = [
    pytest.mark.skipif(
        not {f"{name}=={version(name)}" for name in ("textual", "plotext", "rich")} <= set(PINS),
        reason="the pictures were taken with the versions in constraints.txt",
    ),
]


def step_loss(arm: str, step: int) -> float:
    """Falls, and is never quite the same."""
    return (2.3 if arm == "baseline" else 2.4) * math.exp(-step / 12) + 0.25 + 0.05 * math.sin(2.3 * step)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScriptedTraining:
    """A run that is the same everywhere: in a folder of a known name, by a clock that ticks once an epoch."""
    training = ScriptedTraining(BASELINE, REGULARIZED)
    training.crew.step_loss = step_loss

    def ticks() -> float:
        return EPOCH * len(training.crew.called("measure"))

    monkeypatch.setattr(progress, "Clock", lambda: Clock(ticks))
    monkeypatch.setattr(Clock, "look", lambda _clock: None)  # it would take a tick of this clock for a suspension
    monkeypatch.setattr(runlog, "_new_folder", folder_of_a_known_name)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)
    return training


def folder_of_a_known_name(logs: Path, name: str, _began: datetime) -> Path:
    folder = logs / f"20260102-030405-{name}-0000"
    folder.mkdir(parents=True)
    return folder


async def compare(app: RegtuiApp, pilot: Pilot[int], name: str) -> None:
    """Hold what the screen shows against the picture of that name."""
    if isinstance(app.screen, RunScreen):
        app.screen.on_screen_resume()  # draws what has come for the space that there is, without waiting
    await pilot.pause()
    kept, until = SNAPSHOTS / f"{name}.svg", time.monotonic() + SHOWN
    while True:
        picture = app.export_screenshot(title="regtui", simplify=True)
        if time.monotonic() > until or (kept.exists() and kept.read_text(encoding="utf-8") == picture):
            break
        await pilot.pause(0.1)  # what is read in the background comes when it comes
    assert str(Path.cwd()) not in picture
    if UPDATE:
        kept.write_text(picture, encoding="utf-8")
    if not kept.exists() or kept.read_text(encoding="utf-8") != picture:
        shown = Path(f"{name}.svg").absolute()
        shown.write_text(picture, encoding="utf-8")
        pytest.fail(
            f"the screen does not look like {kept} any more; it looks like {shown}. If it is meant to, take the "
            f"pictures anew with REGTUI_UPDATE_SNAPSHOTS=1 and look at them.\n{text_of(app)}",
            pytrace=False,
        )


async def test_choosing(training: ScriptedTraining) -> None:
    app = RegtuiApp(LOGS, training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen) and "ready" in text_of(app))
        await compare(app, pilot, "choose-120x36")


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_a_run_that_goes_on(training: ScriptedTraining, size: tuple[int, int]) -> None:
    app = RegtuiApp(LOGS, PRESET, start=True, training=training)
    async with app.run_test(size=size) as pilot:
        try:
            training.open(5)
            await until(pilot, lambda: app.session is not None and app.session.history.started is not None)
            assert app.session is not None
            arms = app.session.history.arms.values()
            await until(pilot, lambda: all(len(arm.step_losses) == 6 * PRESET.steps_per_epoch for arm in arms))
            await compare(app, pilot, f"run-{size[0]}x{size[1]}")
        finally:
            training.close()


async def test_several_arms_over_one_another(training: ScriptedTraining) -> None:
    arms = {
        "dropout": {"dropout": {"rate": 0.5}},
        "ridge": {"l2": {"strength": 0.001}},
        "early": {"early_stopping": {"patience": 3}},
    }
    training.script |= {"dropout": REGULARIZED, "ridge": [loss + 0.04 for loss in REGULARIZED], "early": BASELINE}
    app = RegtuiApp(LOGS, small_preset(train={"epochs": 8}, arms=arms), start=True, training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        try:
            training.open(5)
            await until(pilot, lambda: app.session is not None and app.session.history.epochs == 5)
            assert app.session is not None
            told = app.session.history.arms.values()
            await until(pilot, lambda: all(len(arm.step_losses) == 6 * PRESET.steps_per_epoch for arm in told))
            await pilot.press("o", "right_square_bracket")
            await compare(app, pilot, "arms-120x36")
        finally:
            training.close()


async def test_the_verdict(training: ScriptedTraining) -> None:
    app = RegtuiApp(LOGS, PRESET, start=True, training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        training.open(100)
        await until(pilot, lambda: app.session is not None and app.session.ended)
        await until(pilot, lambda: app.screen.query_one(VerdictPanel).display)
        await compare(app, pilot, "verdict-120x36")


async def test_saved_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in SAMPLES:
        shutil.copytree(folder, tmp_path / "logs" / folder.name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    app = RegtuiApp(LOGS, review=())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: f"{len(SAMPLES)} of {len(SAMPLES)} runs" in text_of(app))
        await pilot.press("space", "space", "down", "down", "down", "down", "space")
        screen = app.screen
        assert isinstance(screen, ReviewScreen)
        shown = screen.query_one(Preview)
        await until(pilot, lambda: shown._contents is not None and shown._run is screen.at_cursor)
        await compare(app, pilot, "review-120x36")
        await pilot.press("c")
        await until(pilot, lambda: "3 runs · differ" in text_of(app) and "A batch-norm" in text_of(app))
        await compare(app, pilot, "compare-120x36")


async def test_a_study(training: ScriptedTraining) -> None:
    effects = {"rate-0_1": 0.9, "rate-0_2": 1.6, "rate-0_3": -1.4}
    outcome = made(plan_of(arms=3), noisy(effects))
    session = StudySession(outcome, Subject.of(outcome.plan), LOGS, ended=True)
    session.courses.update(made_courses(outcome))
    app = RegtuiApp(LOGS, training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = StudyScreen(session)
        app.push_screen(screen)
        await until(pilot, lambda: app.screen is screen and "├" in text_of(app))
        await pilot.press("down", "right")
        await compare(app, pilot, "study-120x36")
