"""The preview of the run under the list's cursor: its headline, curves, conditions, and note.

Only the run on which the cursor rests is read, in a thread, and without the losses of its steps.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.worker import get_current_worker

from regtui.errors import InputError
from regtui.evidence.from_history import judge_run
from regtui.evidence.headline import headline, tone, warnings
from regtui.evidence.verdict import Verdict
from regtui.preset.file import load
from regtui.preset.model import Preset
from regtui.protocol.applied import own_preset
from regtui.protocol.history import History
from regtui.runs.follow import Follower
from regtui.runs.info import RunInfo
from regtui.runs.read import read_run
from regtui.text import NBSP, capital, counted, one_line
from regtui.tui.charts.chart import Chart
from regtui.tui.charts.plot import Plot, Space
from regtui.tui.charts.run_plots import plots
from regtui.tui.charts.view import View
from regtui.tui.look import arm_looks
from regtui.tui.review.columns import STATUS_COLOURS
from regtui.tui.run.train_on import further
from regtui.tui.run.verdict_panel import COLOURS
from regtui.tui.widgets.lines import Lines
from regtui.tui.widgets.thread import in_thread

REST = 0.12
"""Seconds after which the cursor rests on a run."""
FOLLOW = 0.5
"""Seconds between two looks at a run that goes on."""
STATES = {
    "running": "It is being trained.",
    "interrupted": "It was interrupted: its log has no end, so there is no verdict.",
    "damaged": "Its files do not tell how it ended.",
    "failed": "It failed.",
    "diverged": "It diverged.",
    "stopped": "It was stopped.",
}
"""What is said of a run without a verdict."""


class Contents(NamedTuple):
    """What was read of a run."""

    history: History
    preset: Preset | None
    verdicts: Mapping[str, Verdict]
    fault: str = ""
    further: str = ""
    """From where the run can be trained on, or why it can't; empty if it has ended by itself."""


class Paragraph(NamedTuple):
    """A text that is wrapped, and the name of its colour, with 'bold' before it if it is."""

    text: str
    colour: str = ""
    rows: int = 1


class Words(Lines):
    """Paragraphs, each of few rows."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._paragraphs: list[Paragraph] = []

    def show(self, paragraphs: list[Paragraph]) -> None:
        """Show these."""
        self._paragraphs = paragraphs
        self.redraw()

    def rows(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        """Each paragraph in as many rows as it may have; none below another screen, where there may be no room."""
        return [row for paragraph in self._paragraphs for row in self._wrapped(paragraph, width)] if width > 0 else []

    def _wrapped(self, paragraph: Paragraph, width: int) -> Iterator[Text]:
        colour = paragraph.colour.removeprefix("bold").strip() or "foreground"
        style = Style(color=self.app.theme_variables[colour], bold=paragraph.colour.startswith("bold"))
        for line in wrap(paragraph.text, width, max_lines=paragraph.rows, placeholder=" …"):
            yield Text(line.replace(NBSP, " "), style, end="", no_wrap=True)


class Preview(Vertical):
    """Shows one saved run, or nothing."""

    DEFAULT_CSS = """
    Preview {
        & Words { height: auto; padding: 0 1; }
        & Chart { height: 1fr; min-height: 5; }
        &.-below #below { display: none; }
    }
    """

    class Read(Message):
        """The run was read, or read on.

        Attributes:
            folder: Which.
            contents: What is in it.
        """

        def __init__(self, folder: Path, contents: Contents) -> None:
            super().__init__()
            self.folder, self.contents = folder, contents

    def __init__(self) -> None:
        super().__init__()
        self._run: RunInfo | None = None
        self._wanted: RunInfo | None = None
        self._contents: Contents | None = None
        self._timer: Timer | None = None
        self._above, self._below = Words(id="above"), Words(id="below")
        self._chart = Chart(classes="panel")

    def compose(self) -> ComposeResult:
        """Headline, curves, conditions."""
        yield self._above
        yield self._chart
        yield self._below

    def show(self, run: RunInfo | None) -> None:
        """Show this run once the cursor rests on it."""
        if self._wanted is run or run == self._run == self._wanted:
            return
        self._wanted = run
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(REST, self._rest)

    def _rest(self) -> None:
        before, self._run = self._run, self._wanted
        run = self._run
        if run is None:
            self._stop_reading()
        elif before is None or before.folder != run.folder:
            self._contents = None
            self._read(run.folder)
        self._draw()

    def _stop_reading(self) -> None:
        self._contents = None
        self.workers.cancel_node(self)

    @in_thread("preview")
    def _read(self, folder: Path) -> None:
        """Read the log, and read on while another process writes it; a run that vanishes is said to."""
        worker, history, follower = get_current_worker(), History(), Follower(folder, without_steps=True)
        try:
            preset: Preset | None = load(str(folder / "preset.toml"))
        except InputError:
            preset = None
        told = False
        while not worker.is_cancelled:
            new = False
            try:
                while not worker.is_cancelled and (events := follower.new_events()):
                    for event in events:
                        history.add(event)
                    new = True
                preset = own_preset(preset, history)
                goes_on = history.finished is None and read_run(folder).may_go_on
                fault = ""
            except OSError as error:
                goes_on, fault = False, f"Its events can't be read: {error.strerror}."
            verdicts: Mapping[str, Verdict] = {}
            if history.started is not None and history.finished is not None:
                verdicts = judge_run(history, preset)
            if worker.is_cancelled:
                return
            if new or not told or not goes_on:
                told = True
                shown = deepcopy(history) if goes_on else history
                on = "" if goes_on else further(folder)
                self.post_message(self.Read(folder, Contents(shown, preset, verdicts, fault, on)))
            if not goes_on:
                return
            time.sleep(FOLLOW)

    @on(Read)
    def _was_read(self, event: Read) -> None:
        if self._run is not None and event.folder == self._run.folder:
            self._contents = event.contents
            self._draw()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._draw()

    @on(Chart.Resized)
    def _draw_chart_anew(self) -> None:
        """The words above and below take their rows only after they are shown."""
        self._draw()

    def _draw(self) -> None:
        run, read = self._run, self._contents
        if run is None or not self.display:
            self._above.show([])
            self._below.show([])
            self._chart.display = False
            return
        low = self.has_class("-below")
        drawn = read is None or read.history.started is not None
        said = [] if low and drawn else [Paragraph(run.name, "secondary")]
        said += [*_caveats(run), *_headline(run, read, 2 if low else 3)]
        conditions = list(_conditions(run, read))
        self._above.show([*said, *(paragraph._replace(rows=1) for paragraph in conditions[:1] if low)])
        self._below.show(conditions)
        self._chart.display = drawn
        title = f"{run.name} · loss" if low else "loss"
        if read is None or read.history.started is None:
            self._chart.show(Plot(empty="reading …"))
            self._chart.entitle(title, "")
            return
        history = read.history
        view = View(overlay=True, arm=history.others[0] if history.others else "")
        self._chart.show(plots(history, view, Space(*self._chart.content_size))[0])
        self._chart.entitle(title, "")


def _caveats(run: RunInfo) -> Iterator[Paragraph]:
    """The user's note, and what keeps the run from being a clean comparison."""
    if run.note.line:
        yield Paragraph(run.note.line, "accent", 2)
    troubled = STATUS_COLOURS[run.status] and run.status not in run.clouds
    clouds: list[str] = [*([run.status] if troubled else []), *run.clouds]
    if clouds:
        yield Paragraph(f"▲ {' · '.join(clouds)}", "accent" if clouds == ["running"] else "bold warning")


def _headline(run: RunInfo, read: Contents | None, rows: int) -> Iterator[Paragraph]:
    """What the run found; of one that found nothing, why."""
    fault = run.fault or (read.fault if read is not None else "")
    if read is not None and read.verdicts:
        verdicts = list(read.verdicts.values())
        yield Paragraph(headline(verdicts), f"bold {COLOURS[tone(verdicts)]}", rows)
        for words in warnings(verdicts):
            yield Paragraph(words, "warning", rows)
    elif read is not None or run.status not in ("finished", "stopped", "diverged"):
        silence = f"It is {run.silence}." if run.silence else ""
        words = silence or STATES.get(run.status, "There is no verdict: its log has no usable end.")
        yield Paragraph(words, "bold", 2)
    if read is not None and read.further:
        yield Paragraph(read.further, "accent", 3)
    if fault:
        yield Paragraph(f"{capital(fault).rstrip('.')}.", "warning", 2)


def _conditions(run: RunInfo, read: Contents | None) -> Iterator[Paragraph]:
    """What was held fixed, and what each arm does."""
    preset = read.preset if read is not None else None
    if preset is None:
        return
    sizes, train = preset.sizes, preset.train
    yield Paragraph(
        " · ".join(
            (
                f"{preset.dataset.title} {sizes.train:,} / {sizes.val:,}",
                preset.network,
                counted(train.epochs, "epoch"),
                f"batch {train.batch_size}",
                f"{train.optimizer} {train.learning_rate:g}",
                preset.seeds,
                run.device or train.device,
            )
        ),
        "secondary",
        3,
    )
    looks = arm_looks(preset.arms())
    for arm, techniques in preset.arms().items():
        name = f"{arm} · " if arm in preset.named_arms else ""
        yield Paragraph(f"{looks[arm].mark} {name}{one_line(techniques.label())}", looks[arm].colour, 2)
