"""What the engine has applied: the current knobs, derived from the preset and the answers to commands.

The screen shows these instead of what was requested, because the trainer applies a command later and may refuse it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain, takewhile

from regtui.preset.arms import BASELINE
from regtui.preset.model import Preset
from regtui.preset.schedule import Schedule
from regtui.protocol.events import ControlApplied
from regtui.protocol.history import ArmHistory, History
from regtui.techniques.early_stopping import EarlyStopping, Monitor, StoppingRule


@dataclass(frozen=True)
class ArmApplied:
    """One arm's knobs as they are now.

    Attributes:
        patience: Epochs without improvement after which it stops; None while early stopping is off.
        min_delta: Only an improvement larger than this counts.
        warmup: Epochs at the start that don't count.
        monitor: The monitored value.
        restore_best: Whether the arm returns at the end to its best epoch by the monitored value.
        strengths: The live knobs of its other techniques, by key: 'dropout.rate'.
    """

    patience: int | None
    min_delta: float
    warmup: int
    monitor: Monitor
    restore_best: bool
    strengths: Mapping[str, float]


@dataclass(frozen=True)
class Applied:
    """The knobs of all arms as they are now.

    Attributes:
        arms: Those that each arm has of its own.
        base_rate: The learning rate of all arms, before its schedule.
    """

    arms: Mapping[str, ArmApplied]
    base_rate: float

    @classmethod
    def of(cls, preset: Preset, history: History) -> Applied:
        """The preset's knobs, changed by every accepted command."""
        arms = {arm: _at_start(preset, arm) for arm in preset.arms()}
        base_rate = preset.train.learning_rate
        for control in history.controls:
            if control.accepted and control.arm in arms and control.key is not None:
                arms[control.arm] = _changed(preset, arms[control.arm], control)
            elif control.accepted and control.key == "learning_rate" and control.value is not None:
                base_rate = float(control.value)
        return cls(arms, base_rate)


def present_rate(preset: Preset, history: History) -> float:
    """The learning rate of the next step; of the last one planned where no step is left."""
    steps = max((len(arm.step_losses) for arm in history.arms.values()), default=0)
    schedule = Schedule(preset.train, preset.steps_per_epoch, Applied.of(preset, history).base_rate)
    return schedule.rate(min(steps, preset.train.epochs * preset.steps_per_epoch - 1))


def label_with_changes(preset: Preset, history: History, arm: str) -> str:
    """An arm's techniques in a few words, with what was changed while it trained: 'dropout 0.5 → 0.6 at epoch 7'.

    Empty if it has no technique, and none was switched on.
    """
    return " + ".join(labels_with_changes(preset, history, arm).values())


def labels_with_changes(preset: Preset, history: History, arm: str) -> dict[str, str]:
    """What an arm does by technique, each in a few words, with what was changed while it trained."""
    techniques = preset.arms()[arm].active()
    words = {name: [technique.label()] for name, technique in techniques.items()}
    epochs: dict[str, int] = {}
    for control in history.controls:
        if not control.accepted or control.arm != arm or control.key is None:
            continue
        name, _, knob = control.key.rpartition(".")
        if control.key == "patience":
            name, knob = "early_stopping", "patience"
            techniques.setdefault(name, EarlyStopping())
            words.setdefault(name, ["early stopping off"])
        if name not in techniques:
            continue
        techniques[name] = techniques[name].model_copy(update={knob: control.value})
        label = techniques[name].label() if control.value is not None else "early stopping off"
        if label != words[name][-1]:
            words[name].append(label)
            epochs[name] = control.epoch
    return {name: _in_turn(labels, epochs.get(name)) for name, labels in words.items()}


def knob_with_changes(history: History, arm: str, key: str, value: str) -> str:
    """A knob's value as its preset has it, then each that it was set to: '0.5 → 0.6 at epoch 7'."""
    changes = [c for c in history.controls if c.accepted and c.arm == arm and c.key == key]
    values = dict.fromkeys([value, *("off" if c.value is None else f"{c.value:g}" for c in changes)])
    return " → ".join(values) + (f" at epoch {changes[-1].epoch}" if len(values) > 1 else "")


def _in_turn(labels: list[str], epoch: int | None) -> str:
    """Labels of one technique as one, what they share said once: 'dropout 0.5 → 0.6 at epoch 7'."""
    if epoch is None:
        return labels[0]
    parts = [label.split(" ") for label in labels]
    before, after = _shared(parts), _shared([part[::-1] for part in parts])[::-1]
    values = [" ".join(part[len(before) : len(part) - len(after)]) for part in parts]
    if len(values) > 3:
        values = [values[0], "…", values[-1]]
    return " ".join([*before, " → ".join(values), *after, f"at epoch {epoch}"])


def _shared(parts: list[list[str]]) -> list[str]:
    """The words that all of them begin with."""
    return [column[0] for column in takewhile(lambda column: len(set(column)) == 1, zip(*parts, strict=False))]


def own_preset(preset: Preset | None, history: History) -> Preset | None:
    """The preset, unless `history` tells of other arms: files from elsewhere need not belong together."""
    if preset is None or history.started is None:
        return preset
    return preset if list(preset.arms()) == list(history.arms) else None


def same_experiment(preset: Preset, history: History, arm: str) -> bool:
    """Whether nothing but chance sets an arm apart from the baseline.

    Their techniques do the same then, and so did whoever steered them.
    """
    if not history.changes:
        return preset.does_as_baseline(arm)
    changes = defaultdict[str, list[tuple[int, str | None, float | None]]](list)
    for control in chain.from_iterable(history.changes):
        for name in [control.arm] if control.arm else _training_at(control.step, history):
            changes[name].append((control.step, control.key, control.value))
    return preset.arms()[arm] == preset.arms()[BASELINE] and changes[arm] == changes[BASELINE]


def _training_at(step: int, history: History) -> list[str]:
    """The arms that trained on after a step, which a change of all arms reached."""
    return [name for name, arm in history.arms.items() if arm.stopped is None or arm.stopped.step > step]


def _at_start(preset: Preset, arm: str) -> ArmApplied:
    techniques = preset.arms()[arm]
    strengths = {
        f"{name}.{knob}": float(getattr(technique, knob))
        for name, technique in techniques.active().items()
        if name != "early_stopping"
        for knob in technique.steered(preset.sites)
    }
    rule = techniques.stopping_rule()
    return ArmApplied(
        rule.patience, rule.min_delta, rule.warmup, rule.monitor, techniques.restores_best(), strengths=strengths
    )


def _changed(preset: Preset, before: ArmApplied, control: ControlApplied) -> ArmApplied:
    """The knobs after an accepted command, as the trainer has them."""
    value = control.value
    if control.key == "patience":
        patience = None if value is None else int(value)
        restores_best = preset.arms()[control.arm or ""].restores_best(patience)
        return replace(before, patience=patience, restore_best=restores_best)
    if value is None or control.key is None:
        return before
    if control.key == "min_delta":
        return replace(before, min_delta=float(value))
    return replace(before, strengths={**before.strengths, control.key: float(value)})


def kept_epoch(arm: ArmHistory, settings: ArmApplied) -> int | None:
    """The epoch whose weights an arm keeps, if it ends now; None before the first.

    After the test its score says so; before, the arm's stopping rule is applied to its epochs.
    """
    if arm.test is not None:
        return arm.test.epoch
    if arm.last is None:
        return None
    rule = StoppingRule(warmup=settings.warmup, monitor=settings.monitor)
    for done in arm.epochs if settings.restore_best else ():
        rule.update(done.epoch, val_loss=done.val_loss, val_metric=done.val_metric)
    return rule.kept_epoch(arm.last.epoch, restore_best=settings.restore_best)


def wait(arm: ArmHistory) -> int:
    """Epochs since the arm's last that counted as an improvement."""
    return arm.last.wait if arm.last is not None else 0


def reference(arm: ArmHistory, settings: ArmApplied) -> float | None:
    """The monitored value of the last epoch that counted; None without one, and if it is not finite."""
    if arm.counted is None:
        return None
    return arm.counted.val_loss if settings.monitor == "val_loss" else arm.counted.val_metric


def value_to_beat(arm: ArmHistory, settings: ArmApplied) -> float | None:
    """What an epoch must fall below to count (rise above, for a metric); None before the first that counts."""
    value = reference(arm, settings)
    if value is None:
        return None
    return value - settings.min_delta if settings.monitor == "val_loss" else value + settings.min_delta


def stop_epoch_if_nothing_improves(arm: ArmHistory, settings: ArmApplied, planned_epochs: int) -> int | None:
    """The epoch at whose end the arm stops if none counts as an improvement.

    None if early stopping is off, if the arm has stopped, or if the planned epochs end before that. The first epoch
    after the warm-up always counts, so patience runs from there.
    """
    if settings.patience is None or arm.stopped is not None:
        return None
    last = arm.last.epoch if arm.last is not None else 0
    if arm.counted is None:
        epoch = max(last, settings.warmup) + 1 + settings.patience
    else:
        # If patience has already run out, that is noticed at the end of the next epoch.
        epoch = last + max(1, settings.patience - wait(arm))
    return epoch if epoch <= planned_epochs else None


def stops_now(preset: Preset, history: History, patience: int, arm: str | None) -> list[str]:
    """The arms, all that are steered or only this one, that have already waited for so many epochs.

    Each would stop at the end of its current epoch, unless that epoch counts as an improvement.
    """
    names = steered_arms(preset) if arm is None else [arm]
    running = [name for name in names if name in history.arms and history.arms[name].stopped is None]
    return [name for name in running if 0 < patience <= wait(history.arms[name])]


def steered_arms(preset: Preset) -> list[str]:
    """The arms whose patience is steered: those with early stopping in the preset, or all if none has it."""
    stopping = [name for name, techniques in preset.arms().items() if techniques.early_stopping is not None]
    return stopping or list(preset.arms())
