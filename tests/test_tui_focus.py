"""What has the focus looks like it, on every screen: the accent colour behind its letters, or around what it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widget import Widget

from regtui.engine.run import run
from regtui.protocol.control import Control
from regtui.tui.app import RegtuiApp
from regtui.tui.pages.help import HelpScreen
from regtui.tui.run.keys import HERE
from regtui.tui.widgets.dialogs import Ask, AskText, Choice
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, text_of, until
from tests.scripted import ScriptedCrew

LEAST = 3.0
"""The contrast between a widget with the focus and the same without it, as WCAG 2.2 asks for in 2.4.13."""
READABLE = 4.5
"""That of its letters on what is behind them, as WCAG 2.2 asks for in 1.4.3."""


def contrast(one: Color, other: Color) -> float:
    """The contrast of two colours, from 1 to 21."""

    def luminance(colour: Color) -> float:
        parts = [c / 255 for c in (colour.r, colour.g, colour.b)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def grounds(widget: Widget) -> dict[Color, float]:
    """The colours behind a widget's letters, as sent to the terminal, each with the least contrast of a letter."""
    found: dict[Color, float] = {}
    for strip in widget.render_lines(widget.size.region):
        for line_filter in widget.app.get_line_filters():
            strip = strip.apply_filter(line_filter, widget.background_colors[1])
        for text, style, _ in strip:
            assert style is not None
            assert style.bgcolor is not None
            ground = Color.from_rich_color(style.bgcolor)
            letters = Color.from_rich_color(style.color) if text.strip() else None
            least = contrast(ground, letters) if letters else 21.0
            found[ground] = min(least, found.get(ground, 21.0))
    return found


def frame(widget: Widget) -> dict[Color, float]:
    """The colour of the border around something that scrolls."""
    borders = [widget.styles.border_left, widget.styles.border_top, widget.parent.styles.border_left]  # type: ignore[union-attr]
    kind, colour = next(border for border in borders if border[0])
    assert kind
    return {colour: 21.0}


async def looked_at(app: RegtuiApp, pilot: Pilot[int]) -> set[str]:
    """Give the focus to one of each kind here that can have it, and compare; returns the names of the classes."""
    widgets = {(type(w), w.id): w for w in app.screen.focus_chain if w.region.area}
    assert widgets
    for widget in widgets.values():
        look = frame if isinstance(widget, VerticalScroll) else grounds
        app.screen.set_focus(None)
        await pilot.pause()
        idle = look(widget)
        app.screen.set_focus(widget)
        await pilot.pause()
        new = {ground: least for ground, least in look(widget).items() if ground not in idle}
        assert new, f"{widget} looks the same with the focus"
        assert max(min(contrast(g, i) for i in idle) for g in new) >= LEAST, f"{widget}: {idle} {new}"
        assert min(new.values()) >= READABLE, f"{widget}: {new}"
    return {type(widget).__name__ for widget in widgets.values()}


@pytest.mark.parametrize(
    "look", [pytest.param(look, marks=pytest.mark.slow) for look in ("dark", "light", "no colour")]
)
async def test_the_focus_is_seen_on_every_widget_that_can_have_it(
    tmp_path: Path, look: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if look == "no colour":
        monkeypatch.setenv("NO_COLOR", "1")
    run(small_preset(), tmp_path, Control(), lambda _: None, ScriptedCrew({"baseline": [1.0], "regularized": [1.0]}))
    training = ScriptedTraining()
    app = RegtuiApp(tmp_path, small_preset(), training=training)
    seen: set[str] = set()
    async with app.run_test(size=(120, 60)) as pilot:
        try:
            await until(pilot, lambda: len(app.screen.query("Line")) > 3)
            if look == "light":
                app.action_change_theme()
            seen |= await looked_at(app, pilot)
            app.screen.query_one("PresetList").focus()
            await pilot.press("enter")
            await until(pilot, lambda: app.session is not None and app.session.history.started is not None)
            await until(pilot, lambda: len(app.screen.query("Stepper")) > 1)
            seen |= await looked_at(app, pilot)
            choices = [Choice("a", "a", "One"), Choice("b", "b", "Two")]
            for screen in (Ask("?", "", choices), AskText("?", "", "text"), HelpScreen([("Here", HERE * 3)])):
                app.push_screen(screen)
                await until(pilot, lambda screen=screen: app.screen is screen and screen.focused)  # type: ignore[misc]
                seen |= await looked_at(app, pilot)
                await pilot.press("escape")
            training.open(99)
            await until(pilot, lambda: "one seed (" in text_of(app))
            assert not app.screen.focus_chain
            app._list_saved(())
            await until(pilot, lambda: "small" in text_of(app))
            await pilot.press("slash", "s")
            seen |= await looked_at(app, pilot)
        finally:
            training.close()
    assert seen >= {"PresetList", "Line", "OneOf", "Tick", "Stepper", "Word", "_Button", "TextInput"}
    assert seen >= {"RowList", "_Panel"}
