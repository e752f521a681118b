"""The history of a run: its events summed up as curves and totals, for the screen, the printed table and review."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, takewhile

from regtui.preset.arms import BASELINE, are_possible
from regtui.protocol.curves import StepCurve
from regtui.protocol.events import (
    ArmInfo,
    ArmScore,
    ArmStopped,
    ControlApplied,
    EpochDone,
    Event,
    Interrupted,
    Paused,
    Resumed,
    RunFinished,
    RunStarted,
    Saving,
    Scored,
    Stalled,
    StepsDone,
    Suspended,
)
from regtui.tasks import TASKS, Task
from regtui.techniques.base import LARGEST_KNOB

LARGEST = 10**12
"""No run has so many epochs, steps or test examples, or takes so many seconds."""


@dataclass
class ArmHistory:
    """The history of one arm.

    Attributes:
        info: What was known before the first step.
        step_losses: The data loss of every step.
        epochs: Each epoch's measurements, in order; a damaged log may have lost some.
        best: The epoch with the lowest finite validation loss, the earlier of equal ones; None before the first.
        counted: The last epoch that its stopping rule counted as an improvement; None before the first.
        stopped: How it ended; None while it trains.
        test: Its score on the test set; None before the test.
    """

    info: ArmInfo
    step_losses: StepCurve = field(default_factory=StepCurve)
    epochs: list[EpochDone] = field(default_factory=list)
    best: EpochDone | None = None
    counted: EpochDone | None = None
    stopped: ArmStopped | None = None
    test: ArmScore | None = None

    def at(self, epoch: int, steps: int) -> ArmHistory:
        """The arm as it was at the end of an epoch, after so many steps, before any test."""
        epochs = [done for done in self.epochs if done.epoch <= epoch]
        return ArmHistory(
            info=self.info,
            step_losses=self.step_losses.until(steps),
            epochs=epochs,
            best=min((done for done in epochs if done.val_loss is not None), key=_val_loss, default=None),
            counted=next((done for done in reversed(epochs) if done.counts), None),
            stopped=self.stopped if self.stopped is not None and self.stopped.epoch <= epoch else None,
        )

    @property
    def diverged(self) -> bool:
        """Whether it has ended with a number that is not finite, or an absurdly large loss."""
        return self.stopped is not None and self.stopped.diverged

    @property
    def last(self) -> EpochDone | None:
        """The newest epoch; None before the first."""
        return self.epochs[-1] if self.epochs else None

    @property
    def kept(self) -> EpochDone | None:
        """The epoch whose weights the arm has now: the last, or after the test the one it has returned to.

        None before the first epoch, and if a damaged log lacks it.
        """
        if self.test is None or self.test.kept == "last":
            return self.last
        return next((done for done in self.epochs if done.epoch == self.test.epoch), None)

    @property
    def since_best(self) -> int:
        """Epochs after the best; 0 before there is one."""
        return self.last.epoch - self.best.epoch if self.last is not None and self.best is not None else 0

    @property
    def first_step_loss(self) -> float:
        """The loss before anything was learned; infinity before the first step."""
        return self.step_losses.first

    @property
    def recent_step_loss(self) -> float:
        """Mean loss of the last steps; NaN before the first."""
        return self.step_losses.recent

    @property
    def seconds(self) -> float:
        """Training and validation of all its epochs."""
        return sum(epoch.seconds for epoch in self.epochs)

    @property
    def zero_weights(self) -> float | None:
        """Share of its weights that are exactly zero, in the kept epoch; None before the first."""
        return self.kept.zero_weights if self.kept else None

    @property
    def weight_norm(self) -> float | None:
        """Euclidean norm of all its weights together, in the kept epoch; None before the first or if not finite."""
        return self.kept.weight_norm if self.kept else None


@dataclass
class History:
    """What the events so far add up to."""

    started: RunStarted | None = None
    arms: dict[str, ArmHistory] = field(default_factory=dict)
    controls: list[ControlApplied] = field(default_factory=list)
    seams: list[Interrupted] = field(default_factory=list)
    """Where the run was interrupted and resumed."""
    planned: list[int] = field(default_factory=list)
    """The number of epochs that was planned at its start, and at each seam."""
    paused_at: float | None = None
    """When the pause began that goes on; None without one."""
    stalled: Stalled | None = None
    """The stalled process, if no event came after that one."""
    scored: Scored | None = None
    finished: RunFinished | None = None
    unsaved: dict[str, str] = field(default_factory=dict)
    """The parts of the run that are not on disk ('log', 'weights', 'summary'), with words on why and since when."""
    seconds: float = 0.0
    """The time of the newest event, in seconds since the start."""
    standstills: list[tuple[float, float]] = field(default_factory=list)
    """The pauses and suspensions that are over, from when to when, in order."""

    @classmethod
    def of(cls, events: Iterable[Event]) -> History:
        """The history of these events."""
        history = cls()
        for event in events:
            history.add(event)
        return history

    def add(self, event: Event) -> bool:  # noqa: C901, one case an event
        """Add an event; events are added in order.

        An event that contradicts those before it comes from a damaged log and is skipped, so that a history never has
        arms that did not start, or an epoch twice. Returns whether the event was added.
        """
        if not _fits(event, self):
            return False
        self.seconds = event.t
        self.stalled = event if isinstance(event, Stalled) else None
        match event:
            case RunStarted():
                self.started = event
                self.planned = [event.epochs]
                self.arms = {name: ArmHistory(info) for name, info in event.arms.items()}
            case StepsDone():
                self.arms[event.arm].step_losses.extend(event.losses)
            case EpochDone():
                arm = self.arms[event.arm]
                arm.epochs.append(event)
                if event.val_loss is not None and (arm.best is None or event.val_loss < _val_loss(arm.best)):
                    arm.best = event
                if event.counts:
                    arm.counted = event
            case ArmStopped():
                self.arms[event.arm].stopped = event
            case ControlApplied():
                self.controls.append(event)
                if event.command == "stop":
                    self._go_on(event.t)
            case Paused():
                self.paused_at = event.t if self.paused_at is None else self.paused_at
            case Resumed():
                self._go_on(event.t)
            case Interrupted():
                self._resume(event)
            case Suspended() if not self.paused:
                self.standstills.append((event.t - event.seconds, event.t))
            case Scored():
                self.scored = event
                for name, score in event.arms.items():
                    self.arms[name].test = score
            case Saving():
                self.unsaved.pop(event.what, None)
                if not event.saved:
                    self.unsaved[event.what] = event.words
            case RunFinished():
                self.finished = event
        return True

    def _resume(self, seam: Interrupted) -> None:
        """The run goes on after it was interrupted, or with more epochs after it had ended."""
        assert self.started is not None
        self.seams.append(seam)
        self.planned.append(seam.epochs)
        self.unsaved.clear()  # it goes on from what is on disk; what the log lacks is told after the seam
        self.started = self.started.model_copy(update={"epochs": seam.epochs})
        for name in seam.arms:
            self.arms[name].stopped = None
        self._go_on(seam.t)

    def _go_on(self, t: float) -> None:
        """A pause, if there is one, is over."""
        if self.paused_at is not None:
            self.standstills.append((self.paused_at, t))
            self.paused_at = None

    @property
    def paused(self) -> bool:
        """Whether training stands still because the user paused it."""
        return self.paused_at is not None

    @property
    def stood_still(self) -> float:
        """Seconds in which the run was paused or the program suspended, up to the newest event."""
        going_on = 0.0 if self.paused_at is None else self.seconds - self.paused_at
        return going_on + sum(end - begin for begin, end in self.standstills)

    @property
    def going_seconds(self) -> float:
        """Seconds since the start up to the newest event, without those in which the run stood still."""
        return max(0.0, self.seconds - self.stood_still)

    def at(self, epoch: int) -> History:
        """The history as it was when every arm still in training had finished an epoch; all if none trained on."""
        if self.started is None:
            return self
        steps = epoch * self.started.steps_per_epoch
        arms = {name: arm.at(epoch, steps) for name, arm in self.arms.items()}
        if all(arm.stopped is not None for arm in arms.values()):
            return self
        seconds = max((arm.last.t for arm in arms.values() if arm.last is not None), default=0.0)
        return History(
            started=self.started,
            arms=arms,
            controls=[control for control in self.controls if control.step < steps],
            seams=[seam for seam in self.seams if seam.epoch < epoch],
            unsaved=self.unsaved,
            seconds=seconds,
            standstills=[(begin, end) for begin, end in self.standstills if end <= seconds],
        )

    @property
    def epochs(self) -> int:
        """The number of epochs that at least one arm has finished."""
        return max((arm.last.epoch for arm in self.arms.values() if arm.last is not None), default=0)

    @property
    def changes(self) -> list[list[ControlApplied]]:
        """The changes of knobs applied while training, in order; pausing and stopping are none.

        Patience may be changed in several arms at once, and is answered for each: at one step that is one change.
        """
        changes: list[list[ControlApplied]] = []
        for control in self.controls:
            if control.accepted and control.key is not None:
                same = _change_of_another_arm(changes, control)
                if same is None:
                    changes.append([control])
                else:
                    same.append(control)
        return changes

    @property
    def interventions(self) -> int:
        """How often a knob was changed while training."""
        return len(self.changes)

    @property
    def task(self) -> Task:
        """What the networks are trained for; classification before that is told."""
        return TASKS[self.started.task.name if self.started else "classification"]

    @property
    def others(self) -> list[str]:
        """The arms beside the baseline, in order."""
        return [name for name in self.arms if name != BASELINE]

    def differences(self, arm: str) -> dict[int, float]:
        """Validation loss of an arm minus that of the baseline, by epoch, where both have a finite one."""
        if arm not in self.arms:
            return {}
        theirs, ours = ({e.epoch: e.val_loss for e in self.arms[name].epochs} for name in (BASELINE, arm))
        return {
            epoch: of_arm - of_baseline
            for epoch, of_baseline in theirs.items()
            if of_baseline is not None and (of_arm := ours.get(epoch)) is not None
        }

    @property
    def order_hashes(self) -> list[str]:
        """Hash of each epoch's order of examples, as long as all arms that trained it agree."""
        agreed = takewhile(lambda seen: len(seen) == 1, self._orders.values())
        return [next(iter(seen)) for seen in agreed]

    @property
    def unpaired_because(self) -> str:
        """Why the arms are not a matched pair; empty if they are."""
        if len({arm.info.initial_weights for arm in self.arms.values()}) > 1:
            return "the arms started from different weights"
        if len({arm.info.data for arm in self.arms.values()}) > 1:
            return "the arms have different data"
        splits = [arm.info.split for arm in self.arms.values()]
        for part in dict.fromkeys(chain.from_iterable(splits)):
            if len({split.get(part) for split in splits}) > 1:
                return f"the arms have different {part} {self.started.examples if self.started else 'examples'}"
        differing = next((epoch for epoch, seen in self._orders.items() if len(seen) > 1), None)
        return "" if differing is None else f"the arms saw different batches in epoch {differing}"

    @property
    def _orders(self) -> dict[int, set[str]]:
        """The arms' hashes of each epoch; a damaged log may lack an epoch of some arms."""
        orders: dict[int, set[str]] = {}
        for arm in self.arms.values():
            for epoch in arm.epochs:
                orders.setdefault(epoch.epoch, set()).add(epoch.order)
        return dict(sorted(orders.items()))


_OF_SEVERAL = ("set_patience", "set_min_delta")
"""Commands answered for each arm that may be one change of all; earlier versions set min_delta by the first."""


def _val_loss(epoch: EpochDone) -> float:
    return math.inf if epoch.val_loss is None else epoch.val_loss


def _change_of_another_arm(changes: list[list[ControlApplied]], control: ControlApplied) -> list[ControlApplied] | None:
    """The latest change of which `control` is another arm's part; None if it is a new change."""
    for change in reversed(changes) if control.command in _OF_SEVERAL else ():
        if (change[-1].command, change[-1].step) != (control.command, control.step):
            return None
        if change[-1].key == control.key:
            return None if control.arm in {other.arm for other in change} else change
    return None


def _fits(event: Event, history: History) -> bool:  # noqa: C901, one case an event
    """Whether an event is consistent with the history so far."""
    if not 0 <= event.t < LARGEST or history.finished is not None:
        return False
    if isinstance(event, RunStarted):
        possible = 0 < event.epochs < LARGEST and 0 < event.steps_per_epoch < LARGEST and event.task.name in TASKS
        first, *others = event.arms or [""]
        return possible and history.started is None and first == BASELINE and are_possible(others)
    if history.started is None:
        # The run failed before it began, a process stands still, or the disk does not answer.
        return isinstance(event, RunFinished | Stalled) or (isinstance(event, Saving) and event.what == "disk")
    if isinstance(event, StepsDone | EpochDone | ArmStopped):
        arm = history.arms.get(event.arm)
        return arm is not None and arm.stopped is None and _comes_next(event, arm, history)
    if isinstance(event, ControlApplied):
        known = event.arm in {None, *history.arms} or not event.accepted
        valued = event.key in {None, "patience"} if event.value is None else abs(event.value) < LARGEST_KNOB
        if event.key == "learning_rate":
            valued = event.arm is None and event.value is not None and 0 < event.value < LARGEST_KNOB
        return known and valued and 0 <= event.epoch <= history.started.epochs
    if isinstance(event, Interrupted):
        return set(event.arms) <= set(history.arms) and history.epochs <= event.epochs < LARGEST
    if isinstance(event, Suspended):
        return 0 <= event.seconds <= event.t
    if isinstance(event, Stalled):
        return set(event.arms) <= set(history.arms) and 0 <= event.seconds < LARGEST
    if isinstance(event, Scored):
        task, others = history.task, list(history.arms)[1:]
        possible = all(
            name in others and isinstance(comparison, task.comparison) and comparison.is_possible
            for name, comparison in event.comparisons.items()
        ) and all(task.metric.is_possible(score.metrics.get(task.metric.name)) for score in event.arms.values())
        return possible and history.scored is None and set(event.arms) <= set(history.arms)
    return True


def _comes_next(event: StepsDone | EpochDone | ArmStopped, arm: ArmHistory, history: History) -> bool:
    """Whether an event can be the arm's next; there may be gaps where lines of the log are lost."""
    started = history.started
    assert started is not None
    match event:
        case StepsDone():
            return len(arm.step_losses) < event.first_step <= started.epochs * started.steps_per_epoch
        case ArmStopped():
            return 0 <= event.epoch <= started.epochs
        case EpochDone():
            return (
                (arm.last.epoch if arm.last else 0) < event.epoch <= started.epochs
                and 0 <= event.wait <= event.epoch
                and 0 <= event.seconds < LARGEST
                and all(map(history.task.metric.is_possible, (event.train_metric, event.val_metric)))
                and all(0 <= layer.zeros <= layer.size for layer in event.weights.values())
            )
