"""The chart of several runs: whose curves it holds, by what, and how they are told apart."""

from __future__ import annotations

import pytest

from regtui.protocol.history import History
from regtui.tui.charts.chart import draw
from regtui.tui.charts.plot import Plot, Space
from regtui.tui.review.compare_table import differ
from regtui.tui.review.compare_view import COMPARED, CompareView, choices, plot, runs_legend, shown
from regtui.tui.themes import DARK, LIGHT, RUN_COLOURS
from tests.conftest import small_preset
from tests.telling import Telling

SPACE = Space(100, 20)
FALLING = [1.0 / epoch for epoch in range(1, 25)]
RISING = [0.01 * epoch for epoch in range(1, 25)]


def told(baseline: list[float], regularized: list[float]) -> History:
    return Telling(small_preset(train={"epochs": 24})).start().epochs(baseline, regularized).history


def plotted(view: CompareView, *histories: History, cursor: int = 0) -> Plot:
    return plot([shown(index, history) for index, history in enumerate(histories)], view, SPACE, cursor)


def letters(drawn: Plot) -> set[str]:
    return {curve.mark for curve in drawn.curves}


def test_colours_mean_runs_and_strokes_mean_arms() -> None:
    drawn = plotted(CompareView(), told(FALLING, RISING), told(RISING, FALLING))
    assert {(c.mark, c.colour.removesuffix("-steps"), c.stroke) for c in drawn.curves} == {
        ("a", "run-1", "dashed"), ("A", "run-1", "solid"), ("b", "run-2", "dashed"), ("B", "run-2", "solid")
    }  # fmt: skip
    for theme in (DARK, LIGHT):
        assert len({theme.variables[f"run-{n + 1}"] for n in range(RUN_COLOURS)}) == RUN_COLOURS


def test_every_curve_of_two_runs_alike_is_seen_and_named() -> None:
    drawn = plotted(CompareView(arms="baselines"), told(FALLING, RISING), told(FALLING, RISING))
    rows = draw(drawn, *SPACE, dict.fromkeys(DARK.variables, "#ffffff") | {"background": "#000000"})
    shown = "\n".join(row.plain for row in rows)
    assert "a baseline 0.0417" in shown
    assert "b 0.0417" in shown


@pytest.mark.parametrize(("quantity", "expected"), [("loss", 0.25), ("gap", 0.25 - 0.05), ("metric", 90.0)])
def test_the_curve_has_the_measured_values(quantity: str, expected: float) -> None:
    view = CompareView(quantity=quantity, arms="baselines")  # type: ignore[arg-type]
    line = plotted(view, told(FALLING, RISING)).curves[0]
    assert line.x[3] == 4.0
    assert line.y[3] == pytest.approx(expected)


def test_the_difference_is_regularized_minus_baseline_one_curve_a_run() -> None:
    drawn = plotted(CompareView(quantity="difference"), told([1.0, 0.5, 0.4], [0.9, 0.7]))
    (line,) = (curve for curve in drawn.curves if curve.line)
    assert line.x == [1.0, 2.0]
    assert line.y == pytest.approx([-0.1, 0.2])
    assert drawn.horizontals == [(0.0, "faint")]


def test_the_axis_counts_epochs_steps_or_the_arm_s_own_seconds() -> None:
    history = told([1.0, 0.5, 0.4], [1.0, 0.5, 0.4])
    steps = small_preset().steps_per_epoch
    expected = {"epoch": [1, 2, 3], "step": [steps, 2 * steps, 3 * steps], "time": [0.5, 1.0, 1.5]}
    for by, places in expected.items():
        view = CompareView(by=by)  # type: ignore[arg-type]
        assert plotted(view, history).curves[0].x == pytest.approx(places)


def test_the_last_epoch_of_a_stopped_arm_ends_at_its_last_step() -> None:
    telling = (
        Telling(small_preset(train={"epochs": 24})).start().epoch("baseline", 1.0).epoch("baseline", 0.9, partial=True)
    )
    telling.stop("baseline", "stopped")
    history = telling.history
    arm = history.arms["baseline"]
    assert arm.stopped is not None
    assert plotted(CompareView(by="step"), history).curves[0].x[-1] == arm.stopped.step


def test_the_run_under_the_cursor_is_drawn_above_the_others_which_are_faded() -> None:
    histories = [told(FALLING, RISING) for _ in range(3)]
    for cursor in range(3):
        lines = [curve.colour for curve in plotted(CompareView(), *histories, cursor=cursor).curves]
        assert lines[-1] == f"run-{cursor + 1}"
        assert [colour.endswith("-steps") for colour in lines] == [True] * 4 + [False] * 2


def test_the_steep_beginning_does_not_flatten_the_rest() -> None:
    drawn = plotted(CompareView(), told([50.0, *FALLING[1:]], FALLING))
    assert drawn.y_limits[1] < 1.0


def test_a_run_can_be_hidden_and_the_selected_one_covers_the_others() -> None:
    runs = [shown(index, told(FALLING, RISING)) for index in range(2)]
    assert letters(plot(runs, CompareView(), SPACE, 0, {1})) == {"a", "A"}
    assert plot(runs, CompareView(), SPACE, 0, {0, 1}).empty == "all runs are hidden"
    both = draw(plot(runs, CompareView(), SPACE, 1), *SPACE, {**DARK.variables, "background": "#000000"})
    lines = [row.plain[s.start : s.end] for row in both for s in row.spans if DARK.variables["run-2"] in str(s.style)]
    assert len("".join(lines).strip()) > SPACE.width, "where two lines are the same, that of the selected run is seen"


def test_a_run_that_has_told_nothing_leaves_the_others_alone() -> None:
    assert letters(plotted(CompareView(), History(), told(FALLING, FALLING))) == {"b", "B"}
    assert plotted(CompareView(), History()).empty
    assert plotted(CompareView(quantity="difference"), History()).empty


def test_a_logarithmic_axis_is_of_losses_and_leaves_out_what_has_no_logarithm() -> None:
    drawn = plotted(CompareView(log=True), told([1.0, 0.0, 0.1], [1.0, 0.5, 0.1]))
    assert drawn.curves[0].y == [0.0, -1.0]
    assert plotted(CompareView(quantity="gap", log=True), told(FALLING, RISING)).curves[0].y[0] == pytest.approx(0.95)


def test_the_legend_names_the_arms_that_are_shown() -> None:
    assert "other" not in runs_legend(CompareView(arms="baselines"))
    assert "baseline" in runs_legend(CompareView())


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (44, "differ in data.root, train.seed, l2.strength"),
        (42, "differ in data.root, train.seed and 1 more"),
        (30, "differ in data.root and 2 more"),
        (29, "differ in 3 settings"),
    ],
)
def test_the_settings_that_differ_are_named_as_far_as_they_fit(width: int, words: str) -> None:
    assert differ(["data.root", "train.seed", "l2.strength"], width) == words
    assert differ([], width) == "with the same settings"


# Several arms in a run


def several(*others: list[float]) -> History:
    arms = {f"arm-{n}": {"dropout": {"rate": 0.1 + n / 20}} for n in range(len(others))}
    return Telling(small_preset(arms=arms, train={"epochs": 24})).start().epochs(FALLING, *others).history


def test_each_of_several_arms_is_named_at_the_end_of_its_curve() -> None:
    drawn = plotted(CompareView(), several(RISING, FALLING[:5]), told(FALLING, RISING))
    assert {curve.name[0] for curve in drawn.curves} == {
        "a baseline 0.0417", "A arm-0 0.240", "A arm-1 0.200", "b 0.0417", "B 0.240"
    }  # fmt: skip
    differences = plotted(CompareView(quantity="difference"), several(RISING, FALLING))
    assert {curve.name[0] for curve in differences.curves} == {"a arm-0 +0.198", "a arm-1 0"}


def test_one_of_several_arms_is_drawn_alone() -> None:
    runs = [shown(0, several(RISING, FALLING)), shown(1, several(FALLING, RISING)), shown(2, told(FALLING, RISING))]
    assert choices(runs) == [
        ("all arms", ""), ("baselines", ""), ("other arms", ""),
        ("other arms", "arm-0"), ("other arms", "arm-1"), ("other arms", "regularized"),
    ]  # fmt: skip
    assert choices([runs[2]]) == [("all arms", ""), ("baselines", ""), ("other arms", "")]
    view = CompareView(arms="other arms", arm="arm-1")
    drawn = plot(runs, view, SPACE, 0)
    assert letters(drawn) == set("AB")
    assert runs_legend(view) == "A ─ arm-1"
    view.quantity = "difference"
    assert len([curve for curve in plot(runs, view, SPACE, 0).curves if curve.line]) == 2


@pytest.mark.parametrize("count", [2, 16])
@pytest.mark.parametrize("space", [Space(30, 5), SPACE])
def test_the_chart_of_any_arms_can_be_drawn(count: int, space: Space) -> None:
    for quantity in COMPARED:
        drawn = plot([shown(0, several(*[RISING] * count))], CompareView(quantity=quantity), space, 0)
        rows = draw(drawn, *space, dict.fromkeys([*DARK.variables], "#ffffff"))
        assert [row.cell_len for row in rows] == [space.width] * space.height


@pytest.mark.parametrize("quantity", ["loss", "difference", "gap"])
def test_an_arm_that_diverged_does_not_flatten_the_others(quantity: str) -> None:
    tables = {name: {"dropout": {"rate": rate}} for name, rate in (("mild", 0.1), ("wild", 0.9))}
    run = Telling(small_preset(arms=tables, train={"epochs": 24})).start()
    run.epochs(FALLING, RISING, [1e30]).stop("wild", "exploded")
    drawn = plotted(CompareView(quantity=quantity), run.history)  # type: ignore[arg-type]
    assert drawn.y_limits[1] < 2
    assert any(max(curve.y) > 1e29 for curve in drawn.curves), "it runs along the edge"
    alone = plotted(CompareView(quantity=quantity, arms="other arms", arm="wild"), run.history)  # type: ignore[arg-type]
    assert alone.y_limits[1] > 1e29
