"""Logs as other programs write them: the layouts of Lightning, transformers, W&B, TensorBoard, one's own loop."""

from __future__ import annotations

import csv
import json
import random
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

HF_NAMES = {"val_acc": "eval_accuracy", "val_loss": "eval_loss"}
Curves = Mapping[str, Sequence[float]]
"""By metric, the value of each epoch."""


def curves(level: float, seed: int, epochs: int = 6) -> dict[str, list[float]]:
    """An accuracy that rises to a level, a loss that falls, of one seed; what a seed draws, both sides have."""
    draw = random.Random(seed)
    shift = draw.gauss(0, 0.004)
    accuracy = [level + shift - 0.2 / (1 + epoch) ** 2 + draw.gauss(0, 0.002) for epoch in range(epochs)]
    return {"val_acc": accuracy, "val_loss": [1.1 - value for value in accuracy]}


def lightning(path: Path, of: Curves, steps: int = 25) -> Path:
    """metrics.csv of Lightning's CSVLogger: epochs from 0, global steps, training and validation in rows apart."""
    rows: list[dict[str, object]] = []
    for epoch, values in enumerate(zip(*of.values(), strict=True)):
        when = {"epoch": epoch, "step": (epoch + 1) * steps - 1}
        rows.append({"train_loss": 1 / (epoch + 1), **when})
        rows.append({**dict(zip(of, values, strict=True)), **when})
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, sorted({name for row in rows for name in row}))
        writer.writeheader()
        writer.writerows(rows)
    return path


def hugging_face(path: Path, of: Curves, steps: int = 25) -> Path:
    """trainer_state.json of transformers' Trainer: `eval_` before what it measures, the seconds of each evaluation."""
    history: list[dict[str, float]] = []
    for epoch, values in enumerate(zip(*of.values(), strict=True), 1):
        when = {"epoch": float(epoch), "step": epoch * steps}
        history.append({"grad_norm": 1.5, "learning_rate": 1e-4 / epoch, "loss": 1 / epoch, **when})
        told = {HF_NAMES[name]: value for name, value in zip(of, values, strict=True)}
        history.append({**told, "eval_runtime": 0.6, "eval_samples_per_second": 227.2, **when})
    history.append({"train_loss": 0.4, "train_runtime": 9.0, "total_flos": 1e12, **when})
    state = {
        "best_metric": None,
        "epoch": when["epoch"],
        "global_step": when["step"],
        "log_history": history,
        "max_steps": 150,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(state, indent=2, sort_keys=True) + "\n")
    return path


def json_lines(path: Path, of: Curves, *, nested: bool = False) -> Path:
    """A loop of one's own: a line an epoch."""
    rows = [dict(zip(of, values, strict=True)) for values in zip(*of.values(), strict=True)]
    told = [
        {"val": {name.removeprefix("val_"): value for name, value in row.items()}} if nested else row for row in rows
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"epoch": epoch, **row}) + "\n" for epoch, row in enumerate(told, 1)))
    return path


def wandb_chart(path: Path, runs: Mapping[str, Sequence[float]], metric: str = "val_acc", axis: str = "Step") -> Path:
    """What W&B's chart exports as CSV: the axis, then for each run its value with its least and largest."""
    header = [axis, *(f"{run} - {metric}{end}" for run in runs for end in ("", "__MIN", "__MAX"))]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(header)
        for step in range(max(map(len, runs.values()))):
            cells = [[values[step]] * 3 if step < len(values) else [""] * 3 for values in runs.values()]
            writer.writerow([step, *(cell for three in cells for cell in three)])
    return path


def tensorboard(folder: Path, of: Curves, *, as_tensor: bool = False, tag: Callable[[str], str] = str) -> Path:
    """An event file by TensorBoard's own writer: a `simple_value` as PyTorch writes it, or a tensor as Keras does."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.summary.writer.record_writer import RecordWriter

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "events.out.tfevents.1790000000.host.1.0"
    with path.open("wb") as file:
        records = RecordWriter(file)
        records.write(Event(wall_time=1.0, file_version="brain.Event:2").SerializeToString())
        for name, values in of.items():
            for step, value in enumerate(values):
                tensor = TensorProto(dtype=1, tensor_content=struct.pack("<f", value))
                told = {"tensor": tensor} if as_tensor else {"simple_value": value}
                summary = Summary(value=[Summary.Value(tag=tag(name), **told)])
                records.write(Event(wall_time=2.0 + step, step=step, summary=summary).SerializeToString())
    return path


def own_events(folder: Path, seed: int, arms: Mapping[str, Curves]) -> Path:
    """events.jsonl of this program, of a run with these validation curves."""
    from regtui.protocol.events import EpochDone

    folder.mkdir(parents=True, exist_ok=True)
    begun = {
        "kind": "run_started",
        "t": 0.0,
        "seed": seed,
        "preset": "p",
        "title": "P",
        "dataset": "MNIST",
        "epochs": 9,
    }
    begun |= {
        "task": {"name": "classification", "metric": "accuracy", "better": "higher"},
        "sizes": {},
        "batch_size": 1,
    }
    begun |= {"steps_per_epoch": 1, "device": "cpu", "shared_tensors": 1}
    begun["arms"] = {arm: {"techniques": arm, "parameters": 1, "initial_weights": "", "tensors": 1} for arm in arms}
    lines = [json.dumps(begun)]
    for arm, of in arms.items():
        for epoch, (accuracy, loss) in enumerate(zip(of["val_acc"], of["val_loss"], strict=True), 1):
            done = EpochDone(
                t=1.0, arm=arm, epoch=epoch, train_loss=loss, val_loss=loss, train_metrics={"accuracy": accuracy},
                val_metrics={"accuracy": accuracy}, penalties={}, weights={}, order="", seconds=1.0, best=True, wait=0,
            )  # fmt: skip
            lines.append(done.model_dump_json())
    path = folder / "events.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def two_sides(root: Path, seeds: int = 5, gain: float = 0.01) -> None:
    """base_seedN/metrics.csv and drop_seedN/metrics.csv."""
    for seed in range(seeds):
        lightning(root / f"base_seed{seed}" / "metrics.csv", curves(0.9, seed))
        noisy = [value + random.Random(-seed - 1).gauss(0, 0.002) for value in curves(0.9 + gain, seed)["val_acc"]]
        lightning(root / f"drop_seed{seed}" / "metrics.csv", {"val_acc": noisy, "val_loss": [1.1 - v for v in noisy]})
