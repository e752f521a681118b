"""The run: both arms trained side by side, epoch by epoch, steered by a control, told as events.

This file decides what happens and when; what a step is, is in arm.py. It imports no torch: the arms may live anywhere.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from regtui.arm.interface import ArmCalls
from regtui.arm.reports import Measured, Saved, ScoreReport
from regtui.engine.crew import Crew, nobody_watches
from regtui.engine.pairing import run_started
from regtui.engine.process import CrewClosedError, Wait
from regtui.engine.progress import Steps, from_json, largest_loss, start, to_json
from regtui.engine.watch import PATIENCE, StalledError, Watch
from regtui.errors import InputError, unwritable
from regtui.preset.model import Preset
from regtui.protocol.control import Control, Pause, Resume, SetMinDelta, SetPatience, SetStrength, Stop
from regtui.protocol.events import (
    DIVERGED,
    ArmScore,
    ArmStopped,
    ControlApplied,
    EpochDone,
    Event,
    Paused,
    Resumed,
    Saving,
    Scored,
    Stalled,
    Status,
    StepsDone,
    StopReason,
)
from regtui.runs.checkpoint import ArmFiles, Manifest, commit, read_manifest

READ_OUT = 0.1
"""Seconds between two read-outs of the step losses; controls are obeyed as often."""
SAVED_AGAIN = "the weights are saved again, as they are now"


class Trainer:
    """Trains the arms of one preset. `run` does it all."""

    def __init__(
        self,
        preset: Preset,
        crew: Crew,
        control: Control,
        emit: Callable[[Event], object],
        checkpoint: Callable[[], Path],
    ) -> None:
        """Set up a run of arms that `crew` has built.

        Args:
            preset: What to train.
            crew: Who has the arms.
            control: Where the user's commands come from.
            emit: Gets every event, in this thread.
            checkpoint: Where the arms' weights are kept now; the run's folder may be moved while it trains.
        """
        self.preset = preset
        self.crew = crew
        self.control = control
        self.emit = emit
        self.checkpoint = checkpoint
        self.train_seconds = 0.0
        self._watch = Watch(control, self._tell_of_stall, PATIENCE)
        self._began = time.perf_counter()
        self._arms = {name: start(preset, name) for name in preset.arms()}
        self._epoch, self._step = 0, 0
        self._chunk = 1
        self._ordered: Steps | None = None
        self._read_at = 0.0
        self._one_epoch = False
        self.reports: Mapping[str, ScoreReport] = {}
        self._files: dict[str, ArmFiles] = {}
        self._unsaved: set[str] = set()
        self._save_fault, self._unsaved_since = "", 0

    def run(self) -> Status:
        """Train until every arm has stopped, then score the test set once; returns how the run ended.

        Raises:
            CrewClosedError: A stop at once was asked for.
            StalledError: A stop was asked for, and a process stands still.
        """
        self.crew.watch = self._watch
        try:
            return self._train()
        except (CrewClosedError, StalledError):
            self._stop(self.running, "stopped")
            raise
        finally:
            self.crew.watch = nobody_watches

    def _train(self) -> Status:
        if self._step == 0:
            self.emit(
                run_started(self.preset, self.crew.each(ArmCalls.built, self._arms), self.crew.threads, self._now())
            )
        for epoch in range(self._step // self.preset.steps_per_epoch + 1, self.preset.train.epochs + 1):
            self._run_epoch(epoch)
            if not self.running:
                break
        if self._unsaved and not self.control.stop_at_once:
            self._save([])  # the disk may have room again; after the test some arms have gone back to their best epoch
        reasons = {arm.stopped for arm in self._arms.values()}
        if reasons & DIVERGED:
            return "diverged"
        if self._step > 0 and not self.control.stop_at_once:  # networks that never trained have nothing to show
            self._test()
        return "stopped" if "stopped" in reasons else "finished"

    @property
    def running(self) -> list[str]:
        """The arms that still train."""
        return [name for name, arm in self._arms.items() if arm.stopped is None]

    def _run_epoch(self, epoch: int) -> None:
        """Train, measure, decide which arms go on, and save."""
        trained = self._train_epoch(epoch)
        whole = self._step == epoch * self.preset.steps_per_epoch
        measured = self.running if trained and not self.control.stop_at_once else []
        if measured:
            self._measure(partial=not whole)
        if whole and epoch == self.preset.train.epochs:
            self._stop(self.running, "max_epochs")
        elif self.control.stop_requested:
            self._obey()
            self._stop(self.running, "stopped")
        if measured:
            self._save(measured)

    def _train_epoch(self, epoch: int) -> int:
        """Train all running arms to the end of an epoch, or until a stop; returns how many steps were made.

        The next steps are ordered before the last ones are read out, so that no arm waits for the slower one, for us,
        or for whoever draws the events.
        """
        total = self.preset.steps_per_epoch
        begun = done = self._step - (epoch - 1) * total
        while done < total and self.running:
            self._obey(paused=self._one_epoch and done == 0)
            if self.control.stop_requested or not self.running:
                break
            self._epoch = epoch
            if done == 0:
                for name, order in self.crew.each(ArmCalls.start_epoch, self.running).items():
                    self._arms[name].order = order
            count = min(self._chunk, total - done)
            before, now = self._ordered, time.perf_counter()
            self._ordered = Steps(count, now, self.crew.begin(ArmCalls.train_steps, self.running, count))
            self._read_out(before)
            done += count
        self._read_out(self._ordered)
        return done - begun

    def _read_out(self, steps: Steps | None) -> None:
        """Wait for these steps, unless that has been done, and tell their losses."""
        if steps is None or steps.read:
            return
        losses = steps.fetch()
        steps.read = True
        now = time.perf_counter()
        seconds = now - max(steps.ordered_at, self._read_at)
        self._read_at = now
        self.train_seconds += seconds
        self._chunk = max(1, min(4 * self._chunk, round(steps.count * READ_OUT / max(seconds, 1e-6))))
        self._report_steps({name: losses[name] for name in losses if name in self.running})
        self._step += steps.count

    def _report_steps(self, losses: Mapping[str, list[float]]) -> None:
        for name, values in losses.items():
            if self._step == 0:
                self._arms[name].first_loss = values[0]
            broken = next((i for i, loss in enumerate(values) if not math.isfinite(loss)), None)
            told = values if broken is None else values[: broken + 1]
            self.emit(
                StepsDone(
                    t=self._now(),
                    arm=name,
                    epoch=self._epoch,
                    first_step=self._step + 1,
                    losses=told,
                    finite=broken is None,
                )
            )
            if broken is not None:
                self._stop([name], "non_finite", step=self._step + len(told))

    def _measure(self, *, partial: bool) -> None:
        """Validate the running arms, remember the best, and let early stopping decide."""
        running = self.running
        began = time.perf_counter()
        measured: Mapping[str, Measured] = self.crew.each(ArmCalls.measure, running)
        self.train_seconds += time.perf_counter() - began
        for name, report in measured.items():
            arm = self._arms[name]
            best = arm.measured(self._epoch, report.val_loss)
            counted = arm.rule.update(self._epoch, val_loss=report.val_loss, val_accuracy=report.val_accuracy)
            self.emit(
                EpochDone(
                    t=self._now(),
                    arm=name,
                    epoch=self._epoch,
                    partial=partial,
                    train_loss=report.train_loss,
                    val_loss=report.val_loss,
                    train_accuracy=report.train_accuracy,
                    val_accuracy=report.val_accuracy,
                    penalties=report.penalties,
                    weights=report.weights,
                    order=arm.order,
                    seconds=report.seconds,
                    learning_rate=report.learning_rate,
                    best=best,
                    counted=counted,
                    wait=arm.rule.wait,
                    finite=math.isfinite(report.train_loss) and math.isfinite(report.val_loss),
                )
            )
        guess = math.log(self.preset.dataset.classes)
        bounds = {name: largest_loss(self._arms[name].first_loss, guess) for name in running}
        # Written so that NaN, which is not below anything, counts as exploded.
        self._stop([name for name in running if not measured[name].train_loss <= bounds[name]], "exploded")
        improved = [name for name in running if self._arms[name].rule.best_epoch == self._epoch]
        self.crew.each(ArmCalls.remember, improved, self._epoch)
        self._stop([name for name in self.running if self._arms[name].rule.should_stop], "early_stopping")

    def state(self) -> dict[str, Any]:
        """All that the run is beside its arms, as JSON has it."""
        return {
            "epoch": self._epoch,
            "step": self._step,
            "seconds": self._now(),
            "train_seconds": self.train_seconds,
            "arms": {name: to_json(arm) for name, arm in self._arms.items()},
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Become what `state` was taken from; the clock goes on from where it stood.

        Raises:
            KeyError, TypeError, ValueError: It is damaged, or of a run with other arms.
        """
        self._arms = {name: from_json(state["arms"][name]) for name in self._arms}
        self._epoch, self._step = int(state["epoch"]), int(state["step"])
        self.train_seconds = float(state["train_seconds"])
        self._began = time.perf_counter() - float(state["seconds"])

    def load(self) -> None:
        """Go on from the newest commit of the checkpoint, with arms that have just been built; then `run`.

        Raises:
            InputError: There is none, or it is damaged, or of another preset.
        """
        folder = self.checkpoint()
        try:
            manifest = read_manifest(folder)
        except OSError as error:
            raise InputError(f"{folder} can't be read ({error.strerror})") from None
        if manifest is None:
            raise InputError(f"{folder}: there is no checkpoint to go on from")
        try:
            self.load_state(manifest.trainer)
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{folder}: the checkpoint is damaged, or of another preset") from None
        self._files = {name: files for name, files in manifest.arms.items() if name in self._arms}
        self.crew.each(ArmCalls.load, self._files, folder, self._files)

    def _save(self, names: list[str]) -> None:
        """Save these arms, which have trained, and what could not be saved before; that it can't be is told.

        What was saved of the other arms stays, and all together are one commit.
        """
        folder = self.checkpoint()
        gone = {name for name, files in self._files.items() if not (folder / files.last).exists()}
        self._unsaved |= {*names, *gone}
        # An arm that the user has stopped could go on; of one that has ended only the weights are looked at again.
        ended = [name for name, arm in self._arms.items() if arm.stopped not in {None, "stopped"}]
        due = [name for name in self._arms if name in self._unsaved]
        saved: Mapping[str, Saved] = self.crew.each(ArmCalls.save, due, folder, self._step, ended)
        fault = next((part.fault for part in saved.values() if part.fault), "")
        if not fault:
            files = self._files | {name: part.files for name, part in saved.items() if part.files}
            try:
                commit(folder, Manifest(schema=1, epoch=self._epoch, step=self._step, arms=files, trainer=self.state()))
            except OSError as error:
                fault = f"{folder}: {unwritable(error)}"
            else:
                self._files = files
                self._unsaved.clear()
        if fault == self._save_fault:
            return
        if not self._save_fault:
            self._unsaved_since = self._epoch
        self._save_fault = fault
        words = f"the weights are not saved since epoch {self._unsaved_since}: {fault}" if fault else SAVED_AGAIN
        self.emit(Saving(t=self._now(), what="weights", saved=not fault, words=words))

    def _stop(self, names: list[str], reason: StopReason, step: int | None = None) -> None:
        for name in names:
            arm = self._arms[name]
            arm.stopped = reason
            self.emit(
                ArmStopped(
                    t=self._now(),
                    arm=name,
                    reason=reason,
                    epoch=self._epoch,
                    step=self._step if step is None else step,
                    best_epoch=arm.best_epoch,
                    best_val_loss=arm.best_val_loss,
                )
            )

    def _test(self) -> None:
        """Score the test set once, with the weights that each arm keeps."""
        keep_best = {name: arm.keeps_best for name, arm in self._arms.items()}
        reports = self.reports = self.crew.each(ArmCalls.test, self._arms, keep_best)
        pairs = Counter(zip(*(report.right for report in reports.values()), strict=True))
        self.emit(
            Scored(
                t=self._now(),
                arms={
                    name: ArmScore(
                        kept="best" if keep_best[name] else "last",
                        epoch=self._arms[name].kept_epoch,
                        loss=report.loss,
                        accuracy=sum(report.right) / len(report.right),
                    )
                    for name, report in reports.items()
                },
                both_right=pairs[True, True],
                only_baseline=pairs[True, False],
                only_regularized=pairs[False, True],
                both_wrong=pairs[False, False],
            )
        )

    def _obey(self, *, paused: bool = False) -> None:
        """Carry out what the user has asked for; while paused, wait here."""
        if paused:
            self._one_epoch = False
            self.emit(Paused(t=self._now(), epoch=self._epoch, step=self._step))
        while True:
            command = self.control.take(timeout=0.5 if paused else 0)
            if command is not None:
                self._read_out(self._ordered)  # it takes effect after these steps, and is told after them
            match command:
                case None if not paused:
                    return
                case Stop():
                    self._answer(command.command)
                    return
                case Pause() if not paused:
                    paused = True
                    self.emit(Paused(t=self._now(), epoch=self._epoch, step=self._step))
                case Resume() if paused:
                    paused = False
                    self._one_epoch = command.one_epoch
                    self.emit(Resumed(t=self._now(), epoch=self._epoch, step=self._step))
                case SetPatience() | SetMinDelta():
                    self._set_rule(command)
                case SetStrength():
                    self._set_strength(command)

    def _set_rule(self, command: SetPatience | SetMinDelta) -> None:
        """Change the arms' early stopping; each arm that is meant is answered for."""
        key, value = (
            ("patience", command.patience) if isinstance(command, SetPatience) else ("min_delta", command.min_delta)
        )
        for name in [command.arm] if command.arm else list(self._arms):
            if name not in self.running:
                self._answer(command.command, name, key, value, f"the {name} arm does not train")
                continue
            self._answer(command.command, name, key, value)
            arm = self._arms[name]
            setattr(arm.rule, key, value)
            if isinstance(command, SetPatience):
                arm.restore_best = self.preset.arms()[name].restores_best(command.patience)

    def _set_strength(self, command: SetStrength) -> None:
        why = ""
        if command.arm not in self.running:
            why = f"the {command.arm} arm does not train"
        elif command.key.startswith("early_stopping."):
            why = "early stopping is changed with set_patience and set_min_delta"
        else:
            try:
                self.crew.each(ArmCalls.retune, [command.arm], command.key, command.value)
            except InputError as error:
                why = str(error)
        self._answer(command.command, command.arm, command.key, command.value, why)

    def _tell_of_stall(self, wait: Wait) -> None:
        self.emit(Stalled(t=self._now(), arms=list(wait.arms), pid=wait.pid, seconds=round(wait.seconds, 1)))

    def _answer(
        self, command: str, arm: str | None = None, key: str | None = None, value: float | None = None, why: str = ""
    ) -> None:
        self.emit(
            ControlApplied(
                t=self._now(),
                command=command,
                arm=arm,
                key=key,
                value=value,
                accepted=not why,
                why=why,
                epoch=self._epoch,
                step=self._step,
            )
        )

    def _now(self) -> float:
        return round(time.perf_counter() - self._began, 3)
