"""The list of saved runs, which can be sorted, filtered, marked for comparison, and opened."""

from __future__ import annotations

from collections.abc import Sequence, Set
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from regtui.runs.comparison import AT_MOST
from regtui.runs.find import find_study_folders, is_study_folder
from regtui.runs.index import read_runs
from regtui.runs.info import RunInfo
from regtui.runs.read import read_run
from regtui.runs.trash import is_in_trash
from regtui.study.list import StudyInfo, read_study
from regtui.text import one_line
from regtui.tui.review.chores import Chores, Deleted
from regtui.tui.review.columns import PRESET, RunColumn, about, cells_of, columns_for, fields_for
from regtui.tui.review.listing import Listing
from regtui.tui.review.preview import REST, Preview
from regtui.tui.review.saved_run import OpenRun
from regtui.tui.run.keys import TRAIN_ON
from regtui.tui.run.train_on import TrainOn, offer
from regtui.tui.study.preview import OpenStudy, StudyPreview
from regtui.tui.widgets.filter_input import FilterInput
from regtui.tui.widgets.key_bar import KeyBar, tell
from regtui.tui.widgets.keys import EVERYWHERE, Key, bindings
from regtui.tui.widgets.row_list import Cell, Column, RowList
from regtui.tui.widgets.thread import in_thread

BESIDE, BELOW = 100, 24
"""Columns from which the preview stands beside the list, and rows from which it stands below."""
LIST_ROWS = 12
"""Rows that the preview leaves where it stands below: eight runs, their header, and the lines around."""
LOOK_AGAIN = 2.0
"""Seconds between two readings of the runs that go on."""


class ReviewScreen(Chores):
    """The list of all runs below a folder, or of chosen ones."""

    DEFAULT_CSS = """
    ReviewScreen {
        & #head { height: 1; padding: 0 1; color: $faint; text-wrap: nowrap; text-overflow: ellipsis; }
        & #middle { height: 1fr; layout: vertical; }
        & #middle.-beside { layout: horizontal; }
        & #middle.-beside Preview, & #middle.-beside StudyPreview {
            width: 1fr; height: 1fr; border-left: vkey $border-blurred;
        }
        & #words { height: 1; padding: 0 1; color: $faint; text-wrap: nowrap; text-overflow: ellipsis; }
        & #words.fault { height: auto; max-height: 3; color: $warning; text-wrap: wrap; }
    }
    """
    _HERE = (
        Key("enter", "open", "open", "Open the run.", "enter", footer=True),
        TRAIN_ON,
        Key("space", "mark", "mark", "Mark the run, and go to the next.", "space", footer=True),
        Key("c", "compare", "compare", "Lay the curves of the marked runs over each other.", "c", footer=True),
        Key("slash", "filter", "filter", "Filter by words, and by key<value on any field.", "/", footer=True),
        Key("u", "undo", "undo", "Bring back what was deleted last; in the trash: the run.", "u", footer=True),
        Key("delete,D", "delete", "delete", "Move the run, or the marked ones, into the trash.", "D", footer=True),
        Key("b", "presets", "presets", "To the presets.", "b", footer=True),
        Key("n", "note", "note", "Write a note on the run; it is kept beside its log.", "n", footer=True),
        Key("r", "rerun", "rerun", "Open the run's preset as it was run, ready to start.", "r", footer=True),
        Key("e", "export", "export", "Write the run, or the marked ones, in another format.", "e", footer=True),
        Key("T", "tags", "tags", "Tag the run, or the marked ones.", "T", footer=True),
        Key("s", "sort", "sort", "Sort by the next column; a click on a header sorts by it.", "s", footer=True),
        Key("S", "turn", "reverse", "Reverse the order.", "S"),
        Key("a", "mark_all", "mark all", "Mark all runs of the list, or none.", "a"),
        Key("Y", "copy_path", "copy path", "Copy the path of the run's log.", "Y"),
        Key("f5,R", "update", "reload", "Read the folder again.", "f5 R"),
        Key("escape", "escape", "back", "No filter, then no marks, then back.", "esc", footer=True),
    )
    KEYS = (*_HERE, *RowList.KEYS)
    BINDINGS = bindings((*_HERE, *EVERYWHERE))

    class Compare(Message):
        """The user compares several runs."""

        def __init__(self, runs: Sequence[RunInfo]) -> None:
            super().__init__()
            self.runs = runs

    class Presets(Message):
        """The user wants to choose a preset."""

    class Listed(Message):
        """The runs were read, by the reading of this number."""

        def __init__(self, number: int, runs: Sequence[RunInfo], words: Sequence[str]) -> None:
            super().__init__()
            self.number, self.runs, self.words = number, runs, words

    class Changed(Message):
        """Runs that go on were read again."""

        def __init__(self, runs: Sequence[RunInfo]) -> None:
            super().__init__()
            self.runs = runs

    class Offered(Message):
        """It was found out what the key does that trains a run on."""

        def __init__(self, run: RunInfo, words: str) -> None:
            super().__init__()
            self.run, self.words = run, words

    def __init__(self, folder: Path, chosen: Sequence[Path] = (), deleted: Deleted | None = None) -> None:
        """List runs.

        Args:
            folder: Lists those in and below it.
            chosen: If there are any, lists these instead.
            deleted: What was deleted before, the last at the end, to be brought back; more is added to it.
        """
        super().__init__(folder, deleted)
        self._chosen = chosen
        self.listing = Listing()
        self._fields: list[RunColumn] = []
        """The columns that the list has now."""
        self._words_of_reading = ""
        self._begun = 0  # readings of the folder; only the newest counts
        self._offered: tuple[RunInfo | None, str] = None, ""
        """The run under the cursor, and what the key says that trains it on, once that is known."""
        self._resting: Timer | None = None
        self._head = Static(id="head", markup=False)
        self._list = RowList()
        self._preview = Preview()
        self._study_preview = StudyPreview()
        self._words = Static(id="words", markup=False)
        self._input = FilterInput(placeholder="dropout test.difference>0.5 status=finished")

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self._head
        with Container(id="middle"):
            yield self._list
            yield self._preview
            yield self._study_preview
        yield self._words
        yield self._input
        yield KeyBar()

    def on_mount(self) -> None:
        """Begin to read the folder; the list stays empty meanwhile."""
        self._list.focus()
        self._head.update(f"reading {one_line(self._folder)} …")
        self.set_interval(LOOK_AGAIN, self._look_again)

    def on_screen_resume(self) -> None:
        """Read the folder, also on return from another screen: there may be new runs."""
        self._read()

    def _read(self) -> None:
        self._begun += 1
        self._read_runs(self._begun)

    @in_thread("listing")
    def _read_runs(self, number: int) -> None:
        words: list[str] = []
        if self._chosen:
            runs = [_read_saved(path) for path in self._chosen]
        else:
            runs = read_runs(self._folder, words.append)
            studies = [read_study(path) for path in find_study_folders(self._folder) if path != self._folder]
            runs = sorted([*runs, *studies], key=lambda run: (run.started, run.name), reverse=True)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Listed(number, runs, words))
        for run in runs:  # imported ahead, so that the first letter of a filter is not delayed
            run.texts  # noqa: B018

    def _look_again(self) -> None:
        going_on = [run.folder for run in self.listing.runs if run.may_go_on]
        if going_on and self.is_current:
            self.read_again(going_on)

    def read_again(self, folders: Sequence[Path]) -> None:
        """Read some of the listed runs again."""
        self._read_again(folders)

    @in_thread("listing")
    def _read_again(self, folders: Sequence[Path]) -> None:
        self.post_message(self.Changed([_read_saved(folder) for folder in folders]))

    @on(Listed)
    def _listed(self, event: Listed) -> None:
        if event.number != self._begun:
            return
        self.listing.take(event.runs)
        self._words_of_reading = "\n".join(map(one_line, event.words[:3]))
        self._show()
        self.query_one(KeyBar).redraw()  # a run of the trash can be brought back

    @on(Changed)
    def _changed(self, event: Changed) -> None:
        if self.listing.take_again(event.runs):
            self._show()

    def on_resize(self) -> None:
        """Choose the place of the preview, and the columns for the list's width."""
        width, height = self.size
        beside = width >= BESIDE
        self.query_one("#middle").set_class(beside, "-beside")
        self._preview.set_class(not beside, "-below")
        self._list.styles.width = self._list_width if beside else None
        for preview in (self._preview, self._study_preview):
            preview.styles.height = None if beside else height - LIST_ROWS
        self._show_preview()
        if self.listing.runs:
            self._show()

    @property
    def _list_width(self) -> int:
        """Columns of the list: all, or those that the preview beside it leaves."""
        width = self.size.width
        return max(62, width // 2) if width >= BESIDE else width

    @property
    def at_cursor(self) -> RunInfo | None:
        """The run under the cursor."""
        return self.listing.shown[self._list.cursor] if self.listing.shown else None

    # What is shown

    @on(Input.Changed)
    def _filter_changed(self) -> None:
        self._show()

    def _show(self, wanted_at: Path | None = None) -> None:
        """Fill the list with the runs that match the filter, in the chosen order.

        Args:
            wanted_at: The run that the cursor is on then; left out, it stays on its run.
        """
        before, listing = self.at_cursor, self.listing
        fault = listing.fill(self._input.value)
        cursor = listing.row_of(before) if wanted_at is None else listing.row_at(wanted_at)
        width = self._list_width
        self._fields = fields_for(listing.shown, width)
        columns = [Column("", 1), *columns_for(listing.shown, self._fields, width, listing.sorted_by, listing.arrow)]
        staying = 2 + self._fields.index(PRESET)  # these stay: the mark, and the columns up to the preset's name
        self._list.fill(columns, len(listing.shown), self._cells, cursor or 0, staying)
        self._tell(fault)

    def _cells(self, row: int) -> list[Cell]:
        run = self.listing.shown[row]
        mark = Cell("✓", "accent") if run.folder in self.listing.marked else Cell("#" if run.note.line else "", "faint")
        return [mark, *cells_of(run, self._fields, self._list_width)]

    @on(RowList.Moved)
    def _moved(self) -> None:
        self._tell()
        self.query_one(KeyBar).redraw()  # some keys are for runs alone

    def _tell(self, fault: str = "") -> None:
        """Show how many runs there are, and details of the one under the cursor."""
        listing = self.listing
        what = "runs and studies" if any(isinstance(run, StudyInfo) for run in listing.runs) else "runs"
        parts = [f"{len(listing.shown):,} of {len(listing.runs):,} {what}"]
        parts += [f"by {listing.sorted_by.column.title} {listing.arrow}"]
        parts += [f"{len(listing.marked):,} marked"] if listing.marked else []
        self._head.update(" · ".join([*parts, one_line(self._folder)]))
        run = self.at_cursor
        self._find_offer()
        previewed = self._show_preview()
        if run is not None and run.fault:
            fault = fault or ("" if previewed else f"{run.name}: {run.fault}")
        elif not listing.runs:
            fault = fault or "There are no runs here yet; 'regtui --preset dropout' makes one."
        elif run is None:
            fault = fault or "No run matches; escape shows all again."
        self._words.set_class(bool(fault or self._words_of_reading), "fault")
        silence = run.silence if run and not previewed else ""
        words = [*filter(None, (self._words_of_reading, one_line(fault), silence))]
        words = words or [one_line(about(run)) if run and not previewed else ""]
        self._words.update("\n".join(words))
        self._words.display = bool(words[0]) or not previewed

    def _show_preview(self) -> bool:
        """Preview the run or the study under the cursor, if there is room; returns whether there is."""
        run, (width, height) = self.at_cursor, self.size
        study = run if isinstance(run, StudyInfo) else None
        room = width >= BESIDE or height >= BELOW
        self._preview.display = room and study is None
        self._study_preview.display = room and study is not None
        self._preview.show(run if study is None else None)
        self._study_preview.show(study)
        return room

    # What the user does

    @on(RowList.Opened)
    def action_open(self) -> None:
        """Open the run under the cursor."""
        run = self.at_cursor
        if isinstance(run, StudyInfo):
            self.post_message(OpenStudy(run.folder))
        elif run is not None:
            self.post_message(OpenRun(run.folder))

    def action_mark(self) -> None:
        """Mark or unmark the run under the cursor."""
        if self.at_cursor is not None:
            self.listing.mark(self.at_cursor)
            self._list.refresh()
            self._list.action_move(1)
            self._tell()

    def action_mark_all(self) -> None:
        """Mark all listed runs, or unmark them if all are marked."""
        self.listing.mark_all()
        self._list.refresh()
        self._tell()

    def action_compare(self) -> None:
        """Compare the marked runs, in the order of the list."""
        marked = self.listing.marked_as_shown
        if any(isinstance(run, StudyInfo) for run in marked):
            tell(self, "Curves are those of runs; unmark the studies, or open one for its runs.")
        elif len(marked) < 2:
            tell(self, "Mark two runs or more first, with space.")
        elif len(marked) > AT_MOST:
            tell(self, f"{len(marked):,} runs are marked; at most {AT_MOST} fit in one chart.")
        else:
            self.post_message(self.Compare(marked))

    @on(RowList.HeaderClicked)
    def _sort_by_click(self, event: RowList.HeaderClicked) -> None:
        if event.column == 0:  # the marks
            return
        self.listing.sort_by(self._fields[event.column - 1])
        self._show()

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.listing.sort_by_next()
        self._show()

    def action_turn(self) -> None:
        """Reverse the order."""
        self.listing.turn()
        self._show()

    def action_presets(self) -> None:
        """Go to the presets."""
        self.post_message(self.Presets())

    def _find_offer(self) -> None:
        """Find out, once the cursor rests, whether the run under it can be trained on; its checkpoint is read."""
        run = self.at_cursor
        if run is self._offered[0]:
            return
        self._offered = run, ""
        if self._resting is not None:
            self._resting.stop()
        if run is not None and not isinstance(run, StudyInfo):
            self._resting = self.set_timer(REST, lambda: self._read_offer(run))

    @in_thread("offering")
    def _read_offer(self, run: RunInfo) -> None:
        self.post_message(self.Offered(run, offer(run.folder, run.status)))

    @on(Offered)
    def _was_offered(self, event: Offered) -> None:
        if self._offered[0] is event.run:
            self._offered = event.run, event.words
            self.query_one(KeyBar).redraw()

    def action_train_on(self) -> None:
        """Train the run under the cursor on."""
        if (run := self.at_cursor) is not None:
            self.post_message(TrainOn(run.folder, run.status))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Undo only what can be undone, go back only from somewhere, and do with studies what makes sense there."""
        if action == "rerun" and isinstance(self.at_cursor, StudyInfo):
            return False
        if action == "train_on":
            return bool(self._offered[1])
        if action == "escape":
            return self._input.is_open or bool(self.listing.marked) or len(self.app.screen_stack) > 2
        in_trash = self.at_cursor is not None and is_in_trash(self.at_cursor.folder)
        return action != "undo" or bool(self._deleted) or in_trash

    def key_label(self, action: str) -> str:
        """What escape does now, one step at a time, and whether the run is trained on to its end or beyond."""
        if action == "train_on":
            return self._offered[1]
        if action != "escape":
            return ""
        return "all runs" if self._input.is_open else "no marks" if self.listing.marked else ""

    @property
    def selected_runs(self) -> list[RunInfo]:
        """The marked runs; if none is, the run under the cursor."""
        return self.listing.marked_runs or ([self.at_cursor] if self.at_cursor else [])

    def take_off(self, gone: Set[Path]) -> None:
        """Take runs off the list that are no longer in their places."""
        nearest = self.listing.nearest(self._list.cursor, gone)
        self.listing.take_off(gone)
        self._show(nearest)

    def put_back(self, restored: Sequence[Path]) -> None:
        """List runs that are in their places again."""
        self.listing.put_back(restored, _read_saved)
        self._show(restored[0] if restored else None)
        self._read()  # a list that was begun before lacks them

    def action_update(self) -> None:
        """Read the folder again."""
        self.listing.expect_all()
        self._read()

    def action_filter(self) -> None:
        """Type a filter."""
        self._input.open()

    @on(Input.Submitted)
    def _filtered(self) -> None:
        self._list.focus()

    def action_escape(self) -> None:
        """Clear the filter, else the marks, else close the list."""
        if self._input.is_open:
            self._input.close()
            self._list.focus()
        elif self.listing.marked:
            self.listing.marked.clear()
            self._list.refresh()
            self._tell()
        elif len(self.app.screen_stack) > 2:  # the first is Textual's own
            self.dismiss()


def _read_saved(folder: Path) -> RunInfo:
    """What the list shows of a run or a study."""
    return read_study(folder) if is_study_folder(folder) else read_run(folder)
