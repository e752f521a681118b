"""What is asked before a study of a preset begins: its seeds, its jobs, and whether it may end early."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from regtui.evidence.looks import LOOKS
from regtui.study.design import USUAL_SEEDS, Wishes
from regtui.text import NBSP, counted, listed
from regtui.tui.choose.inputs import Edited, Tick
from regtui.tui.widgets.dialogs import Ask, Choice
from regtui.tui.widgets.scales import Counts
from regtui.tui.widgets.stepper import Stepper
from regtui.tui.widgets.thread import in_thread

MOST_SEEDS, MOST_JOBS = 1_000, 64
BEGIN = (Choice("b", "begin", "Begin the study"),)


class StudyWish(NamedTuple):
    """What the form came to.

    Attributes:
        seeds: How many.
        jobs: Runs at the same time.
        looks: Whether it may end early, at planned looks.
    """

    seeds: int
    jobs: int
    looks: bool

    @property
    def wishes(self) -> Wishes:
        """The same as the command line would have it."""
        return Wishes(str(self.seeds), looks=self.looks)


class StudyForm(Ask):
    """Asks; the answer 'begin' goes with `wish`."""

    DEFAULT_CSS = """
    StudyForm {
        & Stepper, & Tick { width: auto; margin-bottom: 0; }
        & #foretold { height: auto; margin: 1 0; color: $secondary; }
    }
    """

    class Foretold(Message):
        """It is known what a study so asked for can find."""

        def __init__(self, wish: StudyWish, words: str) -> None:
            super().__init__()
            self.wish, self.words = wish, words

    def __init__(self, title: str, text: str, jobs: int, foretold: Callable[[StudyWish], str]) -> None:
        """Make the form.

        Args:
            title: Of what the study is.
            text: Further information; may be empty.
            jobs: How many runs there is room for at the same time.
            foretold: Says what a study so asked for can find; called in a thread, since it takes a second.
        """
        super().__init__(title, text, BEGIN)
        self._foretold = foretold
        self._seeds = Stepper("seeds           ", USUAL_SEEDS, Counts(2, MOST_SEEDS), id="seeds")
        self._jobs = Stepper("at the same time", jobs, Counts(1, MOST_JOBS), id="jobs")
        self._looks = Tick("looks", f"may end early: looks at {listed([str(look) for look in LOOKS])} seeds")
        self._looks.value = False

    @property
    def wish(self) -> StudyWish:
        """What is asked for now."""
        looks = bool(self._looks.value)
        return StudyWish(LOOKS[-1] if looks else int(self._seeds.value), int(self._jobs.value), looks)

    def answers(self) -> ComposeResult:
        """The settings, what follows from them, and the button."""
        yield self._seeds
        yield self._jobs
        yield self._looks
        yield Static(id="foretold", markup=False)
        yield from super().answers()

    def on_mount(self) -> None:
        """Say what follows from the first settings."""
        self._show()

    @on(Stepper.Changed)
    def _stepped(self, event: Stepper.Changed) -> None:
        event.stepper.set_applied(event.value)
        self._show()

    @on(Edited)
    def _edited(self) -> None:
        looks = bool(self._looks.value)
        self._seeds.why_not = f"A study with looks is planned for {LOOKS[-1]} seeds." if looks else ""
        self._seeds.set_applied(float(LOOKS[-1] if looks else USUAL_SEEDS))
        self._show()

    def _show(self) -> None:
        self.query_one("#foretold", Static).update(f"{counted(self.wish.seeds, 'seed')}: …")
        self._foretell(self.wish)

    @in_thread("foretelling")
    def _foretell(self, wish: StudyWish) -> None:
        words = self._foretold(wish)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Foretold(wish, words))

    @on(Foretold)
    def _tell_foretold(self, event: Foretold) -> None:
        if event.wish == self.wish:
            self.query_one("#foretold", Static).update(event.words.replace(NBSP, " "))
