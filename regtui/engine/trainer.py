"""The training loop: trains the arms side by side, epoch by epoch, obeys commands, and emits events.

`Trainer.run` is the loop. Training steps are in arm/arm.py; the arms may live in other processes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from regtui.arm.interface import ArmCalls
from regtui.arm.reports import Measured, ScoreReport
from regtui.disk import Disk
from regtui.engine.commands import Commands
from regtui.engine.crew import Crew, nobody_watches
from regtui.engine.pairing import run_started
from regtui.engine.process import CrewClosedError, Wait
from regtui.engine.progress import RunProgress, largest_loss
from regtui.engine.saving import Saver
from regtui.engine.steps import Steps
from regtui.engine.watch import PATIENCE, StalledError, Watch, stalled
from regtui.preset.arms import BASELINE
from regtui.preset.model import Preset
from regtui.protocol.answers import HAS_ENDED
from regtui.protocol.control import Control
from regtui.protocol.events import DIVERGED, ArmScore, EpochDone, Event, Scored, Status
from regtui.runs.checkpoint import Commit
from regtui.tasks import Comparison


class Trainer:
    """Trains the arms of one preset; see `run`.

    Attributes:
        progress: The progress of the run.
        reports: Each arm's results on the test set; empty until it is scored.
    """

    def __init__(
        self,
        preset: Preset,
        crew: Crew,
        control: Control,
        emit: Callable[[Event], object],
        checkpoint: Callable[[], Path] | None,
        sync: Callable[[], int] = lambda: 0,
        disk: Disk | None = None,
        fault_now: Callable[[], str] = lambda: "",
    ) -> None:
        """Set up a run of arms that `crew` has built.

        Args:
            preset: What to train.
            crew: Holds the arms.
            control: Delivers the user's commands.
            emit: Receives every event, in this thread.
            checkpoint: Returns the current folder of the checkpoint, which may be moved while the run trains; None for
                a run without checkpoints.
            sync: Syncs the log to disk before a checkpoint is made; returns its lines, or raises an OSError.
            disk: Carries out what is asked of the checkpoint's disk.
            fault_now: Returns why the run's folder can't be written now, so that nobody could take the run over.
        """
        self.preset = preset
        self.crew = crew
        self.control = control
        self.emit = emit
        self.progress = RunProgress(preset, emit)
        self.steps = Steps(crew, self.progress, preset.steps_per_epoch)
        self.commands = Commands(control, preset, crew, self.progress, self.steps)
        self.saver = Saver(crew, self.progress, preset.steps_per_epoch, checkpoint, sync, disk or Disk())
        self.reports: Mapping[str, ScoreReport] = {}
        self._fault_now = fault_now

    def run(self, seam: Callable[[], object] = lambda: None) -> Status | None:
        """Train until every arm has stopped, then score the test set once.

        Args:
            seam: Called before the first step, when the arms are known; a run that is resumed emits here that it is.

        Returns:
            How the run ended; None if it was handed over after a checkpoint, and has not ended.

        Raises:
            CrewClosedError: A stop at once was requested.
            StalledError: A stop was requested, and a process does not answer.
        """
        with self.progress.clock.watched():
            return self._run(seam)

    def _run(self, seam: Callable[[], object]) -> Status | None:
        progress, steps, per_epoch = self.progress, self.steps, self.preset.steps_per_epoch
        self.crew.watch = Watch(self.control, self._tell_of_stall, PATIENCE)
        try:
            if progress.step == 0:
                self._tell_start()
            seam()
            if progress.running and progress.step == self.preset.train.epochs * per_epoch:
                progress.stop(progress.running, "max_epochs")
                self.saver.save()  # it was resumed with no more epochs than it had, and has them all now
            for epoch in range(progress.step // per_epoch + 1, self.preset.train.epochs + 1):
                begun = progress.step
                while (left := steps.left(epoch)) and progress.running:
                    self.commands.obey(before_epoch=left == per_epoch)
                    if self.control.stop_requested or not progress.running:
                        break
                    if left == per_epoch and self._is_handed_over():
                        return None
                    steps.order(epoch)
                steps.read_out()
                measured = self._measure() if progress.step > begun else {}
                self._decide(measured)
                if measured:
                    self.saver.save(measured)
                    self.commands.saved()
                if not progress.running:
                    break
            self.commands.answer_hand_over(HAS_ENDED)
            return self._score()
        except (CrewClosedError, StalledError):
            self.commands.answer_stops()
            progress.stop(progress.running, "stopped")
            raise
        finally:
            progress.tell_suspension()
            self.crew.watch = nobody_watches

    def state(self) -> dict[str, Any]:
        """The state of the run apart from its arms, as JSON-compatible data."""
        return self.progress.state()

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state; see `RunProgress.load_state`."""
        self.progress.load_state(state)

    def load(self, saved: Commit, training: Collection[str]) -> None:
        """Restore a commit of the checkpoint into arms that have just been built; `run` continues from it.

        Args:
            saved: A commit at an epoch's end.
            training: The arms that will be trained further.

        Raises:
            InputError: It is damaged, or of another preset.
        """
        self.saver.load(saved, training)

    def _is_handed_over(self) -> bool:
        """Whether the run ends here for another process to resume it, if nothing is lost by that; answers if not."""
        if self.commands.hand_over is None:
            return False
        if not self.saver.saves:
            self.commands.answer_hand_over("this run saves no checkpoint that another process could resume")
            return False
        if self.saver.behind:
            self.commands.answer_hand_over(f"the weights can't be saved: {self.saver.fault}")
            return False
        if self.progress.step == 0 or self.commands.changed:  # what was changed is saved at the next epoch's end
            return False
        if fault := self._fault_now():  # since the epoch's end; another process could not even begin
            self.commands.answer_hand_over(f"the run's folder can't be written: {fault}")
            return False
        self.commands.answer_hand_over()
        return True

    def _tell_start(self) -> None:
        """Emit what is known of the arms before the first step."""
        built = self.crew.each(ArmCalls.built, self.progress.arms)
        self.emit(run_started(self.preset, built, self.crew.threads, self.progress.now))

    def _measure(self) -> Mapping[str, Measured]:
        """Validate the running arms and emit the results."""
        progress = self.progress
        is_partial = progress.step < progress.epoch * self.preset.steps_per_epoch
        if is_partial and not self.control.stop_at_once:
            self.steps.check()
        running = [] if self.control.stop_at_once else progress.running
        if not running:
            return {}
        began = progress.clock.awake
        measured = self.crew.each(ArmCalls.measure, running)
        progress.train_seconds += progress.clock.awake - began
        metric = self.preset.task.metric.name
        for name, report in measured.items():
            arm = progress.arms[name]
            best = arm.measured(progress.epoch, report.val_loss)
            counted = arm.rule.update(progress.epoch, val_loss=report.val_loss, val_metric=report.val_metric)
            self.emit(
                EpochDone(
                    t=progress.now,
                    arm=name,
                    epoch=progress.epoch,
                    partial=is_partial,
                    train_loss=report.train_loss,
                    val_loss=report.val_loss,
                    train_metrics={metric: report.train_metric},
                    val_metrics={metric: report.val_metric},
                    penalties=report.penalties,
                    weights=report.weights,
                    order=arm.order,
                    seconds=report.seconds,
                    learning_rate=report.learning_rate,
                    gpu_bytes=report.gpu_bytes,
                    best=best,
                    counted=counted,
                    wait=arm.rule.wait,
                    finite=math.isfinite(report.train_loss) and math.isfinite(report.val_loss),
                )
            )
        return measured

    def _decide(self, measured: Mapping[str, Measured]) -> None:
        """Stop diverged arms, remember new best weights, and stop arms by early stopping or after the last epoch."""
        progress = self.progress
        if measured:
            guess = self.preset.task.guess(self.preset.dataset.outputs)
            broken = [name for name, report in measured.items() if not math.isfinite(report.train_loss)]
            progress.stop(broken, "non_finite", not_finite="epoch loss")
            bounds = {name: largest_loss(progress.arms[name].first_loss, guess) for name in measured}
            exploded = [name for name in progress.running if measured[name].train_loss > bounds[name]]
            progress.stop(exploded, "exploded")
            improved = [name for name in measured if progress.arms[name].rule.best_epoch == progress.epoch]
            self.crew.each(ArmCalls.remember, improved, progress.epoch)
            impatient = [name for name in progress.running if progress.arms[name].rule.should_stop]
            progress.stop(impatient, "early_stopping")
        if measured and progress.step == self.preset.train.epochs * self.preset.steps_per_epoch:
            progress.stop(progress.running, "max_epochs")
        elif self.control.stop_requested:
            self.commands.obey()
            progress.stop(progress.running, "stopped")

    def _score(self) -> Status:
        """Score the test set if there is something to score; returns how the run ended."""
        if self.saver.behind and not self.control.stop_at_once:
            self.saver.settle(self.control)  # before the test, in which arms return to their best weights
        reasons = {name: arm.stopped for name, arm in self.progress.arms.items()}
        sound = [name for name, reason in reasons.items() if reason not in DIVERGED]
        comparable = BASELINE in sound and len(sound) > 1
        if comparable and self.progress.step > 0:  # arms that never trained have no result
            if self.control.stop_at_once:
                return "stopped"
            self._test(sound)
        if len(sound) < len(reasons):
            return "diverged"
        return "stopped" if "stopped" in reasons.values() else "finished"

    def _test(self, names: Sequence[str]) -> None:
        """Score these arms on the test set, once, with the weights that each keeps."""
        arms = {name: self.progress.arms[name] for name in names}
        keep_best = {name: arm.keeps_best for name, arm in arms.items()}
        reports = self.reports = self.crew.each(ArmCalls.test, arms, keep_best)
        self.emit(
            Scored(
                t=self.progress.now,
                arms={
                    name: ArmScore(
                        kept="best" if keep_best[name] else "last",
                        epoch=arms[name].kept_epoch,
                        loss=report.loss,
                        metrics={self.preset.task.metric.name: report.metric},
                    )
                    for name, report in reports.items()
                },
                comparisons=self._compared({name: report.scores for name, report in reports.items()}),
            )
        )

    def _compared(self, scores: Mapping[str, Sequence[float]]) -> dict[str, Comparison]:
        """Each arm but the baseline against it, where they can be compared."""
        baseline, *others = scores
        found = {name: self.preset.task.comparison.of(scores[baseline], scores[name]) for name in others}
        return {name: comparison for name, comparison in found.items() if comparison is not None}

    def _tell_of_stall(self, wait: Wait) -> None:
        self.emit(stalled(wait, self.progress.now))
