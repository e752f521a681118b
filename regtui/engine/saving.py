"""Saves the arms' weights and the run's progress as one commit, and reports failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from regtui.arm.interface import ArmCalls
from regtui.arm.reports import Saved
from regtui.disk import Disk, HangsError
from regtui.engine.crew import Crew
from regtui.engine.progress import RunProgress
from regtui.errors import InputError, unwritable
from regtui.protocol.control import Control
from regtui.protocol.events import Saving
from regtui.runs.checkpoint import ArmFiles, Commit, Manifest, commit, tidy
from regtui.runs.unsaved import Unsaved, fault_at

LOOK = 0.2
"""Seconds between two looks whether the disk answers again."""


class Saver:
    """Saves the newest state of a run to disk."""

    def __init__(
        self,
        crew: Crew,
        progress: RunProgress,
        steps_per_epoch: int,
        checkpoint: Callable[[], Path] | None,
        sync: Callable[[], int],
        disk: Disk,
    ) -> None:
        """Begin without a saved state.

        Args:
            crew: Has the arms.
            progress: Of the run.
            steps_per_epoch: Optimizer steps in an epoch.
            checkpoint: Returns the current place, because a run's folder may be moved; None saves nothing.
            sync: Syncs the log to disk, so that no checkpoint is ahead of it; returns its lines.
            disk: Carries out what is asked of the disk here; the arms do that where they are.
        """
        self._crew = crew
        self._progress = progress
        self._steps_per_epoch = steps_per_epoch
        self._checkpoint = checkpoint
        self._sync, self._disk = sync, disk
        self._files: dict[str, ArmFiles] = {}
        self._newest: Manifest | None = None
        self._whole: Commit | None = None
        self._behind: set[str] = set()
        self._hangs = False
        self._unsaved = Unsaved("weights", "the weights are not saved", "the weights are saved again, as they are now")

    @property
    def behind(self) -> bool:
        """Whether something could not be saved."""
        return bool(self._behind)

    @property
    def fault(self) -> str:
        """Why the last commit failed; empty if it did not."""
        return self._unsaved.fault

    @property
    def saves(self) -> bool:
        """Whether the run saves checkpoints at all."""
        return self._checkpoint is not None

    def save(self, names: Iterable[str] = ()) -> None:
        """Save these arms, which have trained, and those that could not be saved before; emits failures.

        Earlier files of other arms stay valid; all arms together are one commit.
        """
        if self._checkpoint is None:
            return
        fault = self._save(self._checkpoint(), names)
        for told in self._unsaved(self._progress.now, self._progress.epoch, fault):
            self._progress.emit(told)

    def settle(self, control: Control) -> None:
        """Save what is behind, before the arms change for good; wait for a disk that does not answer until a stop."""
        self.save()
        if not self._hangs or control.stop_requested:
            return
        self._tell_of_disk("training has ended, and waits for the disk; a stop goes on without it", saved=False)
        while self._hangs and not control.stop_requested:
            time.sleep(LOOK)
            self.save()
        self._tell_of_disk("the disk is no longer waited for", saved=True)

    def _tell_of_disk(self, words: str, *, saved: bool) -> None:
        self._progress.emit(Saving(t=self._progress.now, what="disk", saved=saved, words=words))

    def _save(self, folder: Path, names: Iterable[str]) -> str:
        """Save these arms and all that is behind; returns why that failed."""
        progress, self._hangs = self._progress, False
        self._behind |= set(names)
        try:
            self._behind |= self._disk(lambda: self._gone(folder))
        except HangsError as error:
            self._hangs = True
            return fault_at(folder, error)
        # Arms that the user stopped can go on, and with more epochs those that had all of theirs; of others only the
        # weights are needed.
        ended = [name for name, arm in progress.arms.items() if arm.stopped not in {None, "stopped", "max_epochs"}]
        due = [name for name in progress.arms if name in self._behind]
        saving = self._crew.begin(ArmCalls.save, due, folder, progress.step, ended)
        lines, fault = self._sync_log()  # meanwhile
        saved = saving()
        self._hangs |= any(part.hangs for part in saved.values())
        fault = next((part.fault for part in saved.values() if part.fault), fault)
        if not fault:
            fault = self._commit(folder, saved, lines)
        if fault:
            newest, whole = self._newest, self._whole
            with suppress(OSError):
                self._disk(lambda: tidy(folder, newest, whole))
        return fault

    def _gone(self, folder: Path) -> set[str]:
        """The arms whose newest files are no longer there."""
        return {name for name, files in self._files.items() if not _is_there(folder / files.last)}

    def _commit(self, folder: Path, saved: Mapping[str, Saved], lines: int | None) -> str:
        """Make what was saved one commit with all other arms' newest files; returns why that failed."""
        progress = self._progress
        files = self._files | {name: part.files for name, part in saved.items() if part.files}
        now = Commit(epoch=progress.epoch, step=progress.step, arms=files, trainer=progress.state(), lines=lines)
        partial = progress.step < progress.epoch * self._steps_per_epoch
        manifest = Manifest(schema=1, **dict(now), whole=self._whole if partial else None)
        try:
            self._disk(lambda: commit(folder, manifest))
        except OSError as error:
            self._hangs |= isinstance(error, HangsError)
            return fault_at(folder, error)
        self._files, self._newest = files, manifest
        self._whole = self._whole if partial else now
        self._behind.clear()
        return ""

    def _sync_log(self) -> tuple[int | None, str]:
        """Sync the log to disk; returns its lines, and why a commit has to wait for it.

        From a commit whose log lacks epochs no run can be resumed; the one before has all of its own. When nothing is
        left to train, only the weights matter.
        """
        try:
            return self._sync(), ""
        except OSError as error:
            self._hangs |= isinstance(error, HangsError)
            words = f"they wait for the log, which can't be synced: {unwritable(error)}"
            return None, words if self._progress.running else ""

    def load(self, saved: Commit, training: Collection[str]) -> None:
        """Restore a commit into arms that have just been built.

        Args:
            saved: A commit at an epoch's end.
            training: The arms that will be trained further.

        Raises:
            InputError: It is damaged, or of another preset.
        """
        if self._checkpoint is None:
            raise InputError("a run that saves no checkpoints has none to go on from")
        folder = self._checkpoint()
        try:
            self._progress.load_state(saved.trainer)
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{folder}: the checkpoint is damaged, or of another preset") from None
        if (self._progress.epoch, self._progress.step) != (saved.epoch, saved.step):
            raise InputError(f"{folder}: the checkpoint is damaged: it tells of two epochs, or two steps")
        arms = self._progress.arms
        self._files = {name: files for name, files in saved.arms.items() if name in arms}
        self._whole = saved
        self._crew.each(
            ArmCalls.load, self._files, folder, self._files, [name for name in arms if name not in training]
        )
        for name in training:
            arms[name].stopped = None


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a disk or share that does not answer
        return False
