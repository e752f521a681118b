"""What is done with saved runs from their list: trash, notes, tags, exports, their presets again."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from pathlib import Path

from textual import on, work
from textual.message import Message
from textual.screen import Screen

from regtui.errors import InputError, RegtuiError
from regtui.preset.file import load
from regtui.preset.model import Preset
from regtui.runs.find import is_study_folder
from regtui.runs.info import RunInfo
from regtui.runs.note import MAX_NOTE, Note, read_note, tags_of, write_note
from regtui.runs.note import NAME as NOTE
from regtui.runs.trash import discard, is_in_trash, restore
from regtui.study.list import read_study
from regtui.text import one_line, quoted
from regtui.tui.widgets.clipboard import copy
from regtui.tui.widgets.dialogs import Ask, AskText, Choice
from regtui.tui.widgets.key_bar import KeyBar, tell
from regtui.tui.widgets.thread import in_thread

Deleted = list[list[tuple[Path, Path]]]
"""What was deleted together: where each run was, and where it is in the trash."""
EXPORTS = (
    Choice("h", "html", "HTML: a report of one file"),
    Choice("c", "csv", "CSV: tables of epochs and steps"),
    Choice("s", "svg", "SVG: a figure"),
    Choice("p", "png", "PNG: a figure"),
    Choice("t", "tensorboard", "TensorBoard: event files"),
)
OF_STUDIES = frozenset({"html", "csv", "svg", "png"})
"""Formats in which a study can be written."""


class Chores(Screen[None]):
    """A screen that lists saved runs, some of them selected; how they are listed says the class below it."""

    class Rerun(Message):
        """The user wants to run a saved run's preset again."""

        def __init__(self, preset: Preset) -> None:
            super().__init__()
            self.preset = preset

    class Exported(Message):
        """An export has ended: the sentence on it, and whether it is an error."""

        def __init__(self, words: str, *, error: bool) -> None:
            super().__init__()
            self.words, self.error = words, error

    def __init__(self, folder: Path, deleted: Deleted | None) -> None:
        """Work in a folder of runs; `deleted` is what was deleted before, the last at the end."""
        super().__init__()
        self._folder = folder
        self._deleted: Deleted = [] if deleted is None else deleted

    @property
    def at_cursor(self) -> RunInfo | None:
        """The run under the cursor."""
        raise NotImplementedError

    @property
    def selected_runs(self) -> list[RunInfo]:
        """The marked runs; if none is, the run under the cursor."""
        raise NotImplementedError

    @property
    def selected(self) -> list[Path]:
        """The folders of the selected runs."""
        return [run.folder for run in self.selected_runs]

    def take_off(self, gone: Set[Path]) -> None:
        """Take runs off the list that are no longer in their places."""
        raise NotImplementedError

    def put_back(self, restored: Sequence[Path]) -> None:
        """List runs that are in their places again."""
        raise NotImplementedError

    def read_again(self, folders: Sequence[Path]) -> None:
        """Read some of the listed runs again."""
        raise NotImplementedError

    def action_rerun(self) -> None:
        """Open the preset of the run under the cursor, with all values as they were run."""
        run = self.at_cursor
        if run is not None:
            try:
                self.post_message(self.Rerun(load(str(run.folder / "preset.toml"))))
            except InputError as error:
                tell(self, error, error=True)

    @work
    async def action_export(self) -> None:
        """Ask for a format, and write the marked runs, or the one under the cursor, where `regtui export` would."""
        runs = self.selected
        if not runs:
            return
        title = f"Export {one_line(runs[0].name)}" if len(runs) == 1 else f"Export {len(runs):,} runs"
        formats = [choice for choice in EXPORTS if choice.value in OF_STUDIES or not any(map(is_study_folder, runs))]
        to = await self.app.push_screen_wait(Ask(title, "Nothing that exists is overwritten.", formats))
        if to is not None:
            tell(self, "Exporting …")
            self._export(runs, to)

    @in_thread("export", exclusive=False)
    def _export(self, runs: Sequence[Path], to: str) -> None:
        from regtui.export.write import write_saved  # 40 ms that nobody waits for here

        try:
            written = write_saved(runs, to)
        except RegtuiError as error:
            self.post_message(self.Exported(str(error), error=True))
        else:
            places = (
                one_line(written[0]) if len(written) == 1 else f"{len(written):,} into {one_line(written[0].parent)}"
            )
            self.post_message(self.Exported(f"Written: {places}", error=False))

    @on(Exported)
    def _tell_exported(self, event: Exported) -> None:
        tell(self, event.words, error=event.error)

    def action_delete(self) -> None:
        """Move the marked runs, or the one under the cursor, into the trash."""
        moved, faults = self._move(self._discard)
        if moved:
            self._deleted.append(moved)
        them = "it" if len(moved) == 1 else "them"
        self._tell_moved([folder.name for folder, _ in moved], f"in the trash; u brings {them} back", faults)

    def _discard(self, folder: Path) -> Path:
        """Move a run or a study into the trash; returns where it is then.

        Raises:
            InputError: It stays, and why.
        """
        if not is_study_folder(folder):
            return discard(folder, self._folder)
        if read_study(folder).may_go_on:
            raise InputError(f"{quoted(folder.name)} stays: its runs are being made")
        return discard(folder, self._folder, has_ended=True)

    def action_copy_path(self) -> None:
        """Copy the path of the log of the run under the cursor."""
        if (run := self.at_cursor) is not None:
            copy(self, one_line(run.folder.absolute()), "the path of the log")

    @work
    async def action_note(self) -> None:
        """Ask for a note on the run under the cursor."""
        run = self.at_cursor
        if run is None:
            return
        text = "It is kept in note.toml beside the run's log, and found by the filter."
        ask = AskText("A note on the run", f"{run.name}\n{text}", run.note.text, _note_fault)
        answer = await self.app.push_screen_wait(ask)
        if answer is not None:
            self._write_notes([run.folder], lambda note: replace(note, text=answer))

    @work
    async def action_tags(self) -> None:
        """Ask for the tags of the marked runs, or of the one under the cursor; tags that not all have are kept."""
        runs = self.selected_runs
        if not runs:
            return
        common = [tag for tag in runs[0].note.tags if all(tag in run.note.tags for run in runs)]
        title = "Tags of the run" if len(runs) == 1 else f"Tags of {len(runs):,} runs"
        text = "Words with blanks between them; the filter finds them: tag=good."
        answer = await self.app.push_screen_wait(AskText(title, text, " ".join(common), _tags_fault))
        if answer is not None:
            typed = tags_of(answer)
            self._write_notes(
                [run.folder for run in runs],
                lambda note: replace(note, tags=(*(tag for tag in note.tags if tag not in common), *typed)),
            )

    def _write_notes(self, folders: Sequence[Path], change: Callable[[Note], Note]) -> None:
        """Change what is written of these runs."""
        faults = list[str]()
        for folder in folders:
            try:
                write_note(folder, change(read_note(folder)))
            except InputError as error:
                faults.append(str(error))
            except OSError as error:
                faults.append(f"{one_line(folder)}: {NOTE} can't be read ({error.strerror})")
        if faults:
            tell(self, f"{faults[0]}{_and_more(faults)}", error=True)
        self.read_again(folders)

    def action_undo(self) -> None:
        """In the list of the trash: bring back the marked runs, or the one under the cursor; else what went last."""
        if self.selected and is_in_trash(self.selected[0]):
            moved, faults = self._move(restore)
            self._tell_moved([folder.name for folder, _ in moved], "back in its place", faults)
            return
        restored, faults = list[Path](), list[str]()
        for folder, place in self._deleted.pop():
            try:
                restore(place)
                restored.append(folder)
            except InputError as error:
                faults.append(str(error))
        self.put_back(restored)
        self._tell_moved([folder.name for folder in restored], "back in the list", faults)

    def _move(self, move: Callable[[Path], Path]) -> tuple[list[tuple[Path, Path]], list[str]]:
        """Move the selected runs away and off the list; returns from where to where, and what went wrong."""
        moved, faults = list[tuple[Path, Path]](), list[str]()
        for folder in self.selected:
            try:
                moved.append((folder, move(folder)))
            except InputError as error:
                faults.append(str(error))
        self.take_off({folder for folder in self.selected if not os.path.lexists(folder)})  # also what others moved
        return moved, faults

    def _tell_moved(self, names: Sequence[str], where: str, faults: Sequence[str]) -> None:
        """Say what was moved, or why not."""
        self.query_one(KeyBar).redraw()
        what = one_line(names[0]) if len(names) == 1 else f"{len(names):,} runs"
        words = [f"{what}: {where}."] if names else []
        words += [f"{faults[0]}{_and_more(faults)}."] if faults else []
        tell(self, " ".join(words), error=bool(faults))


def _and_more(faults: Sequence[str]) -> str:
    return f" (and {len(faults) - 1:,} more)" if len(faults) > 1 else ""


def _note_fault(text: str) -> str:
    return f"A note has at most {MAX_NOTE} characters." if len(text) > MAX_NOTE else ""


def _tags_fault(text: str) -> str:
    try:
        tags_of(text)
    except InputError as error:
        return str(error)
    return ""
