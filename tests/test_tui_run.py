"""The screen of a run, driven by keys and mouse, with a trainer that computes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from regtui.preset.model import Preset
from regtui.protocol.events import ControlApplied
from regtui.runs.events import read_events
from regtui.tui.app import RegtuiApp
from regtui.tui.charts.chart import Chart
from regtui.tui.choose.screen import ChooseScreen
from regtui.tui.pages.explain import ExplainScreen
from regtui.tui.pages.help import HelpScreen
from regtui.tui.pages.weights_screen import WeightsScreen
from regtui.tui.review.saved_run import SavedRunScreen
from regtui.tui.review.screen import ReviewScreen
from regtui.tui.run.keys import AFTER_THE_END, HERE, WHILE_RUNNING
from regtui.tui.run.screen import RunScreen
from regtui.tui.run.verdict_panel import VerdictPanel
from regtui.tui.widgets.dialogs import Ask
from regtui.tui.widgets.keys import EVERYWHERE
from tests.conftest import small_preset
from tests.screen_double import FALLING, ScriptedTraining, text_of, until

RISING_FROM_3 = [3.0, 2.0, 1.0, *[1.5] * 60]


@asynccontextmanager
async def running(
    tmp_path: Path,
    training: ScriptedTraining | None = None,
    size: tuple[int, int] = (120, 36),
    preset: Preset | None = None,
    **options: Any,
) -> AsyncIterator[tuple[RegtuiApp, Pilot[int], ScriptedTraining]]:
    """The program with a run that has begun."""
    training = training or ScriptedTraining()
    preset = preset or small_preset(train={"epochs": 6})
    app = RegtuiApp(tmp_path / "logs", preset, start=True, training=training, **options)
    async with app.run_test(size=size) as pilot:
        try:
            await until(pilot, lambda: app.session is not None and app.session.history.started and training.crew.waits)
            yield app, pilot, training
        finally:
            training.close()


async def epochs(app: RegtuiApp, pilot: Pilot[int], training: ScriptedTraining, count: int) -> None:
    """Let so many epochs pass, until the next one waits at its gate, or there is none."""
    assert app.session is not None
    history = app.session.history
    wanted = history.epochs + count
    training.open(count)
    await until(
        pilot,
        lambda: (
            all(arm.stopped or (len(arm.epochs) >= wanted) for arm in history.arms.values())
            and (training.crew.waits or history.paused or history.finished)
        ),
    )


async def finish(app: RegtuiApp, pilot: Pilot[int], training: ScriptedTraining) -> None:
    training.open(100)
    await until(pilot, lambda: app.session is not None and app.session.ended)
    await until(pilot, lambda: app.screen.query_one(VerdictPanel).display)


def run_screen(app: RegtuiApp) -> RunScreen:
    assert isinstance(app.screen, RunScreen)
    return app.screen


def controls(app: RegtuiApp) -> list[ControlApplied]:
    assert app.session is not None
    return app.session.history.controls


# What is shown


async def test_a_run_is_shown_while_it_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        assert "paired ✓" in text_of(app)
        await epochs(app, pilot, training, 2)
        words = ("2/6", "● baseline", "◆ regularized · dropout 0.5", "★", "Δ validation loss")
        await until(pilot, lambda: all(word in text_of(app) for word in words))


async def test_the_verdict_and_what_to_do_next_stand_at_the_end(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await finish(app, pilot, training)
        await until(pilot, lambda: "one seed (" in text_of(app))
        assert "n new seed" in text_of(app)
        assert "Tango" not in text_of(app)
        assert app.exit_code == 0
        await pilot.press("d")
        await until(pilot, lambda: "Finished after 6 epochs" in text_of(app) and "Tango" in text_of(app))
        await pilot.press("d")
        await until(pilot, lambda: "Tango" not in text_of(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_charts_keep_half_of_the_screen_and_the_whole_verdict_is_seen(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(Path(), size=size) as (app, pilot, training):
        await finish(app, pilot, training)
        await until(pilot, lambda: "log  " in text_of(app))
        panel, charts = app.screen.query_one(VerdictPanel), app.screen.query_one("#charts")
        assert panel.region.height <= size[1] // 2
        assert 1 + charts.region.height >= size[1] // 2  # with the header
        assert panel.max_scroll_y == 0
        shown = text_of(app)
        for words in ("No difference that", "one seed (0) · dropout 0.5", "● ahead ─", "95 %", "test loss", "log  "):
            assert words in shown
        await pilot.press("d")
        await until(pilot, lambda: "Tango" in text_of(app) or panel.max_scroll_y > 0)
        if panel.max_scroll_y > 0:
            await pilot.press("down", "pagedown")
            await until(pilot, lambda: panel.scroll_y > 1)
            await pilot.press("d")
            await until(pilot, lambda: panel.scroll_y == 0)


async def test_another_seed_and_other_presets_follow(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await finish(app, pilot, training)
        first = app.session
        await pilot.press("n")
        await until(pilot, lambda: app.session is not first and len(training.runs) == 2)
        assert [preset.train.seed for preset in training.runs] == [0, 1]
        await finish(app, pilot, training)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
    assert len(list((tmp_path / "logs").iterdir())) == 2


async def test_after_the_largest_seed_comes_the_smallest(tmp_path: Path) -> None:
    preset = small_preset(train={"epochs": 1, "seed": 2**63 - 1})
    async with running(tmp_path, preset=preset) as (app, pilot, training):
        await finish(app, pilot, training)
        await pilot.press("n")
        await until(pilot, lambda: len(training.runs) == 2)
        assert [preset.train.seed for preset in training.runs] == [2**63 - 1, 0]


async def test_the_saved_runs_are_a_key_away_and_lead_back(tmp_path: Path) -> None:
    async with running(tmp_path, size=(80, 24)) as (app, pilot, training):
        await epochs(app, pilot, training, 1)
        await pilot.press("b")
        assert isinstance(app.screen, RunScreen)  # not while it goes on
        await finish(app, pilot, training)
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen) and "1 run" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SavedRunScreen) and "one seed (" in text_of(app))
        await pilot.press("b")  # which leads back already
        assert isinstance(app.screen, SavedRunScreen)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
        await pilot.press("escape")
        await until(pilot, lambda: type(app.screen) is RunScreen)


async def test_a_tiny_terminal_shows_what_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path, size=(20, 6)) as (app, pilot, training):
        await epochs(app, pilot, training, 2)
        await until(pilot, lambda: "0.50" in text_of(app))
        await finish(app, pilot, training)


async def test_resizing_while_a_run_goes_on_keeps_it_going(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await epochs(app, pilot, training, 1)
        for size in [(80, 24), (40, 12), (10, 3), (160, 50), (120, 36)]:
            await pilot.resize_terminal(*size)
        await epochs(app, pilot, training, 1)
        await until(pilot, lambda: "2/6" in text_of(app))


async def test_a_screen_that_becomes_narrow_shows_both_arms_in_one_chart(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, _):
        assert not run_screen(app).view.overlay
        await pilot.resize_terminal(71, 24)
        await until(pilot, lambda: run_screen(app).view.overlay)
        await pilot.resize_terminal(120, 36)
        await until(pilot, lambda: not run_screen(app).view.overlay)


async def test_the_keys_stand_below_the_verdict_at_any_height(tmp_path: Path) -> None:
    async with running(tmp_path, size=(100, 40)) as (app, pilot, training):
        await finish(app, pilot, training)
        for height in range(20, 40):
            await pilot.resize_terminal(100, height)
            await until(pilot, lambda: "one seed (" in text_of(app))
            rows = text_of(app).splitlines()
            assert len(rows) == height
            assert "quit" in rows[-1]


async def test_ascii_only_shows_nothing_else(tmp_path: Path) -> None:
    async with running(tmp_path, ascii_only=True) as (app, pilot, training):
        await epochs(app, pilot, training, 2)
        await until(pilot, lambda: "2/6" in text_of(app))
        filtered = [
            segment.text
            for widget in app.screen.walk_children(Widget)
            for strip in widget.render_lines(widget.size.region)
            for segment in strip.apply_filter(app.get_line_filters()[-1], app.screen.background_colors[1])
        ]
        assert all(text.isascii() for text in filtered)


async def test_both_themes_and_no_colour_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(tmp_path) as (app, pilot, training):
        await epochs(app, pilot, training, 2)
        await pilot.press("t")
        assert app.theme == "regtui-light"
        await until(pilot, lambda: "2/6" in text_of(app))


async def test_views_change_what_the_charts_show(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await epochs(app, pilot, training, 3)
        for key, words in [
            ("v", "accuracy in %"),
            ("v", "gap: validation"),
            ("v", "training 0."),
            ("l", "log"),
            ("r", "newest 25 %"),
            ("L", "log epochs"),
            ("m", "steps: mean of 10"),
            ("a", "own axes"),
        ]:
            await pilot.press(key)
            await until(pilot, lambda words=words: words in text_of(app))  # type: ignore[misc]
        await pilot.press("o")
        await until(pilot, lambda: not app.screen.query_one("#right", Chart).display)
        assert run_screen(app).view.overlay


async def test_in_a_narrow_terminal_one_key_walks_overlay_and_both_arms(tmp_path: Path) -> None:
    async with running(tmp_path, size=(70, 24)) as (app, pilot, training):

        def title() -> str:
            return str(app.screen.query_one("#left", Chart).border_title)

        await epochs(app, pilot, training, 1)
        titles = list[str]()
        for _ in range(4):
            titles.append(title())
            await pilot.press("o")
            await until(pilot, lambda: title() != titles[-1])
        assert titles[0] == titles[3]
        assert len(set(titles)) == 3


# Steering


async def test_pause_resume_and_one_epoch_at_a_time(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        assert app.session is not None
        history = app.session.history
        await pilot.press("space")
        await epochs(app, pilot, training, 1)
        await until(pilot, lambda: history.paused)
        await pilot.press("e")
        await epochs(app, pilot, training, 1)
        await until(pilot, lambda: history.paused and len(history.arms["baseline"].epochs) == 2)
        await pilot.press("space")
        await until(pilot, lambda: not history.paused)
        assert history.interventions == 0


async def test_pause_twice_before_the_engine_answers_is_pause_and_go_on(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await pilot.press("space", "space")
        await epochs(app, pilot, training, 1)  # the trainer stands at its gate: both were asked for before it
        await epochs(app, pilot, training, 1)
        assert app.session is not None
        assert app.session.folder is not None
        await pilot.press("space")
        await epochs(app, pilot, training, 1)
        await until(pilot, lambda: app.session is not None and app.session.history.paused)
        told = [event.kind for event in read_events(app.session.folder) if event.kind in ("paused", "resumed")]
        assert told == ["paused", "resumed", "paused"]


async def test_patience_turned_on_stops_where_it_should_and_marks_the_run(tmp_path: Path) -> None:
    training = ScriptedTraining(RISING_FROM_3, RISING_FROM_3)
    async with running(tmp_path, training, preset=small_preset(train={"epochs": 30})) as (app, pilot, _):
        await epochs(app, pilot, training, 4)
        await pilot.press("p")
        training.open(1)
        await until(pilot, lambda: any(c.key == "patience" and c.value == 5 for c in controls(app)))
        await finish(app, pilot, training)
        assert app.session is not None
        assert app.session.summary is not None
        stopped = {name: (arm.stop_reason, arm.epochs) for name, arm in app.session.summary.arms.items()}
        # Best in epoch 3, patience 5: epoch 8, as section 6 of the design says.
        assert stopped == {"baseline": ("early_stopping", 8), "regularized": ("early_stopping", 8)}
        assert app.session.summary.interventions == 1
        assert "steered" in text_of(app)


async def test_patience_lowered_to_the_present_wait_asks_once_and_stops_at_the_next_epoch(tmp_path: Path) -> None:
    training = ScriptedTraining(RISING_FROM_3, RISING_FROM_3)
    preset = small_preset(train={"epochs": 30}, regularized={"early_stopping": {"patience": 4}})
    async with running(tmp_path, training, preset=preset) as (app, pilot, _):
        await epochs(app, pilot, training, 6)  # the best was epoch 3: three epochs waited
        await until(pilot, lambda: "6/30" in text_of(app))
        await pilot.press("minus")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        assert "stops now" in text_of(app).lower()
        assert not controls(app)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        training.open(1)
        await until(pilot, lambda: len(controls(app)) > 0)
        assert app.session is not None
        arm = app.session.history.arms["regularized"]
        await until(pilot, lambda: arm.stopped is not None)
        assert arm.stopped is not None
        assert (arm.stopped.reason, arm.stopped.epoch) == ("early_stopping", 7)


async def test_a_strength_changes_live_and_is_marked_on_the_chart(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await epochs(app, pilot, training, 1)
        stepper = next(s for s in app.screen.query("Stepper") if "dropout" in str(s.render()))
        stepper.focus()
        await pilot.press("left")
        training.open(1)
        await until(pilot, lambda: any(c.key == "dropout.rate" and c.accepted for c in controls(app)))
        assert run_screen(app).session.history.interventions == 1
        assert [c.value for c in controls(app)] == [0.45]


async def answer(app: RegtuiApp, pilot: Pilot[int], key: str, answers: str) -> None:
    """Press a key that asks, as often as there are answers; all but the last one are to go on."""
    for given in answers:
        assert not run_screen(app).session.control.stop_requested
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await pilot.press(given)
        await until(pilot, lambda: not isinstance(app.screen, Ask))


@pytest.mark.parametrize(("key", "tested"), [("k", True), ("x", False)])
async def test_stopping_asks_how(tmp_path: Path, key: str, tested: bool) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await epochs(app, pilot, training, 2)
        await answer(app, pilot, "s", f"g{key}")
        assert app.session is not None
        await finish(app, pilot, training)
        assert app.session.summary is not None
        assert app.session.summary.status == "stopped"
        assert ("regularized" in app.session.summary.comparisons) == tested
        assert app.exit_code == 4


async def test_what_is_steered_is_in_the_log(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await epochs(app, pilot, training, 1)
        await pilot.press("p")
        training.open(1)
        await until(pilot, lambda: len(controls(app)) >= 2)
        await finish(app, pilot, training)
        assert app.session is not None
        assert app.session.folder is not None
        logged = [e for e in read_events(app.session.folder) if isinstance(e, ControlApplied)]
        assert logged == controls(app)


# Leaving


async def test_leaving_while_a_run_goes_on_asks_and_keeps_it(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await epochs(app, pilot, training, 1)
        await answer(app, pilot, "q", "gk")
        training.open(1)
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value == 4
    assert training.result is not None
    assert training.result.summary.status == "stopped"


@pytest.mark.parametrize(("key", "question"), [("s", "Stop the run?"), ("q", "Leave while the run goes on?")])
async def test_a_question_about_the_run_goes_away_when_the_run_ends(tmp_path: Path, key: str, question: str) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await pilot.press(key)
        await until(pilot, lambda: question in text_of(app))
        training.open(100)
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.query_one(VerdictPanel).display)
        assert question not in text_of(app)
        await until(pilot, lambda: "The run has ended before the question was answered." in text_of(app))
        assert app.session is not None
        assert app.session.status == "finished"


async def test_quit_when_done_leaves_with_the_run_s_exit_code(tmp_path: Path) -> None:
    async with running(tmp_path, quit_when_done=True) as (app, pilot, training):
        training.open(100)
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value == 0
    assert app.session is not None
    assert any("one seed (" in line for line in app.session.outcome())
    assert training.closed


async def test_a_failure_of_training_is_a_sentence_and_its_traceback_is_in_the_log(tmp_path: Path) -> None:
    training = ScriptedTraining(failing=RuntimeError("the [red]cat[/] sat on the keyboard"))
    async with running(tmp_path, training) as (app, pilot, _):
        training.open(1)
        await until(pilot, lambda: app.session is not None and app.session.ended)
        await until(pilot, lambda: "sat on the keyboard" in text_of(app))
        assert app.exit_code == 1
        assert app.session is not None
        assert app.session.folder is not None
        assert "RuntimeError" in (app.session.folder / "traceback.txt").read_text()


async def test_a_run_that_can_t_begin_says_why_and_leads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a path is a part of what is said
    Path("logs").write_text("a file where the folder should be")
    app = RegtuiApp(Path("logs"), small_preset(), start=True, training=ScriptedTraining())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, Ask))
        assert "runs can't be saved here" in text_of(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))


async def test_a_loss_that_is_not_finite_is_marked_and_not_drawn(tmp_path: Path) -> None:
    training = ScriptedTraining()
    training.crew.step_loss = lambda arm, step: float("nan") if (arm, step) == ("regularized", 13) else 1.0
    async with running(tmp_path, training) as (app, pilot, _):
        await epochs(app, pilot, training, 3)
        await until(pilot, lambda: "✗ not finite" in text_of(app))
        await finish(app, pilot, training)
        assert app.exit_code == 3


# Help


async def test_help_lists_every_key_of_the_table_and_every_key_has_its_action(tmp_path: Path) -> None:
    async with running(tmp_path, size=(120, 60)) as (app, pilot, _):
        screen = run_screen(app)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        shown = text_of(app)
        for key in (*RunScreen.KEYS, *EVERYWHERE):
            assert key.help in shown
        for key in (*HERE, *EVERYWHERE):
            name = key.action.removeprefix("app.").partition("(")[0]
            assert hasattr(screen, f"action_{name}") or hasattr(app, f"action_{name}")
        await pilot.press("escape")


async def test_every_key_of_the_table_does_something_or_is_not_offered(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await epochs(app, pilot, training, 1)
        for key in HERE:
            name = key.action.partition("(")[0]
            offered = run_screen(app).check_action(name, ())
            assert offered == (name not in {*AFTER_THE_END, "one_epoch", "back", "review", "arm", "train_on"})
        await finish(app, pilot, training)
        for name in WHILE_RUNNING:
            assert run_screen(app).check_action(name, ()) is False
        for name in AFTER_THE_END:
            assert run_screen(app).check_action(name, ()) is True


async def test_about_and_weights_open_and_close(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot, training):
        await epochs(app, pilot, training, 1)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, ExplainScreen))
        assert "Bernoulli" in text_of(app)
        await pilot.press("escape")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WeightsScreen))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape")
        await epochs(app, pilot, training, 1)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))


async def test_a_session_begins_with_presets_and_a_word_on_what_is_loading(tmp_path: Path) -> None:
    training = ScriptedTraining(FALLING, FALLING)
    app = RegtuiApp(tmp_path / "logs", training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "PyTorch 2.13 ready" in text_of(app))
        assert isinstance(app.screen, ChooseScreen)
        await pilot.press("q")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value == 0
    assert not (tmp_path / "logs").exists()
