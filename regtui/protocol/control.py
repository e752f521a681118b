"""The user's commands to a run. They wait in a mailbox until the trainer takes them between two steps."""

from __future__ import annotations

import queue
import threading
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from regtui.protocol.who import Who
from regtui.techniques.base import LARGEST_KNOB


class _Command(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Who | None = None
    """Who sent it; None for this process. Of a command that comes from outside, whoever receives it fills this in."""


class Stop(_Command):
    """End the run after the current step.

    Attributes:
        at_once: Neither validate nor test; only what was measured and saved before is kept.
    """

    command: Literal["stop"] = "stop"
    at_once: bool = False


class Pause(_Command):
    """Pause after the current step."""

    command: Literal["pause"] = "pause"


class Resume(_Command):
    """Go on after a pause, or, while it is not paused, take back that the run is to be handed over.

    Attributes:
        one_epoch: Pause again after this epoch.
    """

    command: Literal["resume"] = "resume"
    one_epoch: bool = False


class HandOver(_Command):
    """Stop training here at the next epoch's end, after its checkpoint, so that another process resumes the run.

    A run that is paused goes on to the end of its epoch. Only the process that trains may send it: whoever does has to
    start the other one.
    """

    command: Literal["hand_over"] = "hand_over"


class SetPatience(_Command):
    """Change early stopping from the next epoch's end on; the epochs waited and the value to beat stay.

    Attributes:
        arm: Which arm; all when None.
        patience: Epochs without improvement after which to stop; None turns early stopping off.
    """

    command: Literal["set_patience"] = "set_patience"
    arm: str | None = None
    patience: int | None = Field(ge=1, lt=LARGEST_KNOB)


class SetMinDelta(_Command):
    """Change what early stopping counts as an improvement, from the next epoch's end on; patience stays as it is.

    Attributes:
        arm: Which arm; all when None.
        min_delta: An improvement must be larger than this.
    """

    command: Literal["set_min_delta"] = "set_min_delta"
    arm: str | None = None
    min_delta: float = Field(ge=0, lt=LARGEST_KNOB, allow_inf_nan=False)


class SetStrength(_Command):
    """Change a live knob of a running technique from the next step on.

    Attributes:
        arm: Which arm.
        key: Technique and knob: 'dropout.rate', 'l2.strength'.
    """

    command: Literal["set_strength"] = "set_strength"
    arm: str
    key: str
    value: float = Field(gt=-LARGEST_KNOB, lt=LARGEST_KNOB, allow_inf_nan=False)


class SetLearningRate(_Command):
    """Change the base learning rate from the next step on; a schedule goes on from there as a share of the new one.

    It holds for all arms that still train: with different rates the arms would no longer be a matched pair, and a
    comparison with the baseline would no longer be one of their techniques.
    """

    command: Literal["set_learning_rate"] = "set_learning_rate"
    learning_rate: float = Field(gt=0, lt=LARGEST_KNOB, allow_inf_nan=False)


Command = Stop | Pause | Resume | HandOver | SetPatience | SetMinDelta | SetStrength | SetLearningRate


class Control:
    """The mailbox between a user's thread and the trainer's. Sending never blocks."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._at_once = threading.Event()

    def send(self, command: Command) -> None:
        """Send a command; the trainer answers with an event when it is done."""
        if isinstance(command, Stop):
            self._stop.set()
            if command.at_once:
                self._at_once.set()
        self._commands.put(command)

    @property
    def waiting(self) -> int:
        """How many commands the trainer has not taken yet."""
        return self._commands.qsize()

    @property
    def stop_requested(self) -> bool:
        """Whether a stop was requested, even if the trainer has not taken it yet."""
        return self._stop.is_set()

    @property
    def stop_at_once(self) -> bool:
        """Whether the requested stop is without validation and test."""
        return self._at_once.is_set()

    def take(self, timeout: float = 0.0) -> Command | None:
        """The oldest command not yet taken; None if there is none within `timeout` seconds."""
        try:
            return self._commands.get(block=timeout > 0, timeout=timeout or None)
        except queue.Empty:
            return None
