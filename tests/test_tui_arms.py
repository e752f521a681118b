from __future__ import annotations

import pytest
from rich.text import Text
from textual.app import App, ComposeResult

from regtui.preset.model import Preset
from regtui.tui import look, themes
from regtui.tui.run.arms_table import ArmsTable, arm_rows
from tests.conftest import small_preset
from tests.telling import Telling

COLOURS = themes.DARK.variables | {"warning": "#ffff00", "accent": "#e6c07b"}
PRESET: Preset = small_preset(train={"epochs": 10}, regularized={"early_stopping": {"patience": 5}})


def rows(telling: Telling, width: int = 118) -> list[str]:
    return [row.plain for row in arm_rows(telling.preset, telling.history, width, COLOURS)]


def cells(telling: Telling, arm: int, width: int = 144) -> dict[str, str]:
    """An arm's row, by header: the text that ends where the header ends."""
    header, *arms = rows(telling, width)
    found, begin = {}, 37
    for name in header.split():
        end = header.index(f" {name}") + len(name) + 1
        found[name] = arms[arm][begin:end].strip()
        begin = end
    return found


def test_a_row_shows_what_was_measured() -> None:
    telling = Telling(PRESET).start().epochs([0.3, 0.2, 0.25], [0.3, 0.21, 0.22, 0.23])
    baseline, regularized = cells(telling, 0), cells(telling, 1)
    assert baseline["epoch"] == "3/10"
    assert regularized["epoch"] == "4/10"
    assert (regularized["train"], regularized["val"], regularized["gap"]) == ("0.0500", "0.2300", "0.180")
    assert (regularized["acc"], regularized["best"], regularized["value"]) == ("90.0%", "2", "0.2100")
    assert (regularized["s/epoch"], regularized["img/s"], regularized["zeros"]) == ("0.50", "640", "12.5%")
    assert (regularized["patience"], regularized["needs"], regularized["stops"]) == ("▮▮▯▯▯ 2/5", "0.2100", "at 7")
    assert rows(telling, 144)[1].endswith("1 since best")


def test_before_the_first_epoch_nothing_is_invented() -> None:
    telling = Telling(PRESET)
    assert rows(telling)[1].strip() == "● baseline"
    assert set(cells(telling.start(), 1).values()) == {"0/10", "–", "▯▯▯▯▯ 0/5", "at 6"}


def test_min_delta_and_accuracy_change_the_value_to_beat() -> None:
    knobs = {"patience": 3, "monitor": "val_accuracy", "min_delta": 0.01}
    telling = Telling(small_preset(train={"epochs": 10}, regularized={"early_stopping": knobs})).start()
    telling.epoch("regularized", 0.5, accuracy=0.9)
    assert (cells(telling, 1)["value"], cells(telling, 1)["needs"]) == ("0.5000", "91.00%")
    telling.control("regularized", "min_delta", 0.02)
    assert cells(telling, 1)["needs"] == "92.00%"


def test_the_meter_is_full_only_when_patience_has_run_out() -> None:
    telling = Telling(small_preset(train={"epochs": 99}, regularized={"early_stopping": {"patience": 8}})).start()
    meters = []
    for value in (0.1, *[0.2] * 8):
        meters.append(cells(telling.epoch("regularized", value), 1)["patience"])
    assert meters[0] == "▯▯▯▯▯ 0/8"
    assert meters[1] == "▮▯▯▯▯ 1/8"
    assert meters[7] == "▮▮▮▮▯ 7/8"
    assert meters[8] == "▮▮▮▮▮ 8/8"
    telling.control("regularized", "patience", 1000)
    assert cells(telling, 1)["patience"] == "8/1000"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("early_stopping", "stopped early at 3, kept 2"),
        ("max_epochs", "done, kept 2"),
        ("stopped", "stopped at 3, kept 2"),
        ("exploded", "diverged at 3"),
    ],
)
def test_an_arm_that_has_ended_says_why(reason: str, words: str) -> None:
    telling = Telling(PRESET).start().epochs([], [0.3, 0.2, 0.25])
    telling.stop("regularized", reason)  # type: ignore[arg-type]
    for width in (140, 118):
        assert rows(telling, width)[2].endswith(words)
    for width in (100, 78, 60, 40):
        short = rows(telling, width)[2].split("  ")[-1].strip()
        assert short.split(",")[0].split()[0] in {"stopped", "early", "ended", "done", "diverged", "NaN"}


def test_without_restore_best_the_last_epoch_is_kept() -> None:
    preset = small_preset(regularized={"early_stopping": {"restore_best": False}})
    telling = Telling(preset).start().epochs([0.2], [0.2, 0.3]).stop("regularized", "max_epochs")
    assert rows(telling)[2].endswith("done, kept 2")


def test_numbers_that_are_not_finite() -> None:
    telling = Telling(PRESET).start().epoch("regularized", None, train=None)
    assert [cells(telling, 1)[name] for name in ("train", "val", "gap", "best")] == ["NaN", "NaN", "NaN", "–"]


def test_a_partial_epoch_is_no_measure_of_speed() -> None:
    telling = Telling(PRESET).start().epoch("regularized", 0.3, partial=True)
    assert (cells(telling, 1)["s/epoch"], cells(telling, 1)["img/s"]) == ("–", "–")


@pytest.mark.parametrize("epochs", [3, 50, 1000])
@pytest.mark.parametrize("width", [200, 126, 118, 117, 100, 78, 60, 40, 38])
def test_every_width_keeps_the_row_within_it_and_nothing_moves(width: int, epochs: int) -> None:
    preset = small_preset(train={"epochs": epochs}, regularized={"early_stopping": {"patience": 2}})
    telling = Telling(preset).start()
    header = rows(telling, width)[0]
    assert "val" in header
    assert "wait" in header or "patience" in header
    if epochs < 1000 and width >= 60:
        assert {"epoch", "gap", "acc", "best"} <= set(header.split())
    for value in (2.3, 12.5, 0.0001, 123456.0):
        telling.epoch("baseline", value).epoch("regularized", value)
        now = rows(telling, width)
        assert now[0] == header
        assert all(len(row) <= width for row in now)
        where = header.index(" val") + 4
        assert now[1][where] == " "
        assert now[1][where - 1] != " "


def test_the_columns_of_the_three_sizes() -> None:
    telling = Telling(PRESET).start()
    assert rows(telling, 118)[0].split() == [
        "epoch", "train", "val", "gap", "acc", "best", "s/epoch", "zeros", "patience", "needs", "stops",
    ]  # fmt: skip
    assert rows(telling, 78)[0].split() == ["epoch", "train", "val", "gap", "acc", "best", "patience"]
    assert rows(telling, 58)[0].split() == ["epoch", "val", "gap", "acc", "best", "wait"]
    assert rows(telling, 38)[0].split() == ["val", "acc", "wait"]


def test_the_bar_is_full_only_at_the_end() -> None:
    telling = Telling(PRESET).start()
    for _ in range(9):
        telling.epoch("baseline", 0.1)
    telling.steps("baseline", [0.1] * 9)
    assert "·" in rows(telling, 118)[1]
    assert "·" not in rows(telling.steps("baseline", [0.1]), 118)[1]


def test_arms_differ_by_mark_and_are_told_apart_in_ascii() -> None:
    header, baseline, regularized = rows(Telling(PRESET).start().epochs([0.1], [0.1]))
    assert look.plain(baseline)[0] != look.plain(regularized)[0]
    assert "?" not in look.plain(header + baseline + regularized)


class Host(App[None]):
    def compose(self) -> ComposeResult:
        yield ArmsTable()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.DARK.variables


async def test_the_widget_shows_the_rows_of_its_width_and_follows_a_resize() -> None:
    telling = Telling(PRESET).start().epochs([0.3], [0.2])
    async with Host().run_test(size=(118, 8)) as pilot:
        table = pilot.app.query_one(ArmsTable)
        await pilot.pause()
        assert "".join(table.render_line(0).text).strip() == ""
        table.update_from(PRESET, telling.history)
        assert [table.render_line(y).text.rstrip() for y in range(3)] == [row.rstrip() for row in rows(telling, 118)]
        await pilot.resize_terminal(60, 8)
        assert [table.render_line(y).text.rstrip() for y in range(3)] == [row.rstrip() for row in rows(telling, 60)]
        assert isinstance(table.rows(60, 0)[0], Text)


@pytest.mark.parametrize(("dataset", "metric", "speed"), [("mnist", "acc", "img/s"), ("diabetes", "R²", "ex/s")])
def test_what_is_measured_and_trained_on_has_its_name(dataset: str, metric: str, speed: str) -> None:
    preset = small_preset(data={"dataset": dataset, "train_samples": None, "val_samples": None})
    told = Telling(preset).start().epochs([0.5], [0.4])
    for width in (50, 150):
        rows = [row.plain for row in arm_rows(preset, told.history, width, COLOURS)]
        assert any(metric in row for row in rows)
        assert any(speed in row for row in rows) or width == 50
        assert not any("metric" in row or "samples" in row for row in rows)
