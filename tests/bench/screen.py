"""What training pays for the screen: the same run under a real terminal and headless, in turn on the same machine.

    python -m tests.bench.screen [--pairs 5] [--epochs 3]

Prints the medians and the ratios; ends with 1 if a figure misses its target. The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import psutil

COLUMNS, ROWS = 120, 36
VIEWS = (b"accuracy in %", b"gap: validation", b"baseline")  # what the charts' titles say after each press of v


class Screen:
    """The program in a pseudo-terminal of its own."""

    def __init__(self, *words: str) -> None:
        self.written = 0
        self.began = time.perf_counter()
        self.child, self._terminal = pty.fork()
        if self.child == 0:
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execv(sys.executable, [sys.executable, "-m", "regtui", *words])
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def read(self, seconds: float, until: bytes = b"\0") -> float | None:
        """Take in what it writes; returns the seconds until `until` came, None if it didn't."""
        began, seen = time.perf_counter(), b""
        while (left := began + seconds - time.perf_counter()) > 0:
            if not select.select([self._terminal], [], [], left)[0]:
                break
            try:
                part = os.read(self._terminal, 65_536)
            except OSError:  # it has gone
                break
            self.written += len(part)
            seen += part
            if until in seen:
                return float(time.perf_counter() - began)
        return None

    def press(self, key: bytes) -> None:
        """Type a key."""
        os.write(self._terminal, key)

    def wait(self) -> int:
        """Read until it has left; returns its exit code."""
        while self.read(60) is not None:
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        os.close(self._terminal)
        return code


def options(logs: Path, epochs: int) -> list[str]:
    """The reference experiment."""
    return ["--preset", "dropout", "--epochs", str(epochs), "--log-dir", str(logs)]


def train_seconds(logs: Path) -> float:
    """Of the newest run."""
    newest = max(logs.iterdir(), key=lambda folder: folder.stat().st_mtime)
    return float(json.loads((newest / "summary.json").read_text())["train_seconds"])


def under_screen(logs: Path, epochs: int) -> tuple[float, float]:
    """Training seconds under the screen, and the bytes a second that went to the terminal."""
    screen = Screen(*options(logs, epochs), "--start", "--quit-when-done")
    code = screen.wait()
    assert code == 0, f"the screen ended with {code}"
    return train_seconds(logs), screen.written / (time.perf_counter() - screen.began)


def headless(logs: Path, epochs: int) -> float:
    """Training seconds without a screen."""
    command = [sys.executable, "-m", "regtui", *options(logs, epochs), "--headless"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return train_seconds(logs)


def key_latency(logs: Path) -> list[float]:
    """Seconds from a key to the changed title of a chart, many times, while training goes on."""
    screen = Screen(*options(logs, 20), "--start")
    assert screen.read(30, until=b"validation loss has") is not None or screen.read(30, until=b"left") is not None
    times = []
    for press in range(40):
        screen.press(b"v")
        seconds = screen.read(2, until=VIEWS[press % 3])
        times.append(2.0 if seconds is None else seconds)
        screen.read(0.11)
    screen.press(b"q")
    screen.read(0.5)
    screen.press(b"x")
    screen.wait()
    return times


def idle_share(logs: Path) -> float:
    """Share of a core that the program takes when its run has ended."""
    screen = Screen("--preset", "smoke", "--start", "--log-dir", str(logs))
    assert screen.read(60, until=b"Verdict") is not None, "the run did not end"
    screen.read(2)
    process = psutil.Process(screen.child)
    before = sum(process.cpu_times()[:2])
    screen.read(10)
    share = float(sum(process.cpu_times()[:2]) - before) / 10
    screen.press(b"q")
    screen.wait()
    return share


def first_screen() -> float:
    """Seconds from the command to the presets on the screen."""
    screen = Screen()
    seconds = screen.read(10, until=b"small-data")
    screen.press(b"q")
    screen.wait()
    assert seconds is not None
    return seconds


def main() -> int:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    wanted = parser.parse_args()
    ratios, rates = [], []
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "logs"
        for _ in range(wanted.pairs):
            alone = headless(logs, wanted.epochs)
            seconds, rate = under_screen(logs, wanted.epochs)
            ratios.append(seconds / alone)
            rates.append(rate)
            print(f"  headless {alone:.2f} s, under the screen {seconds:.2f} s, {rate / 1000:.1f} kB/s", flush=True)
        latencies = sorted(key_latency(logs))
        figures = [
            ("training under the screen / headless", statistics.median(ratios), 1.05, "{:.3f} ×"),
            ("bytes to the terminal", statistics.median(rates) / 1000, 20, "{:.1f} kB/s"),
            ("key to changed screen, p95", 1000 * latencies[int(0.95 * len(latencies))], 100, "{:.0f} ms"),
            ("idle, share of a core", 100 * idle_share(logs), 1, "{:.2f} %"),
            ("first screen", statistics.median(first_screen() for _ in range(5)), 0.8, "{:.2f} s"),
        ]
    print(f"{os.cpu_count()} cores, {wanted.pairs} pairs of {wanted.epochs} epochs, {COLUMNS}x{ROWS}, medians")
    for name, value, bound, form in figures:
        verdict = "" if value <= bound else "   MISSED"
        print(f"{name:<40} {form.format(value):>12}   ≤ {form.format(bound)}{verdict}")
    return int(any(value > bound for _, value, bound, _ in figures))


if __name__ == "__main__":
    sys.exit(main())
