"""The saved runs as a list: sorted by any column, filtered, opened one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen
from textual.widgets import DataTable, Input, Static

from regtui.errors import InputError
from regtui.runs import RunInfo, read_run
from regtui.runs_filter import parse
from regtui.runs_index import list_runs
from regtui.tui.key_bar import KeyBar
from regtui.tui.keys import EVERYWHERE, Key, bindings

UNKNOWN = "–"


def _number(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else f"{value:{form}}".replace("-", "−")


def _percent(fraction: float | None) -> str:
    return UNKNOWN if fraction is None else f"{100 * fraction:.2f}"


# Title, what a run has there, and by what the column is sorted.
COLUMNS: list[tuple[str, Callable[[RunInfo], str], Callable[[RunInfo], object]]] = [
    ("started (UTC)", lambda r: f"{r.started:%Y-%m-%d %H:%M}", lambda r: r.started),
    ("preset", lambda r: r.preset or UNKNOWN, lambda r: r.preset),
    ("status", lambda r: r.status, lambda r: r.status),
    ("verdict", lambda r: r.verdict or UNKNOWN, lambda r: r.verdict),
    ("Δ points", lambda r: _number(r.difference, "+.2f"), lambda r: r.difference),
    ("● test %", lambda r: _percent(r.baseline.test_accuracy), lambda r: r.baseline.test_accuracy),
    ("◆ test %", lambda r: _percent(r.regularized.test_accuracy), lambda r: r.regularized.test_accuracy),
    ("● val", lambda r: _number(r.baseline.best_val_loss, ".4f"), lambda r: r.baseline.best_val_loss),
    ("◆ val", lambda r: _number(r.regularized.best_val_loss, ".4f"), lambda r: r.regularized.best_val_loss),
    ("epochs", lambda r: _number(r.epochs, "d"), lambda r: r.epochs),
    ("seed", lambda r: _number(r.seed, "d"), lambda r: r.seed),
    ("device", lambda r: r.device or UNKNOWN, lambda r: r.device),
]
RIGHT = {"Δ points", "● test %", "◆ test %", "● val", "◆ val", "epochs", "seed"}


class ReviewScreen(Screen[None]):
    """All runs below a folder, or some chosen ones."""

    DEFAULT_CSS = """
    ReviewScreen {
        & #head { height: 1; padding: 0 1; color: $faint; }
        & DataTable { height: 1fr; scrollbar-size-horizontal: 1; }
        & #words { height: auto; max-height: 3; padding: 0 1; color: $warning; }
        & Input { height: 1; border: none; padding: 0 1; background: $panel; display: none; }
        & Input.shown { display: block; }
    }
    """
    KEYS = (
        Key("enter", "open", "open", "Open the run.", "enter", footer=True),
        Key(
            "slash",
            "filter",
            "filter",
            "Filter by words, and by key<value on any field.",
            "/",
            footer=True,
        ),
        Key("s", "sort", "sort", "Sort by the next column.", "s", footer=True),
        Key("S", "turn", "turn", "Turn the order round.", "S"),
        Key("u", "update", "update", "Read the folder again.", "u", footer=True),
        Key("escape", "escape", "no filter", "Show all runs again.", "esc"),
    )
    BINDINGS = bindings((*KEYS, *EVERYWHERE))

    class Open(Message):
        """The user wants to see a run."""

        def __init__(self, run: RunInfo) -> None:
            super().__init__()
            self.run = run

    class Listed(Message):
        """The runs have been read."""

        def __init__(self, runs: Sequence[RunInfo], words: Sequence[str]) -> None:
            super().__init__()
            self.runs, self.words = runs, words

    def __init__(self, folder: Path, chosen: Sequence[Path] = ()) -> None:
        """List the runs in and below `folder`, or, if there are any, those `chosen`."""
        super().__init__()
        self._folder, self._chosen = folder, chosen
        self._runs: list[RunInfo] = []
        self._shown: list[RunInfo] = []
        self._sorted_by, self._turned = 0, True
        self._head = Static(id="head", markup=False)
        self._table: DataTable[Text] = DataTable(cursor_type="row", zebra_stripes=False)
        self._words = Static(id="words", markup=False)
        self._input = Input(placeholder="dropout test.difference>0.5 status=finished", id="filter")

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self._head
        yield self._table
        yield self._words
        yield self._input
        yield KeyBar((*self.KEYS, *EVERYWHERE))

    def on_mount(self) -> None:
        """Read the folder behind the empty list."""
        for title, _, _ in COLUMNS:
            self._table.add_column(title, key=title)
        self._table.focus()
        self._head.update(f"reading {self._folder} …")
        self._read()

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _read(self) -> None:
        words: list[str] = []
        runs = [read_run(path) for path in self._chosen] if self._chosen else list_runs(self._folder, words.append)
        self.post_message(self.Listed(runs, words))

    @on(Listed)
    def _listed(self, event: Listed) -> None:
        self._runs = list(event.runs)
        self._words.update("\n".join(event.words[:3]))
        self._show()

    @on(Input.Changed)
    def _show(self) -> None:
        """Fill the table with what the filter lets through, in the chosen order."""
        fault = ""
        try:
            wanted = parse(self._input.value)
            fault = wanted.unknown(self._runs)
            self._shown = wanted.select(self._runs)
        except InputError as error:
            fault = str(error)
        by = COLUMNS[self._sorted_by][2]
        known = [run for run in self._shown if by(run) is not None]
        known.sort(key=by, reverse=self._turned)  # type: ignore[arg-type]
        self._shown = known + [run for run in self._shown if by(run) is None]  # unknown last, whatever the order
        self._table.clear()
        for run in self._shown:
            cells = [(title, value(run)) for title, value, _ in COLUMNS]
            self._table.add_row(*(Text(words, justify="right" if title in RIGHT else "left") for title, words in cells))
        order = f"{COLUMNS[self._sorted_by][0]} {'↓' if self._turned else '↑'}"
        count = f"{len(self._shown):,} of {len(self._runs):,} runs"
        self._head.update(f"{count} · by {order} · {self._folder}")
        if fault or self._input.value:
            self._words.update(fault)
        self._tell_fault()

    @on(DataTable.RowHighlighted)
    def _tell_fault(self) -> None:
        row = self._table.cursor_row
        if 0 <= row < len(self._shown) and self._shown[row].fault:
            self._words.update(f"{self._shown[row].name}: {self._shown[row].fault}")

    @on(DataTable.RowSelected)
    def action_open(self) -> None:
        """Open the run under the cursor."""
        row = self._table.cursor_row
        if 0 <= row < len(self._shown):
            self.post_message(self.Open(self._shown[row]))

    @on(DataTable.HeaderSelected)
    def _sort_by_click(self, event: DataTable.HeaderSelected) -> None:
        if event.column_index == self._sorted_by:
            self._turned = not self._turned
        self._sorted_by = event.column_index
        self._show()

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._sorted_by = (self._sorted_by + 1) % len(COLUMNS)
        self._show()

    def action_turn(self) -> None:
        """Largest or smallest first."""
        self._turned = not self._turned
        self._show()

    def action_update(self) -> None:
        """Read the folder again."""
        self._read()

    def action_filter(self) -> None:
        """Type a filter."""
        self._input.add_class("shown")
        self._input.focus()

    @on(Input.Submitted)
    def _filtered(self) -> None:
        self._table.focus()

    def action_escape(self) -> None:
        """Back to all runs."""
        self._input.value = ""
        self._input.remove_class("shown")
        self._table.focus()
