"""The screen of a run that another process trains: told by it, steered through it, and left without ending it."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from regtui.engine.run import run, summarize
from regtui.protocol.control import Command, Control, Pause, SetPatience, Stop
from regtui.protocol.events import ControlApplied, Event, Paused, Resumed, RunFinished
from regtui.protocol.history import History
from regtui.protocol.who import Who
from regtui.runs.events import read_events
from regtui.tui.app import RegtuiApp
from regtui.tui.pages.help import HelpScreen
from regtui.tui.review import attached
from regtui.tui.review.saved_run import SavedRunScreen
from regtui.tui.review.screen import ReviewScreen
from regtui.tui.run.session import Session
from tests.conftest import small_preset
from tests.screen_double import FALLING, GatedCrew, ScriptedTraining, said, text_of, until
from tests.telling import Telling
from tests.test_train_on import GONE, footer, interrupted


class Elsewhere:
    """A run that is trained without a screen; `open` lets epochs pass."""

    def __init__(self, logs: Path) -> None:
        self.crew = GatedCrew({"baseline": FALLING, "regularized": FALLING})
        self.control = Control()
        self.events: list[Event] = []
        self._begun = threading.Event()
        self.folder = Path()
        preset = small_preset(train={"epochs": 6})
        self.thread = threading.Thread(
            target=run, args=(preset, logs, self.control, self.events.append, self.crew, self._begin)
        )
        self.thread.start()
        assert self._begun.wait(120)

    def _begin(self, folder: Path) -> None:
        self.folder = folder
        self._begun.set()

    def open(self, epochs: int = 1) -> None:
        self.crew.gate.release(epochs)

    async def is_asked(self, pilot: Pilot[int], *keys: str) -> None:
        """Press keys while it waits at its gate, and let what they ask for come to it there."""
        await until(pilot, lambda: self.crew.waits)
        await pilot.press(*keys)
        await until(pilot, lambda: self.control.waiting)


@contextmanager
def elsewhere(logs: Path) -> Iterator[Elsewhere]:
    run = Elsewhere(logs)
    try:
        yield run
    finally:
        run.control.send(Stop(at_once=True))
        run.open(100)
        run.thread.join()


@asynccontextmanager
async def watching(
    folder: Path, size: tuple[int, int] = (120, 36)
) -> AsyncIterator[tuple[RegtuiApp, Pilot[int], SavedRunScreen]]:
    """A program that shows this run, as `regtui attach` opens it."""
    app = RegtuiApp(folder.parent, training=ScriptedTraining(), review=(folder,))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, SavedRunScreen))
        screen = app.screen
        assert isinstance(screen, SavedRunScreen)
        yield app, pilot, screen


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_run_of_another_process_is_steered_to_its_verdict(tmp_path: Path, size: tuple[int, int]) -> None:
    with elsewhere(tmp_path) as run:
        run.open(2)
        async with watching(run.folder, size) as (app, pilot, screen):
            history = screen.session.history
            await until(pilot, lambda: screen.session.link is not None and history.epochs == 2)
            await until(pilot, lambda: "trains this run, and goes on when you leave." in said(app))
            await until(pilot, lambda: "space pause" in footer(app))
            await run.is_asked(pilot, "plus")
            run.open()
            await until(pilot, lambda: "patience off → 5" in said(app))
            await run.is_asked(pilot, "space")
            run.open()
            await until(pilot, lambda: history.paused and "resume" in footer(app))
            await pilot.press("space")
            await until(pilot, lambda: not history.paused)
            await run.is_asked(pilot, "s", "k")
            run.open(100)
            await until(pilot, lambda: screen.session.verdicts and "stopped" in text_of(app))
            await until(pilot, lambda: "d details" in footer(app))
            assert app.exit_code == 4
            assert app.watched_lines() == screen.session.outcome()
        run.thread.join()
        assert History.of(read_events(run.folder)) == History.of(run.events) == history


async def test_of_a_paused_run_that_is_left_nobody_says_that_it_goes_on(tmp_path: Path) -> None:
    with elsewhere(tmp_path) as run:
        run.open(1)
        async with watching(run.folder) as (app, pilot, screen):
            await until(pilot, lambda: screen.session.link is not None)
            run.control.send(Pause())
            run.open(1)
            await until(pilot, lambda: screen.session.history.paused)
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
            assert said(app) == "The run stays paused."
        assert app.watched_lines()[0] == "The run stays paused. To see, steer or stop it:"


async def test_leaving_it_does_not_end_it_and_the_next_one_sees_the_same(tmp_path: Path) -> None:
    with elsewhere(tmp_path) as run:
        run.open(1)
        async with watching(run.folder) as (app, pilot, screen), watching(run.folder) as (others, _, too):
            await until(pilot, lambda: screen.session.link is not None and too.session.link is not None)
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
            assert said(app) == "The run goes on."
            run.open(1)
            await until(pilot, lambda: too.session.history.epochs == 2)
            assert app.watched_lines()[-1] == f"regtui attach {shlex.quote(str(run.folder))}"
            assert app.exit_code == others.exit_code == 0
            await pilot.press("enter")
            await until(pilot, lambda: app.screen is not screen and isinstance(app.screen, SavedRunScreen))
            again = app.screen
            assert isinstance(again, SavedRunScreen)
            await until(pilot, lambda: again.session.link is not None and again.session.history.epochs == 2)
            run.open(100)
            await until(pilot, lambda: again.session.ended and too.session.ended)
            assert again.session.history == too.session.history
            assert again.session.status == "finished"
        assert not run.control.stop_requested


# Without a process


class FakeLink:
    """Lets a test tell what a process would."""

    made: list[FakeLink]

    def __init__(
        self,
        folder: Path,
        on_event: Callable[[Event], object],
        on_end: Callable[[str], object],
        **functions: Callable[..., object],
    ) -> None:
        self.folder, self.on_event, self.on_end, self.functions = folder, on_event, on_end, functions
        self.sent: list[Command] = []
        self.made.append(self)

    def connect(self) -> None: ...

    def send(self, command: Command) -> None:
        self.sent.append(command)

    def close(self) -> None: ...

    def call(self, name: str, *args: Any) -> None:
        self.functions[f"on_{name}"](*args)

    def tell_all(self, events: list[Event]) -> None:
        """From the first one on."""
        self.call("begin", self.folder)
        for event in events:
            self.on_event(event)
        self.call("present")


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[FakeLink]:
    FakeLink.made = []
    monkeypatch.setattr(attached, "Link", FakeLink)
    return FakeLink.made


@pytest.fixture
def going(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that goes on after two epochs, as far as its files tell, until `going` is told otherwise."""
    folder = interrupted(tmp_path)
    (folder / "control.sock").touch()
    monkeypatch.setattr("regtui.runs.alive._is_taken", lambda pid: pid == GONE)
    monkeypatch.setattr("regtui.runs.alive._started", lambda _pid: None)
    return folder


async def test_what_was_before_is_no_answer_and_what_others_do_is_told_with_their_names(
    going: Path, links: list[FakeLink]
) -> None:
    facts = {"t": 1, "command": "set_patience", "key": "patience", "accepted": True, "epoch": 2, "step": 20}
    alice = [
        ControlApplied(arm=arm, value=5, by=Who(pid=7, user="alice"), **facts) for arm in ("baseline", "regularized")
    ]
    before = [
        ControlApplied(arm=arm, value=9, by=Who(pid=8, user="bob"), **facts) for arm in ("baseline", "regularized")
    ]
    async with watching(going) as (app, pilot, screen):
        await until(pilot, lambda: links and screen.session.link is not None)
        (link,) = links
        link.tell_all([*read_events(going), *before])
        await until(pilot, lambda: len(screen.session.history.controls) > 1)
        assert "bob" not in said(app)
        for event in alice:
            link.on_event(event)
        await until(pilot, lambda: said(app) == "patience 9 → 5 with the end of epoch 2 by alice, pid 7")
        await pilot.press("plus")
        await until(pilot, lambda: link.sent)
        assert link.sent == [SetPatience(arm=None, patience=6)]
        link.call("refused", "at most 10 requests a second are taken")
        await until(pilot, lambda: said(app) == "At most 10 requests a second are taken.")


async def test_the_key_for_pausing_means_what_is_seen_also_when_somebody_else_let_it_go_on(
    going: Path, links: list[FakeLink]
) -> None:
    async with watching(going) as (app, pilot, screen):
        await until(pilot, lambda: links and screen.session.link is not None)
        (link,) = links
        link.tell_all(list(read_events(going)))
        await until(pilot, lambda: "space pause" in footer(app))
        await pilot.press("space")
        await until(pilot, lambda: link.sent == [Pause()])
        link.on_event(Paused(t=9, epoch=3, step=21, by=Who.here()))
        link.on_event(Resumed(t=9, epoch=3, step=21, by=Who(pid=7, user="alice")))  # before this screen saw the pause
        await until(pilot, lambda: said(app) == "going on by alice, pid 7")
        await pilot.press("space")
        await until(pilot, lambda: len(link.sent) == 2)
        assert link.sent == [Pause(), Pause()]


async def test_a_run_that_another_process_takes_over_is_told_anew_and_not_twice(
    going: Path, links: list[FakeLink]
) -> None:
    events = list(read_events(going))
    async with watching(going) as (app, pilot, screen):
        await until(pilot, lambda: links and screen.session.link is not None)
        links[0].tell_all(events)
        await until(pilot, lambda: screen.session.history.epochs == 2)
        links[0].call("wait", "another process takes the run over")
        await until(pilot, lambda: said(app) == "Another process takes the run over.")
        links[0].call("wait", "")
        await until(pilot, lambda: said(app) == f"The run goes on in process {GONE}.")
        links[0].tell_all(events)
        await pilot.pause()
        assert screen.session.history == History.of(events)
        assert screen.session.link is not None
        assert "space pause" in footer(app)


async def test_a_run_whose_process_vanishes_is_shown_as_interrupted_and_goes_on_by_a_key(
    going: Path, links: list[FakeLink], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(going) as (app, pilot, screen):
        await until(pilot, lambda: links and screen.session.link is not None)
        links[0].tell_all(list(read_events(going)))
        await pilot.press("tab")
        await until(pilot, lambda: app.focused is not None)
        await pilot.press("s")
        monkeypatch.setattr("regtui.runs.alive._is_taken", lambda _pid: False)
        links[0].on_end("nobody trains it any more; regtui --resume it goes on with it")
        await until(pilot, lambda: screen.session.ended and app.screen is screen)
        assert said(app).startswith("The run has ended before the question")
        assert screen.session.status == "interrupted"
        words = " ".join(text_of(app).split())
        assert (
            "The run was interrupted: its log has no end, so there is no verdict. With g it goes on after epoch 2"
            in words
        )
        assert "g go on" in footer(app)
        assert "pause" not in footer(app)
        assert app.exit_code == 0


async def test_a_process_that_was_made_to_stand_still_is_told_as_long_as_it_does(
    going: Path, links: list[FakeLink], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regtui.tui.review.saved_run.STILL", 0.02)
    state = [b"T"]
    monkeypatch.setattr("regtui.runs.alive._stat", lambda _pid: state)
    async with watching(going, (80, 24)) as (app, pilot, screen):
        await until(pilot, lambda: links and screen.session.link is not None)
        links[0].tell_all(list(read_events(going)))
        await until(pilot, lambda: f"kill -CONT {GONE} lets it go on" in said(app))
        await until(pilot, lambda: "stands still" in text_of(app).splitlines()[0])
        state[0] = b"S"
        await until(pilot, lambda: said(app) == f"Process {GONE} goes on.")
        await until(pilot, lambda: "stands still" not in text_of(app))


@pytest.mark.slow
async def test_a_process_that_does_not_answer_is_followed_by_its_log(
    going: Path,
) -> None:
    async with watching(going) as (app, pilot, screen):
        await until(pilot, lambda: screen.session.history.epochs == 2)
        await until(pilot, lambda: "attach" in said(app))
        assert screen.session.link is None
        assert "pause" not in footer(app)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("calculon", "This run is trained on calculon: here its log is followed, and there 'regtui attach' steers it."),
        (None, f"Process {GONE} trains this run and lets nobody attach: its log is followed."),
    ],
)
async def test_a_run_that_can_not_be_steered_from_here_says_why(going: Path, host: str | None, words: str) -> None:
    (going / "control.sock").unlink()
    told = json.loads((going / "run.json").read_text())
    (going / "run.json").write_text(json.dumps(told | ({"host": host, "boot_id": "another"} if host else {})))
    async with watching(going, (80, 24)) as (app, pilot, _screen):
        await until(pilot, lambda: said(app) == words)


def test_a_run_that_was_watched_and_is_not_all_saved_is_an_exit_code_of_its_own(tmp_path: Path) -> None:
    app, session = RegtuiApp(tmp_path), Session(small_preset(), lambda: None, live=False)
    finished = History.of([*Telling(small_preset()).start().events, RunFinished(t=1, status="finished")])
    session.summary, session.ended, app.watched = summarize(session.preset, finished, 1.0), True, session
    assert app.exit_code == 0
    session.summary = session.summary.model_copy(update={"unsaved": "the predictions are not saved"})
    assert app.exit_code == 1


async def test_the_list_of_keys_has_the_controls_while_there_are_any(going: Path, links: list[FakeLink]) -> None:
    async with watching(going) as (app, pilot, screen):
        await until(pilot, lambda: links and screen.session.link is not None)
        links[0].tell_all(list(read_events(going)))
        await until(pilot, lambda: "space pause" in footer(app))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert "Pause, and go on again." in text_of(app)


@pytest.mark.slow
async def test_a_watched_run_may_be_resized_to_any_size(tmp_path: Path) -> None:
    with elsewhere(tmp_path) as run:
        async with watching(run.folder) as (app, pilot, screen):
            run.open(2)
            await until(pilot, lambda: screen.session.history.epochs == 2)
            for size in ((40, 12), (200, 60), (41, 20), (80, 24)):
                await pilot.resize_terminal(*size)
            assert app.screen is screen
