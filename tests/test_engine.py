"""The arms as a matched pair, on real MNIST: what must be equal is equal to the last bit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from regtui.arm import optimizer
from regtui.arm.arm import Arm
from regtui.arm.split import Data, load, normalize
from regtui.arm.streams import stream
from regtui.engine.crew import LocalCrew, ProcessCrew
from regtui.engine.run import RunResult, run
from regtui.preset.model import Preset
from regtui.preset.train import TrainTable
from regtui.protocol.control import Control
from regtui.protocol.events import EpochDone, Event
from regtui.protocol.history import History
from regtui.runs.events import read_events
from tests.conftest import small_preset
from tests.telling import paired

CPU = torch.device("cpu")
TECHNIQUES: dict[str, dict[str, Any]] = {
    "none": {},
    "dropout": {"dropout": {"rate": 0.5, "input_rate": 0.2}},
    "l1": {"l1": {"strength": 1e-3}},
    "l1 loss": {"l1": {"strength": 1e-3, "mode": "loss"}},
    "l2": {"l2": {"strength": 1e-3}},
    "batch norm": {"batch_norm": {}},
    "label smoothing": {"label_smoothing": {"strength": 0.2}},
    "all": {
        "l1": {},
        "l2": {},
        "dropout": {},
        "batch_norm": {},
        "label_smoothing": {},
        "early_stopping": {"patience": 2},
    },
}


def data_for(preset: Preset, mnist_file: Path) -> Data:
    return load(mnist_file, preset.data, preset.train.seed, CPU)


def make_arm(preset: Preset, mnist_file: Path, name: str = "regularized") -> Arm:
    return Arm(name, preset, data_for(preset, mnist_file), CPU)


def train(preset: Preset, logs: Path) -> RunResult:
    return run(preset, logs, Control(), lambda _: None, LocalCrew())


def timeless(events: list[Event]) -> list[dict[str, Any]]:
    return [e.model_dump(exclude={"t", "seconds", "train_seconds", "gpu_bytes"}) for e in events]


# The pair


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunResult]:
    """A run of each of the techniques."""
    logs = tmp_path_factory.mktemp("logs")
    return {name: train(small_preset(regularized=techniques), logs) for name, techniques in TECHNIQUES.items()}


@pytest.mark.parametrize("name", [name for name in TECHNIQUES if name != "none"])
def test_the_baseline_is_the_same_to_the_last_bit_whatever_the_other_arm_does(
    name: str, results: dict[str, RunResult]
) -> None:
    alone, other = results["none"].history, results[name].history
    assert other.arms["baseline"].step_losses == alone.arms["baseline"].step_losses
    assert [timeless([e]) for e in other.arms["baseline"].epochs] == [
        timeless([e]) for e in alone.arms["baseline"].epochs
    ]


def test_two_arms_without_techniques_are_the_same(results: dict[str, RunResult]) -> None:
    result = results["none"]
    baseline, regularized = result.history.arms.values()
    assert baseline.step_losses == regularized.step_losses
    table = paired(result.summary)
    assert (table.only_baseline, table.only_arm) == (0, 0)


@pytest.mark.parametrize("name", TECHNIQUES)
def test_the_log_proves_the_pair(name: str, results: dict[str, RunResult]) -> None:
    pairing = results[name].summary.pairing
    assert pairing is not None
    assert pairing.unpaired_because == ""
    assert pairing.initial_weights["baseline"] == pairing.initial_weights["regularized"]
    assert pairing.shared_tensors == 6
    assert re.fullmatch("[0-9a-f]{16}", pairing.data["baseline"])
    assert pairing.data["baseline"] == pairing.data["regularized"]
    assert pairing.split["baseline"] == pairing.split["regularized"]
    assert pairing.split["baseline"].keys() == {"training", "validation", "test"}
    assert len(set(pairing.order)) == 3, "each epoch has an order of its own"


def test_a_broken_pair_is_told() -> None:
    def epoch(arm: str, order: str) -> EpochDone:
        return EpochDone(
            t=0, arm=arm, epoch=1, train_loss=1, val_loss=1, train_metrics={"accuracy": 1},
            val_metrics={"accuracy": 1}, penalties={}, weights={},
            order=order, seconds=1, best=True, wait=0,
        )  # fmt: skip

    from tests.test_history import started

    history = History.of([started(), epoch("baseline", "a"), epoch("regularized", "b")])
    assert "different batches in epoch 1" in history.unpaired_because
    assert history.order_hashes == []


def test_the_same_seed_gives_the_same_log_and_another_seed_another(
    results: dict[str, RunResult], tmp_path: Path
) -> None:
    preset = small_preset(regularized=TECHNIQUES["all"])
    first, second = (list(read_events(folder)) for folder in (results["all"].folder, train(preset, tmp_path).folder))
    assert timeless(first) == timeless(second)
    other = list(read_events(train(small_preset(train={"seed": 1}), tmp_path).folder))
    assert timeless(first) != timeless(other)


def test_arms_in_processes_give_the_same_numbers_as_arms_here(results: dict[str, RunResult], tmp_path: Path) -> None:
    preset = small_preset(regularized=TECHNIQUES["all"])
    here = list(read_events(results["all"].folder))
    with ProcessCrew(threads=1) as crew:  # as many as here; on more processors it would be more
        there = list(read_events(run(preset, tmp_path, Control(), lambda _: None, crew).folder))
    assert timeless(here) == timeless(there)


# What is reported


def test_the_reported_losses_are_data_losses_in_evaluation_mode(mnist_file: Path) -> None:
    preset = small_preset(regularized=TECHNIQUES["all"])
    arm = make_arm(preset, mnist_file)
    arm.start_epoch()
    arm.train_steps(10)
    report = arm.measure()
    arm.model.eval()
    data = data_for(preset, mnist_file)
    with torch.no_grad():
        for images, labels, loss, accuracy in (
            (data.train_examples.read(), data.train_targets, report.train_loss, report.train_metric),
            (data.val_examples.read(), data.val_targets, report.val_loss, report.val_metric),
        ):
            logits = arm.model(normalize(images)).double()
            assert loss == pytest.approx(float(functional.cross_entropy(logits, labels)), rel=1e-5)
            assert accuracy == pytest.approx(float((logits.argmax(1) == labels).double().mean()))


def test_penalties_are_beside_the_loss_and_weights_are_counted_exactly(mnist_file: Path) -> None:
    preset = small_preset(regularized={"l1": {"strength": 0.01}, "l2": {"strength": 0.1}})
    arm = make_arm(preset, mnist_file)
    arm.start_epoch()
    arm.train_steps(10)
    report = arm.measure()
    ws = {name: w.detach().double() for name, w in arm.model.weights().items()}
    assert report.penalties["l1"] == pytest.approx(0.01 * sum(float(w.abs().sum()) for w in ws.values()), rel=1e-5)
    assert report.penalties["l2"] == pytest.approx(0.05 * sum(float(w.square().sum()) for w in ws.values()), rel=1e-5)
    for name, w in ws.items():
        told = report.weights[name]
        assert told.zeros == sum(value == 0.0 for value in w.flatten().tolist())
        assert told.size == w.numel()
        assert told.norm == pytest.approx(float(w.norm()), rel=1e-5)
    assert report.weights["hidden1"].zeros > 0, "the proximal step makes exact zeros"


def test_l1_as_a_loss_term_makes_no_exact_zeros(mnist_file: Path) -> None:
    arm = make_arm(small_preset(regularized=TECHNIQUES["l1 loss"]), mnist_file)
    arm.start_epoch()
    arm.train_steps(10)
    assert sum(layer.zeros for layer in arm.measure().weights.values()) == 0


def test_penalties_are_optimized_but_not_reported_in_the_step_losses(mnist_file: Path) -> None:
    plain, penalized = (
        make_arm(small_preset(regularized=table), mnist_file) for table in ({}, {"l2": {"strength": 10.0}})
    )
    for arm in (plain, penalized):
        arm.start_epoch()
    assert plain.train_steps(1) == penalized.train_steps(1), "the first step's data loss knows no penalty"
    assert plain.train_steps(1) != penalized.train_steps(1), "the second step feels it"


def test_the_test_set_is_scored_with_the_weights_that_are_kept(mnist_file: Path) -> None:
    arm = make_arm(small_preset(), mnist_file)
    arm.start_epoch()
    arm.train_steps(5)
    arm.remember(1)
    at_best = arm.test({"regularized": False})[:2]
    arm.train_steps(5)
    assert arm.test({"regularized": False})[:2] != at_best
    assert arm.test({"regularized": True})[:2] == at_best


def test_every_image_is_trained_on_once_an_epoch(mnist_file: Path) -> None:
    preset = small_preset(data={"train_samples": 100}, train={"batch_size": 32})
    arm = make_arm(preset, mnist_file)
    hashes = {arm.start_epoch() for _ in range(3)}
    assert len(hashes) == 3
    assert sorted(torch.cat(arm._batches).tolist()) == list(range(100))
    assert [len(batch) for batch in arm._batches] == [32, 32, 32, 4]
    assert len(arm.train_steps(99).losses) == 4


# The parts


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_the_optimizers_are_torchs_to_the_last_bit(kind: Any) -> None:
    table = TrainTable(optimizer=kind, learning_rate=0.01, weight_decay=0.1)
    ours, theirs = ([nn.Parameter(torch.linspace(-1, 1, n)) for n in (33, 7)] for _ in range(2))
    mine = optimizer.build(table, ours)
    reference = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[kind](
        theirs, lr=0.01, weight_decay=0.1, fused=True
    )
    for step in range(20):
        for optimizing, parameters in ((mine, ours), (reference, theirs)):
            optimizing.zero_grad()
            sum((p * (p + step)).sin().sum() for p in parameters).backward()  # type: ignore[union-attr]
        mine.step(0.01)
        reference.step()
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a, b)


def test_a_seed_of_the_data_keeps_the_split_apart_from_weights_and_order(mnist_file: Path) -> None:
    presets = [small_preset(data={"seed": 7}, train={"seed": seed}) for seed in (0, 1)]
    arms = [Arm("baseline", preset, load(mnist_file, preset.data, preset.train.seed, CPU), CPU) for preset in presets]
    assert arms[0].built().split == arms[1].built().split
    assert arms[0].built().tensors != arms[1].built().tensors
    assert arms[0].start_epoch() != arms[1].start_epoch()


def test_streams_of_other_names_and_seeds_are_others() -> None:
    draws = {
        (seed, name): tuple(torch.rand(4, generator=stream(seed, name)).tolist())
        for seed in (0, 1)
        for name in ("split", "batch order", "initial weights")
    }
    assert len(set(draws.values())) == len(draws)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_the_pair_is_a_pair_and_the_seed_decides(tmp_path: Path) -> None:
    preset = small_preset(train={"device": "cuda"})
    first, second = (list(read_events(train(preset, tmp_path).folder)) for _ in range(2))
    assert timeless(first) == timeless(second)
    assert History.of(first).unpaired_because == ""
    assert all(event.gpu_bytes for event in first if isinstance(event, EpochDone))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("techniques", TECHNIQUES.values(), ids=TECHNIQUES.keys())
def test_on_a_gpu_a_step_waits_for_nothing(mnist_file: Path, techniques: dict[str, Any]) -> None:
    from torch.profiler import ProfilerActivity, profile

    preset = small_preset(regularized=techniques)
    device = torch.device("cuda")
    arm = Arm("regularized", preset, load(mnist_file, preset.data, 0, device), device)
    arm.start_epoch()
    arm.train_steps(2)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA], acc_events=True) as profiler:
        arm.set_learning_rate(2e-3)  # which no step waits for either
        arm.train_steps(8)
    counts = {event.key.partition(" (")[0]: event.count for event in profiler.key_averages()}
    waits = {key: counts.get(key, 0) for key in ("cudaStreamSynchronize", "Memcpy DtoH", "Memcpy HtoD")}
    assert waits == {"cudaStreamSynchronize": 1, "Memcpy DtoH": 1, "Memcpy HtoD": 0}, "only the losses are read out"
