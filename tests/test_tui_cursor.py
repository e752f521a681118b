"""The epoch cursor: a run read at a past epoch is the run as it was then."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from regtui.engine.trainer import Trainer
from regtui.evidence.diagnosis import describe
from regtui.protocol.control import Command, Control, Pause, Resume, SetPatience, SetStrength, Stop
from regtui.protocol.events import ArmStopped, EpochDone, Event
from regtui.protocol.history import History
from regtui.text import brief
from regtui.tui.app import RegtuiApp
from regtui.tui.charts.captions import below_chart, reading
from regtui.tui.charts.chart import Chart
from regtui.tui.charts.difference import strip
from regtui.tui.charts.plot import Space
from regtui.tui.charts.run_plots import plots
from regtui.tui.charts.view import View
from regtui.tui.look import CURSOR, plain
from regtui.tui.run.arms_table import arm_rows
from regtui.tui.run.header import header_line
from regtui.tui.run.screen import RunScreen
from regtui.tui.run.steering import SteeringPanel
from regtui.tui.run.verdict_panel import VerdictPanel
from regtui.tui.themes import DARK
from regtui.tui.widgets.stepper import Stepper
from tests.conftest import small_preset
from tests.screen_double import text_of, until
from tests.scripted import ScriptedCrew
from tests.telling import Telling
from tests.test_tui_run import epochs, finish, running

COLOURS = {"accent": "#e6c07b", "primary": "#7aa2c8", "success": "#7fbf7f", "error": "#e5736b", "warning": "#ffff00"}
COLOURS |= DARK.variables
PRESET = small_preset(
    train={"epochs": 12}, baseline={"early_stopping": {"patience": 4}}, regularized={"dropout": {"rate": 0.5}}
)
WAVERING = [0.9, 0.5, 0.6, 0.4, 0.45, 0.39, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
FALLING = [1.0 / epoch for epoch in range(1, 13)]


def nothing(_: Event) -> list[Command]:
    return []


def steering(event: Event) -> list[Command]:
    """Patience and a rate are changed, and the run is paused once."""
    commands: dict[int, list[Command]] = {
        2: [SetPatience(patience=6)],
        4: [Pause(), SetStrength(arm="regularized", key="dropout.rate", value=0.2), Resume()],
        7: [SetPatience(patience=None)],
    }
    return commands.get(event.epoch, []) if isinstance(event, EpochDone) and event.arm == "baseline" else []


def stopping(event: Event) -> list[Command]:
    """The user stops in the middle of the fifth epoch, or as near to it as a script can."""
    return [Stop()] if isinstance(event, EpochDone) and (event.arm, event.epoch) == ("regularized", 4) else []


def told(
    losses: Mapping[str, list[float]], commands: Callable[[Event], list[Command]], broken: tuple[str, int] = ("", 0)
) -> list[Event]:
    """The events of a run by script; the step of `broken` has no finite loss."""
    control, events = Control(), []

    def emit(event: Event) -> None:
        events.append(event)
        for command in commands(event):
            control.send(command)

    crew = ScriptedCrew(losses, lambda arm, step: math.nan if (arm, step) == broken else 2.0 / step)
    with tempfile.TemporaryDirectory() as checkpoint:
        Trainer(PRESET, crew, control, emit, lambda: Path(checkpoint)).run()
    return events


RUNS = {
    "to the end": told({"baseline": FALLING, "regularized": FALLING}, nothing),
    "one stops early": told({"baseline": WAVERING, "regularized": FALLING}, nothing),
    "steered": told({"baseline": WAVERING, "regularized": WAVERING}, steering),
    "stopped by the user": told({"baseline": WAVERING, "regularized": FALLING}, stopping),
    "diverged": told({"baseline": FALLING, "regularized": FALLING}, nothing, ("regularized", 53)),
}


def prefix(events: list[Event], epoch: int) -> list[Event]:
    """The events up to the moment when every arm had done the epoch, or had stopped."""
    ends = [i for i, e in enumerate(events) if isinstance(e, EpochDone | ArmStopped) and e.epoch <= epoch]
    return events[: ends[-1] + 1]


@pytest.mark.parametrize("run", RUNS)
def test_a_history_at_an_epoch_is_that_of_the_events_until_then(run: str) -> None:
    events = RUNS[run]
    whole = History.of(events)
    assert whole.epochs > 3
    for epoch in range(1, whole.epochs + 1):
        at, then = whole.at(epoch), History.of(prefix(events, epoch))
        for width in (140, 78, 40):
            rows = [arm_rows(PRESET, history, width, COLOURS) for history in (at, then)]
            if not all(arm.stopped for arm in at.arms.values()):  # a test comes after that, and says what is kept
                assert rows[0] == rows[1]
        assert at.controls == then.controls
        assert [arm.epochs for arm in at.arms.values()] == [arm.epochs for arm in then.arms.values()]
        assert [arm.stopped for arm in at.arms.values()] == [arm.stopped for arm in then.arms.values()]
        assert [len(arm.step_losses) for arm in at.arms.values()] == [
            len(arm.step_losses) for arm in then.arms.values()
        ]
        if all(arm.stopped for arm in at.arms.values()):
            assert at is whole
        else:
            assert describe(at, PRESET.train.epochs) == describe(then, PRESET.train.epochs)
            assert (at.scored, at.finished, at.paused) == (None, None, False)
            assert at.seconds == max(arm.last.t for arm in at.arms.values() if arm.last)


def test_what_was_steered_after_an_epoch_has_not_happened_at_it() -> None:
    whole = History.of(RUNS["steered"])
    assert [whole.at(epoch).interventions for epoch in (2, 3, 4, 5, 7, 8)] == [0, 1, 1, 2, 2, 3]


def test_the_line_stands_in_every_chart_and_is_told_from_others_without_colour() -> None:
    history = History.of(RUNS["steered"])
    space = Space(57, 18)
    for view in (View(), View(overlay=True), View("gap"), View(log=True)):
        for plot in [*plots(history, view, space, 5), strip(history, "regularized", view, space, 5)]:
            assert plot.verticals[-1] == (5.0, "accent")
            assert [w for w in plot.words if w[0] == CURSOR] == [(CURSOR, 5.0, plot.y_limits[1], "accent")]
    for plot in [*plots(history, View(part=0.25), space, 2), *plots(history, View(), space)]:
        assert CURSOR not in [word for word, *_ in plot.words]  # outside the window, or not there
    assert plain(CURSOR).isascii()
    assert plain(CURSOR) not in map(plain, "│★■✗")


def test_captions_tell_the_values_of_the_epoch() -> None:
    history = Telling(PRESET).start().epochs([0.5, 0.3], [0.4]).history
    assert reading(history, View(), ["baseline"], 2) == "epoch 2  training 0.0500  validation 0.300"
    assert reading(history, View("metric"), ["baseline"], 1) == "epoch 1  training 95.0%  validation 90.0%"
    assert reading(history, View("gap"), ["regularized"], 1) == "epoch 1  gap 0.350"
    assert reading(history, View(), ["regularized"], 2) == "epoch 2  no values of this arm"
    assert below_chart(history, View(), ["baseline"], 2, 32) == "epoch 2  train 0.0500  val 0.300"
    assert below_chart(history, View(shared=False), ["baseline"], None, 32) == "own axes"
    assert below_chart(history, View(shared=False), ["baseline"], 2, 60).endswith("validation 0.300 · own axes")
    both = ["baseline", "regularized"]
    assert reading(history, View(overlay=True), both, 1) == "epoch 1  validation ● 0.500  ◆ 0.400"
    assert reading(history, View("gap", overlay=True), both, 2) == "epoch 2  gap ● 0.250  ◆ –"


@pytest.mark.parametrize("width", [20, 30, 80, 120])
def test_the_line_at_the_top_says_that_a_past_epoch_is_read(width: int) -> None:
    history = Telling(PRESET).start().epochs([0.5, 0.3], [0.4, 0.3]).history
    line = header_line(PRESET, history, width, COLOURS, cursor=1).plain
    assert len(line) <= width
    assert ("epoch 1 of 2 · cursor" in line) == (width >= 30)
    assert ("going on" in line) == (width >= 80)


# On the screen


def shown_at(app: RegtuiApp) -> int | None:
    assert isinstance(app.screen, RunScreen)
    return app.screen._cursor


@pytest.mark.slow
async def test_the_cursor_walks_a_run_that_goes_on_and_the_run_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await pilot.press("left", "home", "end")
        assert shown_at(app) is None  # there is no epoch yet
        await epochs(app, pilot, training, 3)
        await until(pilot, lambda: "3/6" in text_of(app))
        await pilot.press("left", "left")
        await until(pilot, lambda: "epoch 2 of 3 · cursor" in text_of(app))
        assert app.session is not None
        history = app.session.history
        for chart, arm in zip(("left", "right"), history.arms.values(), strict=True):
            done = arm.epochs[1]
            caption = str(app.screen.query_one(f"#{chart}", Chart).border_subtitle)
            assert caption == f"epoch 2  training {brief(done.train_loss)}  validation {brief(done.val_loss)}"
        rows = [row for row in text_of(app).splitlines() if "2/6" in row]
        assert [row.split()[1] for row in rows] == ["baseline", "regularized"]
        assert " Epoch 2 · The arms are level in validation loss" in text_of(app)
        await epochs(app, pilot, training, 1)
        await until(pilot, lambda: "epoch 2 of 4 · cursor" in text_of(app))
        await pilot.press("right", "right", "right")
        assert shown_at(app) == 4
        await pilot.press("home")
        assert shown_at(app) == 1
        await pilot.press("left")
        assert shown_at(app) == 1
        await pilot.press("end")
        assert shown_at(app) == 4
        await pilot.press("escape")
        await until(pilot, lambda: "· cursor" not in text_of(app))
        assert isinstance(app.screen, RunScreen)


async def test_at_the_end_the_cursor_shows_the_table_and_escape_the_verdict_again(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await finish(app, pilot, training)
        await pilot.press("home")
        await until(pilot, lambda: "epoch 1 of 6 · cursor" in text_of(app))
        assert not app.screen.query_one(VerdictPanel).display
        assert "1/6" in text_of(app)
        assert "Δ validation loss" in text_of(app)
        await pilot.press("end")
        await until(pilot, lambda: "Epoch 6 · Finished after 6 epochs" in text_of(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen.query_one(VerdictPanel).display)
        await pilot.press("left", "d")
        await until(pilot, lambda: app.screen.query_one(VerdictPanel).display and shown_at(app) is None)


async def test_a_control_with_the_focus_keeps_its_arrows_until_escape(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await epochs(app, pilot, training, 2)
        next(iter(app.screen.query_one(SteeringPanel)._patience)).focus()
        await pilot.press("right")
        stepper = app.focused
        assert isinstance(stepper, Stepper)
        assert stepper.requested == 5, "patience was off; a step turns it on"
        assert shown_at(app) is None
        await pilot.press("escape", "left")
        assert app.focused is None
        assert shown_at(app) == 2


async def test_in_ascii_the_line_can_be_seen(tmp_path: Path) -> None:
    async with running(tmp_path, ascii_only=True) as (app, pilot, training):
        await epochs(app, pilot, training, 3)
        await pilot.press("left", "left")
        await until(pilot, lambda: "epoch 2 of 3" in text_of(app))
        chart = app.screen.query_one("#left", Chart)
        await until(pilot, lambda: any(CURSOR in row.plain for row in chart.rows(*chart.content_size)))
        rows = [plain(row.plain) for row in chart.rows(*chart.content_size)]
        column = rows[0].index("v")
        assert sum(row[column] == "|" for row in rows) > len(rows) / 2


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_a_click_on_a_chart_puts_the_cursor_there_and_the_wheel_shows_fewer_epochs(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with running(tmp_path, size=size) as (app, pilot, training):
        await epochs(app, pilot, training, 5)
        chart = app.screen.query_one("#left", Chart)
        column = {}
        for epoch in (1, 5):
            await pilot.press("home" if epoch == 1 else "end")
            await until(pilot, lambda epoch=epoch: shown_at(app) == epoch)  # type: ignore[misc]
            await pilot.pause()
            column[epoch] = chart.rows(*chart.content_size)[0].plain.index("▼")
        third = column[1] + round((column[5] - column[1]) / 2)
        await pilot.click(chart, offset=(third + 1, 3))  # the border takes the first column
        await until(pilot, lambda: shown_at(app) == 3)
        screen = app.screen
        assert isinstance(screen, RunScreen)
        chart.post_message(Chart.Wheeled(1))
        await until(pilot, lambda: screen.view.part < 1)
        chart.post_message(Chart.Wheeled(-1))
        await until(pilot, lambda: screen.view.part == 1.0)
