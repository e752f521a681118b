"""Figures for a paper, with matplotlib: the loss curves of both arms, and their difference below."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regtui.errors import InputError
from regtui.export.saved_run import SavedRun
from regtui.text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 3.5, 3.4
"""In inches; the width of one column of a two-column paper."""
COLORS = {"baseline": "#0072B2", "regularized": "#D55E00"}
"""Blue and vermilion of Okabe and Ito's palette, which colour-blind people can tell apart."""
MARKERS = {"baseline": "o", "regularized": "D"}
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
    try:  # takes 1.5 s; pyplot is not needed, which keeps global state and may look for a display
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        raise InputError(
            "this export needs matplotlib, which is not installed: pip install 'regtui[figures]'"
        ) from None

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # a user's own settings may need LaTeX or a display
        matplotlib.rcParams.update(_STYLE)
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script that the font lacks
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        losses, difference = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
        _draw_losses(losses, run)
        _draw_difference(difference, run)
        figure.legend(loc="outside upper center", ncols=2)
        figure.align_ylabels()
        difference.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        # Without a date, the same run gives the same file.
        metadata = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, metadata={"Title": one_line(run.name), **metadata})


def _draw_losses(axes: Axes, run: SavedRun) -> None:
    every = max(1, max(len(arm.epochs) for arm in run.history.arms.values()) // MARKS_A_CURVE)
    for (name, arm), first in zip(run.history.arms.items(), (0, every // 2), strict=True):
        numbers = [epoch.epoch for epoch in arm.epochs]
        val = [math.nan if epoch.val_loss is None else epoch.val_loss for epoch in arm.epochs]
        train = [math.nan if epoch.train_loss is None else epoch.train_loss for epoch in arm.epochs]
        label = name if name == "baseline" else one_line(arm.info.techniques).replace("$", r"\$")  # $ begins a formula
        # The arms' markers alternate, so that both are visible where one curve hides the other.
        style: dict[str, Any] = {"color": COLORS[name], "marker": MARKERS[name], "markevery": (first, every)}
        axes.plot(numbers, val, label=f"{label}, validation", **style)
        axes.plot(numbers, train, label=f"{label}, training", linestyle=(0, (3, 2)), markerfacecolor="white", **style)
    axes.set_ylabel("loss")


def _draw_difference(axes: Axes, run: SavedRun) -> None:
    by_epoch = run.history.differences(run.history.others[0])
    axes.axhline(0, color="0.5", linewidth=0.6)
    every = max(1, len(by_epoch) // MARKS_A_CURVE)
    axes.plot(list(by_epoch), list(by_epoch.values()), color="0.1", marker=".", markevery=every)
    axes.set_ylabel("Δ validation loss")
    axes.set_xlabel("epoch")
