"""The screens of saved runs, with runs of several arms among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from regtui.tasks.comparison import RightWrong
from regtui.tui.app import RegtuiApp
from regtui.tui.review.compare_screen import CompareScreen
from regtui.tui.run.screen import RunScreen
from regtui.tui.widgets.row_list import RowList
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, text_of, until
from tests.telling import Telling

LONG = "a-name-with-24-letters-x"


def saved(logs: Path, arms: list[str], seed: int) -> Path:
    """A run of two epochs of which every arm was tested."""
    tables = {name: {"dropout": {"rate": 0.1 + n / 20}} for n, name in enumerate(arms)}
    told = Telling(small_preset(arms=tables, train={"epochs": 2, "seed": seed})).start()
    for name in ("baseline", *arms):
        told.epoch(name, 0.5 + seed / 10).epoch(name, 0.4).stop(name, "max_epochs")
    told.score({name: RightWrong(700, 20 + seed + 5 * n, 80, 200 - seed - 5 * n) for n, name in enumerate(arms)})
    return told.finish().save(logs)


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40)])
async def test_runs_of_several_arms_are_compared_arm_by_arm(tmp_path: Path, size: tuple[int, int]) -> None:
    folders = [saved(tmp_path, ["one", LONG, "three"], seed) for seed in (0, 1)]
    folders.append(saved(tmp_path, ["alone"], 0))
    app = RegtuiApp(tmp_path, training=ScriptedTraining(), review=folders)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and "one" in text_of(app))
        listed = app.screen.query_one(RowList)
        await until(pilot, lambda: listed.virtual_size.height - 1 == 2 * 4 + 1)  # a row a run, and one for each arm
        if size[1] >= 24:
            await until(pilot, lambda: "3 arms, each against the baseline" in " ".join(text_of(app).split()))
        for _ in range(3):
            await pilot.press("o")
        await until(pilot, lambda: "A ─ one" in text_of(app))
        for _ in range(4):  # the other arms by name, then all again
            await pilot.press("o", "v")
        assert "A ─ one" not in text_of(app)
        await pilot.press(*["down"] * 6)  # the second run's second arm
        assert app.screen._at_cursor == 1  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert "seed 1" in text_of(app) or size[0] < 80
