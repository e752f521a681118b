"""Which saved runs are listed: those that match a filter, in an order; and which of all are marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from operator import itemgetter
from pathlib import Path

from regtui.errors import InputError
from regtui.runs.filter import parse_filter
from regtui.runs.info import RunInfo
from regtui.tui.review.columns import FIELDS, RunColumn


class Listing:
    """Runs and studies as a list has them.

    Attributes:
        runs: All that were read.
        shown: Those that match the filter, in order.
        marked: The folders of those that are marked.
    """

    def __init__(self) -> None:
        self.runs: list[RunInfo] = []
        self.shown: list[RunInfo] = []
        self.marked: set[Path] = set()
        self._sorted_by, self._turned = 0, True
        self._moved_away = set[Path]()
        """Folders that were taken off, which a reading that was begun before may still name."""

    # What was read

    def take(self, runs: Iterable[RunInfo]) -> None:
        """Take in all runs; those that are there no more lose their marks."""
        self.runs = [run for run in runs if run.folder not in self._moved_away]
        self.marked &= {run.folder for run in self.runs}

    def take_again(self, runs: Iterable[RunInfo]) -> bool:
        """Take in some that were read again; returns whether any has changed."""
        new = {run.folder: run for run in runs}
        changed = any(run != new.get(run.folder, run) for run in self.runs)
        self.runs = [new.get(run.folder, run) for run in self.runs]
        return changed

    def take_off(self, gone: Set[Path]) -> None:
        """Take runs off that are no longer in their places; the next call of `fill` shows the rest."""
        self._moved_away |= gone
        self.marked -= gone
        self.runs = [run for run in self.runs if run.folder not in gone]

    def put_back(self, folders: Sequence[Path], read: Callable[[Path], RunInfo]) -> None:
        """List runs that are in their places again; `read` reads those that are not listed."""
        self._moved_away -= set(folders)
        listed = {run.folder for run in self.runs}
        self.runs += [read(folder) for folder in folders if folder not in listed]

    def expect_all(self) -> None:
        """Take in whatever is read from now on, also what was taken off."""
        self._moved_away.clear()

    # What is shown

    def fill(self, text: str) -> str:
        """Choose the runs that match a filter, and put them in order.

        Args:
            text: The filter as it was typed.

        Returns:
            What is wrong with it, as a sentence; empty if nothing is. One that can't be read changes nothing.
        """
        try:
            wanted = parse_filter(text)
            fault = wanted.unknown(self.runs)
            found = wanted.select(self.runs)
        except InputError as error:
            fault, found = str(error), self.shown
        value = self.sorted_by.value
        pairs = [(value(run), run) for run in found]
        known = sorted((pair for pair in pairs if pair[0] is not None), key=itemgetter(0), reverse=self._turned)
        self.shown = [run for _, run in known] + [
            run for key, run in pairs if key is None
        ]  # unknown values are always last
        return fault

    def row_of(self, run: RunInfo | None) -> int | None:
        """The row that a run is in, also if it was read again since; None if it is not shown."""
        if run is None:
            return None
        return next((row for row, shown in enumerate(self.shown) if shown is run), self.row_at(run.folder))

    def row_at(self, folder: Path | None) -> int | None:
        """The row of the run in a folder; None if it is not shown."""
        return next((row for row, run in enumerate(self.shown) if run.folder == folder), None)

    def nearest(self, row: int, gone: Set[Path]) -> Path | None:
        """The run that is next to a row when some are gone: from there on down, else up; None if none is left."""
        left = (run.folder for run in (*self.shown[row:], *reversed(self.shown[:row])) if run.folder not in gone)
        return next(left, None)

    # Order

    @property
    def sorted_by(self) -> RunColumn:
        """The column that gives the order."""
        return FIELDS[self._sorted_by]

    @property
    def arrow(self) -> str:
        """Which way the order goes."""
        return "↓" if self._turned else "↑"

    def sort_by(self, field: RunColumn) -> None:
        """Sort by a column; by that which gives the order already, the other way round."""
        by = FIELDS.index(field)
        if by == self._sorted_by:
            self.turn()
        self._sorted_by = by

    def sort_by_next(self) -> None:
        """Sort by the next column."""
        self._sorted_by = (self._sorted_by + 1) % len(FIELDS)

    def turn(self) -> None:
        """Reverse the order."""
        self._turned = not self._turned

    # Marks

    def mark(self, run: RunInfo) -> None:
        """Mark a run, or take its mark away."""
        self.marked ^= {run.folder}

    def mark_all(self) -> None:
        """Mark all that are shown, or none of them if all are marked."""
        shown = {run.folder for run in self.shown}
        self.marked = self.marked - shown if shown <= self.marked else self.marked | shown

    @property
    def marked_runs(self) -> list[RunInfo]:
        """The marked runs, in the order in which they were read."""
        return [run for run in self.runs if run.folder in self.marked] if self.marked else []

    @property
    def marked_as_shown(self) -> list[RunInfo]:
        """The marked runs in the order of the list; those that do not match the filter come last."""
        shown = [run for run in self.shown if run.folder in self.marked]
        return shown + [run for run in self.marked_runs if run not in shown]
