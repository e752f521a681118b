"""What drawing costs by the length of a run: curves and the arms' table, from their histories alone.

    python -m tests.bench.charts

Prints the ratios of a long run's time to a short one's; ends with 1 if one misses its target.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

from regtui.preset.model import Preset
from regtui.protocol.events import EpochDone
from regtui.protocol.history import History
from regtui.tui.charts.chart import draw
from regtui.tui.charts.plot import Space
from regtui.tui.charts.run_plots import plots
from regtui.tui.charts.view import View
from regtui.tui.run.arms_table import arm_rows
from regtui.tui.themes import DARK
from tests.conftest import small_preset
from tests.telling import Telling
from tests.test_tui_arms import COLOURS

PRESET = small_preset(train={"epochs": 100_000, "batch_size": 32})
SEVENTEEN = small_preset(
    train={"epochs": 100_000, "batch_size": 32}, arms={f"arm{n}": {"l2": {"strength": n * 1e-4}} for n in range(1, 17)}
)
PALETTE = {**DARK.variables, "accent": "#e6c07b", "warning": "#e6b450", "error": "#e5736b"}
SHORT, LONG = 1_000, 100_000
ROUNDS = 7


def history(epochs: int, preset: Preset = PRESET) -> History:
    """A run of so many epochs, of ten steps each."""
    told = Telling(preset).start().epochs(*[[0.5]] * len(preset.arms())).history
    for arm in told.arms.values():
        arm.step_losses.extend([0.5] * (10 * epochs - 10))
        known = dict(arm.epochs[0])
        arm.epochs = [
            EpochDone.model_construct(**{**known, "epoch": n, "val_loss": 0.5 + n % 7}) for n in range(1, epochs + 1)
        ]
    return told


def seconds(draw: Callable[[], object]) -> float:
    """The median of some rounds."""

    def once() -> float:
        began = time.thread_time()
        draw()
        return time.thread_time() - began

    return statistics.median(once() for _ in range(ROUNDS))


def main() -> int:
    """Measure and print."""
    space, missed = Space(57, 18), False
    short, long = history(SHORT), history(LONG)
    print(f"{LONG:,} epochs and {10 * LONG:,} steps against {SHORT:,} and {10 * SHORT:,}")
    for name, make in {
        "charts": lambda told: plots(told, View(), space),
        "charts, overlaid": lambda told: plots(told, View(overlay=True), space),
        "the arms' table": lambda told: arm_rows(PRESET, told, 118, COLOURS),
    }.items():
        few, many = seconds(partial(make, short)), seconds(partial(make, long))
        late = many > 2 * (LONG / SHORT) * few
        missed |= late
        print(f"{name:<20} {1000 * few:8.2f} ms {1000 * many:8.2f} ms {many / few:7.1f} ×{'   MISSED' if late else ''}")
    for name, told, view, room in (
        ("one chart of two, drawn", short, View(), space),
        ("17 arms, drawn", history(SHORT, SEVENTEEN), View(overlay=True), Space(115, 18)),
    ):
        (plot, *_) = plots(told, view, room)
        print(f"{name:<24} {1000 * seconds(partial(draw, plot, *room, PALETTE)):8.2f} ms")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
