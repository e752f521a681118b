"""A saved run is trained on from the list, from its own screen, and from the command line's screen."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from regtui.disk import Disk
from regtui.engine import run as running
from regtui.engine.resume import Changes
from regtui.engine.run import run
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import EpochDone, Event, Interrupted, StepsDone
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.tui.app import RegtuiApp
from regtui.tui.review.saved_run import SavedRunScreen
from regtui.tui.review.screen import ReviewScreen
from regtui.tui.run.screen import RunScreen
from regtui.tui.widgets.dialogs import AskText
from tests.conftest import small_preset
from tests.screen_double import FALLING, ScriptedTraining, said, text_of, until
from tests.scripted import ScriptedCrew


def trained(logs: Path, *, until_epoch: int = 6, **tables: dict[str, object]) -> Path:
    """A run of 6 epochs, stopped when so many are done."""
    control = Control()

    def emit(event: Event) -> None:
        if isinstance(event, EpochDone) and event.arm == "regularized" and event.epoch == until_epoch < 6:
            control.send(Stop(at_once=True))

    preset = small_preset(train={"epochs": 6}, **tables)
    crew = ScriptedCrew({"baseline": FALLING, "regularized": FALLING})
    return run(preset, logs, control, emit, crew).folder


GONE = 2**22 + 1
"""No process has this number."""


class Killed(BaseException):
    """Nothing is written after it."""


def interrupted(logs: Path) -> Path:
    """A run of 6 epochs whose process was killed in the third."""
    folders: list[Path] = []

    def emit(event: Event) -> None:
        if isinstance(event, StepsDone) and event.epoch == 3:
            raise Killed

    crew = ScriptedCrew({"baseline": FALLING, "regularized": FALLING})
    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        patch.setattr(running, "_end", lambda *_: None)
        run(small_preset(train={"epochs": 6}), logs, Control(), emit, crew, folders.append)
    (folder,) = folders
    circumstances = (folder / "run.json").read_text()
    (folder / "run.json").write_text(circumstances.replace('"pid":', f'"pid": {GONE}, "was":'))
    return folder


@asynccontextmanager
async def listed(
    logs: Path, size: tuple[int, int] = (120, 36), review: tuple[Path, ...] = ()
) -> AsyncIterator[tuple[RegtuiApp, Pilot[int], ScriptedTraining]]:
    """The list of saved runs, or one of them."""
    training = ScriptedTraining()
    app = RegtuiApp(logs, training=training, review=review)
    async with app.run_test(size=size) as pilot:
        try:
            yield app, pilot, training
        finally:
            training.close()


def footer(app: RegtuiApp) -> str:
    return text_of(app).splitlines()[-1]


def epochs_of(folder: Path) -> list[int]:
    history = History.of(read_events(folder))
    return [epoch.epoch for epoch in history.arms["baseline"].epochs]


async def test_of_an_interrupted_run_that_cannot_be_resumed_the_list_says_why(tmp_path: Path) -> None:
    preset = interrupted(tmp_path) / "preset.toml"
    preset.write_text(preset.read_text().replace("learning_rate = 0.001", "learning_rate = 0.01"))
    async with listed(tmp_path, (80, 24)) as (app, pilot, _training):
        await until(pilot, lambda: "its preset.toml was changed" in " ".join(text_of(app).split()))
        assert "g go on" not in footer(app)


@pytest.mark.parametrize("killed", [False, True])
async def test_a_run_that_was_stopped_or_interrupted_goes_on_from_the_list(tmp_path: Path, *, killed: bool) -> None:
    folder = interrupted(tmp_path) if killed else trained(tmp_path, until_epoch=2)
    async with listed(tmp_path) as (app, pilot, training):
        await until(pilot, lambda: "With g it goes on after epoch 2 of 6." in text_of(app))
        await until(pilot, lambda: "g go on" in footer(app))
        await pilot.press("g")
        await until(pilot, lambda: app.session is not None and app.session.history.epochs == 2)
        assert type(app.screen) is RunScreen
        training.open(100)
        await until(pilot, lambda: app.session is not None and app.session.ended)
        await until(pilot, lambda: "finished" in text_of(app))
        assert app.session is not None
        assert app.session.history == History.of(read_events(folder))
        assert [seam.epoch for seam in app.session.history.seams] == [2]
        assert app.exit_code == 0
    assert epochs_of(folder) == [1, 2, 3, 4, 5, 6]
    assert len(list(tmp_path.glob("2*"))) == 1
    assert sum(isinstance(event, Interrupted) for event in read_events(folder)) == 1


@pytest.mark.slow
async def test_a_finished_run_is_extended_to_as_many_epochs_as_are_typed(tmp_path: Path) -> None:
    folder = trained(tmp_path)
    async with listed(tmp_path, review=(folder,)) as (app, pilot, training):
        await until(pilot, lambda: "g more epochs" in footer(app))
        await pilot.press("g")
        await until(pilot, lambda: isinstance(app.screen, AskText))
        assert app.screen.query_one(Input).value == "12"
        for typed, words in (
            ("", "whole number"),
            ("x", "whole number"),
            ("6", "has finished its 6 epochs"),
            ("3", ""),
        ):
            app.screen.query_one(Input).value = typed
            await until(pilot, lambda words=words: words in text_of(app))  # type: ignore[misc]
            await pilot.press("enter")
            assert isinstance(app.screen, AskText), typed
        app.screen.query_one(Input).value = "8"
        training.open(100)
        await pilot.press("enter")
        await until(pilot, lambda: app.session is not None and app.session.ended)
        await until(pilot, lambda: type(app.screen) is RunScreen and "finished" in text_of(app))
        assert app.session is not None
        assert app.session.history.interventions == 1
    assert epochs_of(folder) == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_run_whose_arms_have_all_ended_by_themselves_can_t_be_trained_on(tmp_path: Path) -> None:
    patient = {"early_stopping": {"patience": 1}}
    preset = small_preset(train={"epochs": 6}, baseline=patient, regularized=patient)
    crew = ScriptedCrew({"baseline": [1.0, 2.0, 3.0], "regularized": [1.0, 2.0, 3.0]})
    run(preset, tmp_path, Control(), lambda _: None, crew)
    async with listed(tmp_path) as (app, pilot, _):
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen) and app.screen.at_cursor is not None)
        await pilot.pause(0.3)
        assert " g " not in footer(app)
        await pilot.press("g")
        await pilot.pause(0.05)
        assert app.session is None
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SavedRunScreen) and app.screen.session.ended)
        assert " g " not in footer(app)


async def test_a_run_that_was_stopped_here_goes_on_by_the_same_key(tmp_path: Path) -> None:
    training = ScriptedTraining()
    app = RegtuiApp(tmp_path, small_preset(train={"epochs": 6}), start=True, training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        training.open(2)
        await until(pilot, lambda: app.session is not None and app.session.history.epochs == 2)
        training.control.send(Stop(at_once=True))
        training.open()
        await until(pilot, lambda: "g go on" in footer(app))
        training.open(100)
        before = app.screen
        await pilot.press("g")
        await until(pilot, lambda: app.screen is not before and app.session is not None and app.session.ended)
        await until(pilot, lambda: "finished" in text_of(app))
        training.close()
    folder = next(tmp_path.glob("2*"))
    assert epochs_of(folder) == [1, 2, 3, 4, 5, 6]


async def test_the_command_line_s_screen_trains_a_run_on_with_what_is_changed(tmp_path: Path) -> None:
    folder, training = interrupted(tmp_path), ScriptedTraining()
    training.open(100)
    app = RegtuiApp(tmp_path, training=training, resume=(folder, Changes(epochs=8)), quit_when_done=True)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.return_value is not None)
        assert app.return_value == 0
        training.close()
    assert epochs_of(folder) == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_why_a_run_can_t_be_trained_on_after_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = trained(tmp_path, until_epoch=2)
    async with listed(tmp_path) as (app, pilot, _):
        await until(pilot, lambda: "g go on" in footer(app))
        with monkeypatch.context() as patch:
            answers = threading.Event()
            patch.setattr("regtui.tui.app.resumable", lambda *_: answers.wait(60))
            patch.setattr(Disk.__init__, "__defaults__", (0.01,))
            await pilot.press("g")
            await until(pilot, lambda: "the disk does not answer, or takes long (" in said(app))
            answers.set()
        (folder / "checkpoint" / "manifest.json").write_text("{")
        await pilot.press("g")
        await until(pilot, lambda: "manifest.json is damaged" in said(app))
        assert isinstance(app.screen, ReviewScreen)
