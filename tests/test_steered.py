"""What was changed while a run trained, in words."""

from __future__ import annotations

import re

import pytest

from regtui.evidence.steered import changes_in_words
from tests.conftest import small_preset
from tests.telling import Telling

PAIR = small_preset(
    regularized={"dropout": {"rate": 0.5}, "l2": {"strength": 0.001}}, train={"epochs": 10, "learning_rate": 0.001}
)
ARMS = small_preset(arms={"one": {"dropout": {"rate": 0.2}}, "two": {"early_stopping": {"patience": 4}}})


def told(telling: Telling, *, known: bool = True) -> list[str]:
    words = changes_in_words(telling.history, telling.preset if known else None)
    return [one.replace("\N{NO-BREAK SPACE}", " ") for one in words]


@pytest.mark.parametrize(
    ("arm", "key", "value", "epoch", "said"),
    [
        ("regularized", "dropout.rate", 0.6, 7, "dropout 0.5 → 0.6 at epoch 7"),
        ("regularized", "l2.strength", 0.01, 0, "L2 0.001 → 0.01 before epoch 1"),
        ("baseline", "patience", 3, 2, "baseline: patience off → 3 at epoch 2"),
        (None, "learning_rate", 0.0005, 3, "learning rate 0.001 → 0.0005 at epoch 3"),
    ],
)
def test_a_change_names_what_it_was_and_when(arm: str | None, key: str, value: float, epoch: int, said: str) -> None:
    telling = Telling(PAIR).start().control(arm, key, value, epoch=epoch)
    assert told(telling) == [said]
    assert told(telling, known=False) == [re.sub(r"(off|[\d.]+) → ", "set to ", said)]


def test_a_knob_that_was_changed_often_is_told_once() -> None:
    telling = Telling(PAIR).start().control("regularized", "dropout.rate", 0.6, epoch=2)
    telling.control("regularized", "l2.strength", 0.1, epoch=3).control("regularized", "dropout.rate", 0.3, epoch=5)
    assert told(telling) == ["dropout 0.5 → … → 0.3 at epochs 2 to 5", "L2 0.001 → 0.1 at epoch 3"]
    assert not told(Telling(PAIR).start().control("regularized", "dropout.rate", 0.6, why="no"))


def test_of_several_arms_the_changed_one_is_named() -> None:
    telling = Telling(ARMS).start().control("one", "dropout.rate", 0.6, epoch=2)
    telling.control("two", "patience", None, epoch=3)
    assert told(telling) == ["A one: dropout 0.2 → 0.6 at epoch 2", "B two: patience 4 → off at epoch 3"]
    both = Telling(PAIR).start().control("baseline", "patience", 3).control("regularized", "patience", 3)
    assert told(both) == ["both arms: patience off → 3 at epoch 1"]
