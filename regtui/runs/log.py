"""Writes a run's folder, so that it is always true."""

from __future__ import annotations

import filecmp
import json
import os
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import chain, count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from regtui.disk import Disk, HangsError
from regtui.errors import InputError, unwritable
from regtui.files import open_plain, sync_folder, write_whole
from regtui.preset.file import to_toml
from regtui.preset.model import Preset
from regtui.protocol.events import EpochDone, Event, Saving, StepsDone
from regtui.runs.alive import identity
from regtui.runs.checkpoint import renumber
from regtui.runs.circumstances import CIRCUMSTANCES, circumstances, read_circumstances, resumption
from regtui.runs.event_file import EventFile
from regtui.runs.lock import LockedError, open_locked
from regtui.runs.open_folder import is_at, place_of
from regtui.runs.summary import Summary
from regtui.runs.unsaved import Unsaved, fault_at
from regtui.text import quoted

PRESET, EVENTS, CHECKPOINT = "preset.toml", "events.jsonl", "checkpoint"
_BLOCK = 2**20
"""Bytes copied at a time."""
SUMMARY, PREDICTIONS = "summary.json", "predictions.safetensors"
"""What is there only when a run has ended. The summary is written last, and proves it."""


class RunLog:
    """Writes one run's folder. Use it as a context manager, and call it with each event.

    Whatever happens to the folder, the run goes on. What can't be saved stays in memory, is reported once, and is tried
    again with the next event; so it is if the disk does not answer. A folder that was renamed is followed; one that was
    removed is created again at its old place with everything that belongs in it.

    Attributes:
        disk: Carries out what is asked of the run's disk once the run has begun.
        folder: The path of the run's folder, as it was when something was last saved.
    """

    def __init__(
        self,
        logs: Path,
        preset: Preset,
        threads: int | None = None,
        *,
        checkpoints: bool = True,
        disk: Disk | None = None,
    ) -> None:
        """Create a new folder below `logs` and write the preset and the circumstances into it.

        Args:
            logs: The folder for runs.
            preset: The preset of the run.
            threads: Threads of each process, if known.
            checkpoints: Whether the folder gets one for a checkpoint.
            disk: That of the log from here on; if left out, it is a new one.

        Raises:
            InputError: The folder can't be written.
        """
        self._set_up(checkpoints, disk)
        began = datetime.now(UTC)
        try:
            self._made += [path for path in (logs, *logs.parents) if not path.exists()]
            self.folder = self._made_at = self._known_place = _new_folder(logs, preset.name, began)
            self._hold()
            self._events = EventFile(self.folder / EVENTS)
            self._small_files = {
                # The preset last: a folder with one is a run's, and of a run it is known who trains it.
                CIRCUMSTANCES: _json(circumstances(preset, began, threads, locked=self._locked)),
                PRESET: to_toml(preset).encode(),
            }
            if self._checkpoints:
                (self.folder / CHECKPOINT).mkdir()
            for name, content in self._small_files.items():
                write_whole(self.folder / name, content)
        except (OSError, ValueError) as error:  # ValueError: a null character
            self._remove()
            why = error.strerror if isinstance(error, OSError) else error
            raise InputError(f"{logs}: runs can't be saved here ({why}); name another folder with --log-dir") from None
        except BaseException:  # Ctrl-C
            self._remove()
            raise

    @classmethod
    def resumed(cls, folder: Path, *, checkpoints: bool, disk: Disk | None = None) -> Self:
        """Take over the folder of a run, so that no other process resumes it; `go_on` begins to write.

        Args:
            folder: The run's folder.
            checkpoints: Whether the folder gets one for a checkpoint, if it has none.
            disk: That of the log from here on; if left out, it is a new one.

        Raises:
            InputError: Another process trains it, or the folder can't be read.
        """
        log = cls.__new__(cls)
        log._set_up(checkpoints, disk)
        log.folder = log._made_at = log._known_place = folder
        try:
            log._handle, log._locked = open_locked(folder)
            open_plain(folder / EVENTS).close()  # opening a pipe to write could block for ever
            log._events = EventFile(folder / EVENTS)
        except BaseException as error:
            log._let_go()
            if isinstance(error, LockedError):
                raise InputError(f"{quoted(folder)}: another process trains this run") from None
            if isinstance(error, FileNotFoundError):
                raise InputError(f"{quoted(folder / EVENTS)} is missing, so that the run can't be resumed") from None
            if isinstance(error, OSError):
                raise InputError(f"{quoted(error.filename or folder)} can't be written: {unwritable(error)}") from None
            raise
        return log

    def go_on(
        self,
        preset: Preset,
        threads: int,
        epoch: int,
        kept: Iterable[tuple[bytes, Event | None]],
        lines: int,
        reached: int,
    ) -> None:
        """Make the folder that of a run that goes on; whatever happens meanwhile, it can be resumed as before.

        An earlier outcome stays, under names that tell the epoch it is of; see `_name_beside`.

        Args:
            preset: The preset from here on.
            threads: Threads of each process from here on.
            epoch: The epoch after which the run goes on.
            kept: The lines of the log that are kept, each with its event if it is one.
            lines: How many those are.
            reached: The epoch that the earlier outcome is of.

        Raises:
            InputError: The folder can't be written.
        """
        folder = self.folder
        told = read_circumstances(folder) or circumstances(preset, datetime.now(UTC), threads, locked=self._locked)
        again = told.get("resumed")
        told |= identity() | {"locked": self._locked}
        told["resumed"] = [*(again if isinstance(again, list) else []), resumption(threads, epoch)]
        self._small_files = {PRESET: to_toml(preset).encode(), CIRCUMSTANCES: _json(told)}
        self._epoch = epoch + 1
        try:
            if (folder / SUMMARY).exists():
                number = _number_beside(folder, SUMMARY, reached)
                for name in (PREDICTIONS, SUMMARY):  # the summary last: until it is there, the number is the same
                    if (folder / name).exists():
                        (folder / name).replace(folder / _name_beside(name, reached, number))
            _remove_what_was_cut_off(folder)
            sync_folder(folder)
            write_whole(folder / PRESET, self._small_files[PRESET])
            renumber(folder / CHECKPOINT, lines)
            self._events.close()
            self._events = EventFile(folder / EVENTS, kept)
            write_whole(folder / CIRCUMSTANCES, self._small_files[CIRCUMSTANCES])
        except OSError as error:
            raise InputError(f"{quoted(folder)} can't be written: {unwritable(error)}") from None

    def keep_beside(self, epoch: int) -> None:
        """Keep the log as it is, under a name that tells its last epoch: the run has no checkpoint and begins anew.

        Raises:
            InputError: The folder can't be written.
        """
        folder = self.folder
        try:
            with open_plain(folder / EVENTS) as events:
                number = _number_beside(folder, EVENTS, epoch)
                before = folder / _name_beside(EVENTS, epoch, number - 1)
                if number > 1 and filecmp.cmp(folder / EVENTS, before, shallow=False):
                    return  # one that was cut off before it began anew has kept it
                path = folder / _name_beside(EVENTS, epoch, number)
                write_whole(path, iter(partial(events.read, _BLOCK), b""))
        except OSError as error:
            raise InputError(f"{quoted(folder)} can't be written: {unwritable(error)}") from None

    def fault_now(self) -> str:
        """Why the folder can't be written now, which is found by writing what is there already; empty if it can."""
        return self._write(CIRCUMSTANCES, self._small_files[CIRCUMSTANCES])

    def hand_over(self, t: float) -> None:
        """Close the log of a run that goes on in another process: nobody trains it until that one does."""
        self.close(t)
        told = read_circumstances(self.folder)
        if told:
            self._write(CIRCUMSTANCES, _json(told | {"pid": None, "pid_started": None}))

    def _set_up(self, checkpoints: bool, disk: Disk | None) -> None:
        self.disk = disk or Disk()
        self._made: list[Path] = []
        self._checkpoints = checkpoints
        self._handle: int | None = None
        self._locked = False
        self._steps: dict[str, list[StepsDone]] = {}
        self._epoch = 1
        self._mended = ""  # what had happened to the file that `sync` mended, until that is told
        self._unsaved = Unsaved("log", "the log is not whole", "the log is whole again")

    @property
    def checkpoint(self) -> Path:
        """The current folder of the checkpoint."""
        return self.folder / CHECKPOINT

    @property
    def is_closed(self) -> bool:
        """Whether the run has ended, and nothing more is written into events.jsonl."""
        return self._events.is_closed

    @property
    def written(self) -> tuple[int, list[Event]]:
        """Bytes of events.jsonl that hold events of this run, and those that it lacks, in order.

        They are steps of this epoch, and what could not be saved.
        """
        size, unsaved = self._events.written
        return size, [*unsaved, *(step for steps in self._steps.values() for step in steps)]

    def note_socket(self, path: Path | None) -> None:
        """Note in run.json where the run listens; None for its folder, which needs no note."""
        told = json.loads(self._small_files["run.json"])
        if told.pop("socket", None) != (noted := path and str(path)):
            self._small_files["run.json"] = _json(told | ({"socket": noted} if noted else {}))
            self._write("run.json", self._small_files["run.json"])

    def __call__(self, event: Event) -> list[Saving]:
        """Write an event. The steps of an epoch become one line for each arm, so that the log doesn't depend on timing.

        Returns:
            Events about saving: that it fails, that it works again, that the file was written again.
        """
        if isinstance(event, StepsDone):
            self._steps.setdefault(event.arm, []).append(event)
            return []
        for steps in self._steps.values():
            self._events.add(joined(steps))
        self._steps.clear()
        self._events.add(event)
        if isinstance(event, EpochDone):
            self._epoch = event.epoch
        if isinstance(event, Saving):  # saving has just been tried; this event is written with the next one
            return []
        return self._save(event.t)

    def close(self, t: float) -> list[Saving]:
        """Save what could not be saved before, and close the log; `t` is the time in seconds since the start."""
        told: list[Saving] = []
        fault = ""
        for _ in range(2):  # what could not be synced is written anew, once
            told += self._save(t)
            try:
                self.disk(self._events.sync)
            except OSError as error:
                fault = fault_at(self.folder / EVENTS, error)
            else:
                break
        else:
            told += self._unsaved(t, self._epoch, fault)
        with suppress(HangsError):
            self.disk(self._events.close)
        return told

    def sync(self) -> int:
        """Save and sync to disk all events so far, before something is called saved that belongs to them.

        Returns:
            How many lines of the log these are.

        Raises:
            OSError: They can't be. That is told with the next event, if it is still the case then.
        """
        return self.disk(self._sync)

    def _sync(self) -> int:
        self._write_events()
        with suppress(OSError):
            return self._events.sync()
        self._write_events()  # written anew, once
        return self._events.sync()

    def keep_predictions(self, content: bytes, t: float) -> Saving | None:
        """Write the arms' predictions atomically; returns why they can't be written."""
        fault = self._write(PREDICTIONS, content)
        words = f"the predictions are not saved: {fault}"
        return Saving(t=t, what="predictions", saved=False, words=words) if fault else None

    def finish(self, summary: Summary, t: float) -> Saving | None:
        """Write the summary atomically; returns why it can't be written."""
        fault = self._write(SUMMARY, _json(summary.model_dump(by_alias=True)))
        words = f"the summary is not saved: {fault}"
        return Saving(t=t, what="summary", saved=False, words=words) if fault else None

    def discard(self) -> None:
        """Remove the folder of a run that never began, and parent folders created for it."""
        self._remove()

    def traceback(self, text: str) -> None:
        """Save the traceback of a failure for developers, if possible."""
        with suppress(OSError):
            self.disk(lambda: write_whole(self.folder / "traceback.txt", text.encode(errors="replace")))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.disk(self.release)
        except HangsError:
            self.disk.later(self.release)

    def release(self) -> None:
        """Let go of the folder's files and its lock."""
        self._events.close()
        self._let_go()

    def _write(self, name: str, content: bytes) -> str:
        """Write a file of the run atomically; returns why and where it can't be written."""

        def write() -> None:
            self._make_whole()
            write_whole(self.folder / name, content)

        try:
            self.disk(write)
        except OSError as error:
            return fault_at(self.folder / name, error)
        return ""

    def _save(self, t: float) -> list[Saving]:
        """Save everything that is not on disk yet."""
        try:
            lacks = self.disk(self._write_events)
        except OSError as error:
            return self._unsaved(t, self._epoch, fault_at(self.folder / EVENTS, error))
        happened, self._mended = self._mended, ""
        told = self._moved(t)
        if happened and not self._unsaved.fault:  # else it is told below that the log is whole again
            words = f"{self.folder / EVENTS} {happened}; it was written anew with what was in it"
            told.append(Saving(t=t, what="log", saved=not self._events.lost, words=words))
        lost = f"the losses of {self._events.lost:,} steps are lost" if self._events.lost else ""
        return told + self._unsaved(t, self._epoch, lost or lacks)

    def _write_events(self) -> str:
        """Write what events.jsonl lacks into it; returns why a small file can't be written.

        Raises:
            OSError: Not all could be written.
        """
        lacks = self._make_whole()
        self._mended = self._events.save(self.folder / EVENTS) or self._mended
        return lacks

    def _moved(self, t: float) -> list[Saving]:
        """Words on the folder's new place, once."""
        folder = self.folder
        if folder == self._known_place:
            return []
        self._known_place = folder
        return [Saving(t=t, what="log", saved=not self._unsaved.fault, words=f"the folder of this run is now {folder}")]

    def _make_whole(self) -> str:
        """Create the folder and its small files if they are missing; returns why one of these can't be written.

        Raises:
            OSError: The folder can't be created.
        """
        folder = self.folder = self._find()
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _sync_above(folder)
        if self._handle is None or not is_at(self._handle, folder):
            self._hold()
        if self._checkpoints:
            with suppress(OSError):  # whoever saves the weights there says so
                (folder / CHECKPOINT).mkdir(exist_ok=True)
        fault = ""
        for name, content in self._small_files.items():
            try:
                if not (folder / name).exists():
                    write_whole(folder / name, content)
            except OSError as error:
                fault = fault_at(folder / name, error)
        return fault

    def _find(self) -> Path:
        """The current path of the run's folder; where it was made, if it is nowhere."""
        if self._handle is not None and not is_at(self._handle, self._made_at):
            return place_of(self._handle) or self._made_at
        return self._made_at

    def _hold(self) -> None:
        """Keep the folder open, so that it is found after a rename; Windows does not rename folders in use."""
        self._let_go()
        with suppress(OSError):
            self._handle, self._locked = open_locked(self._made_at)

    def _let_go(self) -> None:
        if self._handle is not None:
            with suppress(OSError):  # a folder was not written; a share that has gone away may say so all the same
                os.close(self._handle)
            self._handle = None

    def _remove(self) -> None:
        self._let_go()
        if hasattr(self, "_events"):
            self._events.close()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder, ignore_errors=True)
        for path in self._made:
            with suppress(OSError):  # another run took that place meanwhile
                path.rmdir()


def joined(parts: list[StepsDone]) -> StepsDone:
    """One event for consecutive steps of an epoch."""
    losses = [loss for part in parts for loss in part.losses]
    return parts[0].model_copy(
        update={"t": parts[-1].t, "losses": losses, "finite": all(part.finite for part in parts)}
    )


def _new_folder(logs: Path, name: str, began: datetime) -> Path:
    stamp = began.strftime("%Y%m%d-%H%M%S")
    while True:
        folder = logs / f"{stamp}-{name}-{secrets.token_hex(2)}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not logs.is_dir():
                raise
            continue  # two runs of the same second drew the same four digits
        _sync_above(folder)
        return folder


def _name_beside(name: str, epoch: int, number: int) -> str:
    """A file's name beside the one that takes its place: 'summary.epoch-3.json'; the next one 'summary.epoch-3_2.json'.

    A run may end several times in one epoch, for it may be stopped there again after it was resumed.
    """
    stem, suffix = name.split(".")
    return f"{stem}.epoch-{epoch}{f'_{number}' if number > 1 else ''}.{suffix}"


def _number_beside(folder: Path, name: str, epoch: int) -> int:
    """Of how many files of that name and epoch the next one is, the first of which is 1."""
    return next(number for number in count(1) if not (folder / _name_beside(name, epoch, number)).exists())


def _remove_what_was_cut_off(folder: Path) -> None:
    """Remove drafts of files, and predictions of an end that was cut off before its summary."""
    drafts = [folder.glob(f".{name}.*.tmp") for name in (PRESET, CIRCUMSTANCES, SUMMARY, PREDICTIONS, "events")]
    for path in (folder / PREDICTIONS, *chain.from_iterable(drafts)):
        path.unlink(missing_ok=True)


def _sync_above(folder: Path) -> None:
    """Sync the name of a new run's folder to disk, and that of the folder for runs, which may be new, too."""
    with suppress(OSError):  # a folder above may be nobody's to read
        sync_folder(folder.parent)
        sync_folder(folder.parent.parent)


def _json(content: dict[str, Any]) -> bytes:
    # A command line may contain bytes that are not text; as escapes they are valid JSON.
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode(errors="backslashreplace")
