"""What other patience would have brought, as charts, as a table, and on the screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from regtui.evidence.what_if import MAX_PATIENCE, WhatIf, what_if
from regtui.preset.model import Preset
from regtui.tui.charts.chart import draw
from regtui.tui.charts.plot import Plot, Space
from regtui.tui.look import arm_looks
from regtui.tui.pages.what_if_screen import WhatIfScreen
from regtui.tui.pages.what_if_view import cost_plot, remarks, stop_plot, table_rows, takeaways
from regtui.tui.run.screen import RunScreen
from regtui.tui.themes import DARK
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, text_of, until
from tests.telling import Telling
from tests.test_tui_run import epochs, finish, running

COLOURS = {"success": "#7fbf7f", **DARK.variables}
SPACE = Space(57, 14)
LOOKS = arm_looks(["baseline", "regularized"])
WAVERING = [0.9, 0.5, 0.6, 0.4, 0.45, 0.46, 0.47, 0.48]
FALLING = [1 / epoch for epoch in range(1, 9)]


def tables(
    baseline: list[float], regularized: list[float], planned: int = 8, preset: Preset | None = None
) -> dict[str, WhatIf]:
    preset = preset or small_preset(train={"epochs": max(planned, len(baseline), len(regularized))})
    told = Telling(preset).start().epochs(baseline, regularized)
    rules = {arm: techniques.early_stopping for arm, techniques in preset.arms().items()}
    return {arm: what_if(known, rules[arm], planned) for arm, known in told.history.arms.items()}


def points(plot: Plot, arm: str) -> dict[float, float]:
    (line,) = [curve for curve in plot.curves if curve.colour == arm and curve.line]
    return dict(zip(line.x, line.y, strict=True))


def test_the_charts_show_where_each_patience_stops_and_what_it_costs() -> None:
    known = tables(WAVERING, FALLING)
    stops, costs = stop_plot(known, LOOKS, SPACE), cost_plot(known, LOOKS, SPACE)
    assert points(stops, "baseline") == {1: 3, 2: 6, 3: 7, 4: 8}
    assert not [curve for curve in stops.curves if curve.colour == "regularized"]  # it never waited
    (rest,) = [curve for curve in stops.curves if curve.colour == "regularized-train"]
    assert set(rest.y) == {8.0}
    assert points(costs, "baseline") == pytest.approx({1: 0.1, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0})
    assert set(points(costs, "regularized").values()) == {0.0}
    assert {word[1:3] for word in stops.words} == {(2.0, 6.0), (1.0, 8.0)}
    for plot in (stops, costs):
        assert plot.x_limits == (0.0, 6.0)
        assert all(x == int(x) for x, _ in plot.x_ticks)
        assert len(draw(plot, *SPACE, COLOURS)) == SPACE.height


def test_arms_are_named_at_the_ends_of_their_lines() -> None:
    known = tables(WAVERING, WAVERING)
    for plot in (stop_plot(known, LOOKS, SPACE), cost_plot(known, LOOKS, SPACE)):
        shown = "\n".join(row.plain for row in draw(plot, *SPACE, COLOURS))
        assert "● baseline" in shown
        assert "◆ regularized" in shown


def test_epochs_that_were_never_run_are_not_drawn() -> None:
    known = tables(WAVERING, FALLING, planned=30)
    stops, costs = stop_plot(known, LOOKS, SPACE), cost_plot(known, LOOKS, SPACE)
    assert max(points(stops, "baseline")) == max(points(costs, "baseline")) == 4
    assert not [curve for curve in (*stops.curves, *costs.curves) if curve.colour.startswith("regularized")]
    told = "\n".join(row.plain for row in remarks(known, LOOKS, 78, COLOURS))
    assert told.count("would not have stopped within the 8 epochs that were run") == 2
    assert "of the 30 planned" in told
    last = table_rows(known, LOOKS, 78, COLOURS)[-1].plain.split()
    assert last == ["5–50", "*", "4", "0.4000", "–", "–", "*", "8", "0.1250", "–", "–"]


def test_nothing_to_choose_is_said_in_words() -> None:
    assert cost_plot(tables(FALLING, FALLING), LOOKS, SPACE).empty == "every patience keeps the best epoch"
    cut = tables([0.9, 0.8], [0.9, 0.7], planned=3)
    assert stop_plot(cut, LOOKS, SPACE).empty == "no patience stops this early"
    assert cost_plot(cut, LOOKS, SPACE).empty == "no patience stops this early"
    assert stop_plot(tables([], []), LOOKS, SPACE).empty == "no epoch counts"
    assert cost_plot(tables([], []), LOOKS, SPACE).empty == "no epoch counts"
    assert table_rows(tables([], []), LOOKS, 78, COLOURS)[2].plain.split()[:3] == ["1–50", "*", "–"]


def test_arms_that_follow_different_values_have_no_common_cost() -> None:
    stopping = {"early_stopping": {"monitor": "val_accuracy"}}
    preset = small_preset(train={"epochs": 8}, baseline={"early_stopping": {}}, regularized=stopping)
    assert "the arms do not follow the same" in cost_plot(tables(WAVERING, FALLING, preset=preset), LOOKS, SPACE).empty
    both = small_preset(train={"epochs": 8}, baseline=stopping, regularized=stopping)
    first = table_rows(tables(WAVERING, FALLING, preset=both), LOOKS, 78, COLOURS)[2].plain.split()
    assert first[:5] == ["1", "2", "1", "90.00%", "★"]


def test_the_table_has_a_row_for_each_patience_that_stops_an_arm() -> None:
    rows = [row.plain for row in table_rows(tables(WAVERING, FALLING), LOOKS, 78, COLOURS)]
    assert rows[0].split() == ["●", "baseline", "◆", "regularized"]
    assert rows[1].split() == ["patience", *2 * ["stops", "keeps", "value", "cost", "saved"]]
    assert [row.split()[0] for row in rows[2:]] == ["1", "2", "3", "4", f"5–{MAX_PATIENCE}"]
    assert rows[2].split()[:6] == ["1", "3", "2", "0.5000", "+0.1000", "5"]
    assert rows[3].split()[:7] == ["2", "6", "4", "0.4000", "★", "best", "2"]
    assert rows[-1].split()[:6] == ["5–50", "all", "4", "0.4000", "best", "–"]


@pytest.mark.parametrize("width", [20, 38, 60, 78, 118])
def test_every_width_keeps_what_matters_most(width: int) -> None:
    known = tables(WAVERING, FALLING)
    rows = table_rows(known, LOOKS, width, COLOURS)
    for row in [*rows, *takeaways(known, LOOKS, width, COLOURS), *remarks(known, LOOKS, width, COLOURS)]:
        assert len(row.plain) <= width
    if width >= 38:
        assert rows[1].plain.count("stops") == rows[1].plain.count("cost") == 2
        assert rows[0].plain.index("●") == 10
    sentence = " ".join(" ".join(row.plain.split()) for row in takeaways(known, LOOKS, width, COLOURS))
    assert "Patience 2 would have kept epoch 4, the best, and saved 2 epochs." in sentence


# On the screen


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (40, 12)])
async def test_the_screen_tells_it_and_leads_back(tmp_path: Path, size: tuple[int, int]) -> None:
    training = ScriptedTraining(WAVERING, FALLING)
    preset = small_preset(train={"epochs": 8})
    async with running(tmp_path, training, size, preset) as (app, pilot, _):
        await finish(app, pilot, training)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, WhatIfScreen) and "Patience 2 would" in text_of(app))
        if size[1] >= 24:
            await until(pilot, lambda: "stops at epoch" in text_of(app) and "cost: loss" in text_of(app))
            assert "patience  stops keeps" in text_of(app)
        for _ in range(9):
            await pilot.press("pagedown")
        await until(pilot, lambda: "5–50" in text_of(app))
        await pilot.press("up", "down", "pageup", "t")
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))


async def test_it_follows_a_run_that_goes_on(tmp_path: Path) -> None:
    training = ScriptedTraining(WAVERING, WAVERING)
    preset = small_preset(train={"epochs": 8}, regularized={"early_stopping": {"patience": 9, "min_delta": 0.01}})
    async with running(tmp_path, training, preset=preset) as (app, pilot, _):
        await pilot.press("x")
        assert isinstance(app.screen, RunScreen)  # there is no epoch yet
        await epochs(app, pilot, training, 2)
        await pilot.press("x")
        await until(pilot, lambda: text_of(app).count("Not even patience 1 would have stopped it within the 2") == 2)
        assert "min Δ 0.01" in text_of(app)  # the rule of the one is that of both
        await epochs(app, pilot, training, 1)
        await until(pilot, lambda: text_of(app).count("kept epoch 2, the best of the 3 epochs") == 2)
