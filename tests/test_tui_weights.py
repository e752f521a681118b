from __future__ import annotations

import asyncio
import gc
import json
import os
import platform
import threading
import weakref
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from textual.app import App
from textual.pilot import Pilot

from regtui.errors import RegtuiError
from regtui.preset.model import Preset
from regtui.runs import weights
from regtui.runs.weights import Layer
from regtui.tui import look, themes
from regtui.tui.charts.view import View
from regtui.tui.pages import weights_screen
from regtui.tui.pages.weights_screen import WeightsScreen
from regtui.tui.pages.weights_views import bars, log_scale, shades
from regtui.tui.widgets.keys import EVERYWHERE
from tests import screen_double
from tests.conftest import small_preset
from tests.test_weights import normal

SIZES = [(120, 36), (80, 24), (40, 12)]
WIDTHS = (784, 32, 16, 10)


class Host(App[None]):
    def __init__(self, screen: WeightsScreen, plain: bool = False) -> None:
        super().__init__()
        if plain:
            self._filters.append(look.PlainText())
        self.first = screen
        self.answers: list[Any] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.DARK.variables

    def on_mount(self) -> None:
        self.register_theme(themes.LIGHT)
        self.push_screen(self.first, self.answers.append)


def save(
    folder: Path,
    which: str = "last",
    scale: float = 1.0,
    arms: Iterable[str] = ("baseline", "regularized"),
    **first: Any,
) -> None:
    """A checkpoint of these arms; the regularized one's outer columns of pixels are empty."""
    (folder / "checkpoint").mkdir(exist_ok=True)
    for arm in arms:
        matrices = [normal(n_out, n_in, seed=n_in) * scale for n_in, n_out in pairwise(WIDTHS)]
        if arm == "regularized":
            matrices[0].reshape(-1, 28, 28)[:, :, :7] = 0
        matrices[0] = first.get(arm, matrices[0])
        tensors = {f"linears.{index}.weight": matrix for index, matrix in enumerate(matrices)}
        save_file(tensors, folder / "checkpoint" / f"{arm}-{which}.safetensors")


@pytest.fixture
def preset() -> Preset:
    return small_preset()


def shown(pilot: Pilot[None]) -> list[str]:
    """What the screen shows, row by row."""
    strips = pilot.app.screen._compositor.render_strips()
    filters = pilot.app.get_line_filters()
    background = pilot.app.screen.background_colors[1]
    return ["".join(s.text for s in strip.apply_filter(filters[-1], background)) for strip in strips]


async def until(pilot: Pilot[None], holds: Callable[[list[str]], bool]) -> list[str]:
    """Wait for the thread that reads, however busy the machine is."""
    await screen_double.until(pilot, lambda: holds(shown(pilot)))
    return shown(pilot)


def has(*texts: str) -> Callable[[list[str]], bool]:
    return lambda rows: all(any(text in row for row in rows) for text in texts)


@pytest.mark.parametrize("size", SIZES)
async def test_both_arms_are_set_side_by_side(tmp_path: Path, preset: Preset, size: tuple[int, int]) -> None:
    save(tmp_path)
    async with Host(WeightsScreen(tmp_path, preset)).run_test(size=size) as pilot:
        rows = await until(pilot, has("› hidden1", "hidden2", "output", "hidden1  log counts"))
        first = next(y for y, row in enumerate(rows) if "› hidden1" in row)
        assert "●" in rows[first]
        assert "0 %" in rows[first]
        assert "◆" in rows[first + 1]
        assert "25.0 %" in rows[first + 1]
        assert f"{np.linalg.norm(normal(32, 784, seed=784)):.4g}" in rows[first]
        if size == (120, 36):
            assert has("● baseline", "◆ regularized", "pixels", "edge bins")(rows)


@pytest.mark.parametrize("size", SIZES)
async def test_all_of_it_is_reached_by_scrolling(tmp_path: Path, preset: Preset, size: tuple[int, int]) -> None:
    save(tmp_path)
    async with Host(WeightsScreen(tmp_path, preset)).run_test(size=size) as pilot:
        seen = set(await until(pilot, has("hidden1  log counts")))
        for _ in range(8):
            await pilot.press("pagedown")
            seen.update(shown(pilot))
        pictured = [row for row in seen if "▀" * 28 in row]
        assert pictured
        assert has("edge bins hold all beyond")(list(seen))
        await pilot.press(*["pageup"] * 8)
        await until(pilot, has("› hidden1"))


async def test_a_layer_is_chosen_by_arrows_and_numbers(tmp_path: Path, preset: Preset) -> None:
    save(tmp_path)
    async with Host(WeightsScreen(tmp_path, preset)).run_test(size=(120, 36)) as pilot:
        await until(pilot, has("hidden1  log counts"))
        steps = {"down": "hidden2", "3": "output", "j": "output", "9": "output", "up": "hidden2", "1": "hidden1"}
        for key, layer in steps.items():
            await pilot.press(key)
            await until(pilot, has(f"› {layer}", f"{layer}  log counts"))


@pytest.mark.parametrize("size", SIZES)
async def test_a_layer_is_chosen_by_a_click(tmp_path: Path, preset: Preset, size: tuple[int, int]) -> None:
    save(tmp_path)
    async with Host(WeightsScreen(tmp_path, preset)).run_test(size=size) as pilot:
        rows = await until(pilot, has("hidden1  log counts"))
        y = next(y for y, row in enumerate(rows) if "output" in row)
        for offset, layer in [((4, y), "output"), ((20, y - 1), "hidden2")]:
            await pilot.click(offset=offset)
            await until(pilot, has(f"› {layer}"))


async def test_best_and_last_are_told_apart(tmp_path: Path, preset: Preset) -> None:
    save(tmp_path)
    save(tmp_path, "best", scale=2.0)
    norm = float(np.linalg.norm(normal(32, 784, seed=784)))
    async with Host(WeightsScreen(tmp_path, preset)).run_test(size=(80, 24)) as pilot:
        await until(pilot, has(f"{norm:.4g}", "of the last epoch"))
        await pilot.press("b")
        await until(pilot, has(f"{2 * norm:.4g}", "of each arm's best epoch"))
        await pilot.press("b")
        await until(pilot, has(f"{norm:.4g}", "of the last epoch"))


@pytest.mark.parametrize("size", SIZES)
async def test_before_the_first_epoch_a_sentence_stands_there_until_a_reload(
    tmp_path: Path, preset: Preset, size: tuple[int, int]
) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"host": platform.node(), "pid": os.getpid()}))
    screen = WeightsScreen(tmp_path, preset)
    async with Host(screen).run_test(size=size) as pilot:
        await until(pilot, has("The baseline arm has no weights yet"))
        await pilot.press("down", "3", "pagedown")
        save(tmp_path)
        screen.reload()
        await until(pilot, has("› hidden1"))
        (tmp_path / "checkpoint" / "regularized-last.safetensors").write_bytes(b"torn")
        screen.reload()
        await until(pilot, has("damaged"))


async def test_a_run_that_has_ended_without_a_checkpoint_says_so(tmp_path: Path, preset: Preset) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"host": "of another name", "pid": os.getpid()}))
    os.utime(tmp_path / "run.json", (0, 0))  # elsewhere a run is told by its silence
    async with Host(WeightsScreen(tmp_path, preset)).run_test(size=(120, 36)) as pilot:
        await until(pilot, has("This run's folder has no checkpoint, so there are no weights to show."))


async def test_a_first_layer_that_looks_at_no_pixels_has_no_picture_but_all_else(
    tmp_path: Path, preset: Preset
) -> None:
    save(tmp_path, baseline=normal(32, 20), regularized=normal(32, 20))
    async with Host(WeightsScreen(tmp_path, preset)).run_test(size=(120, 36)) as pilot:
        await until(pilot, has("› hidden1", "hidden1  log counts", "The first layer looks at no pixels"))


@pytest.mark.parametrize("size", SIZES)
async def test_a_convolution_s_kernels_are_shown(tmp_path: Path, preset: Preset, size: tuple[int, int]) -> None:
    (tmp_path / "checkpoint").mkdir()
    shapes = {"conv1": (16, 1, 3, 3), "conv2": (32, 16, 3, 3), "hidden1": (128, 1568), "output": (10, 128)}
    for arm in ("baseline", "regularized"):
        tensors = {f"{name}.weight": normal(*shape) for name, shape in shapes.items()}
        save_file(tensors, tmp_path / "checkpoint" / f"{arm}-last.safetensors")
    async with Host(WeightsScreen(tmp_path, preset)).run_test(size=size) as pilot:
        rows = await until(pilot, has("› conv1", "output"))
        if size == SIZES[0]:
            assert any("3×3 16 → 32" in row for row in rows)
            rows = await until(pilot, has("kernels  size of the weights in each"))
            y = next(y for y, row in enumerate(rows) if "kernels" in row)
            assert "● baseline" in rows[y + 1]
            assert "◆ regularized" in rows[y + 1]
            assert "▀" in rows[y + 2]
        for number, name in enumerate(shapes, start=1):
            await pilot.press(str(number))
            await until(pilot, has(f"› {name}"))


async def test_weights_that_are_not_finite_are_said_to_be(tmp_path: Path, preset: Preset) -> None:
    matrix = normal(32, 784)
    matrix[:, 0] = np.nan
    save(tmp_path, regularized=matrix)
    async with Host(WeightsScreen(tmp_path, preset)).run_test(size=(120, 36)) as pilot:
        rows = await until(pilot, has("◆ regularized: 32 weights are not finite"))
        assert any("◆ regularized" in row and " nan " in row for row in rows)


@pytest.mark.parametrize("plain", [True, False])
async def test_pictures_are_characters_where_there_is_no_colour(
    tmp_path: Path, preset: Preset, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not plain:
        monkeypatch.setenv("NO_COLOR", "1")
    save(tmp_path)
    async with Host(WeightsScreen(tmp_path, preset), plain).run_test(size=(120, 36)) as pilot:
        rows = await until(pilot, has("pixels"))
        picture = [row[-60:] for row in rows if "%" * 3 in row or "#" * 3 in row]
        assert any("#%" in row or "%#" in row for row in picture)
        assert not any("▀" in row for row in rows)
        assert plain == all(row.isascii() for row in rows)


async def test_the_theme_and_the_size_may_change(tmp_path: Path, preset: Preset) -> None:
    save(tmp_path)
    app = Host(WeightsScreen(tmp_path, preset))
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, has("pixels"))
        app.theme = "regtui-light"
        await pilot.pause()
        for size in ((40, 12), (80, 24), (300, 60), (120, 36)):
            await pilot.resize_terminal(*size)
            await until(pilot, has("hidden1  log counts"))


@pytest.mark.parametrize("key", ["escape", "w"])
async def test_it_is_left_by_keys(tmp_path: Path, preset: Preset, key: str) -> None:
    app = Host(WeightsScreen(tmp_path, preset))
    async with app.run_test() as pilot:
        await pilot.press(key)
        assert app.answers == [None]


async def test_a_closed_one_keeps_no_weights_though_it_is_not_freed_yet(
    tmp_path: Path, preset: Preset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc, "collect", lambda: 0)
    save(tmp_path)
    screen = WeightsScreen(tmp_path, preset)
    gc.disable()
    try:
        async with Host(screen).run_test(size=(120, 36)) as pilot:
            await until(pilot, has("hidden1  log counts"))
            kept = [weakref.ref(layer) for layers in screen._layers.values() for layer in layers]
            await pilot.press("escape")
            assert pilot.app.screen is not screen
            assert len(kept) == 6
            assert [layer() for layer in kept if layer() is not None] == []
    finally:
        gc.enable()


class Turn:
    """What is held while weights are read, and comes when a test says so."""

    def __init__(self) -> None:
        self.comes, self.is_over = threading.Event(), threading.Event()

    def __enter__(self) -> None:
        assert self.comes.wait(60)

    def __exit__(self, *_: object) -> None:
        self.is_over.set()


@pytest.mark.parametrize("closed", [False, True])
async def test_one_that_was_closed_before_its_turn_came_reads_nothing(
    tmp_path: Path, preset: Preset, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    turn = Turn()
    read: list[str] = []

    def reading(_folder: Path, arm: str, *_: object, **_more: object) -> list[Layer]:
        read.append(arm)
        raise RegtuiError("nothing is there")

    monkeypatch.setattr(weights_screen, "_READING", turn)
    monkeypatch.setattr(weights, "read_weights", reading)
    async with Host(WeightsScreen(tmp_path, preset)).run_test() as pilot:
        if closed:
            await pilot.press("escape")
        turn.comes.set()
        assert await asyncio.to_thread(turn.is_over.wait, 60)
    assert bool(read) != closed


async def test_every_key_of_the_table_does_something(tmp_path: Path, preset: Preset) -> None:
    screen = WeightsScreen(tmp_path, preset)
    async with Host(screen).run_test():
        bound = {key for key, _ in screen._bindings}
        for key in (*screen.KEYS, *EVERYWHERE):
            assert set(key.keys.split(",")) <= bound
            assert hasattr(screen, f"action_{key.action.split('(')[0]}") or key.action.startswith("app.")


async def test_colour_images_are_pictured_too(tmp_path: Path) -> None:
    preset = small_preset(data={"dataset": "cifar10", "val_fraction": 0.01})
    save(tmp_path, baseline=normal(32, 3072), regularized=normal(32, 3072))
    async with Host(WeightsScreen(tmp_path, preset)).run_test(size=(120, 36)) as pilot:
        rows = await until(pilot, has("pixels"))
        assert sum("▀" * 32 + "  " + "▀" * 32 in row for row in rows) == 16


def test_bars_are_logarithmic_and_only_an_empty_bin_has_none() -> None:
    assert bars([0, 1, 10, 100], (1, 100), 1) == [" ▁▄█"]
    assert bars([0, 1, 100], (1, 100), 2) == ["  █", " ▁█"]
    assert bars([1, 1, 0], (1, 1), 1) == ["▁▁ "]
    assert log_scale([0, 34, 5000]) == (10, 5000)
    assert log_scale([0, 0]) == (1, 1)


def test_shades_grow_with_the_mean_of_two_pixels() -> None:
    assert shades([[0.0, 1.0, 1.0, float("nan")], [0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.5, 0.0]], 1.0) == [" =@?", "@ = "]


@pytest.mark.parametrize("size", SIZES)
async def test_of_several_arms_the_baseline_and_the_chosen_one_are_shown(tmp_path: Path, size: tuple[int, int]) -> None:
    preset = small_preset(arms={"drop": {"dropout": {"rate": 0.5}}, "ridge": {"l2": {"strength": 1e-3}}})
    save(tmp_path, arms=preset.arms())
    view = View(arm="drop")
    async with Host(WeightsScreen(tmp_path, preset, view)).run_test(size=size) as pilot:
        rows = await until(pilot, has(" A "))
        assert not has(" B ")(rows)
        await pilot.press("right_square_bracket")
        rows = await until(pilot, has(" B "))
        assert not has(" A ")(rows)
        assert view.arm == "ridge"  # which is then chosen on the screen of the run as well
