"""A small convolutional network beside a plain loop that an expert would write, and beside a notebook's.

    python -m tests.bench.cnn [--rounds 5] [--steps 200] [--pairs 2]

A step is one of the `cnn` preset's network on MNIST, with one thread; the loops take turns, each in a process of its
own. Prints the medians and the ratios; ends with 1 if a figure misses its target. The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.headless import PYTHON, unpack

BATCH = 64


def expert_step(*, channels_last: bool) -> Callable[[int], None]:
    """All images as floats on the device, the order drawn once an epoch, torch's fused Adam; returns the loop."""
    import torch
    from safetensors.torch import load_file
    from torch.nn import functional

    from regtui.data.source import ensure
    from regtui.preset.file import load
    from tests.bench.notebook_loop import convolutional

    layout = torch.channels_last if channels_last else torch.contiguous_format
    tensors = load_file(ensure("mnist"))
    images = ((tensors["train_images"].float() / 255 - 0.5) / 0.5).view(-1, 1, 28, 28).to(memory_format=layout)
    labels = tensors["train_labels"].long()
    assert load("cnn").network == "1×28×28 · conv 3×3 16, 32 · 128-10", "the same network on both sides"
    model = convolutional(0.0).to(memory_format=layout)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    order = torch.randperm(len(images))

    def steps(count: int) -> None:
        losses = []
        for batch in torch.split(order[: count * BATCH], BATCH):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(images[batch]), labels[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.detach())
        torch.stack(losses).tolist()

    return steps


def arm_step() -> Callable[[int], None]:
    """An arm of the preset as a run has it; returns its loop."""
    import torch

    from regtui.arm.arm import Arm
    from regtui.arm.split import load as load_data
    from regtui.data.source import ensure
    from regtui.preset.file import load

    preset = load("cnn", [f"data.train_samples={48_000}", "data.val_fraction=0.2", f"train.batch_size={BATCH}"])
    device = torch.device("cpu")
    data = load_data(ensure("mnist"), preset.data, preset.train.seed, device)
    arm = Arm("baseline", preset, data, device)

    def steps(count: int) -> None:
        arm.start_epoch()
        arm.train_steps(count)

    return steps


def time_steps(loop: str, steps: int) -> None:
    """Print the milliseconds of a step of this loop, after a warm-up."""
    import torch

    from regtui.heap import keep_freed_memory

    keep_freed_memory()  # a plain loop gains as much by it
    torch.set_num_threads(1)
    step = arm_step() if loop == "arm" else expert_step(channels_last=loop == "channels last")
    step(20)
    began = time.perf_counter()
    step(steps)
    print((time.perf_counter() - began) / steps * 1000)


def measured(loop: str, steps: int) -> float:
    """Milliseconds of a step, in a process of its own."""
    command = [PYTHON, "-m", "tests.bench.cnn", "--loop", loop, "--steps", str(steps)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def notebook(root: Path) -> float:
    """Seconds of an epoch of the pair, training and validation, the notebook's way."""
    loop = [PYTHON, "-m", "tests.bench.notebook_loop", str(root), "1", "cnn"]
    told = json.loads(subprocess.run(loop, check=True, capture_output=True, text=True).stdout)
    return float(told["seconds"])


def headless(logs: Path) -> float:
    """Seconds of an epoch of the pair, training and validation, as the run's own summary tells them."""
    command = [
        PYTHON, "-m", "regtui", "--preset", "cnn", "--headless", "--epochs", "1", "--log-dir", str(logs),
        "--set", "data.train_samples=48000", "--set", "data.val_fraction=0.2", "--device", "cpu",
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    newest = max(logs.iterdir(), key=lambda folder: folder.stat().st_mtime)
    return float(json.loads((newest / "summary.json").read_text())["train_seconds"])


def main() -> int:
    """Measure everything, print a line a figure, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--loop", choices=("arm", "contiguous", "channels last"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        time_steps(options.loop, options.steps)
        return 0
    times: dict[str, list[float]] = {"contiguous": [], "channels last": [], "arm": []}
    for _ in range(options.rounds):
        for loop, found in times.items():
            found.append(measured(loop, options.steps))
        print("  " + ", ".join(f"{loop} {found[-1]:.2f} ms" for loop, found in times.items()), file=sys.stderr)
    medians = {loop: statistics.median(found) for loop, found in times.items()}
    best = min(("contiguous", "channels last"), key=medians.__getitem__)
    ratio = statistics.median(a / b for a, b in zip(times["arm"], times[best], strict=True))
    slow, fast = [], []
    with tempfile.TemporaryDirectory() as folder:
        root, logs = Path(folder) / "data", Path(folder) / "logs"
        unpack(root)
        for _ in range(options.pairs):
            slow.append(notebook(root))
            fast.append(headless(logs))
            print(f"  notebook {slow[-1]:.1f} s, regtui {fast[-1]:.1f} s an epoch of the pair", file=sys.stderr)
    figures = [
        ("step of an arm / of an expert's loop", f"{ratio:.2f} ×", ratio <= 1.15, "≤ 1.15"),
        *((f"  {loop}", f"{median:.2f} ms", True, "") for loop, median in medians.items()),
    ]
    if slow:
        gain = statistics.median(s / f for s, f in zip(slow, fast, strict=True))
        figures.append(("epoch of the pair, notebook / regtui", f"{gain:.1f} ×", gain >= 2, "≥ 2"))
    print(f"{options.rounds} rounds of {options.steps} steps, {options.pairs} pairs, medians")
    for name, value, met, target in figures:
        print(f"{name:<40} {value:>9}   {target:<9} {'' if met else 'MISSED'}".rstrip())
    return 0 if all(met for _, _, met, _ in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
