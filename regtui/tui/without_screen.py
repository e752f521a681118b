"""What a run or a study does when its screen has gone: it goes on in the same process, told in lines."""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import Iterator
from contextlib import suppress

from regtui.console import complain, room, say
from regtui.epochs import table_lines
from regtui.errors import RegtuiError
from regtui.files import write_whole
from regtui.protocol import answers
from regtui.protocol.events import Saving, Stalled, Unattachable
from regtui.text import one_line
from regtui.tui.app import RegtuiApp
from regtui.tui.look import plain
from regtui.tui.run.session import Session
from regtui.tui.study.session import StudySession

OFTEN = 0.1
"""Seconds between two looks at what has happened."""
TRACEBACK = "screen-traceback.txt"


async def go_on_without_screen(app: RegtuiApp, *, debug: bool) -> None:
    """Wait until what `app` conducts in its worker thread has ended, and print what happens meanwhile.

    Nothing depends on whether somebody reads that: what can't be printed is dropped.
    """
    app.outlived = True
    app.begin_late()
    study = app.study if app.conducts_study else None
    complain(f"regtui: {_why(app, study or app.session)}")
    if app.failure and debug:
        complain(app.failure)
    news = _study_news(study) if study is not None else _run_news(app.session) if app.session is not None else iter(())
    while True:
        over = not app.goes_on
        try:
            lines = next(news, [])
        except Exception as error:  # perhaps the one by which the screen failed; there are no more lines then
            lines = [f"what happens can't be told any more: {error!r}"]
        for line in lines:
            with suppress(BrokenPipeError, RegtuiError):
                if select.select([], [sys.stdout], [], 0)[1]:  # a terminal that does not read would hold this up
                    say(plain(line) if app.ascii_only else line)
        if over:
            break
        await asyncio.sleep(OFTEN)
    app.leave()


def _why(app: RegtuiApp, work: Session | StudySession | None) -> str:
    """Why the screen has gone, and what goes on; the traceback of a failure is kept with that."""
    on = "the study goes on without it; Ctrl-C stops it and keeps what is done"
    if isinstance(work, Session):
        stays = "stays paused" if work.history.paused else "goes on without it"
        on = f"the run {stays}; 'regtui attach' shows it again, Ctrl-C stops it and keeps what is done"
    if not app.failure:
        return f"the screen was closed; {on}"
    where = "--debug shows where"
    if work is not None and work.folder is not None:
        with suppress(OSError):
            write_whole(work.folder / TRACEBACK, app.failure.encode(errors="replace"))
            where = f"{one_line(work.folder / TRACEBACK)} says where"
    return f"the screen failed: {app.failure_words}; {on} ({where})"


def _run_news(session: Session) -> Iterator[list[str]]:
    """At each look, the lines on what has happened in a run; first its header, if it has begun."""
    history, preset = session.history, session.preset
    lines = [] if history.started is None else table_lines(history.started, history, preset, room())
    while True:
        for event in session.take_in():
            lines += table_lines(event, history, preset, room())
            match event:
                case Saving(words=words) | Unattachable(words=words):
                    complain(f"regtui: {words}")
                case Stalled():
                    complain(f"regtui: {event.words()}; Ctrl-C stops the run and keeps what was measured")
                case _ if words := answers.without_screen(preset, history, event, at_once=session.control.stop_at_once):
                    complain(words)
                case _:
                    pass
        yield lines
        lines = []


def _study_news(study: StudySession) -> Iterator[list[str]]:
    """At each look, how far a study is, if that has changed."""
    before = ""
    while True:
        if words := study.take_in():
            complain(f"regtui: {words}")
        yield [study.state] if study.state != before else []
        before = study.state
