"""What can be asked of an arm and of its host, told without torch: whoever asks lives in another process.

Callers name a method by the attribute, as in `crew.each(ArmCalls.train_steps, arms, 10)`. Only its name and the
arguments travel, and yet mypy sees that the method is there, that the arguments fit, and what comes back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, TypeVarTuple

from regtui.arm.reports import Built, Measured, Saved, ScoreReport
from regtui.preset.model import Preset
from regtui.runs.checkpoint import ArmFiles

Args = TypeVarTuple("Args")
"""The arguments of a method that is called elsewhere."""
Result = TypeVar("Result")
"""What it returns."""


class ArmCalls(ABC):
    """One arm, as the trainer knows it; `arm.py` has the arm itself."""

    @abstractmethod
    def built(self) -> Built:
        """What is known before the first step."""

    @abstractmethod
    def start_epoch(self) -> str:
        """Draw the order of this epoch's images; returns its hash."""

    @abstractmethod
    def train_steps(self, count: int) -> list[float]:
        """Train on the next `count` batches of this epoch; returns the data loss of each."""

    @abstractmethod
    def measure(self) -> Measured:
        """Evaluate on validation and training images; read out the weights."""

    @abstractmethod
    def remember(self, epoch: int) -> None:
        """Keep these weights, an epoch's, as those worth going back to."""

    @abstractmethod
    def test(self, keep_best: Mapping[str, bool]) -> ScoreReport:
        """Score the test set; an arm in `keep_best` goes back to its best epoch first."""

    @abstractmethod
    def retune(self, key: str, value: float) -> None:
        """Change a live knob, 'dropout.rate', from the next step on; an InputError says why it can't be."""

    @abstractmethod
    def save(self, folder: Path, step: int, ended: Sequence[str]) -> Saved:
        """Write this arm's part of a checkpoint."""

    @abstractmethod
    def load(self, folder: Path, files: Mapping[str, ArmFiles]) -> None:
        """Become what `save` has written; an InputError says what is missing or damaged."""


class Call(NamedTuple):
    """A method to call on each of `arms`."""

    method: str
    arms: tuple[str, ...]
    args: tuple[Any, ...]


class HostCalls(ABC):
    """Whoever has arms in its process; `host.py` has the host itself."""

    @abstractmethod
    def torch_version(self) -> str:
        """The version of torch there; whoever asks knows that it is imported."""

    @abstractmethod
    def resolve_device(self, wanted: str) -> str:
        """The device that `wanted` means there; an InputError says that it isn't there."""

    @abstractmethod
    def devices(self) -> list[tuple[Literal["ok", "note"], str]]:
        """What there is to train on besides the CPU: whether that is worth a note, in words."""

    @abstractmethod
    def build(self, names: tuple[str, ...], preset: Preset, where: str, data_file: Path, threads: int) -> None:
        """Load the data once and build the arms `names` on it; torch computes with so many threads from then on."""

    @abstractmethod
    def call(self, call: Call) -> dict[str, Any]:
        """The results of `call`, by arm."""
