"""Carries out the user's commands between two steps, and answers each of them."""

from __future__ import annotations

from regtui.arm.interface import ArmCalls
from regtui.engine.crew import Crew
from regtui.engine.progress import RunProgress
from regtui.engine.steps import Steps
from regtui.errors import InputError
from regtui.preset.model import Preset
from regtui.protocol.control import Control, Pause, Resume, SetLearningRate, SetMinDelta, SetPatience, SetStrength, Stop
from regtui.protocol.events import ControlApplied, Paused, Resumed
from regtui.protocol.who import Who


class Commands:
    """Takes the commands sent to a run and carries them out."""

    def __init__(self, control: Control, preset: Preset, crew: Crew, progress: RunProgress, steps: Steps) -> None:
        """Take commands from `control`; the results of steps ordered before a command are emitted before its answer."""
        self._control = control
        self._preset = preset
        self._crew = crew
        self._progress = progress
        self._steps = steps
        self._one_epoch = False
        self._by: Who | None = None

    def obey(self, *, before_epoch: bool = False) -> None:
        """Carry out the waiting commands; while the run is paused, wait here.

        Args:
            before_epoch: Whether no step of the next epoch has been ordered yet, so that a run that was resumed for
                one epoch pauses again.
        """
        paused = before_epoch and self._one_epoch
        if paused:
            self._one_epoch = False
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
                case Resume() if paused:
                    paused = False
                    self._one_epoch = command.one_epoch
                    self._tell(Resumed)
                case SetPatience() | SetMinDelta() | SetStrength() | SetLearningRate():
                    self._set_knob(command)

    def _tell(self, kind: type[Paused | Resumed]) -> None:
        """Emit that the run pauses after these steps, or goes on."""
        self._progress.emit(kind(t=self._progress.now, epoch=self._progress.epoch, step=self._progress.step))

    def _set_knob(self, command: SetPatience | SetMinDelta | SetStrength | SetLearningRate) -> None:
        match command:
            case SetStrength():
                self._set_strength(command)
            case SetLearningRate():
                self._crew.each(ArmCalls.set_learning_rate, self._progress.running, command.learning_rate)
                self._answer(command.command, key="learning_rate", value=command.learning_rate)
            case _:
                self._set_rule(command)

    def _set_rule(self, command: SetPatience | SetMinDelta) -> None:
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
