"""Peaks of memory of some networks in training, one after another in a process: `python -m tests.memory_peak`."""

from __future__ import annotations

import ctypes
import json
import re
import sys
from pathlib import Path
from typing import Any

RUNS: dict[str, dict[str, Any]] = {
    "a wide network": {"model": {"hidden": [1024, 1024]}},
    "a wide network without moments": {"model": {"hidden": [1024, 1024]}, "train": {"optimizer": "sgd"}},
    "large batches": {
        "model": {"hidden": [256, 256]},
        "data": {"train_samples": 10_000},
        "train": {"batch_size": 10_000},
        "regularized": {},
    },
    "large batches of a convolutional network": {
        "model": {"kind": "cnn", "channels": [32, 32], "hidden": []},
        "data": {"train_samples": 500},
        "train": {"batch_size": 500},
        "regularized": {"batch_norm": {}},
    },
    "large batches of hidden layers with dropout": {
        "model": {"hidden": [512, 512, 512], "activation": "tanh"},
        "data": {"train_samples": 4_000},
        "train": {"batch_size": 4_000},
        "regularized": {"dropout": {}},
    },
    "evaluation": {
        "model": {"kind": "cnn", "channels": [96], "hidden": []},
        "data": {"train_samples": 8, "val_samples": 256},
        "train": {"batch_size": 4},
    },
    "many arms": {"model": {"hidden": [512, 512]}, "arms": {name: {"l2": {}} for name in "abcdef"}},
}


def main() -> None:
    """Print, as JSON, for each run the peak of memory above what the process held before, in bytes."""
    import torch

    from regtui.arm.arm import Arm
    from regtui.arm.split import load
    from regtui.data.source import ensure
    from tests.conftest import small_preset

    torch.set_num_threads(1)

    def train(tables: dict[str, Any]) -> None:
        preset = small_preset(**tables)
        data = load(ensure("mnist"), preset.data, 0, torch.device("cpu"))
        arms = [Arm(name, preset, data, torch.device("cpu")) for name in preset.arms()]
        for epoch in (1, 2):
            for arm in arms:
                arm.start_epoch()
                arm.train_steps(2)
            for arm in arms:
                arm.measure()
                arm.remember(epoch)

    train({})  # whatever is loaded at first use
    peaks = {}
    for name, tables in RUNS.items():
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = _status("VmRSS")
        train(tables)
        peaks[name] = _status("VmHWM") - before
    json.dump(peaks, sys.stdout)


def _status(key: str) -> int:
    found = re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


if __name__ == "__main__":
    main()
