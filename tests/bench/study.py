"""How fast a study is, beside fewer workers and beside its runs started one by one; how large a worker is.

    python -m tests.bench.study [--seeds 8] [--preset small-data] [--epochs N]

Prints seconds, ratios and memory; ends with 1 if a figure misses its target. The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time

import psutil

PYTHON = sys.executable


def study(preset: str, seeds: int, jobs: int, more: list[str]) -> list[str]:
    """A study with so many runs at the same time."""
    return [PYTHON, "-m", "regtui", "study", preset, "--seeds", str(seeds), "--jobs", str(jobs), "--headless", *more]


def seconds_of(commands: list[list[str]]) -> float:
    """Seconds that the commands take one after the other, each with logs of its own."""
    began = time.perf_counter()
    for command in commands:
        with tempfile.TemporaryDirectory() as logs:
            ended = subprocess.run([*command, "--log-dir", logs], stdout=subprocess.DEVNULL)
            if ended.returncode not in {0, 10}:
                raise RuntimeError(f"{' '.join(command)}: exit code {ended.returncode}")
    return time.perf_counter() - began


def one_by_one(preset: str, seeds: int, more: list[str]) -> float:
    """Seconds of the same runs, each started by a command of its own."""
    run = [PYTHON, "-m", "regtui", "--preset", preset, "--headless"]
    return seconds_of([[*run, "--seed", str(seed), *more] for seed in range(seeds)])


def peak_memory(command: list[str]) -> tuple[float, float]:
    """Peak memory in MB of a worker and of the command's own process: proportional, a shared page counts once.

    Measured in a study of its own, because looking makes the processes wait.
    """
    worker = own = 0
    with tempfile.TemporaryDirectory() as logs:
        process = subprocess.Popen([*command, "--log-dir", logs], stdout=subprocess.DEVNULL)
        root = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                own = max(own, root.memory_full_info().pss)
                worker = max([worker, *(child.memory_full_info().pss for child in root.children(recursive=True))])
            except psutil.Error:  # one of them has just ended
                pass
            time.sleep(0.1)
    return worker / 1e6, own / 1e6


def main() -> int:
    """Measure everything, print a line a figure, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="small-data")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--epochs", type=int)
    options = parser.parse_args()
    preset, seeds = options.preset, options.seeds
    shorter = [] if options.epochs is None else ["--set", f"train.epochs={options.epochs}"]
    two = seconds_of([study(preset, seeds, 2, shorter)])
    one = seconds_of([study(preset, seeds, 1, shorter)])
    single = one_by_one(preset, seeds, shorter)
    smoke = seconds_of([study("smoke", seeds, 2, [])])
    smoke_single = one_by_one("smoke", seeds, [])
    worker, own = peak_memory(study(preset, 2, 2, shorter))
    figures = [
        (f"{preset}: one worker / two", f"{one / two:.2f} ×", one / two >= 1.8, "≥ 1.8"),
        (f"{preset}: one by one / two workers", f"{single / two:.2f} ×", single / two >= 2, "≥ 2"),
        ("  two workers", f"{two:.1f} s", True, ""),
        ("  one worker", f"{one:.1f} s", True, ""),
        ("  one by one", f"{single:.1f} s", True, ""),
        ("smoke: one by one / two workers", f"{smoke_single / smoke:.2f} ×", smoke_single / smoke >= 4, "≥ 4"),
        ("  two workers", f"{smoke:.1f} s", True, ""),
        ("  one by one", f"{smoke_single:.1f} s", True, ""),
        ("peak memory of a worker", f"{worker:.0f} MB", worker <= 450, "≤ 450 MB"),
        ("  of the command's own process", f"{own:.0f} MB", True, ""),
    ]
    print(f"{os.cpu_count()} cores, {seeds} seeds")
    for name, value, met, target in figures:
        print(f"{name:<40} {value:>9}   {target:<9} {'' if met else 'MISSED'}".rstrip())
    return 0 if all(met for _, _, met, _ in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
