"""A saved run as read from its folder, including the loss of every step, for the exports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regtui.errors import InputError
from regtui.preset.file import load, to_table
from regtui.preset.model import Preset
from regtui.protocol.applied import own_preset
from regtui.protocol.events import RunStarted, StepsDone
from regtui.protocol.history import History
from regtui.runs.circumstances import read_circumstances
from regtui.runs.events import read_events
from regtui.runs.files import leaves
from regtui.runs.summary import Summary, read_summary
from regtui.text import one_line


@dataclass(frozen=True)
class SavedRun:
    """One run as its folder describes it.

    Attributes:
        folder: Where it is.
        history: What its events add up to.
        started: What was known before the first step.
        steps: Each arm's step losses; the history keeps only averages of them.
        preset: The preset as run; None if it can't be read.
        circumstances: What run.json says; empty if it can't be read.
        summary: What summary.json says; None if there is none, or it can't be read.
    """

    folder: Path
    history: History
    started: RunStarted
    steps: dict[str, list[StepsDone]]
    preset: Preset | None
    circumstances: dict[str, Any]
    summary: Summary | None

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    def settings(self) -> dict[str, object]:
        """The preset's values by dotted key: 'regularized.dropout.rate'; empty without a preset."""
        return {} if self.preset is None else dict(leaves(to_table(self.preset)))

    def last_steps(self, arm: str) -> dict[int, int]:
        """The last step of each epoch of an arm; an epoch that was cut short has fewer steps."""
        per_epoch = self.started.steps_per_epoch
        last = {epoch.epoch: epoch.epoch * per_epoch for epoch in self.history.arms[arm].epochs}
        return last | {steps.epoch: steps.first_step + len(steps.losses) - 1 for steps in self.steps[arm]}


def read_saved_run(folder: Path) -> SavedRun:
    """Read a run, ended or not; damaged lines of its log are skipped.

    Raises:
        InputError: It is no run, or nothing was trained in it.
    """
    history, steps = History(), dict[str, list[StepsDone]]()
    try:
        for event in read_events(folder):
            if history.add(event) and isinstance(event, StepsDone):
                steps.setdefault(event.arm, []).append(event)
    except FileNotFoundError:
        raise InputError(f"{one_line(folder)}: this is no run; a run is a folder with an events.jsonl") from None
    except OSError as error:
        raise InputError(
            f"{one_line(folder)}: this run can't be read ({error.strerror}); check its permissions"
        ) from None
    if history.started is None or not any(arm.epochs for arm in history.arms.values()):
        raise InputError(f"{one_line(folder)}: there is nothing to export; no epoch of this run is in its events.jsonl")
    try:
        preset = own_preset(load(str(folder / "preset.toml")), history)
    except InputError:
        preset = None
    arms = {arm: steps.get(arm, []) for arm in history.arms}
    return SavedRun(folder, history, history.started, arms, preset, read_circumstances(folder), read_summary(folder))
