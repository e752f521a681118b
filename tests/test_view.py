"""What the charts show, from histories told event by event: every view of every kind of run."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from regtui.preset.arms import MARKS
from regtui.protocol.curves import StepCurve
from regtui.protocol.events import ControlApplied, EpochDone
from regtui.protocol.history import History
from regtui.tui.charts.captions import below_chart, manner, titles
from regtui.tui.charts.chart import draw
from regtui.tui.charts.difference import strip
from regtui.tui.charts.plot import Plot, Space
from regtui.tui.charts.run_plots import plots
from regtui.tui.charts.series import smoothed
from regtui.tui.charts.view import View
from regtui.tui.themes import DARK
from tests.conftest import small_preset
from tests.telling import Telling

SPACE = Space(57, 18)
ARMS = ("baseline", "regularized")
COLOURS = {"accent": "#e6c07b", "warning": "#e6b450", "error": "#e5736b", **DARK.variables}
VIEWS = [
    View(quantity, overlay, log, part, shared, log_x=log, smooth=smooth)  # type: ignore[arg-type]
    for quantity, overlay, log, (part, smooth), shared in itertools.product(
        ("loss", "metric", "gap"), (False, True), (False, True), ((1.0, 0), (0.25, 100)), (False, True)
    )
]


def telling(epochs: int = 6, steps: int = 10) -> Telling:
    return Telling(small_preset(train={"epochs": epochs, "batch_size": 320 // steps})).start()


def usual() -> History:
    """Losses fall, then rise; the arms' ranges differ."""
    return telling().epochs([0.9, 0.5, 0.3, 0.4, 0.5], [0.8, 0.6, 0.5, 0.45, 0.42]).history


def broken() -> History:
    """Both arms lose their way; one of them from the first step on."""
    told = telling().epochs([0.9, 0.5], [0.8])
    told.steps("baseline", [0.5, 1e30, None, None]).steps("regularized", [None] * 3)
    told.epoch("regularized", None, train=None)
    return told.stop("baseline", "non_finite").stop("regularized", "exploded").history


def zeros() -> History:
    """Losses that have no logarithm."""
    told = telling().steps("baseline", [0.0, -0.0, 0.5])
    for _ in range(3):
        told.epoch("baseline", 0.0, train=0.0, accuracy=1.0).epoch("regularized", 0.0, train=0.0, accuracy=0.0)
    return told.history


def stopped() -> History:
    told = telling().epochs([0.9, 0.5, 0.6, 0.7], [0.8, 0.7, 0.6, 0.5])
    return told.stop("baseline", "early_stopping").history


def steered() -> History:
    told = telling().epochs([0.9, 0.5, 0.6, 0.7], [0.8, 0.7, 0.6, 0.5])
    told.control("regularized", "dropout.rate", 0.3, epoch=2).control(None, "patience", 3, epoch=3)
    return told.control("regularized", "dropout.rate", 2.0, why="above 0.9", epoch=4).history


HISTORIES: dict[str, Callable[[], History]] = {
    "before the start": History,
    "before the first step": lambda: telling().history,
    "before the first epoch": lambda: telling().steps("baseline", [2.3, 2.0]).steps("regularized", [2.3, 2.1]).history,
    "one epoch": lambda: telling().epochs([0.5], [0.4]).history,
    "usual": usual,
    "flat": lambda: telling().epochs([0.5] * 4, [0.5] * 4).history,
    "broken": broken,
    "zeros": zeros,
    "huge": lambda: telling().epochs([1e300, 1e200], [3.0, 1e-300]).history,
    "stopped": stopped,
    "steered": steered,
    "long": lambda: telling(epochs=5000, steps=1).epochs([1 / e for e in range(1, 900)], [0.5] * 850).history,
}


def numbers(thing: Any) -> Iterator[float]:
    """All numbers in a plot, however deep."""
    if isinstance(thing, (int, float)):
        yield thing
    elif dataclasses.is_dataclass(thing):
        yield from numbers([getattr(thing, f.name) for f in dataclasses.fields(thing)])
    elif isinstance(thing, (list, tuple)):
        for part in thing:
            yield from numbers(part)


def words(plot: Plot, text: str) -> list[tuple[float, float]]:
    return [(x, y) for said, x, y, _ in plot.words if text in said]


@pytest.mark.parametrize("kind", HISTORIES)
def test_every_view_of_every_history_can_be_drawn(kind: str) -> None:
    history = HISTORIES[kind]()
    for view in VIEWS:
        shown = plots(history, view, SPACE)
        assert len(shown) == (1 if view.overlay else 2)
        for plot in shown:
            assert all(map(math.isfinite, numbers(plot)))
            assert plot.x_limits[0] < plot.x_limits[1]
            assert plot.y_limits[0] < plot.y_limits[1]
            assert bool(plot.curves) != bool(plot.empty)
            assert all(plot.x_limits[0] <= x <= plot.x_limits[1] for _, x, _, _ in plot.words)
            assert all(plot.x_limits[0] <= x <= plot.x_limits[1] for x, _ in plot.verticals)
            assert all(len(c.x) == len(c.y) for c in plot.curves)
            if plot.curves:
                assert plot.x_ticks
                assert plot.y_ticks
    for view in (View(), View(overlay=True), View(quantity="gap"), View(log=True)):
        for plot in [*plots(history, view, SPACE), strip(history, "regularized", view, SPACE)]:
            assert len(draw(plot, *SPACE, COLOURS)) == SPACE.height


@pytest.mark.parametrize("quantity", ["loss", "metric", "gap"])
def test_both_charts_have_the_same_axes_when_they_are_shared_and_own_ones_when_not(quantity: Any) -> None:
    told = telling().epochs([0.9, 0.5, 0.3], [0.1, 0.08, 0.06])
    told.epoch("baseline", 0.3, accuracy=0.2)
    first, second = plots(told.history, View(quantity), SPACE)
    assert (first.x_limits, first.y_limits) == (second.x_limits, second.y_limits)
    assert (first.x_ticks, first.y_ticks) == (second.x_ticks, second.y_ticks)
    first, second = plots(told.history, View(quantity, shared=False), SPACE)
    assert first.x_limits == second.x_limits  # epochs are always compared with the same epochs
    assert first.y_limits != second.y_limits


def test_all_that_epochs_measured_after_the_first_lies_within_the_axes() -> None:
    for view in VIEWS:
        for plot in plots(usual(), view, SPACE):
            low, high = plot.y_limits
            for curve in plot.curves:
                if curve.stroke != "steps":
                    inside = [low - 1e-9 <= y <= high + 1e-9 for y in curve.y]
                    assert all(inside[1:])


STEEP = [2.0, 0.6, 0.4, *(0.3 - 0.001 * epoch for epoch in range(47))]
"""Fifty epochs, of which the first take nearly all of the range."""


def y_limits(losses: list[float], train: float | None = None) -> tuple[float, float]:
    """The y axis of a run whose arms lose this at each step, in validation, and in training if that is not given."""
    told = telling(epochs=50, steps=1)
    for loss in losses:
        for arm in ARMS:
            told.epoch(arm, loss, train=loss if train is None else train)
    for history in told.history.arms.values():
        history.step_losses = StepCurve()
        history.step_losses.extend(losses)
    return plots(told.history, View(), SPACE)[0].y_limits


def test_a_steep_beginning_does_not_flatten_a_long_run() -> None:
    low, high = y_limits(STEEP)
    assert high < 0.4
    assert low <= min(STEEP)
    assert y_limits(STEEP[:5])[1] <= 0.8, "nor a short one"
    wavering = [2.0 / epoch + 0.3 + 0.05 * (epoch % 2) for epoch in range(1, 25)]
    assert y_limits(wavering)[1] < 0.9, "nor one that wavers"
    assert y_limits(STEEP[:3])[1] == 2.0


def test_in_the_first_epochs_the_newer_steps_lie_on_the_axis() -> None:
    told = telling(epochs=50, steps=100)
    for arm in ARMS:
        told.epoch(arm, 0.20, train=0.19)
        told.history.arms[arm].step_losses = StepCurve()
        told.history.arms[arm].step_losses.extend([2.0 / (1 + n / 10) for n in range(140)])
    low, high = plots(told.history, View(), SPACE)[0].y_limits
    assert 0.3 < high < 0.5
    assert low <= 0.19


def test_a_later_rise_and_a_beginning_that_takes_little_stay_on_the_axis() -> None:
    assert y_limits([*STEEP[:-1], 1.5])[1] >= 1.5
    assert y_limits([*STEEP[:4], 1.5, *STEEP[5:]])[1] >= 1.5  # the fifth of fifty
    level = [0.5 - 0.008 * epoch for epoch in range(50)]
    assert y_limits(level)[1] >= max(level)
    assert y_limits(STEEP, train=0.0)[0] == 0.0  # what lies low from the first epoch on stays as well


def test_the_losses_are_those_of_the_history() -> None:
    history = usual()
    for name, plot in zip(ARMS, plots(history, View(), SPACE), strict=True):
        curves = {curve.colour: curve for curve in plot.curves if curve.line}
        epochs = history.arms[name].epochs
        assert curves[name].x == [float(e.epoch) for e in epochs]
        assert curves[name].y == [e.val_loss for e in epochs]
        assert curves[f"{name}-train"].y == [e.train_loss for e in epochs]
        assert set(curves[f"{name}-steps"].y) == {0.5}
        assert plot.curves[-1].colour == name  # what matters most lies on top


def test_accuracy_is_in_per_cent_and_never_above_a_hundred() -> None:
    told = telling()
    for _ in range(3):
        told.epoch("baseline", 0.1, accuracy=1.0).epoch("regularized", 0.1, accuracy=0.99)
    for view in (View("metric"), View("metric", log=True)):
        plot = plots(told.history, view, SPACE)[0]
        assert plot.y_limits[1] == 100.0
        assert plot.curves[-1].y == [100.0] * 3
    told = telling().epoch("baseline", 0.1, accuracy=0.0).epoch("regularized", 0.1, accuracy=0.0)
    assert plots(told.history, View("metric", log=True), SPACE)[0].y_limits[0] == 0.0


def test_the_gap_is_validation_minus_training_loss_around_zero() -> None:
    told = telling()
    for val in (0.02, 0.05, 0.20):
        told.epoch("baseline", val, train=0.05).epoch("regularized", val, train=0.05)
    plot = plots(told.history, View("gap"), SPACE)[0]
    assert plot.curves[0].y == pytest.approx([-0.03, 0.0, 0.15])
    assert plot.horizontals == [(0.0, "faint")]


def test_a_logarithmic_axis_shows_powers_of_ten_and_nothing_that_has_none() -> None:
    told = telling().steps("baseline", [0.0] * 10)
    told.epoch("baseline", 0.1, train=0.0).epoch("baseline", 0.0, train=0.01).epoch("baseline", 0.001, train=0.01)
    told.epoch("regularized", 0.0)
    plot = plots(told.history, View(log=True), SPACE)[0]
    curves = {curve.colour: curve for curve in plot.curves if curve.line}
    assert (curves["baseline"].x, curves["baseline"].y) == ([1.0, 3.0], [-1.0, -3.0])
    assert curves["baseline-train"].x == [2.0, 3.0]
    labels = [float(label) for _, label in plot.y_ticks]
    assert all(label > 0 for label in labels)
    assert [math.log10(label) for label in labels] == pytest.approx([y for y, _ in plot.y_ticks], abs=1e-3)


def test_a_best_loss_of_zero_has_no_place_on_a_logarithmic_axis() -> None:
    assert all(words(plot, "★") == [] for plot in plots(zeros(), View(log=True), SPACE))
    assert words(plots(zeros(), View(), SPACE)[0], "★") == [(1.0, 0.0)]


def test_the_best_epoch_is_marked_where_it_is() -> None:
    history = usual()
    first, second = plots(history, View(), SPACE)
    assert words(first, "★") == [(3.0, 0.3)]
    assert words(second, "★") == [(5.0, 0.42)]
    assert words(plots(history, View(overlay=True), SPACE)[0], "★") == [(3.0, 0.3), (5.0, 0.42)]
    assert words(plots(history, View(log=True), SPACE)[0], "★") == [(3.0, math.log10(0.3))]
    assert words(plots(history, View("metric"), SPACE)[0], "★") == [(3.0, 90.0)]
    assert words(plots(history, View("gap"), SPACE)[0], "★") == [(3.0, 0.3 - 0.05)]
    assert words(plots(telling().epochs([0.5], [0.5]).history, View(), SPACE)[0], "★") == []


def test_a_best_epoch_outside_the_recent_window_is_not_marked() -> None:
    told = telling(epochs=30).epochs([0.1, *[0.5] * 29], [0.1, *[0.5] * 29])
    assert words(plots(told.history, View(), SPACE)[0], "★") == [(1.0, 0.1)]
    plot = plots(told.history, View(part=0.25), SPACE)[0]
    assert words(plot, "★") == []
    assert plot.x_limits == (22.5, 30.0)


def test_the_end_of_an_early_stopped_arm_is_marked_on_its_own_chart() -> None:
    first, second = plots(stopped(), View(), SPACE)
    (mark,) = words(first, "stopped")
    assert mark[0] == 4.0
    assert first.y_limits[0] <= mark[1] <= first.y_limits[1]
    assert words(second, "stopped") == []
    at_the_end = telling().epochs([0.5, 0.4], [0.5, 0.4]).stop("baseline", "max_epochs").history
    assert words(plots(at_the_end, View(), SPACE)[0], "stopped") == []


def test_weights_that_are_not_finite_are_marked_at_the_arm_s_last_step() -> None:
    first, second = plots(
        telling().epochs([0.5, 0.4], [0.5, 0.4]).stop("baseline", "non_finite").history, View(), SPACE
    )
    assert words(first, "not finite")[0][0] == pytest.approx(2.0)
    assert words(second, "not finite") == []


def test_a_loss_that_is_not_finite_is_marked_at_its_step_and_not_drawn() -> None:
    first, second = plots(broken(), View(), SPACE)
    assert words(first, "not finite")[0][0] == pytest.approx(2.3)
    assert words(second, "not finite")[0][0] == pytest.approx(1.1)
    assert max(x for curve in second.curves if curve.colour == "regularized" for x in curve.x) == 1.0


def test_changes_of_a_knob_stand_as_lines_and_refused_ones_do_not() -> None:
    for plot in plots(steered(), View(), SPACE):
        assert len(plot.verticals) == 2
    told = telling().epochs([0.5, 0.4], [0.5, 0.4]).pause().pause(paused=False)
    assert plots(told.history, View(), SPACE)[0].verticals == []


def test_a_title_tells_the_strength_as_it_is_now_and_gives_the_arms_name_up_for_it() -> None:
    preset = small_preset(regularized={"dropout": {"rate": 0.5}})
    told = Telling(preset).start().control("regularized", "dropout.rate", 0.6)
    for width, words in ((57, "◆ regularized · dropout 0.5 → 0.6 at epoch 1"), (36, "◆ dropout 0.5 → 0.6 at epoch 1")):
        assert titles(preset, told.history, View(), list(ARMS), width) == ["● baseline", words]


def test_a_low_chart_of_both_arms_shows_validation_alone() -> None:
    low, high = (plots(usual(), View(overlay=True), Space(36, rows))[0] for rows in (5, 9))
    assert [curve.colour for curve in low.curves] == list(ARMS)
    assert len(high.curves) == 4


def change(command: str, key: str, *, epoch: int, step: int) -> ControlApplied:
    return ControlApplied(
        t=1, command=command, arm="regularized", key=key, value=1, accepted=True, epoch=epoch, step=step
    )


def test_a_changed_strength_stands_before_the_first_step_that_has_it_and_patience_at_the_end_of_its_epoch() -> None:
    told = telling(epochs=6, steps=10).epochs([0.5] * 4, [0.5] * 4)
    told.history.add(change("set_strength", "dropout.rate", epoch=3, step=23))
    told.history.add(change("set_patience", "patience", epoch=4, step=31))
    for plot in plots(told.history, View(), SPACE):
        assert [x for x, _ in plot.verticals] == [pytest.approx(2.3), 4.0]


@pytest.mark.parametrize("step", [-(10**400), 10**400])
def test_a_change_at_an_impossible_step_stays_before_the_end_of_its_epoch(step: int) -> None:
    told = telling(epochs=6, steps=10).epochs([0.5] * 4, [0.5] * 4)
    told.history.add(change("set_strength", "dropout.rate", epoch=3, step=step))
    for plot in plots(told.history, View(), SPACE):
        assert [x for x, _ in plot.verticals] == [0.0 if step < 0 else 3.0]


@pytest.mark.parametrize("quantity", ["loss", "metric", "gap"])
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("space", [Space(36, 7), Space(36, 9), SPACE])
def test_a_chart_names_its_lines_with_their_newest_values(quantity: Any, ascii_only: bool, space: Space) -> None:
    value = {"loss": ("0.500", "0.420"), "metric": ("90.0%", "90.0%"), "gap": ("0.450", "0.370")}[quantity]
    (overlay,) = plots(usual(), View(quantity, overlay=True), space)
    shown = "\n".join(row.plain for row in draw(overlay, *space, COLOURS, ascii_only=ascii_only))
    for arm, newest in zip(ARMS, value, strict=True):
        assert f"{MARKS[arm]} {newest}" in shown or f"{MARKS[arm]} {arm} {newest}" in shown
    assert not any(curve.colour.endswith("-steps") for curve in overlay.curves)
    for chart, newest in zip(plots(usual(), View(quantity), space), value, strict=True):
        shown = "\n".join(row.plain for row in draw(chart, *space, COLOURS, ascii_only=ascii_only))
        assert newest in shown
        if quantity != "gap":
            assert ("training" in shown) or ("train" in shown) or space.height < 8
            assert {curve.stroke for curve in chart.curves if "-train" in curve.colour} == {"dotted"}


def test_a_spike_among_a_million_steps_is_seen_in_38_columns_and_flattens_nothing() -> None:
    told = telling(epochs=100_000, steps=10)
    for arm in ARMS:
        told.epoch(arm, 0.5).epoch(arm, 0.4)
    curve = told.history.arms["baseline"].step_losses
    curve.extend([0.5] * 600_000)
    curve.extend([80.0])
    curve.extend([0.5] * (999_999 - len(curve)))
    chart = plots(told.history, View(), Space(36, 9))[0]
    assert chart.y_limits[1] < 1
    rows = [row.plain for row in draw(chart, 36, 9, COLOURS)]
    assert rows[0].count("↑") == 1
    assert 15 <= rows[0].index("↑") <= 24


@pytest.mark.parametrize(
    ("loss", "words"), [(0.0, "0"), (3.14159e-6, "3.14e−6"), (0.00031, "3.10e−4"), (0.31, "0.310")]
)
def test_a_small_loss_has_three_significant_digits(loss: float, words: str) -> None:
    told = telling().epochs([0.4, loss], [0.4, loss])
    for chart in plots(told.history, View(), SPACE):
        assert f"validation {words}" in "\n".join(row.plain for row in draw(chart, *SPACE, COLOURS))


def test_what_is_not_as_usual_stands_on_the_chart() -> None:
    assert manner(View()) == []
    view = View(log=True, part=0.25, shared=False, smooth=10, log_x=True)
    assert manner(view) == ["own axes", "log", "log epochs", "newest 25 %", "steps: mean of 10"]
    assert below_chart(usual(), view, ["baseline"], None, 33) == "own axes · log · log epochs"
    assert below_chart(usual(), view, ["baseline"], 2, 44) == "epoch 2  train 0.0500  val 0.500 · own axes"
    assert manner(View(overlay=True, shared=False)) == []


def test_there_are_words_until_there_is_something_to_draw() -> None:
    for overlay in (False, True):
        assert all("loading" in plot.empty for plot in plots(History(), View(overlay=overlay), SPACE))
    over = Telling(small_preset()).finish().history  # its log has lost the start, or all
    assert {plot.empty for plot in plots(over, View(), SPACE)} == {"no usable events in the log"}
    told = telling().steps("baseline", [2.3]).steps("regularized", [2.3])
    for view in (View("metric"), View("gap"), View(overlay=True)):
        assert all("first epoch" in plot.empty for plot in plots(told.history, view, SPACE))
    assert all(plot.curves for plot in plots(told.history, View(), SPACE))


# Long runs


def test_a_short_run_has_all_its_epochs_on_the_axis_and_a_long_one_grows() -> None:
    assert plots(usual(), View(), SPACE)[0].x_limits == (0.0, 6.0)
    told = telling(epochs=1000, steps=1)
    right = []
    for _ in range(12):
        for _ in range(25):
            told.epoch("baseline", 0.5).epoch("regularized", 0.5)
        right.append(plots(told.history, View(), SPACE)[0].x_limits[1])
        assert right[-1] >= len(told.history.arms["baseline"].epochs)
    assert right == sorted(right)
    assert len(set(right)) <= 5  # a grown axis is drawn anew as a whole
    assert right[0] < 100
    assert right[-1] <= 1000


def test_a_million_steps_stay_within_the_width() -> None:
    told = telling(epochs=12_500, steps=80)
    first, second = told.epoch("baseline", 0.5).history.arms.values()
    first.step_losses.extend([0.5] * 999_920)
    known = dict(first.epochs[0])
    first.epochs = [
        EpochDone.model_construct(**{**known, "epoch": n, "val_loss": 0.5 + n % 7}) for n in range(1, 12_501)
    ]
    second.step_losses, second.epochs = first.step_losses, first.epochs
    for view in (View(), View(overlay=True), View("gap"), View(log=True), View(part=0.25)):
        for plot in plots(told.history, view, SPACE):
            assert all(len(curve.x) <= 2 * 2 * SPACE.width + 2 for curve in plot.curves)
    assert len(strip(told.history, "regularized", View(), SPACE).curves[0].x) <= 4 * SPACE.width


@pytest.mark.parametrize("quantity", ["loss", "gap"])
def test_an_arm_that_diverged_does_not_flatten_the_others(quantity: Any) -> None:
    several = Telling(small_preset(arms={"mild": {"l2": {"strength": 0.1}}, "wild": {"l2": {"strength": 9.0}}}))
    several.start().epochs([0.9, 0.5], [0.8, 0.4], [1e30, 3e30]).stop("wild", "exploded")
    pair = telling().epochs([0.9, 0.5], [1e30, 3e30]).stop("regularized", "exploded")
    for history, wild in ((several.history, "wild"), (pair.history, "regularized")):
        for view in (View(quantity, overlay=True, arm=wild), View(quantity, arm=wild)):
            for chart in plots(history, view, SPACE):
                assert chart.y_limits[1] < 2
                assert any(max(curve.y) > 1e29 for curve in chart.curves) or not view.overlay
        own = plots(history, View(quantity, shared=False, arm=wild), SPACE)
        assert own[0].y_limits[1] < 2
        assert own[1].y_limits[1] > 1e29, "with axes of their own its loss can be read"


def test_if_all_arms_diverged_the_axis_shows_them() -> None:
    both = telling().epochs([1e30, 2e30], [1e30, 3e30]).stop("baseline", "exploded").stop("regularized", "exploded")
    assert all(chart.y_limits[1] >= 3e30 for chart in plots(both.history, View(), SPACE))


# What the user chooses


def test_the_wheel_shows_fewer_epochs_down_to_three_and_more_up_to_all() -> None:
    told = telling(epochs=30).epochs([0.5] * 20, [0.5] * 20)
    view, left = View(), []
    for _ in range(9):
        view.zoom(20, 1)
        left.append(plots(told.history, view, SPACE)[0].x_limits[0])
    assert left == sorted(left)
    assert left[-1] == 17.0
    for _ in range(9):
        view.zoom(20, -1)
    assert view.part == 1.0
    assert plots(told.history, view, SPACE)[0].x_limits == (0.0, 30.0)


def test_a_logarithmic_axis_of_epochs_keeps_every_epoch_at_its_place() -> None:
    told = telling(epochs=30).epochs([1 / n for n in range(1, 31)], [0.5] * 30)
    chart = plots(told.history, View(log_x=True), SPACE)[0]
    line = next(curve for curve in chart.curves if curve.colour == "baseline")
    assert line.x == pytest.approx([math.log10(n) for n in range(1, 31)])
    assert {"1", "10"} <= {label for _, label in chart.x_ticks}
    assert strip(told.history, "regularized", View(log_x=True), SPACE).x_limits == chart.x_limits
    one = telling(epochs=1).epochs([0.5], [0.4]).history
    for view in (View(log_x=True), View(log_x=True, overlay=True)):
        (first, *_) = plots(one, view, SPACE)
        assert first.x_limits[0] < first.x_limits[1]


def test_smoothing_is_the_mean_of_so_many_steps_and_moves_no_spike() -> None:
    curve = StepCurve()
    curve.extend([float(n % 2) for n in range(400)])
    curve.extend([80.0])
    plain, spikes = smoothed(curve, 10, 0.0, 41.0, 1000)
    even, same = smoothed(curve, 10, 0.0, 41.0, 1000, 100)
    assert {y for _, y in plain} == {0.0, 1.0, 80.0}
    assert [y for _, y in even[150:400]] == pytest.approx([0.5] * 250)
    assert [x for x, _ in even] == [x for x, _ in plain]
    assert {height for _, height in same} >= {height for _, height in spikes}
