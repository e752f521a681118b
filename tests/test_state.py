"""What an arm and a trainer are can be taken out, kept on disk, and put back: a run goes on as if nothing had been."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from regtui.arm import checkpoint
from regtui.arm.arm import BEST, OPTIMIZER, STREAM, Arm
from regtui.arm.checkpoint import State
from regtui.arm.split import load as load_data
from regtui.engine.crew import Crew, LocalCrew, ProcessCrew
from regtui.engine.progress import from_json, start, to_json
from regtui.engine.trainer import Trainer
from regtui.errors import InputError, RegtuiError
from regtui.preset.model import Preset
from regtui.protocol.control import Command, Control, SetLearningRate, SetPatience, SetStrength, Stop
from regtui.protocol.events import ArmStopped, EpochDone, Event, StepsDone
from regtui.protocol.history import History
from regtui.runs.checkpoint import (
    MANIFEST,
    WEIGHT,
    ArmFiles,
    Manifest,
    WeightsFile,
    commit,
    named,
    read_manifest,
    weights_file,
)
from regtui.runs.weights import read_weights
from tests.conftest import small_preset

CPU = torch.device("cpu")
EVERYTHING: dict[str, Any] = {
    "l1": {"mode": "loss"},
    "l2": {},
    "dropout": {"rate": 0.3, "input_rate": 0.1},
    "batch_norm": {},
    "early_stopping": {"patience": 1},
}
PRESETS: dict[str, dict[str, Any]] = {
    "nothing": {"regularized": {}},
    "dropout": {"regularized": {"dropout": {"rate": 0.5, "input_rate": 0.2}}},
    "batch norm": {"regularized": {"batch_norm": {"momentum": 0.3}}},
    "l1": {"regularized": {"l1": {"strength": 0.1}}, "train": {"optimizer": "adamw"}},
    "sgd": {"regularized": {"l2": {"strength": 0.1}}, "train": {"optimizer": "sgd", "learning_rate": 0.1}},
    "stops after the seam": {"regularized": {"early_stopping": {"patience": 2, "min_delta": 0.35}}},
    "stopped before the seam": {"baseline": {"early_stopping": {"patience": 1, "min_delta": 5.0}}},
    "followed by accuracy": {"regularized": {"early_stopping": {"monitor": "val_accuracy", "warmup": 1}}},
    "everything": {"baseline": {"dropout": {}}, "regularized": EVERYTHING},
}


class Killed(BaseException):
    """Nothing catches this, and nothing is cleaned up after it."""


def preset_of(name: str) -> Preset:
    tables = PRESETS[name]
    return small_preset(**{**tables, "train": {"epochs": 5, **tables.get("train", {})}})


def train(
    crew: Crew,
    preset: Preset,
    data: Path,
    checkpoint: Path,
    *,
    load: bool = False,
    commands: Callable[[Event], list[Command]] = lambda _event: [],
    killed: Callable[[Event], bool] = lambda _event: False,
) -> list[Event]:
    """The events of a run; it goes on from a checkpoint with `load`, and is killed when `killed` says so."""
    control, events = Control(), []

    def emit(event: Event) -> None:
        if killed(event):
            raise Killed
        events.append(event)
        for command in commands(event):
            control.send(command)

    checkpoint.mkdir(exist_ok=True)
    crew.build(preset, data)
    trainer = Trainer(preset, crew, control, emit, lambda: checkpoint)
    if load:
        manifest = read_manifest(checkpoint)
        if manifest is None:
            raise InputError("there is none")
        trainer.load(
            manifest, [name for name, arm in manifest.trainer.get("arms", {}).items() if arm["stopped"] is None]
        )
    with suppress(Killed):
        trainer.run()
    return events


def in_epoch_3(event: Event) -> bool:
    return isinstance(event, StepsDone) and event.epoch == 3


def numbers(events: list[Event]) -> list[Any]:
    """All that is told but times; the steps of an epoch and arm as one, for they are told by the clock."""
    steps = {name: losses(events, name) for name in ("baseline", "regularized")}
    others = [e.model_dump(exclude={"t", "seconds"}) for e in events if not isinstance(e, StepsDone)]
    return [steps, others]


def losses(events: list[Event], arm: str) -> list[float | None]:
    return [loss for e in events if isinstance(e, StepsDone) and e.arm == arm for loss in e.losses]


def plain_values(arm: Arm) -> dict[str, Any]:
    """What an arm keeps in plain values; where its next batch is, is told by those that it still has."""
    return {
        name: value
        for name, value in vars(arm).items()
        if value is None or (isinstance(value, bool | int | float | str) and name != "_next_batch")
    }


def saved_by(arm: Arm, folder: Path, step: int) -> ArmFiles:
    saved = arm.save(folder, step, [])
    assert saved.files is not None, saved.fault
    return saved.files


def steering(event: Event) -> list[Command]:
    if isinstance(event, EpochDone) and (event.arm, event.epoch) == ("baseline", 1):
        return [
            SetStrength(arm="regularized", key="dropout.rate", value=0.7),
            SetStrength(arm="regularized", key="l1.strength", value=0.02),
            SetPatience(arm="baseline", patience=1),
            SetLearningRate(learning_rate=2e-3),
        ]
    return []


@pytest.mark.parametrize("name", PRESETS)
def test_two_epochs_and_three_after_a_kill_are_five_in_one_go(name: str, mnist_file: Path, tmp_path: Path) -> None:
    preset = preset_of(name)
    whole = train(LocalCrew(), preset, mnist_file, tmp_path / "whole")
    first = train(LocalCrew(), preset, mnist_file, tmp_path / "cut", killed=in_epoch_3)
    rest = train(LocalCrew(), preset, mnist_file, tmp_path / "cut", load=True)
    assert any(isinstance(e, EpochDone) and e.epoch == 2 for e in first)
    assert any(isinstance(e, EpochDone) and e.epoch == 3 for e in rest)
    assert numbers(first + rest) == numbers(whole)
    assert all(e.t >= first[-1].t for e in rest), "the clock goes on"


@pytest.mark.slow
def test_so_they_are_in_new_processes_and_with_what_was_steered(mnist_file: Path, tmp_path: Path) -> None:
    preset = preset_of("everything")
    parts = []
    for folder, how in (
        ("whole", {}), ("cut", {"killed": in_epoch_3}), ("cut", {"load": True}),
    ):  # fmt: skip
        with ProcessCrew() as crew:
            parts.append(train(crew, preset, mnist_file, tmp_path / folder, commands=steering, **how))
    whole, first, rest = parts
    assert History.of(whole).interventions == 4
    assert numbers(first + rest) == numbers(whole)


def test_a_run_killed_before_its_test_is_tested_with_the_weights_it_keeps(mnist_file: Path, tmp_path: Path) -> None:
    preset = preset_of("everything")
    whole = train(LocalCrew(), preset, mnist_file, tmp_path / "whole")
    first = train(LocalCrew(), preset, mnist_file, tmp_path / "cut", killed=lambda e: e.kind == "scored")
    rest = train(LocalCrew(), preset, mnist_file, tmp_path / "cut", load=True)
    assert [e.kind for e in rest] == ["scored"]
    assert numbers(first + rest) == numbers(whole)


def test_an_arm_goes_on_in_the_middle_of_an_epoch(mnist_file: Path, tmp_path: Path) -> None:
    preset = small_preset(regularized=EVERYTHING, train={"batch_size": 30})  # the last batch has 20
    data = load_data(mnist_file, preset.data, 0, CPU)
    arm, other = (Arm("regularized", preset, data, CPU) for _ in range(2))
    arm.start_epoch()
    arm.train_steps(4)
    arm.remember(1)
    arm.retune("dropout.rate", 0.9)
    arm.train_steps(3)
    other.load(tmp_path, {"regularized": saved_by(arm, tmp_path, 7)}, [])
    assert plain_values(other) == plain_values(arm), "whatever an arm keeps in a number is in its state"
    for _ in range(2):
        assert other.train_steps(99) == arm.train_steps(99)
        assert other.start_epoch() == arm.start_epoch()
    assert other.measure()._replace(seconds=0) == arm.measure()._replace(seconds=0)
    assert [t.test({"regularized": True})[:2] for t in (arm, other)] == [arm.test({"regularized": True})[:2]] * 2


def test_on_another_kind_of_device_an_arm_draws_from_new_streams(mnist_file: Path) -> None:
    preset = small_preset(regularized={"dropout": {}})
    data = load_data(mnist_file, preset.data, 0, CPU)
    arm, *others = (Arm("regularized", preset, data, CPU) for _ in range(3))
    arm.start_epoch()
    arm.train_steps(10)
    state = arm.state()
    of_a_gpu = {name: torch.zeros(16, dtype=torch.uint8) for name in state.tensors if name.startswith(STREAM)}
    order = f"{STREAM}order"  # that of the batches is drawn by the host, wherever an arm is
    other = State({**state.tensors, **of_a_gpu, order: state.tensors[order]}, {**state.facts, "device": "cuda"})
    for moved in others:
        moved.load_state(other)
    assert arm.start_epoch() == others[0].start_epoch() == others[1].start_epoch()
    same, moved_to, again = (one.train_steps(10) for one in (arm, *others))
    assert same != moved_to
    assert moved_to == again


def test_a_stopped_run_s_state_is_inside_its_epoch(mnist_file: Path, tmp_path: Path) -> None:
    preset = small_preset(regularized={"dropout": {}})
    stops = [Stop()]

    def stop(event: Event) -> list[Command]:
        return [stops.pop()] if isinstance(event, StepsDone) and stops else []

    whole = train(LocalCrew(), preset, mnist_file, tmp_path / "whole")
    stopped = train(LocalCrew(), preset, mnist_file, tmp_path / "cut", commands=stop)
    manifest = read_manifest(tmp_path / "cut")
    assert manifest is not None
    assert 0 < manifest.step < 10
    data = load_data(mnist_file, preset.data, 0, CPU)
    for name in preset.arms():
        again = Arm(name, preset, data, CPU)
        again.load(tmp_path / "cut", manifest.arms, [])
        expected = losses(whole, name)
        assert losses(stopped, name) == expected[: manifest.step]
        assert again.train_steps(99).losses == expected[manifest.step : 10]


# What is on disk


def test_a_state_is_written_as_safetensors_writes_it(mnist_file: Path, tmp_path: Path) -> None:
    preset = small_preset(regularized=EVERYTHING)
    arm = Arm("regularized", preset, load_data(mnist_file, preset.data, 0, CPU), CPU)
    arm.start_epoch()
    arm.train_steps(4)
    state = arm.state()
    state.tensors["batches"] = torch.empty(0, dtype=torch.int64)
    state.tensors["model.transposed"] = torch.arange(6.0).view(2, 3).t()
    state.facts["words"] = 'λ "quoted"'
    checkpoint.write(tmp_path / "state", state)
    whole = {name: tensor.contiguous() for name, tensor in state.tensors.items()}
    assert (tmp_path / "state").read_bytes() == save(whole, {"facts": json.dumps(state.facts)})
    assert checkpoint.read(tmp_path / "state").facts == state.facts


def tensors(path: Path) -> set[str]:
    with safe_open(path, "np") as file:
        return set(file.keys())


def test_only_what_is_needed_is_kept(mnist_file: Path, tmp_path: Path) -> None:
    names = {WEIGHT, OPTIMIZER, STREAM}
    kept: list[tuple[int, dict[str, Any]]] = []

    def look(event: Event) -> bool:
        if isinstance(event, EpochDone) and event.epoch > 1 and event.arm == "baseline":
            manifest = read_manifest(tmp_path / "c")
            assert manifest is not None
            files = {path.name for path in (tmp_path / "c").iterdir()} - {MANIFEST}
            assert files == {name for of_arm in manifest.arms.values() for name in (of_arm.last, of_arm.best)}
            assert len(files) <= 4
            for name, of_arm in manifest.arms.items():
                found = tensors(tmp_path / "c" / of_arm.last)
                assert {prefix for prefix in names if any(t.startswith(prefix) for t in found)} == names
                assert not any(t.startswith(BEST) for t in found)
                best = History.of(told).arms[name].epochs
                newest = min(best, key=lambda epoch: epoch.val_loss or math.inf) is best[-1]
                assert (of_arm.best == of_arm.last) is newest
            kept.append((manifest.epoch, manifest.trainer))
        told.append(event)
        return False

    told: list[Event] = []
    preset = small_preset(train={"epochs": 12, "learning_rate": 0.02}, regularized={"dropout": {"rate": 0.1}})
    train(LocalCrew(), preset, mnist_file, tmp_path / "c", killed=look)
    assert [epoch for epoch, _ in kept] == list(range(1, 12))
    manifest = read_manifest(tmp_path / "c")
    assert manifest is not None
    for of_arm in manifest.arms.values():  # the run has ended, and may be given more epochs
        assert of_arm.best not in {None, of_arm.last}
        assert {name.split(".")[0] for name in tensors(tmp_path / "c" / str(of_arm.best))} == {"model"}
        assert any(name.startswith(OPTIMIZER) for name in tensors(tmp_path / "c" / of_arm.last))


def test_of_an_arm_that_has_ended_by_itself_only_the_weights_are_kept(mnist_file: Path, tmp_path: Path) -> None:
    preset = small_preset(baseline={"early_stopping": {"patience": 1, "min_delta": 5.0}})
    events = train(LocalCrew(), preset, mnist_file, tmp_path / "c")
    assert [e.reason for e in events if isinstance(e, ArmStopped)] == ["early_stopping", "max_epochs"]
    manifest = read_manifest(tmp_path / "c")
    assert manifest is not None
    kinds = {
        name: {tensor.split(".")[0] for tensor in tensors(tmp_path / "c" / files.last)}
        for name, files in manifest.arms.items()
    }
    assert kinds["baseline"] == {"model"}
    assert kinds["regularized"] > {"model", "optimizer"}


def test_the_last_and_the_best_weights_are_those(mnist_file: Path, tmp_path: Path) -> None:
    preset = small_preset(train={"epochs": 12, "learning_rate": 0.02})
    crew = LocalCrew()
    (tmp_path / "checkpoint").mkdir()
    train(crew, preset, mnist_file, tmp_path / "checkpoint")
    for name, arm in crew._host._arms.items():
        assert arm._best is not None
        for which, expected in (("last", arm.model.state_dict()), ("best", arm._best.weights)):
            layers = read_weights(tmp_path, name, which)  # type: ignore[arg-type]
            assert [layer.name for layer in layers] == ["hidden1", "hidden2", "output"]
            for layer in layers:
                assert torch.equal(torch.from_numpy(layer.matrix), expected[f"{layer.name}.weight"])
    arm = crew._host._arms["baseline"]
    assert arm._best is not None
    assert not torch.equal(arm.model.state_dict()["hidden1.weight"], arm._best.weights["hidden1.weight"])


def test_the_manifest_is_strict_json_also_before_there_is_anything_to_tell(mnist_file: Path, tmp_path: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    preset = small_preset(regularized={"early_stopping": {"warmup": 9}}, train={"epochs": 1})
    train(LocalCrew(), preset, mnist_file, tmp_path / "c")
    told = json.loads((tmp_path / "c" / MANIFEST).read_text(), parse_constant=refuse)
    assert told["schema"] == 1
    assert told["arms"]["regularized"]["best"] is None
    for name in preset.arms():
        progress = start(preset, name)
        assert repr(from_json(json.loads(json.dumps(to_json(progress), allow_nan=False)))) == repr(progress)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a run that was killed in its third epoch."""
    from regtui.data.source import ensure

    folder = tmp_path_factory.mktemp("saved") / "checkpoint"
    train(LocalCrew(), preset_of("dropout"), ensure("mnist"), folder, killed=in_epoch_3)
    return folder


class Cut:
    """Kills at the n-th thing that is done to a file."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int) -> None:
        self.left = at
        for name in ("write_bytes", "write_text", "replace", "unlink"):
            patch.setattr(Path, name, self._counted(getattr(Path, name), name))

    def _counted(self, done: Callable[..., Any], name: str) -> Callable[..., Any]:
        def counted(path: Path, *args: Any, **kwargs: Any) -> Any:
            if self.left == 0:
                if name.startswith("write"):  # half of it is there
                    done(path, args[0][: len(args[0]) // 2], **kwargs)
                raise Killed
            self.left -= 1
            return done(path, *args, **kwargs)

        return counted


def test_a_commit_cut_anywhere_leaves_the_one_before_or_the_next(
    saved: Path, mnist_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = preset_of("dropout")
    data = load_data(mnist_file, preset.data, 0, CPU)

    def arms(folder: Path) -> tuple[int, dict[str, Arm]]:
        manifest = read_manifest(folder)
        assert manifest is not None
        loaded = {name: Arm(name, preset, data, CPU) for name in preset.arms()}
        for arm in loaded.values():
            arm.load(folder, manifest.arms, [])
        return manifest.step, loaded

    seen, finished, at = [], False, 0
    while not finished:
        folder = tmp_path / str(at)
        shutil.copytree(saved, folder)
        step, trained = arms(folder)
        before = read_manifest(folder)
        assert before is not None
        with monkeypatch.context() as patch:
            cut = Cut(patch, at)
            try:
                files = {}
                for name, arm in trained.items():
                    arm.start_epoch()
                    arm.train_steps(10)
                    files[name] = saved_by(arm, folder, step + 10)
                commit(folder, before.model_copy(update={"step": step + 10, "epoch": 3, "arms": files}))
                finished = cut.left > 0
            except Killed:
                pass
        found, loaded = arms(folder)
        steps = {float(arm.optimizer.state()["step"]) for arm in loaded.values()}
        assert steps == {found}, "both arms are of one commit"
        seen.append(found)
        at += 1
        # The next commit clears away whatever was left.
        after = {name: saved_by(arm, folder, 99) for name, arm in loaded.items()}
        commit(folder, before.model_copy(update={"step": 99, "arms": after}))
        named = {name for of_arm in after.values() for name in (of_arm.last, of_arm.best)}
        assert {path.name for path in folder.iterdir()} == {MANIFEST, *named}
    assert seen == sorted(seen)
    assert set(seen) == {20, 30}
    assert len(seen) > 6


def test_weights_are_read_while_commits_come_and_go(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(saved, folder)
    manifest = read_manifest(folder)
    assert manifest is not None
    asked = 0

    def between(folder: Path, arm: str, which: Any) -> WeightsFile | None:
        """The run goes on as soon as the manifest has been read, the first two times."""
        nonlocal asked, manifest
        assert manifest is not None
        file = weights_file(folder, arm, which)
        asked += 1
        if asked <= 2:
            arms = {}
            for name, files in manifest.arms.items():
                last = f"{name}-{manifest.step + 10}.safetensors"
                shutil.copy(folder / files.last, folder / last)
                arms[name] = ArmFiles(last=last, best=last)
            manifest = manifest.model_copy(update={"step": manifest.step + 10, "arms": arms})
            commit(folder, manifest)
        return file

    monkeypatch.setattr("regtui.runs.weights.weights_file", between)
    assert [layer.name for layer in read_weights(tmp_path, "baseline", "last")] == ["hidden1", "hidden2", "output"]
    assert asked == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / MANIFEST).unlink(),
        lambda folder: (folder / MANIFEST).write_text("{"),
        lambda folder: change(folder, lambda m: m.update(trainer={})),
        lambda folder: change(folder, lambda m: m["arms"]["baseline"].update(last="../../elsewhere-1.safetensors")),
        lambda folder: change(folder, lambda m: m["arms"]["baseline"].update(last="another-1.safetensors")),
        lambda folder: change(folder, lambda m: m["trainer"]["arms"]["baseline"]["rule"].update(patience="many")),
        lambda folder: change(folder, lambda m: m["trainer"].update(step=None)),
        lambda folder: next(folder.glob("baseline-*")).write_bytes(b"\x00" * 64),
        lambda folder: next(folder.glob("baseline-*")).write_bytes(b""),
    ],
)  # fmt: skip
def test_a_damaged_checkpoint_is_a_sentence(
    damage: Callable[[Path], Any], saved: Path, mnist_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "c"
    shutil.copytree(saved, folder)
    for files in folder.glob("*.best-*"):
        files.unlink()
    damage(folder)
    with pytest.raises(RegtuiError) as caught:
        train(LocalCrew(), preset_of("dropout"), mnist_file, folder, load=True)
    assert "\n" not in str(caught.value)


def flip(path: Path, at: float, bit: int = 0) -> None:
    """Change one bit of a file, at this share of its length."""
    content = bytearray(path.read_bytes())
    content[int(at * (len(content) - 1))] ^= 1 << bit
    path.write_bytes(content)


def tear(path: Path) -> None:
    """Lose one block of a file."""
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(512) + content[4608:])


def swap(one: Path, other: Path) -> None:
    ours, theirs = one.read_bytes(), other.read_bytes()
    one.write_bytes(theirs)
    other.write_bytes(ours)


def test_each_file_that_a_manifest_names_has_its_checksum_there(mnist_file: Path, tmp_path: Path) -> None:
    """Also one that stays over several commits, as that of the best weights does."""
    seen: list[Manifest] = []

    def look(event: Event) -> bool:
        manifest = read_manifest(tmp_path / "c")
        if isinstance(event, StepsDone) and manifest is not None:
            seen.append(manifest)
            for files in manifest.arms.values():
                assert files.checksums.keys() == {files.last, files.best}
                for name, checksum in files.checksums.items():
                    assert checksum == f"{zlib.crc32((tmp_path / 'c' / name).read_bytes()):08x}"
        return False

    preset = small_preset(train={"epochs": 12, "learning_rate": 0.02})
    train(LocalCrew(), preset, mnist_file, tmp_path / "c", killed=look)
    best = [files.best for manifest in seen for files in manifest.arms.values() if files.best != files.last]
    assert len(best) > len({*best}) > 0, "some best weights are older than their commit"


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder, one, _: flip(folder / one, 1.0),
        lambda folder, one, _: flip(folder / one, 0.7, 5),
        lambda folder, one, _: flip(folder / one, 0.0, 1),
        lambda folder, one, _: (folder / one).write_bytes((folder / one).read_bytes()[:-1]),
        lambda folder, one, _: tear(folder / one),
        lambda folder, one, other: swap(folder / one, folder / other),
        lambda folder, one, other: shutil.copy(folder / other, folder / one),
    ],
    ids=["its last byte", "a bit of a weight", "its length", "cut", "a torn block", "swapped", "that of another arm"],
)  # fmt: skip
def test_a_file_that_is_not_as_it_was_saved_is_noticed_whoever_reads_it(
    harm: Callable[[Path, str, str], Any], saved: Path, mnist_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(saved, folder)
    manifest = read_manifest(folder)
    assert manifest is not None
    baseline, regularized = (manifest.arms[name] for name in ("baseline", "regularized"))
    harm(folder, regularized.last, baseline.last)
    words = f"{re.escape(str(folder / regularized.last))} is damaged: "
    preset = preset_of("dropout")
    arm = Arm("regularized", preset, load_data(mnist_file, preset.data, 0, CPU), CPU)
    with pytest.raises(InputError, match=words):
        arm.load(folder, manifest.arms, [])
    with pytest.raises(RegtuiError, match=words):
        read_weights(tmp_path, "regularized", "last")


def test_so_are_best_weights_that_have_a_file_of_their_own(mnist_file: Path, tmp_path: Path) -> None:
    preset = small_preset(train={"epochs": 12, "learning_rate": 0.02})
    folder = tmp_path / "checkpoint"
    train(LocalCrew(), preset, mnist_file, folder)
    manifest = read_manifest(folder)
    assert manifest is not None
    files = manifest.arms["baseline"]
    assert files.best not in (None, files.last)
    flip(folder / str(files.best), 0.9)
    with pytest.raises(InputError, match=f"{files.best} is damaged: its bytes are not those that were saved"):
        Arm("baseline", preset, load_data(mnist_file, preset.data, 0, CPU), CPU).load(folder, manifest.arms, [])
    with pytest.raises(RegtuiError, match=f"{files.best} is damaged: its bytes are not those that were saved"):
        read_weights(tmp_path, "baseline", "best")
    assert read_weights(tmp_path, "baseline", "last")


def test_a_bit_that_flips_in_the_manifest_is_noticed(saved: Path, tmp_path: Path) -> None:
    """Wherever it makes a difference: in the manifest's own checksum it makes none."""
    folder = tmp_path / "checkpoint"
    shutil.copytree(saved, folder)
    path, whole, chance = folder / MANIFEST, (saved / MANIFEST).read_bytes(), random.Random(0)
    assert read_manifest(saved) is not None
    noticed = 0
    for place in chance.sample(range(8 * len(whole)), 300):
        content = bytearray(whole)
        content[place // 8] ^= 1 << place % 8
        path.write_bytes(content)
        try:
            assert read_manifest(folder) == read_manifest(saved)
        except InputError:
            noticed += 1
    assert noticed > 280
    numbers = whole.replace(b'"wait": 0', b'"wait": 1')
    assert numbers != whole
    path.write_bytes(numbers)
    with pytest.raises(InputError, match=r"manifest.json is damaged"):
        read_manifest(folder)


def test_checkpoints_without_checksums_are_read_as_before(saved: Path, mnist_file: Path, tmp_path: Path) -> None:
    """As those of earlier versions are; who goes on from one writes them from then on."""
    folder = tmp_path / "checkpoint"
    shutil.copytree(saved, folder)
    change(folder, lambda m: [m.pop("checksum"), *(files.pop("checksums") for files in m["arms"].values())])
    assert read_weights(tmp_path, "baseline", "last")
    train(LocalCrew(), preset_of("dropout"), mnist_file, folder, load=True)
    manifest = read_manifest(folder)
    assert manifest is not None
    assert {name for files in manifest.arms.values() for name in files.checksums} == named(manifest)


def change(folder: Path, how: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    how(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", ["best.hidden1.weight", "best.another", "batches"])
def test_no_tensor_of_a_checkpoint_is_taken_in_whatever_size_its_file_claims(name: str, mnist_file: Path) -> None:
    """A file of a few bytes can claim more than there is memory for; nothing of that is read before it is copied."""
    preset = small_preset()
    cpu = torch.device("cpu")
    arm = Arm("baseline", preset, load_data(mnist_file, preset.data, 0, cpu), cpu)
    arm.start_epoch()
    arm.train_steps(2)
    arm.remember(1)
    arm.train_steps(2)
    state = arm.state()
    arm.load_state(state)
    claimed = torch.zeros(1, dtype=torch.int64).expand(2**40)
    with pytest.raises((KeyError, RuntimeError), match=r"of another network|more examples than an epoch has"):
        arm.load_state(State(state.tensors | {name: claimed}, state.facts))


@pytest.mark.parametrize("tables", [{"model": {"hidden": [8]}}, {"regularized": {"batch_norm": {}}}])
def test_the_checkpoint_of_another_preset_is_refused(
    tables: dict[str, Any], saved: Path, mnist_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "c"
    shutil.copytree(saved, folder)
    with pytest.raises(InputError, match="is not of this preset's"):
        train(LocalCrew(), small_preset(**tables), mnist_file, folder, load=True)


def test_checkpoints_of_before_are_read_as_they_were(saved: Path, tmp_path: Path) -> None:
    manifest = read_manifest(saved)
    assert manifest is not None
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "baseline-last.safetensors").write_bytes((saved / manifest.arms["baseline"].last).read_bytes())
    assert weights_file(folder, "baseline", "last") == (folder / "baseline-last.safetensors", None)
    with pytest.raises(RegtuiError, match="no best weights yet"):
        read_weights(tmp_path, "baseline", "best")
    assert len(read_weights(tmp_path, "baseline", "last")) == 3


def test_arms_whose_names_begin_alike_have_files_of_their_own(tmp_path: Path, mnist_file: Path) -> None:
    def best_of(*arms: str) -> dict[str, Tensor]:
        """The first arm's best weights after a run of such arms, all of which learn by heart soon."""
        folder = tmp_path / "-".join(arms)
        table: dict[str, Any] = {arm: {"l2": {"strength": 0.01 * n}} for n, arm in enumerate(arms)}
        preset = small_preset(arms=table, train={"epochs": 12, "learning_rate": 3e-3})
        train(LocalCrew(), preset, mnist_file, folder)
        manifest = read_manifest(folder)
        assert manifest is not None
        files = manifest.arms[arms[0]]
        assert files.best is not None
        assert files.best != files.last, "it goes on after its best epoch"
        return {k: v for k, v in load_file(folder / files.best).items() if k.startswith("model.")}

    alone, beside = best_of("x", "y"), best_of("x", "x-best")
    assert all(torch.equal(tensor, beside[name]) for name, tensor in alone.items())
