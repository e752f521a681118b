"""The run screen at every size: both arms can be compared, nothing overlaps, nothing important is cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widget import Widget

from regtui.preset.model import Preset
from regtui.tui.app import RegtuiApp
from regtui.tui.run.arms_table import ArmsTable
from regtui.tui.run.screen import RunScreen
from regtui.tui.run.sentence import Sentence
from regtui.tui.run.steering import SteeringPanel
from regtui.tui.widgets.word import Word
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, text_of, until
from tests.telling import Telling

BASELINE, REGULARIZED = [1.5, 1.25, 0.8125, 0.75], [1.5, 1.125, 0.625, 0.6875]


def preset_of(arms: int) -> Preset:
    if arms == 2:
        return small_preset(train={"epochs": 12}, regularized={"dropout": {}})
    return small_preset(
        train={"epochs": 12}, arms={f"arm{place}": {"dropout": {"rate": 0.02 * place}} for place in range(1, arms)}
    )


@pytest.mark.parametrize(
    ("arms", "sizes"),
    [
        (2, [(80, 24), (40, 12), (60, 20), (72, 24), (120, 36), (200, 60)]),
        (3, [(80, 24)]),
        (7, [(80, 24)]),
        (17, [(80, 24), (40, 12), (120, 36)]),
    ],
)
async def test_the_arms_can_be_compared_and_nothing_overlaps(
    tmp_path: Path, arms: int, sizes: list[tuple[int, int]]
) -> None:
    training = ScriptedTraining(BASELINE, REGULARIZED, arm1=REGULARIZED)
    app = RegtuiApp(tmp_path, preset_of(arms), start=True, training=training)
    async with app.run_test(size=sizes[0]) as pilot:
        try:
            training.open(4)
            await until(pilot, lambda: app.session is not None and app.session.history.epochs == 4)
            screen = app.screen
            assert isinstance(screen, RunScreen)
            for size in sizes:
                await pilot.resize_terminal(*size)
                await until(pilot, lambda: newest_of_both(app, screen))
                check(screen, size, arms)
        finally:
            training.close()


def newest_of_both(app: RegtuiApp, screen: RunScreen) -> bool:
    """Whether the table shows the newest loss of two arms."""
    table = screen.query_one(ArmsTable)
    rows = text_of(app).splitlines()[table.region.y : table.region.bottom]
    return all(any(loss in row for row in rows) for loss in ("0.75", "0.687"))


def check(screen: RunScreen, size: tuple[int, int], arms: int) -> None:
    """Hold the places of all parts against what a terminal of this size has room for."""
    width, height = size
    charts = [chart for chart in screen.query("#left, #right") if chart.display]
    assert len(charts) == (2 if width >= 72 else 1)
    fewest = 2 if height == 12 else 9 if height < 24 or arms >= 7 else 11
    assert min(chart.size.height for chart in charts) >= fewest
    assert screen.query_one("#below").display == (height >= 36 and arms == 2)
    most = 2 if height == 12 else min(arms, 7 if height == 24 else arms)
    assert screen.query_one(ArmsTable).size.height == 1 + most
    parts = [part for part in screen.children if part.display]
    assert all(screen.region.contains_region(part.region) for part in parts)
    panel = screen.query_one(SteeringPanel)
    controls = [part for part in panel.query("Word, Stepper") if part.region.width] if panel.display else []
    for group in (parts, controls):
        seen = [part.region.intersection(part.parent.region) for part in group if isinstance(part.parent, Widget)]
        for place, region in enumerate(seen):
            assert not any(region.overlaps(other) for other in seen[place + 1 :])
    assert panel.display == (height > 12)
    if panel.display:
        assert {"Pause", "Stop"} <= {word.text.strip() for word in controls if isinstance(word, Word)}
        assert panel.size.height == 1


@pytest.mark.parametrize("width", [38, 58, 78, 118])
def test_the_sentence_keeps_who_is_ahead_and_is_cut_at_a_word(width: int) -> None:
    told = Telling(preset_of(2)).start().epochs([0.5, 0.4, 0.45, 0.5, 0.49, 0.58], [0.5, 0.4, 0.3, 0.31, 0.3, 0.29])
    sentence = Sentence(12)
    sentence.update_from(told.history)
    (row,) = (row.plain for row in sentence.rows(width, 1))
    assert row.startswith("Regularized is 0.2900 below the")
    assert len(row) <= width
    whole = " ".join(row.plain for row in sentence.rows(118, 2))
    assert "…" not in whole
    assert f"{whole} ".startswith(row.removesuffix("…"))
