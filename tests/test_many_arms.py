"""A run of many arms: who else trains changes no arm's numbers, and the arms share the processes that there are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from regtui.engine.crew import Crew, LocalCrew, ProcessCrew, spread
from regtui.engine.trainer import Trainer
from regtui.protocol.control import Command, Control, SetMinDelta, SetPatience, SetStrength
from regtui.protocol.events import ArmStopped, ControlApplied, EpochDone, Event, RunStarted, StepsDone
from regtui.techniques import Techniques
from tests.conftest import small_preset

ARMS: dict[str, dict[str, Any]] = {
    "l1": {"l1": {}},
    "l2": {"l2": {}},
    "dropout": {"dropout": {"rate": 0.4}},
    "norm": {"batch_norm": {}},
    "early": {"early_stopping": {"patience": 1, "min_delta": 5.0}},
    "all": {"l2": {}, "dropout": {"rate": 0.4}, "batch_norm": {}},
}


def train(crew: Crew, arms: Iterable[str], data: Path, folder: Path, *commands: Command) -> list[Event]:
    preset = small_preset(arms={name: ARMS[name] for name in arms}, train={"epochs": 3})
    control, events = Control(), list[Event]()
    for command in commands:
        control.send(command)
    crew.build(preset, data)
    folder.mkdir()
    Trainer(preset, crew, control, events.append, lambda: folder).run()
    return events


def numbers(events: list[Event], arm: str) -> list[Any]:
    """All of an arm that no clock has a say in."""
    losses = [loss for e in events if isinstance(e, StepsDone) and e.arm == arm for loss in e.losses]
    ends = [e for e in events if isinstance(e, EpochDone | ArmStopped) and e.arm == arm]
    return [losses, *(e.model_dump(exclude={"t", "seconds"}) for e in ends)]


def test_an_arm_s_numbers_are_the_same_whoever_else_trains_and_where(mnist_file: Path, tmp_path: Path) -> None:
    with ProcessCrew(threads=1) as crew:
        together = train(crew, ARMS, mnist_file, tmp_path / "together")
        assert len({arm for process in crew.processes for arm in process.arms}) == 7
        alone = {arm: train(crew, [arm], mnist_file, tmp_path / arm) for arm in ["all"]}
    here = train(LocalCrew(), ARMS, mnist_file, tmp_path / "here")
    for arm in ("baseline", *ARMS):
        assert numbers(here, arm) == numbers(together, arm)
    for arm, pair in alone.items():
        assert numbers(pair, "baseline") == numbers(together, "baseline")
        assert numbers(pair, arm) == numbers(together, arm)


def test_arms_with_many_techniques_are_spread_over_the_processes() -> None:
    arms = {name: Techniques.model_validate(table) for name, table in {"baseline": {}, **ARMS}.items()}
    home = spread(arms, 2)
    loads = [sum(1 + len(arms[name].active()) for name in home if home[name] == process) for process in (0, 1)]
    assert sorted(loads) == [7, 8]
    assert sorted(spread(arms, 7).values()) == list(range(7))


@pytest.mark.parametrize("arms", [["norm"], list(ARMS)], ids=["two", "seven"])
def test_what_all_arms_have_starts_equal(mnist_file: Path, tmp_path: Path, arms: list[str]) -> None:
    started = train(LocalCrew(), arms, mnist_file, tmp_path / "run")[0]
    assert isinstance(started, RunStarted)
    assert list(started.arms) == ["baseline", *arms]
    assert len({arm.initial_weights for arm in started.arms.values()}) == 1
    assert len({arm.tensors for arm in started.arms.values()}) == 2, "batch norm brings its own"
    assert started.shared_tensors == started.arms["baseline"].tensors


def test_each_of_many_arms_is_steered_and_stops_on_its_own(mnist_file: Path, tmp_path: Path) -> None:
    commands: list[Command] = [
        SetStrength(arm="all", key="dropout.rate", value=0.1),
        SetPatience(arm="l1", patience=1),
        SetMinDelta(min_delta=5.0),  # of all arms
    ]
    events = train(LocalCrew(), ARMS, mnist_file, tmp_path / "run", *commands)
    answers = [(e.arm, e.key, e.accepted) for e in events if isinstance(e, ControlApplied)]
    everyone = [(arm, "min_delta", True) for arm in ("baseline", *ARMS)]
    assert answers == [("all", "dropout.rate", True), ("l1", "patience", True), *everyone]
    ended = {e.arm: (e.reason, e.epoch) for e in events if isinstance(e, ArmStopped)}
    early = dict.fromkeys(["l1", "early"], ("early_stopping", 2))
    assert ended == dict.fromkeys(["baseline", *ARMS], ("max_epochs", 3)) | early
