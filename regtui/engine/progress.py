"""The progress of a run and its arms: the trainer's whole state apart from the arms themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from regtui.engine.clock import Clock
from regtui.preset.file import to_table
from regtui.preset.model import Preset
from regtui.protocol.events import HUGE, ArmStopped, Event, NotFinite, StopReason, Suspended
from regtui.protocol.history import LARGEST
from regtui.techniques.early_stopping import StoppingRule

EXPLODED = 100
"""An arm whose training loss ends an epoch above so many times what knowing nothing costs has diverged.

Adam divides each gradient by its own size, so that even an absurd learning rate ends in losses of tens of thousands
instead of infinity; such an arm is no more a result than one at NaN.
"""


@dataclass
class ArmProgress:
    """The progress of an arm.

    Attributes:
        rule: Decides when the arm stops and which epoch's weights are the best.
        restore_best: Whether the arm keeps its best weights instead of the last.
        epochs: The last measured epoch.
        order: Hash of the order of the current epoch's examples.
        first_loss: The loss of the first step.
        best_epoch: The epoch with the lowest validation loss, whatever the rule follows; None without a finite one.
        best_val_loss: The validation loss of that epoch.
        stopped: Why the arm has stopped; None while it trains.
    """

    rule: StoppingRule
    restore_best: bool
    epochs: int = 0
    order: str = ""
    first_loss: float = math.inf
    best_epoch: int | None = None
    best_val_loss: float = math.inf
    stopped: StopReason | None = None

    def measured(self, epoch: int, val_loss: float) -> bool:
        """Note an epoch's validation loss; returns whether it is the lowest so far."""
        self.epochs = epoch
        if not val_loss < min(self.best_val_loss, HUGE):
            return False
        self.best_epoch, self.best_val_loss = epoch, val_loss
        return True

    @property
    def kept_epoch(self) -> int:
        """The epoch whose weights it keeps."""
        return self.rule.kept_epoch(self.epochs, restore_best=self.restore_best)

    @property
    def keeps_best(self) -> bool:
        """Whether the kept weights are the remembered best ones, even if the arm has trained on since."""
        return self.restore_best and self.rule.best_epoch is not None


class RunProgress:
    """The progress of a run, shared by the trainer, its steps and its commands, which emit events through it.

    Attributes:
        emit: Receives every event, in the trainer's thread.
        arms: The progress of each arm.
        epoch: The current or last epoch; 0 before the first.
        step: Steps of the run whose losses were emitted.
        train_seconds: Seconds of training and validation.
        clock: Runs since the run began.
    """

    def __init__(self, preset: Preset, emit: Callable[[Event], object]) -> None:
        """Begin a run: its clock starts now."""
        self.emit = emit
        self.arms = {name: start(preset, name) for name in preset.arms()}
        self.epoch, self.step = 0, 0
        self.train_seconds = 0.0
        self.clock = Clock()
        self._trained = to_table(preset)

    @property
    def now(self) -> float:
        """Seconds since the run began, for events."""
        return round(self.clock.seconds, 3)

    @property
    def running(self) -> list[str]:
        """The arms that still train."""
        return [name for name, arm in self.arms.items() if arm.stopped is None]

    def tell_suspension(self) -> None:
        """Emit for how long the program was suspended, if it was since the last call."""
        if (seconds := self.clock.newly_suspended()) > 0:
            self.emit(Suspended(t=self.now, seconds=round(seconds, 3)))

    def stop(
        self, names: Iterable[str], reason: StopReason, step: int | None = None, not_finite: NotFinite | None = None
    ) -> None:
        """Stop these arms and emit it.

        Args:
            names: The arms.
            reason: Why.
            step: After which step, by default the last that was emitted.
            not_finite: Of the reason non_finite, what is not finite.
        """
        for name in names:
            arm = self.arms[name]
            arm.stopped = reason
            self.emit(
                ArmStopped(
                    t=self.now,
                    arm=name,
                    reason=reason,
                    epoch=self.epoch,
                    step=self.step if step is None else step,
                    best_epoch=arm.best_epoch,
                    best_val_loss=arm.best_val_loss,
                    not_finite=not_finite,
                )
            )

    def state(self) -> dict[str, Any]:
        """The state as JSON-compatible data."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "seconds": self.now,
            "train_seconds": self.train_seconds,
            "arms": {name: to_json(arm) for name, arm in self.arms.items()},
            "preset": self._trained,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state from `state`; the clock continues from the time it had.

        Raises:
            KeyError, TypeError, ValueError: It is damaged, or of a run with other arms.
        """
        self.arms = {name: from_json(state["arms"][name]) for name in self.arms}
        self.epoch, self.step = int(state["epoch"]), int(state["step"])
        seconds, self.train_seconds = float(state["seconds"]), float(state["train_seconds"])
        if not (0 <= seconds < LARGEST and 0 <= self.train_seconds < LARGEST):
            raise ValueError(f"a run of {seconds} s, which trained for {self.train_seconds} s")
        self.clock.go_on_from(seconds)


def start(preset: Preset, arm: str) -> ArmProgress:
    """The progress of an arm before its first epoch."""
    techniques = preset.arms()[arm]
    return ArmProgress(techniques.stopping_rule(), techniques.restores_best())


def largest_loss(first: float, guess: float) -> float:
    """The training loss above which an arm has diverged.

    A trained network may begin near 0, and a bad start may be far above guessing; neither counts as divergence.

    Args:
        first: The loss of the arm's first step.
        guess: The loss of a constant prediction; for classes, at most the logarithm of their number.
    """
    return EXPLODED * max(first, guess)


def to_json(progress: ArmProgress) -> dict[str, Any]:
    """An arm's progress as JSON-compatible data; numbers that are not finite, for nothing yet, become null."""
    return _without_infinity(asdict(progress))


def from_json(state: Mapping[str, Any]) -> ArmProgress:
    """The progress that `to_json` was given.

    Raises:
        ValueError: It is damaged.
    """
    return TypeAdapter(ArmProgress).validate_python(_without_null(state))


def _without_infinity(table: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_infinity(value)
        if isinstance(value, dict)
        else None
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for key, value in table.items()
    }


def _without_null(table: Mapping[str, Any]) -> dict[str, Any]:
    """Without null, so that each such field gets its default."""
    return {
        key: _without_null(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }
