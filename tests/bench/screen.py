"""What training pays for the screen: the same run under a real terminal, attached to, and headless, in turn.

    python -m tests.bench.screen [--pairs 5] [--epochs 8]

Prints the medians and the ratios; ends with 1 if a figure misses its target. The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil

from regtui.protocol.events import EpochDone
from regtui.runs.events import read_events
from regtui.tui.app import RegtuiApp
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, until
from tests.terminal import Terminal

COLUMNS, ROWS = 120, 36
VIEWS = ("accuracy in %", "gap: validation", "baseline")  # what the charts' titles say after each press of v


def screen(*words: str | Path) -> Terminal:
    """The program in a pseudo-terminal of its own."""
    return Terminal("-m", "regtui", *words, columns=COLUMNS, rows=ROWS)


def options(logs: Path, epochs: int) -> list[str]:
    """The reference experiment."""
    return ["--preset", "dropout", "--epochs", str(epochs), "--log-dir", str(logs)]


def newest(logs: Path) -> Path:
    """The folder of the newest run."""
    return max(logs.iterdir(), key=lambda folder: folder.stat().st_mtime)


def train_seconds(logs: Path) -> float:
    """Of the newest run."""
    return float(json.loads((newest(logs) / "summary.json").read_text())["train_seconds"])


def under_screen(logs: Path, epochs: int) -> tuple[float, float]:
    """Training seconds under the screen, and the bytes a second that went to the terminal."""
    with screen(*options(logs, epochs), "--start", "--quit-when-done") as terminal:
        code = terminal.wait(600)
        assert code == 0, f"the screen ended with {code}"
        return train_seconds(logs), len(terminal.written) / (time.perf_counter() - terminal.began)


def headless(logs: Path, epochs: int) -> float:
    """Training seconds without a screen."""
    subprocess.run(without_screen(logs, epochs), check=True, stdout=subprocess.DEVNULL)
    return train_seconds(logs)


def later_epochs(logs: Path) -> float:
    """Seconds from the end of the newest run's third epoch to that of its last: a screen has been attached by then."""
    ends = {event.epoch: event.t for event in read_events(newest(logs)) if isinstance(event, EpochDone)}
    return max(ends.values()) - ends[3]


def attached(logs: Path, epochs: int) -> float:
    """Seconds of the later epochs of a run without a screen of its own, which one watches from its start to its end."""
    before = set(logs.iterdir())
    with subprocess.Popen(without_screen(logs, epochs), stdout=subprocess.DEVNULL) as run:
        while not (begun := [path for path in set(logs.glob("*/events.jsonl")) if path.parent not in before]):
            time.sleep(0.01)
        with screen("attach", begun[0].parent) as terminal:
            terminal.until("Verdict", 600)
            assert run.wait() == 0
    return later_epochs(logs)


def without_screen(logs: Path, epochs: int) -> list[str]:
    """The command for a run without a screen."""
    return [sys.executable, "-m", "regtui", *options(logs, epochs), "--headless"]


def key_latency(logs: Path) -> list[float]:
    """Seconds from a key to the changed title of a chart, many times, while training goes on."""
    with screen(*options(logs, 20), "--start") as terminal:
        terminal.until("left")
        times = []
        for press in range(40):
            times.append(terminal.press_and_see("v", VIEWS[press % 3]))
            terminal.read(0.11)
        return times


def idle_share(logs: Path) -> float:
    """Share of a core that the program takes when its run has ended."""
    with screen("--preset", "smoke", "--start", "--log-dir", logs) as terminal:
        terminal.until("Verdict", 60)
        terminal.read(2)
        before = sum(terminal.process.cpu_times()[:2])
        terminal.read(10)
        return float(sum(terminal.process.cpu_times()[:2]) - before) / 10


def first_screen() -> float:
    """Seconds from the command to the presets on the screen."""
    with screen() as terminal:
        return terminal.until("small-data")


def memory_growth(logs: Path) -> float:
    """Memory of this process with a million steps of each arm drawn, over that with a hundred thousand."""
    preset = small_preset(data={"train_samples": 48_000, "val_fraction": 0.2}, train={"epochs": 24, "batch_size": 1})
    training = ScriptedTraining()
    app = RegtuiApp(logs, preset, start=True, training=training)

    def reached(steps: int) -> bool:
        arms = app.session.history.arms.values() if app.session else ()
        return min((len(arm.step_losses) for arm in arms), default=0) >= steps

    async def draw() -> list[int]:
        sizes = []
        async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
            try:
                for epochs, steps in ((2, 100_000), (19, 1_000_000)):
                    training.open(epochs)
                    await until(pilot, partial(reached, steps), 120)
                    await pilot.pause(1)
                    sizes.append(psutil.Process().memory_info().rss)
            finally:
                training.close()
        return sizes

    few, many = asyncio.run(draw())
    return many / few


def main() -> int:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    wanted = parser.parse_args()
    ratios, watched, rates = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "logs"
        growth = memory_growth(logs)  # first, while this process has little else in its memory
        for _ in range(wanted.pairs):
            alone = headless(logs, wanted.epochs)
            later = later_epochs(logs)
            seconds, rate = under_screen(logs, wanted.epochs)
            ratios.append(seconds / alone)
            rates.append(rate)
            print(f"  headless {alone:.2f} s, under the screen {seconds:.2f} s, {rate / 1000:.1f} kB/s", flush=True)
            seen = attached(logs, wanted.epochs)
            watched.append(seen / later)
            print(f"  its later epochs headless {later:.2f} s, under an attached screen {seen:.2f} s", flush=True)
        latencies = sorted(key_latency(logs))
        figures = [
            ("training under the screen / headless", statistics.median(ratios), 1.05, "{:.3f} ×"),
            ("training under an attached screen / headless", statistics.median(watched), 1.05, "{:.3f} ×"),
            ("bytes to the terminal", statistics.median(rates) / 1000, 20, "{:.1f} kB/s"),
            ("key to changed screen, p95", 1000 * latencies[int(0.95 * len(latencies))], 100, "{:.0f} ms"),
            ("idle, share of a core", 100 * idle_share(logs), 1, "{:.2f} %"),
            ("memory, 1,000,000 steps / 100,000", growth, 1.1, "{:.3f} ×"),
            ("first screen", statistics.median(first_screen() for _ in range(5)), 0.8, "{:.2f} s"),
        ]
    print(f"{os.cpu_count()} cores, {wanted.pairs} pairs of {wanted.epochs} epochs, {COLUMNS}x{ROWS}, medians")
    for name, value, bound, form in figures:
        verdict = "" if value <= bound else "   MISSED"
        print(f"{name:<45} {form.format(value):>12}   ≤ {form.format(bound)}{verdict}")
    return int(any(value > bound for _, value, bound, _ in figures))


if __name__ == "__main__":
    sys.exit(main())
