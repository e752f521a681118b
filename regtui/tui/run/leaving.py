"""Leaving a run that goes on: what is asked, and how another process takes over a run that is left running."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from regtui.engine import detach
from regtui.engine.resume import Changes
from regtui.engine.run import HandedOver, RunResult
from regtui.errors import RegtuiError
from regtui.protocol.events import ControlApplied, Event
from regtui.tui.run.session import Session
from regtui.tui.run.training import Training
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
        words = f"Left running, it is {over}; 'regtui attach' shows it again."
        if session.is_left_running:
            words = f"It is {over}, unless you choose something else."
        if fault := session.history.unsaved.get("weights", ""):
            words = f"It can't be left running now: {fault}."
            choices = [choice for choice in QUIT_CHOICES if choice.value != RUNNING]
        super().__init__(
            "Leave while the run goes on?", f"What was measured is in the log either way. {words}", choices
        )


def train(
    training: Training, session: Session, logs: Path, begun: Callable[[Path], None], say: Callable[[str, bool], object]
) -> RunResult | None:
    """Train a session's run here, until it has ended or another process trains it on.

    Args:
        training: What trains.
        session: The run. What it leads to is told to it.
        logs: The folder for runs.
        begun: Receives the run's folder before the first event.
        say: Takes words on how it goes with handing the run over, and whether they are of an error.

    Returns:
        How the run has ended; None if another process trains it on.

    Raises:
        RegtuiError: It could not begin, or be resumed here.
    """

    def tell(event: Event) -> None:
        if isinstance(event, ControlApplied) and event.command == "hand_over" and not event.accepted:
            session.is_left_running = False
        session.tell(event)

    try:
        if session.resumes is not None and session.folder is not None:
            return training.resume(session.folder, session.resumes, session.control, tell, begun)
        return training.run(session.preset, logs, session.control, tell, begun)
    except HandedOver as handed:
        folder = handed.folder
    while not _is_taken_over(session, folder, say):
        try:
            return training.resume(folder, Changes(), session.control, tell, begun)
        except HandedOver:
            continue
    return None


def _is_taken_over(session: Session, folder: Path, say: Callable[[str, bool], object]) -> bool:
    """Have another process train the run on; whether it does. Not if the user has changed his mind meanwhile."""
    if not session.is_left_running or session.control.stop_requested:
        return False
    say("Another process takes the run over…", False)
    try:
        session.trained_by = detach.begin(folder)
    except RegtuiError as error:
        session.is_left_running = False
        say(f"The run goes on here: {error}", True)
        return False
    if session.control.stop_requested:  # since then, and nobody here takes the command any more
        os.kill(session.trained_by, signal.SIGTERM)
    return True
