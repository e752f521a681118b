"""A run told event by event, so that whatever reads a history can be tested without an engine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from regtui.engine.run import summarize
from regtui.preset.model import Preset
from regtui.protocol.events import (
    ArmInfo,
    ArmScore,
    ArmStopped,
    ControlApplied,
    EpochDone,
    Event,
    LayerWeights,
    Paused,
    Resumed,
    RunFinished,
    RunStarted,
    Scored,
    Status,
    StepsDone,
    StopReason,
    TaskInfo,
)
from regtui.protocol.history import History
from regtui.runs.log import RunLog
from regtui.runs.summary import Summary
from regtui.tasks import TASKS, Comparison
from regtui.tasks.comparison import RightWrong

CLASSIFICATION = TaskInfo.of(TASKS["classification"])


def paired(outcome: Scored | Summary) -> RightWrong:
    """The regularized arm of a classification against the baseline."""
    comparison = outcome.comparisons["regularized"]
    assert isinstance(comparison, RightWrong)
    return comparison


class Telling:
    """Tells a run of a preset into `history`; each arm's rule says which epochs are best, as the trainer's does."""

    def __init__(self, preset: Preset) -> None:
        self.preset = preset
        self.history = History()
        self.events: list[Event] = []
        self.rules = {name: techniques.stopping_rule() for name, techniques in preset.arms().items()}

    def _tell(self, event: Event) -> None:
        self.events.append(event)
        self.history.add(event)

    def start(self) -> Telling:
        info = ArmInfo(techniques="no technique", is_plain=True, parameters=1, initial_weights="a", tensors=2)
        self._tell(
            RunStarted(
                t=0, preset="p", title="", dataset="MNIST", sizes={}, layers=[784, 10], batch_size=1, seed=0,
                device="cpu", task=CLASSIFICATION,
                epochs=self.preset.train.epochs, steps_per_epoch=self.preset.steps_per_epoch,
                arms=dict.fromkeys(self.rules, info), shared_tensors=2,
            )
        )  # fmt: skip
        return self

    def steps(self, arm: str, losses: list[float | None]) -> Telling:
        step = len(self.history.arms[arm].step_losses) + 1
        self._tell(StepsDone(t=1, arm=arm, epoch=1, first_step=step, losses=losses, finite=None not in losses))
        return self

    def epoch(
        self, arm: str, val: float | None, *, train: float | None = 0.05, accuracy: float = 0.9, partial: bool = False
    ) -> Telling:
        """An epoch with all its steps."""
        number = len(self.history.arms[arm].epochs) + 1
        self.steps(arm, [0.5] * self.preset.steps_per_epoch)
        rule = self.rules[arm]
        counted = rule.update(number, val_loss=float("nan") if val is None else val, val_metric=accuracy)
        lowest = min((done.val_loss or math.inf for done in self.history.arms[arm].epochs), default=math.inf)
        best = val is not None and val < lowest
        self._tell(
            EpochDone(
                t=1, arm=arm, epoch=number, train_loss=train, val_loss=val, train_metrics={"accuracy": 0.95},
                val_metrics={"accuracy": accuracy},
                penalties={}, weights={"1": LayerWeights(norm=1.0, zeros=1, size=8)}, order="o", seconds=0.5,
                best=best, counted=counted, wait=rule.wait, partial=partial, finite=val is not None,
            )
        )  # fmt: skip
        return self

    def epochs(self, baseline: list[float], *others: list[float]) -> Telling:
        """Epochs of each arm, in the preset's order, with these validation losses."""
        for arm, values in zip(self.rules, (baseline, *others), strict=True):
            for value in values:
                self.epoch(arm, value)
        return self

    def control(
        self, arm: str | None, key: str | None, value: float | None, *, why: str = "", epoch: int = 1
    ) -> Telling:
        command = f"set_{key}" if key in {"patience", "min_delta", "learning_rate"} else "set_strength"
        if not why and arm is not None and key in {"patience", "min_delta"}:
            setattr(self.rules[arm], key, value)
        self._tell(
            ControlApplied(
                t=1, command=command, arm=arm, key=key, value=value, accepted=not why, why=why, epoch=epoch, step=1
            )
        )
        return self

    def pause(self, *, paused: bool = True) -> Telling:
        self._tell(Paused(t=1, epoch=1, step=1) if paused else Resumed(t=1, epoch=1, step=1))
        return self

    def stop(self, arm: str, reason: StopReason) -> Telling:
        told = self.history.arms[arm]
        best = told.best
        self._tell(
            ArmStopped(
                t=1, arm=arm, reason=reason, epoch=max(1, len(told.epochs)), step=len(told.step_losses),
                best_epoch=best.epoch if best else None, best_val_loss=best.val_loss if best else None,
            )
        )  # fmt: skip
        return self

    def score(self, comparisons: Mapping[str, Comparison]) -> Telling:
        """Test the baseline and the arms that are compared with it; each keeps its last epoch."""
        tested = {name: self.history.arms[name].last for name in ("baseline", *comparisons)}
        accuracies = {"baseline": 0.5} | {name: 0.5 + table.difference for name, table in comparisons.items()}
        scores = {
            name: ArmScore(kept="last", epoch=last.epoch, loss=0.5, metrics={"accuracy": accuracies[name]})
            for name, last in tested.items()
            if last is not None
        }
        self._tell(Scored(t=1, arms=scores, comparisons=dict(comparisons)))
        return self

    def finish(self, status: Status = "finished", error: str = "") -> Telling:
        self._tell(RunFinished(t=1, status=status, error=error))
        return self

    def save(self, logs: Path) -> Path:
        """Write the run as it was told into a new folder below `logs`; with a summary if it has ended."""
        with RunLog(logs, self.preset) as log:
            for event in self.events:
                log(event)
            if self.history.finished is not None:
                log.finish(summarize(self.preset, self.history, 1.0), 1.0)
        return log.folder
