"""Figures for a paper, with matplotlib: the loss curves of all arms, and their differences from the baseline below."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regtui.axes import limits
from regtui.errors import InputError
from regtui.export.saved_run import SavedRun
from regtui.preset.arms import BASELINE
from regtui.text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 3.5, 3.4
"""In inches; the width of one column of a two-column paper."""
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette without its yellow, which colour-blind people can tell apart; the first is the baseline's."""
MARKERS = ("o", "D", "s", "^", "v", "P", "X", "*")
"""The first is the baseline's; where a colour comes back because there are more arms, it has another marker."""
LEGEND_ROW = 0.13
"""Height of a row of the legend, in inches."""
MARKS_A_CURVE = 10
"""About how many markers each curve gets."""
_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "savefig.dpi": 300,
    "svg.hashsalt": "regtui",  # the same run gives the same file
}


def write(run: SavedRun, path: Path) -> None:
    """Draw a run into `path`, as SVG or PNG according to its suffix.

    Raises:
        InputError: matplotlib isn't installed.
    """
    rows = len(run.history.arms) // 2 + 1
    with drawing(path, run.name, (WIDTH, HEIGHT + max(0, rows - 2) * LEGEND_ROW)) as figure:
        from matplotlib.ticker import MaxNLocator

        losses, difference = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
        _draw_losses(losses, run)
        _draw_difference(difference, run)
        figure.legend(loc="outside upper center", ncols=2)
        figure.align_ylabels()
        difference.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


@contextmanager
def drawing(path: Path, title: str, size: tuple[float, float]) -> Iterator[Figure]:
    """A figure of this size in inches, in our style; it is saved into `path` afterwards.

    Raises:
        InputError: matplotlib isn't installed.
    """
    try:  # takes 1.5 s; pyplot is not needed, which keeps global state and may look for a display
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            "this export needs matplotlib, which is not installed: pip install 'regtui[figures]'"
        ) from None

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # a user's own settings may need LaTeX or a display
        matplotlib.rcParams.update(_STYLE)
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script that the font lacks
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        # Without a date, the same data give the same file.
        metadata = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, metadata={"Title": one_line(title), **metadata})


def _draw_losses(axes: Axes, run: SavedRun) -> None:
    arms = run.history.arms
    every = max(1, max(len(arm.epochs) for arm in arms.values()) // MARKS_A_CURVE)
    for place, (name, arm) in enumerate(arms.items()):
        numbers = [epoch.epoch for epoch in arm.epochs]
        val = [math.nan if epoch.val_loss is None else epoch.val_loss for epoch in arm.epochs]
        train = [math.nan if epoch.train_loss is None else epoch.train_loss for epoch in arm.epochs]
        # The arms' markers alternate, so that all are visible where one curve hides another.
        style = _style(place) | {"markevery": (place * every // len(arms), every)}
        dashed: dict[str, Any] = {"linestyle": (0, (3, 2))}
        if len(arms) == 2:
            label = name if name == BASELINE else one_line(arm.info.techniques).replace("$", r"\$")  # begins a formula
            axes.plot(numbers, val, label=f"{label}, validation", **style)
            axes.plot(numbers, train, label=f"{label}, training", markerfacecolor="white", **dashed, **style)
        else:
            axes.plot(numbers, val, label=name, **style)
            axes.plot(numbers, train, color=style["color"], linewidth=0.6, **dashed)
    if len(arms) > 2:
        axes.plot([], [], color="0.4", linewidth=0.6, linestyle=(0, (3, 2)), label="training")
    kept = [arm for arm in arms.values() if not arm.diverged]
    if len(kept) < len(arms):
        _fit(axes, [loss for arm in kept for epoch in arm.epochs for loss in (epoch.train_loss, epoch.val_loss)])
    axes.set_ylabel("loss")


def _fit(axes: Axes, values: Iterable[float | None]) -> None:
    """Make the y axis for these values alone, if there are any; an arm that diverged would flatten the others."""
    finite = [value for value in values if value is not None]
    if finite:
        low, high = limits(finite)
        air = 0.05 * (high - low)  # so that no marker is cut
        axes.set_ylim(low - air, high + air)


def _style(place: int) -> dict[str, Any]:
    """The colour and the marker of the arm at a place; that of the baseline is 0."""
    colour, marker = ((place - 1) % (len(of) - 1) + 1 if place else 0 for of in (COLORS, MARKERS))
    return {"color": COLORS[colour], "marker": MARKERS[marker]}


def _draw_difference(axes: Axes, run: SavedRun) -> None:
    axes.axhline(0, color="0.5", linewidth=0.6)
    for place, name in enumerate(run.history.others, start=1):
        by_epoch = run.history.differences(name)
        every = max(1, len(by_epoch) // MARKS_A_CURVE)
        style = {"color": "0.1", "marker": "."} if len(run.history.others) == 1 else _style(place)
        first = place * every // len(run.history.arms) if len(run.history.others) > 1 else 0
        axes.plot(list(by_epoch), list(by_epoch.values()), markevery=(first, every), **style)
    kept = [name for name in run.history.others if not run.history.arms[name].diverged]
    if len(kept) < len(run.history.others) and not run.history.arms[BASELINE].diverged:
        _fit(axes, [0.0, *(value for name in kept for value in run.history.differences(name).values())] if kept else [])
    axes.set_ylabel("Δ validation loss")
    axes.set_xlabel("epoch")
