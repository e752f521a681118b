"""TensorBoard: a folder for each arm, with an event file of scalars and hyperparameters; needs no TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from regtui.errors import InputError
from regtui.export.saved_run import SavedRun
from regtui.preset.arms import arm_of_setting
from regtui.protocol.events import StepsDone
from regtui.text import one_line

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary

_LEFT_OUT = {"schema", "name", "title", "summary"}


def write(run: SavedRun, folder: Path) -> None:
    """Write a run's curves below `folder`, as 32-bit floats, which is TensorBoard's precision.

    Tags that begin with `epoch/` have the epoch as their step, `step/loss` has the optimizer step. A number that is not
    finite is NaN, which TensorBoard marks in its chart.

    Raises:
        InputError: TensorBoard isn't installed.
    """
    try:  # 0.5 s
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError:
        raise InputError(
            "this export needs TensorBoard, which is not installed: pip install 'regtui[tensorboard]'"
        ) from None

    began = _began(run)
    for name in run.history.arms:
        (folder / name).mkdir(parents=True)
        # TensorBoard's own EventFileWriter reopens the file for each event, in a thread whose last errors get lost.
        with (folder / name / f"events.out.tfevents.{began:010.0f}.regtui").open("wb") as file:
            records = RecordWriter(file)
            records.write(Event(wall_time=began, file_version="brain.Event:2").SerializeToString())
            records.write(Event(wall_time=began, summary=_hyperparameters(run, name)).SerializeToString())
            for tag, step, t, value in _scalars(run, name):
                scalar = Summary.Value(tag=tag, simple_value=math.nan if value is None else value)
                event = Event(wall_time=began + t, step=step, summary=Summary(value=[scalar]))
                records.write(event.SerializeToString())


def _scalars(run: SavedRun, arm: str) -> Iterator[tuple[str, int, float, float | None]]:
    """Tag, step, seconds since the start, value."""
    metric = run.history.task.metric.name
    for epoch in run.history.arms[arm].epochs:
        values = {
            "train_loss": epoch.train_loss,
            "val_loss": epoch.val_loss,
            f"train_{metric}": epoch.train_metric,
            f"val_{metric}": epoch.val_metric,
            "gap": epoch.gap,
            "seconds": epoch.seconds,
            "zero_weights": epoch.zero_weights,
            "weight_norm": epoch.weight_norm,
        } | {f"penalty_{one_line(name)}": value for name, value in epoch.penalties.items()}
        for tag, value in values.items():
            yield f"epoch/{tag}", epoch.epoch, epoch.t, value
    before = 0.0
    for steps in run.steps[arm]:
        for index, loss in enumerate(steps.losses):
            yield "step/loss", steps.first_step + index, _when(steps, index, before), loss
        before = steps.t


def _when(steps: StepsDone, index: int, before: float) -> float:
    """When a step was done. The log has one time for many steps, which are taken as evenly spaced."""
    return before + (steps.t - before) * (index + 1) / len(steps.losses)


def _hyperparameters(run: SavedRun, arm: str) -> Summary:
    """The settings of this arm, for the HParams tab; a technique's knobs have the same keys in all arms."""
    from tensorboard.plugins.hparams import summary_v2 as hparams

    values: dict[str, bool | float | str] = {"arm": arm, "preset": one_line(run.started.preset)}
    for path, value in run.settings().items():
        of, key = arm_of_setting(path)
        if path not in _LEFT_OUT and of in ("", arm):
            values[key] = value if isinstance(value, bool | int | float) else one_line(value)
    # No configuration for the whole experiment: TensorBoard would show that of one arm, with only its knobs.
    return hparams.hparams_pb(values, trial_id=f"{one_line(run.name)}/{arm}", start_time_secs=_began(run))


def _began(run: SavedRun) -> float:
    """The run's start in seconds since 1970; 0 if run.json doesn't say it."""
    try:
        return datetime.fromisoformat(str(run.circumstances.get("started"))).timestamp()
    except (ValueError, OverflowError):
        return 0.0
