"""The terminal's title says how far a run is, and its end calls back; texts of unknown origin do no harm there."""

from __future__ import annotations

from pathlib import Path

import pytest

from regtui.tui import app as program
from regtui.tui import desk
from regtui.tui.app import RegtuiApp
from regtui.tui.escapes import LONGEST, copied, entitled, notification, obeys
from regtui.tui.widgets import clipboard
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, text_of, until

HARMFUL = "a\x1b]0;x\x07b\u202e;\x9c\nc"


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMUX", "STY", "VTE_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_title_is_one_short_line_without_anything_that_is_obeyed() -> None:
    assert entitled("regtui dropout · epoch 7/10") == "\x1b]2;regtui dropout · epoch 7/10\x07"
    for made, before in ((entitled(HARMFUL * 99), "\x1b]2;"), (notification(HARMFUL * 99), "\x07\x1b]9;")):
        words = made.removeprefix(before).removesuffix("\x07")
        assert words.isprintable()
        assert ";" not in words
        assert len(words) == LONGEST


def test_a_notification_is_one_that_the_terminal_knows_and_passes_what_lies_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert notification("done") == "\x07\x1b]9;done\x07"
    monkeypatch.setenv("VTE_VERSION", "7600")
    assert notification("done") == "\x07\x1b]777;notify;regtui;done\x07"
    monkeypatch.delenv("VTE_VERSION")
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    assert notification("done") == "\x07\x1bPtmux;\x1b\x1b]9;done\x07\x1b\\"
    monkeypatch.delenv("TMUX")
    monkeypatch.setenv("STY", "1.pts")
    assert notification("done") == "\x07\x1bP\x1b]9;done\x07\x1b\\"


@pytest.mark.parametrize(
    ("kind", "does"),
    [("xterm", True), ("tmux-256color", True), ("screen", True), ("linux", False), ("dumb", False), ("", False)],
)
def test_an_old_terminal_is_told_nothing(monkeypatch: pytest.MonkeyPatch, kind: str, does: bool) -> None:
    monkeypatch.setenv("TERM", kind)
    assert obeys() == does


def test_what_is_copied_reaches_the_terminal_through_what_lies_between(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = "\x1b]52;c;cmVndHVp\x07"
    assert copied("regtui") == plain
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    assert copied("regtui") == f"{plain}\x1bPtmux;\x1b{plain}\x1b\\"
    monkeypatch.delenv("TMUX")
    monkeypatch.setenv("STY", "1.pts")
    assert copied("regtui") == f"{plain}\x1bP{plain}\x1b\\"


async def test_the_verdict_and_the_path_of_the_log_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = ScriptedTraining()
    app = RegtuiApp(tmp_path, small_preset(), start=True, training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("y")
        assert app.clipboard == ""
        training.open(100)
        await until(pilot, lambda: app.session is not None and app.session.ended and app.session.folder)
        assert app.session is not None
        path = str(app.session.folder)
        await pilot.press("y")
        await until(pilot, lambda: "Copied the verdict, if the terminal allows it" in text_of(app))
        assert app.clipboard == "\n".join(app.session.outcome())
        await pilot.press("Y")
        await until(pilot, lambda: app.clipboard == path)
        monkeypatch.setattr(clipboard, "MOST", 10)
        await pilot.press("y")
        await until(pilot, lambda: "Not copied: the verdict is " in text_of(app))
        assert app.clipboard == path
        monkeypatch.setenv("TERM", "linux")
        await pilot.press("Y")
        await until(pilot, lambda: "This terminal has no clipboard" in text_of(app))
        monkeypatch.undo()
        await pilot.press("b")
        await until(pilot, lambda: "1 of 1 runs" in text_of(app))
        app.copy_to_clipboard("")
        await pilot.press("Y")
        await until(pilot, lambda: app.clipboard == path)


class Rung(RegtuiApp):
    """Keeps what it would have rung with, and what the title said."""

    CSS_PATH = str(Path(program.__file__).with_name("app.tcss"))

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self.rung: list[str] = []
        self.titles: list[str] = []

    def ring(self, words: str) -> None:
        self.rung.append(words)

    def watch_state(self, state: str) -> None:
        self.titles.append(state)


@pytest.mark.parametrize("short", [0.0, 1000.0])
async def test_the_title_says_how_far_it_is_and_the_end_of_a_long_run_rings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: float
) -> None:
    monkeypatch.setattr(desk, "SHORT", short)
    training = ScriptedTraining()
    app = Rung(tmp_path, small_preset(), start=True, training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.state == "small · epoch 1/3")
        await pilot.press("space")
        training.open()
        await until(pilot, lambda: "paused" in app.state)
        await pilot.press("space")
        training.open()
        await until(pilot, lambda: app.state == "small · epoch 3/3")
        training.open(100)
        await until(pilot, lambda: app.state == "small · finished")
    assert app.titles[:2] == ["", "small · starting"]
    assert app.rung == (["regtui small · finished"] if not short else [])


async def test_whoever_stops_a_run_is_not_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "SHORT", 0.0)
    training = ScriptedTraining()
    app = Rung(tmp_path, small_preset(), start=True, training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.state == "small · epoch 1/3")
        training.close()
        await until(pilot, lambda: app.state == "small · stopped")
    assert app.rung == []
