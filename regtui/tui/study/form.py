"""What is asked before a study of a preset begins: its seeds, its jobs, and whether it may end early."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.widgets import Static

from regtui.evidence.over_seeds import LOOKS
from regtui.text import counted, duration, listed
from regtui.tui.choose.inputs import Edited, Tick
from regtui.tui.widgets.dialogs import Ask, Choice
from regtui.tui.widgets.scales import Counts
from regtui.tui.widgets.stepper import Stepper

SEEDS = 8
"""Seeds of a study that names none."""
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


class StudyForm(Ask):
    """Asks; the answer 'begin' goes with `wish`."""

    DEFAULT_CSS = """
    StudyForm {
        & Stepper, & Tick { width: auto; margin-bottom: 0; }
        & #foretold { height: auto; margin: 1 0; color: $secondary; }
    }
    """

    def __init__(
        self, title: str, text: str, jobs: int, foretold: Callable[[StudyWish], str], seconds: float | None = None
    ) -> None:
        """Make the form.

        Args:
            title: Of what the study is.
            text: Further information; may be empty.
            jobs: How many runs there is room for at the same time.
            foretold: Says what a study so asked for can find; may take a second.
            seconds: How long one run takes alone, if that is known.
        """
        super().__init__(title, text, BEGIN)
        self._foretell, self._run_seconds = foretold, seconds
        self._seeds = Stepper("seeds           ", SEEDS, Counts(2, MOST_SEEDS), id="seeds")
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
        self._seeds.set_applied(float(LOOKS[-1] if looks else SEEDS))
        self._show()

    def _show(self) -> None:
        wish = self.wish
        words = [counted(wish.seeds, "run")]
        if self._run_seconds is not None:
            words.append(f"about {duration(self._run_seconds * wish.seeds / min(wish.jobs, wish.seeds))}")
        self.query_one("#foretold", Static).update(f"{', '.join(words)}. {self._foretell(wish)}".strip())
