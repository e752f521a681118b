"""How fast saved runs are on the screen: ten of 100,000 steps over each other, and one with a log of 200 MB.

    python -m tests.bench.review [--times 5]

Measured in a real terminal, from the command on. Beside it, where it can be installed, lightning-metrics-tui on the
same series. Prints the figures; ends with 1 if one misses its target. The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from regtui.engine.run import run
from regtui.preset.file import load
from regtui.protocol.control import Control
from tests.scripted import ScriptedCrew
from tests.terminal import Terminal

PEER = "lightning-metrics-tui==0.2.0"
RUNS, EPOCHS, STEPS = 10, 100, 1000
LONG = 5000
"""Epochs of the run whose log has 200 MB."""
CHART = re.compile("[┤┼].*[\u2801-\u28ff\u2580-\u259f]", re.DOTALL)
"""An axis and, later in what was written, part of a curve."""
RUN_TITLES = ("accuracy in %", "gap: validation", "⋯ steps")
"""What stands on the run screen's charts after each press of v."""
COMPARE_TITLES = ("Δ validation loss", "gap: validation", "accuracy in %", "validation loss by")
"""The same of the screen of several runs."""
VERDICT = "one seed ("


class Opened(NamedTuple):
    """What was measured of one program in its terminal: seconds from the command, and MB."""

    first_chart: float
    whole: float
    memory: float


def write_run(logs: Path, seed: int, epochs: int) -> Path:
    """A run as the trainer tells and keeps it; its losses are a script's, with as many digits as real ones."""
    draw = random.Random(seed)
    noise = array("f", (draw.gauss(0, 0.05) for _ in range(997)))

    def step_loss(arm: str, step: int) -> float:
        return 0.3 + 2 * math.exp(-step / 2000) + noise[step % 997] * (1 if arm == "baseline" else 1.5)

    def val_losses(rise: float) -> list[float]:
        return [0.3 + rise * epoch + math.exp(-epoch / 10) + draw.random() / 50 for epoch in range(epochs)]

    preset = load("dropout", [f"train.epochs={epochs}", f"train.batch_size={48_000 // STEPS}", f"train.seed={seed}"])
    crew = ScriptedCrew({"baseline": val_losses(0.2 / epochs), "regularized": val_losses(0.0)}, step_loss)
    return run(preset, logs, Control(), lambda _: None, crew).folder


def opened(folders: Sequence[Path], whole: str) -> Opened:
    """Open runs on the screen; `whole` is there as soon as all has been read."""
    with review(folders) as terminal:
        terminal.until(lambda: CHART.search(terminal.text))
        first_chart = time.perf_counter() - terminal.began
        terminal.until(whole, 60)
        read = time.perf_counter() - terminal.began
        terminal.read(1)
        return Opened(first_chart, read, peak_memory(terminal))


def keys(folders: Sequence[Path], whole: str, titles: Sequence[str], presses: int = 0) -> list[float]:
    """Seconds from a key to the changed chart, from the first chart until all has been read, and `presses` times more.

    Args:
        folders: The runs.
        whole: Is on the screen as soon as all has been read.
        titles: What a chart's title says after each press of v.
        presses: How often to press it then.
    """
    seconds: list[float] = []
    with review(folders) as terminal:
        terminal.until(lambda: CHART.search(terminal.text))
        for title in itertools.cycle(titles):
            if whole in terminal.text:
                presses -= 1
                if presses < 0:
                    break
            seconds.append(terminal.press_and_see("v", title))
    return seconds


def review(folders: Sequence[Path]) -> Terminal:
    """The program in a terminal, opened on these runs."""
    return Terminal("-m", "regtui", "review", *folders)


def install_peer(folder: Path) -> Path | None:
    """The other program's command, in an environment of its own; None if it can't be installed."""
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", PEER, "plotext<6"]  # with plotext 6 it draws nothing
    return None if subprocess.run(pip, capture_output=True).returncode else folder / "bin" / "ltui"


def peer(command: Path, series: Path, home: Path) -> float:
    """Seconds from the other program's command to its first chart; it shows one run of those in `series`."""
    become = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
    with Terminal("-c", become, command, series, env={"HOME": str(home)}) as terminal:
        terminal.until(lambda: CHART.search(terminal.text), 60)
        return time.perf_counter() - terminal.began


def export(folders: Sequence[Path], out: Path, *, steps: bool) -> Path:
    """The runs' epochs, or their steps, as the other program reads them: metrics.csv below a folder an arm."""
    words = [sys.executable, "-m", "regtui", "export", "--to", "csv", "--out", str(out), *map(str, folders)]
    subprocess.run(words, check=True, capture_output=True)
    if steps:
        for path in out.rglob("steps.csv"):
            path.replace(path.with_name("metrics.csv"))
    return out


def peak_memory(terminal: Terminal) -> float:
    """The most that the program has had in memory so far, in MB."""
    status = Path(f"/proc/{terminal.process.pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1000


def p95(seconds: Sequence[float]) -> float:
    """What 95 of 100 stay below, in milliseconds."""
    return 1000 * sorted(seconds)[int(0.95 * (len(seconds) - 1))]


def main() -> int:
    """Measure, print, and tell whether all is in bounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        ten = [write_run(scratch / "ten", seed, EPOCHS) for seed in range(RUNS)]
        long = write_run(scratch / "long", 0, LONG)
        megabytes = (long / "events.jsonl").stat().st_size / 1e6
        several = [opened(ten, "J") for _ in range(times)]
        several_keys = keys(ten, "J", COMPARE_TITLES, presses=100)
        one = [opened([long], VERDICT) for _ in range(times)]
        one_keys = [second for _ in range(times) for second in keys([long], VERDICT, RUN_TITLES)]
        beside = []
        if (command := install_peer(scratch / "peer")) is not None:
            for what in ("steps", "epochs"):
                series = export(ten, scratch / what, steps=what == "steps")
                seconds = statistics.median(peer(command, series, scratch) for _ in range(times))
                beside.append(f"{f'{PEER}: {what} of ten runs to first chart, s':<60} {seconds:8.2f}")
    figures = [
        ("ten runs: command to first chart, s", statistics.median(run.first_chart for run in several), 1.0),
        ("ten runs: command to the curves of all, s", statistics.median(run.whole for run in several), 1.0),
        ("ten runs: key to changed chart, p95, ms", p95(several_keys), 100.0),
        ("ten runs: peak memory, MB", max(run.memory for run in several), 250.0),
        (
            f"log of {megabytes:.0f} MB: command to first chart, s",
            statistics.median(run.first_chart for run in one),
            1.0,
        ),
        (f"log of {megabytes:.0f} MB: command to verdict, s", statistics.median(run.whole for run in one), 10.0),
        (f"log of {megabytes:.0f} MB: key to changed chart meanwhile, p95, ms", p95(one_keys), 200.0),
        (f"log of {megabytes:.0f} MB: peak memory, MB", max(run.memory for run in one), 250.0),
    ]
    for name, value, bound in figures:
        print(f"{name:<60} {value:8.2f}  at most {bound:g}{'' if value <= bound else '  MISSED'}")
    print("\n".join(beside or [f"{PEER} can't be installed here"]))
    return int(any(value > bound for _, value, bound in figures))


if __name__ == "__main__":
    sys.exit(main())
