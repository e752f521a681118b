"""Leaving a run that goes on: what is asked."""

from __future__ import annotations

from collections.abc import Sequence

from regtui.tui.run.session import Session
from regtui.tui.widgets.dialogs import AskWhileItTrains, Choice

RUNNING = "leave it running"
QUIT_CHOICES = (
    Choice("g", "go on", "Go on training"),
    Choice("l", RUNNING, "Leave it running: another process trains it on"),
    Choice("k", "keep", "Stop, keep and leave: validate, test, save"),
    Choice("x", "at once", "Stop and leave at once: no validation, no test"),
)


class LeaveQuestion(AskWhileItTrains):
    """Asks what becomes of the run that goes on."""

    def __init__(self, session: Session) -> None:
        """Of this run."""
        choices: Sequence[Choice] = QUIT_CHOICES
        over = "handed over at the end of its epoch"
        resumed = "goes on and " * session.history.paused
        words = f"Left running, it {resumed}is {over}; 'regtui attach' shows it again."
        if session.is_left_running:
            words = f"It is {over}, unless you choose something else."
        if fault := session.history.unsaved.get("weights", ""):
            words = f"It can't be left running now: {fault}."
            choices = [choice for choice in QUIT_CHOICES if choice.value != RUNNING]
        super().__init__(
            "Leave while the run goes on?", f"What was measured is in the log either way. {words}", choices
        )
