"""Carries out the user's commands between two steps, and answers each of them."""

from __future__ import annotations

from regtui.arm.interface import ArmCalls
from regtui.engine.crew import Crew
from regtui.engine.progress import RunProgress
from regtui.engine.steps import Steps
from regtui.errors import InputError
from regtui.preset.model import Preset
from regtui.protocol.answers import TAKEN_BACK
from regtui.protocol.control import (
    Control,
    HandOver,
    Pause,
    Resume,
    SetLearningRate,
    SetMinDelta,
    SetPatience,
    SetStrength,
    Stop,
)
from regtui.protocol.events import ControlApplied, Paused, Resumed
from regtui.protocol.who import Who


class Commands:
    """Takes the commands sent to a run and carries them out.

    Attributes:
        hand_over: The command to hand the run over, which is carried out at the next epoch's end; None without one.
        changed: Whether a knob was changed since the last call of `saved`.
    """

    def __init__(self, control: Control, preset: Preset, crew: Crew, progress: RunProgress, steps: Steps) -> None:
        """Take commands from `control`; the results of steps ordered before a command are emitted before its answer."""
        self._control = control
        self._preset = preset
        self._crew = crew
        self._progress = progress
        self._steps = steps
        self._one_epoch: Resume | None = None
        self._by: Who | None = None
        self.hand_over: HandOver | None = None
        self.changed = False

    def saved(self) -> None:
        """The run's state was saved, with all changes so far."""
        self.changed = False

    def answer_hand_over(self, why: str = "") -> None:
        """Answer the command to hand the run over: that it is, or why it is not."""
        if self.hand_over is not None:
            self._by = self.hand_over.by
            self._answer(self.hand_over.command, why=why)
            self.hand_over = None

    def answer_stops(self) -> None:
        """Answer the stops that were not taken, once to each sender: the run ends in the middle of what it does."""
        stops = dict[Who | None, Stop]()
        while (command := self._control.take()) is not None:
            if isinstance(command, Stop):
                stops[command.by] = command
        for self._by, stop in stops.items():
            self._answer(stop.command)

    def set_rule(self, command: SetPatience | SetMinDelta) -> None:
        """Change early stopping, with an answer for each arm concerned."""
        key, value = (
            ("patience", command.patience) if isinstance(command, SetPatience) else ("min_delta", command.min_delta)
        )
        for name in [command.arm] if command.arm else list(self._progress.arms):
            if name not in self._progress.running:
                self._answer(command.command, name, key, value, f"the {name} arm does not train")
                continue
            self._answer(command.command, name, key, value)
            arm = self._progress.arms[name]
            setattr(arm.rule, key, value)
            if isinstance(command, SetPatience):
                arm.restore_best = self._preset.arms()[name].restores_best(command.patience)

    def tell_epochs(self, epochs: int) -> None:
        """Emit that another number of epochs is planned from here on."""
        self._answer("set_epochs", key="epochs", value=epochs)

    def obey(self, *, before_epoch: bool = False) -> None:
        """Carry out the waiting commands; while the run is paused, wait here.

        Args:
            before_epoch: Whether no step of the next epoch has been ordered yet, so that a run that was resumed for
                one epoch pauses again.
        """
        paused = False
        if before_epoch and self._one_epoch is not None and self.hand_over is None:
            paused, self._by, self._one_epoch = True, self._one_epoch.by, None
            self._tell(Paused)
        while True:
            self._progress.tell_suspension()
            command = self._control.take(timeout=0.5 if paused else 0)
            if command is not None:
                self._steps.read_out()  # it takes effect after these steps, and its event follows theirs
                self._by = command.by
            match command:
                case None if not paused:
                    return
                case Stop():
                    self._answer(command.command)
                    return
                case Pause() if not paused:
                    paused = True
                    self._tell(Paused)
                case Resume() | HandOver():
                    self._go_on(command, paused=paused)
                    paused = False
                case SetPatience() | SetMinDelta() | SetStrength() | SetLearningRate():
                    self._set_knob(command)

    def _go_on(self, command: Resume | HandOver, *, paused: bool) -> None:
        """Go on after a pause, if there is one; to hand the run over, to the epoch's end."""
        if isinstance(command, HandOver):
            self.hand_over = command
        elif paused:
            self._one_epoch = command if command.one_epoch else None
        else:
            self.answer_hand_over(TAKEN_BACK)
        if paused:
            self._tell(Resumed)

    def _tell(self, kind: type[Paused | Resumed]) -> None:
        """Emit that the run pauses after these steps, or goes on."""
        progress = self._progress
        progress.emit(kind(t=progress.now, epoch=progress.epoch, step=progress.step, by=self._by or Who.here()))

    def _set_knob(self, command: SetPatience | SetMinDelta | SetStrength | SetLearningRate) -> None:
        match command:
            case SetStrength():
                self._set_strength(command)
            case SetLearningRate():
                self._crew.each(ArmCalls.set_learning_rate, self._progress.running, command.learning_rate)
                self._answer(command.command, key="learning_rate", value=command.learning_rate)
            case _:
                self.set_rule(command)

    def _set_strength(self, command: SetStrength) -> None:
        """Change a live knob of an arm's technique."""
        why = ""
        if command.arm not in self._progress.running:
            why = f"the {command.arm} arm does not train"
        elif command.key.startswith("early_stopping."):
            why = "early stopping is changed with set_patience and set_min_delta"
        else:
            try:
                self._crew.each(ArmCalls.retune, [command.arm], command.key, command.value)
            except InputError as error:
                why = str(error)
        self._answer(command.command, command.arm, command.key, command.value, why)

    def _answer(
        self, command: str, arm: str | None = None, key: str | None = None, value: float | None = None, why: str = ""
    ) -> None:
        """Emit that a command took effect, or why it did not."""
        self.changed |= key is not None and not why
        self._progress.emit(
            ControlApplied(
                t=self._progress.now,
                command=command,
                arm=arm,
                key=key,
                value=value,
                accepted=not why,
                why=why,
                epoch=self._progress.epoch,
                step=self._progress.step,
                by=self._by or Who.here(),
            )
        )
