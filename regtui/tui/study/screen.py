"""The screen of a study: its verdict, each arm's dots and interval, curves, and what runs where while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static
from textual.worker import get_current_worker

from regtui.errors import RegtuiError
from regtui.study.dose import dose_responses, effect_maps, gains
from regtui.study.folder import StudyFolder
from regtui.study.markdown import markdown
from regtui.study.outcome import outcome_of
from regtui.study.record import state_of
from regtui.text import one_line
from regtui.tui.charts.chart import Chart
from regtui.tui.charts.curves import CHART
from regtui.tui.charts.plot import Plot, Space
from regtui.tui.review.saved_run import OpenRun
from regtui.tui.study.answer import WIDEST, answer_rows, detail_lines
from regtui.tui.study.courses import Shown, courses_plot, courses_title
from regtui.tui.study.elsewhere import RunsElsewhere
from regtui.tui.study.forest import ArmInCell, dots, forest, found, places
from regtui.tui.study.heat import heat_rows
from regtui.tui.study.keys import STUDY_KEYS, TITLES, StudyView
from regtui.tui.study.progress import header_line, running_rows
from regtui.tui.study.ranking import ranked, table
from regtui.tui.study.response import chosen_response, gains_plot, gains_title, response_plot, response_title
from regtui.tui.study.session import Course, StudySession, read_courses
from regtui.tui.widgets.clipboard import copy
from regtui.tui.widgets.dialogs import AskWhileItTrains, Choice
from regtui.tui.widgets.key_bar import KeyBar, tell
from regtui.tui.widgets.keys import EVERYWHERE, bindings
from regtui.tui.widgets.lines import Lines
from regtui.tui.widgets.thread import in_thread

IN_ROWS: tuple[StudyView, ...] = ("differences", "ranking", "map")
"""Views that are rows of text, below which the curves stand where there is room."""
FOLLOW = 1.0
"""Seconds between two readings of a study that another program runs."""
SECONDS = 1.0
"""Between two drawings of what runs, whose clocks go on by themselves."""
MOST_COURSES = 200
"""The mean curves are those of so many runs of a cell at most; each takes some milliseconds to read."""
MOST_RUNNING = 6
"""Rows of what runs where, at most."""
FRAME = 3
"""Columns that the lines around a chart take."""
FEWEST, MOST_BEFORE = 5, 8
"""Rows that the answer may always have, and before a seed is done, when they say what the study can find."""
BESIDE = 8
"""The rows of a chart below other rows, at least."""
LOW = 16
"""Below so many rows, what runs where is left out."""
STOP_CHOICES = (
    Choice("g", "go on", "Go on"),
    Choice("k", "keep", "Stop; the runs that are done are kept"),
)


class _Rows(Lines):
    """Rows that a function draws for the width and height that there is."""

    def __init__(self, draw: Callable[[int, int], list[Text]], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._draw = draw

    def rows(self, width: int, height: int) -> list[Text]:
        """As the function says."""
        return self._draw(width, height)


class StudyScreen(Screen[None]):
    """The screen of one study, saved or going on."""

    DEFAULT_CSS = """
    StudyScreen {
        layout: vertical;
        & #head { height: 1; padding: 0 1; }
        & #answer { height: auto; padding: 0 1; }
        & #main { height: auto; margin-top: 0; }
        & #running { height: auto; padding: 0 1; }
        & #details { height: 1fr; padding: 0 1; border-top: solid $border-blurred; scrollbar-size-vertical: 1; }
        & #details Static { height: auto; }
        &.-roomy #main { margin-top: 1; }
    }
    """
    AUTO_FOCUS = ""
    KEYS = STUDY_KEYS
    BINDINGS = bindings((*STUDY_KEYS, *EVERYWHERE))

    class Review(Message):
        """The user wants to see the saved runs."""

    class GoOn(Message):
        """The user wants the study's missing runs to be made."""

        def __init__(self, session: StudySession) -> None:
            super().__init__()
            self.session = session

    class CoursesRead(Message):
        """The epochs of saved runs were read."""

        def __init__(self, courses: Mapping[Path, Course]) -> None:
            super().__init__()
            self.courses = courses

    class Followed(Message):
        """A study that another program runs was read again."""

    def __init__(self, session: StudySession) -> None:
        """Show a study."""
        super().__init__()
        self.session = session
        self.at = places(session.outcome)[0]
        self.seed: int | None = None
        self.view: StudyView = "differences"
        self._shown: Shown = "loss"
        self._details = False
        self._answer_most = FEWEST
        self._reading = set[Path]()
        self._head = _Rows(self._head_rows, id="head")
        self._answer = _Rows(self._answer_rows, id="answer")
        self._main = _Rows(self._main_rows, id="main")
        self._chart = Chart(classes="panel")
        self._under_way = _Rows(self._under_way_rows, id="running")
        self._page = VerticalScroll(Static(id="words", markup=False), id="details", can_focus=False)
        self._key_bar = KeyBar()

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self._head
        yield self._answer
        yield self._main
        yield self._chart
        yield self._page
        yield self._under_way
        yield self._key_bar

    def on_mount(self) -> None:
        """Show what there is, and read the courses of the runs that are done."""
        if not self.session.ended:
            self.set_interval(SECONDS, self._tick)
        if not (self.session.live or self.session.ended):
            self._follow()
        self._read_missing()
        self._arrange()

    @in_thread("following")
    def _follow(self) -> None:
        """Read again what a study has come to that another program runs, until it is over or the screen is closed."""
        worker, runs = get_current_worker(), RunsElsewhere()
        while not worker.is_cancelled and not self.session.ended:
            with suppress(RegtuiError):  # a run is being moved or written; it is read the next time
                study = StudyFolder.open(self.session.folder)
                for news in runs.news(study):
                    self.session.tell(news)
                self.session.tell(outcome_of(study, state_of(study)))
                if not worker.is_cancelled:
                    self.post_message(self.Followed())
            time.sleep(FOLLOW)

    @on(Followed)
    def _followed(self) -> None:
        self.session.take_in()
        self.session.ended = self.session.outcome.state != "running"
        if self.session.ended:
            self.session.running.clear()
        self.catch_up()

    def on_resize(self) -> None:
        """Arrange the parts for a terminal of this size."""
        self._arrange()

    def on_screen_resume(self) -> None:
        """Show what happened while another screen was on top."""
        self._arrange()

    # What happens

    def catch_up(self) -> None:
        """Show what the study has told."""
        self._read_missing()
        self._key_bar.redraw()
        if self.is_current:
            self._arrange()

    def _tick(self) -> None:
        if self.is_current and not self.session.ended:
            self._head.redraw()
            self._under_way.redraw()

    def _read_missing(self) -> None:
        """Read the courses of the chosen cell's runs, of the first so many."""
        known = self.session.courses.keys() | self._reading
        runs = list(self.session.outcome.cells[self.at.cell].runs.values())[:MOST_COURSES]
        if wanted := [folder for folder in runs if folder not in known]:
            self._reading.update(wanted)
            self._read(wanted)

    @in_thread("reading", exclusive=False)
    def _read(self, folders: list[Path]) -> None:
        courses = read_courses(folders)
        if not get_current_worker().is_cancelled:
            self.post_message(self.CoursesRead(courses))

    @on(CoursesRead)
    def _courses_read(self, event: CoursesRead) -> None:
        self._reading -= event.courses.keys()
        self.session.courses.update(event.courses)
        self._draw_chart()

    # What is shown

    @property
    def views(self) -> list[StudyView]:
        """Those that this study has."""
        of = self.session.outcome
        there = {
            "differences": True,
            "ranking": len(of.plan.arms) > 1,
            "response": bool(dose_responses(of)),
            "gain": bool(gains(of)),
            "map": bool(effect_maps(of)),
            "curves": True,
        }
        return [view for view in TITLES if there[view]]

    def _arrange(self) -> None:
        """Give each part its rows: the answer first, then the view, and the curves where there is room beside it."""
        width, height = self.size
        if not width:
            return
        roomy = height >= 2 * LOW
        self.set_class(roomy, "-roomy")
        running = self._under_way_rows(width - 2, 0) if height >= LOW else []
        self._under_way.display = bool(running) and not self._details
        self._answer_most = 2 if height < LOW else FEWEST if self.session.outcome.seeds else MOST_BEFORE
        answered = len(self._answer_rows(width - 2, 0))
        rest = height - 1 - self._key_bar.height_in(height) - answered
        rest -= len(running) * (not self._details) + roomy
        self._page.display = self._details
        self._answer.display = not self._details
        in_rows = self.view in IN_ROWS
        self._main.display = not self._details and in_rows
        rows = self._rows_beside_a_chart(width, rest) if self._main.display else 0
        charted = not in_rows or bool(rows)
        if not charted:  # what the view leaves is the answer's
            self._answer_most += max(0, rest - len(self._main_rows(width, 0)))
            rest -= len(self._answer_rows(width - 2, 0)) - answered
        self._chart.display = not self._details and charted
        self._main.styles.height = rows or rest
        if self._details:
            columns = max(20, min(WIDEST, width - 4))
            self.query_one("#words", Static).update("\n".join(detail_lines(self.session, columns)))
        for part in (self._head, self._answer, self._main, self._under_way):
            part.redraw()
        self.call_after_refresh(self._draw_chart)

    def _rows_beside_a_chart(self, width: int, rest: int) -> int:
        """The rows of the view where a chart has room below, else 0: all it would like, or a row fewer for each arm."""
        most = len(self._main_rows(width, 0))
        least = most - len(places(self.session.outcome)) * (self.view == "differences")
        rows = most if most <= rest else least
        return rows if rest - rows >= BESIDE else 0

    def _draw_chart(self) -> None:
        if not self._chart.display or not self.is_current:
            return
        subject = self.session.subject
        # A chart that was hidden has no size before the next layout, and as many columns as the screen allows after it.
        plot, title, legend = self._plot(Space(self.size.width - FRAME, max(CHART, self._chart.content_size.height)))
        self._chart.show(plot)
        cell = f" · {subject.cells[self.at.cell]}" if self.at.cell and self.view != "gain" else ""
        self._chart.entitle(one_line(f"{title}{cell}"), one_line(legend))

    def _plot(self, space: Space) -> tuple[Plot, str, str]:
        """What the chart shows, with the words above and below it."""
        session, subject, (cell, arm) = self.session, self.session.subject, self.at
        if self.view == "response":
            response = chosen_response(dose_responses(session.outcome, cell), self.at)
            if response is not None:
                return response_plot(response, subject, arm, space), *response_title(response, subject)
        if self.view == "gain":
            over = gains(session.outcome)[0]
            return gains_plot(over, subject, arm, space), gains_title(over, subject), ""
        shown = self._shown
        return courses_plot(session, cell, arm, shown, space), courses_title(session, cell, arm, shown), ""

    def _head_rows(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        return [header_line(self.session, width, self.app.theme_variables)]

    def _answer_rows(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        return answer_rows(self.session, width, self._answer_most, self.app.theme_variables)

    def _main_rows(self, width: int, height: int) -> list[Text]:
        outcome, subject, colours = self.session.outcome, self.session.subject, self.app.theme_variables
        if self.view == "ranking":
            return table(outcome, subject, self.at, width, colours)
        if self.view == "map" and (maps := effect_maps(outcome)):
            return heat_rows(maps[0], subject, self.at, (width, height), colours)
        return forest(outcome, subject, self.at, self.seed, (width, height), colours)

    def _under_way_rows(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        return running_rows(self.session, width, MOST_RUNNING, self.app.theme_variables)

    # What the user does

    @property
    def going_on(self) -> bool:
        """Whether this program makes its runs now."""
        return self.session.live and not self.session.ended

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Allow only actions that are possible now."""
        outcome = self.session.outcome
        match action:
            case "open":
                return not self._details and self.run_at_cursor is not None
            case "seed":
                return not self._details and bool(found(outcome, self.at).score.differences)
            case "arm":
                return self._details or len(places(outcome)) > 1
            case "cell":
                return len(outcome.cells) > 1
            case "view":
                return not self._details and len(self.views) > 1
            case "page":
                return self._details
            case "stop":
                return self.going_on and not self.session.stop.is_set()
            case "go_on":
                return not self.going_on and outcome.state in ("interrupted", "stopped")
            case "review":
                return self.session.live and self.session.ended
            case _:
                return True

    def key_label(self, action: str) -> str:
        """What a key does in the present state, where that is another thing than the table says."""
        if action == "view":
            return TITLES[self._next_view]
        if action == "details" and self._details:
            return "back"
        if action == "arm(-1)" and self._details:
            return "scroll"
        if action == "seed(-1)" and self.view == "map":
            return "columns"
        if action == "quantity" and self._shown == "metric":
            return "loss"
        if action == "back":
            return "all seeds" if self.seed is not None else "verdict" if self._details else ""
        return ""

    @property
    def run_at_cursor(self) -> Path | None:
        """The folder of the chosen seed's run."""
        return None if self.seed is None else self.session.outcome.cells[self.at.cell].run_of(self.at.arm, self.seed)

    @property
    def _next_view(self) -> StudyView:
        views = self.views
        return views[(views.index(self.view) + 1) % len(views)] if self.view in views else views[0]

    def _changed(self) -> None:
        self._read_missing()
        self._key_bar.redraw()
        self._arrange()

    def action_open(self) -> None:
        """Open the run of the chosen seed."""
        if self.run_at_cursor is not None:
            self.post_message(OpenRun(self.run_at_cursor))

    def action_arm(self, by: int) -> None:
        """Choose the arm above or below, in the next cell too; in the details, scroll."""
        if self._details:
            self._page.scroll_relative(y=by, animate=False)
            return
        outcome, subject = self.session.outcome, self.session.subject
        order = ranked(outcome, subject, self.at.cell) if self.view == "ranking" else places(outcome)
        self._go_to(order[(order.index(self.at) + by) % len(order)])

    def action_cell(self, by: int) -> None:
        """Choose the same arm in another cell."""
        cells = list(self.session.outcome.cells)
        self._go_to(ArmInCell(cells[(cells.index(self.at.cell) + by) % len(cells)], self.at.arm))

    def _go_to(self, place: ArmInCell) -> None:
        self.at = place
        if self.seed not in found(self.session.outcome, place).score.differences:
            self.seed = None
        self._changed()

    def action_seed(self, by: int) -> None:
        """Choose the next dot to the right or the left; without one, the one at that end."""
        seeds = [dot.seed for dot in dots(found(self.session.outcome, self.at).score)]
        if self.seed is None:
            self.seed = seeds[0 if by > 0 else -1]
        else:
            self.seed = seeds[(seeds.index(self.seed) + by) % len(seeds)]
        self._changed()

    def action_view(self) -> None:
        """Show the next view."""
        self.view = self._next_view
        self._changed()

    def action_quantity(self) -> None:
        """Let the curves show the metric, or the loss."""
        self._shown = "metric" if self._shown == "loss" else "loss"
        self._changed()

    def action_details(self) -> None:
        """Show what the verdict rests on, or no more."""
        self._details = not self._details
        self._page.scroll_home(animate=False)
        self._changed()

    def action_page(self, by: int) -> None:
        """Scroll the details by a page."""
        self._page.scroll_relative(y=by * max(1, self._page.size.height - 1), animate=False)

    def action_back(self) -> None:
        """One step back: from a seed, from the details, from the study; while it goes on, that is asked about."""
        if self.seed is not None:
            self.seed = None
            self._changed()
        elif self._details:
            self.action_details()
        elif self.going_on:
            self.action_stop()
        else:
            self.dismiss()

    def action_stop(self) -> None:
        """Ask whether to stop."""
        done, planned = self.session.outcome.runs
        words = (
            f"{done} of {planned} runs are done. When the study goes on, those that run now go on from their "
            "checkpoints, or are begun anew if it saves none."
        )
        self.app.push_screen(AskWhileItTrains("Stop the study?", words, STOP_CHOICES), self._stop_answered)

    def _stop_answered(self, answered: str | None) -> None:
        if answered == "keep":
            self.session.stop.set()
            tell(self, "Stopping …")
            self._changed()

    def action_go_on(self) -> None:
        """Make the missing runs."""
        self.post_message(self.GoOn(self.session))

    def action_review(self) -> None:
        """Open the saved runs."""
        self.post_message(self.Review())

    def action_copy_verdict(self) -> None:
        """Copy the verdict as Markdown."""
        copy(self, markdown(self.session.outcome, self.session.folder.name), "the verdict")

    def action_copy_path(self) -> None:
        """Copy the path of the study."""
        copy(self, one_line(self.session.folder.absolute()), "the path of the study")
