"""The table of a headless run and of `regtui show`, for any arms and widths."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from regtui.epochs import table_lines
from regtui.preset.arms import MOST_ARMS
from regtui.protocol.history import History
from tests.conftest import small_preset
from tests.telling import Telling

ALIKE = ["early-stopping-patience1", "early-stopping-patience2"]
"""As long as names may be, and equal but for the last letter."""


def printed(arms: list[str], width: int) -> list[str]:
    """What is printed of a run whose first arm is cut short and stops early, and whose last one diverges at once."""
    tables = {name: {"dropout": {"rate": 0.1 + n / 20}} for n, name in enumerate(arms)}
    told = Telling(small_preset(arms=tables, train={"epochs": 2})).start()
    for name in ("baseline", *arms[:-1]):
        told.epoch(name, 0.5, partial=name == arms[0])
    told.stop(arms[-1], "non_finite").stop(arms[0], "early_stopping")
    history, lines = History(), list[str]()
    for event in told.events:
        history.add(event)
        lines += table_lines(event, history, told.preset, width)
    return lines


@pytest.mark.parametrize("width", [40, 47, 60, 80, 120, 200])
@pytest.mark.parametrize("arms", [["regularized"], ["a", "b"], ALIKE, [*ALIKE, *(f"arm-{n}" for n in range(14))]])
def test_lines_of_any_arms_fit_and_their_columns_line_up(arms: list[str], width: int) -> None:
    lines = printed(arms, width)
    assert max(map(cell_len, lines)) <= width
    head = next(line for line in lines if line.endswith(("val loss", "val acc", " s")))
    epochs = [line for line in lines if line.lstrip().startswith("1") and line.rstrip().endswith(" best")]
    assert len(epochs) == len(arms), "of the baseline, and of all but the arm that diverged"
    assert {cell_len(line.removesuffix(" best")) for line in epochs} == {cell_len(head)}


@pytest.mark.parametrize("width", [40, 80])
def test_arms_whose_names_begin_alike_are_told_apart(width: int) -> None:
    lines = printed([*ALIKE, "c"], width)
    names = [line.split()[1] for line in lines if line.lstrip().startswith("1") and line.endswith(" best")]
    assert len(names) == len(set(names)) == 3
    for name in names[1:]:
        assert name.startswith("early-st")
        assert name.endswith(("patience1", "patience2"))


def test_two_arms_have_the_columns_that_they_had() -> None:
    lines = printed(["regularized"], 100)
    assert "  epoch  arm         train loss val loss       gap train acc  val acc      s" in lines
    assert "regularized  dropout 0.1 · 1 parameters" not in lines
    assert "regularized  no technique · 1 parameters" in lines


def test_an_arm_may_be_called_what_a_row_of_the_header_is_called() -> None:
    arms = ["data", "model", "device", "note", "losses"]
    lines = printed(arms, 80)
    assert len(arms) <= MOST_ARMS
    for name in arms:
        assert f"{name:<11}  no technique · 1 parameters" in lines
    assert sum(line.startswith("data ") for line in lines) == 2
