"""The command that a study's verdict names makes the same plan again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import pytest

from regtui.preset.file import load
from regtui.study.design import Wishes, make_plan
from regtui.study.reproduce import command_of

TRIED: list[tuple[str, Sequence[str], Wishes]] = [
    ("small-data", (), Wishes()),
    ("small-data", (), Wishes("5")),
    ("small-data", (), Wishes("3,5,9")),
    ("small-data", ("train.seed=4",), Wishes("6")),
    ("small-data", ("train.epochs=5", "regularized.dropout.rate=0.3"), Wishes()),
    ("small-data", (), Wishes(vary=("regularized.dropout.rate=0.1,0.3",))),
    ("small-data", ("regularized.dropout.after=[1]",), Wishes(vary=("regularized.dropout.rate=0.1,0.3",))),
    ("techniques", (), Wishes("8", looks=False, sensitivity=True)),
    ("techniques", (), Wishes(vary=("arms.l2.l2.strength=0.001,0.01", "data.train_samples=500,1000"))),
    ("small-data", (), Wishes(vary=("data.train_samples=500,1000", "train.epochs=5,10"), looks=True)),
    ("small-data", (), Wishes(tune=("train.learning_rate=0.001,0.003",), metric="loss", smallest_effect=0.01)),
    ("small-data", (), Wishes(resample="bootstrap", alpha=0.1, smallest_effect=1.0)),
    ("diabetes", (), Wishes("4", resample="split", threads=2)),
]


@pytest.mark.parametrize(("preset", "settings", "wishes"), TRIED)
def test_the_command_makes_the_same_plan(preset: str, settings: Sequence[str], wishes: Wishes) -> None:
    plan = make_plan(load(preset, settings), wishes)
    words = shlex.split(command_of(plan))
    assert words[:3] == ["regtui", "study", preset]
    options: dict[str, list[str]] = {}
    flags = [word for word in words[3:] if word in ("--sensitivity", "--looks")]
    rest = [word for word in words[3:] if word not in flags]
    for option, value in zip(rest[::2], rest[1::2], strict=True):
        options.setdefault(option, []).append(value)
    one = {option: values[0] for option, values in options.items()}
    again = Wishes(
        seeds=one.get("--seeds"),
        vary=options.get("--vary", ()),
        tune=options.get("--tune", ()),
        sensitivity="--sensitivity" in flags,
        looks="--looks" in flags,
        resample=one.get("--resample"),
        metric=one.get("--metric"),
        smallest_effect=float(one["--smallest-effect"]) if "--smallest-effect" in one else None,
        alpha=float(one["--alpha"]) if "--alpha" in one else None,
        threads=int(one["--threads"]) if "--threads" in one else None,
    )
    assert make_plan(load(preset, options.get("--set", ())), again) == plan


def test_a_preset_that_is_not_there_any_more_has_no_command() -> None:
    plan = make_plan(load("smoke"), Wishes())
    assert command_of(plan.model_copy(update={"preset": plan.preset | {"name": "gone"}})) == ""
