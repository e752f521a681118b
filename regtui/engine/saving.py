"""Saves the arms' weights and the run's progress as one commit, and reports failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from regtui.arm.interface import ArmCalls
from regtui.engine.crew import Crew
from regtui.engine.progress import RunProgress
from regtui.errors import InputError
from regtui.runs.checkpoint import ArmFiles, Manifest, commit, read_manifest
from regtui.runs.unsaved import Unsaved, fault_at


class Saver:
    """Saves the newest state of a run to disk."""

    def __init__(self, crew: Crew, progress: RunProgress, checkpoint: Callable[[], Path] | None) -> None:
        """Begin without a saved state.

        Args:
            crew: Has the arms.
            progress: Of the run.
            checkpoint: Returns the current place, because a run's folder may be moved; None saves nothing.
        """
        self._crew = crew
        self._progress = progress
        self._checkpoint = checkpoint
        self._files: dict[str, ArmFiles] = {}
        self._behind: set[str] = set()
        self._unsaved = Unsaved("weights", "the weights are not saved", "the weights are saved again, as they are now")

    @property
    def behind(self) -> bool:
        """Whether something could not be saved."""
        return bool(self._behind)

    def save(self, names: Iterable[str] = ()) -> None:
        """Save these arms, which have trained, and those that could not be saved before; emits failures.

        Earlier files of other arms stay valid; all arms together are one commit.
        """
        if self._checkpoint is None:
            return
        progress, folder = self._progress, self._checkpoint()
        gone = {name for name, files in self._files.items() if not _is_there(folder / files.last)}
        self._behind |= {*names, *gone}
        # An arm stopped by the user could go on; of an arm that has ended only the weights are needed.
        ended = [name for name, arm in progress.arms.items() if arm.stopped not in {None, "stopped"}]
        due = [name for name in progress.arms if name in self._behind]
        saved = self._crew.each(ArmCalls.save, due, folder, progress.step, ended)
        fault = next((part.fault for part in saved.values() if part.fault), "")
        if not fault:
            files = self._files | {name: part.files for name, part in saved.items() if part.files}
            now = Manifest(schema=1, epoch=progress.epoch, step=progress.step, arms=files, trainer=progress.state())
            try:
                commit(folder, now)
            except OSError as error:
                fault = fault_at(folder, error)
            else:
                self._files = files
                self._behind.clear()
        for told in self._unsaved(progress.now, progress.epoch, fault):
            progress.emit(told)

    def load(self) -> None:
        """Restore the newest commit into arms that have just been built.

        Raises:
            InputError: There is none, or it is damaged, or of another preset.
        """
        if self._checkpoint is None:
            raise InputError("a run that saves no checkpoints has none to go on from")
        folder = self._checkpoint()
        try:
            manifest = read_manifest(folder)
        except OSError as error:
            raise InputError(f"{folder} can't be read ({error.strerror})") from None
        if manifest is None:
            raise InputError(f"{folder}: there is no checkpoint to go on from")
        try:
            self._progress.load_state(manifest.trainer)
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{folder}: the checkpoint is damaged, or of another preset") from None
        self._files = {name: files for name, files in manifest.arms.items() if name in self._progress.arms}
        self._crew.each(ArmCalls.load, self._files, folder, self._files)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a disk or share that does not answer
        return False
