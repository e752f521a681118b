from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from regtui.disk import Disk
from regtui.engine import clock, steps
from regtui.preset.model import Preset
from regtui.preset.validation import validate
from regtui.remote import client, server, service

# A busy machine is no fault of what is tested, so that no example has a deadline; the same ones are tried every time,
# and others with --hypothesis-profile=others.
settings.register_profile(
    "regtui", deadline=None, max_examples=50, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("others", settings.get_profile("regtui"), derandomize=False)
settings.load_profile("regtui")

os.environ["REGTUI_CONFIG"] = os.devnull + "/none"
"""The settings of whoever runs the tests are none of theirs."""

SMALL: dict[str, Any] = {
    "schema": 1,
    "name": "small",
    "data": {"val_fraction": 0.01, "train_samples": 320},
    "model": {"hidden": [32, 16]},
    "train": {"epochs": 3, "batch_size": 32, "weight_decay": 1e-4, "device": "cpu"},
    "regularized": {"dropout": {"rate": 0.5}},
}
"""320 images to train on in 10 steps an epoch, 600 to validate on; an epoch of both arms takes some 20 ms."""

MINUTE = 60.0
MakePreset = Callable[..., Preset]


def small_preset(**tables: dict[str, Any]) -> Preset:
    """The small preset; a table given replaces that of an arm or of a model with a kind, and updates the others."""
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in SMALL.items()}
    if "arms" in tables:
        del merged["regularized"]
    for name, table in tables.items():
        replaced = name in {"baseline", "regularized", "arms"} or "kind" in table
        merged[name] = table if replaced else {**merged.get(name, {}), **table}
    return validate(merged, "test")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """As the arms have it on two cores; threads that wait for each other on a busy machine cost a hundredfold."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _no_sync() -> Iterator[None]:
    """Nobody takes the power away, and a sync takes milliseconds; programs that tests start do sync."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _descriptor: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_haste() -> Iterator[None]:
    """Whom the program gives up after seconds has a minute on a busy machine; a test of that says how long it has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Disk.__init__, "__defaults__", (MINUTE,))
        for module, name in (
            (clock, "STOOD_STILL"), (client, "ANSWER"), (server, "GOODBYE"), (server, "PATIENCE"), (service, "AT_MOST"),
        ):  # fmt: skip
            patch.setattr(module, name, MINUTE)
        patch.setattr(steps, "READ_OUT", MINUTE)  # how many steps are told at once depends on no clock
        yield


@pytest.fixture(autouse=True, scope="session")
def _screens_settle() -> Iterator[None]:
    """Who presses a key on a screen looks at what has become of it, however busy the machine is."""
    from tests.settled import have_screens_hurry, have_screens_wait

    with pytest.MonkeyPatch.context() as patch:
        have_screens_wait(patch)
        have_screens_hurry(patch)
        yield


@pytest.fixture(scope="session")
def mnist_file() -> Path:
    """The decoded MNIST, from the user's cache: it is only read."""
    from regtui.data.source import ensure

    return ensure("mnist")
