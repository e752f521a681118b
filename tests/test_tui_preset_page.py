"""The preset of a run against the file of its name as it is now."""

from __future__ import annotations

from pathlib import Path

import pytest

from regtui.preset.file import to_toml
from regtui.preset.model import Preset
from regtui.preset.validation import validate
from regtui.tui.pages.preset import PresetPage, differences
from tests.conftest import small_preset
from tests.screen_double import text_of, until
from tests.test_tui_run import running

PRESET = small_preset(train={"epochs": 6})


@pytest.fixture
def presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty ./presets, where presets are looked for first."""
    folder = tmp_path / "presets"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    return folder


def test_each_key_that_differs_has_a_row_and_no_other() -> None:
    other = small_preset(train={"epochs": 7, "learning_rate": 0.01}, regularized={"l2": {"strength": 0.5}})
    rows = {key: (ours, theirs) for key, ours, theirs in differences(PRESET, other)}
    assert rows == {
        "train.epochs": ("6", "7"),
        "train.learning_rate": ("0.001", "0.01"),
        "regularized.dropout.rate": ("0.5", "–"),
        "regularized.dropout.input_rate": ("0.0", "–"),
        "regularized.l2.strength": ("–", "0.5"),
    }
    assert differences(PRESET, PRESET) == []


async def opened(tmp_path: Path, preset: Preset, size: tuple[int, int] = (120, 60)) -> str:
    """What the page shows."""
    async with running(tmp_path, preset=preset, size=size) as (app, pilot, _):
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, PresetPage) and "Preset" in text_of(app))
        shown = text_of(app)
        await pilot.press("f")
        await until(pilot, lambda: not isinstance(app.screen, PresetPage))
    return shown


async def test_the_page_tells_what_differs_and_shows_all_of_it(presets: Path, tmp_path: Path) -> None:
    (presets / "small.toml").write_text(to_toml(PRESET).replace("epochs = 6", "epochs = 9"))
    shown = await opened(tmp_path, PRESET)
    assert "What differs from presets/small.toml" in shown
    (row,) = [line[line.index("train.epochs") :] for line in shown.splitlines() if "train.epochs" in line]
    assert row.split()[:3] == ["train.epochs", "6", "9"]  # behind it is what the page does not cover
    assert "epochs = 6" in shown
    assert "[regularized.dropout]" in shown


async def test_an_equal_file_and_none_at_all_are_a_sentence(presets: Path, tmp_path: Path) -> None:
    assert "There is no preset of the name small now." in await opened(tmp_path, PRESET)
    (presets / "small.toml").write_text(to_toml(PRESET))
    assert "Equal to presets/small.toml." in await opened(tmp_path, PRESET, (80, 24))


async def test_a_file_that_can_t_be_read_any_more_says_why(presets: Path, tmp_path: Path) -> None:
    (presets / "small.toml").write_text("schema = 1\n[train]\nepochs = 0\n")
    shown = await opened(tmp_path, PRESET)
    assert "train.epochs: must be at least 1" in shown


@pytest.mark.parametrize("size", [(120, 60), (40, 12)])
async def test_text_of_unknown_origin_is_shown_as_text(presets: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    (presets / "small.toml").write_text(to_toml(PRESET))
    bad = validate({**PRESET.model_dump(by_alias=True), "title": "[red]\x1b[2Jx[/]\u202e"}, "test")
    shown = await opened(tmp_path, bad, size)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    if size[0] == 120:
        assert r'"[red]\\x1b[2Jx[/]\\u202e"' in shown
