"""How fast ten thousand saved runs are listed and filtered, with the index and without, in a pipe and on screen.

    python -m tests.bench.runs [--runs 10000]

Prints the figures; ends with 1 if one misses its target. The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from regtui.tui.review.preview import REST
from tests.terminal import Terminal

PRESET = """\
schema = 1
name = "dropout"
title = "Dropout on MNIST"
summary = "A 784-256-128-10 network with dropout 0.5 after its first hidden layer, against the same network without."

[data]
dataset = "mnist"
val_fraction = 0.2

[model]
kind = "mlp"
hidden = [256, 128]

[train]
epochs = 10
batch_size = 64
optimizer = "adam"
learning_rate = 0.001
weight_decay = 0.0001
seed = {seed}
device = "auto"

[baseline]

[regularized.dropout]
rate = 0.5
after = [1]
input_rate = 0.0
"""


def write_run(logs: Path, number: int) -> None:
    """A finished run of its own seed, with figures of its own, as large as real ones."""
    draw = random.Random(number)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(1_700_000_000 + 60 * number))
    folder = logs / f"{stamp}-dropout-{number & 0xFFFF:04x}"
    folder.mkdir()
    (folder / "preset.toml").write_text(PRESET.format(seed=number))
    run = {"schema": 2, "preset": "dropout", "seed": number, "device": "auto", "host": "other", "pid": 1}
    started = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(1_700_000_000 + 60 * number))
    (folder / "run.json").write_text(json.dumps(run | {"started": started, "command": ["regtui"] * 5}, indent=1))
    (folder / "events.jsonl").write_text("{}\n")
    only_baseline, only_arm = draw.randrange(80, 160), draw.randrange(80, 160)

    def arm(right: int) -> dict[str, object]:
        return {
            "epochs": 10, "stop_reason": "max_epochs", "best_epoch": 7, "best_val_loss": draw.random(),
            "final": {"train_loss": draw.random(), "val_loss": draw.random(),
                      "train_metrics": {"accuracy": draw.random()}, "val_metrics": {"accuracy": draw.random()}},
            "kept": "last", "kept_epoch": 10, "test": {"loss": draw.random(), "accuracy": right / 10_000},
            "zero_weights": 0.0, "weight_norm": draw.random(), "seconds": draw.random(), "parameters": 235146,
        }  # fmt: skip

    summary = {
        "schema": 2, "status": "finished", "error": "", "preset": "dropout", "seed": number, "device": "cpu",
        "task": {"name": "classification", "metric": "accuracy", "better": "higher"},
        "wall_seconds": draw.random(), "train_seconds": draw.random(),
        "arms": {"baseline": arm(9600 + only_baseline), "regularized": arm(9600 + only_arm)},
        "comparisons": {"regularized": {"both_right": 9600, "only_baseline": only_baseline, "only_arm": only_arm,
                                        "both_wrong": 400 - only_baseline - only_arm}},
        "pairing": {"initial_weights": {"baseline": "23728bd7bca83cc3", "regularized": "23728bd7bca83cc3"},
                    "shared_tensors": 6, "tensors": {"baseline": 6, "regularized": 6},
                    "order": [f"{draw.getrandbits(64):016x}" for _ in range(10)], "unpaired_because": ""},
        "same_experiment": {"regularized": False}, "interventions": 0,
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary, indent=1))


def seconds(work: Callable[[], object]) -> float:
    """What `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def command(logs: Path) -> float:
    """Seconds from a fresh interpreter to the last line of the table."""
    code = "import sys, pathlib, regtui.cli.runs as c; c.print_runs(pathlib.Path(sys.argv[1]), json=False)"
    lister = [sys.executable, "-c", code, str(logs)]
    return seconds(lambda: subprocess.run(lister, check=True, stdout=subprocess.DEVNULL))


KEYS = [
    ("down", "\x1b[B"),
    ("page down", "\x1b[6~"),
    ("end", "\x1b[F"),
    ("sort", "s"),
    ("turn", "S"),
    ("filter", "/"),
    ("letter", "d"),
]


PREVIEW = "down, until the preview is drawn"


def on_screen(logs: Path, count: int) -> tuple[float, dict[str, float], float]:
    """Seconds from `regtui review` to the whole list, milliseconds that each key takes, and peak memory in MB."""
    with Terminal("-m", "regtui", "review", logs) as terminal:
        terminal.until(f"{count:,} of {count:,} runs")
        listed = time.perf_counter() - terminal.began
        terminal.read(2.0)
        keys = {PREVIEW: 1e3 * terminal.press_and_change("\x1b[B")}
        for name, key in KEYS:
            taken = []
            for _ in range(3 if name in ("down", "page down", "sort", "turn") else 1):
                taken.append(1e3 * terminal.press_and_change(key, quiet=REST / 2))
                terminal.read(0.5)  # the preview follows when the cursor rests
            keys[name] = max(taken)
        memory = terminal.process.memory_full_info().uss / 1e6
    return listed, keys, memory


def main() -> int:
    """Measure, print, and tell whether all is in bounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10_000)
    count = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as temporary:
        logs = Path(temporary)
        for number in range(count):
            write_run(logs, number)
        from regtui.runs.filter import parse_filter
        from regtui.runs.index import NAME, read_runs

        without = command(logs)
        with_index = sorted(command(logs) for _ in range(5))[2]
        megabytes = (logs / NAME).stat().st_size / 1e6
        runs = read_runs(logs)
        assert len(runs) == count
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        chosen = parse_filter("drop test.difference>0.3 regularized.dropout.rate=0.5 status=finished")
        filtering = 1e3 * seconds(lambda: chosen.unknown(runs) or chosen.select(runs))
        unknown = 1e3 * seconds(lambda: parse_filter("test.diference>0").unknown(runs))
        sorting = 1e3 * seconds(lambda: sorted(runs, key=lambda run: run.difference or 0))
        screen, keys, screen_memory = on_screen(logs, count)
        write_run(logs, count)
        one_more = seconds(lambda: read_runs(logs))
    figures = [
        ("without the index, s", without, 5.0),
        ("with the index, s", with_index, 1.0),
        ("one run new: scipy is imported for its verdict, s", one_more, 5.0),
        ("filter of four terms, ms", filtering, 100.0),
        ("filter with an unknown key, ms", unknown, 100.0),
        ("sort by a column, ms", sorting, 100.0),
        ("peak memory, MB", memory, 250.0),
        ("on screen, from the command to the whole list, s", screen, 1.5),
        *((f"on screen, key: {name}, ms", taken, 300.0 if name == PREVIEW else 100.0) for name, taken in keys.items()),
        ("on screen, memory, MB", screen_memory, 250.0),
        ("size of the index, MB", megabytes, 100.0),
    ]
    for name, value, bound in figures:
        print(f"{name:<50} {value:8.2f}  at most {bound:g}{'' if value <= bound else '  MISSED'}")
    return int(any(value > bound for _, value, bound in figures))


if __name__ == "__main__":
    sys.exit(main())
