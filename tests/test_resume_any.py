"""Drawn runs, cut off in drawn ways as often as is drawn, each resumed: it ends as if nothing had been.

The presets draw on every technique, network, schedule and task; the cuts are kills at any event and before any call
that changes a file, stops, stops at once and hand-overs, also while a run is being resumed. What is steered is sent
after whole epochs, since only there a command takes effect at the same step each time.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from regtui.engine.crew import LocalCrew
from regtui.preset.model import Preset
from regtui.protocol.control import (
    Command,
    HandOver,
    Pause,
    Resume,
    SetLearningRate,
    SetMinDelta,
    SetPatience,
    SetStrength,
    Stop,
)
from regtui.protocol.events import EpochDone, Event, Interrupted, RunStarted, StepsDone
from regtui.runs.summary import read_summary
from tests.conftest import small_preset
from tests.same_run import assert_same
from tests.test_resume import Act, Killed, Runs

CHANGING_FILES = ((Path, "replace"), (Path, "unlink"), (os, "fsync"), (os, "write"))
"""Calls before which a process may be killed."""


def drawn_preset(chance: random.Random) -> Preset:
    regression = chance.random() < 0.25
    data: dict[str, Any] = {"dataset": "diabetes", "val_fraction": 0.3, "train_samples": 200} if regression else {}
    data |= {"seed": chance.choice([None, 5]), "bootstrap": chance.random() < 0.3}
    kinds: list[dict[str, Any]] = [
        {"kind": "mlp", "hidden": chance.choice([[8], [16, 8]])},
        {"kind": "linear"},
        *([] if regression else [{"kind": "cnn", "channels": [2], "hidden": [8]}]),
    ]
    model = chance.choice(kinds)
    epochs = chance.randint(2, 6)
    train: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": chance.choice([32, 50, 320]),
        "optimizer": chance.choice(["adam", "adamw", "sgd"]),
        "schedule": chance.choice(["constant", "cosine", "step"]),
        "clip_norm": chance.choice([None, 0.5]),
        "weight_decay": chance.choice([0.0, 1e-3]),
        "seed": chance.randrange(100),
        "learning_rate": chance.choice([1e-3, 1e-2]),
        **chance.choice([{}, {"warmup_epochs": 1}, {"warmup_steps": 7}]),
    }
    if train["schedule"] == "step":
        train["step_epochs"] = chance.randint(1, 2)
    names = ["regularized", "other", "third"][: chance.randint(1, 3)]
    arms = {name: drawn_techniques(chance, model, regression=regression) for name in names}
    baseline = drawn_techniques(chance, model, regression=regression) if chance.random() < 0.3 else {}
    return small_preset(data=_without_none(data), model=model, train=_without_none(train), arms=arms, baseline=baseline)


def drawn_techniques(chance: random.Random, model: dict[str, Any], *, regression: bool) -> dict[str, Any]:
    stopping = {
        "patience": chance.randint(1, 3),
        "min_delta": chance.choice([0.0, 0.01, 0.1]),
        "warmup": chance.choice([0, 1]),
        "restore_best": chance.random() < 0.6,
        "monitor": chance.choice(["val_loss", "val_r2" if regression else "val_accuracy"]),
    }
    possible: dict[str, dict[str, Any]] = {
        "l1": {"strength": chance.choice([1e-3, 1e-2]), "mode": chance.choice(["proximal", "loss"])},
        "l2": {"strength": chance.choice([1e-3, 1e-1])},
        "dropout": {"rate": 0.4, "input_rate": chance.choice([0.0, 0.2])},
        "batch_norm": {},
        "label_smoothing": {"strength": 0.1},
        "early_stopping": stopping,
    }
    if model["kind"] == "linear":
        del possible["batch_norm"]
        possible["dropout"] = {"rate": 0.0, "input_rate": 0.2}
    if regression:
        del possible["label_smoothing"]
    if chance.random() < 0.05:
        return {"l2": {"strength": 1e6}}  # it diverges
    return {name: knobs for name, knobs in possible.items() if chance.random() < 0.4}


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


def drawn_steering(chance: random.Random, preset: Preset) -> dict[int, list[Command]]:
    """Commands by the epoch after which they are sent."""
    arms = [*preset.arms(), None]
    steering: dict[int, list[Command]] = {}
    for _ in range(chance.choice([0, 0, 1, 2, 4])):
        arm = chance.choice(arms)
        possible: list[Command] = [
            SetPatience(arm=arm, patience=chance.choice([None, 1, 2, 9])),
            SetMinDelta(arm=arm, min_delta=chance.choice([0.0, 0.05])),
            SetLearningRate(learning_rate=chance.choice([1e-4, 3e-3])),
            SetStrength(arm=arm or "baseline", key="dropout.rate", value=0.1),
            SetStrength(arm=arm or "baseline", key="l2.strength", value=0.01),
            SetStrength(arm=arm or "baseline", key="l1.strength", value=0.0),
        ]
        steering.setdefault(chance.randint(0, preset.train.epochs), []).append(chance.choice(possible))
    return steering


class Steered:
    """Sends the commands of an epoch when its first arm has finished it, and again when it is gone on from there."""

    def __init__(self, steering: dict[int, list[Command]]) -> None:
        self._steering, self._sent = steering, -1

    def __call__(self, event: Event) -> list[Command]:
        if isinstance(event, Interrupted):
            self._sent = event.epoch
            return [] if event.epoch == 0 else self._steering.get(event.epoch, [])
        epoch = 0 if isinstance(event, RunStarted) else event.epoch if isinstance(event, EpochDone) else -1
        if epoch <= self._sent or (isinstance(event, EpochDone) and event.partial):
            return []
        self._sent = epoch
        return self._steering.get(epoch, [])


@contextmanager
def killed_before_call(runs: Runs, number: int, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within this context the process is killed before a call that changes a file; nothing is changed after it."""
    calls, dead = count(), False

    def dying(call: Any) -> Any:
        def called(*args: Any, **kwargs: Any) -> Any:
            nonlocal dead
            dead = dead or next(calls) >= number
            if dead:
                runs.killed = True
                raise Killed
            return call(*args, **kwargs)

        return called

    with patch.context() as within:
        for owner, name in CHANGING_FILES:
            within.setattr(owner, name, dying(getattr(owner, name)))
        yield


def drawn_cut(chance: random.Random, events: int) -> Act:
    """Something that happens to a run at one of its events, or soon after.

    It is stopped only among steps: what is sent at an epoch's end before a stop would already be in its checkpoint.
    """
    number, seen = chance.randrange(events), 0
    how = chance.choice(["killed", "killed", "killed", "stop", "stop at once", "hand over", "paused and killed"])

    def act(event: Event) -> list[Command]:
        nonlocal seen
        seen += 1
        early = seen <= number or (how.startswith("stop") and not isinstance(event, StepsDone))
        if early:
            return []
        if how == "killed" or (how == "paused and killed" and event.kind in ("paused", "resumed")):
            raise Killed
        commands: dict[str, list[Command]] = {
            "stop": [Stop()],
            "stop at once": [Stop(at_once=True)],
            "hand over": [HandOver()],
            "paused and killed": [Pause(), Resume()],
        }
        return commands[how]

    return act


def status_of(folder: Path) -> str:
    summary = read_summary(folder)
    return "" if summary is None else summary.status


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100))
def test_a_drawn_run_ends_as_if_nothing_had_been(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(f"any {seed}")
    preset = drawn_preset(chance)
    steering = drawn_steering(chance, preset)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    runs = Runs(tmp_path, monkeypatch)
    whole = runs.whole(preset, Steered(steering), LocalCrew)
    events = len(runs.events)
    folder: Path | None = None
    for _ in range(chance.randint(1, 5)):
        cut, steered = drawn_cut(chance, events), Steered(steering)

        def act(event: Event, cut: Act = cut, steered: Act = steered) -> list[Command]:
            return [*steered(event), *cut(event)]

        number = chance.randrange(events * 4) if chance.random() < 0.4 else 10**9
        try:
            with killed_before_call(runs, number, monkeypatch):
                if folder is None:
                    runs.whole(preset, act, LocalCrew)
                else:
                    runs.resumed(folder, act, LocalCrew)
        except Killed:
            pass
        made = [path for path in tmp_path.iterdir() if path != whole and (path / "preset.toml").exists()]
        folder = made[0] if made else None
        if folder is not None and status_of(folder) in ("finished", "diverged"):
            break
    else:
        if folder is None:
            folder = runs.whole(preset, Steered(steering), LocalCrew)
        else:
            runs.resumed(folder, Steered(steering), LocalCrew)
    assert_same(folder, whole)
