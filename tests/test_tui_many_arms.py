"""The screen of a run with more arms than two: which is chosen, what shows it, and what its controls change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.color import Color
from textual.pilot import Pilot
from textual.theme import Theme

from regtui.engine.run import run
from regtui.preset.arms import BESIDE
from regtui.preset.model import Preset
from regtui.protocol.control import Control, SetPatience, SetStrength
from regtui.tui.app import RegtuiApp
from regtui.tui.charts.chart import Chart, draw
from regtui.tui.charts.plot import Space
from regtui.tui.charts.run_plots import plots
from regtui.tui.charts.view import View
from regtui.tui.look import arm_looks
from regtui.tui.pages.what_if_screen import WhatIfScreen
from regtui.tui.run.arms_table import arm_rows
from regtui.tui.run.screen import RunScreen
from regtui.tui.run.steering import SteeringPanel
from regtui.tui.themes import DARK, LIGHT
from regtui.tui.widgets.stepper import Stepper
from tests.conftest import small_preset
from tests.screen_double import FALLING, ScriptedTraining, text_of, until
from tests.scripted import ScriptedCrew
from tests.telling import Telling

Arms = dict[str, dict[str, dict[str, object]]]

THREE: Arms = {"drop": {"dropout": {"rate": 0.5}}, "ridge": {"l2": {"strength": 1e-3}}}
SEVEN: Arms = {
    **THREE,
    "lasso": {"l1": {"strength": 1e-4}},
    "norm": {"batch_norm": {}},
    "early": {"early_stopping": {"patience": 4}},
    "everything": {"l2": {"strength": 1e-3}, "dropout": {"rate": 0.25}, "early_stopping": {"patience": 4}},
}
SIZES = [(120, 36), (80, 24), (40, 12)]
COLOURS = {**DARK.variables, "warning": "#ffff00", "accent": "#e6c07b"}


def preset_of(arms: Arms, epochs: int = 6) -> Preset:
    return small_preset(train={"epochs": epochs}, arms=arms)


def sixteen() -> Preset:
    return preset_of({f"arm{number}": {"l2": {"strength": number * 1e-4}} for number in range(1, 17)})


@asynccontextmanager
async def running(
    tmp_path: Path, preset: Preset, size: tuple[int, int] = (120, 36), *, epochs: int = 2, ascii_only: bool = False,
    **losses: list[float],
) -> AsyncIterator[tuple[RegtuiApp, Pilot[int], RunScreen]]:  # fmt: skip
    """The screen of a run of this preset that has trained some epochs."""
    training = ScriptedTraining(**losses)  # type: ignore[arg-type]
    app = RegtuiApp(tmp_path, preset, start=True, training=training, ascii_only=ascii_only)
    async with app.run_test(size=size) as pilot:
        try:
            training.open(epochs)
            await until(pilot, lambda: app.session is not None and app.session.history.epochs == epochs)
            screen = app.screen
            assert isinstance(screen, RunScreen)
            await shown(pilot, screen)
            yield app, pilot, screen
        finally:
            training.close()


async def shown(pilot: Pilot[int], screen: RunScreen) -> None:
    """Let the screen draw what it knows."""
    screen.on_screen_resume()
    await pilot.pause()


def title(screen: RunScreen, chart: str) -> str:
    return str(screen.query_one(f"#{chart}", Chart).border_title)


async def test_the_baseline_stands_left_and_the_keys_walk_through_the_arms_at_the_right(tmp_path: Path) -> None:
    async with running(tmp_path, preset_of(THREE)) as (app, pilot, screen):
        assert title(screen, "left").startswith("● baseline")
        assert title(screen, "right").startswith("A drop · dropout 0.5")
        assert title(screen, "difference") == "Δ validation loss, drop − baseline"
        assert "]" in text_of(app).splitlines()[-1]
        await pilot.press("right_square_bracket")
        assert title(screen, "left").startswith("● baseline")
        assert title(screen, "right").startswith("B ridge · L2 0.001")
        assert title(screen, "difference") == "Δ validation loss, ridge − baseline"
        await pilot.press("right_square_bracket")
        assert title(screen, "right").startswith("A drop")  # after the last comes the first
        await pilot.press("left_square_bracket")
        assert title(screen, "right").startswith("B ridge")


async def test_two_arms_have_no_keys_to_walk(tmp_path: Path) -> None:
    preset = preset_of({"alone": {"dropout": {"rate": 0.5}}})
    async with running(tmp_path, preset) as (app, pilot, screen):
        await pilot.press("right_square_bracket")
        assert title(screen, "right").startswith("◆ alone")
        assert "next arm" not in text_of(app)


async def test_one_chart_shows_all_arms_the_baseline_or_the_chosen_one(tmp_path: Path) -> None:
    async with running(tmp_path, preset_of(SEVEN), (70, 24)) as (app, pilot, screen):
        assert title(screen, "left") == "A drop · dropout 0.5  among  ● A B C D E F"
        await pilot.press("right_square_bracket", "o")
        assert title(screen, "left").startswith("● baseline")
        await pilot.press("o")
        assert title(screen, "left").startswith("B ridge")
        await pilot.press("o")
        assert title(screen, "left").startswith("B ridge · L2 0.001  among")
        assert app.is_running


@pytest.mark.parametrize("arms", [THREE, SEVEN])
def test_the_overlay_shows_all_arms_and_the_chosen_one_on_top(arms: Arms) -> None:
    told = Telling(preset_of(arms)).start()
    for place, arm in enumerate(told.history.arms):
        for value in (0.9, 0.6, 0.5, 0.45):
            told.epoch(arm, value + 0.01 * place)
    looks = arm_looks(told.history.arms)
    for chosen in list(looks)[1:]:
        (plot,) = plots(told.history, View(overlay=True, arm=chosen), Space(110, 20))
        lines = [curve for curve in plot.curves if curve.line]
        assert {curve.mark: curve.colour for curve in lines} == {look.mark: look.colour for look in looks.values()}
        assert [curve.colour for curve in lines[-2:]] == ["baseline", looks[chosen].colour]
        shown = "\n".join(row.plain for row in draw(plot, 110, 20, COLOURS | {"error": "#ff0000"}))
        for place, (arm, look) in enumerate(looks.items()):
            newest = f"{0.45 + 0.01 * place:.3f}"
            assert f"{look.mark} {arm} {newest}" in shown or f"{look.mark} {newest}" in shown


def test_arms_with_the_same_losses_are_told_apart_by_marks_at_places_of_their_own() -> None:
    told = Telling(preset_of(SEVEN, epochs=20)).start()
    for arm in told.history.arms:
        for epoch in range(14):
            told.epoch(arm, 1 / (1 + epoch))
    (plot,) = plots(told.history, View(overlay=True, arm="norm"), Space(110, 20))
    drawn = "".join(row.plain for row in draw(plot, 110, 20, COLOURS | {"error": "#ff0000"}))
    assert all(look.mark in drawn for look in arm_looks(told.history.arms).values())


def test_arms_have_marks_and_colours_of_their_own() -> None:
    looks = arm_looks(sixteen().arms())
    assert len({look.mark for look in looks.values()}) == len({look.colour for look in looks.values()}) == 17
    assert "".join(look.mark for look in list(looks.values())[1:]) == BESIDE
    assert "O" not in BESIDE  # which the baseline's mark becomes in ASCII
    assert list(arm_looks(["baseline", "x"]).values()) == [("●", "baseline"), ("◆", "regularized")]


def luminance(colour: Color) -> float:
    """Relative luminance after WCAG 2."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_each_arm_can_be_read_on_the_background(theme: Theme) -> None:
    assert theme.background is not None
    ground = luminance(Color.parse(theme.background))
    for look in arm_looks(sixteen().arms()).values():
        text = luminance(Color.parse(theme.variables[look.colour]))
        high, low = max(ground, text), min(ground, text)
        assert (high + 0.05) / (low + 0.05) >= 4.5


# The table


def test_the_table_has_a_row_for_each_arm_and_marks_the_chosen_one() -> None:
    told = Telling(preset_of(SEVEN)).start()
    for arm in told.history.arms:
        told.epoch(arm, 0.5)
    rows = [row.plain for row in arm_rows(told.preset, told.history, 118, COLOURS, chosen="norm")]
    names = ["baseline", *SEVEN]
    marks = ["●", *"ABCDEF"]
    assert [row.split()[0].lstrip("›") for row in rows[1:]] == marks
    assert [row.split()[1] for row in rows[1:]] == names
    assert [row for row in rows if "›" in row] == [rows[5]]


@pytest.mark.parametrize("most", range(2, 18))
def test_in_a_low_terminal_the_baseline_and_the_chosen_arm_stay_visible(most: int) -> None:
    told = Telling(sixteen()).start()
    for chosen in told.history.others:
        rows = [row.plain for row in arm_rows(told.preset, told.history, 78, COLOURS, chosen=chosen, most=most)]
        assert len(rows) == 1 + most
        assert rows[1].split()[:2] == ["●", "baseline"]
        assert sum("›" in row and row.split()[1] == chosen for row in rows) == 1
        assert (f"{chosen.removeprefix('arm')} of 16" in rows[0]) == (most < 17)


@pytest.mark.parametrize("width", [118, 78, 38])
def test_a_long_name_keeps_the_row_within_its_width(width: int) -> None:
    told = Telling(preset_of({"a" * 24: {}, "b" * 24: {"l2": {}}})).start()
    for arm in told.history.arms:
        told.epoch(arm, 0.5)
    rows = [row.plain for row in arm_rows(told.preset, told.history, width, COLOURS, chosen="a" * 24)]
    assert all(len(row) <= width for row in rows)
    assert all("0.5000" in row for row in rows[1:])


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_seventeen_arms_have_room_in_any_terminal(tmp_path: Path, *, ascii_only: bool) -> None:
    async with running(tmp_path, sixteen(), ascii_only=ascii_only) as (app, pilot, screen):
        for _ in range(11):
            await pilot.press("right_square_bracket")
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await shown(pilot, screen)
            text = text_of(app)
            assert len(text.splitlines()) == size[1]
            assert "baseline" in text
            assert f"{'>' if ascii_only else '›'}L arm12" in text
            assert text.isascii() or not ascii_only


# Steering


def caught(app: RegtuiApp, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The commands that the user sends from now on; none of them reaches the trainer."""
    assert app.session is not None
    sent: list[object] = []
    monkeypatch.setattr(app.session.control, "send", sent.append)
    return sent


async def test_what_is_steered_is_the_chosen_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, preset_of(SEVEN)) as (app, pilot, screen):
        sent = caught(app, monkeypatch)
        panel = screen.query_one(SteeringPanel)

        def seen() -> list[Stepper]:
            return [stepper for stepper in panel.query(Stepper) if stepper.region.width]

        assert "A dropout" in text_of(app)
        assert "λ" not in text_of(app).splitlines()[-3]
        await pilot.press("right_square_bracket")
        assert "dropout rate" not in text_of(app)
        (stepper,) = [stepper for stepper in seen() if panel._strengths.get(stepper) is not None]
        stepper.focus()
        await pilot.press("plus")
        await until(pilot, lambda: sent)
        assert isinstance(sent[0], SetStrength)
        assert (sent[0].arm, sent[0].key) == ("ridge", "l2.strength")


async def test_the_panel_says_whose_patience_it_steers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, preset_of(SEVEN)) as (app, pilot, _):
        assert "Patience E F on" in text_of(app)
        sent = caught(app, monkeypatch)
        await pilot.press("plus")
        await until(pilot, lambda: len(sent) == 2)
        assert sent == [SetPatience(arm="early", patience=5), SetPatience(arm="everything", patience=5)]


async def test_a_patience_of_its_own_is_shown_with_its_arm_and_changed_only_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arms: Arms = {**SEVEN, "early": {"early_stopping": {"patience": 2}}}
    async with running(tmp_path, preset_of(arms)) as (app, pilot, screen):
        sent = caught(app, monkeypatch)
        await pilot.press("plus")  # the chosen arm has none
        assert sent == []
        screen.view.arm = "early"
        await shown(pilot, screen)
        assert "E ‹  2  ›" in text_of(app)
        await pilot.press("plus")
        await until(pilot, lambda: sent)
        assert sent == [SetPatience(arm="early", patience=3)]


# The pages


async def test_what_another_patience_would_have_brought_is_told_of_every_arm(tmp_path: Path) -> None:
    async with running(tmp_path, preset_of(SEVEN)) as (app, pilot, screen):
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, WhatIfScreen) and "A drop" in text_of(app))
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: text_of(app).splitlines()[3].startswith(" B ridge"))
        for _ in range(9):
            await pilot.press("pagedown")
        others = [mark for mark in "ACDEF" if f" {mark} " in text_of(app)]
        assert others == list("ACDEF")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        await pilot.pause()
        assert title(screen, "right").startswith("B ridge")  # what was chosen there is chosen here


# Arms that end alone, and saved runs


async def test_an_arm_that_diverges_alone_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    training = ScriptedTraining()
    training.crew.step_loss = lambda arm, step: float("nan") if (arm, step) == ("ridge", 13) else 1.0
    app = RegtuiApp(tmp_path, preset_of(SEVEN), start=True, training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        try:
            training.open(3)
            await until(pilot, lambda: app.session is not None and app.session.history.epochs == 3)
            assert isinstance(app.screen, RunScreen)
            await shown(pilot, app.screen)
            row = next(row for row in text_of(app).splitlines() if "B ridge" in row and "diverged" in row)
            assert "diverged at 2" in row
            assert "B ridge diverged in epoch 2" in text_of(app)
        finally:
            training.close()


@pytest.mark.parametrize("size", SIZES)
async def test_a_saved_run_of_several_arms_opens(tmp_path: Path, size: tuple[int, int]) -> None:
    crew = ScriptedCrew(dict.fromkeys(("baseline", *SEVEN), FALLING))
    run(preset_of(SEVEN, epochs=3), tmp_path, Control(), lambda _event: None, crew)
    app = RegtuiApp(tmp_path, review=())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "1 of 1" in text_of(app) or "small" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.session.ended)
        screen = app.screen
        assert isinstance(screen, RunScreen)
        await until(pilot, lambda: bool(screen.session.verdicts))
        assert list(screen.session.verdicts) == list(SEVEN)
        await pilot.press("right_square_bracket", "left")
        await shown(pilot, screen)
        assert "›B ridge" in text_of(app)
        assert "▼ epoch 3" in text_of(app)


async def test_a_saved_run_whose_preset_was_given_other_arms_says_so(tmp_path: Path) -> None:
    crew = ScriptedCrew(dict.fromkeys(("baseline", *THREE), FALLING))
    result = run(preset_of(THREE, epochs=3), tmp_path, Control(), lambda _event: None, crew)
    file = result.folder / "preset.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("arms.ridge", "arms.other"), encoding="utf-8")
    app = RegtuiApp(tmp_path, review=())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "small" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.session.ended)
        await until(pilot, lambda: "other arms" in text_of(app) or "its preset.toml" in text_of(app))
        await pilot.press("d", "right_square_bracket", "x", "o", "left")
        assert isinstance(app.screen, RunScreen)
