"""How long `regtui judge` takes for ten logs of Lightning, as long as real ones, and for ten event files.

    python -m tests.bench.judge [--rows 1000]

Prints the figures, beside what the import of scipy.special alone takes; ends with 1 if ten logs take a second or more.
The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import foreign_logs as logs

ROUNDS = 5
TARGET = 1.0
"""Seconds for ten logs."""


def seconds(command: list[str], folder: Path) -> tuple[float, float]:
    """The medians of several calls: seconds of a clock, and of a processor, which a busy machine does not change."""
    times = []
    for _ in range(ROUNDS + 1):
        began, used = time.perf_counter(), processor_seconds()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        times.append((time.perf_counter() - began, processor_seconds() - used))
    wall, processor = zip(*times[1:], strict=True)  # the first one may compile
    return statistics.median(wall), statistics.median(processor)


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    epochs = parser.parse_args().rows // 2
    judge = [sys.executable, "-m", "regtui", "judge", "--baseline", "base*", "--regularized", "drop*"]
    with tempfile.TemporaryDirectory() as place:
        tables, events = Path(place) / "tables", Path(place) / "events"
        for seed in range(5):
            for side, level in (("base", 0.9), ("drop", 0.92)):
                of = logs.curves(level, seed + 10 * (side == "drop"), epochs)
                logs.lightning(tables / f"{side}_{seed}" / "metrics.csv", of)
                logs.tensorboard(events / f"{side}_{seed}", of)
        of_tables, of_events = seconds(judge, tables), seconds(judge, events)
        scipy = seconds([sys.executable, "-c", "import scipy.special"], tables)
    for title, (wall, processor) in (
        (f"ten tables of {2 * epochs:,} rows (below {TARGET:.0f} s)", of_tables),
        ("ten event files", of_events),
        ("import scipy.special", scipy),
    ):
        print(f"{title:<40} {wall:.2f} s, of a processor {processor:.2f} s")
    return int(of_tables[0] >= TARGET)


if __name__ == "__main__":
    sys.exit(main())
