"""A study on screen: it fills while it runs, says what it came to, and leads from a dot into its run."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event as Flag
from threading import Thread
from threading import enumerate as enumerate_threads
from typing import Any

import pytest
from textual.pilot import Pilot

from regtui.engine import fits
from regtui.engine.run import run
from regtui.errors import RegtuiError
from regtui.evidence.from_history import judge_run
from regtui.memory import Memory
from regtui.protocol.control import Control
from regtui.protocol.events import Stalled
from regtui.study.conduct import conduct
from regtui.study.design import Wishes, make_plan
from regtui.study.engine import Began, Ended, Told
from regtui.study.folder import StudyFolder
from regtui.study.outcome import State, StudyOutcome, judge
from regtui.study.plan import Job, PlannedCell
from regtui.text import one_line
from regtui.tui.app import RegtuiApp
from regtui.tui.charts.chart import Chart
from regtui.tui.look import plain
from regtui.tui.review.saved_run import SavedRunScreen
from regtui.tui.review.screen import ReviewScreen
from regtui.tui.run.is_it_real import study_offer
from regtui.tui.run.session import Session
from regtui.tui.study import desk
from regtui.tui.study import screen as study_screen
from regtui.tui.study.forest import places
from regtui.tui.study.form import StudyForm
from regtui.tui.study.runner import local_runner
from regtui.tui.study.screen import StudyScreen
from regtui.tui.study.session import StudySession
from regtui.tui.study.subject import Subject
from regtui.tui.widgets.dialogs import Ask
from regtui.tui.widgets.key_bar import KeyBar
from tests.conftest import small_preset
from tests.gated_engine import GatedEngine, gated_runner
from tests.made_courses import made_courses
from tests.made_scores import made, noisy, plan_of, scores_of
from tests.screen_double import ScriptedTraining, said, text_of, until
from tests.scripted import ScriptedCrew
from tests.test_tui_footer import Recording, honest

SIZES = ((80, 24), (40, 12), (120, 36), (200, 60))


def new_study(logs: Path, seeds: int = 4, **wishes: Any) -> StudyFolder:
    """A study of the small preset, of which nothing has run."""
    return StudyFolder.create(make_plan(small_preset(), Wishes(seeds=str(seeds), **wishes)), logs)


@asynccontextmanager
async def showing(
    outcome: StudyOutcome, logs: Path, size: tuple[int, int] = (120, 36), *, ascii_only: bool = False
) -> AsyncIterator[tuple[StudyScreen, Pilot[Any]]]:
    """A study that was made up, on screen above the list of saved runs."""
    app = RegtuiApp(logs, review=(), ascii_only=ascii_only, runner=gated_runner(GatedEngine()))
    session = StudySession(outcome, Subject.of(outcome.plan), logs, ended=outcome.state != "running")
    session.courses.update(made_courses(outcome))
    async with app.run_test(size=size) as pilot:
        screen = StudyScreen(session)
        app.push_screen(screen)
        await until(pilot, lambda: app.screen is screen and screen.size.width)
        yield screen, pilot


@asynccontextmanager
async def conducting(
    study: StudyFolder, engine: GatedEngine, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[RegtuiApp, Pilot[Any]]]:
    """The program that makes a study's runs; they end with it, whatever a test comes to."""
    app = RegtuiApp(study.path.parent, study=study, runner=gated_runner(engine))
    async with app.run_test(size=size) as pilot:
        try:
            await until(pilot, lambda: isinstance(app.screen, StudyScreen))
            yield app, pilot
        finally:
            assert app.study is not None
            app.study.stop.set()
            engine.gate.release(10_000)


def ended_as(app: RegtuiApp, state: State) -> bool:
    """Whether the study has ended so, and the screen knows."""
    return app.study is not None and app.study.ended and app.study.outcome.state == state


def keys_shown(screen: StudyScreen) -> dict[str, str]:
    """The footer: what each of its keys does."""
    return {key.name: key.label for key in screen.query_one(KeyBar).shown()}


def test_a_study_whose_screen_failed_before_it_could_begin_begins_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a failure cancels the screen's threads that have not begun: nobody would ever end the study."""
    engine = GatedEngine(epochs=10_000)
    app = RegtuiApp(tmp_path, runner=gated_runner(engine))
    for begun in ("push_screen", "_conduct", "_foretell"):
        monkeypatch.setattr(app, begun, lambda *_: None)
    app.conduct_study(new_study(tmp_path, 2))
    assert app.study is not None
    app.begin_late()
    deadline = time.monotonic() + 120
    while not app.study.ended:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert app.study.error is None
    assert len(engine.begun) == 2
    app.begin_late()
    assert not [thread for thread in enumerate_threads() if thread.name == "training"], "it is not begun twice"


async def test_it_fills_while_it_runs_and_a_dot_leads_into_its_run(tmp_path: Path) -> None:
    engine = GatedEngine(epochs=2)  # of three that a run has
    async with conducting(new_study(tmp_path), engine, (120, 36)) as (app, pilot):
        await until(pilot, lambda: "worker" in text_of(app))
        screen = app.screen
        assert isinstance(screen, StudyScreen)
        await until(pilot, lambda: any(run.epoch for run in screen.session.running.values()))
        shown = text_of(app)
        assert "0/4 runs" in shown
        assert "local, 2 jobs" in shown
        assert "HELPS" not in shown
        assert "enter" not in keys_shown(screen)
        engine.gate.release(1000)
        await until(pilot, lambda: screen.session.ended and "4/4 runs" in text_of(app))
        assert "worker" not in text_of(app)
        assert screen.session.outcome.runs == (4, 4)
        await pilot.press("right")
        folder = screen.run_at_cursor
        assert keys_shown(screen)["enter"] == "open its run"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SavedRunScreen))
        opened = app.screen
        assert isinstance(opened, SavedRunScreen)
        assert opened.session.folder == folder
    assert app.exit_code == 0


async def test_stopping_asks_keeps_what_is_done_and_the_study_goes_on(tmp_path: Path) -> None:
    engine = GatedEngine(jobs=1, epochs=3)  # those of one run
    study = new_study(tmp_path, seeds=3)
    async with conducting(study, engine) as (app, pilot):
        await until(pilot, lambda: app.study is not None and app.study.outcome.runs == (1, 3))
        first = app.study
        assert first is not None
        await pilot.press("escape")
        assert isinstance(app.screen, Ask)
        await pilot.press("g")
        assert not first.stop.is_set()
        await pilot.press("s", "k")
        await until(pilot, lambda: first.ended and first.outcome.state == "stopped")
        assert len(list(study.runs.iterdir())) == 1
        screen = app.screen
        assert isinstance(screen, StudyScreen)
        await until(pilot, lambda: keys_shown(screen).get("g") == "go on")
        engine = GatedEngine()
        app.runner = gated_runner(engine)
        await pilot.press("g")
        await until(pilot, lambda: app.study is not first and ended_as(app, "finished"))
        assert [job.seed for job in engine.begun] == [1, 2], "what is done is never made again"


async def test_one_study_goes_on_at_a_time_and_its_row_leads_back_to_it(tmp_path: Path) -> None:
    study = new_study(tmp_path)
    async with conducting(study, GatedEngine(epochs=2)) as (app, pilot):
        app.begin_study(small_preset(), Wishes("2"))
        assert "A study goes on already" in said(app)
        live = app.study
        app.pop_screen()
        app.open_study(study.path)
        await pilot.pause()
        assert isinstance(app.screen, StudyScreen)
        assert app.screen.session is live


async def test_leaving_asks_and_keeps_what_is_done(tmp_path: Path) -> None:
    async with conducting(new_study(tmp_path), GatedEngine(epochs=2)) as (app, pilot):
        await until(pilot, lambda: "worker" in text_of(app))
        await pilot.press("q")
        assert "Leave while the study goes on?" in text_of(app)
        await pilot.press("g", "q", "k")
        await until(pilot, lambda: app.study is not None and app.study.ended)
    assert app.exit_code == 4


async def test_a_study_that_is_left_running_is_taken_over_by_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = new_study(tmp_path)
    asked: list[Any] = []

    def leave_running(folder: Path, options: Any, _wanted: Any) -> int:
        assert not StudyFolder.open(folder).is_held, "the other process can take it"
        asked.append((folder, options))
        return 4242

    monkeypatch.setattr(desk, "leave_running", leave_running)
    async with conducting(study, GatedEngine(epochs=2)) as (app, pilot):
        app.runner = replace(app.runner, options=("--engine", "local"))
        await until(pilot, lambda: "worker" in text_of(app))
        await pilot.press("q", "l")
        await until(pilot, lambda: app.study is not None and app.study.ended)
    assert asked == [(study.path, ("--jobs", "2", "--engine", "local"))]
    assert app.exit_code == 0
    assert app.study is not None
    assert "goes on without a screen, in process 4242" in app.study.lines()[0]


async def test_a_study_that_nobody_takes_over_goes_on_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave_running(_folder: Path, _options: Any, _wanted: Any) -> int:
        raise RegtuiError("there is no room for it")

    monkeypatch.setattr(desk, "leave_running", leave_running)
    async with conducting(new_study(tmp_path), GatedEngine(epochs=2)) as (app, pilot):
        app.runner = gated_runner(GatedEngine())
        await until(pilot, lambda: "worker" in text_of(app))
        await pilot.press("q", "l")
        await until(pilot, lambda: ended_as(app, "finished"))
        await until(pilot, lambda: "The study goes on here: there is no room for it" in text_of(app))
    assert app.exit_code == 0


@pytest.mark.parametrize(("answer", "state", "code"), [("g", "finished", 0), ("k", "stopped", 4)])
async def test_until_a_study_is_taken_over_it_may_be_answered_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, state: str, code: int
) -> None:
    waits = Flag()

    def leave_running(_folder: Path, _options: Any, wanted: Callable[[], bool]) -> None:
        waits.set()
        deadline = time.monotonic() + 120
        while wanted():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    monkeypatch.setattr(desk, "leave_running", leave_running)
    async with conducting(new_study(tmp_path), GatedEngine(epochs=2)) as (app, pilot):
        app.runner = gated_runner(GatedEngine())
        await until(pilot, lambda: "worker" in text_of(app))
        await pilot.press("q", "l")
        await until(pilot, waits.is_set)
        await pilot.press("q")
        await until(pilot, lambda: "Another process takes it over" in text_of(app))
        await pilot.press(answer)
        await until(pilot, lambda: app.study is not None and app.study.ended)
        assert app.study is not None
        await until(pilot, lambda: app.is_running == (answer == "g"))
    assert app.study.outcome.state == state
    assert app.exit_code == code


@pytest.mark.slow
async def test_a_study_that_another_program_runs_is_refused_in_a_sentence(tmp_path: Path) -> None:
    study = new_study(tmp_path)
    with study.held():
        async with conducting(StudyFolder.open(study.path), GatedEngine()) as (app, pilot):
            await until(pilot, lambda: "is being run by another program" in text_of(app))
    assert app.exit_code == 2


@pytest.mark.parametrize("size", [*SIZES[:2], *(pytest.param(size, marks=pytest.mark.slow) for size in SIZES[2:])])
async def test_the_answer_is_first_and_every_arm_has_its_interval_and_dots(
    size: tuple[int, int], tmp_path: Path
) -> None:
    effects = {"rate-0_1": 1.5, "rate-0_2": 0.1, "rate-0_3": -1.5}
    outcome = made(plan_of(arms=3), noisy(effects))
    async with showing(outcome, tmp_path, size) as (screen, pilot):
        rows = text_of(pilot.app).splitlines()  # type: ignore[arg-type]
        assert all(len(row) == size[0] for row in rows)
        assert "HELPS" in rows[1]
        shown = "\n".join(rows)
        assert shown.count("├") >= 3
        assert all(word in shown for word in ("•", "helps", "hurts"))
        assert screen.query_one(Chart).display is (size[1] >= 24)
        for place in places(outcome):
            assert place.arm in shown or screen.session.subject.labels[place.arm] in shown


async def test_between_looks_there_is_no_verdict_and_no_interval_but_what_the_mean_must_pass(tmp_path: Path) -> None:
    plan = plan_of(arms=2, seeds=12, looks=[7, 9, 12])
    outcome = made(plan, noisy({"rate-0_1": 3.0, "rate-0_2": -3.0}), "running", done=5)
    async with showing(outcome, tmp_path) as (_, pilot):
        shown = text_of(pilot.app)  # type: ignore[arg-type]
        assert "what the mean must pass at 7 seeds" in shown
        assert not any(word in shown for word in ("HELPS", "HURTS", "helps", "hurts", "inconclusive", "├"))
        assert "[" in shown
    outcome = made(plan, noisy({"rate-0_1": 3.0, "rate-0_2": -3.0}), "decided", done=7)
    async with showing(outcome, tmp_path) as (_, pilot):
        assert "helps" in text_of(pilot.app)  # type: ignore[arg-type]


async def test_arrows_choose_arm_cell_and_dot(tmp_path: Path) -> None:
    cells = [PlannedCell(name=f"data.train_samples={n}", settings={"data.train_samples": n}) for n in (160, 320)]
    outcome = made(plan_of(arms=3, cells=cells), noisy({"rate-0_1": 1.5}))
    async with showing(outcome, tmp_path) as (screen, pilot):
        order = places(outcome)
        assert len(order) == 6
        await pilot.press("down")
        assert screen.at == order[1]
        for expected in (*order[2:], order[0]):
            screen.action_arm(1)
            assert screen.at == expected
        await pilot.press("right_square_bracket")
        assert screen.at == order[3]
        differences = outcome.cells[screen.at.cell].arms[screen.at.arm].score.differences
        walked = []
        for _ in differences:
            screen.action_seed(1)
            assert screen.seed is not None
            walked.append(differences[screen.seed])
        assert walked == sorted(differences.values())
        await pilot.pause()
        assert f"seed {screen.seed}:" in text_of(pilot.app)  # type: ignore[arg-type]
        assert keys_shown(screen)["esc"] == "all seeds"
        await pilot.press("escape")
        assert screen.seed is None


async def test_views_are_those_that_the_study_has(tmp_path: Path) -> None:
    async with showing(made(plan_of(), noisy(1.0)), tmp_path) as (screen, _):
        assert screen.views == ["differences", "curves"]
    cells = [PlannedCell(name=f"data.train_samples={n}", settings={"data.train_samples": n}) for n in (160, 320)]
    outcome = made(plan_of(arms=3, cells=cells), noisy({"rate-0_1": 1.5}))
    async with showing(outcome, tmp_path) as (screen, pilot):
        seen = dict[str, str]()
        for _ in screen.views:
            await pilot.pause()
            seen[screen.view] = text_of(pilot.app)  # type: ignore[arg-type]
            label = keys_shown(screen)["v"]
            screen.action_view()
            assert label == {"map": "heat map"}.get(screen.view, screen.view)
        assert list(seen) == ["differences", "ranking", "response", "gain", "map", "curves"]
        assert "joint interval" in seen["ranking"]
        assert "over dropout.rate" in seen["response"]
        assert "best by validation" in seen["response"]
        assert "over data.train_samples" in seen["gain"]
        assert "160" in seen["map"]
        assert "✓" in seen["map"]
        assert "mean ± standard deviation" in seen["curves"]


async def test_the_details_scroll_and_tell_all(tmp_path: Path) -> None:
    outcome = made(plan_of(arms=3), noisy({"rate-0_1": 1.5}))
    async with showing(outcome, tmp_path, (80, 24)) as (screen, pilot):
        await pilot.press("d")
        assert "sign-flip" in text_of(pilot.app)  # type: ignore[arg-type]
        before = screen.at
        await pilot.press("down", "pagedown")
        assert screen.at == before
        assert keys_shown(screen)["d"] == "back"
        await pilot.press("escape")
        assert "├" in text_of(pilot.app)  # type: ignore[arg-type]


async def test_a_saved_study_is_opened_from_the_command_line_and_goes_on_if_it_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = new_study(tmp_path)
    app = RegtuiApp(tmp_path, review=[study.path], runner=gated_runner(GatedEngine()))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, StudyScreen))
        assert "interrupted" in text_of(app)
        assert isinstance(app.screen, StudyScreen)
        assert keys_shown(app.screen)["g"] == "go on"
        with monkeypatch.context() as small:
            small.setattr(fits, "free_memory", lambda **_: Memory(1, "this machine"))
            await pilot.press("g")
            await until(pilot, lambda: "of memory" in said(app))
            assert not app.conducts_study
        await pilot.press("g")
        await until(pilot, lambda: ended_as(app, "finished") and "4/4 runs" in text_of(app))
        await pilot.press("escape")
        assert isinstance(app.screen, ReviewScreen), "the screen of the study before it went on is not there twice"


def test_on_screen_too_a_study_that_goes_on_saves_weights_as_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        "regtui.study.local.LocalEngine", lambda *given, checkpoints: made.append((*given, checkpoints))
    )
    for saves in (True, False):
        plan = make_plan(small_preset(), Wishes("2", threads=3))
        begun = StudyFolder.create(plan, tmp_path, checkpoints=saves)
        local_runner().make(2, StudyFolder.open(begun.path))
    assert made == [(2, 3, True), (2, 3, False)]


async def test_a_plan_that_was_changed_is_refused_in_a_sentence(tmp_path: Path) -> None:
    study = new_study(tmp_path)
    file = study.path / "study.toml"
    file.write_text(file.read_text().replace("alpha = 0.05", "alpha = 0.2"))
    app = RegtuiApp(tmp_path, review=[study.path], runner=gated_runner(GatedEngine()))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, Ask))
        assert isinstance(app.screen, Ask)
        assert "was changed after it was written" in app.screen._text


async def test_a_finished_run_offers_a_study_of_new_seeds_by_one_key(tmp_path: Path) -> None:
    training, engine = ScriptedTraining(), GatedEngine()
    preset = small_preset(train={"seed": 5})
    app = RegtuiApp(tmp_path, preset, start=True, training=training, runner=gated_runner(engine))
    async with app.run_test(size=(120, 36)) as pilot:
        training.open(100)
        await until(pilot, lambda: app.session is not None and app.session.ended)
        await until(pilot, lambda: "is it real? 8 seeds, about" in text_of(app))
        await pilot.press("R")
        await until(pilot, lambda: app.study is not None and app.study.ended)
        assert app.study is not None
        plan = app.study.outcome.plan
        assert plan.seeds == [*range(6, 14)], "the seed that made one ask is not among them"
        assert {job.preset.train.seed for job in engine.begun} == {*plan.seeds}
        run = app.screen
        await pilot.press("escape")
        assert app.screen is not run
        assert "is it real?" in text_of(app)


async def test_an_offer_tells_the_time_by_the_run_s_own_seconds() -> None:
    preset = small_preset()
    session = Session(preset, lambda: None)
    crew = ScriptedCrew({"baseline": [0.5, 0.4, 0.3], "regularized": [0.5, 0.4, 0.3]})
    with TemporaryDirectory() as folder:
        result = run(preset, Path(folder), Control(), session.tell, crew)
    session.take_in()
    assert study_offer(session, 2) == "", "before there is a verdict there is nothing to ask about"
    session.verdicts = judge_run(result.history, preset)
    history = session.history
    for arm in history.arms.values():
        arm.epochs[:] = [epoch.model_copy(update={"seconds": 5.0}) for epoch in arm.epochs]  # six of them
    assert study_offer(session, 1) == "is it real? 8 seeds, about 4 min"
    assert study_offer(session, 2) == "is it real? 8 seeds, about 2 min"
    assert study_offer(session, 100) == study_offer(session, 8) == "is it real? 8 seeds, about 30 s"


async def test_a_steered_run_has_no_study_and_says_why(tmp_path: Path) -> None:
    training = ScriptedTraining()
    app = RegtuiApp(tmp_path, small_preset(), start=True, training=training, runner=gated_runner(GatedEngine()))
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.session is not None and app.session.history.started is not None)
        await pilot.press("greater_than_sign")
        training.open(100)
        await until(pilot, lambda: "new seed" in text_of(app))
        assert app.session is not None
        assert app.session.history.interventions
        assert "is it real? 8 seeds" not in text_of(app)
        await pilot.press("R")
        assert "It was steered" in said(app)
        assert app.study is None


@pytest.mark.slow
async def test_a_study_of_a_preset_is_asked_for_with_what_it_can_find(tmp_path: Path) -> None:
    engine = GatedEngine()
    app = RegtuiApp(tmp_path, small_preset(), training=ScriptedTraining(), runner=gated_runner(engine))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("R")
        form = app.screen
        assert isinstance(form, StudyForm)
        await until(pilot, lambda: "80 %" in text_of(app))
        await pilot.press("left", "left", "left", "left", "left")
        assert form.wish == (3, 2, False)
        await pilot.press("tab", "left", "tab", "space")
        assert form.wish == (12, 1, True)
        await pilot.press("space", "b")
        await until(pilot, lambda: app.study is not None and app.study.ended)
        assert app.study is not None
        assert app.study.outcome.plan.seeds == [*range(8)]
        assert "local, 1 job" in text_of(app)


@pytest.mark.parametrize("size", [SIZES[0], *(pytest.param(size, marks=pytest.mark.slow) for size in SIZES[1:])])
async def test_every_view_is_drawn_in_every_size_and_in_ascii(size: tuple[int, int], tmp_path: Path) -> None:
    cells = [PlannedCell(name=f"data.train_samples={n}", settings={"data.train_samples": n}) for n in (160, 320)]
    outcome = made(plan_of(arms=3, cells=cells), noisy({"rate-0_1": 1.5}))
    async with showing(outcome, tmp_path, size, ascii_only=True) as (screen, pilot):
        for _ in screen.views:
            await pilot.pause()
            rows = [plain(row) for row in text_of(pilot.app).splitlines()]  # type: ignore[arg-type]
            assert all(row.isascii() and len(row) == size[0] for row in rows)
            assert len(rows) == size[1]
            assert "q quit" in rows[-1]
            screen.action_view()


@pytest.mark.parametrize("state", ["interrupted", pytest.param("finished", marks=pytest.mark.slow)])
async def test_before_the_first_seed_every_view_has_words(state: State, tmp_path: Path) -> None:
    outcome = made(plan_of(arms=2), noisy(0.0), state, done=0)
    async with showing(outcome, tmp_path, (80, 24)) as (screen, pilot):
        for _ in screen.views:
            await pilot.pause()
            assert "8 seeds" in text_of(pilot.app)  # type: ignore[arg-type]
            screen.action_view()
        assert "enter" not in keys_shown(screen)


async def test_seeds_beyond_the_plan_are_drawn_otherwise_and_move_no_verdict(tmp_path: Path) -> None:
    plan = plan_of(arms=1, seeds=4)
    scores = scores_of(plan, noisy(2.0), added=[90, 91])
    outcome = judge(plan, scores, "finished", added=[90, 91])
    async with showing(outcome, tmp_path) as (_, pilot):
        shown = text_of(pilot.app)  # type: ignore[arg-type]
        assert "○ added beyond the plan" in shown
        assert "4/4" in shown
        assert "seeds (0–3)" in shown


@pytest.mark.slow
async def test_a_study_that_another_program_runs_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_screen, "FOLLOW", 0.05)
    study, engine = new_study(tmp_path), GatedEngine(epochs=1)
    conducted = Thread(target=conduct, args=(study, engine, Flag(), lambda _news: None), daemon=True)
    conducted.start()
    app = RegtuiApp(tmp_path, review=[study.path], runner=gated_runner(GatedEngine()))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, StudyScreen))
        assert isinstance(app.screen, StudyScreen)
        session = app.screen.session
        await until(pilot, lambda: "elsewhere" in text_of(app) and "epoch 1/" in text_of(app))
        await until(pilot, lambda: any(session.courses.values()))
        assert not session.ended
        engine.gate.release(10_000)
        await until(pilot, lambda: "4/4 runs" in text_of(app) and session.ended)
        assert "elsewhere" not in text_of(app)
    conducted.join(timeout=120)


@pytest.mark.slow
async def test_help_and_commands_know_the_keys(tmp_path: Path) -> None:
    async with showing(made(plan_of(arms=2), noisy(1.0)), tmp_path, (100, 40)) as (screen, pilot):
        await pilot.press("question_mark")
        shown = text_of(pilot.app)  # type: ignore[arg-type]
        assert all(key.help[:30] in shown for key in screen.KEYS)
        await pilot.press("escape", "ctrl+p")
        await until(pilot, lambda: "What the verdict rests on" in text_of(pilot.app))  # type: ignore[arg-type]


def test_a_process_that_stands_still_is_told(tmp_path: Path) -> None:
    outcome = made(plan_of(arms=1), noisy(1.0))
    session = StudySession(outcome, Subject.of(outcome.plan), tmp_path)
    job = Job("", 3, 0, small_preset())
    session.tell(Told(job, Stalled(t=1, arms=["baseline"], pid=7, seconds=5, stopped=True)))
    assert session.take_in().startswith("The run of seed 3: the process that trains baseline (pid 7) is stopped")


async def test_texts_of_a_study_can_harm_no_terminal(tmp_path: Path) -> None:
    outcome = made(plan_of(arms=1), noisy(1.0))
    cell = outcome.cells[""]
    bad = "\x1b[2Jseed 3\u202e: it was steered"
    outcome = replace(outcome, cells={"": replace(cell, left_out=(one_line(bad),))}, strangers=(one_line(bad),))
    session = StudySession(outcome, Subject.of(outcome.plan), tmp_path / "\x1b[2J", ended=True)
    session.tell(Began(Job("", 3, 0, small_preset()), tmp_path, "\x1b]0;worker\x07"))
    session.take_in()
    app = RegtuiApp(tmp_path, review=(), runner=gated_runner(GatedEngine()))
    async with app.run_test(size=(120, 36)) as pilot:
        app.push_screen(StudyScreen(session))
        await until(pilot, lambda: "worker" in text_of(app))
        assert "\x1b" not in text_of(app)
        assert "\u202e" not in text_of(app)


def test_what_failed_and_what_is_not_saved_is_a_sentence(tmp_path: Path) -> None:
    outcome = made(plan_of(arms=1), noisy(1.0))
    session = StudySession(outcome, Subject.of(outcome.plan), tmp_path, live=True)
    job = Job("", 3, 0, small_preset())
    for news, words in (
        (Ended(job, None, "failed", "no such device"), "The run of seed 3 failed: no such device"),
        (Ended(job, tmp_path, "finished", unsaved="no room"), "Not all of the run of seed 3 is saved: no room"),
        (Ended(job, tmp_path, "finished"), ""),
    ):
        session.tell(news)
        assert session.take_in() == words
    assert session.failed == 1


@pytest.mark.slow
async def test_the_footer_is_honest_on_a_study_and_on_its_form(tmp_path: Path) -> None:
    outcome = made(plan_of(arms=2), noisy(1.0))
    app = Recording(tmp_path, small_preset(), training=ScriptedTraining(), runner=gated_runner(GatedEngine()))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, StudyForm))
        assert await honest(app) >= {"Stepper", "Tick", "_Button"}
        app.pop_screen()
        screen = StudyScreen(StudySession(outcome, Subject.of(outcome.plan), tmp_path, ended=True))
        app.push_screen(screen)
        await until(pilot, lambda: app.screen is screen and "├" in text_of(app))
        await honest(app)
        screen.action_seed(1)
        await honest(app)
        screen.action_details()
        await pilot.pause()
        await honest(app)
