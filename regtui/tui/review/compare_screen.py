"""Compares saved runs: their curves in one chart, what differs between them, and statistics over seeds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static
from textual.worker import get_current_worker

from regtui.evidence.over_seeds import Compared
from regtui.evidence.seeds import describe_seeds, describe_several, judge_seeds
from regtui.protocol.events import Event
from regtui.protocol.history import History
from regtui.runs.comparison import Seeds, differing, seeds, why_not_counted
from regtui.runs.follow import Follower
from regtui.runs.info import RunInfo
from regtui.runs.read import read_run
from regtui.tasks import Metric
from regtui.text import listed, one_line
from regtui.tui.charts.chart import Chart
from regtui.tui.charts.plot import Space
from regtui.tui.review.compare_table import cells, columns, differ, rows
from regtui.tui.review.compare_view import (
    AXES,
    BY,
    COMPARED,
    CompareView,
    choices,
    compared_title,
    plot,
    runs_legend,
    shown,
)
from regtui.tui.review.replay import FOLLOW
from regtui.tui.review.saved_run import OpenRun
from regtui.tui.widgets.key_bar import KeyBar
from regtui.tui.widgets.keys import EVERYWHERE, Key, bindings
from regtui.tui.widgets.row_list import Cell, RowList
from regtui.tui.widgets.thread import in_thread

ROWS = 8
"""The most runs that the table shows before it scrolls."""
SOON = 0.05
"""Seconds to wait before drawing what was read, to draw what follows with it."""
NAME = 22
"""Longest name of a preset in cells."""


class Judged(NamedTuple):
    """The seeds of one preset: its name, and each arm compared in the test set's metric and, if known of all, loss."""

    name: str
    metric: Metric
    scores: Mapping[str, Compared]
    losses: Mapping[str, Compared]

    @classmethod
    def of(cls, group: Seeds) -> Judged:
        """Judge the seeds of a preset."""
        scores = judge_seeds({arm: found.differences for arm, found in group.arms.items()}, group.metric.better)
        known = all(found.losses for found in group.arms.values())
        losses = judge_seeds({arm: found.losses for arm, found in group.arms.items()}, "lower") if known else {}
        return cls(group.name, group.metric, scores, losses)

    def lines(self, width: int) -> list[str]:
        """What they say, as lines of text."""
        if len(self.scores) > 1:
            return describe_several(self.name, self.metric, self.scores, self.losses, width)
        (arm, score), *_ = self.scores.items()
        return describe_seeds(self.name, arm, self.metric, score, self.losses.get(arm), width)


class CompareScreen(Screen[None]):
    """A comparison of two or more runs."""

    DEFAULT_CSS = """
    CompareScreen {
        & #head { height: 1; padding: 0 1; color: $faint; text-wrap: nowrap; text-overflow: ellipsis; }
        & Chart { height: 1fr; min-height: 5; }
        & RowList { height: 4; margin: 0 0 1 0; }
        & VerticalScroll { height: auto; max-height: 25%; padding: 0 1; scrollbar-size-vertical: 1; }
    }
    """
    _HERE = (
        Key("enter", "open", "open", "Open the run under the cursor.", "enter", footer=True),
        Key("v", "quantity", "view", "Validation loss, difference, gap, metric, one after another.", "v", footer=True),
        Key("b", "by", "axis", "By epoch, by step, by seconds of training, one after another.", "b", footer=True),
        Key("o", "arms", "arms", "All arms, the baselines, the others, each of several.", "o", footer=True),
        Key("l", "log", "log", "Logarithmic or linear loss.", "l", footer=True),
        Key("h", "hide", "hide", "Take the run under the cursor out of the chart, and put it back.", "h", footer=True),
        Key("escape", "dismiss", "back", "Back to the list.", "esc", footer=True),
    )
    KEYS = (*_HERE, *RowList.KEYS)
    BINDINGS = bindings((*_HERE, *EVERYWHERE))

    class Told(Message):
        """Events of a run were read."""

        def __init__(self, run: int, events: Sequence[Event]) -> None:
            super().__init__()
            self.run, self.events = run, events

    class Known(Message):
        """The runs' outcomes were read, and the seeds of each preset were judged."""

        def __init__(self, infos: Sequence[RunInfo], judged: Sequence[Judged]) -> None:
            super().__init__()
            self.infos, self.judged = infos, judged

    def __init__(self, folders: Sequence[Path]) -> None:
        """Compare the runs in these folders, in this order."""
        super().__init__()
        self._folders = folders
        self._shown = [shown(index, History()) for index in range(len(folders))]
        self._infos: Sequence[RunInfo] = ()
        self._rows = [(place, "") for place in range(len(folders))]
        self._judged: Sequence[Judged] = ()
        self._view = CompareView()
        self._hidden: set[int] = set()
        self._due: Timer | None = None
        self._head = Static(f"reading {len(folders)} runs …", id="head", markup=False)
        self._chart = Chart(classes="panel")
        self._list = RowList()
        self._evidence = Static(markup=False)

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self._head
        yield self._chart
        yield self._list
        with VerticalScroll(can_focus=False):
            yield self._evidence
        yield KeyBar()

    def on_mount(self) -> None:
        """Begin to read the logs; the chart stays empty meanwhile."""
        self._list.focus()
        self._read()

    @in_thread("reading")
    def _read(self) -> None:
        """Read the curves, then the outcomes; follow runs that another process still writes."""
        worker = get_current_worker()
        followers = {index: Follower(folder, without_steps=True) for index, folder in enumerate(self._folders)}
        self._tell(followers)
        while not worker.is_cancelled:
            infos = [read_run(folder) for folder in self._folders]
            self._tell(followers)  # read after the outcomes: a run that had ended by then gets no more events
            self.post_message(self.Known(infos, [Judged.of(group) for group in seeds(infos)]))
            followers = {index: f for index, f in followers.items() if infos[index].may_go_on}
            if not followers:
                return
            time.sleep(FOLLOW)

    def _tell(self, followers: Mapping[int, Follower]) -> None:
        for index, follower in followers.items():
            with suppress(OSError):  # its outcome says what is wrong
                while events := follower.new_events():
                    self.post_message(self.Told(index, events))

    @on(Told)
    def _told(self, event: Told) -> None:
        history = self._shown[event.run].history
        for told in event.events:
            history.add(told)
        if self._due is None:
            self._due = self.set_timer(SOON, self._draw)

    @on(Known)
    def _known(self, event: Known) -> None:
        self._infos, self._judged = event.infos, event.judged
        self._fill()
        self._say_evidence()
        self.call_after_refresh(self._draw)  # rows of arms and words on seeds take room from the chart

    def on_resize(self) -> None:
        """Arrange the parts for a terminal of this size."""
        self._arrange()
        self.query_one(VerticalScroll).display = self.size.height >= 18
        if self._infos:
            self._fill()
        self._say_evidence()
        self.call_after_refresh(self._draw)

    def _arrange(self) -> None:
        self._list.styles.height = 1 + min(len(self._rows), ROWS, max(2, self.size.height // 4))

    @property
    def _at_cursor(self) -> int:
        """The place of the run under the cursor."""
        return self._rows[self._list.cursor][0]

    def _say_evidence(self) -> None:
        """Show the statistics over seeds, and which runs are not part of them."""
        width = max(20, self.size.width - 2)
        blocks = [line for judged in self._judged for line in judged.lines(width)]
        left_out = [
            f"{shown.letter}: {why}"
            for shown, info in zip(self._shown, self._infos, strict=False)
            if (why := why_not_counted(info))
        ]
        if left_out:
            blocks.append(f"Not counted over seeds: {'; '.join(left_out)}.")
        self._evidence.update("\n".join(blocks))

    def _fill(self) -> None:
        """Fill the table of differing settings and results."""
        keys = differing(self._infos)
        now, self._rows = self._rows[self._list.cursor], rows(self._infos)
        shown = [
            cells(self._infos[place], arm, Cell(run.letter, run.colour), keys, self.size.width)
            for place, arm in self._rows
            for run in (self._shown[place],)
        ]
        wanted = columns(self._infos, keys, self.size.width)
        cursor = self._rows.index(now) if now in self._rows else 0
        self._list.fill(wanted, len(shown), shown.__getitem__, cursor, staying=2)
        self._arrange()
        presets = {info.preset for info in self._infos}
        of = f" of {one_line(presets.pop(), NAME)}" if len(presets) == 1 else ""
        words = f"{len(self._infos)} runs{of} · "
        self._head.update(words + differ(keys, self.size.width - 2 - cell_len(words)))

    @on(RowList.Moved)
    def _draw(self) -> None:
        self._due = None
        if self._chart.content_size.width:
            self._chart.show(
                plot(self._shown, self._view, Space(*self._chart.content_size), self._at_cursor, self._hidden)
            )
        self._entitle()

    def _entitle(self) -> None:
        log = " · log" if self._view.log and self._view.quantity in ("loss", "metric") else ""
        words = compared_title(self._shown, self._view.quantity)
        letters = listed([self._shown[index].letter for index in sorted(self._hidden)])
        hidden = f" · without {letters}" if letters else ""
        self._chart.entitle(f"{words} {BY[self._view.by]}{log}{hidden}", runs_legend(self._view))

    # What the user does

    @on(RowList.Opened)
    def action_open(self) -> None:
        """Open the run under the cursor."""
        self.post_message(OpenRun(self._folders[self._at_cursor]))

    def action_quantity(self) -> None:
        """Show the next quantity."""
        self._view.quantity = COMPARED[(COMPARED.index(self._view.quantity) + 1) % len(COMPARED)]
        self._draw()

    def action_by(self) -> None:
        """Use the next kind of axis."""
        self._view.by = AXES[(AXES.index(self._view.by) + 1) % len(AXES)]
        self._draw()

    def action_arms(self) -> None:
        """Show all arms, or some of them."""
        known, now = choices(self._shown), (self._view.arms, self._view.arm)
        self._view.arms, self._view.arm = known[(known.index(now) + 1) % len(known) if now in known else 0]
        self._draw()

    def action_hide(self) -> None:
        """Take the run under the cursor out of the chart, or put it back."""
        self._hidden ^= {self._at_cursor}
        self._draw()

    def action_log(self) -> None:
        """Switch between a logarithmic and a linear axis."""
        self._view.log = not self._view.log
        self._draw()
