"""How fast and how large a headless run is, beside what it is measured against, in turn on the same machine.

    python -m tests.bench.headless [--pairs 5] [--epochs 3]

Prints the medians and the ratios; ends with 1 if a figure misses its target. The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

import regtui.data.facts

MNIST = Path(regtui.data.facts.__file__).parent / "mnist"
PYTHON = sys.executable


def notebook(root: Path, epochs: int) -> float:
    """Seconds an epoch of the pair, training and validation, the notebook's way."""
    loop = [PYTHON, "-m", "tests.bench.notebook_loop", str(root), str(epochs)]
    told = json.loads(subprocess.run(loop, check=True, capture_output=True, text=True).stdout)
    return float(told["seconds"]) / epochs


def headless(logs: Path, epochs: int) -> float:
    """Seconds an epoch of the pair, training and validation, as the run's own summary tells them."""
    subprocess.run(command(logs, epochs), check=True, stdout=subprocess.DEVNULL)
    newest = max(logs.iterdir(), key=lambda folder: folder.name)
    return float(json.loads((newest / "summary.json").read_text())["train_seconds"]) / epochs


def peak_memory(logs: Path, epochs: int) -> float:
    """Peak memory of all the run's processes together, in MB: proportional, so that a shared page counts once.

    Measured in a run of its own, because looking makes the processes wait.
    """
    process = subprocess.Popen(command(logs, epochs), stdout=subprocess.DEVNULL)
    root, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            family = [root, *root.children(recursive=True)]
            peak = max(peak, sum(member.memory_full_info().pss for member in family))
        except psutil.Error:  # one of them has just ended
            pass
        time.sleep(0.1)
    return peak / 1e6


def command(logs: Path, epochs: int) -> list[str]:
    """The reference experiment, headless."""
    return [
        PYTHON, "-m", "regtui", "--preset", "dropout", "--headless", "--epochs", str(epochs), "--log-dir", str(logs),
    ]  # fmt: skip


def first_step(logs: Path) -> float:
    """Seconds from the command to the first training step that is told."""
    began = time.perf_counter()
    with subprocess.Popen([*command(logs, 1), "--json"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if '"steps_done"' in line:
                seconds = time.perf_counter() - began
                process.kill()
                return seconds
    raise RuntimeError("no step was told")


def seconds_of(*words: str) -> float:
    """Seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def unpack(root: Path) -> None:
    """MNIST in torchvision's layout."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in MNIST.glob("*.gz"):
        (raw / archive.stem).write_bytes(gzip.decompress(archive.read_bytes()))


def main() -> int:
    """Measure everything, print a line a figure, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, logs = Path(folder) / "data", Path(folder) / "logs"
        unpack(root)
        slow, fast = [], []
        for _ in range(options.pairs):
            slow.append(notebook(root, options.epochs))
            fast.append(headless(logs, options.epochs))
            print(f"  notebook {slow[-1]:.2f} s, regtui {fast[-1]:.2f} s an epoch of the pair", file=sys.stderr)
        memory = peak_memory(logs, 2)
        ratio = statistics.median(s / f for s, f in zip(slow, fast, strict=True))
        starts = [(seconds_of(PYTHON, "-c", "import torch"), first_step(logs)) for _ in range(options.pairs)]
        start = statistics.median(step - bare for bare, step in starts)
        help_seconds = statistics.median(seconds_of(PYTHON, "-m", "regtui", "--help") for _ in range(10))
    figures = [
        ("epoch of the pair, notebook / regtui", f"{ratio:.1f} ×", ratio >= 10, "≥ 10"),
        ("  notebook", f"{statistics.median(slow):.2f} s", True, ""),
        ("  regtui", f"{statistics.median(fast):.2f} s", True, ""),
        ("peak memory of all processes", f"{memory:.0f} MB", memory <= 700, "≤ 700 MB"),
        ("first step, above a bare import torch", f"{start:.2f} s", start <= 1.5, "≤ 1.5 s"),
        ("regtui --help", f"{help_seconds:.2f} s", help_seconds <= 0.25, "≤ 0.25 s"),
    ]
    print(f"{os.cpu_count()} cores, {options.pairs} pairs of {options.epochs} epochs, medians")
    for name, value, met, target in figures:
        print(f"{name:<40} {value:>9}   {target:<9} {'' if met else 'MISSED'}".rstrip())
    return 0 if all(met for _, _, met, _ in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
