"""Studies among the saved runs: a row each, which opens their screen; what makes no sense there is not offered."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
from textual.pilot import Pilot

from regtui.cli.commands.saved import review
from regtui.engine.run import run
from regtui.errors import InputError
from regtui.protocol.control import Control
from regtui.study.conduct import conduct
from regtui.study.design import Wishes, make_plan
from regtui.study.folder import StudyFolder
from regtui.study.list import StudyInfo, read_study
from regtui.tui.app import RegtuiApp
from regtui.tui.review.screen import ReviewScreen
from regtui.tui.study.preview import StudyPreview
from regtui.tui.study.screen import StudyScreen
from regtui.tui.widgets.key_bar import KeyBar
from tests.conftest import small_preset
from tests.fake_engine import FakeEngine
from tests.screen_double import said, text_of, until
from tests.scripted import ScriptedCrew

FALLING = {arm: [0.5, 0.4, 0.3] for arm in ("baseline", "regularized")}


@pytest.fixture(scope="module")
def made_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, a study of four seeds, and one of which nothing has run."""
    logs = tmp_path_factory.mktemp("logs")
    run(small_preset(), logs, Control(), lambda _event: None, ScriptedCrew(FALLING))
    study = StudyFolder.create(make_plan(small_preset(), Wishes(seeds="4")), logs)
    conduct(study, FakeEngine(), Event(), lambda _news: None)
    StudyFolder.create(make_plan(small_preset().model_copy(update={"name": "other"}), Wishes(seeds="3")), logs)
    return logs


def shown_keys(app: RegtuiApp) -> set[str]:
    return {key.label for key in app.screen.query_one(KeyBar).shown()}


async def listed(app: RegtuiApp, pilot: Pilot[int], rows: int) -> ReviewScreen:
    """The list, once it was read; the rows sorted by their names' beginnings, the newest first."""
    await until(pilot, lambda: f"{rows} of {rows} runs" in text_of(app))
    screen = app.screen
    assert isinstance(screen, ReviewScreen)
    return screen


async def to_study(screen: ReviewScreen, pilot: Pilot[int], preset: str) -> None:
    """Put the cursor on the study of a preset."""
    rows = [info for info in screen.listing.shown if isinstance(info, StudyInfo) and info.preset == preset]
    screen._list._to(screen.listing.shown.index(rows[0]))
    await pilot.pause()


async def test_a_study_is_one_row_that_opens_its_screen(made_logs: Path) -> None:
    app = RegtuiApp(made_logs, review=())
    async with app.run_test(size=(160, 36)) as pilot:
        screen = await listed(app, pilot, 3)
        await to_study(screen, pilot, "small")
        shown = text_of(app)
        assert "small ×4" in shown
        assert "0/3 runs" in shown
        assert "helps" in shown
        keys = shown_keys(app)
        assert {"open", "delete", "note", "export"} <= keys
        assert "rerun" not in keys
        await pilot.press("e")
        await until(pilot, lambda: "CSV" in text_of(app))
        assert "TensorBoard" not in text_of(app), "a study can't be written so"
        await pilot.press("escape")
        preview = screen.query_one(StudyPreview)
        await until(pilot, lambda: preview._session is not None)
        await until(pilot, lambda: "HELPS" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, StudyScreen))
        await pilot.press("escape")
        assert app.screen is screen


@pytest.mark.slow
async def test_a_wide_list_tells_how_many_runs_are_done(made_logs: Path) -> None:
    app = RegtuiApp(made_logs, review=())
    async with app.run_test(size=(240, 40)) as pilot:
        await listed(app, pilot, 3)
        assert "study 4/4 runs" in text_of(app)
        assert "(4 seeds)" in text_of(app)


async def test_the_filter_finds_studies_and_notes_are_kept(made_logs: Path) -> None:
    app = RegtuiApp(made_logs, review=())
    async with app.run_test(size=(160, 36)) as pilot:
        screen = await listed(app, pilot, 3)
        screen._input.value = "study=true verdict=helps"
        await pilot.pause()
        assert [info.preset for info in screen.listing.shown] == ["small"]
        screen._write_notes([screen.listing.shown[0].folder], lambda note: type(note)("keep it", ("good",)))
        await until(pilot, lambda: "keep it" in text_of(app))
        assert read_study(screen.listing.shown[0].folder).note.tags == ("good",)


async def test_a_study_goes_to_the_trash_and_comes_back_but_not_while_its_runs_are_made(made_logs: Path) -> None:
    app = RegtuiApp(made_logs, review=())
    async with app.run_test(size=(120, 30)) as pilot:
        screen = await listed(app, pilot, 3)
        await to_study(screen, pilot, "other")
        assert screen.at_cursor is not None
        study = StudyFolder.open(screen.at_cursor.folder)
        with study.held():
            await pilot.press("D")
            assert "its runs are being made" in said(app)
        await pilot.press("D")
        assert not study.path.exists()
        await pilot.press("u")
        await until(pilot, lambda: study.path.exists())


@pytest.mark.slow
async def test_runs_and_studies_are_not_laid_over_each_other(made_logs: Path) -> None:
    app = RegtuiApp(made_logs, review=())
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(app, pilot, 3)
        await pilot.press("a", "c")
        assert "Curves are those of runs" in said(app)


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"state": 3, "cells": 5, "runs": {"done": "x"}}', '{"cells": [{"arms": {"a": 1}}]}', "x"],
)
def test_a_study_is_listed_whatever_its_files_contain(content: str, tmp_path: Path) -> None:
    study = StudyFolder.create(make_plan(small_preset(), Wishes(seeds="4")), tmp_path)
    study.outcome.write_text(content)
    found = read_study(study.path)
    assert found.status == "interrupted"
    assert found.done == "0/4 runs"
    (study.path / "study.toml").write_text(content)
    assert read_study(study.path).status == "damaged"
    assert read_study(study.path).fault


def test_hostile_texts_of_a_study_are_harmless(tmp_path: Path) -> None:
    study = StudyFolder.create(make_plan(small_preset(), Wishes(seeds="4")), tmp_path)
    study.outcome.write_text('{"verdict": {"headline": "\\u001b[2Jgone\\u202e"}}')
    assert read_study(study.path).headline.isprintable()


def test_a_study_is_named_alone_for_the_screen(made_logs: Path) -> None:
    study = next(path for path in made_logs.iterdir() if "-study-small-" in path.name)
    single = next(path for path in made_logs.iterdir() if "-small-" in path.name and "-study-" not in path.name)
    with pytest.raises(InputError, match="is a study, and curves of runs are compared; name it alone"):
        review([study.name, single.name], made_logs)
    with pytest.raises(InputError, match="no terminal"):
        review([study.name], made_logs)
    with pytest.raises(InputError, match="no terminal"):
        review([str(study)], made_logs)
