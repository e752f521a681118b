"""Resumes a run that was interrupted, stopped or handed over, or trains one on that has finished, in its own folder.

On a CPU the resumed run equals one that was never interrupted in every number that is logged, but for times. Nothing in
the folder changes before the arms are back; whatever happens while it is changed, it can be resumed as before.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from regtui.arm.interface import ArmCalls
from regtui.disk import Disk
from regtui.engine.crew import Crew, ProcessCrew
from regtui.engine.run import RunResult, build, conduct, teller
from regtui.engine.trainer import Trainer
from regtui.engine.waiting import awaited, opened
from regtui.errors import InputError
from regtui.preset.file import load
from regtui.preset.model import Preset
from regtui.protocol.applied import steered_arms
from regtui.protocol.control import Control, SetPatience
from regtui.protocol.events import ArmStopped, Event, Interrupted, RunStarted, Saving
from regtui.protocol.history import History
from regtui.protocol.who import Who
from regtui.remote.server import serving
from regtui.runs.circumstances import versions
from regtui.runs.log import CHECKPOINT, PREDICTIONS, RunLog
from regtui.runs.resumable import Resumable, is_of_study, resumable, way_out
from regtui.runs.seam import Seam, find_seam, kept_lines
from regtui.techniques.base import LARGEST_KNOB
from regtui.text import counted, quoted

_OF_NUMBERS = ("regtui", "torch", "numpy")
"""What computes; another version of it may round differently."""


class Changes(NamedTuple):
    """What is changed when a run is resumed; None keeps what it had.

    Attributes:
        epochs: The planned number of epochs.
        patience: The patience of the arms with early stopping, or of all if none has it.
        device: The device to train on.
    """

    epochs: int | None = None
    patience: int | None = None
    device: str | None = None


def resume(
    folder: Path,
    changes: Changes,
    control: Control,
    emit: Callable[[Event], object],
    crew: Crew | None = None,
    begun: Callable[[Path], None] = lambda _folder: None,
    threads: int | None = None,
    *,
    attachable: bool = True,
    abandoned: bool = False,
    ready: Callable[[], object] = lambda: None,
) -> RunResult:
    """Train the run in `folder` on from its last completed epoch, or anew if it has saved no checkpoint.

    Args:
        folder: The run's folder.
        changes: What is changed from here on.
        control: Delivers the user's commands.
        emit: Receives every event from the seam on, in this thread; what came before is in the run's log.
        crew: Holds the arms; if left out, they get processes of their own.
        begun: Receives the folder before the first event; its log then holds exactly what came before.
        threads: Threads of each process; if left out, as many as it had, so that its numbers stay the same.
        attachable: Whether other processes of this user can watch and steer the run.
        abandoned: Whether it is known that nobody trains it, whatever its run.json tells: that of a run from another
            machine tells nothing for a minute. A lock on its folder counts all the same.
        ready: Called when the arms are back, before anything in the folder changes; from then on a stop ends the run in
            order.

    Raises:
        InputError: It can't be resumed, or a change can't be made; nothing was changed.
        RegtuiError: Training could not begin. Whatever fails later is told by the result's status instead.
        HandedOver: A `HandOver` was sent, and the run goes on in another process.
    """
    disk = Disk()
    with awaited(disk, folder, control, emit):
        place = disk(lambda: resumable(folder, changes.epochs, changes.device, held=abandoned))
    if crew is not None:
        return _resume(folder, changes, control, emit, crew, begun, disk, attachable=attachable, ready=ready)
    with ProcessCrew(threads or place.threads) as processes:
        return _resume(folder, changes, control, emit, processes, begun, disk, attachable=attachable, ready=ready)


def _resume(
    folder: Path,
    changes: Changes,
    control: Control,
    emit: Callable[[Event], object],
    crew: Crew,
    begun: Callable[[Path], None],
    disk: Disk,
    *,
    attachable: bool,
    ready: Callable[[], object],
) -> RunResult:
    log, saves = _take(folder, disk, control, emit)
    with log:
        with awaited(disk, folder, control, emit):
            place = disk(lambda: resumable(folder, changes.epochs, changes.device, held=True))
            seam = disk(lambda: find_seam(folder, place.commit, place.training))
        preset, history = _preset(place, changes), seam.history
        before = history.seams[-1] if history.seams else history.started
        crew.prepare(len(preset.arms()))
        device = _build(preset, before, changes, lambda chosen: build(chosen, crew, control, emit, history.seconds))
        tell = teller(history, log, lambda event: served(event))  # from the seam on
        at = (lambda: log.checkpoint) if saves else None
        trainer = Trainer(preset, crew, control, tell, at, log.sync, log.disk, log.fault_now)
        if place.commit is not None:
            try:
                trainer.load(place.commit, place.training)
            except InputError as error:
                raise InputError(f"{error}; {way_out(folder)}") from None
            _check_data(crew, history, preset, folder)
        told = Interrupted(
            t=trainer.progress.now,
            epoch=place.epoch,
            step=trainer.progress.step,
            dropped=seam.dropped,
            undone=seam.undone,
            arms=list(place.training),
            epochs=place.epochs,
            device=device,
            threads=crew.threads,
            extended=place.extended,
            tested=place.has_ended and (folder / PREDICTIONS).exists(),
            differs=_differs(place, before, device, crew.threads) if before is not None else "",
            by=Who.here(),
        )
        patient = _patient_arms(place, changes)
        ready()
        with awaited(disk, folder, control, emit):
            disk(lambda: _rewrite(log, place, seam, preset, crew.threads))
        with serving(log, control, emit, wanted=attachable) as served:
            begun(log.folder)

            def tell_seam() -> None:
                tell(told)
                _tell_lost_ends(trainer, history, tell)
                if before is not None and before.epochs != place.epochs:
                    trainer.commands.tell_epochs(place.epochs)
                for arm in patient:
                    if trainer.progress.arms[arm].rule.patience != changes.patience:
                        trainer.commands.set_rule(SetPatience(arm=arm, patience=changes.patience))
                if missing := _missing(trainer, history, seam):
                    tell(Saving(t=trainer.progress.now, what="log", saved=False, words=missing))
                if place.commit is not None:
                    trainer.saver.save()  # from here on it has the changes, and belongs to a log with the seam

            return conduct(trainer, history, log, served, tell_seam)


def _take(folder: Path, disk: Disk, control: Control, emit: Callable[[Event], object]) -> tuple[RunLog, bool]:
    """Take over a run's folder; returns its log, and whether checkpoints are saved there."""
    with awaited(disk, folder, control, emit):
        saves = disk(lambda: not is_of_study(folder) or (folder / CHECKPOINT).is_dir())  # a study's only if asked for
        return opened(disk, lambda: RunLog.resumed(folder, checkpoints=saves, disk=disk), RunLog.release), saves


def _rewrite(log: RunLog, place: Resumable, seam: Seam, preset: Preset, threads: int) -> None:
    """Make the folder that of a run that goes on."""
    if seam.unsaved > 1:  # more than the one that a kill may cost
        log.keep_beside(seam.unsaved)
    log.go_on(
        preset, threads, place.epoch, kept_lines(place.folder, seam.lines, place.training), seam.kept, place.reached
    )


def _check_data(crew: Crew, history: History, preset: Preset, folder: Path) -> None:
    """See that the data are those of before: an arm must not be validated on what it was trained on.

    Raises:
        InputError: They are others, or split in another way.
    """
    for name, built in crew.each(ArmCalls.built, history.arms).items():
        before = history.arms[name].info  # logs of earlier versions tell less
        if before.data not in ("", built.data):
            words = f"{preset.dataset.title} has other examples than those that it was trained on; bring these back"
        elif before.split not in ({}, built.split):
            words = f"the {preset.dataset.examples} of {preset.dataset.title} are split in another way than before"
        else:
            continue
        raise InputError(f"{quoted(folder.name)} can't be resumed: {words}, or train its preset.toml anew")


def _tell_lost_ends(trainer: Trainer, history: History, tell: Callable[[Event], None]) -> None:
    """Tell again that arms had ended of which the log no longer says so: it was cut to train them on, in vain."""
    for name, arm in trainer.progress.arms.items():
        if arm.stopped is not None and history.arms[name].stopped is None:
            step = arm.epochs * trainer.preset.steps_per_epoch
            tell(
                ArmStopped(
                    t=trainer.progress.now,
                    arm=name,
                    reason=arm.stopped,
                    epoch=arm.epochs,
                    step=step,
                    best_epoch=arm.best_epoch,
                    best_val_loss=arm.best_val_loss,
                )
            )


def _missing(trainer: Trainer, history: History, seam: Seam) -> str:
    """What the log lacks of earlier epochs, in words; empty if it lacks nothing."""
    per_epoch, arms = trainer.preset.steps_per_epoch, trainer.progress.arms
    made = sum(arm.epochs * per_epoch for arm in arms.values())
    lost = made - sum(min(len(history.arms[name].step_losses), arm.epochs * per_epoch) for name, arm in arms.items())
    if lost:
        return f"the losses of {counted(lost, 'step')} of earlier epochs are missing in the log"
    return f"{seam.missing} of the log of earlier epochs are missing" if seam.missing else ""


def _preset(place: Resumable, changes: Changes) -> Preset:
    """The preset from here on: of a run that begins anew with the patience asked for, else with that as a change."""
    if place.commit is not None or changes.patience is None:
        return place.preset
    options = {"train.epochs": changes.epochs, "train.device": changes.device}
    return load(str(place.folder / "preset.toml"), options=options, patience=changes.patience)


def _patient_arms(place: Resumable, changes: Changes) -> list[str]:
    """The arms whose patience is changed.

    Raises:
        InputError: There is none, or the patience is not possible.
    """
    if changes.patience is None:
        return []
    if is_of_study(place.folder):
        raise InputError(f"{quoted(place.folder)} is a run of a study, and goes on as its plan says")
    if not 1 <= changes.patience < LARGEST_KNOB:
        raise InputError(f"--patience {changes.patience}: an arm waits for at least 1 epoch")
    if place.commit is None:  # it begins anew with a preset that has it
        return []
    arms = [arm for arm in steered_arms(place.preset) if arm in place.training]
    if not arms:
        raise InputError(f"--patience {changes.patience}: no arm with early stopping trains on")
    return arms


def _build(
    preset: Preset, before: RunStarted | Interrupted | None, changes: Changes, build_arms: Callable[[Preset], str]
) -> str:
    """Build the arms; where the preset leaves the device open, on the one that they were trained on, if it is there."""
    if before is not None and changes.device is None and preset.train.device == "auto":
        train = preset.train.model_copy(update={"device": before.device})
        with suppress(InputError):
            return build_arms(preset.model_copy(update={"train": train}))
    return build_arms(preset)


def _differs(place: Resumable, before: RunStarted | Interrupted, device: str, threads: int) -> str:
    """Why the numbers from here on may differ from those of a run that was never interrupted; empty if they do not."""
    told = place.circumstances
    resumed = told.get("resumed")
    last = resumed[-1] if isinstance(resumed, list) and resumed and isinstance(resumed[-1], dict) else told
    were, are = last.get("versions"), versions()
    changed = [
        f"{name} {were[name]} → {are[name]}"
        for name in _OF_NUMBERS
        if isinstance(were, dict) and name in were and were[name] != are.get(name)
    ]
    if device != before.device:
        changed.append(f"{before.device} → {device}")
    elif not device.startswith("cpu"):
        changed.append("a GPU does not promise the same numbers twice")
    if before.threads is not None and threads != before.threads:
        changed.append(f"{counted(before.threads, 'thread')} → {threads}")
    if last.get("host") not in (None, platform.node()):
        changed.append("another machine")
    if before.epochs != place.epochs and place.preset.train.schedule == "cosine":
        changed.append(f"the cosine learning rate is planned anew, for {counted(place.epochs, 'epoch')}")
    return "; ".join(changed)
