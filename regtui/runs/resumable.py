"""Where a saved run can be resumed: after which epoch, with which arms, or why it can't be.

A checkpoint is a commit of all arms at an epoch's end. A run without one begins anew in its folder. Arms that ended by
early stopping, or because they diverged, stay ended; those that had all their epochs train on only if there are more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from regtui.errors import InputError, unwritable
from regtui.preset.file import load, to_table
from regtui.preset.model import Preset
from regtui.runs.alive import is_of_here, lock_tells, silence_of, standing
from regtui.runs.checkpoint import Commit, check_folder, read_manifest
from regtui.runs.circumstances import read_circumstances
from regtui.runs.files import leaves, read_json
from regtui.runs.find import STUDY, is_run
from regtui.runs.lock import is_locked
from regtui.runs.trash import is_in_trash
from regtui.text import counted, duration, listed, one_line, quoted

_NO_NUMBER = ("schema", "name", "title", "summary", "train.epochs", "train.device", "data.root")
"""Keys of a preset that may be changed when a run is resumed: no step that was made would have been another."""
_REASONS = {"early_stopping": "early stopping", "non_finite": "diverged", "exploded": "diverged"}


@dataclass(frozen=True)
class Resumable:
    """Where a run is resumed.

    Attributes:
        folder: The run's folder.
        preset: Its preset, with the number of epochs and the device that were asked for.
        circumstances: What its run.json tells.
        commit: What it goes on from; None if it begins anew.
        training: The arms that train on.
        reached: The last epoch of its outcome, where it has one.
        has_ended: Whether it has an outcome.
        extended: Whether arms train on that had all their epochs.
    """

    folder: Path
    preset: Preset
    circumstances: dict[str, Any]
    commit: Commit | None
    training: tuple[str, ...]
    reached: int = 0
    has_ended: bool = False
    extended: bool = False

    @property
    def epoch(self) -> int:
        """The epoch after which it goes on; 0 if it begins anew."""
        return self.commit.epoch if self.commit is not None else 0

    @property
    def epochs(self) -> int:
        """The planned number of epochs from here on."""
        return self.preset.train.epochs

    @property
    def threads(self) -> int | None:
        """The threads of each process that it had last, with which its numbers stay the same; None if not known."""
        resumed = self.circumstances.get("resumed")
        last = resumed[-1] if isinstance(resumed, list) and resumed and isinstance(resumed[-1], dict) else {}
        threads = last.get("threads", self.circumstances.get("threads"))
        return threads if type(threads) is int and 0 < threads < 10_000 else None

    @property
    def words(self) -> str:
        """What resuming does, for a list: 'goes on after epoch 7 of 10'."""
        if self.commit is None:
            return "begins anew: it has no checkpoint"
        if not self.training:
            return f"is tested: it has trained all of its {counted(self.epochs, 'epoch')}"
        return f"goes on after epoch {self.epoch} of {self.epochs}"


def resumable(folder: Path, epochs: int | None = None, device: str | None = None, *, held: bool = False) -> Resumable:
    """Where the run in `folder` can be resumed.

    Args:
        folder: The run's folder.
        epochs: Another number of epochs; None keeps the preset's.
        device: Another device; None keeps the preset's.
        held: Whether nobody else trains it for sure: this process holds the folder's lock, or that of its study.

    Raises:
        InputError: It can't be resumed; the message says why, and what to do instead.
    """
    _check_place(folder)
    name = quoted(folder.name or folder)
    circumstances = read_circumstances(folder)
    has_ended = (folder / "summary.json").exists()
    if not held and not has_ended and (trains := _trains(folder, circumstances)):
        raise InputError(f"{name} {trains}")
    preset = load(str(folder / "preset.toml"), options={"train.epochs": epochs, "train.device": device})
    if (epochs is not None or device is not None) and is_of_study(folder):
        raise InputError(f"{name} is a run of a study, and goes on as its plan says; make a run of its own")
    commit = _commit(folder, preset)
    if commit is None:
        if _has_come_to_its_end(folder):
            raise InputError(f"{name} has ended and saved no checkpoint to go on from; train its preset.toml anew")
        return Resumable(folder, preset, circumstances, None, tuple(preset.arms()), _reached(folder), has_ended)
    if preset.train.epochs < commit.epoch:
        asked = f"--epochs {epochs}" if epochs is not None else f"{preset.train.epochs} epochs"
        raise InputError(f"{name} has trained {counted(commit.epoch, 'epoch')}, and {asked} are fewer; ask for more")
    _check_preset(commit, preset, name)
    reasons = _reasons(commit, preset, name)
    unfinished = [arm for arm, reason in reasons.items() if reason in (None, "stopped")]
    capped = [arm for arm, reason in reasons.items() if reason == "max_epochs"]
    more = capped if preset.train.epochs > commit.epoch else []
    training = tuple(arm for arm in reasons if arm in {*unfinished, *more})
    if not training and _has_come_to_its_end(folder):  # else it was not tested
        if capped:
            trained = counted(commit.epoch, "epoch")
            raise InputError(
                f"{name} has finished its {trained}; to train on, ask for more: --epochs {2 * commit.epoch}"
            )
        ended = listed([f"{arm} ({_REASONS.get(reason or '', reason)})" for arm, reason in reasons.items()])
        raise InputError(f"{name} has nothing left to train: its arms have ended by themselves, {ended}")
    return Resumable(
        folder,
        preset,
        circumstances,
        commit,
        training,
        _reached(folder) or commit.epoch,
        has_ended,
        extended=bool(more),
    )


def _check_place(folder: Path) -> None:
    """See that a folder is a run's that is kept, and has a preset."""
    name = quoted(folder.name or folder)
    if not is_run(folder):
        raise InputError(f"{quoted(folder)} is no run's folder")
    if is_in_trash(folder):
        where = f"'regtui review {one_line(folder.parent)}'"
        raise InputError(f"{name} is in the trash; {where} shows it, and u brings it back")
    if not (folder / "preset.toml").exists():
        raise InputError(f"{name} has no preset.toml, so that it can't be resumed")


def _trains(folder: Path, circumstances: dict[str, Any]) -> str:
    """Why the run may train now, as the rest of a sentence; empty if it does not."""
    host, pid, stands = circumstances.get("host"), circumstances.get("pid"), standing(folder, circumstances)
    where = f" in process {pid}" if type(pid) is int else " in another process"
    where += "" if is_of_here(circumstances) or not host else f" on {quoted(host)}"
    locked = circumstances.get("locked") is True
    if locked and is_locked(folder):
        if stands.status != "running":  # another has just taken it over and gets ready, and is not in run.json yet
            where = " in another process"
        return f"still trains{where}; 'regtui attach' shows it, and it needs no resuming"
    if lock_tells(circumstances) or stands.status == "interrupted":
        return ""
    if is_of_here(circumstances):
        return f"still trains{where}; 'regtui attach' shows it, and it needs no resuming"
    if stands.status == "running":
        return f"may still train{where}: its files changed {duration(silence_of(folder))} ago; try again later"
    is_paused = stands.words.endswith("paused before") and not locked
    return f"may still train{where}, where it was paused {duration(silence_of(folder))} ago" if is_paused else ""


def _commit(folder: Path, preset: Preset) -> Commit | None:
    """The newest commit at an epoch's end; None if there is none.

    Raises:
        InputError: The checkpoint is damaged, of another preset, or of a version that kept no such commit.
    """
    place = folder / "checkpoint"
    try:
        check_folder(place)
        manifest = read_manifest(place)
    except (InputError, OSError) as error:
        why = f"{error}; {way_out(folder)}" if isinstance(error, InputError) else unwritable(error)
        raise InputError(f"{quoted(place)} can't be used: {why}") from None
    if manifest is None:
        if next(place.glob("*-last.safetensors"), None) is not None:
            raise InputError(f"{quoted(folder)} is of an earlier version, which saved too little to go on from")
        return None
    per_epoch = preset.steps_per_epoch
    if manifest.step < manifest.epoch * per_epoch and manifest.whole is None:
        if manifest.epoch > 1:
            raise InputError(
                f"{quoted(folder)} was stopped inside an epoch by an earlier version, which kept no epoch's end"
            )
        return None
    commit: Commit = manifest if manifest.step == manifest.epoch * per_epoch else manifest.whole or manifest
    if commit.step != commit.epoch * per_epoch:
        raise InputError(
            f"{quoted(place)} is of another preset: {commit.step} steps are not {commit.epoch} of its epochs"
        )
    return commit if commit.epoch > 0 else None


def _check_preset(commit: Commit, preset: Preset, name: str) -> None:
    """See that the preset is the one that was trained, but for what changes no step that was made.

    Raises:
        InputError: Its file was changed since.
    """
    if (table := commit.trainer.get("preset")) is None:  # of an earlier version
        return
    try:
        trained = Preset.model_validate(table)
    except (ValidationError, RecursionError):
        raise InputError(f"{name}: its checkpoint is damaged, or of another preset") from None
    was, now = (dict(leaves(to_table(of))) for of in (trained, preset))
    changed = [key for key in {**was, **now} if was.get(key) != now.get(key) and not key.startswith(_NO_NUMBER)]
    if changed:
        more = f" and {counted(len(changed) - 1, 'more change')}" if changed[1:] else ""
        raise InputError(
            f"{name}: its preset.toml was changed after it was trained: it {_change(changed[0], was, now)}{more}; put "
            "that back, or train the file as a run of its own"
        )


def _change(key: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """How a key of two presets differs, as words after 'it': 'has train.learning_rate 0.1 instead of 0.001'."""
    before, after = (one_line(of[key], 40) if key in of else "" for of in (was, now))
    if not after:
        return f"lacks {key}, which was {before}"
    return f"has {key} {after} instead of {before}" if before else f"has {key} {after}, which was not set"


def _reasons(commit: Commit, preset: Preset, name: str) -> dict[str, str | None]:
    """Why each arm has stopped; None for those in training."""
    try:
        return {arm: commit.trainer["arms"][arm].get("stopped") for arm in preset.arms()}
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{name}: its checkpoint is damaged, or of another preset") from None


def way_out(folder: Path) -> str:
    """What to do about a damaged checkpoint of the run in `folder`, as the end of a sentence."""
    if _has_come_to_its_end(folder):
        return "put back a good copy of it, or train the run's preset.toml anew"
    return "put back a good copy of it, or remove the folder 'checkpoint', and the run begins anew"


def _has_come_to_its_end(folder: Path) -> bool:
    """Whether a run has ended by itself, and begins anew only as another one."""
    try:
        return read_json(folder / "summary.json").get("status") in ("finished", "diverged")
    except (InputError, OSError):
        return False


def _reached(folder: Path) -> int:
    """The last epoch of a run's outcome; 0 if it has none, or it does not say."""
    try:
        arms = read_json(folder / "summary.json").get("arms")
    except (InputError, OSError):
        return 0
    epochs = [arm.get("epochs") for arm in arms.values() if isinstance(arm, dict)] if isinstance(arms, dict) else []
    return max((number for number in epochs if type(number) is int and number > 0), default=0)


def is_of_study(folder: Path) -> bool:
    """Whether a run is one of a study's."""
    return (folder.absolute().parent.parent / STUDY).exists()
