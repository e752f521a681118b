"""The strip with the difference between two arms: what it shows, in which columns, and what it says in words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from regtui.protocol.history import History
from regtui.tui.charts.chart import Chart, draw
from regtui.tui.charts.difference import aligned, caption, differences, strip, told
from regtui.tui.charts.plot import Space
from regtui.tui.charts.run_plots import plots
from regtui.tui.charts.view import View
from regtui.tui.run.screen import RunScreen
from regtui.tui.themes import DARK
from tests.conftest import small_preset
from tests.screen_double import text_of, until
from tests.telling import Telling
from tests.test_tui_run import epochs, running

SPACE = Space(57, 6)
COLOURS = {"accent": "#e6c07b", "warning": "#e6b450", "error": "#e5736b", **DARK.variables}


def telling(epochs: int = 6) -> Telling:
    return Telling(small_preset(train={"epochs": epochs, "batch_size": 32})).start()


def test_the_difference_is_regularized_minus_baseline_in_the_quantity_that_is_shown() -> None:
    run = telling()
    for ours, theirs, accuracy in ((0.8, 0.9, 0.90), (0.6, 0.5, 0.92), (0.1, 0.3, 0.95)):
        run.epoch("baseline", theirs, accuracy=0.91).epoch("regularized", ours, accuracy=accuracy, train=0.1)
    history = run.history
    assert list(differences(history, "regularized", "loss").values()) == pytest.approx([-0.1, 0.1, -0.2])
    assert list(differences(history, "regularized", "metric").values()) == pytest.approx([-1.0, 1.0, 4.0])
    assert list(differences(history, "regularized", "gap").values()) == pytest.approx([-0.15, 0.05, -0.25])
    plot = strip(history, "regularized", View(), SPACE)
    assert plot.horizontals == [(0.0, "faint")]
    assert plot.x_limits == plots(history, View(), SPACE)[0].x_limits
    assert plot.y_limits[0] < 0 < plot.y_limits[1]
    assert caption(history, "regularized", "loss") == (
        "Δ validation loss, regularized − baseline", "−0.200 · regularized is lower"
    )  # fmt: skip
    assert caption(history, "regularized", "metric")[1] == "+4.0\xa0points · regularized is higher"
    assert caption(history, "regularized", "gap", 2) == (
        "Δ gap, regularized − baseline", "epoch 2 · +0.0500 · baseline has the smaller gap"
    )  # fmt: skip
    words = [line for line, _ in told(history, "regularized", "loss")]
    assert words[0] == "◆ regularized is lower by 0.200"
    assert words[2] == "regularized is lower in 2 of 3 epochs"
    assert told(history, "regularized", "loss", 2)[0] == ("● baseline is lower by 0.100", "baseline")


def test_each_side_of_zero_has_the_colour_of_the_arm_that_is_ahead_there() -> None:
    history = telling().epochs([0.5, 0.5, 0.5, 0.5], [0.6, 0.6, 0.4, 0.3]).history
    for curve in strip(history, "regularized", View(), SPACE).curves:
        assert curve.colour == ("regularized" if sum(curve.y) < 0 else "baseline")
    equal = telling().epochs([0.5, 0.5], [0.5, 0.5]).history
    assert caption(equal, "regularized", "loss")[1] == "0 · equal"
    assert told(equal, "regularized", "loss")[0][0] == "both are equal"


def test_an_arm_that_is_ahead_or_not_finite_makes_no_difference() -> None:
    run = telling().epochs([0.9, 0.5, 0.4], [0.8])
    assert strip(run.history, "regularized", View(), SPACE).curves[0].x == [1.0]
    run.epoch("regularized", None)
    assert list(differences(run.history, "regularized", "loss")) == [1]
    assert caption(run.history, "regularized", "loss", 2)[1] == "epoch 2 · not in both arms"
    for history in (telling().history, History()):
        assert "first epoch" in strip(history, "regularized", View(), SPACE).empty
        assert told(history, "regularized", "loss") == []


def test_it_fits_its_newest_half_at_round_ticks_and_what_is_beyond_has_an_arrow() -> None:
    run = telling(epochs=20).epochs([0.5] * 20, [3.0, 1.0, *[0.5 + 0.003 * n for n in range(18)]])
    plot = strip(run.history, "regularized", View(), SPACE)
    assert plot.y_limits[1] < 0.1
    assert all(re.fullmatch("−?0[.]0[0-9]", label) for _, label in plot.y_ticks)
    assert "".join(row.plain for row in draw(plot, *SPACE, COLOURS)).count("↑") == 1
    assert len(strip(run.history, "regularized", View(), Space(57, 12)).y_ticks) > len(plot.y_ticks)


@pytest.mark.parametrize("quantity", ["loss", "metric", "gap"])
@pytest.mark.parametrize("width", [36, 57])
def test_an_epoch_stands_in_the_same_column_as_in_the_chart_above(quantity: Any, width: int) -> None:
    run = telling(epochs=12)
    for n in range(12):
        run.epoch("baseline", 0.5, accuracy=0.5).epoch("regularized", 0.5 - 0.0001 * n, accuracy=0.51)
    for cursor in (1, 6, 12):
        above = plots(run.history, View(quantity), Space(width, 12), cursor)
        charts, below = aligned(above, strip(run.history, "regularized", View(quantity), Space(width, 4), cursor))
        columns = {draw(plot, width, 12, COLOURS)[0].plain.index("▼") for plot in [*charts, below]}
        assert len(columns) == 1


async def test_on_the_screen_it_lies_below_the_chosen_arm_and_has_more_rows_where_there_is_room(tmp_path: Path) -> None:
    async with running(tmp_path, size=(120, 36)) as (app, pilot, training):
        await epochs(app, pilot, training, 3)
        await pilot.press("left")
        await until(pilot, lambda: "both are equal" in text_of(app))
        screen = app.screen
        assert isinstance(screen, RunScreen)
        right, below = (screen.query_one(f"#{name}", Chart) for name in ("right", "difference"))
        assert (below.region.x, below.region.width) == (right.region.x, right.region.width)
        places = [chart.rows(*chart.content_size)[0].plain.index("▼") for chart in (right, below)]
        assert places[0] == places[1]
        rows = below.content_size.height
        await pilot.resize_terminal(120, 60)
        await until(pilot, lambda: below.content_size.height > rows)
        await pilot.press("v")
        await until(pilot, lambda: "Δ validation accuracy" in text_of(app))
