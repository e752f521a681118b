"""A crew that reads its numbers from a script and never computes: the trainer can be tested without torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regtui.arm.interface import Args, ArmCalls, Result
from regtui.arm.reports import Built, Measured, Saved, ScoreReport, Trained
from regtui.engine.crew import nobody_watches
from regtui.engine.process import Wait
from regtui.errors import InputError
from regtui.preset.model import Preset
from regtui.protocol.events import LayerWeights
from regtui.runs.checkpoint import ArmFiles


class ScriptedCrew:
    """Has arms whose validation losses are given, epoch by epoch; steps lose 1.0 each, or what `step_loss` says."""

    def __init__(
        self,
        val_losses: Mapping[str, list[float]],
        step_loss: Callable[[str, int], float] = lambda _arm, _step: 1.0,
        val_accuracies: Mapping[str, list[float]] | None = None,
    ) -> None:
        self.threads = 1
        self.watch: Callable[[Wait], object] = nobody_watches
        self.val_losses = val_losses
        self.val_accuracies = val_accuracies or {}
        self.step_loss = step_loss
        self.calls: list[tuple[str, tuple[str, ...], tuple[Any, ...]]] = []
        self.reset()

    def reset(self) -> None:
        """Begin the script anew."""
        self._epochs = dict.fromkeys(self.val_losses, 0)
        self._steps = dict.fromkeys(self.val_losses, 0)

    def prepare(self, arms: int) -> None: ...

    def build(self, preset: Preset, data_file: Path) -> str:  # noqa: ARG002
        self._steps_per_epoch = preset.steps_per_epoch
        return "cpu"

    def each(
        self, method: Callable[[ArmCalls, *Args], Result], arms: Iterable[str], *args: *Args
    ) -> Mapping[str, Result]:
        arms = tuple(arms)
        self.calls.append((method.__name__, arms, args))
        return {arm: getattr(self, f"_{method.__name__}")(arm, *args) for arm in arms}

    def begin(
        self, method: Callable[[ArmCalls, *Args], Result], arms: Iterable[str], *args: *Args
    ) -> Callable[[], Mapping[str, Result]]:
        results = self.each(method, arms, *args)
        return lambda: results

    def called(self, method: str) -> list[tuple[str, ...]]:
        """The arms of each call of a method, in order."""
        return [arms for name, arms, _ in self.calls if name == method]

    def _built(self, arm: str) -> Built:  # noqa: ARG002
        return Built("cpu", 100, {"weight": "w", "bias": "b"}, "d", {"training": "t", "validation": "v", "test": "s"})

    def _start_epoch(self, arm: str) -> str:
        self._epochs[arm] += 1
        return f"order {self._epochs[arm]}"

    def _train_steps(self, arm: str, count: int) -> Trained:
        first = self._steps[arm] + 1
        self._steps[arm] += count
        losses = [self.step_loss(arm, step) for step in range(first, first + count)]
        broken = next((place for place, loss in enumerate(losses, 1) if not math.isfinite(loss)), None)
        return Trained(losses) if broken is None else Trained(losses[:broken], "loss")

    def _measure(self, arm: str) -> Measured:
        epoch = self._epochs[arm] - 1
        loss = self.val_losses[arm][epoch]
        accuracy = self.val_accuracies[arm][epoch] if self.val_accuracies else 0.8
        weights = {"output": LayerWeights(norm=1.0, zeros=0, size=10)}
        return Measured(0.5, loss, 0.9, accuracy, {}, weights, 1e-3, 0.01)

    def _remember(self, arm: str, epoch: int) -> None: ...

    def _save(self, arm: str, folder: Path, step: int, ended: Sequence[str]) -> Saved:  # noqa: ARG002
        files = ArmFiles(last=f"{arm}-{step}.safetensors")
        folder.mkdir(exist_ok=True)
        (folder / files.last).touch()
        return Saved(files)

    def _load(self, arm: str, folder: Path, files: Mapping[str, ArmFiles], ended: Sequence[str]) -> None:  # noqa: ARG002
        """Go on in the script after the step of which the file's name tells."""
        self._steps[arm] = int(files[arm].last.removesuffix(".safetensors").rpartition("-")[2])
        self._epochs[arm] = self._steps[arm] // self._steps_per_epoch

    def _retune(self, arm: str, key: str, value: float) -> None:  # noqa: ARG002
        if key != "dropout.rate":
            raise InputError(f"{key} does not run here")

    def _set_learning_rate(self, arm: str, rate: float) -> None: ...

    def _test(self, arm: str, keep_best: Mapping[str, bool]) -> ScoreReport:
        right = [True, arm == "baseline", keep_best[arm], False]
        targets = np.arange(4, dtype=np.uint8)
        classes = np.where(right, targets, targets + 1).astype(np.uint8)
        probabilities = np.eye(5, dtype=np.float16)[classes]
        return ScoreReport(0.3, sum(right) / 4, right, {"probabilities": probabilities, "classes": classes}, targets)
