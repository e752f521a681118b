"""The methods of an arm and of its host, declared without torch for callers in another process.

Callers pass the method itself, as in `crew.each(ArmCalls.train_steps, arms, 10)`. Only its name and the arguments are
sent, but mypy checks that the method exists and that arguments and result have the right types.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, TypeVarTuple

from regtui.arm.reports import Built, Measured, Saved, ScoreReport, Trained
from regtui.preset.model import Preset
from regtui.runs.checkpoint import ArmFiles

Args = TypeVarTuple("Args")
"""The arguments of a method that is called elsewhere."""
Result = TypeVar("Result")
"""What it returns."""


class ArmCalls(ABC):
    """The methods of an arm that the trainer calls; arm.py has the arm itself."""

    @abstractmethod
    def built(self) -> Built:
        """What is known before the first step."""

    @abstractmethod
    def start_epoch(self) -> str:
        """Draw the order of this epoch's examples; returns its hash."""

    @abstractmethod
    def train_steps(self, count: int) -> Trained:
        """Train on the next `count` batches of this epoch, unless a number stops being finite, which ends the arm.

        What the last step makes of the weights may be looked at only in the next call, also in one for 0 batches, but
        never after the epoch's last step.
        """

    @abstractmethod
    def measure(self) -> Measured:
        """Evaluate on validation and training examples; read out the weights."""

    @abstractmethod
    def remember(self, epoch: int) -> None:
        """Remember the current weights, those of this epoch, as the best."""

    @abstractmethod
    def test(self, keep_best: Mapping[str, bool]) -> ScoreReport:
        """Score the test set; an arm in `keep_best` goes back to its best epoch first."""

    @abstractmethod
    def retune(self, key: str, value: float) -> None:
        """Change a live knob, 'dropout.rate', from the next step on; an InputError says why it can't be."""

    @abstractmethod
    def set_learning_rate(self, rate: float) -> None:
        """Change the base learning rate from the next step on; the schedule's shape stays."""

    @abstractmethod
    def save(self, folder: Path, step: int, ended: Sequence[str]) -> Saved:
        """Write this arm's part of a checkpoint."""

    @abstractmethod
    def load(self, folder: Path, files: Mapping[str, ArmFiles], ended: Sequence[str]) -> None:
        """Restore what `save` has written; an InputError says what is missing or damaged.

        Of arms in `ended`, which will not be trained further, weights are enough.
        """


class Call(NamedTuple):
    """A method to call on each of `arms`."""

    method: str
    arms: tuple[str, ...]
    args: tuple[Any, ...]


class HostCalls(ABC):
    """The methods of a host, which has arms in its process; host.py has the host itself."""

    @abstractmethod
    def torch_version(self) -> str:
        """The version of torch there; an answer means that torch has been imported."""

    @abstractmethod
    def resolve_device(self, wanted: str) -> str:
        """The device that `wanted` means there; an InputError says that it isn't there."""

    @abstractmethod
    def devices(self) -> list[tuple[Literal["ok", "note"], str]]:
        """The devices besides the CPU, or why there are none, each as ('ok' or 'note', words)."""

    @abstractmethod
    def build(self, names: tuple[str, ...], preset: Preset, where: str, data_file: Path, threads: int) -> None:
        """Load the data once and build the arms `names` on it; from then on torch uses this number of threads."""

    @abstractmethod
    def call(self, call: Call) -> dict[str, Any]:
        """Carry out `call`; returns the results by arm."""
