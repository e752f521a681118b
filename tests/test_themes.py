"""Everything that is written on screen can be read, in every theme, and arms are told apart by more eyes than one."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from textual.color import Color
from textual.pilot import Pilot
from textual.theme import Theme

from regtui.tui.app import RegtuiApp
from regtui.tui.run.verdict_panel import VerdictPanel
from regtui.tui.themes import DARK, HIGH_CONTRAST, LIGHT, RUN_COLOURS, THEMES
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, text_of, until
from tests.test_samples import samples

LEAST = {DARK.name: 4.5, LIGHT.name: 4.5, HIGH_CONTRAST.name: 7.0}
"""The contrast that every text has at least."""
ARMS = ("baseline", "regularized", *(f"arm-{place}" for place in range(2, 17)))
RUNS = tuple(f"run-{number}" for number in range(1, RUN_COLOURS + 1))
WORDS = ("foreground", "faint", "primary", "secondary", "accent", "success", "warning", "error", *ARMS, *RUNS)
"""What is written in; on the screen's ground, in a dialog, and in a row under the cursor or a field."""
DEUTERANOPIA = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
PROTANOPIA = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
"""What is left of a light's red, green and blue (Machado, Oliveira and Fernandes, 2009)."""
each_theme = pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)


def light(colour: str) -> NDArray[np.float64]:
    share = np.array(Color.parse(colour).normalized)
    return np.asarray(np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4))


def contrast(one: str, other: str) -> float:
    """The contrast of WCAG 2.2, from 1 to 21."""
    dark, bright = sorted(float(light(colour) @ (0.2126, 0.7152, 0.0722)) for colour in (one, other))
    return (bright + 0.05) / (dark + 0.05)


def colours(theme: Theme) -> dict[str, str]:
    return {**theme.to_color_system().generate(), **theme.variables}


@each_theme
def test_every_text_stands_out_from_what_it_may_stand_on(theme: Theme) -> None:
    named, least = colours(theme), LEAST[theme.name]
    pairs = [(word, ground) for word in WORDS for ground in ("background", "surface", "panel")]
    pairs += [(f"{name}-train", "background") for name in (*ARMS, *RUNS)]
    pairs += [("background", ground) for ground in ("accent", "primary")]
    pairs += [(f"{what}-selection-foreground", f"{what}-selection-background") for what in ("screen", "input")]
    pairs += [(f"{what}-{how}", "panel") for what in ("text", "foreground") for how in ("muted", "disabled")]
    assert not [
        f"{word} on {ground}: {ratio:.2f}"
        for word, ground in pairs
        if (ratio := contrast(named[word], named[ground])) < least
    ]


@each_theme
def test_every_line_of_a_chart_is_seen(theme: Theme) -> None:
    named = colours(theme)
    for name in (*ARMS, *RUNS):
        strong, train, steps = (
            contrast(named[name + grain], named["background"]) for grain in ("", "-train", "-steps")
        )
        assert strong >= train > steps >= 3.0


def seen(colour: str, eye: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """A colour in OKLab, where distances are as people see them."""
    red, green, blue = np.clip(np.array(eye) @ light(colour), 0, 1)
    cones = np.cbrt(
        np.array(
            [
                0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue,
                0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue,
                0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue,
            ]
        )
    )
    turned = (
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    )
    return np.asarray(np.array(turned) @ cones)


@each_theme
@pytest.mark.parametrize("eye", [np.eye(3).tolist(), DEUTERANOPIA, PROTANOPIA], ids=["all", "no green", "no red"])
def test_arms_are_told_apart_by_colour_as_far_as_that_goes(theme: Theme, eye: Sequence[Sequence[float]]) -> None:
    """An OKLab distance of 0.02 is just seen; seventeen colours cannot be far apart for such eyes, four can."""

    def nearest(names: Sequence[str]) -> float:
        places = [seen(colours(theme)[name], eye) for name in names]
        return min(float(np.linalg.norm(one - other)) for one, other in combinations(places, 2))

    assert nearest(ARMS) > 0.045
    assert nearest(RUNS) > 0.065
    assert nearest(ARMS[:4]) > 0.095


# What is really drawn


def unreadable(app: RegtuiApp) -> Iterator[str]:
    """What is written on the top screen with too little contrast; what lies below a question is left out."""
    screen, least = app.screen, LEAST[app.theme]
    inside = screen.children[0].region if screen.is_modal else screen.region
    for y, strip in enumerate(screen._compositor.render_strips()):
        if inside.y <= y < inside.bottom:
            for segment in strip.crop(inside.x, inside.right):
                style = segment.style
                if style is None or not any(character.isalnum() for character in segment.text):
                    continue
                if style.color is None or style.bgcolor is None or style.dim:
                    yield f"{app.theme}, {segment.text!r}: {style}"
                    continue
                pair = (style.bgcolor, style.color) if style.reverse else (style.color, style.bgcolor)
                ink, ground = (Color.from_rich_color(colour).hex6 for colour in pair)
                if (ratio := contrast(ink, ground)) < least:
                    yield f"{app.theme}, {segment.text!r}: {ink} on {ground}, {ratio:.2f}"


class Reader:
    """Looks at what a screen shows, in the light theme, whose contrasts are the smallest, or in every theme."""

    def __init__(self, app: RegtuiApp, pilot: Pilot[int]) -> None:
        self.app, self.pilot = app, pilot
        self.found: list[str] = []

    async def look(self, *keys: str, themes: Iterable[str] = ("light",)) -> None:
        """Press keys, then look."""
        await self.pilot.press(*keys)
        for name in themes:
            self.app.theme = THEMES[name].name
            await self.pilot.pause()
            self.found += [f"after {keys}, {words}" for words in unreadable(self.app)]


@pytest.mark.slow
async def test_all_can_be_read_while_and_after_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    training = ScriptedTraining()
    regularized = {"dropout": {"rate": 0.5}, "early_stopping": {"patience": 3}}
    app = RegtuiApp(tmp_path, small_preset(train={"epochs": 8}, regularized=regularized), start=True, training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        training.open(5)
        await until(pilot, lambda: app.session is not None and app.session.history.epochs == 5)
        reader = Reader(app, pilot)
        await reader.look(themes=THEMES)
        for _ in range(2):
            await reader.look("tab")
        await reader.look("s")
        await reader.look("escape", "q")
        await pilot.press("escape")
        training.open(100)
        await until(pilot, lambda: app.screen.query_one(VerdictPanel).display)
        for key in ("tab", "d", "left", "x", "escape", "f", "escape", "w", "escape"):
            await reader.look(key)
        assert not reader.found


@pytest.mark.slow
async def test_all_can_be_read_where_presets_are_chosen(tmp_path: Path) -> None:
    app = RegtuiApp(tmp_path, training=ScriptedTraining())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "ready" in text_of(app))
        reader = Reader(app, pilot)
        await reader.look(themes=THEMES)
        for _ in range(2):
            await reader.look("tab")
        await reader.look("question_mark")
        await reader.look("escape", "i")
        await reader.look("escape", "ctrl+p")
        await reader.look("d", "down")
        assert not reader.found


@pytest.mark.slow
async def test_all_can_be_read_in_saved_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for folder in samples()[:4]:
        shutil.copytree(folder, tmp_path / folder.name)
    app = RegtuiApp(tmp_path, review=())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "4 of 4 runs" in text_of(app))
        reader = Reader(app, pilot)
        await reader.look()
        for key in ("n", "T", "D", "e"):
            await reader.look(key)
            await pilot.press("escape")
        await reader.look("slash")
        await reader.look("escape", "space", "down", "space")
        await pilot.press("c")
        await until(pilot, lambda: "2 runs" in text_of(app))
        await reader.look()
        assert not reader.found
