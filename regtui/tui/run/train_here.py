"""Trains a run in the app's worker thread, or has another process take it over, and judges it at its end."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path

from regtui.engine import detach
from regtui.engine.resume import Changes
from regtui.engine.run import HandedOver, RunResult
from regtui.errors import RegtuiError
from regtui.protocol.events import ControlApplied, Event
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.tui.run.session import Session
from regtui.tui.run.training import Training


def train_here(training: Training, session: Session, logs: Path, say: Callable[[str, bool], object]) -> None:
    """Train a session's run until it has ended, or another process trains it on; raises nothing, the session has it.

    Args:
        training: What trains.
        session: The run: its events, its outcome and its verdict are told to it.
        logs: The folder for runs.
        say: Takes words on how it goes with handing the run over, and whether they are of an error.
    """

    def begun(folder: Path) -> None:
        session.folder = folder
        if session.resumes is not None:
            session.begin_anew(History.of(read_events(folder)))

    try:
        with session.gauges.watched():
            result = _train(training, session, logs, begun, say)
        if result is None:
            return
        session.summary = result.summary
        session.folder = result.folder
        if result.history.started is not None:
            from regtui.evidence.from_history import judge_run  # scipy, 0.4 s: in this thread nobody waits for it

            session.verdicts = judge_run(result.history, session.preset)
    except RegtuiError as error:
        session.error = error
    except Exception as error:
        session.traceback = traceback.format_exc()
        session.error = RegtuiError(f"unforeseen {type(error).__name__}: {error}")
    finally:
        session.ended = True


def _train(
    training: Training, session: Session, logs: Path, begun: Callable[[Path], None], say: Callable[[str, bool], object]
) -> RunResult | None:
    """Train it; returns how it has ended, or None if another process trains it on.

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
