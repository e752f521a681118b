"""Trains a run in the app's worker thread, or has another process take it over, and judges it at its end."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

from regtui.engine import detach
from regtui.engine.end import end_at_once
from regtui.engine.process import CrewClosedError
from regtui.engine.resume import Changes
from regtui.engine.run import HandedOver, RunResult
from regtui.engine.watch import StalledError
from regtui.errors import EXIT_CODES, RegtuiError, unforeseen
from regtui.protocol.answers import HAS_ENDED
from regtui.protocol.control import Stop
from regtui.protocol.events import ControlApplied, Event
from regtui.protocol.history import History
from regtui.runs.events import read_events
from regtui.runs.summary import read_summary
from regtui.tui.run.session import Session
from regtui.tui.run.training import Training


class LeftAtOnceError(RegtuiError):
    """A run was ended when nobody trained it, yet or just then; what it had saved is kept."""

    exit_code = EXIT_CODES["stopped"]


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
    except CrewClosedError:
        new = session.folder is None
        words = "training began; nothing is kept" if new else "it trained on; the run is as it was"
        session.error = LeftAtOnceError(f"ended before {words}")
    except RegtuiError as error:
        session.error = error
    except Exception as error:
        session.traceback = traceback.format_exc()
        session.error = unforeseen(error)
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
            # A run that comes to its end by itself is left then, as was announced.
            session.is_left_running = event.why == HAS_ENDED and not session.control.stop_requested
        session.tell(event)

    try:
        if session.resumes is not None and session.folder is not None:
            return training.resume(session.folder, session.resumes, session.control, tell, begun)
        return training.run(session.preset, logs, session.control, tell, begun)
    except HandedOver as handed:
        folder = handed.folder
    other = None
    while other is None:
        try:
            other = _taken_over_by(session, folder, say)
            if other is None:
                return training.resume(folder, Changes(), session.control, tell, begun)
        except HandedOver:
            continue
        except (CrewClosedError, StalledError):
            return _ended_at_once(session, folder)
    if session.control.stop_requested:  # since then, and nobody here takes the command any more
        return _stopped_by(other, folder)
    session.trained_by = other
    return None


def _taken_over_by(session: Session, folder: Path, say: Callable[[str, bool], object]) -> int | None:
    """Have another process train the run on; its number, or None if it is to go on here.

    Raises:
        CrewClosedError: It is to stop at once, before the other process trains it.
    """
    control = session.control

    def wanted() -> bool:
        return session.is_left_running and not control.stop_at_once

    if control.stop_at_once:
        raise CrewClosedError("it is not to go on anywhere")
    if not session.is_left_running or control.stop_requested:
        return None
    say("Another process takes the run over…", False)
    try:
        other = detach.begin(folder, wanted)
    except detach.StoppedError as error:  # as it would have been by the same signal a moment later
        control.send(Stop())
        say(f"The run stops here: {error}", False)
        return None
    except RegtuiError as error:
        session.is_left_running = False
        say(f"The run goes on here: {error}", True)
        return None
    if control.stop_at_once and other is None:
        raise CrewClosedError("the other process was ended")
    if other is None:  # the user has changed his mind
        say("The run goes on here.", False)
    return other


def _ended_at_once(session: Session, folder: Path) -> RunResult:
    """How a run ends that is to stop at once while nobody trains it.

    Raises:
        LeftAtOnceError: It can't be given an end.
    """
    try:
        return end_at_once(folder, session.control, session.tell)
    except RegtuiError as error:
        raise LeftAtOnceError(f"the run stopped after its last saved epoch; {error}") from None


def _stopped_by(pid: int, folder: Path) -> RunResult:
    """How a run has ended that the process of this number has taken over, and was then told to stop.

    Raises:
        RegtuiError: It has no end.
    """
    detach.stop(pid)
    summary, history = read_summary(folder), History.of(read_events(folder))
    if summary is None or history.finished is None:
        raise RegtuiError("the process that took the run over was ended; 'regtui --resume' goes on with it")
    return RunResult(folder, summary, history)
