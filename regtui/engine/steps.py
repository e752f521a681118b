"""Orders training steps ahead and collects their losses later, so that no arm waits for another, or for us."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from regtui.arm.interface import ArmCalls
from regtui.arm.reports import Trained
from regtui.engine.crew import Crew
from regtui.engine.progress import RunProgress
from regtui.protocol.events import NotFinite, StepsDone

READ_OUT = 0.1
"""Seconds between two collections of step losses; commands are carried out equally often."""


class _Ordered(NamedTuple):
    """Steps that the arms were told to make, and a function that waits for their losses."""

    number: int
    at: float
    fetch: Callable[[], Mapping[str, Trained]]


class Steps:
    """The training steps of a run; the next steps are always ordered before the losses of the last are collected."""

    def __init__(self, crew: Crew, progress: RunProgress, per_epoch: int) -> None:
        """Order steps of the arms in `crew`; `progress` receives those that were made."""
        self._crew = crew
        self._progress = progress
        self._per_epoch = per_epoch
        self._ordered: _Ordered | None = None
        self._at_once = 1
        self._read_at = 0.0

    def left(self, epoch: int) -> int:
        """How many of this epoch's steps have not been ordered yet."""
        ordered = self._ordered.number if self._ordered is not None else 0
        return epoch * self._per_epoch - self._progress.step - ordered

    def order(self, epoch: int) -> None:
        """Order the next steps of this epoch, and collect the losses of those before."""
        progress, left = self._progress, self.left(epoch)
        progress.epoch = epoch
        if left == self._per_epoch:
            for name, order in self._crew.each(ArmCalls.start_epoch, progress.running).items():
                progress.arms[name].order = order
        number = min(self._at_once, left)
        before, now = self._ordered, progress.clock.awake
        self._ordered = _Ordered(number, now, self._crew.begin(ArmCalls.train_steps, progress.running, number))
        if before is not None:
            self._read(before)

    def read_out(self) -> None:
        """Wait for the ordered steps and emit their losses."""
        if self._ordered is not None:
            ordered, self._ordered = self._ordered, None
            self._read(ordered)

    def check(self) -> None:
        """Have the arms look at what their last step made of the weights, in the middle of an epoch."""
        for name, made in self._crew.each(ArmCalls.train_steps, self._progress.running, 0).items():
            self._tell(name, *made)

    def _read(self, steps: _Ordered) -> None:
        made = steps.fetch()
        now = self._progress.clock.awake
        seconds = now - max(steps.at, self._read_at)
        self._read_at = now
        self._progress.train_seconds += seconds
        self._at_once = max(1, min(4 * self._at_once, round(steps.number * READ_OUT / max(seconds, 1e-6))))
        running = self._progress.running
        for name in running:
            if name in made:
                self._tell(name, *made[name])
        self._progress.step += steps.number

    def _tell(self, name: str, losses: list[float], not_finite: NotFinite | None) -> None:
        """Emit an arm's losses; the last is that of its last step if something is not finite, which stops the arm.

        There is none if the last step before these broke it.
        """
        progress = self._progress
        if progress.step == 0 and losses:
            progress.arms[name].first_loss = losses[0]
        if losses:
            progress.emit(
                StepsDone(
                    t=progress.now,
                    arm=name,
                    epoch=progress.epoch,
                    first_step=progress.step + 1,
                    losses=losses,
                    finite=not_finite != "loss",
                )
            )
        if not_finite is not None:
            progress.stop([name], "non_finite", progress.step + len(losses), not_finite)
